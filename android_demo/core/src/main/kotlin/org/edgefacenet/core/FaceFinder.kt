package org.edgefacenet.core

import kotlin.math.abs
import kotlin.math.hypot
import kotlin.math.max

/**
 * A picture's faces with their five points: detector, mesh, choice among several, and the try with the picture turned. Port
 * of `edge_facenet/photos/faces.py`.
 *
 * @param detector the graph of [FaceModels.DETECTOR].
 * @param mesh the graph of [FaceModels.MESH].
 * @throws ManifestException a graph has other inputs or outputs.
 */
class FaceFinder(detector: Graph, mesh: Graph) {
    private val detector = BlazeFace(detector, FaceModels.DETECTOR.pixels)
    private val mesh = FaceMesh(mesh, FaceModels.MESH.pixels)

    /** [find] without further arguments: every face. */
    fun find(image: RgbImage): List<DetectedFace> = find(image, Int.MAX_VALUE)

    /**
     * Faces, the picture's subject (largest area times centrality) first; empty when there is none.
     *
     * The picture is looked at as it is; where that shows no face, or one not surely upright, also turned by 90, 180 and
     * 270 degrees, and the orientation with the highest score + presence among those with a level eye line wins.
     *
     * @param most locate the points of so many faces only.
     * @param turned whether other orientations are tried; a camera's frames, turned upright already, need none.
     */
    fun find(image: RgbImage, most: Int, turned: Boolean = true): List<DetectedFace> {
        val upright = detections(image, 0)
        val first = upright.firstOrNull()?.let { face(image, it) }
        if (!turned) return if (first == null || !first.isFace) emptyList() else rest(image, first, upright, most)
        if (first != null && isSure(image, first)) return rest(image, first, upright, most)
        val looks = ArrayList<Pair<DetectedFace, List<Detection>>>()
        if (first != null) looks += first to upright
        for (turns in 1..3) {
            val found = detections(image, turns)
            if (found.isNotEmpty()) looks += face(image, found[0]) to found
        }
        val (best, found) = looks.filter { it.first.isFace && abs(it.first.tilt) <= LEVEL_DEGREES }
            .maxByOrNull { it.first.sureness } ?: return emptyList()
        return rest(image, best, found, most)
    }

    /**
     * Prove that detector and mesh give their golden output on the two synthetic faces.
     *
     * @throws SelfTestException mean or scale, a file or the engine is wrong.
     */
    fun selfTest(faces: List<RgbImage>) {
        FaceModels.check("blazeface-short, highest and mean logit", FaceModels.DETECTOR_GOLDEN, detectorValues(faces), 0.05)
        val middle = mesh.look(faces[0], Square(56.0, 66.0, 130.0, 0.0)).five()
        FaceModels.check("face-mesh, left eye, right eye and nose in px", FaceModels.MESH_GOLDEN, middle.xy.take(6), 0.2)
    }

    private fun detectorValues(faces: List<RgbImage>): List<Double> = faces.flatMap { face ->
        val logits = detector.raw(Resize.square(face, detector.size)).scores.map { Math.log(it) - Math.log1p(-it) }
        listOf(logits.max(), logits.average())
    }

    private fun rest(image: RgbImage, first: DetectedFace, found: List<Detection>, most: Int): List<DetectedFace> =
        listOf(first) + found.take(most).drop(1).map { face(image, it) }

    private fun isSure(image: RgbImage, face: DetectedFace): Boolean {
        if (face.exactScore < SURE_SCORE || face.exactPresence < FaceMesh.PRESENT || abs(face.tilt) > SURE_DEGREES) return false
        return face.exactScore >= BEYOND_DOUBT || detector.detect(image, 2).all { it.score < face.exactScore }
    }

    private fun detections(image: RgbImage, turns: Int): List<Detection> =
        detector.detect(image, turns).filter { it.isFinite }.sortedByDescending { prominence(it, image.width, image.height) }

    private fun face(image: RgbImage, found: Detection): DetectedFace {
        val seen = mesh.locate(image, found)
        val isSeen = seen.presence >= FaceMesh.PRESENT
        val points = if (isSeen) seen.five() else detectorPoints(found)
        val (left, top, right, bottom) = found.box.map { it.toFloat() }
        val face = DetectedFace(Box(left, top, right, bottom), points.toList(), found.score.toFloat(), seen.presence.toFloat(), found.turns)
        face.exact = Exact(points, found.score, seen.presence, if (isSeen) seen.turned() else null)
        return face
    }

    companion object {
        /** A face's eye line lies within this of level in the picture as turned. */
        const val LEVEL_DEGREES: Double = 45.0
        private const val SURE_SCORE = 0.85
        private const val BEYOND_DOUBT = 0.9
        private const val SURE_DEGREES = 30.0

        /** Area times centrality: picks the subject of a picture. */
        internal fun prominence(face: Detection, width: Int, height: Int): Double {
            val half = max(width, height) / 2.0
            val away = hypot(face.centreX - width / 2.0, face.centreY - height / 2.0)
            val area = max(face.box[2] - face.box[0], 0.0) * max(face.box[3] - face.box[1], 0.0)
            val central = max(1 - away / half, 0.05)
            return area * (central * central)
        }

        /** Five points where there is no mesh: the mouth's corners are put about its middle as the template has them. */
        internal fun detectorPoints(face: Detection): Points {
            val seen = face.points.pick(0, 1, 2, 3)
            val corners = Aligner.TEMPLATE.pick(3, 4)
            val middle = corners.mean()
            val back = Aligner.similarity(seen, Points(Aligner.TEMPLATE.pick(0, 1, 2).xy + middle)).inverse()
            val placed = back.apply(corners)
            val centre = back.apply(Points(middle))
            return Points(
                face.points.pick(0, 1, 2).xy + DoubleArray(4) { placed.xy[it] + (seen.xy[6 + it % 2] - centre.xy[it % 2]) },
            )
        }
    }
}
