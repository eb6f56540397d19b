package org.edgefacenet.core

import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer

/** Pictures come out byte for byte as Python's. */
class PicturesTest {
    @Test
    fun `input tensors`() = Golden.list("pixels").forEach { case ->
        val spec = Manifest.pixels(JsonReader(case.getValue("pixels"), "pixels", ::ManifestException))
        val buffer = spec.buffer()
        repeat(2) { spec.write(Golden.picture(5, 5, 1), buffer) }
        assertBytes("tensor of ${case["pixels"]}", case.bytes("tensor"), buffer.toBytes())
        assertEquals("a buffer used again is rewound", 0, buffer.position())
    }

    @Test
    fun `an int8 input of ours is the pixel with its highest bit turned over`() {
        val spec = PixelSpec(5, type = TensorType.INT8, quantization = 1.0 / 128 to 0)
        assertTrue(spec.isXor)
        val buffer = spec.buffer()
        spec.write(Golden.picture(5, 5, 1), buffer)
        assertArrayEquals(ByteArray(75) { (Golden.noise(75, 1)[it].toInt() xor 0x80).toByte() }, buffer.toBytes())
    }

    @Test
    fun `a crop of another size is refused`() {
        assertTrue("6 x 6" in refused<InputException> { PixelSpec(5).write(Golden.picture(6, 6, 1), PixelSpec(5).buffer()) })
    }

    @Test
    fun resizing() = Golden.list("resize").forEach { case ->
        val image = if ("face" in case) Golden.faces[case.int("face")] else Golden.picture(case.int("from"), case.int("from"), case.int("seed"))
        assertBytes("${case.int("from")} to ${case.int("to")}", case.bytes("bytes"), Resize.square(image, case.int("to")).pixels)
    }

    private fun affine(case: JsonObject) = case.list("matrix").numbers().let { Affine(it[0], it[1], it[2], it[3], it[4], it[5]) }

    @Test
    fun warps() = Golden.list("warp").forEach { case ->
        val make = if (case.text("kind") == "smooth") Golden::smooth else Golden::picture
        val image = make(case.int("width"), case.int("height"), case.int("seed"))
        val border = if (case.text("border") == "black") Border.BLACK else Border.REPLICATE
        assertBytes("${case.text("kind")} ${case["matrix"]} $border", case.bytes("bytes"), Warp.warp(image, affine(case), case.int("size"), border).pixels)
    }

    @Test
    fun letterboxes() = Golden.list("letterbox").forEach { case ->
        val box = Letterbox.of(Golden.smooth(case.int("width"), case.int("height"), 9), case.int("size"), case.double("padding"))
        assertNumbers("place", case.list("shift").numbers() + case.double("scale"), listOf(box.shiftX, box.shiftY, box.scale), 1e-12)
        assertBytes("letterbox $case".take(80), case.bytes("bytes"), box.pixels.pixels)
    }

    private fun points(case: JsonObject) = case.list("points").map { it.numbers() }

    @Test
    fun crops() = Golden.list("crop").forEach { case ->
        val points = Points(points(case).flatten().toDoubleArray())
        val found = Aligner.similarity(points, Aligner.target(case.int("size")))
        assertNumbers("similarity", case.list("matrix").numbers(), listOf(found.a, found.b, found.c, found.d, found.e, found.f), 1e-12)
        assertBytes("crop", case.bytes("bytes"), Warp.warp(Golden.faces[0], found, case.int("size"), Border.REPLICATE).pixels)
        // through the public way points are floats: a 1/100,000 px moves few pixels by one grey level
        val floats = points(case).map { PointF2(it[0].toFloat(), it[1].toFloat()) }
        assertBytes("crop by floats", case.bytes("bytes"), Aligner.crop(Golden.faces[0], floats, case.int("size")).pixels, tolerance = 1)
    }

    @Test
    fun `points in one place are refused`() {
        assertTrue("coincide" in refused<InputException> { Aligner.crop(Golden.faces[0], List(5) { PointF2(3f, 4f) }) })
        assertTrue("coincide" in refused<InputException> { Aligner.crop(Golden.faces[0], List(5) { PointF2(Float.NaN, 4f) }) })
    }

