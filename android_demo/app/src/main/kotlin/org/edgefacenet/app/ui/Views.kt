package org.edgefacenet.app.ui

import android.view.View

/** Whether a view takes part in its layout. */
var View.shown: Boolean
    get() = visibility == View.VISIBLE
    set(value) {
        visibility = if (value) View.VISIBLE else View.GONE
    }

/** The view with this id in a layout that has one. */
fun <T : View> View.part(id: Int): T = checkNotNull(findViewById<T>(id)) { "The layout has no ${resources.getResourceEntryName(id)}." }
