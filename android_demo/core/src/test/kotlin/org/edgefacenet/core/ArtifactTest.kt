package org.edgefacenet.core

import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File
import java.nio.ByteBuffer

/** Artifacts are read, and refused, as Python does. */
class ArtifactTest {
    private val cases = Golden.list("artifact")
    private val sound = cases[0]

    private fun open(json: String, model: ByteArray) = Artifact.open("tiny.json", json.toByteArray()) { Golden.direct(model) }

    private fun refusal(json: String = sound.text("json"), model: ByteArray = sound.bytes("model")) = refused<ManifestException> { open(json, model) }

    @Test
    fun `what Python sealed is read and has Python's fingerprint`() = cases.forEach { case ->
        assertEquals(case.text("name"), case.text("fingerprint"), open(case.text("json"), case.bytes("model")).fingerprint)
    }

    @Test
    fun `the released networks are read`() {
        val folder = File(Golden.repo, "models/edge_facenet_models/mobile")
        for (name in listOf("mobile-fp16", "mobile-int8")) {
            val artifact = Artifact.open("$name.json", File(folder, "$name.json").readBytes()) { ByteBuffer.wrap(File(folder, it).readBytes()) }
            assertEquals(name, artifact.name)
            assertNotNull(artifact.manifest.thresholds!!.cosine(1e-3))
            assertEquals(2, artifact.manifest.selfTest!!.embeddings.size)
            assertTrue(artifact.manifest.about.muladds!! > 1_000_000)
        }
    }

    @Test
    fun `a model file that is not the manifest's is refused`() {
        val model = sound.bytes("model")
        for (at in listOf(3, 40, model.size - 100)) {
            val damaged = model.copyOf().also { it[at] = (it[at] + 1).toByte() }
            assertTrue("sha256" in refusal(model = damaged) || "TFL3" in refusal(model = damaged))
        }
        assertTrue("sha256" in refusal(model = cases[1].bytes("model")))
    }

    @Test
    fun `damage that the manifest does not know of is found by the seal`() {
        val json = sound.text("json").replace(Regex("\"sha256\": \"[0-9a-f]+\","), "").replace(Regex("\"fingerprint\": \"[0-9a-f]+\","), "")
        assertEquals(sound.text("fingerprint"), open(json, sound.bytes("model")).fingerprint)
        val damaged = sound.bytes("model").also { it[20] = 7 }
        assertTrue("not what was sealed" in refusal(json, damaged))
    }

    @Test
    fun `a manifest that contradicts what is sealed is refused and names the fields`() {
        val json = sound.text("json")
        assertTrue("dimension" in refusal(json.replace("\"dimension\": 4", "\"dimension\": 5")))
        assertTrue("pixels" in refusal(json.replace("\"size\": 80", "\"size\": 81")))
        assertTrue("template" in refusal(json.replace("arcface-112", "other")))
        assertTrue("recipe" in refusal(json.replace("\"recipe\": \"int8\"", "\"recipe\": \"fp32\"")))
        assertTrue("fingerprint" in refusal(json.replace(Regex("\"fingerprint\": \"..."), "\"fingerprint\": \"fff")))
    }

    @Test
    fun `what is no manifest is refused with the place`() {
        val json = sound.text("json")
        assertTrue("not JSON" in refusal("{"))
        assertTrue("not JSON" in refusal(""))
        assertTrue("unknown key \"colour\"" in refusal(json.replaceFirst("\"cost\"", "\"colour\"")))
        assertTrue("\"file\" is missing" in refusal("{\"pixels\": {\"size\": 80}}"))
        assertTrue("tiny.json.dimension: expected an integer" in refusal(json.replace("\"dimension\": 4", "\"dimension\": 4.5")))
        assertTrue("tiny.json.pixels.size" in refusal(json.replace("\"size\": 80", "\"size\": 0")))
        assertTrue("schema 2" in refusal(json.replace("\"schema\": 1", "\"schema\": 2")))
        assertTrue("quantization" in refusal(json.replace("\"dtype\": \"int8\"", "\"dtype\": \"float32\"")))
        assertTrue("own folder" in refusal(json.replace(Regex("\"file\": \"[^\"]+\""), "\"file\": \"../x.tflite\"")))
        assertTrue("expected a finite number" in refusal(json.replace("\"far\": 0.1", "\"far\": NaN")))
        assertTrue("object" in refusal("[1, 2]"))
        assertTrue("not JSON" in refused<ManifestException> { Artifact.open("tiny.json", byteArrayOf(-1, -2)) { Golden.direct(ByteArray(0)) } })
    }

    @Test
    fun `what is no model file is refused by what it is`() {
        assertTrue("LFS pointer" in refusal(model = "version https://git-lfs.github.com/spec/v1\noid sha256:1\n".toByteArray()))
        assertTrue("web page" in refusal(model = "<!DOCTYPE html><html>".toByteArray()))
        assertTrue("no TFL3 mark" in refusal(model = ByteArray(100)))
        assertTrue("no TFL3 mark" in refusal(model = ByteArray(0)))
        assertTrue("no TFLite file" in refusal(sound.text("json").replace(".tflite", ".onnx")))
    }

    @Test
    fun `an archive cut or damaged anywhere is no archive, and never a crash`() {
        val model = sound.bytes("model")
        assertNotNull(Trailer.split(ByteBuffer.wrap(model)))
        for (length in 0 until model.size) assertNull(Trailer.split(ByteBuffer.wrap(model.copyOf(length))))
        for (at in 64 until model.size) for (bit in listOf(1, 128)) {
            val damaged = model.copyOf().also { it[at] = (it[at].toInt() xor bit).toByte() }
            Trailer.split(ByteBuffer.wrap(damaged))
        }
    }

    @Test
    fun `thresholds by rate`() {
        val thresholds = open(sound.text("json"), sound.bytes("model")).manifest.thresholds!!
        assertEquals(0.36, thresholds.cosine(1e-3), 0.0)
        assertTrue("too few" in refused<ThresholdException> { thresholds.cosine(1e-5) })
        assertTrue("it has 0.1, 0.001, 1e-05" in refused<ThresholdException> { thresholds.cosine(0.5) })
        assertTrue("no thresholds" in refused<ThresholdException> { OpenSet.isSame(floatArrayOf(1f), floatArrayOf(1f), null) })
        assertTrue(OpenSet.isSame(floatArrayOf(1f, 0f), floatArrayOf(0.8f, 0.6f), thresholds))
        assertTrue(!OpenSet.isSame(floatArrayOf(1f, 0f), floatArrayOf(0.3f, 0.95f), thresholds))
    }

    @Test
    fun `numbers are written as Python writes them`() = Golden.list("numbers").forEach { case: JsonObject ->
        assertEquals(case.text("text"), JsonText.number(hex(case.text("value"))))
    }

    /** Python's `float.hex()` is Java's notation but for zero's missing digits. */
    private fun hex(text: String): Double = java.lang.Double.parseDouble(text)
}
