package org.edgefacenet.app

import java.io.File
import java.util.TimeZone
import org.edgefacenet.app.about.About
import org.edgefacenet.app.bench.Bench
import org.edgefacenet.app.bench.BenchPresenter
import org.edgefacenet.app.bench.Records
import org.edgefacenet.app.bench.Row
import org.edgefacenet.app.bench.Trouble
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.GraphFactory
import org.edgefacenet.core.MachineInfo
import org.edgefacenet.core.Plan
import org.edgefacenet.engine.BytedecoGraph
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The benchmark's page, on the real interpreter; its record goes to target/records for the Python side. */
class BenchPresenterTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val session by lazy { Session(Lab.networks, File(folder.root, "gallery.json")) }
    private var trouble = Trouble()

    @Test
    fun `measures three lanes, says that there is no GPU, and writes one file with a record per lane`() {
        val bench = presenter()
        bench.refresh()
        assertEquals(listOf("mobile-int8", "mobile-fp16"), bench.state.value.models)
        assertEquals(listOf(R.string.bench_waiting, R.string.bench_waiting, R.string.bench_waiting, R.string.bench_no_gpu), bench.state.value.rows.map { (it.status as Words.Text).id })
        assertNull(bench.state.value.record)
        val progress = ArrayList<Double>()
        bench.state.watch(this) { state -> state.progress?.let { progress += it } }
        bench.start()
        val rows = bench.state.value.rows
        assertEquals(listOf(3, 3, 3, null), rows.map { it.times?.size })
        assertTrue(rows.take(3).all { row -> Words.text(R.string.bench_golden) in row.remarks })
        assertEquals(Words.text(R.string.bench_no_gpu), rows[3].status)
        assertTrue("$progress", progress == progress.sorted() && progress.last() > 0.9)
        keep(bench.state.value.record!!)
    }

    @Test
    fun `an engine that refuses is a lane that did not run, with its reason, and the others go on`() {
        val broken = GraphFactory { model, options ->
            if (options.threads == 4) throw org.edgefacenet.core.EngineException("four are too many")
            BytedecoGraph.open(model, options)
        }
        val bench = presenter(cpu = broken, gpu = { _, _ -> throw org.edgefacenet.core.EngineException("no driver") })
        bench.refresh()
        assertEquals("this build has one", Words.text(R.string.bench_waiting), bench.state.value.rows[3].status)
        bench.start()
        val rows = bench.state.value.rows
        assertEquals(listOf(true, true, false, false), rows.map { it.times != null })
        assertTrue(Words.Said("four are too many") in rows[2].remarks && Words.Said("no driver") in rows[3].remarks)
    }

    @Test
    fun `a hot phone's figures are shown and not to be trusted`() {
        trouble = Trouble(listOf("the phone was hot"), listOf("on battery"))
        val bench = presenter()
        bench.refresh()
        bench.start()
        val record = bench.state.value.record!!.readText()
        assertTrue("the phone was hot" in record && "on battery" in record && "\"valid\": true" !in record)
        assertSpoilt(bench, "the phone was hot")
    }

    @Test
    fun `stopped in the middle it keeps what it has, marked`() {
        var bench: BenchPresenter? = null
        bench = presenter(cpu = { model, options -> BytedecoGraph.open(model, options).also { if (options.threads == 2) bench!!.stop() } })
        bench.refresh()
        bench.start()
        assertNull(bench.state.value.progress)
        assertTrue("stopped by the user" in bench.state.value.record!!.readText())
    }

    @Test
    fun `left while it measures, its figures are not to be trusted`() {
        var bench: BenchPresenter? = null
        bench = presenter(cpu = { model, options -> BytedecoGraph.open(model, options).also { bench!!.leave() } })
        bench.refresh()
        bench.leave() // before it runs it spoils nothing
        bench.start()
        val spoilt = bench.state.value.record!!.readText()
        assertTrue("the page was left while it measured" in spoilt && "\"valid\": true" !in spoilt)
        assertSpoilt(bench, "the page was left while it measured")
    }

    /** Every lane with figures says before all else, on the screen, why they count for nothing; what was not timed says its own. */
    private fun assertSpoilt(bench: BenchPresenter, why: String) {
        val (timed, absent) = bench.state.value.rows.partition { it.times != null }
        assertEquals(listOf(false, false, false), timed.map { it.valid })
        assertTrue("${timed[0].remarks}", timed.all { row -> row.remarks.any { why in ((it as? Words.Said)?.text ?: "") } })
        assertEquals(emptyList<Words>(), absent.single().remarks)
    }

    @Test
    fun `records are called by UTC, so that clocks that go back change no order`() {
        val before = TimeZone.getDefault()
        try {
            TimeZone.setDefault(TimeZone.getTimeZone("Asia/Kathmandu"))
            assertEquals("edge-facenet-bench-19700102-000000-m.json", Records.write(folder.root, "m", 86_400_000, listOf("{}")).name)
        } finally {
            TimeZone.setDefault(before)
        }
    }

    @Test
    fun `storage that cannot be written is said, and measuring again is possible`() {
        File(folder.root, "records").writeText("a file where the folder should be")
        val bench = presenter()
        bench.refresh()
        bench.start()
        assertTrue((bench.state.value.problem as Words.Said).text, "cannot be written" in (bench.state.value.problem as Words.Said).text)
        assertNull(bench.state.value.progress)
    }

    @Test
    fun `ten records are kept, the newest is offered after a restart`() {
        val records = File(folder.root, "records").apply { mkdirs() }
        repeat(12) { File(records, "edge-facenet-bench-2020010$it-mobile-int8.json").writeText("[]") }
        val bench = presenter()
        bench.refresh()
        assertNotNull(bench.state.value.record)
        bench.choose(1)
        bench.start()
        assertEquals(10, records.list()!!.size)
        val newest = bench.state.value.record!!
        assertTrue(newest.name, "mobile-fp16" in newest.name)
        assertEquals(newest, presenter().also { it.refresh() }.state.value.record)
    }

    @Test
    fun `times have three digits`() {
        assertEquals(listOf("0.184", "1.35", "13.5", "128"), listOf(0.1841, 1.354, 13.54, 128.4).map(Row::ms))
    }

    @Test
    fun `the page about the model names its file, its thresholds and what it must not be used for`() {
        val words = About.sections(Lab.networks).flatMap { it.lines }
        assertTrue(words.any { (it as? Words.Text)?.args?.contains(Lab.told("mobile-int8", "sha256")) == true })
        assertEquals(4, words.count { (it as? Words.Text)?.id == R.string.about_threshold })
        assertTrue(Words.text(R.string.forbidden_watch) in words)
        assertTrue(words.any { "Non-commercial research only" in ((it as? Words.Said)?.text ?: "") })
        assertEquals(listOf("10", "0.1", "0.01"), listOf(0.1, 1e-3, 1e-4).map(About::percent))
    }

    private fun presenter(cpu: GraphFactory = BytedecoGraph, gpu: GraphFactory? = null): BenchPresenter {
        val machine = MachineInfo("a phone of the tests (its chip)", "arm64-v8a", "Android 15 (API 35)", mapOf("edge-facenet-android" to "0.1.0"))
        val plan = Plan(seconds = 0.04, pacedSeconds = 0.2, periodMs = 10.0, rounds = 4, warmup = 1, minCalls = 8, maxCalls = 200, patience = 2.0)
        return BenchPresenter(Lab.work, { it.run() }, Bench(cpu, gpu, File(folder.root, "records"), { machine }, { trouble }, plan)) { session }
    }

    private fun keep(record: File) {
        val shots = File(System.getProperty("shots"))
        record.copyTo(File(shots.parentFile, "records/${record.name}"), overwrite = true)
    }
}
