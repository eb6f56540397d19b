package org.edgefacenet.engine

import java.nio.ByteBuffer
import java.util.Collections
import kotlin.concurrent.thread
import org.edgefacenet.core.Accelerator
import org.edgefacenet.core.EdgeFacenetException
import org.edgefacenet.core.EngineException
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.InputException
import org.edgefacenet.core.ManifestException
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** Opening, running for long, sharing and closing. */
class LifeTest {
    private val mobile = bytes(Files.artifact("int8").model).toByteArray()

    @Test
    fun `c153 memory stays flat over 2000 frames on reused buffers`() {
        open(mobile).use { graph ->
            val input = noise(graph, 1)
            val first = bytes(graph.run(input)[0])
            repeat(200) { graph.run(input) }
            val before = resident()
            repeat(2000) {
                input[0].position(input[0].limit()) // as a buffer stands that was just filled
                assertEquals(first, bytes(graph.run(input)[0]))
            }
            // Keeping each frame's tensor would be 38 MB; the JVM's own growth was measured at 1 to 5 MB.
            assertTrue("grew by ${(resident() - before) / 1000} kB", resident() - before < 19_000_000)
        }
    }

    @Test
    fun `opening and closing gives everything back`() {
        val cycle = { open(mobile).use { it.run(noise(it, 1)) } }
        repeat(20) { cycle() }
        val threads = settledThreads()
        // A model kept alive holds 1.8 MB, an interpreter as much again: 100 to 200 MB by 60 cycles, and as much by the next 60.
        // What the JVM and the allocator take on their way (40 MB were seen) comes once; the least of three rounds was 0.4 MB.
        val grown = (1..3).minOf { resident().let { before -> repeat(60) { cycle() }; resident() - before } }
        assertTrue("grew by ${grown / 1000} kB", grown < 20_000_000)
        // One thread left behind by each of 60 cycles would be 60 more; others of the process come and go by ones.
        assertTrue("${settledThreads()} threads, before $threads", settledThreads() < threads + 10)
    }

    /** Threads that are still there after those just ended have gone. */
    private fun settledThreads(): Int {
        Thread.sleep(200)
        return Thread.activeCount()
    }

    @Test
    fun `threads that share a graph get their own answers`() {
        open(mobile).use { graph ->
            val expected = (0L until 4).map { bytes(graph.run(noise(graph, it))[0]) }
            val wrong = Collections.synchronizedList(mutableListOf<Throwable>())
            val callers = (0L until 4).map { n ->
                thread {
                    try {
                        val input = noise(graph, n)
                        repeat(100) { assertEquals(expected[n.toInt()], bytes(graph.run(input)[0])) }
                    } catch (found: Throwable) {
                        wrong += found
                    }
                }
            }
            callers.forEach { it.join() }
            assertEquals(emptyList<Throwable>(), wrong.toList())
        }
    }

    @Test
    fun `closing waits for calls under way, and later calls are refused`() {
        val graph = open(mobile)
        val input = noise(graph, 1)
        val answers = Collections.synchronizedList(mutableListOf<Any>())
        val callers = List(3) {
            thread {
                try {
                    while (true) answers += graph.run(noise(graph, 1)).size
                } catch (closed: EngineException) {
                    answers += closed
                }
            }
        }
        while (answers.size < 10) Thread.yield()
        graph.close()
        callers.forEach { it.join() }
        assertEquals(3, answers.count { it is EngineException })
        graph.close()
        val refused = assertThrows(EngineException::class.java) { graph.run(input) }
        assertTrue(refused.message!!, "closed" in refused.message!!)
    }

    @Test
    fun `an interrupted caller gets its answer and stays interrupted`() {
        open(mobile).use { graph ->
            Thread.currentThread().interrupt()
            assertEquals(1, graph.run(noise(graph, 1)).size)
            assertTrue(Thread.interrupted())
        }
    }

    @Test
    fun `buffers that do not fit are refused by name and size`() {
        open(mobile).use { graph ->
            val right = noise(graph, 1)[0]
            val wrong = mapOf(
                "0 were given" to listOf(),
                "2 were given" to listOf(right, right),
                "holds 7" to listOf(direct(7)),
                "direct buffer" to listOf(ByteBuffer.allocate(right.limit())),
            )
            for ((words, given) in wrong) {
                val refused = assertThrows(InputException::class.java) { graph.run(given) }
                assertTrue(refused.message!!, words in refused.message!!)
            }
            assertEquals(1, graph.run(listOf(right)).size)
        }
    }

    /** Bytes of the right hash cannot be damaged; this is for whoever opens others. */
    @Test
    fun `damaged files are refused, at every length, and do not end the process`() {
        val tiny = Files.tiny("fp32")
        val lengths = (0 until 64) + (64 until tiny.size step 131)
        val cut = lengths.map { tiny.copyOf(it) } + (1..9).map { mobile.copyOf(mobile.size * it / 10) }
        val others = listOf(ByteArray(5000), "PK\u0003\u0004 no model".toByteArray())
        for (damaged in cut + others) {
            val refused = assertThrows(EdgeFacenetException::class.java) { open(damaged).close() }
            assertTrue(refused.message!!, "damaged" in refused.message!!)
        }
        for (other in others) assertThrows(ManifestException::class.java) { open(other) }
    }

    @Test
    fun `what this engine cannot do is said`() {
        val gpu = assertThrows(EngineException::class.java) { BytedecoGraph.open(ByteBuffer.wrap(mobile), GraphOptions(1, Accelerator.GPU)) }
        assertTrue(gpu.message!!, "gpu" in gpu.message!!)
        assertThrows(EngineException::class.java) { open(mobile, threads = 0) }
        assertFalse(Thread.getAllStackTraces().keys.any { it.name.startsWith("edge-facenet") && it.isAlive && !it.isDaemon })
    }
}
