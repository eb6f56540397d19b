package org.edgefacenet.app

import android.content.Context
import android.content.res.AssetManager
import android.os.Handler
import android.os.Looper
import java.io.File
import java.io.FileInputStream
import java.io.FileNotFoundException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.nio.channels.FileChannel
import java.util.concurrent.Executor
import java.util.concurrent.Executors
import org.edgefacenet.app.bench.Bench
import org.edgefacenet.app.bench.Phone
import org.edgefacenet.app.camera.Camera2Source
import org.edgefacenet.app.camera.CameraSource
import org.edgefacenet.app.parts.AssetSource
import org.edgefacenet.app.parts.Assets
import org.edgefacenet.app.parts.Networks
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Settings
import org.edgefacenet.app.parts.Startup
import org.edgefacenet.app.parts.Work
import org.edgefacenet.app.pictures.PhotoReader
import org.edgefacenet.app.pictures.Pictures
import org.edgefacenet.core.OpenSet
import org.edgefacenet.engine.BytedecoGraph

/** What the screens are made of, on a phone. */
open class Parts(context: Context) {
    open val work: Work = Work(thread("files and networks"), Screen())

    /** What looks at a camera's frames: beside a photo that is looked at they wait for single calls of the networks alone. */
    open val analyst: Executor = thread("camera analysis")
    open val measuring: Executor = thread("benchmark")
    open val assets: AssetSource = ApkAssets(context.assets)
    open val cameras: CameraSource = Camera2Source(context)
    open val pictures: Pictures = PhotoReader(context.contentResolver, context::getString)
    val settings: Settings = StoredSettings(context)

    /** The people's file. */
    val gallery: File = File(context.filesDir, "gallery.json")
    private val phone = Phone(context)

    open val bench: Bench = Bench(BytedecoGraph, GpuEngine.factory, RecordProvider.folder(context), phone::machine, phone::trouble)

    val startup: Startup by lazy { Startup(work) { Session(networks(), gallery) { settings.fpir } } }

    protected open fun networks(): Networks = Networks.open(Assets.open(assets), BytedecoGraph)

    private fun thread(name: String): Executor = Executors.newSingleThreadExecutor { Thread(it, "edge-facenet $name") }
}

/** The thread of the screens. */
private class Screen : Executor {
    private val handler = Handler(Looper.getMainLooper())

    override fun execute(work: Runnable) {
        handler.post(work)
    }
}

/** Files of the APK: mapped where they are stored as they are, as models are, and read otherwise. */
internal class ApkAssets(private val assets: AssetManager) : AssetSource {
    override fun read(name: String): ByteBuffer = try {
        assets.openFd(name).use { file ->
            FileInputStream(file.fileDescriptor).channel.map(FileChannel.MapMode.READ_ONLY, file.startOffset, file.length)
        }
    } catch (_: FileNotFoundException) {
        val bytes = assets.open(name).use { it.readBytes() } // compressed, or not there: then this says so
        ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).apply { flip() }
    }
}

private class StoredSettings(context: Context) : Settings {
    private val stored = context.getSharedPreferences("settings", Context.MODE_PRIVATE)

    override var fpir: Double
        get() = stored.getString(FPIR, null)?.toDoubleOrNull()?.takeIf { it > 0 && it < 1 } ?: OpenSet.FPIR
        set(value) = stored.edit().putString(FPIR, value.toString()).apply()

    override var refused: Boolean
        get() = stored.getBoolean(REFUSED, false)
        set(value) = stored.edit().putBoolean(REFUSED, value).apply()

    private companion object {
        const val FPIR = "fpir"
        const val REFUSED = "camera refused"
    }
}
