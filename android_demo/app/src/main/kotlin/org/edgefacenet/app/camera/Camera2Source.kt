package org.edgefacenet.app.camera

import android.annotation.SuppressLint
import android.content.Context
import android.graphics.ImageFormat
import android.hardware.camera2.CameraAccessException
import android.hardware.camera2.CameraCaptureSession
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraDevice
import android.hardware.camera2.CameraManager
import android.hardware.camera2.CameraMetadata
import android.hardware.camera2.CaptureRequest
import android.hardware.camera2.params.OutputConfiguration
import android.hardware.camera2.params.SessionConfiguration
import android.hardware.display.DisplayManager
import android.media.Image
import android.media.ImageReader
import android.os.Build
import android.os.Handler
import android.os.HandlerThread
import android.view.Display
import android.view.Surface
import java.io.Closeable
import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.CropRect
import org.edgefacenet.core.Plane
import org.edgefacenet.core.YuvFrame

/** Android's cameras through Camera2: frames for analysis alone, which the screen draws itself. */
class Camera2Source(context: Context) : CameraSource {
    private val manager = checkNotNull(context.getSystemService(CameraManager::class.java))
    private val display = checkNotNull(context.getSystemService(DisplayManager::class.java)?.getDisplay(Display.DEFAULT_DISPLAY))

    override fun facings(): List<Facing> = ids().mapNotNull { facing(it) }.distinct().sorted()

    override fun open(facing: Facing, listener: CameraListener): Closeable {
        val id = ids().firstOrNull { facing(it) == facing }
        return Opened(manager, id, listener) { sensor -> Turn.degrees(sensor, 90 * display.rotation, facing) }
    }

    private fun ids(): List<String> = try {
        manager.cameraIdList.toList()
    } catch (_: CameraAccessException) {
        emptyList() // the camera service does not answer: as good as no camera
    }

    private fun facing(id: String): Facing? = try {
        when (manager.getCameraCharacteristics(id).get(CameraCharacteristics.LENS_FACING)) {
            CameraMetadata.LENS_FACING_BACK -> Facing.BACK
            CameraMetadata.LENS_FACING_FRONT -> Facing.FRONT
            CameraMetadata.LENS_FACING_EXTERNAL -> Facing.EXTERNAL
            else -> null
        }
    } catch (_: CameraAccessException) {
        null
    } catch (_: IllegalArgumentException) {
        null // unplugged between the list and the question
    }
}

