package org.edgefacenet.core

import kotlin.math.hypot

/** Points of a picture, px, (x, y) after (x, y), in double precision as Python has them. */
internal class Points(val xy: DoubleArray) {
    val size: Int get() = xy.size / 2

    fun x(i: Int): Double = xy[2 * i]

    fun y(i: Int): Double = xy[2 * i + 1]

    fun pick(vararg which: Int): Points = Points(DoubleArray(2 * which.size) { if (it % 2 == 0) x(which[it / 2]) else y(which[it / 2]) })

    fun mean(which: IntRange = 0 until size): DoubleArray = mean(which.toList().toIntArray())

    fun mean(which: IntArray): DoubleArray = doubleArrayOf(which.sumOf { x(it) } / which.size, which.sumOf { y(it) } / which.size)

    fun toList(): List<PointF2> = List(size) { PointF2(x(it).toFloat(), y(it).toFloat()) }

    companion object {
        fun of(vararg xy: Double): Points = Points(xy)

        fun of(points: List<PointF2>): Points = Points(points.flatMap { listOf(it.x.toDouble(), it.y.toDouble()) }.toDoubleArray())
    }
}

/** x' = [a] x + [b] y + [c], y' = [d] x + [e] y + [f]. */
internal class Affine(val a: Double, val b: Double, val c: Double, val d: Double, val e: Double, val f: Double) {
    /** Output px per input px of a similarity. */
    val scale: Double get() = hypot(a, d)

    fun apply(points: Points): Points {
        val out = DoubleArray(points.xy.size)
        for (i in 0 until points.size) {
            out[2 * i] = a * points.x(i) + b * points.y(i) + c
            out[2 * i + 1] = d * points.x(i) + e * points.y(i) + f
        }
        return Points(out)
    }

    /** The way back, in the order of operations of OpenCV's `warpAffine`, so that its coordinates come out bit for bit. */
    fun inverse(): Affine {
        val determinant = a * e - b * d
        val over = if (determinant != 0.0) 1 / determinant else 0.0
        val a2 = e * over
        val b2 = b * -over
        val d2 = d * -over
        val e2 = a * over
        return Affine(a2, b2, -a2 * c - b2 * f, d2, e2, -d2 * c - e2 * f)
    }
}

/** The template that face crops are cut to, and the transform onto it. */
object Aligner {
    /** Name of the template in manifests. */
    const val TEMPLATE_NAME: String = "arcface-112"

    /** Side of a crop without margin, px: what Python hands to a network, whatever size the network then wants. */
    const val CROP_SIDE: Int = 112

    /** Five points at 112 px; source: the reference points published with ArcFace (Deng et al., 2019). */
    internal val TEMPLATE = Points.of(38.2946, 51.6963, 73.5318, 51.5014, 56.0252, 71.7366, 41.5493, 92.3655, 70.7299, 92.2041)

    /** Where the five points belong in a crop of [size] px with [margin] px around the template. */
    internal fun target(size: Int, margin: Int = 0): Points {
        val scale = (size - 2 * margin).toDouble() / CROP_SIDE
        return Points(DoubleArray(10) { (TEMPLATE.xy[it] + 0.5) * scale - 0.5 + margin })
    }

    /**
     * Least-squares rotation, scale and shift that takes [src] to [dst], in closed form; never a mirror image.
     *
     * @throws InputException the source points coincide, or are not finite.
     */
    internal fun similarity(src: Points, dst: Points): Affine {
        val (ax, ay) = src.mean().let { it[0] to it[1] }
        val (bx, by) = dst.mean().let { it[0] to it[1] }
        var spread = 0.0
        var along = 0.0
        var across = 0.0
        for (i in 0 until src.size) {
            val x = src.x(i) - ax
            val y = src.y(i) - ay
            val u = dst.x(i) - bx
            val v = dst.y(i) - by
            spread += x * x + y * y
            along += x * u + y * v
            across += x * v - y * u
        }
        if (!spread.isFinite() || spread < 1e-9) throw InputException("The five points of the face coincide: it cannot be aligned.")
        val p = along / spread
        val q = across / spread
        return Affine(p, -q, bx - (p * ax - q * ay), q, p, by - (q * ax + p * ay))
    }

    /**
     * Cut a face out of a picture, upright, in one warp straight to the size wanted.
     *
     * @param points five points of the face in [image], px, in the template's order.
     * @param size side of the crop, px; an embedder takes [CROP_SIDE] and shrinks it as Python does.
     * @throws InputException the points coincide.
     */
    fun crop(image: RgbImage, points: List<PointF2>, size: Int = CROP_SIDE): RgbImage =
        cut(image, Points.of(points), size)

    /**
     * As above, from the points in double precision that the finder made.
     *
     * @param margin px kept around the template on each side, which [size] includes; what a manifest's `margin` asks for.
     */
    fun crop(image: RgbImage, face: DetectedFace, size: Int = CROP_SIDE, margin: Int = 0): RgbImage = cut(image, face.alignment(), size, margin)

    private fun cut(image: RgbImage, points: Points, size: Int, margin: Int = 0): RgbImage =
        Warp.warp(image, similarity(points, target(size, margin)), size, Border.REPLICATE)
}