    @Test
    fun quality() = Golden.list("quality").filter { "face" in it }.forEach { case ->
        val face = DetectedFace(Box(20f, 30f, 90f, 100f), points(case).map { PointF2(it[0].toFloat(), it[1].toFloat()) }, 0.876543f, 0.98765f)
        val exact = Points(points(case).flatten().toDoubleArray())
        face.exact = Exact(exact, 0.876543, 0.98765, 12.34 to -5.67)
        val image = Golden.faces[case.int("face")]
        val found = Quality.measure(image, face, Aligner.crop(image, face))
        val said = case.obj("quality")
        assertNumbers(
            "quality",
            listOf("face_px", "blur", "luminance", "yaw", "pitch", "roll", "score", "presence", "cut_off").map { said.double(it) },
            listOf(found.facePx, found.blur, found.luminance, found.yaw!!, found.pitch!!, found.roll, found.score, found.presence, found.cutOff),
            1e-9,
        )
        assertEquals(case.list("reasons").map { it.toString().trim('"') }, found.reasons())
    }

    @Test
    fun `limits of quality are Python's, rule by rule`() {
        val cases = Golden.list("quality").filter { "rule" in it }
        assertEquals(11, cases.map { it.text("rule") }.distinct().size)
        cases.forEach { case ->
            val said = case.obj("quality")
            fun value(key: String) = said.double(key)
            val seen = Quality(
                value("face_px"), value("blur"), value("luminance"), said.optional("yaw"), said.optional("pitch"), value("roll"), value("score"), value("presence"),
                value("cut_off"),
            )
            assertEquals(case.text("rule"), case.list("reasons").map { it.toString().trim('"') }, seen.reasons())
        }
    }

    @Test
    fun `turning and mirroring a picture`() {
        val image = RgbImage(2, 1, byteArrayOf(1, 2, 3, 4, 5, 6))
        val turned = image.turned(90)
        assertEquals(1 to 2, turned.width to turned.height)
        assertArrayEquals(image.pixels, turned.pixels)
        assertArrayEquals(byteArrayOf(4, 5, 6, 1, 2, 3), image.turned(180).pixels)
        assertArrayEquals(byteArrayOf(4, 5, 6, 1, 2, 3), image.turned(0, mirror = true).pixels)
        assertArrayEquals(image.pixels, image.turned(270).turned(90).pixels)
    }

    // Camera frames

    private fun plane(case: JsonObject, name: String, number: Int): Plane {
        val rows = if (number == 0) case.int("height") else (case.int("height") + 1) / 2
        val columns = if (number == 0) case.int("width") else (case.int("width") + 1) / 2
        val (rowStride, pixelStride) = case.list(name).numbers().map { it.toInt() }
        val length = (rows - 1) * rowStride + (columns - 1) * pixelStride + 1 - if (number == 0) 0 else case.int("short")
        return Plane(Golden.direct(Golden.noise(length, 100 * case.int("seed") + number)), rowStride, pixelStride)
    }

    @Test
    fun `frames of noise in every layout, turned and mirrored`() = Golden.list("yuv").forEach { case ->
        val (left, top, right, bottom) = case.list("crop").numbers().map { it.toInt() }
        val frame = YuvFrame(
            case.int("width"), case.int("height"), plane(case, "y", 0), plane(case, "u", 1), plane(case, "v", 2), CropRect(left, top, right, bottom),
        )
        val found = Yuv.toRgb(frame, case.int("degrees"), case.text("mirror") == "true")
        // fixed point against exact arithmetic: one rounding of 1/65536 apart
        assertBytes("frame ${case.int("seed")}", case.bytes("bytes"), found.pixels, tolerance = 1)
    }

