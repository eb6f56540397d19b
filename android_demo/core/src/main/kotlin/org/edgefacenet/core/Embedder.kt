package org.edgefacenet.core

import java.nio.ByteBuffer
import kotlin.math.abs
import kotlin.math.sqrt

/**
 * A network that turns crops into embeddings. Safe to call from several threads, one call at a time.
 *
 * @throws ManifestException the manifest does not describe the graph.
 */
class Embedder(val artifact: Artifact, private val graph: Graph) {
    private val manifest = artifact.manifest
    private val output: Int
    private val input: ByteBuffer = manifest.pixels.buffer()

    init {
        checkInput("network ${manifest.file}", graph, manifest.pixels)
        checkQuantization()
        output = chooseOutput()
    }

    /** Only embeddings with equal fingerprints may be compared. */
    val fingerprint: String get() = artifact.fingerprint
    val dimension: Int get() = manifest.dimension

    /** Name of the engine, and what does its work. */
    val engine: String get() = graph.engine
    val ranOn: String get() = graph.ranOn

    /**
     * The embedding of a crop, of unit length.
     *
     * @param crop square, cut to the template with the margin that the manifest says, any size; resized to the network's as
     *   Python does.
     * @throws InputException the crop is not square, or the embedding is not finite or has no length.
     */
    fun embed(crop: RgbImage): FloatArray = unit(raw(crop))

    /** A crop at the network's size: [embed] then has nothing left to resize. */
    fun fitted(crop: RgbImage): RgbImage = Resize.square(crop, manifest.pixels.size)

    /** Input values of a crop, as the network gets them. */
    fun tensor(crop: RgbImage): ByteArray = synchronized(this) {
        manifest.pixels.write(fitted(crop), input)
        input.toBytes()
    }

    /** The raw bytes that the graph gives for raw input values. */
    fun run(tensor: ByteArray): ByteArray = synchronized(this) {
        require(tensor.size == input.capacity()) { "The input tensor has ${input.capacity()} bytes, found ${tensor.size}." }
        input.seek(0)
        input.put(tensor)
        input.seek(0)
        graph.run(listOf(input))[output].toBytes()
    }

    private fun raw(crop: RgbImage): DoubleArray = synchronized(this) {
        manifest.pixels.write(fitted(crop), input)
        dequantized(graph.run(listOf(input))[output])
    }

    /** The first face's values; a batch repeats it. */
    private fun dequantized(values: ByteBuffer): DoubleArray {
        val info = graph.outputs[output]
        fun real(quantized: Int) = ((quantized.toFloat() - info.zeroPoint) * info.scale).toDouble()
        return when (info.type) {
            TensorType.FLOAT32 -> values.asFloatBuffer().let { floats -> DoubleArray(dimension) { floats.get(it).toDouble() } }
            TensorType.INT8 -> DoubleArray(dimension) { real(values.get(it).toInt()) }
            TensorType.UINT8 -> DoubleArray(dimension) { real(values.get(it).toInt() and 0xFF) }
        }
    }

    private fun unit(raw: DoubleArray): FloatArray {
        val length = sqrt(raw.sumOf { it * it })
        if (!length.isFinite() || length <= 0) {
            val what = if (length == 0.0) "is all zeros" else "holds values that are not finite"
            throw InputException("The embedding of this face $what. The network ${manifest.file} cannot be used for it; take another picture.")
        }
        return FloatArray(raw.size) { (raw[it] / length).toFloat() }
    }

    /**
     * Embed the two synthetic faces of [SelfTest] and compare with what the manifest holds.
     *
     * @return cosine of each to the manifest's golden embedding; without golden ones the cosine between the two.
     * @throws SelfTestException beyond the engine's tolerance, or every face gets the same vector.
     */
    fun selfTest(faces: List<RgbImage>): List<Double> {
        try {
            if (manifest.unitOutput) checkUnit(faces[0])
            return SelfTest.run(faces.map { embed(it) }, manifest.selfTest, graph.engine)
        } catch (error: InputException) {
            throw SelfTestException("${manifest.file} does not embed a known face: ${error.message}")
        }
    }

    private fun checkUnit(face: RgbImage) {
        val length = sqrt(raw(face).sumOf { it * it })
        if (!(abs(length - 1) <= UNIT_SLACK)) {
            throw SelfTestException("${manifest.file} says that its output has unit length, found $length (1 ± $UNIT_SLACK is allowed). Export it again.")
        }
    }

    private fun checkQuantization() {
        val (scale, zero) = manifest.pixels.quantization ?: return
        val found = graph.inputs[0]
        if (found.scale != 0f && (abs(found.scale - scale) > 1e-5 * scale || found.zeroPoint != zero)) {
            throw ManifestException(
                "The manifest of ${manifest.file} says input scale and zero point ($scale, $zero), the file has (${found.scale}, " +
                    "${found.zeroPoint}). Correct pixels.quantization in the manifest.",
            )
        }
    }

    /** Which output is the embedding. */
    private fun chooseOutput(): Int {
        val batch = manifest.pixels.batch
        val fitting = graph.outputs.indices.filter { holds(graph.outputs[it].shape, batch) && named(graph.outputs[it].name) }
        if (fitting.size == 1) return fitting[0]
        val advice = if (fitting.size > 1) "Name the embedding: output in the manifest." else "Correct dimension or output in the manifest."
        throw ManifestException(
            "${manifest.file} has ${graph.outputs.joinToString("; ")}; the manifest says dimension $dimension" +
                "${manifest.about.output?.let { " in \"$it\"" } ?: ""}. $advice",
        )
    }

    private fun named(name: String) = manifest.about.output.let { it == null || it == name }

    /** One embedding per face: (batch, d), (batch, d, 1, 1), (batch, 1, 1, d); (d) for one face. */
    private fun holds(shape: IntArray, batch: Int): Boolean {
        val full = if (shape.size > 1) shape else intArrayOf(1) + shape
        val values = full.drop(1)
        return full[0] in setOf(batch, -1) && values.fold(1, Int::times) == dimension && values.max() == dimension
    }

    private companion object {
        /** A file that says its output is of unit length may miss it by this much: half precision gives 1e-3. */
        const val UNIT_SLACK = 0.01
    }
}
