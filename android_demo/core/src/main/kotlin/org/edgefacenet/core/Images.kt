package org.edgefacenet.core

/**
 * An upright picture.
 *
 * @property pixels rows of R, G, B bytes without padding, `3 * width * height` of them.
 */
class RgbImage(val width: Int, val height: Int, val pixels: ByteArray) {
    init {
        if (width < 1 || height < 1 || pixels.size != 3 * width * height) {
            throw InputException("A picture of $width x $height needs ${3L * width * height} bytes of RGB, found ${pixels.size}.")
        }
    }

    /** The picture turned by [degrees] clockwise (a multiple of 90), then mirrored left to right when [mirror]. */
    fun turned(degrees: Int, mirror: Boolean = false): RgbImage {
        val turns = quarterTurns(degrees)
        if (turns == 0 && !mirror) return this
        val (w, h) = if (turns % 2 == 0) width to height else height to width
        val out = ByteArray(pixels.size)
        var to = 0
        for (y in 0 until h) for (column in 0 until w) {
            val x = if (mirror) w - 1 - column else column
            val from = 3 * when (turns) {
                0 -> y * width + x
                1 -> (height - 1 - x) * width + y
                2 -> (height - 1 - y) * width + width - 1 - x
                else -> x * width + width - 1 - y
            }
            out[to] = pixels[from]
            out[to + 1] = pixels[from + 1]
            out[to + 2] = pixels[from + 2]
            to += 3
        }
        return RgbImage(w, h, out)
    }
}

internal fun quarterTurns(degrees: Int): Int {
    require(degrees % 90 == 0) { "A picture is turned by a multiple of 90 degrees, found $degrees." }
    return Math.floorMod(degrees / 90, 4)
}

/** A place in a picture, px; (0, 0) is the middle of the first pixel. */
data class PointF2(val x: Float, val y: Float)

/** A part of a picture, px; it may reach over the edge. */
data class Box(val left: Float, val top: Float, val right: Float, val bottom: Float) {
    val width: Float get() = right - left
    val height: Float get() = bottom - top
    internal val area: Double get() = maxOf(width, 0f).toDouble() * maxOf(height, 0f)

    /** Area common with [other], px². */
    internal fun common(other: Box): Double =
        maxOf(minOf(right, other.right) - maxOf(left, other.left), 0f).toDouble() * maxOf(minOf(bottom, other.bottom) - maxOf(top, other.top), 0f)
}

/**
 * A face with its five points.
 *
 * @property points eye, eye, nose tip, mouth corner, mouth corner, each from the picture's left, as an upright face shows them.
 * @property score of the detector, 0..1.
 * @property presence of the mesh, 0..1; below 0.5 the points are the detector's own.
 * @property turns quarter turns anti-clockwise that bring the picture upright.
 */
data class DetectedFace(
    val box: Box,
    val points: List<PointF2>,
    val score: Float,
    val presence: Float,
    val turns: Int = 0,
) {
    /** What a [FaceFinder] measured, in double precision; crops are cut from these points. */
    internal var exact: Exact? = null

    internal val exactScore: Double get() = exact?.score ?: score.toDouble()
    internal val exactPresence: Double get() = exact?.presence ?: presence.toDouble()
    internal val sureness: Double get() = exactScore + exactPresence

    /** The detector is sure, or the mesh confirms what it is not sure of. */
    val isFace: Boolean get() = exactScore > FaceMesh.PRESENT || exactPresence >= FaceMesh.PRESENT

    /** Degrees the face looks to the picture's right; null where the mesh sees no face. */
    val yaw: Double? get() = exact?.turned?.first

    /** Degrees the face looks up; null where the mesh sees no face. */
    val pitch: Double? get() = exact?.turned?.second

    /** The same face in a picture that this one is a part of, from ([left], [top]) on. */
    internal fun moved(left: Int, top: Int): DetectedFace {
        val place = Box(box.left + left, box.top + top, box.right + left, box.bottom + top)
        val there = Points(alignment().xy.let { xy -> DoubleArray(xy.size) { xy[it] + if (it % 2 == 0) left else top } })
        return copy(box = place, points = there.toList()).also { it.exact = Exact(there, exactScore, exactPresence, exact?.turned) }
    }

    internal fun alignment(): Points = exact?.points ?: Points.of(points)

    /** Degrees between the eye line and level in the picture as turned, -180..180. */
    val tilt: Double
        get() {
            val p = alignment()
            val line = Math.toDegrees(Math.atan2(p.y(1) - p.y(0), p.x(1) - p.x(0)))
            return (line - 90 * turns + 180).mod(360.0) - 180
        }
}

/** A face's figures before they were rounded to float. */
internal class Exact(val points: Points, val score: Double, val presence: Double, val turned: Pair<Double, Double>?)
