package org.edgefacenet.core

import java.nio.ByteBuffer
import kotlin.math.PI
import kotlin.math.atan2
import kotlin.math.cos
import kotlin.math.exp
import kotlin.math.hypot
import kotlin.math.max
import kotlin.math.sin

/**
 * Points of one face.
 *
 * @property points 468, px of the picture.
 * @property presence 0..1: whether there is a face at all in the square looked at.
 * @property depth px of the picture, one per point; what is nearer to the camera is smaller.
 */
internal class Mesh(val points: Points, val presence: Double, val depth: DoubleArray) {
    /** The template's five points. */
    fun five(): Points = Points(
        points.mean(EYE_LEFT) + points.mean(EYE_RIGHT) + points.pick(NOSE, MOUTH_LEFT, MOUTH_RIGHT).xy,
    )

    /** Yaw and pitch, degrees: how far the face looks to the picture's right, and up. */
    fun turned(): Pair<Double, Double> = slope(OUTER_LEFT, OUTER_RIGHT) to -slope(TOP, CHIN) - NEUTRAL_PITCH

    private fun slope(start: Int, end: Int): Double {
        val across = hypot(points.x(end) - points.x(start), points.y(end) - points.y(start))
        return Math.toDegrees(atan2(depth[end] - depth[start], across))
    }

    companion object {
        /** Contours of the eye at the picture's left and at the picture's right. */
        val EYE_LEFT: IntArray = intArrayOf(33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
        val EYE_RIGHT: IntArray = intArrayOf(263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
        const val OUTER_LEFT: Int = 33
        const val OUTER_RIGHT: Int = 263
        private const val NOSE = 4
        private const val MOUTH_LEFT = 61
        private const val MOUTH_RIGHT = 291
        private const val TOP = 10
        private const val CHIN = 152

        /** Pitch of the line from forehead to chin where a face looks into the camera, degrees. */
        private const val NEUTRAL_PITCH = -11.0
    }
}

/** Part of a picture to look at, turned so that the eye line, at [angle] radians, is level. */
internal class Square(val x: Double, val y: Double, val side: Double, val angle: Double)

/**
 * The face mesh: 468 points, of which five align the crop. Port of `edge_facenet/photos/mesh.py`.
 *
 * Source of the network: MediaPipe's face mesh (Kartynnik et al., 2019), Apache-2.0.
 *
 * @throws ManifestException the graph gives another number of points.
 */
internal class FaceMesh(private val graph: Graph, private val pixels: PixelSpec) {
    private val pointsAt: Int
    private val presenceAt: Int
    private val input: ByteBuffer = pixels.buffer()

    init {
        val sizes = graph.outputs.map { it.elements }
        val points = sizes.indices.filter { sizes[it] == 3 * POINTS || sizes[it] == 3 * (POINTS + IRISES) }
        if (1 !in sizes || points.size != 1) {
            throw ManifestException("A face mesh has $POINTS or ${POINTS + IRISES} points and a presence, this one has outputs of $sizes values. Install the app again.")
        }
        checkInput("face mesh", graph, pixels)
        pointsAt = points[0]
        presenceAt = sizes.indexOf(1)
    }

    /** Points of a detected face: two passes, and retries unrotated and wider where the first sees no face. */
    fun locate(photo: RgbImage, face: Detection): Mesh {
        val level = atan2(face.points.y(1) - face.points.y(0), face.points.x(1) - face.points.x(0))
        var found = look(photo, Square(face.centreX, face.centreY, ROI * face.side, level))
        if (found.presence < PRESENT) {
            for (wide in listOf(ROI, WIDE_ROI)) {
                val again = look(photo, Square(face.centreX, face.centreY, wide * face.side, face.turns * PI / 2))
                if (again.presence > found.presence) found = again
            }
        }
        if (found.presence < PRESENT) return found
        val again = look(photo, around(found.points))
        return if (again.presence >= found.presence) again else found
    }

    /** One pass over one square. */
    fun look(photo: RgbImage, square: Square): Mesh {
        val matrix = onto(square, pixels.size)
        val crop = Warp.warp(photo, matrix, pixels.size, Border.BLACK)
        val (values, logit) = run(crop)
        val back = matrix.inverse()
        val points = back.apply(Points(DoubleArray(2 * POINTS) { values[it / 2 * 3 + it % 2].toDouble() }))
        val depth = DoubleArray(POINTS) { values[3 * it + 2] / matrix.scale }
        return Mesh(points, 1 / (1 + exp(-logit.toDouble().coerceIn(-80.0, 80.0))), depth)
    }

    private fun run(crop: RgbImage): Pair<FloatArray, Float> = synchronized(this) {
        pixels.write(crop, input)
        val outputs = graph.run(listOf(input))
        val values = FloatArray(3 * POINTS).also { outputs[pointsAt].asFloatBuffer().get(it) }
        values to outputs[presenceAt].asFloatBuffer().get(0)
    }

    companion object {
        const val PRESENT: Double = 0.5
        private const val POINTS = 468
        private const val IRISES = 10

        /** Side of the square given to the mesh, in box sides. */
        private const val ROI = 1.5
        private const val WIDE_ROI = 2.0

        /** The square for a second pass: the points' bounding box along their own eye line. */
        internal fun around(points: Points): Square {
            val angle = atan2(
                points.y(Mesh.OUTER_RIGHT) - points.y(Mesh.OUTER_LEFT), points.x(Mesh.OUTER_RIGHT) - points.x(Mesh.OUTER_LEFT),
            )
            val turn = Affine(cos(angle), sin(angle), 0.0, -sin(angle), cos(angle), 0.0)
            val level = turn.apply(points)
            val xs = DoubleArray(level.size) { level.x(it) }
            val ys = DoubleArray(level.size) { level.y(it) }
            val x = (xs.min() + xs.max()) / 2
            val y = (ys.min() + ys.max()) / 2
            val side = ROI * max(xs.max() - xs.min(), ys.max() - ys.min())
            return Square(x * turn.a + y * turn.d, x * turn.b + y * turn.e, side, angle)
        }

        /** Picture px to px of the network's input. */
        internal fun onto(square: Square, size: Int): Affine {
            val scale = size / max(square.side, 1e-6)
            val cos = cos(square.angle) * scale
            val sin = sin(square.angle) * scale
            val half = size / 2.0
            return Affine(cos, sin, half - (cos * square.x + sin * square.y), -sin, cos, half - (-sin * square.x + cos * square.y))
        }
    }
}
