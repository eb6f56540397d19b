package org.edgefacenet.core

import kotlin.math.abs
import kotlin.math.expm1
import kotlin.math.ln1p
import kotlin.math.max
import kotlin.math.min
import kotlin.math.sqrt

/**
 * Everything a search needs.
 *
 * @property ids of the people, ascending; people without a usable template are not in it.
 * @property matrix one template a person, unit length.
 * @property embeddings every usable embedding.
 * @property owner row of [matrix] that each embedding belongs to.
 * @property rejected faces that are not this person.
 * @property rejectedOwner row of [matrix] that each is not.
 */
class Templates(
    val ids: List<Int>,
    val names: List<String>,
    val matrix: List<FloatArray>,
    val embeddings: List<FloatArray>,
    val owner: List<Int>,
    val rejected: List<FloatArray>,
    val rejectedOwner: List<Int>,
) {
    val size: Int get() = ids.size

    /** Computed once: a camera asks for every frame. */
    internal val crossScores: List<OpenSet.PairScores> by lazy { OpenSet.crossScores(this) }

    companion object {
        /** A mean shorter than this points nowhere: embeddings that cancel each other are no template. */
        private const val SHORTEST_MEAN = 1e-3

        /** The renormalised mean of unit embeddings, in double precision, rounded to float; null when they cancel. */
        fun template(embeddings: List<FloatArray>): FloatArray? {
            if (embeddings.isEmpty()) return null
            val mean = DoubleArray(embeddings[0].size) { i -> embeddings.sumOf { it[i].toDouble() } / embeddings.size }
            val length = sqrt(mean.sumOf { it * it })
            return if (length < SHORTEST_MEAN) null else FloatArray(mean.size) { (mean[it] / length).toFloat() }
        }
    }
}

/**
 * Above which score somebody is taken for one of the enrolled people.
 *
 * @property fpir share of strangers who may be named, asked for.
 * @property far share of comparisons with one person that this allows.
 * @property extrapolated the rate lies outside those that the manifest's pairs support.
 * @property why where the number comes from, one sentence.
 */
data class OpenSetThreshold(val cosine: Double, val fpir: Double, val far: Double, val people: Int, val extrapolated: Boolean, val why: String)

/** Somebody a probe resembles. */
data class Candidate(val person: Int, val name: String, val similarity: Double)

/**
 * The answer for one face.
 *
 * @property person id; null when unknown or ambiguous.
 * @property similarity best score, also of an unknown face; null when nobody is a candidate.
 * @property second next best person's score.
 * @property ambiguous the people it may be, best first, when the margin between them is too small.
 */
data class Match(
    val person: Int?,
    val name: String?,
    val similarity: Double?,
    val second: Double?,
    val ambiguous: List<Candidate>,
    val why: String,
)

/**
 * Who is it, if anybody: the open-set threshold and the decision, as `edge_facenet/gallery/decide.py` has them.
 *
 * Source: Student's t quantile: Abramowitz and Stegun, 26.7.5; the predictive distribution of a normal variable under a
 * conjugate prior: Gelman et al., Bayesian Data Analysis, 3rd edition, section 3.3.
 */
object OpenSet {
    const val FPIR: Double = 0.01

    /** Two people closer than this to a face are not told apart. */
    const val MARGIN: Double = 0.05

    /** The manifest's impostors count as this many comparisons of the gallery's own people. */
    const val PRIOR_WEIGHT: Double = 5.0

    /** Up to so many people the most alike pair is left out unseen: one pair in six is too many to judge by the rest. */
    const val FEW: Int = 4

    /** Beyond so many people a pair of look-alikes moves nothing, and none is left out. */
    const val MANY: Int = 50

    /** Above this nobody's second photo is recognised; no useful threshold lies there. */
    const val HIGHEST: Double = 0.9

    private const val MANIFEST = "the manifest's thresholds"
    private const val OWN = "the enrolled people's own scores"

    /** Nobody or one person is enrolled, or every pair was left out: the prior alone, whose quantile is Student's. */
    private const val WIDENED = "$MANIFEST, widened: no pair of people to learn from"

    /**
     * The score above which a face is one of the enrolled people.
     *
     * @throws ThresholdException fewer than two measured points.
     */
    fun threshold(thresholds: Thresholds?, templates: Templates, fpir: Double = FPIR): OpenSetThreshold {
        if (!(fpir > 0 && fpir < 1)) throw ThresholdException("The share of strangers who may be named lies between 0 and 1, found $fpir. 0.01 is one in a hundred.")
        val points = points(thresholds)
        val far = -expm1(ln1p(-fpir) / max(templates.size, 1))
        val alone = interpolated(points, zOf(far))
        val (own, leftOut) = own(points, alone, templates)
        val cosine = min(max(alone, own), HIGHEST)
        val beyond = beyond(points, far)
        val raised = if (leftOut < templates.crossScores.size) OWN else WIDENED
        var why = why(cosine, if (own > alone) raised else MANIFEST, templates.size, far) + (beyond?.let { ", extrapolated beyond FAR ${power(it)}" } ?: "")
        if (leftOut > 0) why += ", $leftOut most alike ${if (leftOut == 1) "pair" else "pairs"} left out"
        if (max(alone, own) > HIGHEST) why += "; no higher one would name anybody: enroll more people"
        return OpenSetThreshold(cosine, fpir, far, templates.size, beyond != null, why)
    }

