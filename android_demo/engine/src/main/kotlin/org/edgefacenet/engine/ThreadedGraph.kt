package org.edgefacenet.engine

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.Callable
import java.util.concurrent.ExecutionException
import java.util.concurrent.Executors
import java.util.concurrent.RejectedExecutionException
import java.util.concurrent.TimeUnit
import org.edgefacenet.core.EngineException
import org.edgefacenet.core.Graph
import org.edgefacenet.core.InputException
import org.edgefacenet.core.TensorInfo

/** A loaded network, used by one thread from opening to closing: a GPU delegate and its context ask for that. */
interface Session : AutoCloseable {
    val inputs: List<TensorInfo>
    val outputs: List<TensorInfo>
    val ranOn: String

    /** Buffers are direct, of the right sizes, and stand at position 0; their positions are the session's to move. */
    fun invoke(inputs: List<ByteBuffer>, outputs: List<ByteBuffer>)
}

/**
 * A graph that owns a thread. Callers wait for each other; each calling thread has output buffers of its own, made once,
 * which its next call overwrites.
 *
 * @param open runs on the graph's thread; what it throws, the constructor throws.
 */
class ThreadedGraph(override val engine: String, open: () -> Session) : Graph {
    private val thread = Executors.newSingleThreadExecutor { Thread(it, "edge-facenet $engine").apply { isDaemon = true } }
    private val session: Session = try {
        await(open)
    } catch (refused: Throwable) { // whatever it was, it passes on; the thread must not stay
        thread.shutdown()
        throw refused
    }
    private var closed = false // read and written on the graph's thread alone
    private val answers = ThreadLocal.withInitial { outputs.map { direct(it.bytes) } }

    override val inputs: List<TensorInfo> = session.inputs
    override val outputs: List<TensorInfo> = session.outputs
    override val ranOn: String = session.ranOn

    override fun run(inputs: List<ByteBuffer>): List<ByteBuffer> {
        check(inputs)
        val given = inputs.map { it.duplicate().apply { rewind() } }
        val answer = answers.get()!!
        answer.forEach { it.clear() }
        await {
            if (closed) throw EngineException(CLOSED)
            session.invoke(given, answer)
        }
        answer.forEach { it.clear() }
        return answer
    }

    /** Waits for the calls under way. Closing twice is nothing. */
    override fun close() {
        try {
            await {
                if (!closed) session.close()
                closed = true
            }
        } catch (already: EngineException) {
            if (!thread.isShutdown) throw already
        }
        thread.shutdown()
        thread.awaitTermination(1, TimeUnit.MINUTES)
    }

    private fun check(given: List<ByteBuffer>) {
        if (given.size != inputs.size) throw InputException("The network takes ${inputs.size} inputs, ${given.size} were given.")
        for ((buffer, wanted) in given zip inputs) {
            if (!buffer.isDirect) throw InputException("Input $wanted needs a direct buffer; use ByteBuffer.allocateDirect.")
            if (buffer.limit() != wanted.bytes) {
                throw InputException("Input $wanted takes ${wanted.bytes} bytes, the buffer holds ${buffer.limit()}.")
            }
        }
    }

    /** Interrupting the caller does not leave the network running on buffers that the caller thinks are free. */
    private fun <T> await(work: () -> T): T {
        val result = try {
            thread.submit(Callable(work))
        } catch (refused: RejectedExecutionException) {
            throw EngineException(CLOSED, refused)
        }
        var interrupted = false
        try {
            while (true) {
                try {
                    return result.get()
                } catch (_: InterruptedException) {
                    interrupted = true
                }
            }
        } catch (failed: ExecutionException) {
            throw failed.cause ?: failed
        } finally {
            if (interrupted) Thread.currentThread().interrupt()
        }
    }

    private companion object {
        const val CLOSED = "The network is closed. Open it again before using it."
    }
}

/** Size of a tensor in bytes. */
val TensorInfo.bytes: Int get() = elements * type.bytes

/** A direct buffer in native byte order. */
fun direct(bytes: Int): ByteBuffer = ByteBuffer.allocateDirect(bytes).order(ByteOrder.nativeOrder())
