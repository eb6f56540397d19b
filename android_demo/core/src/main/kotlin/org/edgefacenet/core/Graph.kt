package org.edgefacenet.core

import java.nio.ByteBuffer

/** Type of a tensor's elements. */
enum class TensorType(val bytes: Int) {
    FLOAT32(4),
    INT8(1),
    UINT8(1),
}

/** What is to do the work. */
enum class Accelerator { CPU, GPU }

/**
 * An input or output of a graph.
 *
 * @property shape as the file has it, batch first.
 * @property scale of a quantized tensor: real = (value - [zeroPoint]) * scale; 0 for float32.
 */
data class TensorInfo(val name: String, val shape: IntArray, val type: TensorType, val scale: Float, val zeroPoint: Int) {
    /** Number of elements. */
    val elements: Int get() = shape.fold(1, Int::times)

    override fun equals(other: Any?): Boolean =
        other is TensorInfo && name == other.name && shape.contentEquals(other.shape) && type == other.type &&
            scale == other.scale && zeroPoint == other.zeroPoint

    override fun hashCode(): Int = 31 * name.hashCode() + shape.contentHashCode()

    override fun toString(): String = "\"$name\" (${shape.joinToString(", ")}) ${type.name.lowercase()}"
}

/** How a graph is to be opened. */
data class GraphOptions(val threads: Int = 1, val accelerator: Accelerator = Accelerator.CPU)

/**
 * A loaded network: bytes in, bytes out. It knows nothing of faces. Safe to call from several threads.
 */
interface Graph : AutoCloseable {
    val inputs: List<TensorInfo>
    val outputs: List<TensorInfo>

    /** Name under which manifests hold tolerances and records hold lanes: "tflite-runtime", "litert-gpu". */
    val engine: String get() = "tflite-runtime"

    /** What does the work, in the engine's own words: "CPU, XNNPACK 42 of 42 nodes". */
    val ranOn: String get() = "CPU"

    /**
     * One call of the graph; it returns when the outputs are there.
     *
     * @param inputs direct buffers in native byte order, one per input, read from position 0 to their limit.
     * @return one direct buffer per output in native byte order, position 0; the caller owns them until the next call.
     * @throws InputException a number or size of buffers other than [inputs] says.
     */
    fun run(inputs: List<ByteBuffer>): List<ByteBuffer>
}

/** Opens graphs. */
fun interface GraphFactory {
    /**
     * @param model the model file's bytes, trailer included.
     * @throws EngineException the engine or accelerator is not here, or refuses the file.
     */
    fun open(model: ByteBuffer, options: GraphOptions): Graph
}