    /**
     * Who a face is.
     *
     * @throws InputException the embedding has another dimension, is not finite or not of unit length.
     */
    fun decide(probe: FloatArray, templates: Templates, limit: OpenSetThreshold): Match {
        if (templates.size == 0) return nobody("the gallery is empty")
        checkUnit(probe, templates.matrix[0].size, "The face's embedding")
        val scores = DoubleArray(templates.size) { dot(templates.matrix[it], probe) }
        for ((row, face) in templates.rejectedOwner.zip(templates.rejected)) {
            if (dot(face, probe) >= dot(templates.matrix[row], probe)) scores[row] = Double.NEGATIVE_INFINITY
        }
        val order = scores.indices.filter { scores[it].isFinite() }.sortedByDescending { scores[it] }
        val best = order.firstOrNull() ?: return nobody("everybody it could be was marked as not this person")
        val highest = scores[best]
        val second = order.getOrNull(1)?.let { scores[it] }
        val name = templates.names[best]
        if (highest <= limit.cosine) {
            return Match(null, null, highest, second, emptyList(), "unknown: the nearest, $name, has ${three(highest)}, not above ${limit.why}")
        }
        if (second != null && highest - second < MARGIN) {
            val close = order.filter { highest - scores[it] < MARGIN }.map { Candidate(templates.ids[it], templates.names[it], scores[it]) }
            return Match(null, null, highest, second, close, listed(close))
        }
        return Match(templates.ids[best], name, highest, second, emptyList(), "${three(highest)} is above ${limit.why}")
    }

    /** Whether two faces are one person at false accept rate [far] of the manifest: `cosine > threshold`. */
    fun isSame(a: FloatArray, b: FloatArray, thresholds: Thresholds?, far: Double = 1e-3): Boolean {
        val known = thresholds ?: throw ThresholdException("This artifact has no thresholds: it embeds, it does not decide. Export it with a crop set to calibrate on.")
        return dot(a, b) > known.cosine(far)
    }

    /** Cosine of two unit embeddings. */
    fun dot(a: FloatArray, b: FloatArray): Double {
        require(a.size == b.size) { "Embeddings of ${a.size} and ${b.size} values cannot be compared." }
        var sum = 0.0
        for (i in a.indices) sum += a[i].toDouble() * b[i]
        return sum
    }

    internal fun checkUnit(vector: FloatArray, dimension: Int, what: String) {
        val length = sqrt(vector.sumOf { it.toDouble() * it })
        val wrong = when {
            vector.size != dimension -> "has ${vector.size} values, expected $dimension"
            !length.isFinite() -> "holds values that are not finite"
            length == 0.0 -> "is all zeros"
            abs(length - 1) > UNIT_SLACK -> "has length $length, expected 1 ± $UNIT_SLACK"
            else -> return
        }
        throw InputException("$what $wrong. Take it from an Embedder, which gives unit length.")
    }

    /** How far from 1 the length of an embedding may be: rounding to half precision moves it by at most 5e-4. */
    private const val UNIT_SLACK = 1e-3

    private fun nobody(why: String) = Match(null, null, null, null, emptyList(), why)

    internal fun zOf(far: Double): Double = -normalQuantile(far)

    /** Student's t quantile for the probability of the normal deviate [z], with [nu] degrees of freedom. */
    internal fun student(z: Double, nu: Double): Double {
        val z2 = z * z
        return z + z * (z2 + 1) / (4 * nu) + z * ((5 * z2 + 16) * z2 + 3) / (96 * nu * nu) +
            z * (((3 * z2 + 19) * z2 + 17) * z2 - 15) / (384 * nu * nu * nu)
    }

    /** The threshold by the gallery's own people, and how many pairs of look-alikes were left out for it. */
    private fun own(points: List<Pair<Double, Double>>, alone: Double, templates: Templates): Pair<Double, Int> {
        val (mu0, s0) = line(points)
        val z = (alone - mu0) / s0
        val cross = templates.crossScores
        val separable = if (templates.size <= MANY) cross.size else 0
        fun by(leftOut: Int): Double {
            val kept = cross.drop(leftOut)
            val pairs = if (kept.isEmpty()) 0.0 else templates.size * (templates.size - 1) / 2.0 - leftOut
            val count = kept.sumOf { it.count }
            val mean = if (count > 0) kept.sumOf { it.sum } / count else 0.0
            val variance = if (count > 0) max(kept.sumOf { it.squares } / count - mean * mean, 0.0) else 0.0
            val weight = pairs + PRIOR_WEIGHT
            val mu = (pairs * mean + PRIOR_WEIGHT * mu0) / weight
            val shift = pairs * PRIOR_WEIGHT / weight * (mean - mu0) * (mean - mu0)
            val spread = sqrt((pairs * variance + PRIOR_WEIGHT * s0 * s0 + shift) / weight)
            return mu + spread * student(z, weight - 1) * sqrt(1 + 1 / weight)
        }
        var leftOut = if (templates.size <= FEW) min(separable, 1) else 0
        while (leftOut < separable && cross[leftOut].mean > max(alone, by(leftOut + 1))) leftOut++
        return by(leftOut) to leftOut
    }

