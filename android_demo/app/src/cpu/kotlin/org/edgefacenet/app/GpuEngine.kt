package org.edgefacenet.app

import org.edgefacenet.core.GraphFactory

/** This APK carries one engine, and that has no GPU; the flavour "gpu" has. */
object GpuEngine {
    val factory: GraphFactory? = null
}
