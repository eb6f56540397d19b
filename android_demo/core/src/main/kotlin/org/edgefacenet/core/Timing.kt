package org.edgefacenet.core

import kotlin.math.abs
import kotlin.math.ceil
import kotlin.math.max

/** What the measurements need of time; a stub in tests moves it by hand. */
interface Clock {
    /** Monotonic wall time, ns. */
    fun now(): Long

    /** Processor time of this process, all threads, ns. */
    fun cpu(): Long

    /** Return when [now] has reached [moment], ns; at once when it is past. */
    fun sleepUntil(moment: Long)
}

/** The machine's own clock; processor time as Linux and Android count it. */
class SystemClock : Clock {
    override fun now(): Long = System.nanoTime()

    override fun cpu(): Long = ProcFiles.cpuNanoseconds()

    override fun sleepUntil(moment: Long) {
        while (true) {
            val left = moment - System.nanoTime()
            if (left <= 0) return
            Thread.sleep(left / 1_000_000, (left % 1_000_000).toInt())
        }
    }
}

/**
 * How long and how often, as `benchmarks/edge_facenet_bench/timing.py` has it. A lane is done when it has both [seconds] and
 * [minCalls], or [maxCalls], or has lasted [patience].
 *
 * @property seconds of back-to-back calls per lane, over all rounds.
 * @property pacedSeconds of calls paced like a camera, over all rounds; 0 for none.
 * @property warmup calls before each block that are not recorded.
 */
data class Plan(
    val seconds: Double = 3.0,
    val pacedSeconds: Double = 2.0,
    val periodMs: Double = 33.0,
    val rounds: Int = 8,
    val warmup: Int = 3,
    val minCalls: Int = 50,
    val maxCalls: Int = 10_000,
    val patience: Double = 60.0,
) {
    init {
        require(rounds >= 4) { "rounds is at least 4, one per quarter of the drift, found $rounds." }
        require(minOf(seconds, periodMs, patience) > 0 && minCalls > 0 && pacedSeconds >= 0) { "seconds, periodMs, minCalls and patience are above 0." }
        require(maxCalls >= minCalls && patience >= seconds) { "maxCalls is at least minCalls, and patience at least seconds." }
    }
}

/** Raw samples of one block of calls, ns, in the order they were made; [cpuNs] is the processor time of the whole block. */
class Block(val samplesNs: List<Long>, val cpuNs: Long)

/**
 * What a list of samples says, ms per face. Percentiles by nearest rank of the sorted samples.
 *
 * @property p99Ms null below 100 samples, where it is the maximum by another name.
 * @property drift median of the last quarter over that of the first, minus 1.
 * @property spread largest of the quarters' medians over the smallest, minus 1.
 * @property steadyMs median of the last quarter alone.
 */
data class Summary(
    val calls: Int,
    val p50Ms: Double,
    val p90Ms: Double,
    val p99Ms: Double?,
    val minMs: Double,
    val cpuMs: Double,
    val quartersMs: List<Double>,
    val drift: Double,
    val spread: Double,
    val steadyMs: Double,
)

/** Calls against a clock: blocks of raw samples, percentiles, drift. */
object Timing {
    /** Largest drift of a valid lane: the smallest thermal step of a small board is 17 % in time. */
    const val DRIFT_LIMIT: Double = 0.15

    /** Largest spread of the four quarters' medians. */
    const val SPREAD_LIMIT: Double = 0.40
    private const val P99_CALLS = 100

    /** Call back to back until [durationNs] is over or [maxCalls] are made; at least once. */
    fun burst(durationNs: Long, maxCalls: Int, clock: Clock, call: () -> Unit): Block {
        val samples = ArrayList<Long>()
        val cpu = clock.cpu()
        val begin = clock.now()
        while (true) {
            val start = clock.now()
            call()
            val end = clock.now()
            samples += end - start
            if (end - begin >= durationNs || samples.size >= maxCalls) return Block(samples, max(clock.cpu() - cpu, 0))
        }
    }

