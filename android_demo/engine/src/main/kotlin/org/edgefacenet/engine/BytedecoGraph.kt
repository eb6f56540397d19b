package org.edgefacenet.engine

import java.nio.ByteBuffer
import org.bytedeco.javacpp.BytePointer
import org.bytedeco.javacpp.Loader
import org.bytedeco.javacpp.Pointer
import org.bytedeco.javacpp.PointerScope
import org.bytedeco.tensorflowlite.BuiltinOpResolverWithXNNPACK
import org.bytedeco.tensorflowlite.FlatBufferModel
import org.bytedeco.tensorflowlite.Interpreter
import org.bytedeco.tensorflowlite.InterpreterBuilder
import org.bytedeco.tensorflowlite.TfLiteTensor
import org.bytedeco.tensorflowlite.global.tensorflowlite as tflite
import org.edgefacenet.core.Accelerator
import org.edgefacenet.core.EngineException
import org.edgefacenet.core.Graph
import org.edgefacenet.core.GraphFactory
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.ManifestException
import org.edgefacenet.core.TensorInfo
import org.edgefacenet.core.TensorType

/** TensorFlow Lite on the CPU, with XNNPACK; out of org.bytedeco's presets, on a phone as on a desktop's JVM. */
object BytedecoGraph : GraphFactory {
    private const val ENGINE = "tflite-runtime"

    /**
     * @param model the file's bytes from 0 to the limit. A direct buffer, as a mapped file is, is used in place: it must
     *   not change while the graph lives.
     * @throws ManifestException the bytes are no sound model.
     * @throws EngineException a GPU is asked for, the native library is not here, or it refuses the model.
     */
    override fun open(model: ByteBuffer, options: GraphOptions): Graph {
        if (options.accelerator != Accelerator.CPU) {
            throw EngineException("TensorFlow Lite of org.bytedeco has no GPU. Build the app's flavour \"gpu\" for that.")
        }
        if (options.threads < 1) throw EngineException("A network needs at least 1 thread, ${options.threads} were asked for.")
        loadNative()
        return ThreadedGraph(ENGINE) { TfliteSession(model.duplicate().apply { rewind() }, options.threads) }
    }

    private fun loadNative() {
        try {
            Loader.load(tflite::class.java)
        } catch (absent: LinkageError) {
            throw EngineException(
                "TensorFlow Lite has no native library for this processor (${System.getProperty("os.arch")}): " +
                    "${absent.message}. It has for arm64-v8a and x86_64.",
                absent,
            )
        }
    }
}

/**
 * The C++ interpreter: the C interface does not tell which operators XNNPACK took.
 *
 * Everything native that is made on this thread belongs to one scope, which frees it in reverse order: interpreter,
 * builder, resolver, model.
 */
private class TfliteSession(private val model: ByteBuffer, threads: Int) : Session {
    private val scope = PointerScope()
    private val interpreter: Interpreter
    private val takes: List<ByteBuffer>
    private val gives: List<ByteBuffer>

    override val inputs: List<TensorInfo>
    override val outputs: List<TensorInfo>
    override val ranOn: String

    init {
        try {
            interpreter = build(inPlace(model), threads)
            val incoming = List(interpreter.inputs().limit().toInt()) { interpreter.input_tensor(it.toLong()) }
            val outgoing = List(interpreter.outputs().limit().toInt()) { interpreter.output_tensor(it.toLong()) }
            inputs = incoming.map(::describe)
            outputs = outgoing.map(::describe)
            takes = incoming.map(::memory)
            gives = outgoing.map(::memory)
            ranOn = "CPU, ${delegation(interpreter)}"
        } catch (refused: Throwable) { // passes on; what is half built must not stay
            scope.close()
            throw refused
        }
    }

    override fun invoke(inputs: List<ByteBuffer>, outputs: List<ByteBuffer>) {
        for ((memory, given) in takes zip inputs) memory.apply { clear() }.put(given)
        require(interpreter.Invoke(), "computing")
        for ((memory, wanted) in gives zip outputs) wanted.put(memory.apply { clear() })
    }

    override fun close() = scope.close()
}

/** A copy on the heap would wait for the garbage collector; native memory goes with the scope. */
private fun inPlace(model: ByteBuffer): BytePointer {
    if (model.isDirect) return BytePointer(model)
    val copy = ByteArray(model.remaining()).also { model.get(it) }
    return BytePointer(copy.size.toLong()).put(copy, 0, copy.size)
}

private fun build(bytes: BytePointer, threads: Int): Interpreter {
    val model = if (marked(bytes)) FlatBufferModel.VerifyAndBuildFromBuffer(bytes, bytes.limit()) else null
    model ?: throw ManifestException("The model is damaged: no sound TensorFlow Lite file. Export or download it again.")
    val builder = InterpreterBuilder(model, BuiltinOpResolverWithXNNPACK())
    require(builder.SetNumThreads(threads), "taking $threads threads")
    val interpreter = Interpreter(null as Pointer?)
    require(builder.apply(interpreter), "building the graph, because it is damaged or needs operators that this version lacks,")
    require(interpreter.AllocateTensors(), "reserving memory")
    return interpreter
}

/** The verifier lets a file of zeros pass. */
private fun marked(bytes: BytePointer): Boolean = bytes.limit() >= 8 && MARK.indices.all { bytes.get(4L + it) == MARK[it] }

private val MARK = "TFL3".toByteArray()

private fun require(status: Int, doing: String) {
    if (status != tflite.kTfLiteOk) {
        throw EngineException("TensorFlow Lite refuses this model when $doing (status $status); its log says more.")
    }
}

private fun describe(tensor: TfLiteTensor): TensorInfo {
    val name = tensor.name().string
    val type = when (tensor.type()) {
        tflite.kTfLiteFloat32 -> TensorType.FLOAT32
        tflite.kTfLiteInt8 -> TensorType.INT8
        tflite.kTfLiteUInt8 -> TensorType.UINT8
        else -> throw EngineException(
            "Tensor \"$name\" has elements of TensorFlow Lite's type ${tensor.type()}; float32, int8 and uint8 are known here.",
        )
    }
    val shape = IntArray(tensor.dims().size()) { tensor.dims().data(it) }
    return TensorInfo(name, shape, type, tensor.params().scale(), tensor.params().zero_point())
}

/** The tensor's own memory; it stays in place, because nothing is resized after allocation. */
private fun memory(tensor: TfLiteTensor): ByteBuffer =
    BytePointer(tensor.data().data()).capacity(tensor.bytes()).asByteBuffer()
