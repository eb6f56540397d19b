package org.edgefacenet.core

import kotlin.math.exp
import kotlin.math.max
import kotlin.math.min

/** One face as the detector sees it, px of the picture as it was given. */
internal class Detection(val score: Double, val box: DoubleArray, val points: Points, val turns: Int) {
    val centreX: Double get() = (box[0] + box[2]) / 2
    val centreY: Double get() = (box[1] + box[3]) / 2
    val side: Double get() = max(box[2] - box[0], box[3] - box[1])
    val isFinite: Boolean get() = box.all { it.isFinite() } && points.xy.all { it.isFinite() }
}

/** A picture centred on a square of the network's size: picture px = network px * [scale] + shift, exactly. */
internal class Letterbox(val pixels: RgbImage, val scale: Double, val shiftX: Double, val shiftY: Double) {
    companion object {
        /** [padding]: share of the longer side added all round; 0 pads the shorter side with black, more repeats the border. */
        fun of(photo: RgbImage, size: Int, padding: Double = 0.0): Letterbox {
            val side = max(photo.width, photo.height) * (1 + 2 * padding)
            val scale = side / size
            val shiftX = (photo.width - side) / 2
            val shiftY = (photo.height - side) / 2
            val factor = max(scale.toInt(), 1)
            val small = Warp.shrink(photo, factor)
            val step = scale / factor
            // pixel centre i of the network is at (i + 0.5) * scale + shift of the picture, measured from its corner
            val start = 0.5 * step - 0.5
            val back = Affine(step, 0.0, start + shiftX / factor, 0.0, step, start + shiftY / factor)
            val border = if (padding > 0) Border.REPLICATE else Border.BLACK
            return Letterbox(Warp.sample(small, back, size, border), scale, shiftX, shiftY)
        }
    }
}

/**
 * BlazeFace, short range: where the faces are. Port of `edge_facenet/photos/detect.py`.
 *
 * Source of the network and its decoding: MediaPipe's face detection (Bazarevsky et al., "BlazeFace", 2019), Apache-2.0.
 *
 * @throws ManifestException the graph has other inputs or outputs.
 */
internal class BlazeFace(private val graph: Graph, private val pixels: PixelSpec) {
    private val boxesAt: Int
    private val scoresAt: Int
    private val input = pixels.buffer()

    init {
        val last = graph.outputs.map { it.shape.lastOrNull() ?: 0 }
        if (last.sorted() != listOf(1, 16) || graph.outputs.any { it.elements != it.shape.last() * ANCHORS }) {
            throw ManifestException("A face detector has outputs of 16 and 1 values per anchor, this one has ${graph.outputs}. Install the app again.")
        }
        checkInput("face detector", graph, pixels)
        boxesAt = last.indexOf(16)
        scoresAt = last.indexOf(1)
    }

    /** Side of the network's input, px. */
    val size: Int get() = pixels.size

    /** Faces of a picture looked at after [turns] quarter turns anti-clockwise, best first; empty when all tries find none. */
    fun detect(photo: RgbImage, turns: Int = 0): List<Detection> {
        val plain = Letterbox.of(photo, pixels.size)
        val seen = raw(plain.pixels.turned(-90 * turns))
        if (seen.any(THRESHOLD)) return decoded(seen, plain, turns, THRESHOLD)
        val padded = Letterbox.of(photo, pixels.size, PADDING)
        val wide = raw(padded.pixels.turned(-90 * turns))
        if (wide.any(THRESHOLD)) return decoded(wide, padded, turns, THRESHOLD)
        return decoded(seen, plain, turns, LOW_THRESHOLD)
    }

    /** Scores 0..1 and, per anchor, centre, (width, height) and six points in network px: 16 values. */
    internal class Raw(val scores: DoubleArray, val shapes: Array<DoubleArray>) {
        fun any(threshold: Double): Boolean = scores.any { it > threshold }
    }

    /** One call of the network on a square of its [size]. */
    internal fun raw(square: RgbImage): Raw = synchronized(this) {
        pixels.write(square, input)
        val outputs = graph.run(listOf(input))
        val logits = outputs[scoresAt].asFloatBuffer()
        val boxes = outputs[boxesAt].asFloatBuffer()
        val scores = DoubleArray(ANCHORS) { 1 / (1 + exp(-logits.get(it).toDouble().coerceIn(-80.0, 80.0))) }
        val shapes = Array(ANCHORS) { anchor ->
            DoubleArray(16) { i ->
                val moved = if (i == 2 || i == 3) 0.0 else CENTRES[2 * anchor + i % 2] * pixels.size
                boxes.get(16 * anchor + i).toDouble() + moved
            }
        }
        Raw(scores, shapes)
    }

