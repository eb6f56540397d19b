package org.edgefacenet.core

import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.nio.ByteBuffer

/** Artifacts and graphs that tests put together. */
object Tiny {
    private val golden = Golden.file("android/record") as JsonObject
    val json: String = golden.text("json")
    val input = TensorInfo("in", intArrayOf(1, 80, 80, 3), TensorType.INT8, 1f / 128, 0)

    fun artifact(change: (String) -> String = { it }): Artifact =
        Artifact.open("tiny-int8.json", change(json).toByteArray()) { Golden.direct(golden.bytes("model")) }

    /** Four numbers per face: the two golden faces give the manifest's golden embeddings, every other one its mean. */
    fun graph(output: TensorInfo = floats("out", 1, 4), ranOn: String = "CPU, XNNPACK 27 of 27 nodes", engine: String = "tflite-runtime", answer: (ByteBuffer) -> FloatArray = ::golden) =
        StubGraph(listOf(input), listOf(output), engine, ranOn) { listOf(direct(answer(it))) }

    fun golden(input: ByteBuffer): FloatArray {
        val faces = Golden.faces.map { Resize.square(it, 80) }
        val same = faces.indexOfFirst { face -> (0 until 100).all { input.get(it).toInt() == face.pixels[it].toInt() xor 0x80.toByte().toInt() } }
        return if (same == 1) floatArrayOf(0.6f, 0.8f, 0f, 0f) else floatArrayOf(1f, 0f, 0f, 0f)
    }
}

class EmbedderTest {
    private val face = Golden.faces[0]

    @Test
    fun `an embedding has unit length`() {
        val embedder = Embedder(Tiny.artifact(), Tiny.graph { floatArrayOf(3f, 0f, -4f, 0f) })
        assertArrayEquals(floatArrayOf(0.6f, 0f, -0.8f, 0f), embedder.embed(face), 1e-7f)
    }

    @Test
    fun `crops of any size are brought to the network's, and its bytes are the pixels' turned over`() {
        val embedder = Embedder(Tiny.artifact(), Tiny.graph())
        val shrunk = Golden.list("resize").last().bytes("bytes")
        assertArrayEquals(ByteArray(shrunk.size) { (shrunk[it].toInt() xor 0x80).toByte() }, embedder.tensor(face))
        assertArrayEquals(shrunk, embedder.fitted(face).pixels)
        assertArrayEquals(embedder.tensor(face), embedder.tensor(embedder.fitted(face)))
        assertTrue("square" in refused<InputException> { embedder.embed(Golden.picture(4, 5, 1)) })
    }

    @Test
    fun `quantized outputs`() {
        val int8 = TensorInfo("out", intArrayOf(1, 4), TensorType.INT8, 0.5f, 2)
        val graph = StubGraph(listOf(Tiny.input), listOf(int8)) { listOf(Golden.direct(byteArrayOf(8, 2, -6, 2))) }
        assertArrayEquals(floatArrayOf(0.6f, 0f, -0.8f, 0f), Embedder(Tiny.artifact(), graph).embed(face), 1e-7f)
        val uint8 = StubGraph(listOf(Tiny.input), listOf(int8.copy(type = TensorType.UINT8, zeroPoint = 130))) { listOf(Golden.direct(byteArrayOf(-120, -126, 124, -126))) }
        assertArrayEquals(floatArrayOf(0.7071f, 0f, -0.7071f, 0f), Embedder(Tiny.artifact(), uint8).embed(face), 1e-4f)
    }

    @Test
    fun `an embedding without length or not finite is refused`() {
        fun message(vararg values: Float) = refused<InputException> { Embedder(Tiny.artifact(), Tiny.graph { values }).embed(face) }
        assertTrue("all zeros" in message(0f, 0f, 0f, 0f))
        assertTrue("not finite" in message(Float.NaN, 0f, 0f, 1f))
    }

    @Test
    fun `a graph that is not the manifest's is refused with both shapes`() {
        fun message(graph: Graph) = refused<ManifestException> { Embedder(Tiny.artifact(), graph) }
        val output = floats("out", 1, 4)
        fun taking(info: TensorInfo, out: List<TensorInfo> = listOf(output)) = StubGraph(listOf(info), out) { emptyList() }
        val other = message(taking(Tiny.input.copy(shape = intArrayOf(1, 112, 112, 3))))
        assertTrue(other, "(1, 80, 80, 3)" in other && "(1, 112, 112, 3)" in other)
        assertTrue("float32" in message(taking(floats("in", 1, 80, 80, 3))))
        assertTrue("scale and zero point" in message(taking(Tiny.input.copy(scale = 0.5f))))
        assertTrue("dimension 4" in message(taking(Tiny.input, listOf(floats("out", 1, 5)))))
        assertTrue("Name the embedding" in message(taking(Tiny.input, listOf(output, output.copy(name = "other")))))
        assertTrue("2 inputs" in message(StubGraph(listOf(Tiny.input, Tiny.input), listOf(output)) { emptyList() }))
        Embedder(Tiny.artifact(), taking(Tiny.input, listOf(floats("out", 1, 1, 1, 4), floats("logits", 1, 9))))
    }

    @Test
    fun `the golden self-test`() {
        assertEquals(listOf(1.0, 1.0), Embedder(Tiny.artifact(), Tiny.graph()).selfTest(Golden.faces).map { Math.rint(it * 1e6) / 1e6 })
        fun message(artifact: Artifact = Tiny.artifact(), answer: (ByteBuffer) -> FloatArray) =
            refused<SelfTestException> { Embedder(artifact, Tiny.graph(answer = answer)).selfTest(Golden.faces) }
        assertTrue("every face the same" in message { floatArrayOf(1f, 0f, 0f, 0f) })
        val off = message { Tiny.golden(it).also { values -> values[3] = 0.01f } }
        assertTrue(off, "at least 0.99999 is needed" in off)
        assertTrue("unit length, found 2.0" in message { Tiny.golden(it).map { v -> 2 * v }.toFloatArray() })
        assertTrue("found NaN" in message { FloatArray(4) { Float.NaN } })
        val elsewhere = Tiny.artifact { it.replace("tflite-runtime", "litert") }
        assertTrue("no tolerance for engine tflite-runtime (it has litert)" in message(elsewhere) { Tiny.golden(it) })
        val others = Tiny.artifact { it.replace(SelfTest.SHA256.take(12), "0123456789ab") }
        assertTrue("belong to other faces" in message(others) { Tiny.golden(it) })
        val plain = Tiny.artifact { it.replace(Regex("\"self_test\": \\{[^}]*\\}[^}]*\\},"), "") }
        assertEquals(0.6, Embedder(plain, Tiny.graph()).selfTest(Golden.faces).single(), 1e-6)
    }

    @Test
    fun `damaged synthetic faces are refused`() {
        val png = File(Golden.repo, "edge_facenet/selftest_faces.png").readBytes()
        assertTrue("damaged" in refused<ManifestException> { SelfTest.faces(png.copyOf(100)) })
        assertTrue("damaged" in refused<ManifestException> { SelfTest.faces(byteArrayOf(1, 2)) })
        for (at in listOf(5, 20, 50, 20_000)) {
            val message = refused<ManifestException> { SelfTest.faces(png.copyOf().also { it[at] = (it[at] + 1).toByte() }) }
            assertTrue(message, "damaged" in message || "other faces" in message)
        }
    }
}
