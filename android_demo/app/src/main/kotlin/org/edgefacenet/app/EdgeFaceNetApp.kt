package org.edgefacenet.app

import android.app.Application

/** The process. What screens share is made once, when the first of them asks. */
open class EdgeFaceNetApp : Application() {
    /** Engines, files, cameras. */
    open val parts: Parts by lazy { makeParts() }

    /** Tests put others in their place. */
    protected open fun makeParts(): Parts = Parts(this)
}
