package org.edgefacenet.core

import java.math.BigDecimal
import java.math.RoundingMode
import kotlin.math.abs
import kotlin.math.hypot
import kotlin.math.round

/**
 * How good a face is for recognition, as `edge_facenet/photos/quality.py` measures it.
 *
 * @property facePx distance between the eyes, px of the picture as it was read: where that was at reduced size, of those.
 * @property blur variance of the Laplacian of the grey 112-px crop; low = blurred.
 * @property luminance mean luminance of the crop, 0..255.
 * @property yaw degrees the face looks to the picture's right; null where the mesh sees no face.
 * @property pitch degrees the face looks up; null where the mesh sees no face.
 * @property roll degrees between the eye line and level, clockwise.
 * @property cutOff share of the face, eyes to mouth, that lies outside the picture, 0..1.
 */
data class Quality(
    val facePx: Double,
    val blur: Double,
    val luminance: Double,
    val yaw: Double?,
    val pitch: Double?,
    val roll: Double,
    val score: Double,
    val presence: Double,
    val cutOff: Double,
) {
    /** Why this face is not good enough to be enrolled, each reason with what was found and the limit; empty when it is. */
    fun reasons(): List<String> = listOfNotNull(
        when {
            score < LEAST_SCORE -> "hardly a face: detector's score ${two(score)}, at least $LEAST_SCORE needed"
            presence < FaceMesh.PRESENT -> "in profile or covered: face mesh ${two(presence)}, at least ${FaceMesh.PRESENT} needed"
            else -> null
        },
        "too small: ${plain(facePx)} px between the eyes, at least ${plain(LEAST_FACE)} needed".takeIf { facePx < LEAST_FACE },
        "blurred: sharpness ${plain(blur)}, at least ${plain(LEAST_BLUR)} needed".takeIf { blur < LEAST_BLUR },
        "too dark: luminance ${plain(luminance)} of 255, at least ${plain(DARKEST)} needed".takeIf { luminance < DARKEST },
        "too bright: luminance ${plain(luminance)} of 255, at most ${plain(BRIGHTEST)}".takeIf { luminance > BRIGHTEST },
        yaw?.takeIf { abs(it) > MOST_YAW }?.let { "turned away: ${plain(abs(it))} degrees to a side, at most ${plain(MOST_YAW)}" },
        pitch?.takeIf { abs(it) > MOST_PITCH }?.let { "looks ${if (it > 0) "up" else "down"}: ${plain(abs(it))} degrees, at most ${plain(MOST_PITCH)}" },
        "tilted: ${plain(abs(roll))} degrees, at most ${plain(MOST_ROLL)}".takeIf { abs(roll) > MOST_ROLL },
        "cut off: ${round(100 * cutOff).toInt()}% of the face lies outside the photo, at most ${round(100 * MOST_CUT).toInt()}%".takeIf { cutOff > MOST_CUT },
    )

    companion object {
        // the limits of Python's QualityRules, which say where they come from
        private const val LEAST_FACE = 16.0
        private const val LEAST_BLUR = 15.0
        private const val DARKEST = 35.0
        private const val BRIGHTEST = 210.0
        private const val MOST_YAW = 35.0
        private const val MOST_PITCH = 35.0
        private const val MOST_ROLL = 45.0
        private const val LEAST_SCORE = 0.5
        private const val MOST_CUT = 0.2

        /** Eyes, nose and mouth with some room, px at 112: left, top, right, bottom. */
        private val INNER = intArrayOf(28, 40, 84, 104)

        /**
         * The quality of a face, in the pixels that its crop is cut from.
         *
         * @param crop the face at 112 px, cut from [image].
         */
        fun measure(image: RgbImage, face: DetectedFace, crop: RgbImage): Quality {
            val points = face.alignment()
            val grey = grey(crop)
            return Quality(
                tenth(hypot(points.x(1) - points.x(0), points.y(1) - points.y(0))),
                tenth(sharpness(grey, crop.width, crop.height)),
                tenth(grey.average()),
                face.yaw?.let { tenth(it) },
                face.pitch?.let { tenth(it) },
                tenth(face.tilt),
                rounded(face.exactScore, 4),
                rounded(face.exactPresence, 4),
                rounded(outside(image, Aligner.similarity(points, Aligner.target(Aligner.CROP_SIDE))), 4),
            )
        }

        /** Luminance as OpenCV has it: 15-bit weights. */
        private fun grey(crop: RgbImage): IntArray = IntArray(crop.width * crop.height) {
            fun value(c: Int) = crop.pixels[3 * it + c].toInt() and 0xFF
            (9798 * value(0) + 19235 * value(1) + 3735 * value(2) + (1 shl 14)) shr 15
        }

        /** Variance of the four-neighbour Laplacian; beyond the edge the picture is mirrored about its border pixels. */
        private fun sharpness(grey: IntArray, width: Int, height: Int): Double {
            fun at(x: Int, y: Int): Int = grey[mirrored(y, height) * width + mirrored(x, width)]
            val values = DoubleArray(grey.size) {
                val x = it % width
                val y = it / width
                (at(x - 1, y) + at(x + 1, y) + at(x, y - 1) + at(x, y + 1) - 4 * grey[it]).toDouble()
            }
            val mean = values.average()
            return values.sumOf { (it - mean) * (it - mean) } / values.size
        }

        private fun mirrored(i: Int, size: Int): Int = if (i < 0) -i else if (i >= size) 2 * size - 2 - i else i

        private fun outside(image: RgbImage, matrix: Affine): Double {
            val back = matrix.inverse()
            val (left, top, right, bottom) = INNER
            var beyond = 0
            for (y in top until bottom) for (x in left until right) {
                val u = back.a * x + back.b * y + back.c
                val v = back.d * x + back.e * y + back.f
                if (u < -0.5 || v < -0.5 || u > image.width - 0.5 || v > image.height - 0.5) beyond++
            }
            return beyond.toDouble() / ((right - left) * (bottom - top))
        }

        private fun tenth(value: Double): Double = rounded(value, 1)

        /** As Python's `round`: the exact value decides, halves go to the even digit. */
        private fun rounded(value: Double, digits: Int): Double = BigDecimal(value).setScale(digits, RoundingMode.HALF_EVEN).toDouble()

        private fun two(value: Double): String = "%.2f".format(java.util.Locale.ROOT, value)

        private fun plain(value: Double): String = if (value == Math.rint(value)) value.toLong().toString() else rate(value)
    }
}