    private fun decoded(raw: Raw, boxed: Letterbox, turns: Int, threshold: Double): List<Detection> {
        val kept = raw.scores.indices.filter { raw.scores[it] > threshold }
        return merge(kept.map { raw.scores[it] }, kept.map { raw.shapes[it] }).map { (score, shape) -> detection(score, shape, boxed, turns) }
    }

    companion object {
        /** Tries in this order: score above 0.5; the same on the picture padded by a third (tight crops); score above 0.3. */
        const val THRESHOLD: Double = 0.5
        const val LOW_THRESHOLD: Double = 0.3
        const val PADDING: Double = 1.0 / 3
        private const val OVERLAP = 0.3
        private const val ANCHORS = 896

        /** Anchor centres, 0..1, x and y: row by row, repeats innermost. */
        private val CENTRES: DoubleArray = listOf(16 to 2, 8 to 6).flatMap { (cells, repeats) ->
            (0 until cells * cells).flatMap { cell -> List(repeats) { listOf((cell % cells + 0.5) / cells, (cell / cells + 0.5) / cells) }.flatten() }
        }.toDoubleArray()

        /** Overlapping candidates become one, the mean weighted by score, with the best one's score. */
        internal fun merge(scores: List<Double>, shapes: List<DoubleArray>): List<Pair<Double, DoubleArray>> {
            var order = scores.indices.sortedByDescending { scores[it] }
            val merged = ArrayList<Pair<Double, DoubleArray>>()
            while (order.isNotEmpty()) {
                val best = order[0]
                val (group, rest) = order.partition { it == best || overlaps(shapes[best], shapes[it]) }
                val weight = group.sumOf { scores[it] }
                merged += scores[best] to DoubleArray(16) { i -> group.sumOf { scores[it] * shapes[it][i] } / weight }
                order = rest
            }
            return merged
        }

        private fun overlaps(a: DoubleArray, b: DoubleArray): Boolean {
            fun low(s: DoubleArray, i: Int) = s[i] - s[2 + i] / 2
            fun high(s: DoubleArray, i: Int) = s[i] + s[2 + i] / 2
            fun area(s: DoubleArray) = max(high(s, 0) - low(s, 0), 0.0) * max(high(s, 1) - low(s, 1), 0.0)
            fun common(i: Int) = max(min(high(a, i), high(b, i)) - max(low(a, i), low(b, i)), 0.0)
            val shared = common(0) * common(1)
            return shared > OVERLAP * max(area(a) + area(b) - shared, 1e-12)
        }

        private fun detection(score: Double, shape: DoubleArray, boxed: Letterbox, turns: Int): Detection {
            val corners = doubleArrayOf(shape[0] - shape[2] / 2, shape[1] - shape[3] / 2, shape[0] + shape[2] / 2, shape[1] + shape[3] / 2)
            val upright = unturned(Points(corners + shape.copyOfRange(4, 16)), turns, boxed.pixels.height)
            val back = DoubleArray(16) { upright.xy[it] * boxed.scale + if (it % 2 == 0) boxed.shiftX else boxed.shiftY }
            val box = doubleArrayOf(min(back[0], back[2]), min(back[1], back[3]), max(back[0], back[2]), max(back[1], back[3]))
            return Detection(score, box, Points(back.copyOfRange(4, 16)), Math.floorMod(turns, 4))
        }

        /** Points of a square turned anti-clockwise, as points of the square before. */
        private fun unturned(points: Points, turns: Int, size: Int): Points {
            var xy = points.xy
            repeat(Math.floorMod(turns, 4)) { xy = DoubleArray(xy.size) { i -> if (i % 2 == 0) size - xy[i + 1] else xy[i - 1] } }
            return Points(xy)
        }
    }
}

/** Refuse a graph that does not take what [pixels] writes. */
internal fun checkInput(what: String, graph: Graph, pixels: PixelSpec) {
    val found = graph.inputs.singleOrNull()
        ?: throw ManifestException("The $what has ${graph.inputs.size} inputs; it should have one. Install the app again.")
    val fits = found.shape.size == 4 && found.shape.indices.all { found.shape[it] == pixels.shape[it] || found.shape[it] == -1 }
    if (!fits || found.type != pixels.type) {
        throw ManifestException(
            "The manifest of the $what says input (${pixels.shape.joinToString(", ")}) ${pixels.type.name.lowercase()}, the file takes $found. " +
                "Use the manifest that was exported with it.",
        )
    }
}
