package org.edgefacenet.app.screens

import android.content.Context
import android.content.Intent
import android.graphics.Bitmap
import android.hardware.camera2.CameraCharacteristics
import android.hardware.camera2.CameraManager
import android.net.Uri
import android.os.Looper
import android.provider.OpenableColumns
import java.io.ByteArrayOutputStream
import java.io.File
import java.io.FileNotFoundException
import org.edgefacenet.app.HandOver
import org.edgefacenet.app.Lab
import org.edgefacenet.app.R
import org.edgefacenet.app.RecordProvider
import org.edgefacenet.app.bench.Phone
import org.edgefacenet.app.camera.Camera2Source
import org.edgefacenet.app.camera.CameraListener
import org.edgefacenet.app.camera.Facing
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.pictures.PhotoReader
import org.edgefacenet.app.pictures.toBitmap
import org.edgefacenet.app.pictures.toRgb
import org.edgefacenet.core.InputException
import org.edgefacenet.core.OpenSet
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.YuvFrame
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowCameraCharacteristics

/** What the app asks of Android: photos, cameras, files for others. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class)
@GraphicsMode(GraphicsMode.Mode.NATIVE)
class PhonePartsTest {
    private val context: Context get() = RuntimeEnvironment.getApplication()
    private val reader get() = PhotoReader(context.contentResolver, context::getString)

    @Test
    fun `c154 a photo stored in any of the eight orientations gives the same face`() {
        val upright = embedding("exif-1")
        // 0.01 apart at most: JPEG's blocks begin at another corner
        val cosines = (2..8).map { OpenSet.dot(upright, embedding("exif-$it")) }
        assertTrue("$cosines", cosines.min() > 1 - 0.01)
    }

    @Test
    fun `c153 a photo of 108 megapixels is read at an eighth, and its face is found`() {
        val used = Runtime.getRuntime().run { totalMemory() - freeMemory() }
        val picture = reader.read(offer("large"))
        assertEquals(1500 to 1125, picture.image.width to picture.image.height)
        val more = Runtime.getRuntime().run { totalMemory() - freeMemory() } - used
        assertTrue("$more bytes", more < 100_000_000) // the whole photo has 432 million
        val seen = Lab.networks.look(picture.image, true).single()
        assertTrue(OpenSet.dot(seen.embedding, embedding("1-2")) > 0.6)
        val (left, right) = seen.found.face.points
        assertEquals("px as they were read", Math.hypot((right.x - left.x).toDouble(), (right.y - left.y).toDouble()), seen.found.quality.facePx, 0.06)
    }

    @Test
    fun `what is no picture, cut off, gone or forbidden is refused in words`() {
        assertRefused(R.string.picture_damaged, offer("no-picture")) { it == context.getString(R.string.picture_damaged) }
        assertRefused(R.string.picture_damaged, offer("cut")) { it == context.getString(R.string.picture_damaged) }
        val forbidden = Uri.parse("content://photos/forbidden")
        shadowOf(context.contentResolver).registerInputStreamSupplier(forbidden) { throw SecurityException("no") }
        assertRefused(R.string.picture_forbidden, forbidden.toString()) { it == context.getString(R.string.picture_forbidden) }
        shadowOf(context.contentResolver).registerInputStreamSupplier(forbidden) { throw FileNotFoundException("deleted") }
        assertRefused(R.string.picture_gone, forbidden.toString()) { it == context.getString(R.string.picture_gone) }
    }

    @Test
    fun `transparency comes onto white, and pixels survive the way to a bitmap and back`() {
        val bitmap = Bitmap.createBitmap(2, 1, Bitmap.Config.ARGB_8888)
        bitmap.setPixel(0, 0, 0x00FF0000)
        bitmap.setPixel(1, 0, 0xFF102030.toInt())
        val bytes = ByteArrayOutputStream().also { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }.toByteArray()
        val uri = Uri.parse("content://photos/clear")
        shadowOf(context.contentResolver).registerInputStreamSupplier(uri) { bytes.inputStream() }
        assertArrayEquals(byteArrayOf(-1, -1, -1, 0x10, 0x20, 0x30), reader.read(uri.toString()).image.pixels)
        val noise = RgbImage(5, 3, ByteArray(45) { (it * 37).toByte() })
        assertArrayEquals(noise.pixels, noise.toBitmap(5).toRgb().pixels)
        assertEquals(3, noise.toBitmap(3).width)
    }

    @Test
    fun `camera2 opens the camera that is asked for, and says what was taken away`() {
        val manager = context.getSystemService(CameraManager::class.java)
        for ((id, facing) in listOf("0" to CameraCharacteristics.LENS_FACING_BACK, "1" to CameraCharacteristics.LENS_FACING_FRONT)) {
            val about = ShadowCameraCharacteristics.newCameraCharacteristics()
            shadowOf(about).set(CameraCharacteristics.LENS_FACING, facing)
            shadowOf(about).set(CameraCharacteristics.SENSOR_ORIENTATION, 270)
            shadowOf(manager).addCamera(id, about)
        }
        val source = Camera2Source(context)
        assertEquals(listOf(Facing.BACK, Facing.FRONT), source.facings())
        val heard = Heard()
        val camera = source.open(Facing.FRONT, heard)
        settle()
        assertEquals(emptyList<Words>(), heard.lost)
        camera.close()
        settle()
        source.open(Facing.EXTERNAL, heard)
        settle()
        assertEquals(listOf(Words.text(R.string.camera_gone)), heard.lost)
    }

    @Test
    fun `without cameras there is nothing to open`() = assertEquals(emptyList<Facing>(), Camera2Source(context).facings())

    @Test
    fun `a record is given to another app and nothing else is`() {
        val folder = RecordProvider.folder(context).apply { mkdirs() }
        val record = File(folder, "edge-facenet-bench-1.json").apply { writeText("[1]") }
        File(context.filesDir, "gallery.json").writeText("people")
        val provider = Robolectric.setupContentProvider(RecordProvider::class.java, "org.edgefacenet.app.records")
        val uri = RecordProvider.uri(record)
        val text = android.os.ParcelFileDescriptor.AutoCloseInputStream(provider.openFile(uri, "r")).use { String(it.readBytes()) }
        assertEquals("[1]", text)
        provider.query(uri, null, null, null, null).use { cursor ->
            assertTrue(cursor.moveToFirst())
            assertEquals(record.name to 3, cursor.getString(cursor.getColumnIndex(OpenableColumns.DISPLAY_NAME)) to cursor.getInt(cursor.getColumnIndex(OpenableColumns.SIZE)))
        }
        assertThrows(FileNotFoundException::class.java) { provider.openFile(uri, "rw") }
        val root = "content://org.edgefacenet.app.records"
        for (path in listOf("$root/../gallery.json", "$root/gallery.json", "$root/..%2Fgallery.json", root)) {
            assertThrows(path, FileNotFoundException::class.java) { provider.openFile(Uri.parse(path), "r") }
        }
    }

    @Test
    fun `sharing hands the record on with the right to read it, saving writes it`() {
        val folder = RecordProvider.folder(context).apply { mkdirs() }
        val record = File(folder, "edge-facenet-bench-1.json").apply { writeText("[1]") }
        val said = ArrayList<Words>()
        val controller = Robolectric.buildActivity(android.app.Activity::class.java).setup()
        val hand = HandOver(controller.get(), Lab.work) { said += it }
        hand.share(record)
        val chooser = shadowOf(controller.get()).nextStartedActivity
        @Suppress("DEPRECATION") // what takes a class is younger than Android 8
        val sent = checkNotNull(chooser.getParcelableExtra<Intent>(Intent.EXTRA_INTENT))
        assertEquals("application/json" to Intent.FLAG_GRANT_READ_URI_PERMISSION, sent.type to (sent.flags and Intent.FLAG_GRANT_READ_URI_PERMISSION))
        assertEquals(RecordProvider.uri(record), checkNotNull(sent.clipData).getItemAt(0).uri)
        val place = Uri.parse("content://documents/record")
        val written = ByteArrayOutputStream()
        shadowOf(context.contentResolver).registerOutputStreamSupplier(place) { written }
        hand.write(record, place)
        assertEquals("[1]", written.toString())
        shadowOf(context.contentResolver).registerOutputStreamSupplier(place) { throw SecurityException("no") }
        hand.write(record, place)
        assertEquals(listOf(R.string.bench_saved, R.string.bench_not_saved), said.map { (it as Words.Text).id })
        controller.close()
    }

    @Test
    fun `the phone describes itself for a record`() {
        val machine = Phone(context).machine()
        assertTrue(machine.system, "Android 15 (API 35)" in machine.system)
        assertNotNull(machine.packages["edge-facenet-android"])
        assertEquals(emptyList<String>(), Phone(context).trouble().faults)
        shadowOf(context.getSystemService(android.os.PowerManager::class.java)).setIsPowerSaveMode(true)
        assertTrue("battery saver" in Phone(context).trouble().faults.single())
    }

    private fun assertRefused(id: Int, address: String, holds: (String) -> Boolean) {
        val message = assertThrows(context.getString(id), InputException::class.java) { reader.read(address) }.message.orEmpty()
        assertTrue(message, message.isNotEmpty() && holds(message))
    }

    private fun embedding(photo: String): FloatArray {
        val picture = reader.read(offer(photo))
        return Lab.networks.look(picture.image, turned = true).single().embedding
    }

    private fun offer(photo: String): String {
        Lab.folder()
        val uri = Uri.parse(Lab.address(photo))
        shadowOf(context.contentResolver).registerInputStreamSupplier(uri) { Lab.photo(photo).inputStream() }
        return uri.toString()
    }

    /** Cameras answer on a looper of their own, which Robolectric runs at once when it is idle. */
    private fun settle() {
        repeat(20) {
            shadowOf(Looper.getMainLooper()).idle()
            org.robolectric.shadows.ShadowLooper.idleMainLooper()
            org.robolectric.shadows.ShadowLooper.runUiThreadTasksIncludingDelayedTasks()
            Thread.sleep(5)
        }
    }

    private class Heard : CameraListener {
        val lost = ArrayList<Words>()

        override fun onFrame(frame: YuvFrame, degrees: Int) = Unit

        override fun onLost(why: Words) {
            synchronized(lost) { lost += why }
        }
    }
}