    /** Scores of two people's faces against each other's template. */
    internal class PairScores(val count: Double, val sum: Double, val squares: Double) {
        val mean: Double get() = sum / count
    }

    /** Every embedding against every other person's template, by pair of people, the most alike pair first. */
    internal fun crossScores(templates: Templates): List<PairScores> {
        val people = templates.size
        val counts = DoubleArray(people)
        val sums = Array(people) { DoubleArray(people) }
        val squares = Array(people) { DoubleArray(people) }
        for ((row, face) in templates.owner.zip(templates.embeddings)) {
            counts[row]++
            for (other in 0 until people) {
                val score = dot(face, templates.matrix[other])
                sums[row][other] += score
                squares[row][other] += score * score
            }
        }
        if (people > MANY) { // one entry for all pairs together
            val all = (0 until people).flatMap { a -> (0 until people).filter { it != a }.map { sums[a][it] to squares[a][it] } }
            return listOf(PairScores(counts.sum() * (people - 1), all.sumOf { it.first }, all.sumOf { it.second }))
        }
        val pairs = (0 until people).flatMap { a ->
            (a + 1 until people).map { b -> PairScores(counts[a] + counts[b], sums[a][b] + sums[b][a], squares[a][b] + squares[b][a]) }
        }
        return pairs.sortedByDescending { it.mean }
    }

    private fun points(thresholds: Thresholds?): List<Pair<Double, Double>> {
        val points = thresholds?.at.orEmpty().mapNotNull { p -> p.cosine?.let { p.far to it } }.filter { it.first > 0 && it.first < 1 }
            .sortedByDescending { it.first }
        val rising = points.zipWithNext().all { (a, b) -> a.first > b.first && a.second < b.second }
        if (points.size < 2 || !rising) {
            val listed = points.joinToString(", ") { (far, cosine) -> "${short(far)} (${three(cosine)})" }.ifEmpty { "none" }
            throw ThresholdException(
                "Naming people needs at least two thresholds in the artifact's manifest, higher at a lower FAR; found $listed. " +
                    "Export it again with a crop set of more people to calibrate on.",
            )
        }
        return points
    }

    /** Mean and spread of the impostor scores: the least-squares line cosine = mu0 + s0 z. */
    private fun line(points: List<Pair<Double, Double>>): Pair<Double, Double> {
        val z = points.map { zOf(it.first) }
        val cosines = points.map { it.second }
        val zMean = z.average()
        val mean = cosines.average()
        val s0 = z.indices.sumOf { (z[it] - zMean) * (cosines[it] - mean) } / z.sumOf { (it - zMean) * (it - zMean) }
        return mean - s0 * zMean to s0
    }

    /** Cosine at [z], piecewise linear; beyond the ends along the nearest segment. */
    private fun interpolated(points: List<Pair<Double, Double>>, z: Double): Double {
        val known = points.map { zOf(it.first) to it.second }
        val k = (known.count { z > it.first } - 1).coerceIn(0, known.size - 2)
        val (zA, a) = known[k]
        val (zB, b) = known[k + 1]
        return a + (z - zA) * (b - a) / (zB - zA)
    }

    /** The measured rate that [far] lies beyond, or null. */
    private fun beyond(points: List<Pair<Double, Double>>, far: Double): Double? {
        val highest = points.first().first
        val lowest = points.last().first
        val slack = 1e-9 // a rate that went through 1 - (1 - x)^1 is itself to fifteen digits
        return if (far in lowest * (1 - slack)..highest * (1 + slack)) null else if (far < lowest) lowest else highest
    }

    private fun listed(close: List<Candidate>): String {
        val shown = close.take(3).joinToString(" or ") { "${it.name} (id ${it.person}, ${three(it.similarity)})" }
        val more = if (close.size > 3) " or ${close.size - 3} more" else ""
        return "ambiguous: $shown$more; the scores are less than $MARGIN apart"
    }

    private fun why(cosine: Double, source: String, people: Int, far: Double): String =
        "the threshold ${three(cosine)} ($source, $people ${if (people == 1) "person" else "people"}, FAR ${short(far)} each)"

    private fun three(value: Double): String = "%.3f".format(java.util.Locale.ROOT, value)

    /** Two digits: "0.01", "0.00033". */
    private fun short(value: Double): String = rate(java.math.BigDecimal(value).round(java.math.MathContext(2)).toDouble())

    /** A power of ten: "1e-4". */
    private fun power(value: Double): String = "%.0e".format(java.util.Locale.ROOT, value).replace("e-0", "e-")
}
