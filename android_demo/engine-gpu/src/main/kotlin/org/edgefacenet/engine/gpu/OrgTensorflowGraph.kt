package org.edgefacenet.engine.gpu

import java.nio.ByteBuffer
import org.edgefacenet.core.Accelerator
import org.edgefacenet.core.EngineException
import org.edgefacenet.core.Graph
import org.edgefacenet.core.GraphFactory
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.ManifestException
import org.edgefacenet.core.TensorInfo
import org.edgefacenet.core.TensorType
import org.edgefacenet.engine.Session
import org.edgefacenet.engine.ThreadedGraph
import org.edgefacenet.engine.direct
import org.tensorflow.lite.DataType
import org.tensorflow.lite.Interpreter
import org.tensorflow.lite.Tensor
import org.tensorflow.lite.gpu.CompatibilityList
import org.tensorflow.lite.gpu.GpuDelegate
import org.tensorflow.lite.gpu.GpuDelegateFactory

/**
 * org.tensorflow.lite with its GPU delegate, or on the CPU with XNNPACK. Its native libraries are for Android alone.
 *
 * NNAPI is not offered: it is deprecated since Android 15.
 */
object OrgTensorflowGraph : GraphFactory {
    /**
     * @throws ManifestException the bytes are no sound model.
     * @throws EngineException the native library or a fitting GPU is not here, or the model is refused.
     */
    override fun open(model: ByteBuffer, options: GraphOptions): Graph {
        if (options.threads < 1) throw EngineException("A network needs at least 1 thread, ${options.threads} were asked for.")
        val gpu = options.accelerator == Accelerator.GPU
        return ThreadedGraph(if (gpu) "litert-gpu" else "tflite-runtime") { OrgTensorflowSession(inPlace(model), options.threads, gpu) }
    }

    private fun inPlace(model: ByteBuffer): ByteBuffer {
        val whole = model.duplicate().apply { rewind() }
        return if (whole.isDirect) whole else direct(whole.remaining()).put(whole).apply { rewind() }
    }
}

private class OrgTensorflowSession(model: ByteBuffer, threads: Int, gpu: Boolean) : Session {
    private val delegate: GpuDelegate?
    private val interpreter: Interpreter

    override val inputs: List<TensorInfo>
    override val outputs: List<TensorInfo>
    override val ranOn: String

    init {
        try {
            delegate = if (gpu) delegate() else null
            interpreter = build(model, threads, delegate)
            inputs = List(interpreter.inputTensorCount) { describe(interpreter.getInputTensor(it)) }
            outputs = List(interpreter.outputTensorCount) { describe(interpreter.getOutputTensor(it)) }
            ranOn = if (gpu) "${adapter()}, share of nodes not told" else "CPU, XNNPACK, share of nodes not told"
        } catch (absent: LinkageError) {
            throw EngineException("org.tensorflow.lite has no native library here (${absent.message}); it runs on Android alone.", absent)
        }
    }

    override fun invoke(inputs: List<ByteBuffer>, outputs: List<ByteBuffer>) {
        try {
            interpreter.runForMultipleInputsOutputs(inputs.toTypedArray(), outputs.indices.associateWith { outputs[it] })
        } catch (refused: IllegalArgumentException) {
            throw EngineException("TensorFlow Lite failed at computing: ${refused.message}", refused)
        } catch (refused: IllegalStateException) {
            throw EngineException("TensorFlow Lite failed at computing: ${refused.message}", refused)
        }
    }

    override fun close() {
        interpreter.close()
        delegate?.close()
    }
}

private fun delegate(): GpuDelegate {
    val fits = CompatibilityList().use { it.isDelegateSupportedOnThisDevice }
    if (!fits) throw EngineException("This device's GPU is not on the list that TensorFlow Lite's delegate supports. Use the CPU.")
    return GpuDelegate(GpuDelegateFactory.Options().setInferencePreference(GpuDelegateFactory.Options.INFERENCE_PREFERENCE_SUSTAINED_SPEED))
}

private fun build(model: ByteBuffer, threads: Int, delegate: GpuDelegate?): Interpreter {
    val options = Interpreter.Options().setNumThreads(threads).setUseXNNPACK(delegate == null)
    delegate?.let { options.addDelegate(it) }
    try {
        return Interpreter(model, options)
    } catch (refused: IllegalArgumentException) {
        delegate?.close()
        val why = refused.message.orEmpty()
        if ("FlatBuffer" in why || "valid" in why) throw ManifestException("The model is damaged: $why Export or download it again.", refused)
        throw EngineException("TensorFlow Lite refuses this model: $why", refused)
    }
}

private fun describe(tensor: Tensor): TensorInfo {
    val type = when (tensor.dataType()) {
        DataType.FLOAT32 -> TensorType.FLOAT32
        DataType.INT8 -> TensorType.INT8
        DataType.UINT8 -> TensorType.UINT8
        else -> throw EngineException("Tensor \"${tensor.name()}\" has ${tensor.dataType()} elements; float32, int8 and uint8 are known here.")
    }
    val quantization = tensor.quantizationParams()
    return TensorInfo(tensor.name(), tensor.shape(), type, quantization.scale, quantization.zeroPoint)
}
