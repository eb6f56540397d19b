package org.edgefacenet.app

import java.io.File
import org.edgefacenet.app.parts.Assets
import org.edgefacenet.app.parts.Networks
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Stage
import org.edgefacenet.app.parts.Startup
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.AssetIndex
import org.edgefacenet.core.EngineException
import org.edgefacenet.core.GraphFactory
import org.edgefacenet.core.ManifestException
import org.edgefacenet.engine.BytedecoGraph
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Starting: every asset is proven, and what is wrong with one is said, never guessed over. */
class StartTest {
    @get:Rule
    val folder = TemporaryFolder()

    @Test
    fun `the released assets open`() {
        val assets = Assets.open(Lab.assets)
        assertEquals(listOf("mobile-int8", "mobile-fp16"), assets.embedders.map { it.name })
        assertEquals(2, assets.faces.size)
    }

    @Test
    fun `every file, damaged in one bit, is refused by name`() {
        for (name in names()) {
            val message = refusal { file, bytes -> if (file == name) bytes.apply { this[size / 2] = (this[size / 2].toInt() xor 1).toByte() } else bytes }
            assertTrue(message, name in message && "sha256" in message && AssetIndex.CURE in message)
        }
    }

    @Test
    fun `every file, missing, is refused by name`() {
        for (name in names() + AssetIndex.FILE) {
            val message = refusal { file, bytes -> bytes.takeIf { file != name } }
            assertTrue(message, name in message && "missing" in message)
        }
    }

    @Test
    fun `a list that is damaged, newer, or names nothing`() {
        assertTrue("damaged" in refusal { file, bytes -> if (file == AssetIndex.FILE) bytes.copyOf(bytes.size / 2) else bytes })
        assertTrue("schema 9" in refusal { file, bytes -> edited(file, bytes) { it.replace("\"schema\": 1", "\"schema\": 9") } })
        assertTrue("names no embedder" in refusal { file, bytes -> edited(file, bytes) { it.replace(Regex("\"embedders\": \\[[^]]*]"), "\"embedders\": []") } })
        assertTrue("not listed" in refusal { file, bytes -> edited(file, bytes) { it.replace("models/mobile-int8.json\": {", "models/other.json\": {") } })
    }

    @Test
    fun `the manifest of another model is refused, even when the list agrees with it`() {
        val other = Lab.assets.read("models/mobile-fp16.json").let { buffer -> ByteArray(buffer.limit()).also { buffer.get(it) } }
        val forged = String(other).replace(Lab.told("mobile-fp16", "file"), Lab.told("mobile-int8", "file")).toByteArray()
        val hash = org.edgefacenet.core.Hash.sha256(forged)
        val message = refusal { file, bytes ->
            when (file) {
                "models/mobile-int8.json" -> forged
                AssetIndex.FILE -> String(bytes).replace(Regex("(models/mobile-int8.json\": \\{[^}]*\"sha256\": \")[0-9a-f]+"), "$1$hash").toByteArray()
                else -> bytes
            }
        }
        assertTrue(message, "mobile-int8" in message && "sha256" in message)
    }

    @Test
    fun `a refusal becomes a stage with its words, and trying again can end well`() {
        var broken = true
        val startup = Startup(Lab.work) {
            if (broken) throw ManifestException("mobile-int8.tflite is damaged.")
            Session(Lab.networks, File(folder.root, "gallery.json"))
        }
        val seen = ArrayList<Stage>()
        startup.stage.watch(this) { seen += it }
        startup.begin()
        assertEquals(Stage.Failed(Words.Said("mobile-int8.tflite is damaged.")), startup.stage.value)
        broken = false
        startup.again()
        assertNotNull(startup.session)
        startup.begin()
        assertEquals("opened once", 1, seen.count { it is Stage.Ready })
    }

    @Test
    fun `networks that were opened before a refusal are closed`() {
        val open = ArrayList<String>()
        val factory = GraphFactory { model, options ->
            if (open.size == 2) throw EngineException("no more")
            val graph = BytedecoGraph.open(model, options)
            open += "open"
            object : org.edgefacenet.core.Graph by graph {
                override fun close() {
                    open += "closed"
                    graph.close()
                }
            }
        }
        assertThrows(EngineException::class.java) { Networks.open(Lab.networks.assets, factory) }
        assertEquals(2, open.count { it == "closed" })
    }

    private fun names() = listOf(
        "models/mobile-int8.json", "models/${Lab.told("mobile-int8", "file")}", "models/${Lab.told("mobile-fp16", "file")}", "models/blazeface-short-3bc182eb.tflite",
        "models/face-mesh-2efcb4f4.tflite", "selftest_faces.png",
    )

    private fun edited(file: String, bytes: ByteArray, edit: (String) -> String) = if (file == AssetIndex.FILE) edit(String(bytes)).toByteArray() else bytes

    private fun refusal(change: (String, ByteArray) -> ByteArray?): String =
        assertThrows(ManifestException::class.java) { Assets.open(Lab.assets.with(change)) }.message.orEmpty()
}
