package org.edgefacenet.app.bench

import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.Accelerator
import org.edgefacenet.core.Lane
import org.edgefacenet.core.LaneResult

/**
 * A line of the benchmark's table.
 *
 * @property times p50, p90, p99 as they are shown, "–" where there is none; null when the lane has no figures.
 * @property status what stands in their place.
 * @property valid whether the figures can be trusted; if not, [remarks] say why.
 */
data class Row(val title: Words, val times: List<String>?, val status: Words?, val valid: Boolean, val remarks: List<Words>) {
    companion object {
        private const val PASSED = "golden self-test passed"

        /** Of a lane that was not measured yet. */
        fun waiting(lane: Lane, hasGpu: Boolean): Row {
            val absent = lane.accelerator == Accelerator.GPU && !hasGpu
            return Row(title(lane), null, Words.text(if (absent) R.string.bench_no_gpu else R.string.bench_waiting), true, emptyList())
        }

        /** Of a lane that was; [faults] are those of the whole run. */
        fun of(result: LaneResult, hasGpu: Boolean, faults: List<String> = emptyList()): Row {
            val summary = result.summary
            if (result.lane.accelerator == Accelerator.GPU && !hasGpu) return waiting(result.lane, false)
            val remarks = result.against(faults).map { Words.Said(it) } + tested(result) + result.notes.filterNot { it.startsWith(PASSED) }.map { Words.Said(it) } + ran(result)
            if (summary == null) {
                val status = if (result.status == "parity") R.string.bench_parity else R.string.bench_not_run
                return Row(title(result.lane), null, Words.text(status), false, remarks)
            }
            val times = listOf(ms(summary.p50Ms), ms(summary.p90Ms), summary.p99Ms?.let(::ms) ?: NONE)
            return Row(title(result.lane), times, null, result.isValid(faults), remarks)
        }

        private fun tested(result: LaneResult): List<Words> = if (result.notes.any { it.startsWith(PASSED) }) listOf(Words.text(R.string.bench_golden)) else emptyList()

        private fun ran(result: LaneResult): List<Words> = listOfNotNull(result.ran?.let { Words.Said(it.adapter) })

        private fun title(lane: Lane): Words =
            if (lane.accelerator == Accelerator.GPU) Words.text(R.string.lane_gpu) else Words.plural(R.plurals.lane_cpu, lane.threads)

        /** Three digits: "0.184", "13.5", "128". */
        fun ms(value: Double): String = when {
            value >= 100 -> "%.0f".format(value)
            value >= 10 -> "%.1f".format(value)
            value >= 1 -> "%.2f".format(value)
            else -> "%.3f".format(value)
        }

        private const val NONE = "–"
    }
}
