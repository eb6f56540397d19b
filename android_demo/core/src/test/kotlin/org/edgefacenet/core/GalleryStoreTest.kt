package org.edgefacenet.core

import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder
import java.io.File
import java.util.concurrent.Executors
import java.util.concurrent.TimeUnit
import kotlin.math.sqrt

private val MAKER = Maker("network-a", "aligner-a", 4)

private fun face(seed: Int): FloatArray {
    val raw = Golden.noise(4, seed).map { it.toDouble() + 0.5 }
    val length = sqrt(raw.sumOf { it * it })
    return FloatArray(4) { (raw[it] / length).toFloat() }
}

private fun sample(seed: Int, source: String = "") = Sample(face(seed), "photo-$seed", source)

/** Enrolls for ever and says each person it has finished with; its parent kills it. */
object Enroller {
    @JvmStatic
    fun main(arguments: Array<String>) {
        val store = GalleryStore.open(File(arguments[0]), MAKER)
        while (true) {
            val n = store.size
            store.enroll("person $n", List(20) { sample(100 * n + it) })
            println(n)
        }
    }
}

class GalleryStoreTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val file by lazy { File(folder.root, "people/gallery.json") }

    private fun open(maker: Maker = MAKER) = GalleryStore.open(file, maker)

    @Test
    fun `people are there again after a restart`() {
        val first = open()
        assertFalse("nothing is written before somebody is enrolled", file.exists())
        val done = first.enroll("  Ann é ", listOf(sample(1, "a.jpg"), sample(2)))
        assertEquals(Enrolled(1, "Ann é", true, 2, 0, 0, 2), done)
        first.enroll("Bob", listOf(sample(3)))
        first.reject(2, sample(9))
        val again = open()
        assertEquals(listOf("Ann é" to 2, "Bob" to 1), again.people().map { it.name to it.embeddings })
        assertEquals(1, again.people()[1].rejected)
        val templates = again.templates()
        assertEquals(listOf(1, 2), templates.ids)
        assertArrayEquals(Templates.template(listOf(face(1), face(2))), templates.matrix[0], 0f)
        assertArrayEquals(face(9), templates.rejected[0], 0f)
        assertEquals(listOf(0, 0, 1), templates.owner)
    }

    @Test
    fun `the same face again counts as known, a newer photo of a source replaces`() {
        val store = open()
        store.enroll("Ann", listOf(sample(1, "a.jpg")))
        assertEquals(Enrolled(1, "Ann", false, 0, 1, 0, 1), store.enroll("Ann", listOf(sample(1, "a.jpg"))))
        assertEquals(Enrolled(1, "Ann", false, 1, 0, 1, 1), store.enroll("Ann", listOf(sample(2, "a.jpg"))))
        assertEquals(2, store.enroll("Ann", listOf(sample(5))).embeddings)
    }

    @Test
    fun `ids are never used again`() {
        val store = open()
        store.enroll("Ann", listOf(sample(1)))
        store.enroll("Bob", listOf(sample(2)))
        assertEquals(2, store.enroll("Bob", listOf(sample(3))).person)
        assertEquals(1, store.forget(2, 77))
        assertEquals(0, open().forget(2))
        assertEquals(3, open().enroll("Eve", listOf(sample(4))).person)
        assertTrue("Nobody has the id 2" in refused<InputException> { store.reject(2, sample(9)) })
    }

    @Test
    fun `who looks does not wait for the disk`() {
        val store = open()
        store.enroll("Ann", listOf(sample(1)))
        val screen = Executors.newSingleThreadExecutor()
        synchronized(store) { // as a change holds it while it writes
            assertEquals(1 to "Ann", screen.submit<Pair<Int, String>> { store.size to store.people().single().name }.get(10, TimeUnit.SECONDS))
        }
        screen.shutdown()
    }

    @Test
    fun `all samples or none`() {
        val store = open()
        store.enroll("Ann", listOf(sample(1)))
        val before = file.readBytes()
        assertTrue("length" in refused<InputException> { store.enroll("Bob", listOf(sample(2), Sample(floatArrayOf(3f, 0f, 0f, 0f), "x"))) })
        assertTrue("expected 4" in refused<InputException> { store.enroll("Bob", listOf(Sample(floatArrayOf(1f), "x"))) })
        assertTrue("without a face" in refused<InputException> { store.enroll("Bob", emptyList()) })
        for (name in listOf("", "   ", "a\nb", "\u202Eabc", "\u200B", "x".repeat(201))) refused<InputException> { store.enroll(name, listOf(sample(2))) }
        assertArrayEquals(before, file.readBytes())
        assertEquals(1, store.size)
    }

    @Test
    fun `a gallery of another network or aligner is refused and stays as it is`() {
        open().enroll("Ann", listOf(sample(1)))
        val before = file.readBytes()
        for (other in listOf(MAKER.copy(embedder = "network-b"), MAKER.copy(aligner = "aligner-b"), MAKER.copy(dimension = 5))) {
            val message = refused<GalleryMismatchException> { open(other) }
            assertTrue(message, "network-a" in message && other.embedder in message && "untouched" in message)
        }
        assertArrayEquals(before, file.readBytes())
        val aside = GalleryStore.setAside(file)
        assertArrayEquals(before, aside.readBytes())
        assertEquals(0, open(MAKER.copy(embedder = "network-b")).size)
        val other = File(file.parentFile, "gallery.json.bak").apply { writeText("of somebody else") }
        assertEquals(listOf(aside), GalleryStore.aside(file))
        GalleryStore.delete(GalleryStore.aside(file) + file)
        assertEquals(listOf(other), file.parentFile!!.listFiles()!!.toList())
        File(aside, "inside").mkdirs() // stands in for what cannot be deleted
        assertTrue("Cannot delete" in refused<OutputException> { GalleryStore.delete(listOf(aside)) })
    }

    @Test
    fun `damage anywhere is refused, and nothing is lost`() {
        open().enroll("Ann", listOf(sample(1), sample(2)))
        val sound = file.readBytes()
        for (length in 0 until sound.size step 7) {
            file.writeBytes(sound.copyOf(length))
            assertTrue("Nothing in it was changed" in refused<GalleryException> { open() })
            assertEquals(length.toLong(), file.length())
        }
        for (at in sound.indices step 3) {
            val damaged = sound.copyOf().also { it[at] = (it[at].toInt() xor 4).toByte() }
            file.writeBytes(damaged)
            try {
                // white space and the spelling of a number are not content
                assertEquals(1, open().size)
            } catch (_: GalleryException) {
                assertArrayEquals(damaged, file.readBytes())
            }
        }
        file.writeText("{\"a\": 1}")
        assertTrue("not a gallery" in refused<GalleryException> { open() })
        file.writeText(sound.decodeToString().replace("\"schema\": 1", "\"schema\": 2"))
        assertTrue("Update the app" in refused<GalleryException> { open() })
    }

    @Test
    fun `a disk that cannot be written to leaves everything as it was`() {
        val store = open()
        store.enroll("Ann", listOf(sample(1)))
        val before = file.readBytes()
        File(file.parentFile, "gallery.json.writing").mkdirs() // stands in for a full disk: the new file cannot be made
        assertTrue("untouched" in refused<OutputException> { store.enroll("Bob", listOf(sample(2))) })
        assertEquals(1, store.size)
        assertArrayEquals(before, file.readBytes())
        assertEquals("Bob", store.enroll("Bob", listOf(sample(2))).name)
    }

    @Test
    fun `what a dead process left half-written is swept away`() {
        open().enroll("Ann", listOf(sample(1)))
        val left = File(file.parentFile, "gallery.json.writing").apply { writeText("half") }
        assertEquals(1, open().size)
        assertFalse(left.exists())
    }

    @Test
    fun `a process killed in the middle of enrolling loses nothing that was finished`() {
        var finished = -1
        repeat(4) { round ->
            val java = File(System.getProperty("java.home"), "bin/java").path
            val said = File(folder.root, "said-$round")
            val child = ProcessBuilder(java, "-Xmx64m", "-cp", System.getProperty("java.class.path"), Enroller::class.java.name, file.path)
                .redirectErrorStream(true).redirectOutput(said).start()
            fun last() = said.readLines().mapNotNull { it.toIntOrNull() }.maxOrNull() ?: finished
            val until = finished + 6 + 5 * round
            while (last() < until) assertTrue("the child died by itself: ${said.readText()}", child.isAlive)
            child.destroyForcibly().waitFor(10, TimeUnit.SECONDS)
            finished = last()
            val people = open().people()
            assertTrue("${people.size} people, $finished finished", people.size in finished + 1..finished + 2)
            assertTrue(people.all { it.embeddings == 20 })
        }
    }

    @Test
    fun `several threads enroll at once`() {
        val store = open()
        val threads = List(4) { t -> Thread { repeat(10) { store.enroll("t$t $it", listOf(sample(100 * t + it))) } } }
        threads.forEach { it.start() }
        threads.forEach { it.join() }
        assertEquals(40, open().size)
        assertEquals((1..40).toList(), store.people().map { it.id })
    }
}
