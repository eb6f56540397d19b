package org.edgefacenet.engine

import java.nio.ByteBuffer
import kotlin.math.abs
import org.edgefacenet.core.Artifact
import org.edgefacenet.core.Embedder
import org.edgefacenet.core.GraphOptions
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The released network gives on this engine what Python's LiteRT gave when the manifest was written. */
class GoldenTest {
    private fun golden(artifact: Artifact): List<FloatArray> =
        artifact.manifest.selfTest!!.embeddings.map { row -> FloatArray(row.size) { row[it].toFloat() } }

    /**
     * All int8 sums are exact. The norm behind them is float32: its inverse root and the product with it are each rounded once,
     * and not on every processor the same way. One step of the int8 output is some 1e-2.
     */
    @Test
    fun `int8 equals Python but for the norm's last bits, with 1, 2 and 4 threads`() {
        val artifact = Files.artifact("int8")
        for (threads in listOf(1, 2, 4)) {
            BytedecoGraph.open(artifact.model, GraphOptions(threads)).use { graph ->
                val embedder = Embedder(artifact, graph)
                for ((face, expected) in Files.faces() zip golden(artifact)) {
                    val found = embedder.embed(face)
                    expected.indices.forEach { assertEquals(expected[it], found[it], 2 * Math.ulp(expected[it])) }
                }
                embedder.selfTest(Files.faces())
            }
        }
    }

    /** Another order of summing thousands of float32 products moves an output by 1e-7 to 1e-6; wrong pixels by 1e-2. */
    @Test
    fun `fp16 equals Python within rounding`() {
        val artifact = Files.artifact("fp16")
        BytedecoGraph.open(artifact.model, GraphOptions(2)).use { graph ->
            val embedder = Embedder(artifact, graph)
            for ((face, expected) in Files.faces() zip golden(artifact)) {
                val found = embedder.embed(face)
                assertTrue(expected.indices.maxOf { abs(expected[it] - found[it]) } < 5e-6)
            }
            embedder.selfTest(Files.faces())
        }
    }

    @Test
    fun `XNNPACK is on, and says how far`() {
        open(bytes(Files.artifact("int8").model).toByteArray()).use { assertEquals("CPU, XNNPACK 27 of 27 nodes, 1 partition", it.ranOn) }
        open(Files.tiny("fp32")).use { assertEquals("CPU, XNNPACK 3 of 3 nodes, 1 partition", it.ranOn) }
    }

    /** TensorFlow Lite 2.21 leaves convolutions with fp16 weights and float32 biases to its plain kernels; LiteRT takes them. */
    @Test
    fun `what XNNPACK leaves behind is named`() {
        val words = open(bytes(Files.artifact("fp16").model).toByteArray()).use { it.ranOn }
        val (taken, all) = Regex("XNNPACK (\\d+) of (\\d+) nodes").find(words)!!.destructured
        assertEquals(words, taken != all, "; left: " in words)
        val three = Delegation(nodes = 4, delegated = 1, partitions = 1, left = listOf("CONV_2D", "DEQUANTIZE", "CONV_2D"))
        assertEquals("XNNPACK 1 of 4 nodes, 1 partition; left: 2 CONV_2D, DEQUANTIZE", "$three")
        assertEquals("plain kernels alone: XNNPACK took none of 3 nodes", "${Delegation(3, 0, 0, listOf("A", "B", "C"))}")
    }

    @Test
    fun `tensors are described`() {
        open(Files.tiny("int8")).use { graph ->
            assertEquals(1, graph.inputs.size)
            assertEquals(graph.inputs[0].bytes, noise(graph, 1)[0].capacity())
            assertTrue(graph.inputs[0].toString(), graph.inputs[0].scale > 0)
        }
        open(Files.tiny("two")).use { assertEquals(2, it.outputs.size) }
    }

    @Test
    fun `a heap buffer and a direct one give the same`() {
        val model = Files.tiny("fp32")
        val given = direct(model.size).put(model) // stands at its end: position does not matter
        val answers = listOf(ByteBuffer.wrap(model), given).map { file ->
            BytedecoGraph.open(file, GraphOptions()).use { bytes(it.run(noise(it, 7))[0]) }
        }
        assertEquals(answers[0], answers[1])
    }
}
