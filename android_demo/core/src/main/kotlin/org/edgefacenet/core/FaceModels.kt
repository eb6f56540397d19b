package org.edgefacenet.core

import java.nio.ByteBuffer
import kotlin.math.abs

/**
 * A face model: which file it is, and how it wants its pixels.
 *
 * @property file name of the asset.
 * @property sha256 of the file.
 */
class FaceModel(val name: String, val file: String, val sha256: String, val pixels: PixelSpec) {
    /**
     * The model's bytes, [bytes], proven to be the pinned ones.
     *
     * @throws ManifestException they are not.
     */
    fun checked(bytes: ByteBuffer): ByteBuffer {
        val found = Hash.sha256(bytes)
        if (found != sha256) {
            throw ManifestException(
                "The face model $file is damaged: sha256 ${found.take(12)}…, expected ${sha256.take(12)}…. Install the app again.",
            )
        }
        return bytes
    }
}

/** MediaPipe's BlazeFace (short range) and face mesh, Apache-2.0, pinned as `edge_facenet/photos/models.py` pins them. */
object FaceModels {
    val DETECTOR: FaceModel = FaceModel(
        "blazeface-short",
        "blazeface-short-3bc182eb.tflite",
        "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633",
        PixelSpec(128, mean = List(3) { 127.5 }, scale = List(3) { 127.5 }),
    )
    val MESH: FaceModel = FaceModel(
        "face-mesh",
        "face-mesh-2efcb4f4.tflite",
        "2efcb4f4de43c7614b80a3cc3e8a37354b3b3b40f75cce20f6f38f0f25d65493",
        PixelSpec(192, mean = List(3) { 0.0 }, scale = List(3) { 255.0 }),
    )
    internal val DETECTOR_GOLDEN = listOf(1.1801, -4.7843, 1.2799, -4.1199)
    internal val MESH_GOLDEN = listOf(39.16, 49.55, 74.68, 50.87, 58.35, 69.51)

    /** Raised in step with `examine.REVISION` when the same photos would give other crops. */
    private const val REVISION = 1

    /** Hash of what decides how a face is cut; equal to Python's `aligner_fingerprint()`, so that galleries can say who made them. */
    val alignerFingerprint: String by lazy {
        val makes = mapOf(
            "face models" to listOf(DETECTOR, MESH).associate { it.name to listOf(it.sha256, pixels(it.pixels)) },
            "template" to listOf(Aligner.TEMPLATE_NAME, Aligner.TEMPLATE.xy.toList().chunked(2)),
            "border" to "replicate",
            "revision" to REVISION,
        )
        Hash.sha256(JsonText.canonical(makes).toByteArray())
    }

    private fun pixels(spec: PixelSpec): Map<String, Any?> = mapOf(
        "size" to spec.size, "layout" to "NHWC", "colour_order" to "RGB", "mean" to spec.mean, "scale" to spec.scale,
        "dtype" to "float32", "quantization" to null, "batch" to spec.batch,
    )

    internal fun check(what: String, expected: List<Double>, found: List<Double>, tolerance: Double) {
        if (expected.size == found.size && expected.zip(found).all { (e, f) -> abs(e - f) <= tolerance }) return
        fun list(values: List<Double>) = values.joinToString(", ") { "%.2f".format(java.util.Locale.ROOT, it) }
        throw SelfTestException(
            "A face model does not answer as it should on two known faces ($what): measured ${list(found)}, expected " +
                "${list(expected)} ± $tolerance. Its file or the engine is wrong. Install the app again.",
        )
    }
}