    @Test
    fun `C147 wide rows and a missing last chroma byte`() {
        val golden = Golden.file("android/bars") as JsonObject
        val yuv = golden.list("yuv").map { bar -> bar.numbers().map { it.toInt() } }
        val rgb = golden.list("rgb").map { bar -> bar.numbers().map { it.toInt() } }
        for (case in golden.getValue("frames").jsonArray.map { it as JsonObject }) for (short in listOf(0, case.int("pixel_stride") - 1)) {
            val width = case.int("width")
            val height = case.int("height")
            val stride = case.int("row_stride")
            val step = case.int("pixel_stride")
            val luma = ByteArray((height - 1) * stride + width) { BROKEN }
            for (y in 0 until height) for (x in 0 until width) luma[y * stride + x] = yuv[x * 8 / width][0].toByte()
            fun chroma(which: Int): Plane {
                val half = height / 2
                val bytes = ByteArray((half - 1) * stride + (width / 2 - 1) * step + 1 - short) { BROKEN }
                for (y in 0 until half) for (x in 0 until width / 2) {
                    val at = y * stride + x * step
                    if (at < bytes.size) bytes[at] = yuv[2 * x * 8 / width][which].toByte()
                }
                return Plane(Golden.direct(bytes), stride, step)
            }
            val found = Yuv.toRgb(YuvFrame(width, height, Plane(Golden.direct(luma), stride, 1), chroma(1), chroma(2)))
            for (y in listOf(0, 1, height / 2, height - 2, height - 1)) for (x in 0 until width) for (c in 0..2) {
                val value = found.pixels[3 * (y * width + x) + c].toInt() and 0xFF
                assertEquals("$width x $height short $short at $x, $y", rgb[x * 8 / width][c].toDouble(), value.toDouble(), 2.0)
            }
        }
    }

    @Test
    fun `a frame that is too short or has impossible strides is refused`() {
        fun plane(size: Int, stride: Int, step: Int = 1) = Plane(ByteBuffer.allocate(size), stride, step)
        val good = YuvFrame(8, 4, plane(32, 8), plane(8, 4), plane(8, 4))
        assertEquals(8, Yuv.toRgb(good).width)
        fun message(y: Plane = good.y, u: Plane = good.u, crop: CropRect? = null) = refused<InputException> { Yuv.toRgb(YuvFrame(8, 4, y, u, good.v, crop)) }
        assertTrue("30 bytes" in message(y = plane(30, 8)))
        assertTrue("plane U" in message(u = plane(4, 4)))
        assertTrue("row stride 7" in message(y = plane(32, 7)))
        assertTrue("pixel stride 0" in message(u = plane(8, 4, 0)))
        assertTrue("cannot be cut" in message(crop = CropRect(0, 0, 9, 4)))
        assertTrue("cannot be cut" in message(crop = CropRect(4, 0, 4, 4)))
    }

    @Test
    fun `a frame shrunk for analysis keeps its orientation`() {
        val y = Plane(Golden.direct(ByteArray(64) { (it * 3).toByte() }), 8, 1)
        val grey = Plane(Golden.direct(ByteArray(16) { -128 }), 4, 1)
        val found = Yuv.toRgb(YuvFrame(8, 8, y, grey, grey), shrink = 2)
        assertEquals(4 to 4, found.width to found.height)
        assertEquals(listOf(0, 6, 12, 18, 48), (0..4).map { found.pixels[3 * it].toInt() and 0xFF })
    }

    @Test
    fun `C154 every EXIF orientation comes out upright`() = Golden.list("exif").forEach { case ->
        val orientation = ExifOrientation.read(case.bytes("jpeg"))
        assertEquals(case.int("orientation"), orientation)
        val stored = RgbImage(case.int("width"), case.int("height"), case.bytes("stored"))
        assertBytes("orientation $orientation", case.bytes("upright"), ExifOrientation.apply(stored, orientation).pixels)
    }

    @Test
    fun `damaged EXIF loses no picture`() {
        val sound = Golden.list("exif")[5].bytes("jpeg")
        for (length in 0..sound.size step 3) assertTrue(ExifOrientation.read(sound.copyOf(length)) in setOf(1, 6))
        for (seed in 0 until 200) {
            val damaged = sound.copyOf()
            Golden.noise(3, seed).forEachIndexed { i, byte -> damaged[(byte.toInt() and 0x3F) + 2 + i] = (seed * 31 + i).toByte() }
            assertTrue(ExifOrientation.read(damaged) in 1..8)
        }
        assertEquals("a PNG has none", 1, ExifOrientation.read(byteArrayOf(-119, 80, 78, 71)))
    }

    private companion object {
        const val BROKEN: Byte = 0x5A
    }
}
