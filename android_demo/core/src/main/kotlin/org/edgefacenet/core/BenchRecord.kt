package org.edgefacenet.core

import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone

/** What changes while one measures. */
data class MachineState(val loadAverage: Double?, val temperature: Double?, val megahertz: Double?, val throttled: String = "unknown") {
    internal fun json(): Map<String, Any?> = present(
        "load_average" to loadAverage, "temperature" to temperature, "megahertz" to megahertz, "throttled" to throttled,
    )

    companion object {
        /** The state now, as far as this process may see it. */
        fun now(): MachineState = MachineState(ProcFiles.loadAverage(), ProcFiles.temperature(), ProcFiles.megahertz())
    }
}

/**
 * Where a lane was measured. An app fills [cpu] and [system] from `android.os.Build`.
 *
 * @property cpu maker, model and chip.
 * @property system operating system and its version.
 * @property runtime what runs the app, in the place where records of a computer hold the version of Python.
 * @property packages versions of the parts that matter: the app, the interpreter.
 */
data class MachineInfo(
    val cpu: String,
    val architecture: String,
    val system: String,
    val packages: Map<String, String>,
    val cores: Int = Runtime.getRuntime().availableProcessors(),
    val runtime: String = "none: Kotlin ${KotlinVersion.CURRENT} on ${System.getProperty("java.vm.name") ?: "an unknown virtual machine"}",
    val commit: String? = null,
    val governor: String = ProcFiles.governor(),
    val memoryBytes: Long? = ProcFiles.installedMemory(),
)

/** One record: a file's name and its content. */
class RecordFile(val name: String, val json: String)

/**
 * Records of a run in the form of `benchmarks/edge_facenet_bench/record.py` (docs/schemas/record.json), one per lane, for
 * `edge-facenet bench import`. They hold neither load and first face nor memory, which [LaneResult] does not know.
 */
object BenchRecord {
    private const val SCHEMA = 1

    /**
     * The records of a run, in the order of its lanes.
     *
     * @param notes what a reader should know of the machine ("on battery", "thermal status 2").
     * @param faults why no figure of this run can be trusted ("the phone throttled").
     */
    fun of(artifact: Artifact, run: RunResult, machine: MachineInfo, notes: List<String> = emptyList(), faults: List<String> = emptyList()): List<RecordFile> =
        run.lanes.map { lane ->
            val record = present(
                "schema" to SCHEMA,
                "run" to time(run.startedMillis, "yyyyMMdd'T'HHmmssSSS'000Z'"),
                "date" to time(run.startedMillis, "yyyy-MM-dd'T'HH:mm:ss'+00:00'"),
                "artifact" to artifact(artifact),
                "asked" to mapOf("engine" to lane.lane.engine, "delegate" to lane.lane.delegate, "threads" to lane.lane.threads),
                "status" to lane.status,
                "valid" to lane.isValid(faults),
                "machine" to machine(machine, run, faults, notes),
                "plan" to plan(run.plan),
                "ran" to lane.ran?.let { ran(it) },
                "burst" to lane.burst.map(::block),
                "paced" to lane.paced.map(::block),
                "reasons" to lane.against(faults),
                "notes" to lane.notes,
            )
            RecordFile("${artifact.name}.${lane.lane.key}.json", JsonText.canonical(record, narrow = true))
        }

    private fun artifact(artifact: Artifact): Map<String, Any?> {
        val about = artifact.manifest.about
        return present(
            "name" to artifact.name,
            "network" to (about.name ?: artifact.name.replace(Regex("-(fp32|fp16|int8|dynamic|int16x8|mixed)(-onnx)?$"), "")),
            "format" to "tflite",
            "recipe" to (about.recipe ?: "foreign"),
            "sha256" to Hash.sha256(artifact.model),
            "bytes" to artifact.model.limit(),
            "size" to artifact.manifest.pixels.size,
            "dimension" to artifact.manifest.dimension,
            "family" to about.family,
            "muladds" to about.muladds,
            "parameters" to about.parameters,
            "provenance" to about.provenance,
        )
    }

    private fun machine(info: MachineInfo, run: RunResult, reasons: List<String>, notes: List<String>): Map<String, Any?> {
        val unknown = "throttling unknown: no counter that an app may read"
        val busy = run.before.loadAverage?.takeIf { it > info.cores / 2.0 }
            ?.let { "other work ran beside: load average $it before the first call on ${info.cores} cores" }
        return present(
            "cpu" to info.cpu,
            "architecture" to info.architecture,
            "cores" to info.cores,
            "system" to info.system,
            "python" to info.runtime,
            "packages" to info.packages,
            "governor" to info.governor,
            "memory_bytes" to info.memoryBytes,
            "commit" to info.commit,
            "before" to run.before.json(),
            "after" to run.after.json(),
            "reasons" to reasons,
            "notes" to listOfNotNull(unknown, busy) + notes,
        )
    }

    private fun plan(plan: Plan): Map<String, Any> = mapOf(
        "seconds" to plan.seconds,
        "paced_seconds" to plan.pacedSeconds,
        "period_ms" to plan.periodMs,
        "rounds" to plan.rounds,
        "warmup" to plan.warmup,
        "min_calls" to plan.minCalls,
        "max_calls" to plan.maxCalls,
        "patience" to plan.patience,
    )

    private fun ran(ran: Ran): Map<String, Any?> = present(
        "engine" to ran.engine, "processor" to ran.processor, "adapter" to ran.adapter,
        "nodes" to ran.nodes, "nodes_total" to ran.nodesTotal, "left" to ran.left,
    )

    private fun block(block: Block): Map<String, Any> = mapOf("samples_ns" to block.samplesNs, "cpu_ns" to block.cpuNs)

    private fun time(millis: Long, pattern: String): String =
        SimpleDateFormat(pattern, Locale.ROOT).apply { timeZone = TimeZone.getTimeZone("UTC") }.format(Date(millis))
}

/** Optional values that are absent are left out. */
internal fun present(vararg pairs: Pair<String, Any?>): Map<String, Any?> = pairs.filter { it.second != null }.toMap()
