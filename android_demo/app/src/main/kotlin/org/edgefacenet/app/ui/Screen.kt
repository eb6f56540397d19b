package org.edgefacenet.app.ui

import android.view.View

/** One of the app's pages. */
interface Screen {
    val view: View

    /** It is seen: watch the presenter, open what is needed. */
    fun start()

    /** It is not seen any more, or its activity ends. */
    fun stop()

    /** The user goes back; true when that meant something on this page. */
    fun back(): Boolean = false

    /** Whether going back means something here now. */
    val takesBack: Boolean get() = false
}
