package org.edgefacenet.core

/**
 * A lane: one artifact on one accelerator with so many threads.
 *
 * @property engine by the name that records know: "tflite-runtime", or "litert-gpu" for the GPU.
 */
data class Lane(val engine: String, val accelerator: Accelerator, val threads: Int) {
    /** "cpu" or "gpu". */
    val delegate: String get() = accelerator.name.lowercase()

    /** Short and fit for a file name, as `bench` has it: "tflite-runtime-cpu-2t", "litert-gpu". */
    val key: String get() = if (accelerator == Accelerator.GPU) Ran.GPU_ENGINE else "$engine-cpu-${threads}t"

    /** For people. */
    val title: String get() = if (accelerator == Accelerator.GPU) "GPU" else "CPU, $threads thread${if (threads == 1) "" else "s"}"
}

/** What did run, as the engine itself reports it. */
data class Ran(val engine: String, val processor: String, val adapter: String, val nodes: Int?, val nodesTotal: Int?, val left: List<String>) {
    companion object {
        /** The engine that runs on a GPU, by the name that manifests and records know. */
        const val GPU_ENGINE: String = "litert-gpu"
        private val NODES = Regex("(\\d+) of (\\d+) nodes")
        private val LEFT = Regex("left: (.+)$")
        private val SOFTWARE = Regex("software|swiftshader|llvmpipe|lavapipe|softpipe|swrast|basic render|\\bcpu\\b", RegexOption.IGNORE_CASE)

        /** From an engine's name and its own words: "CPU, XNNPACK 42 of 42 nodes", "Adreno (TM) 740, 40 of 42 nodes; left: MEAN". */
        fun of(engine: String, words: String): Ran {
            val nodes = NODES.find(words)?.groupValues
            val processor = when {
                words.startsWith("CPU", ignoreCase = true) -> "CPU"
                engine != GPU_ENGINE || "not named" in words -> "unknown"
                SOFTWARE.containsMatchIn(words) -> "software"
                else -> "GPU"
            }
            val left = LEFT.find(words)?.groupValues?.get(1)?.split(",")?.map { it.trim() }.orEmpty()
            return Ran(engine, processor, words, nodes?.get(1)?.toInt(), nodes?.get(2)?.toInt(), left)
        }
    }
}

/** What the first face costs, ns. Loading the runtime itself is counted in [loadNs] where the process had it already. */
data class Cold(val importNs: Long, val loadNs: Long, val firstNs: Long)

/** What is known of a lane after a run. */
class LaneResult(
    val lane: Lane,
    val ran: Ran?,
    val cold: Cold?,
    val burst: List<Block>,
    val paced: List<Block>,
    val status: String,
    val reasons: List<String>,
    val notes: List<String>,
) {
    val isValid: Boolean get() = status != "not run" && reasons.isEmpty()

    /** Figures of the back-to-back calls; null when the lane was not timed. */
    val summary: Summary? get() = Timing.summarise(burst)
}

/** A run: all lanes open, then taking turns, so that heat and neighbours hit all alike. */
class RunResult(val lanes: List<LaneResult>, val before: MachineState, val after: MachineState, val startedMillis: Long, val plan: Plan, val memory: Pair<Long, Long>?)

/**
 * Measures lanes of one artifact as `benchmarks/edge_facenet_bench` does: per lane load and first face, then rounds of blocks
 * back to back and blocks paced like a camera, each after a warm-up, then the artifact's golden self-test.
 *
 * A sample is the wall time from the uint8 crop to an embedding that has been read. A lane that fails becomes a result with
 * its reason; the others go on.
 *
 * @param open gives an embedder for a lane; throws [EngineException] where the lane is not here.
 * @param faces crops to embed in turn, e.g. [SelfTest.faces]; the first two must be those.
 */
