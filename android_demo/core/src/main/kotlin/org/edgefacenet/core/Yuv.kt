package org.edgefacenet.core

import java.nio.ByteBuffer
import kotlin.math.min

/** One plane of a camera frame: the sample of column x, row y stands at `y * rowStride + x * pixelStride`. */
class Plane(val buffer: ByteBuffer, val rowStride: Int, val pixelStride: Int)

/** Columns and rows from [left], [top] up to, not including, [right], [bottom]. */
data class CropRect(val left: Int, val top: Int, val right: Int, val bottom: Int)

/**
 * A frame as Android's `YUV_420_888` has it: luminance at full size, chroma at half width and half height (rounded up).
 *
 * @property crop the part that holds the picture; null = all.
 */
class YuvFrame(
    val width: Int,
    val height: Int,
    val y: Plane,
    val u: Plane,
    val v: Plane,
    val crop: CropRect? = null,
)

/** Memory for one picture of a camera and the planes it comes from, made once and used for every frame of the same size. */
class YuvBuffers {
    private val arrays = Array(4) { ByteArray(0) }

    internal fun take(number: Int, size: Int): ByteArray {
        if (arrays[number].size != size) arrays[number] = ByteArray(size)
        return arrays[number]
    }
}

/**
 * Camera frames to RGB, upright.
 *
 * The colours are BT.601 at full range, as in JPEG (JFIF), which is what Android's cameras deliver in `YUV_420_888`:
 * R = Y + 1.402 (V-128), G = Y - 0.344136 (U-128) - 0.714136 (V-128), B = Y + 1.772 (U-128); a chroma sample holds for its
 * 2 x 2 pixels.
 */
object Yuv {
    /**
     * Convert, turn by [degrees] clockwise (a multiple of 90; a camera's sensor orientation less the display's), then mirror
     * left to right (front camera).
     *
     * Rows may be wider than the picture, and the last row of a plane may end where its last sample stands, or, as some
     * devices have it, one sample earlier: the last sample there is then stands in. Nothing beyond a buffer's limit is read.
     *
     * @param shrink keep every so many columns and rows; for a small preview analysis.
     * @param reuse memory of an earlier frame: the picture lies in it, so that of two pictures made with it the newer one
     *   alone is right.
     * @throws InputException a plane that is too short or has an impossible stride, or a crop outside the picture.
     */
    fun toRgb(frame: YuvFrame, degrees: Int = 0, mirror: Boolean = false, shrink: Int = 1, reuse: YuvBuffers? = null): RgbImage {
        val turns = quarterTurns(degrees)
        val crop = checked(frame, shrink)
        val width = (crop.right - crop.left + shrink - 1) / shrink
        val height = (crop.bottom - crop.top + shrink - 1) / shrink
        val memory = reuse ?: YuvBuffers()
        val out = memory.take(0, 3 * width * height)
        val to = Places(width, height, turns, mirror)
        val luma = Samples(frame.y, memory, 1)
        val blue = Samples(frame.u, memory, 2)
        val red = Samples(frame.v, memory, 3)
        for (row in 0 until height) {
            val y = crop.top + row * shrink
            for (column in 0 until width) {
                val x = crop.left + column * shrink
                write(luma.at(x, y), blue.at(x shr 1, y shr 1) - 128, red.at(x shr 1, y shr 1) - 128, out, to.place(column, row))
            }
        }
        return if (turns % 2 == 0) RgbImage(width, height, out) else RgbImage(height, width, out)
    }

    /** 16-bit fixed point, rounded: within 1 of the exact value. */
    private fun write(y: Int, u: Int, v: Int, out: ByteArray, at: Int) {
        val base = (y shl 16) + HALF
        out[at] = ((base + V_RED * v) shr 16).coerceIn(0, 255).toByte()
        out[at + 1] = ((base - U_GREEN * u - V_GREEN * v) shr 16).coerceIn(0, 255).toByte()
        out[at + 2] = ((base + U_BLUE * u) shr 16).coerceIn(0, 255).toByte()
    }

    private fun checked(frame: YuvFrame, shrink: Int): CropRect {
        val crop = frame.crop ?: CropRect(0, 0, frame.width, frame.height)
        val fits = crop.left in 0 until crop.right && crop.top in 0 until crop.bottom && crop.right <= frame.width && crop.bottom <= frame.height
        if (!fits || shrink < 1) {
            throw InputException("The camera's frame of ${frame.width} x ${frame.height} cannot be cut to $crop, every $shrink px.")
        }
        check("Y", frame.y, frame.width, frame.height)
        check("U", frame.u, (frame.width + 1) / 2, (frame.height + 1) / 2)
        check("V", frame.v, (frame.width + 1) / 2, (frame.height + 1) / 2)
        return crop
    }

    private fun check(name: String, plane: Plane, width: Int, height: Int) {
        val span = (width - 1L) * plane.pixelStride + 1
        // one sample less than the last row needs is forgiven: the sample before it stands in
        val least = (height - 1L) * plane.rowStride + span - plane.pixelStride
        if (plane.pixelStride < 1 || plane.rowStride < span || plane.buffer.limit() < maxOf(least, 1)) {
            throw InputException(
                "The camera's frame is damaged: plane $name has ${plane.buffer.limit()} bytes, row stride ${plane.rowStride} and pixel " +
                    "stride ${plane.pixelStride} for $width x $height samples, at least $least bytes are needed.",
            )
        }
    }

    private class Samples(plane: Plane, memory: YuvBuffers, number: Int) {
        private val rowStride = plane.rowStride
        private val pixelStride = plane.pixelStride
        private val limit = plane.buffer.limit()
        private val bytes: ByteArray = memory.take(number, limit).also { plane.buffer.whole().get(it) }

        fun at(x: Int, y: Int): Int {
            val place = y * rowStride + x * pixelStride
            return bytes[if (place < limit) place else min(place - pixelStride, limit - 1)].toInt() and 0xFF
        }
    }

    /** Where a pixel goes in the turned and mirrored picture. */
    private class Places(width: Int, height: Int, turns: Int, mirror: Boolean) {
        private val start: Int
        private val byColumn: Int
        private val byRow: Int

        init {
            val w = if (turns % 2 == 0) width else height
            // (column, row) -> (x, y) of the turned picture, as x = x0 + xc * column + xr * row
            val (x0, xc, xr) = listOf(Triple(0, 1, 0), Triple(height - 1, 0, -1), Triple(width - 1, -1, 0), Triple(0, 0, 1))[turns]
            val (y0, yc, yr) = listOf(Triple(0, 0, 1), Triple(0, 1, 0), Triple(height - 1, 0, -1), Triple(width - 1, -1, 0))[turns]
            val sign = if (mirror) -1 else 1
            start = 3 * (y0 * w + if (mirror) w - 1 - x0 else x0)
            byColumn = 3 * (yc * w + sign * xc)
            byRow = 3 * (yr * w + sign * xr)
        }

        fun place(column: Int, row: Int): Int = start + byColumn * column + byRow * row
    }

    private const val HALF = 1 shl 15
    private const val V_RED = 91881
    private const val U_GREEN = 22553
    private const val V_GREEN = 46802
    private const val U_BLUE = 116130
}
