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

/**
 * What is known of a lane after a run.
 *
 * What loading, the first face and memory cost is not: all lanes and the rest of the app share one process, in which the
 * runtime and the model's file are open already.
 */
class LaneResult(
    val lane: Lane,
    val ran: Ran?,
    val burst: List<Block>,
    val paced: List<Block>,
    val status: String,
    val reasons: List<String>,
    val notes: List<String>,
) {
    /** What speaks against its figures; [faults] are those of the whole run, and spoil what was timed. */
    fun against(faults: List<String> = emptyList()): List<String> = reasons + if (status == "timed") faults else emptyList()

    /** Whether they can be trusted. */
    fun isValid(faults: List<String> = emptyList()): Boolean = status != "not run" && against(faults).isEmpty()

    /** Figures of the back-to-back calls; null when the lane was not timed. */
    val summary: Summary? get() = Timing.summarise(burst)
}

/** A run: all lanes open, then taking turns, so that heat and neighbours hit all alike. */
class RunResult(val lanes: List<LaneResult>, val before: MachineState, val after: MachineState, val startedMillis: Long, val plan: Plan)

/**
 * Measures lanes of one artifact as `benchmarks/edge_facenet_bench` does: all are opened, then rounds of blocks back to back
 * and blocks paced like a camera, each after a warm-up, then the artifact's golden self-test.
 *
 * A sample is the wall time from the uint8 crop at the network's size to an embedding that has been read. A lane that fails
 * becomes a result with its reason; the others go on.
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
        val before = MachineState.now()
        val tracks = lanes.map { Track(it) }
        val total = (plan.rounds + 2.0) * tracks.size
        var done = 0
        fun step() = onProgress(minOf(++done / total, 1.0))
        for (track in tracks) {
            if (!isCancelled()) start(track)
            step()
        }
        rounds(tracks, isCancelled, ::step)
        for (track in tracks) {
            if (!isCancelled()) check(track)
            step()
        }
        return RunResult(tracks.map { it.result(plan, isCancelled()) }, before, MachineState.now(), started, plan)
    }

    private class Track(val lane: Lane) {
        var embedder: Embedder? = null
        var faces: List<RgbImage> = emptyList()
        var ran: Ran? = null
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
            return LaneResult(lane, ran, if (timed) burst else emptyList(), if (timed) paced else emptyList(), status, reasons + faults + stopped, notes)
        }
    }

    private fun start(track: Track) {
        try {
            val embedder = open(track.lane)
            track.faces = faces.map(embedder::fitted)
            embedder.embed(track.faces[0])
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
        repeat(plan.warmup) { next(track, embedder) }
        val most = (plan.maxCalls + plan.rounds - 1) / plan.rounds
        track.burst += Timing.burst((plan.seconds * 1e9 / plan.rounds).toLong(), most, clock) { next(track, embedder) }
        val paced = Math.rint(plan.pacedSeconds * 1000 / plan.periodMs / plan.rounds).toInt()
        if (track.paced.size >= plan.rounds || paced < 1) return
        repeat(plan.warmup) { next(track, embedder) }
        track.paced += Timing.paced(paced, (plan.periodMs * 1e6).toLong(), clock) { next(track, embedder) }
    }

    private fun check(track: Track) = track.guarded { embedder ->
        val cosines = embedder.selfTest(faces.take(2))
        track.notes += "golden self-test passed on this engine: cosines ${cosines.joinToString(" and ") { "%.6f".format(java.util.Locale.ROOT, it) }}"
    }

    /** One face through the whole path, another one at every call. */
    private fun next(track: Track, embedder: Embedder) {
        embedder.embed(track.faces[calls++ % track.faces.size])
    }
}
