package org.edgefacenet.core

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import java.io.File

/** Time that a test moves by hand. */
class StubClock : Clock {
    var time = 1_000L
    override fun now() = time
    override fun cpu() = time / 2
    override fun sleepUntil(moment: Long) {
        time = maxOf(time, moment)
    }
}

class BenchmarkTest {
    private fun blocks(case: JsonObject) = case.list("blocks").map { it as JsonObject }
        .map { block -> Block(block.list("samples_ns").map { it.toString().toLong() }, block.text("cpu_ns").toLong()) }

    @Test
    fun `statistics are the bench's`() = Golden.list("statistics").forEach { case ->
        val found = Timing.summarise(blocks(case))!!
        val said = case.obj("summary")
        assertNumbers(
            case.text("name"),
            listOf("calls", "p50_ms", "p90_ms", "min_ms", "cpu_ms", "drift", "spread", "steady_ms").map { said.double(it) } + said.list("quarters_ms").numbers(),
            listOf(found.calls.toDouble(), found.p50Ms, found.p90Ms, found.minMs, found.cpuMs, found.drift, found.spread, found.steadyMs) + found.quartersMs,
            1e-12,
        )
        assertEquals(said.optional("p99_ms"), found.p99Ms)
        assertEquals("faults of ${case.text("name")}", case.int("faults"), Timing.faults(found, Plan()).size)
        assertEquals(case.text("done"), Timing.isDone(blocks(case), Plan()).toString())
    }

    private val clock = StubClock()

    private fun embedder(lane: Lane, milliseconds: (Int) -> Double = { 2.0 }, ranOn: String = "CPU, XNNPACK 27 of 27 nodes"): Embedder {
        var calls = 0
        return Embedder(Tiny.artifact { it.replace("\"tflite-runtime\"", "\"litert-gpu\": 1e-03, \"tflite-runtime\"") }, Tiny.graph(ranOn = ranOn, engine = lane.engine) { input ->
            clock.time += (milliseconds(calls++) * 1e6 / lane.threads).toLong()
            Tiny.golden(input)
        })
    }

    private fun run(lanes: List<Lane>, plan: Plan = Plan(seconds = 0.8, pacedSeconds = 0.7), cancelled: () -> Boolean = { false }, open: (Lane) -> Embedder = { embedder(it) }): RunResult {
        val progress = ArrayList<Double>()
        val result = Benchmark(lanes, Golden.faces, plan, clock, open).run({ progress += it }, cancelled)
        assertEquals(progress.sorted(), progress)
        return result
    }

    private fun cpu(threads: Int) = Lane("tflite-runtime", Accelerator.CPU, threads)

    @Test
    fun `lanes take turns and give their figures`() {
        val result = run(listOf(cpu(1), cpu(2)))
        assertEquals(listOf(true, true), result.lanes.map { it.isValid() })
        assertEquals(listOf(2.0, 1.0), result.lanes.map { it.summary!!.p50Ms })
        assertEquals(8, result.lanes[0].burst.size)
        assertEquals(8 to 3, result.lanes[0].paced.size to result.lanes[0].paced[0].samplesNs.size)
        assertTrue("self-test passed" in result.lanes[0].notes.single())
        assertEquals(Ran("tflite-runtime", "CPU", "CPU, XNNPACK 27 of 27 nodes", 27, 27, emptyList()), result.lanes[0].ran)
    }

    @Test
    fun `faces are brought to the network's size once, not in every sample`() {
        var asked = 0
        val faces = object : AbstractList<RgbImage>() {
            override val size = Golden.faces.size

            override fun get(index: Int) = Golden.faces[index].also { asked++ }
        }
        val result = Benchmark(listOf(cpu(1), cpu(2)), faces, Plan(seconds = 0.8, pacedSeconds = 0.7), clock) { embedder(it) }.run()
        assertTrue(result.lanes.all { it.isValid() && it.summary!!.calls > 100 })
        assertTrue("$asked times a face of another size", asked <= 4 * faces.size)
    }

    @Test
    fun `faults of the whole run spoil what was timed`() {
        val gpu = Lane(Ran.GPU_ENGINE, Accelerator.GPU, 1)
        val (timed, absent) = run(listOf(cpu(1), gpu)) { if (it == gpu) throw EngineException("no GPU") else embedder(it) }.lanes
        assertEquals(listOf("hot") to false, timed.against(listOf("hot")) to timed.isValid(listOf("hot")))
        assertEquals(listOf("no GPU"), absent.against(listOf("hot")))
    }

    @Test
    fun `a lane that is not here becomes a reason, and the others go on`() {
        val gpu = Lane(Ran.GPU_ENGINE, Accelerator.GPU, 1)
        val result = run(listOf(gpu, cpu(1))) { if (it == gpu) throw EngineException("This phone has no OpenCL.") else embedder(it) }
        assertEquals("not run" to listOf("This phone has no OpenCL."), result.lanes[0].status to result.lanes[0].reasons)
        assertTrue(result.lanes[1].isValid())
    }

