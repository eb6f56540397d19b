package org.edgefacenet.app

import org.edgefacenet.core.GraphFactory
import org.edgefacenet.engine.gpu.OrgTensorflowGraph

/** The flavour "gpu" carries org.tensorflow.lite with its GPU delegate beside the usual engine. */
object GpuEngine {
    val factory: GraphFactory? = OrgTensorflowGraph
}
