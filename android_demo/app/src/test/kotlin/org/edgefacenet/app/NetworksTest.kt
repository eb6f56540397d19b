package org.edgefacenet.app

import java.io.File
import java.nio.ByteBuffer
import java.util.concurrent.CountDownLatch
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.edgefacenet.app.parts.AssetSource
import org.edgefacenet.app.parts.Assets
import org.edgefacenet.app.parts.Networks
import org.edgefacenet.core.AssetIndex
import org.edgefacenet.core.Graph
import org.edgefacenet.core.GraphFactory
import org.edgefacenet.core.Hash
import org.edgefacenet.core.ManifestException
import org.edgefacenet.engine.BytedecoGraph
import org.junit.Assert.assertEquals
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** The three networks together: what they refuse, and who waits for whom. */
class NetworksTest {
    @Test
    fun `a network whose faces are cut to another template is refused before anything is opened`() {
        val golden = Json.parseToJsonElement(File(System.getProperty("repo"), "tests/golden/android/artifact.json").readText()).jsonArray
        val other = golden.map { it.jsonObject }.single { it.getValue("name").jsonPrimitive.content == "name beyond ASCII" }
        val manifest = other.getValue("json").jsonPrimitive.content
        val model = Regex("\"file\": \"([^\"]+)\"").find(manifest)!!.groupValues[1]
        val assets = Assets.open(with("models/tiny.json" to manifest.toByteArray(), "models/$model" to java.util.Base64.getDecoder().decode(other.getValue("model").jsonPrimitive.content)))
        val message = assertThrows(ManifestException::class.java) { Networks.open(assets) { _, _ -> throw AssertionError("opened") } }.message.orEmpty()
        assertTrue(message, "tiny takes faces cut to template gesicht-ä-😀; this app cuts to arcface-112" in message)
    }

    /** The released assets with others beside them; the first of these is the manifest of the embedder. */
    private fun with(vararg more: Pair<String, ByteArray>): AssetSource {
        val listed = more.joinToString("") { (name, bytes) -> "\"$name\": {\"sha256\": \"${Hash.sha256(bytes)}\", \"bytes\": ${bytes.size}}, " }
        val files = Lab.assets.with { name, bytes ->
            if (name != AssetIndex.FILE) bytes else String(bytes).replace(Regex("\"embedders\": \\[[^]]*]"), "\"embedders\": [\"${more[0].first}\"]").replace("\"files\": {", "\"files\": {$listed").toByteArray()
        }
        return AssetSource { name -> more.toMap()[name]?.let { bytes -> ByteBuffer.allocateDirect(bytes.size).put(bytes).apply { flip() } } ?: files.read(name) }
    }

    @Test
    fun `a camera's frame does not wait for a photo's whole search`() {
        val embedding = CountDownLatch(1)
        val goOn = CountDownLatch(1)
        var held = false
        val factory = GraphFactory { model, options ->
            val graph = BytedecoGraph.open(model, options)
            if (model !== Lab.networks.artifact.model) return@GraphFactory graph
            object : Graph by graph {
                override fun run(inputs: List<ByteBuffer>): List<ByteBuffer> {
                    if (held) embedding.countDown().also { goOn.await() }
                    return graph.run(inputs)
                }
            }
        }
        val threads = Executors.newFixedThreadPool(2)
        Networks.open(Lab.networks.assets, factory).use { networks ->
            held = true
            val (photo, frame) = Lab.decode(Lab.photo("1-1")) to Lab.scene("nobody")
            val slow = threads.submit<Int> { networks.look(photo, turned = true).size }
            try {
                assertTrue(embedding.await(60, TimeUnit.SECONDS))
                assertEquals(0, threads.submit<Int> { networks.look(frame, turned = false).size }.get(60, TimeUnit.SECONDS))
            } finally {
                goOn.countDown()
            }
            assertEquals(1, slow.get(60, TimeUnit.SECONDS))
        }
        threads.shutdown()
    }
}
