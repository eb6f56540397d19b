package org.edgefacenet.app.bench

import java.io.File
import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone
import java.util.concurrent.Executor
import java.util.concurrent.atomic.AtomicBoolean
import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Assets
import org.edgefacenet.app.parts.Outcome
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Watched
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.core.Accelerator
import org.edgefacenet.core.Artifact
import org.edgefacenet.core.BenchRecord
import org.edgefacenet.core.Benchmark
import org.edgefacenet.core.Embedder
import org.edgefacenet.core.EngineException
import org.edgefacenet.core.Graph
import org.edgefacenet.core.GraphFactory
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.Lane
import org.edgefacenet.core.MachineInfo
import org.edgefacenet.core.OutputException
import org.edgefacenet.core.Plan
import org.edgefacenet.core.Ran

/** What a phone says of itself before and after a run: [faults] spoil its figures, [notes] only go with them. */
data class Trouble(val faults: List<String> = emptyList(), val notes: List<String> = emptyList())

/** What is measured on: two engines, of which the second may be absent, and the phone. */
class Bench(
    val cpu: GraphFactory,
    val gpu: GraphFactory?,
    val records: File,
    val machine: () -> MachineInfo,
    val trouble: () -> Trouble,
    val plan: Plan = Plan(),
)

/**
 * What the benchmark's screen shows.
 *
 * @property models names; [chosen] is measured.
 * @property progress 0..1 while it runs, null otherwise.
 * @property record the newest file to share.
 */
data class BenchState(
    val models: List<String> = emptyList(),
    val chosen: Int = 0,
    val progress: Double? = null,
    val rows: List<Row> = emptyList(),
    val record: File? = null,
    val problem: Words? = null,
)

/** Measures the embedders on the phone's processors, and keeps the record for `edge-facenet bench import`. */
class BenchPresenter(private val work: Work, private val measuring: Executor, private val bench: Bench, private val session: () -> Session?) {
    val state: Watched<BenchState> = Watched(BenchState())
    private val cancelled = AtomicBoolean()
    private val left = AtomicBoolean()

    /** Show what can be measured, and the record of an earlier run. */
    fun refresh() {
        val assets = assets() ?: return
        val now = state.value
        if (now.progress != null) return
        val rows = now.rows.ifEmpty { lanes().map { Row.waiting(it, bench.gpu != null) } }
        state.value = now.copy(models = assets.embedders.map { it.name }, rows = rows, record = Records.newest(bench.records))
    }

    /** Measure another model from now on. */
    fun choose(model: Int) {
        if (state.value.progress != null || model !in state.value.models.indices) return
        state.value = state.value.copy(chosen = model, rows = lanes().map { Row.waiting(it, bench.gpu != null) }, problem = null)
    }

    fun start() {
        val assets = assets() ?: return
        val now = state.value
        if (now.progress != null) return
        cancelled.set(false)
        left.set(false)
        state.value = now.copy(progress = 0.0, problem = null, rows = lanes().map { Row.waiting(it, bench.gpu != null) })
        measuring.execute {
            val outcome = Outcome.of { measure(assets, assets.embedders[now.chosen]) }
            work.screen.execute { done(outcome) }
        }
    }

    /** End the run after the block under way; what was measured is shown and marked. */
    fun stop(): Unit = cancelled.set(true)

    /** The page is not seen any more: what comes now (the camera's networks, a background app's slow cores) spoils a run under way. */
    fun leave() {
        if (state.value.progress != null) left.set(true)
    }

    private fun done(outcome: Outcome<Pair<List<Row>, File>>) {
        val now = state.value.copy(progress = null)
        state.value = when (outcome) {
            is Outcome.Done -> now.copy(rows = outcome.value.first, record = outcome.value.second)
            is Outcome.Refused -> now.copy(problem = Words.of(outcome.error))
        }
    }

    private fun measure(assets: Assets, artifact: Artifact): Pair<List<Row>, File> {
        val open = ArrayList<Graph>()
        try {
            val before = bench.trouble()
            val benchmark = Benchmark(lanes(), assets.faces, bench.plan) { lane -> Embedder(artifact, graph(artifact, lane).also { open += it }) }
            val result = benchmark.run({ share -> work.screen.execute { progress(share) } }, cancelled::get)
            val after = bench.trouble()
            val notes = (before.notes + after.notes).distinct()
            val faults = (before.faults + after.faults + spoilt()).distinct()
            val records = BenchRecord.of(artifact, result, bench.machine(), notes, faults)
            return result.lanes.map { Row.of(it, bench.gpu != null, faults) } to Records.write(bench.records, artifact.name, result.startedMillis, records.map { it.json })
        } finally {
            open.forEach { it.close() }
        }
    }

    private fun spoilt(): List<String> = if (left.get()) listOf(LEFT) else emptyList()

    private fun graph(artifact: Artifact, lane: Lane): Graph {
        val factory = if (lane.accelerator == Accelerator.GPU) bench.gpu else bench.cpu
        val engine = factory ?: throw EngineException("This build of the app has no engine for the GPU; the flavour gpu has.")
        return engine.open(artifact.model, GraphOptions(lane.threads, lane.accelerator))
    }

    private fun progress(share: Double) {
        if (state.value.progress != null) state.value = state.value.copy(progress = share)
    }

    private fun assets(): Assets? = session()?.networks?.assets

    private fun lanes(): List<Lane> = THREADS.map { Lane("tflite-runtime", Accelerator.CPU, it) } + Lane(Ran.GPU_ENGINE, Accelerator.GPU, 1)

    private companion object {
        val THREADS = listOf(1, 2, 4)
        const val LEFT = "the page was left while it measured: other work of the app or the background's slower cores; measure again and stay"
    }
}

/** The records of runs as files: one per run, a JSON list with one record per lane. */
internal object Records {
    private const val KEPT = 10
    private const val SUFFIX = ".json"

    fun newest(folder: File): File? = all(folder).lastOrNull()

    /**
     * A record under its time, in UTC, so that the newest stays the last when clocks go back.
     *
     * @throws OutputException the phone's storage is full or not writable.
     */
    fun write(folder: File, model: String, millis: Long, records: List<String>): File {
        val time = SimpleDateFormat("yyyyMMdd-HHmmss", Locale.ROOT).apply { timeZone = TimeZone.getTimeZone("UTC") }.format(Date(millis))
        val file = File(folder, "edge-facenet-bench-$time-$model$SUFFIX")
        val beside = File(folder, "${file.name}.writing")
        try {
            folder.mkdirs()
            beside.writeText(records.joinToString(",\n", "[\n", "\n]\n") { it.trim() })
            if (!beside.renameTo(file)) throw IOException("it cannot be renamed into place")
        } catch (error: IOException) {
            beside.delete()
            throw OutputException("The record cannot be written: ${error.message}. Free some space and measure again.", error)
        }
        all(folder).dropLast(KEPT).forEach { it.delete() }
        return file
    }

    private fun all(folder: File): List<File> = folder.listFiles().orEmpty().filter { it.name.endsWith(SUFFIX) }.sortedBy { it.name }
}