/** One camera, from opening to closing. Everything happens on a thread of its own, so that closing meets no frame. */
private class Opened(
    private val manager: CameraManager,
    private val id: String?,
    private val listener: CameraListener,
    private val degrees: (Int) -> Int,
) : Closeable {
    private val thread = HandlerThread("edge-facenet camera").apply { start() }
    private val handler = Handler(thread.looper)
    private var device: CameraDevice? = null
    private var reader: ImageReader? = null
    private var sensor = 0
    private var closed = false

    /** Asked for, and not answered yet: the answer has to be waited for, lest the camera stay open behind nobody. */
    private var pending = false

    init {
        handler.post { guarded { open() } }
    }

    override fun close() {
        handler.post {
            release()
            if (!pending) thread.quitSafely()
        }
    }

    @SuppressLint("MissingPermission") // asked for by the screen; when it is taken away, openCamera says so
    private fun open() {
        val id = id ?: return listener.onLost(Words.text(R.string.camera_gone))
        val about = manager.getCameraCharacteristics(id)
        sensor = about.get(CameraCharacteristics.SENSOR_ORIENTATION) ?: 0
        val sizes = about.get(CameraCharacteristics.SCALER_STREAM_CONFIGURATION_MAP)?.getOutputSizes(ImageFormat.YUV_420_888).orEmpty()
        val (width, height) = FrameSize.choose(sizes.map { it.width to it.height })
        val follows = about.get(CameraCharacteristics.CONTROL_AF_AVAILABLE_MODES)?.contains(CameraMetadata.CONTROL_AF_MODE_CONTINUOUS_PICTURE) ?: false
        reader = ImageReader.newInstance(width, height, ImageFormat.YUV_420_888, IMAGES).apply { setOnImageAvailableListener(::frame, handler) }
        manager.openCamera(id, Device(follows), handler)
        pending = true
    }

    private inner class Device(private val follows: Boolean) : CameraDevice.StateCallback() {
        override fun onOpened(camera: CameraDevice) {
            if (!answered(camera)) return
            guarded { begin(camera, reader!!.surface, follows) }
        }

        override fun onDisconnected(camera: CameraDevice) = lost(camera, R.string.camera_taken)

        override fun onError(camera: CameraDevice, error: Int) = lost(
            camera,
            when (error) {
                ERROR_CAMERA_IN_USE, ERROR_MAX_CAMERAS_IN_USE -> R.string.camera_in_use
                ERROR_CAMERA_DISABLED -> R.string.camera_disabled
                else -> R.string.camera_failed
            },
        )

        private fun lost(camera: CameraDevice, why: Int) {
            if (answered(camera)) lost(why)
        }

        /** Take the camera; whether anybody still wants it. */
        private fun answered(camera: CameraDevice): Boolean {
            pending = false
            device = camera
            if (closed) {
                release()
                thread.quitSafely()
            }
            return !closed
        }
    }

    private inner class Session(private val camera: CameraDevice, private val surface: Surface, private val follows: Boolean) :
        CameraCaptureSession.StateCallback() {
        override fun onConfigured(session: CameraCaptureSession) {
            if (closed) return
            guarded {
                val request = camera.createCaptureRequest(CameraDevice.TEMPLATE_PREVIEW).apply { addTarget(surface) }
                if (follows) request.set(CaptureRequest.CONTROL_AF_MODE, CameraMetadata.CONTROL_AF_MODE_CONTINUOUS_PICTURE)
                session.setRepeatingRequest(request.build(), null, handler)
            }
        }

        override fun onConfigureFailed(session: CameraCaptureSession) = lost(R.string.camera_failed)
    }

    private fun begin(camera: CameraDevice, surface: Surface, follows: Boolean) {
        val callback = Session(camera, surface, follows)
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.P) {
            val outputs = listOf(OutputConfiguration(surface))
            camera.createCaptureSession(SessionConfiguration(SessionConfiguration.SESSION_REGULAR, outputs, handler::post, callback))
        } else {
            @Suppress("DEPRECATION") // all that Android 8 has
            camera.createCaptureSession(listOf(surface), callback, handler)
        }
    }

    private fun frame(source: ImageReader) {
        if (closed) return
        source.acquireLatestImage()?.use { listener.onFrame(it.toFrame(), degrees(sensor)) }
    }

    /** Run a call to the camera service, which may have lost the camera or the permission meanwhile. */
    private fun guarded(call: () -> Unit) {
        try {
            call()
        } catch (error: CameraAccessException) {
            lost(if (error.reason == CameraAccessException.CAMERA_DISABLED) R.string.camera_disabled else R.string.camera_failed)
        } catch (_: SecurityException) {
            lost(R.string.camera_refused)
        } catch (_: IllegalStateException) {
            lost(R.string.camera_taken) // it was closed under this call
        } catch (_: IllegalArgumentException) {
            lost(R.string.camera_gone)
        }
    }

    private fun lost(why: Int) {
        if (closed) return
        release()
        listener.onLost(Words.text(why))
    }

    private fun release() {
        closed = true
        device?.close()
        reader?.close()
        device = null
        reader = null
    }

    private companion object {
        /** One that is analysed, one that is newest, one that is being filled. */
        const val IMAGES = 3
    }
}

/** The picture of a `YUV_420_888` image; its memory is the image's. */
internal fun Image.toFrame(): YuvFrame {
    val (y, u, v) = planes.map { Plane(it.buffer, it.rowStride, it.pixelStride) }
    return YuvFrame(width, height, y, u, v, CropRect(cropRect.left, cropRect.top, cropRect.right, cropRect.bottom))
}

/** Which of a camera's sizes to take. */
internal object FrameSize {
    private const val AREA = 960 * 720
    private const val LONGEST = 1280
    private val USUAL = 640 to 480 // every camera has it

    /** Of (width, height): the one nearest to 960 x 720 in pixels, none longer than 1280; four to three goes first. */
    fun choose(sizes: List<Pair<Int, Int>>): Pair<Int, Int> =
        sizes.filter { maxOf(it.first, it.second) <= LONGEST }
            .minWithOrNull(compareBy({ if (3 * it.first == 4 * it.second) 0 else 1 }, { Math.abs(it.first * it.second - AREA) }))
            ?: sizes.minByOrNull { it.first.toLong() * it.second } ?: USUAL
}
