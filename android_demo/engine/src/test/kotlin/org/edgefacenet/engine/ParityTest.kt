package org.edgefacenet.engine

import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import javax.imageio.ImageIO
import kotlin.math.abs
import kotlin.math.hypot
import kotlin.math.sqrt
import org.edgefacenet.core.Accelerator
import org.edgefacenet.core.Aligner
import org.edgefacenet.core.BenchRecord
import org.edgefacenet.core.Benchmark
import org.edgefacenet.core.DetectedFace
import org.edgefacenet.core.Embedder
import org.edgefacenet.core.ExifOrientation
import org.edgefacenet.core.FaceFinder
import org.edgefacenet.core.FaceModel
import org.edgefacenet.core.FaceModels
import org.edgefacenet.core.FoundFace
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.Lane
import org.edgefacenet.core.MachineInfo
import org.edgefacenet.core.OpenSet
import org.edgefacenet.core.Plan
import org.edgefacenet.core.PointF2
import org.edgefacenet.core.RgbImage
import org.junit.AfterClass
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Assume.assumeTrue
import org.junit.Before
import org.junit.Test

/**
 * A hundred real faces through the whole pipeline against what Python made of them: `tests/android/parity.py` writes the
 * folder that `-Dparity=FOLDER` names; without it nothing is compared, and the tests are counted as skipped.
 *
 * Both sides run the same face models on different interpreters (LiteRT 2.3 and TensorFlow Lite 2.21), whose float sums
 * differ in the last bits. That moves a point by less than 0.001 px, and where a pixel lies next to a rounding, the pixel by
 * one grey level. From equal points, crops are equal to the byte; from equal tensors, int8 outputs are.
 */
class ParityTest {
    @Before
    fun asked() = assumeTrue("needs -Dparity=FOLDER, which tests/android/parity.py writes", folder != null)

    @Test
    fun `boxes and points`() {
        for (photo in photos) {
            assertEquals("${photo.name}: faces and turns", photo.faces to photo.turns, photo.found.size to photo.found[0].turns)
            val face = photo.found[0]
            val off = photo.points.indices.maxOf { hypot(face.points[it].x.toDouble() - photo.points[it].first, face.points[it].y.toDouble() - photo.points[it].second) }
            note("largest distance of a point, px", off)
            // a box comes off the detector alone, in photos of up to 1600 px
            val box = listOf(face.box.left, face.box.top, face.box.right, face.box.bottom)
            note("largest distance of a box's edge, px", box.indices.maxOf { abs(box[it] - photo.box[it]) })
        }
        assertTrue(figures.toString(), figure("largest distance of a point, px") < POINT)
        assertTrue(figures.toString(), figure("largest distance of a box's edge, px") < BOX)
    }

    @Test
    fun `crops and tensors`() {
        for (photo in photos) {
            val given = DetectedFace(photo.found[0].box, photo.points.map { PointF2(it.first.toFloat(), it.second.toFloat()) }, 1f, 1f)
            compared("from Python's points, as floats", photo.bytes("crop"), Aligner.crop(photo.image, given).pixels)
            compared("from Kotlin's points", photo.bytes("crop"), photo.crop.pixels)
            for ((name, embedder) in embedders) {
                val python = RgbImage(Aligner.CROP_SIDE, Aligner.CROP_SIDE, photo.bytes("crop"))
                assertArrayEquals("$name of ${photo.name}: tensor of equal crops", photo.bytes("$name.tensor"), embedder.tensor(python))
            }
            compared("int8 tensor, end to end", photo.bytes("mobile-int8.tensor"), embedders.getValue("mobile-int8").tensor(photo.crop))
        }
        for (what in listOf("from Python's points, as floats", "from Kotlin's points", "int8 tensor, end to end")) {
            assertTrue(figures.toString(), figure("$what: largest difference, grey levels") <= GREY)
            assertTrue(figures.toString(), figure("$what: bytes that differ") / figure("$what: bytes") < SHARE)
        }
    }

