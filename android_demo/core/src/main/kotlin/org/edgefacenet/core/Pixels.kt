package org.edgefacenet.core

import java.nio.ByteBuffer
import java.nio.ByteOrder

/**
 * How a network wants its pixels: real value = (pixel - mean) / scale, per channel (`edge_facenet/pixels.py`).
 *
 * @property size height and width of the input, px.
 * @property nhwc order of the axes: batch, height, width, channels; else channels come first.
 * @property bgr order of the channels.
 * @property mean subtracted per channel, in the network's colour order, 0..255.
 * @property scale divided by per channel, in the network's colour order.
 * @property quantization scale and zero point of an integer input; null for float32.
 */
class PixelSpec(
    val size: Int,
    val nhwc: Boolean = true,
    val bgr: Boolean = false,
    val mean: List<Double> = List(3) { 128.0 },
    val scale: List<Double> = List(3) { 128.0 },
    val type: TensorType = TensorType.FLOAT32,
    val quantization: Pair<Double, Int>? = null,
    val batch: Int = 1,
) {
    /** True when the int8 input is the pixel's bits with the highest one turned over: no arithmetic at all. */
    val isXor: Boolean =
        type == TensorType.INT8 && quantization == 1.0 / 128 to 0 && (mean + scale).all { it == 128.0 }

    /** Shape of the input tensor. */
    val shape: IntArray get() = if (nhwc) intArrayOf(batch, size, size, 3) else intArrayOf(batch, 3, size, size)

    /** Bytes of the input tensor. */
    val bytes: Int get() = batch * 3 * size * size * type.bytes

    /** A buffer for [write]; keep it, one per thread. */
    fun buffer(): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())

    /** Values of each channel's 256 pixel values, in the network's order. */
    private val table: Array<FloatArray> by lazy {
        Array(3) { c -> FloatArray(256) { value(it, mean[c].toFloat(), scale[c].toFloat()) } }
    }

    private fun value(pixel: Int, mean: Float, scale: Float): Float {
        val real = (pixel.toFloat() - mean) / scale
        val (step, zero) = quantization ?: return real
        val low = if (type == TensorType.INT8) -128f else 0f
        return (Math.rint((real / step.toFloat()).toDouble()).toFloat() + zero).coerceIn(low, low + 255f)
    }

    /**
     * Write [crop] as input values; further places of a batch repeat it. The buffer is rewound before and after.
     *
     * @throws InputException another size.
     */
    fun write(crop: RgbImage, into: ByteBuffer) {
        if (crop.width != size || crop.height != size) {
            throw InputException("Crops must be $size x $size RGB, found ${crop.width} x ${crop.height}.")
        }
        require(into.capacity() == bytes) { "The input tensor has $bytes bytes, the buffer ${into.capacity()}." }
        into.seek(0)
        repeat(batch) { if (isXor && nhwc && !bgr) into.put(flipped(crop.pixels)) else put(crop, into) }
        into.seek(0)
    }

    private fun flipped(pixels: ByteArray): ByteArray = ByteArray(pixels.size) { (pixels[it].toInt() xor 0x80).toByte() }

    private fun put(crop: RgbImage, into: ByteBuffer) {
        val area = size * size
        for (i in 0 until 3 * area) {
            val channel = if (nhwc) i % 3 else i / area
            val at = if (nhwc) i / 3 else i % area
            val pixel = crop.pixels[3 * at + if (bgr) 2 - channel else channel].toInt() and 0xFF
            if (type == TensorType.FLOAT32) into.putFloat(table[channel][pixel]) else into.put(table[channel][pixel].toInt().toByte())
        }
    }
}
