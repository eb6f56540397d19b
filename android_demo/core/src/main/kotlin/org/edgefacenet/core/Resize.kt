package org.edgefacenet.core

import kotlin.math.ceil
import kotlin.math.floor
import kotlin.math.min

/** `edge_facenet.pixels.resize`: area average when shrinking, linear when growing, in OpenCV's arithmetic. */
object Resize {
    /**
     * A square picture at another size; [image] itself when it has this size.
     *
     * @throws InputException not square.
     */
    fun square(image: RgbImage, size: Int): RgbImage {
        val side = image.width
        if (side != image.height) throw InputException("A crop is square, found ${image.width} x ${image.height}.")
        return when {
            side == size -> image
            side < size -> linear(image, size)
            side % size == 0 -> Warp.shrink(image, side / size)
            else -> area(image, size)
        }
    }

    /** Share of source pixel [from] in output pixel [to]. */
    private class Share(val to: Int, val from: Int, val weight: Float)

    private fun shares(from: Int, to: Int): List<Share> {
        val scale = from.toDouble() / to
        val out = ArrayList<Share>()
        for (i in 0 until to) {
            val begin = i * scale
            val end = begin + scale
            val width = min(scale, from - begin)
            val last = min(floor(end).toInt(), from - 1)
            val first = min(ceil(begin).toInt(), last)
            if (first - begin > EDGE) out += Share(i, first - 1, ((first - begin) / width).toFloat())
            for (k in first until last) out += Share(i, k, (1.0 / width).toFloat())
            if (end - last > EDGE) out += Share(i, last, (min(min(end - last, 1.0), width) / width).toFloat())
        }
        return out
    }

    private fun area(image: RgbImage, size: Int): RgbImage {
        val shares = shares(image.width, size)
        val out = ByteArray(3 * size * size)
        val line = FloatArray(3 * size)
        val sums = FloatArray(3 * size)
        var row = 0
        for (share in shares) {
            if (share.to != row) {
                flush(sums, out, row)
                row = share.to
                sums.fill(0f)
            }
            horizontal(image, share.from, shares, line)
            for (i in sums.indices) sums[i] += share.weight * line[i]
        }
        flush(sums, out, row)
        return RgbImage(size, size, out)
    }

    private fun horizontal(image: RgbImage, row: Int, shares: List<Share>, line: FloatArray) {
        line.fill(0f)
        val start = 3 * image.width * row
        for (share in shares) for (c in 0..2) {
            line[3 * share.to + c] += (image.pixels[start + 3 * share.from + c].toInt() and 0xFF) * share.weight
        }
    }

    private fun flush(sums: FloatArray, out: ByteArray, row: Int) {
        for (i in sums.indices) out[row * sums.size + i] = Math.rint(sums[i].toDouble()).toInt().coerceIn(0, 255).toByte()
    }

    /** Two neighbours and their weights in 1/2048, as OpenCV's 8-bit linear resize has them. */
    private class Taps(from: Int, to: Int, across: Boolean) {
        val first = IntArray(to)
        val second = IntArray(to)
        val weights = IntArray(2 * to)

        init {
            val scale = from.toDouble() / to
            for (i in 0 until to) {
                val place = ((i + 0.5) * scale - 0.5).toFloat()
                val low = floor(place).toInt()
                // beyond the border OpenCV drops the weights of columns, and of rows it does not: truncation differs
                val at = if (across && (low < 0 || low >= from - 1)) 0f else place - low.toFloat()
                first[i] = low.coerceIn(0, from - 1)
                second[i] = (low + 1).coerceIn(0, from - 1)
                weights[2 * i] = Math.rint(((1f - at) * ONE).toDouble()).toInt()
                weights[2 * i + 1] = Math.rint((at * ONE).toDouble()).toInt()
            }
        }
    }

    private fun linear(image: RgbImage, size: Int): RgbImage {
        val columns = Taps(image.width, size, across = true)
        val rows = Taps(image.width, size, across = false)
        val out = ByteArray(3 * size * size)
        for (y in 0 until size) {
            val upper = stretched(image, rows.first[y], columns)
            val lower = stretched(image, rows.second[y], columns)
            val b0 = rows.weights[2 * y]
            val b1 = rows.weights[2 * y + 1]
            for (i in upper.indices) {
                val value = ((b0 * (upper[i] shr 4) shr 16) + (b1 * (lower[i] shr 4) shr 16) + 2) shr 2
                out[3 * size * y + i] = value.coerceIn(0, 255).toByte()
            }
        }
        return RgbImage(size, size, out)
    }

    private fun stretched(image: RgbImage, row: Int, taps: Taps): IntArray {
        val line = IntArray(3 * taps.first.size)
        val start = 3 * image.width * row
        for (x in taps.first.indices) for (c in 0..2) {
            val a = image.pixels[start + 3 * taps.first[x] + c].toInt() and 0xFF
            val b = image.pixels[start + 3 * taps.second[x] + c].toInt() and 0xFF
            line[3 * x + c] = a * taps.weights[2 * x] + b * taps.weights[2 * x + 1]
        }
        return line
    }

    private const val EDGE = 1e-3
    private const val ONE = 2048f
}