    @Test
    fun `equal tensors give equal int8 outputs and float outputs of cosine 0,9999`() {
        for (photo in photos) {
            val int8 = embedders.getValue("mobile-int8")
            assertArrayEquals(photo.name, photo.bytes("mobile-int8.raw"), int8.run(photo.bytes("mobile-int8.tensor")))
            val float = embedders.getValue("mobile-fp16")
            val cosine = cosine(floats(float.run(photo.bytes("mobile-fp16.tensor"))), floats(photo.bytes("mobile-fp16.raw")))
            noteLeast("float, equal tensors: lowest cosine", cosine)
            assertTrue("${photo.name}: $cosine", cosine >= COSINE)
        }
    }

    @Test
    fun `embeddings from the photo on`() {
        for (photo in photos) for (name in embedders.keys) {
            val cosine = cosine(photo.embedding(name), floats(photo.bytes("$name.embedding")))
            noteLeast("$name, end to end: lowest cosine", cosine)
            // one grey level in a crop moves a float embedding by 1e-6; int8 rounds in its first layer and passes it on
            assertTrue("$name of ${photo.name}: $cosine", cosine >= if (name == "mobile-int8") COSINE_INT8 else COSINE)
        }
    }

    @Test
    fun `all decisions on the pairs`() {
        val lines = File(folder, "pairs.tsv").readLines().map { it.split('\t') }
        assertEquals(200, lines.size)
        for (fields in lines) for ((at, name) in MODELS.withIndex()) {
            val (a, b) = fields.take(2).map { photos[it.toInt()].embedding(name) }
            val said = fields[3 + 2 * at] == "1"
            val thresholds = embedders.getValue(name).artifact.manifest.thresholds
            note("largest difference of a pair's score", abs(OpenSet.dot(a, b) - fields[2 + 2 * at].toDouble()))
            assertEquals("$name, photos ${fields[0]} and ${fields[1]}", said, OpenSet.isSame(a, b, thresholds))
        }
        assertEquals("photos of both kinds of pairs", setOf("0", "1"), lines.map { it[3] }.toSet())
    }

    @Test
    fun `face models answer as they should, and the benchmark writes a record of the real engine`() {
        finder.selfTest(Files.faces())
        val artifact = embedders.getValue("mobile-int8").artifact
        val lanes = listOf(1, 2).map { Lane("tflite-runtime", Accelerator.CPU, it) }
        val run = Benchmark(lanes, Files.faces(), Plan(seconds = 0.5, pacedSeconds = 0.4)) {
            Embedder(artifact, BytedecoGraph.open(artifact.model, GraphOptions(it.threads)))
        }.run()
        val machine = MachineInfo("JVM of the tests", System.getProperty("os.arch"), System.getProperty("os.name"), mapOf("tensorflow-lite" to "2.21.0"))
        val records = File(folder, "records").apply { mkdirs() }
        for (record in BenchRecord.of(artifact, run, machine, listOf("a test on a shared machine"))) File(records, record.name).writeText(record.json)
        assertEquals(listOf("timed", "timed"), run.lanes.map { it.status })
        assertTrue(run.lanes.all { lane -> lane.notes.any { "self-test passed" in it } })
    }

    @Test
    fun `a crop half a pixel off would be noticed`() {
        val photo = photos[0]
        val moved = photo.points.map { PointF2(it.first.toFloat() + 0.5f, it.second.toFloat()) }
        compared("half a pixel off", photo.bytes("crop"), Aligner.crop(photo.image, moved).pixels)
        assertTrue(figure("half a pixel off: largest difference, grey levels") > GREY)
        assertTrue(figure("half a pixel off: bytes that differ") / figure("half a pixel off: bytes") > SHARE)
    }

    /** JPEG's blocks lie otherwise in a turned picture: its rounding, not the orientation, is what is left between them. */
    @Test
    fun `C154 a photo stored in eight orientations gives one embedding`() {
        val embedder = embedders.getValue("mobile-fp16")
        val embeddings = (1..8).map { orientation ->
            val file = File(folder, "exif-$orientation.jpg")
            val bytes = file.readBytes()
            assertEquals(orientation, ExifOrientation.read(bytes))
            val upright = ExifOrientation.apply(decode(file), orientation)
            assertEquals(640 to 480, upright.width to upright.height)
            val face = FoundFace.of(finder, upright).single()
            assertEquals(0, face.face.turns)
            embedder.embed(face.crop)
        }
        for (other in embeddings) noteLeast("EXIF orientations: lowest cosine", OpenSet.dot(embeddings[0], other))
        assertTrue(figures.toString(), figure("EXIF orientations: lowest cosine") > 0.99)
    }

