package org.edgefacenet.core

import kotlin.math.ceil

/**
 * Small faces of a large photo: looked for in overlapping parts, where they are as large as the detector wants them. Port of
 * `edge_facenet/photos/tiles.py`.
 */
internal object SmallFaces {
    /** Sides of the parts, as shares of the photo's longer side. */
    private val LEVELS = listOf(0.6, 0.36)

    /** Parts smaller than this, px, show the detector little that the whole photo did not. */
    private const val LEAST_SIDE = 256
    private const val OVERLAP = 0.2

    /** Least score of a face seen in a part alone, whose mesh must see it, too. */
    private const val SURE = 0.6

    /** Share of the smaller box common to two boxes from which on they are one face. */
    private const val SAME = 0.3

    /** Upright faces in parts of a photo that are not among those [known], largest first. */
    fun of(photo: RgbImage, finder: FaceFinder, known: List<DetectedFace>, levels: Int = LEVELS.size): List<DetectedFace> {
        val found = parts(photo.width, photo.height, levels).flatMap { (left, top, right, bottom) ->
            val part = Warp.cut(photo, intArrayOf(left, top, right, bottom))
            finder.find(part, Int.MAX_VALUE, turned = false)
                .filter { it.exactScore >= SURE && it.exactPresence >= FaceMesh.PRESENT && !isCut(it.box, part) }
                .map { it.moved(left, top) }
        }
        val kept = ArrayList<DetectedFace>()
        for (face in found.sortedByDescending { it.exactScore }) {
            if ((known + kept).all { shared(face.box, it.box) < SAME }) kept += face
        }
        return kept.sortedByDescending { it.box.area }
    }

    /** Left, top, right and bottom of each part. */
    fun parts(width: Int, height: Int, levels: Int = LEVELS.size): List<IntArray> = LEVELS.take(levels).map { Math.rint(it * maxOf(width, height)).toInt() }
        .takeWhile { it >= LEAST_SIDE }
        .flatMap { side ->
            starts(height, side).flatMap { top ->
                starts(width, side).map { left -> intArrayOf(left, top, minOf(left + side, width), minOf(top + side, height)) }
            }
        }

    /** Where parts begin along one axis, evenly, each overlapping the next by a fifth of its side at least. */
    private fun starts(length: Int, side: Int): List<Int> {
        if (length <= side) return listOf(0)
        val steps = ceil((length - side) / ((1 - OVERLAP) * side)).toInt()
        return List(steps + 1) { Math.rint(it * ((length - side).toDouble() / steps)).toInt() }
    }

    private fun shared(a: Box, b: Box): Double = minOf(a.area, b.area).let { smaller -> if (smaller > 0) a.common(b) / smaller else 0.0 }

    /** Whether a part's edge goes through a face: another part shows it whole, or the whole photo does. */
    private fun isCut(box: Box, part: RgbImage): Boolean = box.left < 0 || box.top < 0 || box.right > part.width || box.bottom > part.height
}