    /** Call once per period, as a camera does. A call longer than the period delays the next one and is not hidden. */
    fun paced(calls: Int, periodNs: Long, clock: Clock, call: () -> Unit): Block {
        val samples = ArrayList<Long>()
        val cpu = clock.cpu()
        var tick = clock.now()
        repeat(calls) {
            tick = max(tick + periodNs, clock.now())
            clock.sleepUntil(tick)
            val start = clock.now()
            call()
            samples += clock.now() - start
        }
        return Block(samples, max(clock.cpu() - cpu, 0))
    }

    /** Nearest rank: the smallest sample that at least [percent] % of all samples do not exceed. */
    fun percentile(samples: List<Double>, percent: Int): Double {
        require(samples.isNotEmpty()) { "no samples" }
        return samples.sorted()[max(ceil(percent / 100.0 * samples.size).toInt(), 1) - 1]
    }

    /** Figures of all blocks of a lane; null when it has no sample. */
    fun summarise(blocks: List<Block>): Summary? {
        val samples = blocks.flatMap { block -> block.samplesNs.map { it / 1e6 } }
        if (samples.isEmpty()) return null
        val parts = quarters(samples)
        return Summary(
            samples.size,
            percentile(samples, 50),
            percentile(samples, 90),
            if (samples.size >= P99_CALLS) percentile(samples, 99) else null,
            samples.min(),
            blocks.sumOf { it.cpuNs } / 1e6 / samples.size,
            parts,
            parts.last() / parts.first() - 1,
            parts.max() / parts.min() - 1,
            parts.last(),
        )
    }

    /** Medians of the four quarters of the samples, in their order in time. */
    fun quarters(samples: List<Double>): List<Double> {
        val cuts = List(5) { samples.size * it / 4 }
        return cuts.zipWithNext { a, b -> median(if (a < samples.size) samples.subList(a, max(b, a + 1)) else samples.takeLast(1)) }
    }

    /** Why these samples are not a figure; empty when they are. */
    fun faults(summary: Summary?, plan: Plan): List<String> {
        if (summary == null) return listOf("no call was timed")
        val reasons = ArrayList<String>()
        if (summary.calls < plan.minCalls) {
            reasons += "only ${summary.calls} of ${plan.minCalls} calls within ${plan.patience} s: too slow to be measured"
        }
        if (abs(summary.drift) > DRIFT_LIMIT) {
            val cure = if (summary.drift > 0) "let the phone cool, then measure longer" else "measure again on a phone at rest"
            reasons += "drift ${percent(summary.drift)} from the first to the last quarter, limit 15%: steady state ${three(summary.steadyMs)} ms; $cure"
        } else if (summary.spread > SPREAD_LIMIT) {
            reasons += "unsteady: medians of the quarters ${summary.quartersMs.joinToString(", ", transform = ::three)} ms, limit 40% apart; measure again"
        }
        return reasons
    }

    /** The stop rule: all rounds, and both time and count; or one of the upper limits. */
    fun isDone(blocks: List<Block>, plan: Plan): Boolean {
        val calls = blocks.sumOf { it.samplesNs.size }
        val seconds = blocks.sumOf { it.samplesNs.sum() } / 1e9
        // a block counts the loop's own microseconds, its samples do not: their sum falls a little short
        val enough = blocks.size >= plan.rounds && calls >= plan.minCalls && seconds >= 0.9 * plan.seconds
        return enough || calls >= plan.maxCalls || seconds >= plan.patience
    }

    private fun median(samples: List<Double>): Double {
        val ordered = samples.sorted()
        val middle = ordered.size / 2
        return if (ordered.size % 2 == 1) ordered[middle] else (ordered[middle - 1] + ordered[middle]) / 2
    }

    private fun percent(share: Double): String = "%+.0f%%".format(java.util.Locale.ROOT, 100 * share)

    private fun three(value: Double): String = java.math.BigDecimal(value).round(java.math.MathContext(3)).toPlainString()
}
