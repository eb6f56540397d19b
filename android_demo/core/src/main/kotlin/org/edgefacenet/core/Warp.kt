package org.edgefacenet.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.max
import kotlin.math.min

/** What lies outside a picture. */
internal enum class Border { REPLICATE, BLACK }

/**
 * Bilinear warps that give OpenCV's bytes.
 *
 * OpenCV 5 computes coordinates and weights in float32 with fused multiply-adds where the processor has them. They are
 * imitated through double precision: products of two floats are exact there, so only the last rounding counts. Equal to
 * OpenCV 5.0.0 with AVX2 in 3.2 million of 3.2 million bytes; builds without fused multiply-adds differ by 1 in about one
 * byte of 10,000, OpenCV 4.11 (1/32 px fixed point) by up to some grey levels at edges.
 */
internal object Warp {
    /**
     * Warp through [matrix] (picture to output) to a square of [size]; a picture that has to become less than half as large
     * is shrunk by area first, because thin details alias otherwise.
     */
    fun warp(image: RgbImage, matrix: Affine, size: Int, border: Border): RgbImage {
        val factor = (1 / max(matrix.scale, 1e-6) + 1e-6).toInt()
        if (factor < 2) return sample(image, matrix.inverse(), size, border)
        val region = region(image, matrix, size, factor)
        val small = shrink(cut(image, region), factor)
        // index x of the picture is (x - left + 0.5) / factor - 0.5 here
        val toX = region[0] + 0.5 * factor - 0.5
        val toY = region[1] + 0.5 * factor - 0.5
        val onto = Affine(
            matrix.a * factor, matrix.b * factor, matrix.a * toX + matrix.b * toY + matrix.c,
            matrix.d * factor, matrix.e * factor, matrix.d * toX + matrix.e * toY + matrix.f,
        )
        return sample(small, onto.inverse(), size, border)
    }

    /** A square of [size] px whose pixel (x, y) is what lies at [back] of it. */
    fun sample(image: RgbImage, back: Affine, size: Int, border: Border): RgbImage {
        val out = ByteArray(3 * size * size)
        val xByX = back.a.toFloat().toDouble()
        val yByX = back.d.toFloat().toDouble()
        val row = Row(image, border)
        for (y in 0 until size) {
            val startX = (y.toFloat() * back.b.toFloat() + back.c.toFloat()).toDouble()
            val startY = (y.toFloat() * back.e.toFloat() + back.f.toFloat()).toDouble()
            for (x in 0 until size) {
                row.pixel((x * xByX + startX).toFloat(), (x * yByX + startY).toFloat(), out, 3 * (y * size + x))
            }
        }
        return RgbImage(size, size, out)
    }

    /** Mean over [factor] x [factor] blocks; right and bottom are continued by the border's pixels to a whole block. */
    fun shrink(image: RgbImage, factor: Int): RgbImage {
        if (factor == 1) return image
        val width = (image.width + factor - 1) / factor
        val height = (image.height + factor - 1) / factor
        val out = ByteArray(3 * width * height)
        val share = 1f / (factor * factor)
        val sums = IntArray(3 * width)
        for (y in 0 until height) {
            sums.fill(0)
            for (line in 0 until factor) addLine(image, min(y * factor + line, image.height - 1), factor, sums)
            for (i in sums.indices) {
                val mean = if (factor == 2) (sums[i] + 2) shr 2 else Math.rint((sums[i] * share).toDouble()).toInt()
                out[3 * width * y + i] = mean.toByte()
            }
        }
        return RgbImage(width, height, out)
    }

    private fun addLine(image: RgbImage, line: Int, factor: Int, sums: IntArray) {
        val start = 3 * image.width * line
        val pixels = image.pixels
        for (x in 0 until sums.size / 3 * factor) {
            val from = start + 3 * min(x, image.width - 1)
            val to = 3 * (x / factor)
            sums[to] += pixels[from].toInt() and 0xFF
            sums[to + 1] += pixels[from + 1].toInt() and 0xFF
            sums[to + 2] += pixels[from + 2].toInt() and 0xFF
        }
    }

    /** Left, top, right, bottom of the part that an output needs, so that a large picture is not shrunk whole. */
    private fun region(image: RgbImage, matrix: Affine, size: Int, factor: Int): IntArray {
        val s = size.toDouble()
        val corners = matrix.inverse().apply(Points.of(0.0, 0.0, s, 0.0, 0.0, s, s, s))
        val xs = List(4) { corners.x(it) }
        val ys = List(4) { corners.y(it) }
        val left = (floor(xs.min()) - 2 * factor).coerceIn(0.0, image.width - 1.0).toInt()
        val top = (floor(ys.min()) - 2 * factor).coerceIn(0.0, image.height - 1.0).toInt()
        val right = (ceil(xs.max()) + 2 * factor).coerceIn(left + 1.0, image.width.toDouble()).toInt()
        val bottom = (ceil(ys.max()) + 2 * factor).coerceIn(top + 1.0, image.height.toDouble()).toInt()
        return intArrayOf(left, top, right, bottom)
    }

    /** The part of a picture from left, top up to right, bottom. */
    fun cut(image: RgbImage, part: IntArray): RgbImage {
        val (left, top, right, bottom) = part
        if (left == 0 && top == 0 && right == image.width && bottom == image.height) return image
        val width = right - left
        val out = ByteArray(3 * width * (bottom - top))
        for (y in top until bottom) {
            System.arraycopy(image.pixels, 3 * (y * image.width + left), out, 3 * width * (y - top), 3 * width)
        }
        return RgbImage(width, bottom - top, out)
    }

    /** Reads between four pixels. */
    private class Row(private val image: RgbImage, private val border: Border) {
        private val corners = IntArray(4)

        fun pixel(x: Float, y: Float, out: ByteArray, at: Int) {
            val left = floor(x).toInt().coerceIn(-FAR, FAR)
            val top = floor(y).toInt().coerceIn(-FAR, FAR)
            val right = (x - left.toFloat()).toDouble()
            val down = (y - top.toFloat()).toDouble()
            for (k in 0..3) corners[k] = offset(left + (k and 1), top + (k shr 1))
            for (c in 0..2) {
                val upper = between(right, value(corners[0], c), value(corners[1], c))
                val lower = between(right, value(corners[2], c), value(corners[3], c))
                out[at + c] = Math.rint(between(down, upper, lower).toDouble()).toInt().coerceIn(0, 255).toByte()
            }
        }

        /** Fused a + t (b - a), rounded to float32 once. */
        private fun between(t: Double, a: Float, b: Float): Float = (t * (b - a).toDouble() + a.toDouble()).toFloat()

        private fun value(offset: Int, channel: Int): Float =
            if (offset < 0) 0f else (image.pixels[offset + channel].toInt() and 0xFF).toFloat()

        private fun offset(x: Int, y: Int): Int {
            val inside = x >= 0 && y >= 0 && x < image.width && y < image.height
            if (!inside && border == Border.BLACK) return -1
            return 3 * (y.coerceIn(0, image.height - 1) * image.width + x.coerceIn(0, image.width - 1))
        }
    }

    private const val FAR = 1 shl 24
}
