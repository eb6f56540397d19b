package org.edgefacenet.app.camera

import java.util.concurrent.Executor
import java.util.concurrent.RejectedExecutionException
import org.edgefacenet.core.InputException
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.Yuv
import org.edgefacenet.core.YuvBuffers
import org.edgefacenet.core.YuvFrame

/**
 * From a camera's frames to pictures that are shown and analysed.
 *
 * Every frame is converted and shown. The analyst, who is slower, gets the newest one whenever it is free; no frame ever
 * waits. Two sets of buffers serve all frames: the one that the analyst holds, and the other.
 *
 * @param analyst a thread of its own.
 * @param show called on the camera's thread; the picture is lent for the time of the call.
 * @param analyse called on the analyst's; likewise.
 */
class FramePump(private val analyst: Executor, private val show: (RgbImage) -> Unit, private val analyse: (RgbImage) -> Unit) {
    private val free = ArrayList(listOf(YuvBuffers(), YuvBuffers()))
    private var busy = false

    /**
     * A frame came.
     *
     * @throws InputException the camera delivers damaged frames.
     */
    fun onFrame(frame: YuvFrame, degrees: Int) {
        val buffers = synchronized(this) { free.removeAt(free.size - 1) }
        val image = try {
            Yuv.toRgb(frame, degrees, reuse = buffers)
        } catch (damaged: InputException) {
            release(buffers)
            throw damaged
        }
        show(image)
        if (claim()) hand(image, buffers) else release(buffers)
    }

    private fun claim(): Boolean = synchronized(this) { (!busy).also { busy = true } }

    private fun hand(image: RgbImage, buffers: YuvBuffers) {
        try {
            analyst.execute {
                try {
                    analyse(image)
                } finally {
                    done(buffers)
                }
            }
        } catch (_: RejectedExecutionException) {
            done(buffers) // the screen is closing
        }
    }

    private fun done(buffers: YuvBuffers) = synchronized(this) {
        busy = false
        release(buffers)
    }

    private fun release(buffers: YuvBuffers) = synchronized(this) { free += buffers }
}
