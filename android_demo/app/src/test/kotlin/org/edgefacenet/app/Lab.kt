package org.edgefacenet.app

import java.io.File
import java.io.IOException
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.concurrent.Executor
import javax.imageio.ImageIO
import org.edgefacenet.app.camera.CameraListener
import org.edgefacenet.app.camera.CameraSource
import org.edgefacenet.app.camera.Facing
import org.edgefacenet.app.parts.AssetSource
import org.edgefacenet.app.parts.Assets
import org.edgefacenet.app.parts.Looked
import org.edgefacenet.app.parts.Networks
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Work
import org.edgefacenet.app.pictures.Picture
import org.edgefacenet.app.pictures.Pictures
import org.edgefacenet.core.Hash
import org.edgefacenet.core.InputException
import org.edgefacenet.core.Plane
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.Sample
import org.edgefacenet.core.YuvFrame
import org.edgefacenet.engine.BytedecoGraph
import org.junit.Assume.assumeTrue

/** What the tests work with: the released networks on the real interpreter, and pictures with faces in them. */
internal object Lab {
    val assets = FolderAssets(File(System.getProperty("assets")))
    val networks: Networks by lazy { Networks.open(Assets.open(assets), BytedecoGraph) }

    /** What a released manifest says under a key; a model file's name holds its hash, so another release has another name. */
    fun told(manifest: String, key: String): String {
        val text = assets.read("models/$manifest.json").let { buffer -> String(ByteArray(buffer.limit()).also { buffer.get(it) }) }
        return Regex("\"$key\": \"([^\"]+)\"").find(text)!!.groupValues[1]
    }

    /** Everything at once, on the thread of the test. */
    val work = Work(Executor { it.run() }, Executor { it.run() })
    private val looked = HashMap<String, List<Looked>>()

    fun folder(): File {
        val folder = System.getProperty("pictures").orEmpty()
        assumeTrue("No pictures: run tests/android/pictures.py FOLDER and give -Dpictures=FOLDER.", File(folder, "complete").exists())
        return File(folder)
    }

    fun scene(name: String): RgbImage = decode(File(folder(), "$name.png"))

    fun photo(name: String): File = File(folder(), "photos/$name.jpg")

    /** As the system's picker gives it. */
    fun address(name: String): String = "content://photos/$name"

    fun decode(file: File): RgbImage {
        val picture = ImageIO.read(file) ?: throw InputException("${file.name} is not a picture.")
        val pixels = ByteArray(3 * picture.width * picture.height)
        for (y in 0 until picture.height) for (x in 0 until picture.width) {
            val value = picture.getRGB(x, y)
            for (c in 0..2) pixels[3 * (y * picture.width + x) + c] = (value shr (16 - 8 * c)).toByte()
        }
        return RgbImage(picture.width, picture.height, pixels)
    }

    /** The faces of a photo; worked out once. */
    fun look(photo: String): List<Looked> = synchronized(looked) { looked.getOrPut(photo) { networks.look(decode(photo(photo)), turned = true) } }

    /** Enroll ORL's person under a name with so many photos. */
    fun enroll(session: Session, name: String, person: Int, photos: IntRange = 1..3) {
        val samples = photos.map { Sample(look("$person-$it").single().embedding, "hash $person-$it", "$person-$it.jpg") }
        session.people!!.enroll(name, samples)
    }
}

internal class FolderAssets(private val folder: File, private val change: (String, ByteArray) -> ByteArray? = { _, bytes -> bytes }) : AssetSource {
    override fun read(name: String): ByteBuffer {
        val bytes = change(name, File(folder, name).readBytes()) ?: throw IOException("$name is not there")
        return ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).put(bytes).apply { flip() }
    }

    /** The same with some files changed, or, where [next] gives null, missing. */
    fun with(next: (String, ByteArray) -> ByteArray?) = FolderAssets(folder, next)
}

/** Photos out of the folder, by name. */
internal object FolderPictures : Pictures {
    override fun read(address: String): Picture {
        val file = Lab.photo(address)
        if (!file.exists()) throw InputException("The picture cannot be read; it may have been moved or deleted. Choose another.")
        return Picture(Lab.decode(file), Hash.sha256(file.readBytes()), file.name)
    }
}

/** Cameras that see what a test shows them. */
internal class TestCameras(var present: List<Facing> = listOf(Facing.BACK, Facing.FRONT)) : CameraSource {
    var listener: CameraListener? = null
    var opened: Facing? = null
    var openings = 0
    var closings = 0

    override fun facings(): List<Facing> = present

    override fun open(facing: Facing, listener: CameraListener): java.io.Closeable {
        this.listener = listener
        opened = facing
        openings++
        return java.io.Closeable {
            closings++
            opened = null
        }
    }

    /** A frame as a sensor that is built in turned by [sensor] delivers it. */
    fun show(upright: RgbImage, sensor: Int = 90) = listener!!.onFrame(Frames.yuv(upright.turned(360 - sensor)), sensor)
}

/** Camera frames out of pictures. */
internal object Frames {
    /** As most phones have it: rows with padding, U and V interleaved. */
    fun yuv(image: RgbImage): YuvFrame {
        val stride = image.width + 32
        val (w, h) = (image.width + 1) / 2 to (image.height + 1) / 2
        val luma = direct(stride * image.height)
        val chroma = direct(2 * w * h + 1)
        for (y in 0 until image.height) for (x in 0 until image.width) {
            val (r, g, b) = List(3) { image.pixels[3 * (y * image.width + x) + it].toInt() and 0xFF }
            luma.put(y * stride + x, byte(0.299 * r + 0.587 * g + 0.114 * b))
            if (x % 2 == 1 || y % 2 == 1) continue
            val at = 2 * (y / 2 * w + x / 2)
            chroma.put(at, byte(128 - 0.168736 * r - 0.331264 * g + 0.5 * b))
            chroma.put(at + 1, byte(128 + 0.5 * r - 0.418688 * g - 0.081312 * b))
        }
        val blue = chroma.duplicate().apply { limit(2 * w * h - 1) }
        val red = chroma.duplicate().apply { position(1) }.slice().apply { limit(2 * w * h - 1) }
        return YuvFrame(image.width, image.height, Plane(luma, stride, 1), Plane(blue, 2 * w, 2), Plane(red, 2 * w, 2))
    }

    private fun direct(size: Int) = ByteBuffer.allocateDirect(size).order(ByteOrder.nativeOrder())

    private fun byte(value: Double): Byte = Math.round(value).toInt().coerceIn(0, 255).toByte()
}
