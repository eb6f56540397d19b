package org.edgefacenet.engine.gpu

import java.nio.ByteBuffer
import org.edgefacenet.core.Accelerator
import org.edgefacenet.core.EngineException
import org.edgefacenet.core.GraphOptions
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** All that can be seen without Android: a missing native library is said, by either lane, and no thread stays behind. */
class OrgTensorflowGraphTest {
    @Test
    fun `without its native library it says so`() {
        for (accelerator in Accelerator.entries) {
            val refused = assertThrows(EngineException::class.java) {
                OrgTensorflowGraph.open(ByteBuffer.allocate(100), GraphOptions(1, accelerator))
            }
            assertTrue(refused.message!!, "native library" in refused.message!!)
        }
    }
}