    @Test
    fun `a GPU is timed only when one ran`() {
        val gpu = Lane(Ran.GPU_ENGINE, Accelerator.GPU, 1)
        fun lane(words: String) = run(listOf(gpu)) { embedder(it, ranOn = words) }.lanes[0]
        assertEquals("timed", lane("Adreno (TM) 740, share of nodes not told").status)
        assertTrue("partial: 20 of 27" in lane("Adreno (TM) 740, 20 of 27 nodes; left: MEAN").notes[0])
        assertEquals("not run", lane("CPU, XNNPACK 27 of 27 nodes").status)
        assertEquals("not run", lane("Adreno (TM) 740, 0 of 27 nodes").status)
        assertEquals("parity", lane("SwiftShader Device, 27 of 27 nodes").status)
        assertEquals("parity", lane("adapter not named, share of nodes not told").status)
        assertNull(lane("SwiftShader Device, 27 of 27 nodes").summary)
    }

    @Test
    fun `heat, slowness, a failed self-test and a stop are said`() {
        fun lane(plan: Plan = Plan(seconds = 0.8, pacedSeconds = 0.0), milliseconds: (Int) -> Double) = run(listOf(cpu(1)), plan) { embedder(it, milliseconds) }.lanes[0]
        assertTrue("drift +" in lane { 2.0 + it / 300.0 }.reasons.single())
        assertTrue("too slow" in lane(Plan(seconds = 0.8, patience = 2.0, pacedSeconds = 0.0)) { 500.0 }.reasons[0])
        val wrong = run(listOf(cpu(1))) { Embedder(Tiny.artifact(), Tiny.graph { clock.time += 2_000_000; floatArrayOf(1f, 0f, 0f, 0f) }) }.lanes[0]
        assertEquals("timed", wrong.status)
        assertTrue("every face the same" in wrong.reasons.single())
        assertFalse(wrong.isValid())
        var asked = 0
        val stopped = run(listOf(cpu(1)), cancelled = { asked++ > 4 }).lanes[0]
        assertTrue("stopped" in stopped.reasons.last())
        assertFalse(stopped.isValid())
    }

    @Test
    fun `an engine that fails while it is timed becomes a reason`() {
        var calls = 0
        val result = run(listOf(cpu(1))) { Embedder(Tiny.artifact(), Tiny.graph { if (calls++ > 20) floatArrayOf(0f, 0f, 0f, 0f) else Tiny.golden(it).also { clock.time += 2_000_000 } }) }
        assertEquals("not run", result.lanes[0].status)
        assertTrue("all zeros" in result.lanes[0].reasons.single())
    }

    @Test
    fun `the record is byte for byte what Python writes`() {
        val golden = Golden.file("android/record") as JsonObject
        val lane = LaneResult(
            cpu(2), Ran.of("tflite-runtime", "CPU, XNNPACK 26 of 27 nodes; left: MEAN"),
            listOf(Block(listOf(2_000_000, 2_100_000), 4_000_000)), listOf(Block(listOf(2_500_000), 2_400_000)), "timed",
            listOf("only 2 of 8 calls"), listOf("partial: 26 of 27 operators delegated, left behind: MEAN"),
        )
        val run = RunResult(
            listOf(lane), MachineState(5.5, 31.5, null), MachineState(null, null, 1800.0), 1_795_622_400_123L, Plan(minCalls = 8),
        )
        val machine = MachineInfo(
            "Maker Phone (chip)", "arm64-v8a", "Android 15, API 35", mapOf("edge-facenet-demo" to "1", "tensorflow-lite" to "2.21.0"),
            8, "none: Kotlin on ART", null, "unknown", null,
        )
        val record = BenchRecord.of(Tiny.artifact(), run, machine, listOf("on battery"), listOf("the phone throttled")).single()
        assertEquals(golden.text("name"), record.name)
        assertEquals(golden.text("record"), record.json)
    }

    @Test
    fun `a real run's records are written for Python's reader`() {
        val clock = SystemClock()
        val result = Benchmark(listOf(cpu(1), Lane(Ran.GPU_ENGINE, Accelerator.GPU, 1)), Golden.faces, Plan(seconds = 0.2, pacedSeconds = 0.2), clock) {
            if (it.accelerator == Accelerator.GPU) throw EngineException("no GPU") else Embedder(Tiny.artifact(), Tiny.graph())
        }.run()
        assertTrue(result.lanes[0].summary!!.calls >= 50)
        val machine = MachineInfo("a JVM of the tests", System.getProperty("os.arch"), System.getProperty("os.name"), mapOf("core" to "1"))
        val folder = File("target/records").apply { mkdirs() }
        for (record in BenchRecord.of(Tiny.artifact(), result, machine)) {
            val said = Json.parseToJsonElement(record.json) as JsonObject
            assertEquals("of the whole app, not of a lane", emptySet<String>(), said.keys intersect setOf("memory", "cold"))
            File(folder, record.name).writeText(record.json)
        }
    }
}