    private fun compared(what: String, expected: ByteArray, found: ByteArray) {
        val differences = expected.indices.map { abs((expected[it].toInt() and 0xFF) - (found[it].toInt() and 0xFF)) }.map { minOf(it, 256 - it) }
        note("$what: largest difference, grey levels", differences.max().toDouble())
        add("$what: bytes that differ", differences.count { it > 0 })
        add("$what: bytes", expected.size)
    }

    /** A photo, what Python wrote about it, and what Kotlin finds. */
    private class Photo(fields: List<String>) {
        val name = fields[0]
        val faces = fields[2].toInt()
        val turns = fields[3].toInt()
        val box = fields.subList(6, 10).map { it.toDouble() }
        val points = fields.subList(10, 20).map { it.toDouble() }.chunked(2).map { (x, y) -> x to y }
        val image: RgbImage by lazy { decode(File(folder, "$name.png")) }
        val found: List<DetectedFace> by lazy { finder.find(image) }
        val crop: RgbImage by lazy { Aligner.crop(image, found[0]) }
        private val embeddings = HashMap<String, FloatArray>()

        fun bytes(suffix: String): ByteArray = File(folder, "$name.$suffix").readBytes()

        fun embedding(model: String): FloatArray = embeddings.getOrPut(model) { embedders.getValue(model).embed(crop) }
    }

    companion object {
        private val MODELS = listOf("mobile-fp16", "mobile-int8")

        /** Derived from float32 sums of a thousand terms (1e-6 of 192 px) times the largest photo over the network's input (8). */
        private const val POINT = 0.01
        private const val BOX = 0.05

        /** Pixels next to a rounding move by one level; more would be another arithmetic. */
        private const val GREY = 1.0
        private const val SHARE = 0.01
        private const val COSINE = 0.9999
        private const val COSINE_INT8 = 0.999
        private val folder = System.getProperty("parity")?.let(::File)
        private val figures = sortedMapOf<String, Double>()
        private val finder by lazy { FaceFinder(graph(FaceModels.DETECTOR), graph(FaceModels.MESH)) }
        private val photos by lazy { File(folder, "photos.tsv").readLines().map { Photo(it.split('\t')) } }
        private val embedders by lazy { MODELS.associateWith { name -> Files.artifact(name.removePrefix("mobile-")).let { Embedder(it, BytedecoGraph.open(it.model, GraphOptions(1))) } } }

        private fun decode(file: File): RgbImage {
            val picture = ImageIO.read(file)
            val argb = picture.getRGB(0, 0, picture.width, picture.height, null, 0, picture.width)
            return RgbImage(picture.width, picture.height, ByteArray(3 * argb.size) { (argb[it / 3] shr (16 - 8 * (it % 3))).toByte() })
        }

        private fun graph(model: FaceModel) = BytedecoGraph.open(model.checked(ByteBuffer.wrap(File(folder, model.file).readBytes())), GraphOptions(1))

        private fun floats(bytes: ByteArray): FloatArray =
            ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().let { buffer -> FloatArray(buffer.remaining()) { buffer.get(it) } }

        private fun cosine(a: FloatArray, b: FloatArray): Double = OpenSet.dot(a, b) / sqrt(OpenSet.dot(a, a) * OpenSet.dot(b, b))

        private fun figure(what: String) = figures.getValue(what)

        private fun note(what: String, value: Double) {
            figures[what] = maxOf(figures[what] ?: 0.0, value)
        }

        private fun noteLeast(what: String, value: Double) {
            figures[what] = minOf(figures[what] ?: 1.0, value)
        }

        private fun add(what: String, count: Int) {
            figures[what] = (figures[what] ?: 0.0) + count
        }

        /** For the driver, which prints and checks them again. */
        @AfterClass
        @JvmStatic
        fun written() {
            if (folder != null) File(folder, "kotlin.tsv").writeText(figures.entries.joinToString("") { "${it.key}\t${it.value}\n" })
        }
    }
}