class Benchmark(
    private val lanes: List<Lane>,
    private val faces: List<RgbImage>,
    private val plan: Plan = Plan(),
    private val clock: Clock = SystemClock(),
    private val open: (Lane) -> Embedder,
) {
    private var calls = 0

    /**
     * Measure everything.
     *
     * @param onProgress told what share is done, 0..1.
     * @param isCancelled asked before each block; the lanes then end as they are.
     */
    fun run(onProgress: (Double) -> Unit = {}, isCancelled: () -> Boolean = { false }): RunResult {
        val started = System.currentTimeMillis()
        val memory = ProcFiles.memory("VmRSS")
        val before = MachineState.now()
        val tracks = lanes.map { Track(it) }
        val total = (plan.rounds + 2.0) * tracks.size
        var done = 0
        fun step() = onProgress(minOf(++done / total, 1.0))
        for (track in tracks) {
            if (!isCancelled()) start(track)
            step()
        }
        val peak = ProcFiles.memory("VmHWM")
        rounds(tracks, isCancelled, ::step)
        for (track in tracks) {
            if (!isCancelled()) check(track)
            step()
        }
        val both = if (memory != null && peak != null) memory to peak else null
        return RunResult(tracks.map { it.result(plan, isCancelled()) }, before, MachineState.now(), started, plan, both)
    }

    private class Track(val lane: Lane) {
        var embedder: Embedder? = null
        var ran: Ran? = null
        var cold: Cold? = null
        var status = "not run"
        val burst = ArrayList<Block>()
        val paced = ArrayList<Block>()
        val reasons = ArrayList<String>()
        val notes = ArrayList<String>()

        fun guarded(work: (Embedder) -> Unit) {
            val open = embedder ?: return
            try {
                work(open)
            } catch (error: EdgeFacenetException) {
                fail(error)
            }
        }

        fun fail(error: EdgeFacenetException) {
            reasons += error.message.orEmpty()
            embedder = null
            // what was measured before a failed self-test stands, marked as not to be trusted
            if (error !is SelfTestException) status = "not run"
        }

        fun result(plan: Plan, cancelled: Boolean): LaneResult {
            val faults = if (status == "timed") Timing.faults(Timing.summarise(burst), plan) else emptyList()
            val stopped = if (cancelled) listOf("stopped by the user before the end") else emptyList()
            val timed = status == "timed"
            return LaneResult(lane, ran, cold.takeIf { timed }, if (timed) burst else emptyList(), if (timed) paced else emptyList(), status, reasons + faults + stopped, notes)
        }
    }

    private fun start(track: Track) {
        try {
            val begin = clock.now()
            val embedder = open(track.lane)
            val loaded = clock.now()
            embedder.embed(faces[0])
            track.cold = Cold(0, loaded - begin, clock.now() - loaded)
            track.embedder = embedder
            val ran = Ran.of(embedder.engine, embedder.ranOn)
            track.ran = ran
            judge(track, ran)
        } catch (error: EdgeFacenetException) {
            track.fail(error)
        }
    }

    /** A GPU figure is printed only when a GPU ran: an adapter that a CPU imitates is compared and never timed. */
    private fun judge(track: Track, ran: Ran) {
        track.status = "timed"
        if (track.lane.accelerator == Accelerator.GPU) {
            if (ran.processor == "software" || ran.processor == "unknown") track.status = "parity"
            if (ran.processor == "CPU" || ran.nodes == 0) {
                track.status = "not run"
                track.reasons += "asked for the GPU, ran on ${ran.adapter}"
                track.embedder = null
            }
        }
        if (ran.nodes != null && ran.nodesTotal != null && ran.nodes < ran.nodesTotal) {
            track.notes += "partial: ${ran.nodes} of ${ran.nodesTotal} operators delegated" + if (ran.left.isEmpty()) "" else ", left behind: ${ran.left.joinToString(", ")}"
        }
    }

    private fun rounds(tracks: List<Track>, isCancelled: () -> Boolean, step: () -> Unit) {
        var number = 0
        while (!isCancelled()) {
            val open = tracks.filter { it.status == "timed" && it.embedder != null && !Timing.isDone(it.burst, plan) }
            if (number >= plan.rounds && open.isEmpty()) return
            for (track in tracks) {
                if (track in open && !isCancelled()) track.guarded { block(track, it) }
                if (number < plan.rounds) step()
            }
            number++
        }
    }

    private fun block(track: Track, embedder: Embedder) {
        repeat(plan.warmup) { next(embedder) }
        val most = (plan.maxCalls + plan.rounds - 1) / plan.rounds
        track.burst += Timing.burst((plan.seconds * 1e9 / plan.rounds).toLong(), most, clock) { next(embedder) }
        val paced = Math.rint(plan.pacedSeconds * 1000 / plan.periodMs / plan.rounds).toInt()
        if (track.paced.size >= plan.rounds || paced < 1) return
        repeat(plan.warmup) { next(embedder) }
        track.paced += Timing.paced(paced, (plan.periodMs * 1e6).toLong(), clock) { next(embedder) }
    }

    private fun check(track: Track) = track.guarded { embedder ->
        val cosines = embedder.selfTest(faces.take(2))
        track.notes += "golden self-test passed on this engine: cosines ${cosines.joinToString(" and ") { "%.6f".format(java.util.Locale.ROOT, it) }}"
    }

    /** One face through the whole path, another one at every call. */
    private fun next(embedder: Embedder) {
        embedder.embed(faces[calls++ % faces.size])
    }
}
