package org.edgefacenet.core

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test
import java.nio.ByteBuffer

/** Plays the two face networks as tests/golden/android_faces.py does. */
class StubNets(private val calls: List<List<List<Double>>>, private val looks: List<List<Double>>) {
    var detectorAsked = 0
    var meshAsked = 0

    val detector = StubGraph(
        listOf(floats("in", 1, 128, 128, 3)), listOf(floats("regressors", 1, 896, 16), floats("classificators", 1, 896, 1)),
    ) { detect() }

    val mesh = StubGraph(listOf(floats("in", 1, 192, 192, 3)), listOf(floats("points", 1, 1, 1, 1404), floats("presence", 1, 1, 1, 1))) {
        val (logit, turns) = looks[minOf(meshAsked++, looks.size - 1)]
        listOf(direct(meshPoints(turns.toInt())), direct(floatArrayOf(logit.toFloat())))
    }

    private fun detect(): List<ByteBuffer> {
        val boxes = FloatArray(896 * 16)
        val logits = FloatArray(896) { -9f }
        for ((anchor, logit, x, y, side) in calls.getOrElse(detectorAsked++) { emptyList() }) {
            val k = anchor.toInt()
            val cells = if (k < 512) 16 else 8
            val cell = if (k < 512) k / 2 else (k - 512) / 6
            val dx = x - (cell % cells + 0.5) / cells * 128
            val dy = y - (cell / cells + 0.5) / cells * 128
            logits[k] = logit.toFloat()
            val values = listOf(dx, dy, side, side * 1.1) + PLACES.chunked(2).flatMap { (px, py) -> listOf(dx + px * side, dy + py * side) }
            values.forEachIndexed { i, it -> boxes[16 * k + i] = it.toFloat() }
        }
        return listOf(direct(boxes), direct(logits))
    }

    private fun meshPoints(turns: Int): FloatArray {
        val noise = Golden.noise(1404, 77)
        val points = DoubleArray(1404) { (noise[it].toInt() and 0xFF) / 2.0 + 32 }
        for ((k, x, y) in FIXED) {
            points[3 * k] = x.toDouble()
            points[3 * k + 1] = y.toDouble()
        }
        for ((eye, x, y) in listOf(Triple(Mesh.EYE_LEFT, 70, 74), Triple(Mesh.EYE_RIGHT, 115, 76))) for (k in eye.drop(1)) {
            points[3 * k] = points[3 * k] / 16 + x
            points[3 * k + 1] = points[3 * k + 1] / 16 + y
        }
        repeat(turns) {
            for (k in 0 until 468) {
                val x = points[3 * k]
                points[3 * k] = 192 - points[3 * k + 1]
                points[3 * k + 1] = x
            }
        }
        return FloatArray(1404) { points[it].toFloat() }
    }

    private companion object {
        val PLACES = listOf(-0.2, -0.15, 0.2, -0.13, 0.01, 0.05, 0.02, 0.3, -0.4, 0.0, 0.4, 0.02)
        val FIXED = listOf(
            Triple(33, 60, 80), Triple(263, 130, 84), Triple(4, 97, 110), Triple(61, 75, 140), Triple(291, 122, 141), Triple(10, 96, 30), Triple(152, 97, 175),
        )
    }
}

/** Finding faces gives Python's figures for the same answers of the networks. */
class FacesTest {
    private val photo = Golden.smooth(200, 150, 1)

    private fun calls(case: JsonObject) = case.list("calls").map { call -> (call as JsonArray).map { it.numbers() } }

    @Test
    fun `decoding and merging of detections`() = Golden.list("detect").forEach { case ->
        val nets = StubNets(calls(case), listOf(listOf(0.0, 0.0)))
        val found = BlazeFace(nets.detector, FaceModels.DETECTOR.pixels).detect(photo, case.int("turns"))
        val name = "${case.text("name")}, turns ${case.int("turns")}"
        assertEquals(name, case.int("asked"), nets.detectorAsked)
        val expected = case.list("faces").map { it as JsonObject }
        assertEquals(name, expected.size, found.size)
        for ((e, f) in expected.zip(found)) {
            assertNumbers(name, e.list("box").numbers() + e.list("points").numbers() + e.double("score"), f.box.toList() + f.points.xy.toList() + f.score, 1e-9)
            assertEquals(e.int("turns"), f.turns)
        }
        assertNumbers("prominence", case.list("prominence").numbers(), found.map { FaceFinder.prominence(it, 200, 150) }, 1e-6)
    }

    @Test
    fun `the whole search, with retries and turned photos`() = Golden.list("find").forEach { case ->
        val nets = StubNets(calls(case), case.list("looks").map { it.numbers() })
        val found = FaceFinder(nets.detector, nets.mesh).find(photo)
        val name = case.text("name")
        assertEquals(name, case.int("detector_asked") to case.int("mesh_asked"), nets.detectorAsked to nets.meshAsked)
        val expected = case.list("faces").map { it as JsonObject }
        assertEquals(name, expected.size, found.size)
        for ((e, f) in expected.zip(found)) {
            assertNumbers(name, e.list("points").numbers() + e.double("tilt") + e.double("score") + e.double("presence"), f.alignment().xy.toList() + f.tilt + f.exactScore + f.exactPresence, 1e-7)
            assertEquals(name, e.int("turns"), f.turns)
            assertEquals(name, e.optional("yaw") ?: 999.0, f.yaw ?: 999.0, 1e-7)
            assertEquals(name, e.optional("pitch") ?: 999.0, f.pitch ?: 999.0, 1e-7)
        }
    }

    @Test
    fun `a camera's frame is not looked at turned`() {
        val nets = StubNets(listOf(listOf(listOf(100.0, 1.0, 60.0, 62.0, 40.0))), listOf(listOf(6.0, 0.0)))
        assertEquals(1, FaceFinder(nets.detector, nets.mesh).find(photo, 5, turned = false).size)
        assertEquals(1, nets.detectorAsked)
        val none = StubNets(emptyList(), listOf(listOf(6.0, 0.0)))
        assertTrue(FaceFinder(none.detector, none.mesh).find(photo, 5, turned = false).isEmpty())
    }

    @Test
    fun `no face and ten faces`() {
        val nobody = StubNets(emptyList(), listOf(listOf(6.0, 0.0)))
        assertTrue(FaceFinder(nobody.detector, nobody.mesh).find(photo).isEmpty())
        val ten = List(10) { listOf(2.0 * (32 * (it / 5 + 4) + 3 * it), 3.0 - 0.1 * it, 12.0 + 24 * (it % 5), 40.0 + 30 * (it / 5), 18.0) }
        val crowd = StubNets(listOf(ten), listOf(listOf(6.0, 0.0)))
        assertEquals(10, FaceFinder(crowd.detector, crowd.mesh).find(photo).size)
        val first = StubNets(listOf(ten), listOf(listOf(6.0, 0.0)))
        assertEquals(3, FaceFinder(first.detector, first.mesh).find(photo, 3).size)
    }

    @Test
    fun `faces come cut and judged`() {
        val two = listOf(listOf(100.0, 3.0, 60.0, 62.0, 40.0), listOf(300.0, 2.5, 20.0, 90.0, 20.0))
        val nets = StubNets(listOf(two), listOf(listOf(6.0, 0.0)))
        val found = FoundFace.of(FaceFinder(nets.detector, nets.mesh), photo)
        assertEquals(listOf(112, 112), found.map { it.crop.width })
        assertEquals(found[0].face.points.let { Math.hypot((it[1].x - it[0].x).toDouble(), (it[1].y - it[0].y).toDouble()) }, found[0].quality.facePx, 0.06)
        val doubtful = StubNets(listOf(two.map { it.toMutableList().apply { set(1, -0.3) } }), listOf(listOf(-6.0, 0.0)))
        assertTrue("neither detector nor mesh is sure", FoundFace.of(FaceFinder(doubtful.detector, doubtful.mesh), photo, turned = false).isEmpty())
    }

    @Test
    fun `without phantoms, and with small faces in parts of the photo`() = Golden.list("found").forEach { case ->
        val nets = StubNets(calls(case), case.list("looks").map { it.numbers() })
        val side = case.int("side")
        val found = FoundFace.of(FaceFinder(nets.detector, nets.mesh), Golden.smooth(side, side * 3 / 4, 1))
        val name = case.text("name")
        assertEquals(name, case.int("detector_asked") to case.int("mesh_asked"), nets.detectorAsked to nets.meshAsked)
        val expected = case.list("faces").map { it as JsonObject }
        assertEquals(name, expected.size, found.size)
        for ((e, f) in expected.zip(found)) {
            // Python rounds to a tenth of a pixel here
            assertNumbers(name, e.list("points").numbers(), f.face.alignment().xy.toList(), 0.0501)
            assertNumbers(name, e.list("box").numbers(), f.face.box.let { listOf(it.left, it.top, it.right, it.bottom) }.map { it.toDouble() }, 0.0501)
            val said = e.obj("quality")
            assertNumbers(name, listOf(said.double("face_px"), said.double("cut_off"), said.double("luminance")), listOf(f.quality.facePx, f.quality.cutOff, f.quality.luminance), 1e-9)
        }
    }

    @Test
    fun `parts of a photo`() = Golden.list("parts").forEach { case ->
        val (width, height) = case.list("size").numbers().map { it.toInt() }
        assertEquals("$width x $height", case.list("parts").numbers().map { it.toInt() }, SmallFaces.parts(width, height).flatMap { it.toList() })
    }

    @Test
    fun `large photos are read smaller`() {
        assertEquals(listOf(1, 1, 2, 4, 8), listOf(640, 2048, 4000, 8000, 12_000).map { PhotoLimits.sampleSize(it, it * 3 / 4) })
        assertTrue("128 megapixels" in refused<InputException> { PhotoLimits.sampleSize(20_000, 10_000) })
        assertTrue("not a picture" in refused<InputException> { PhotoLimits.sampleSize(-1, -1) })
    }

    @Test
    fun `points without a mesh, and the template`() {
        val golden = Golden.file("android/fallback") as JsonObject
        val six = Points(golden.list("six").numbers().toDoubleArray())
        val five = FaceFinder.detectorPoints(Detection(0.9, doubleArrayOf(20.0, 20.0, 100.0, 120.0), six, 0))
        assertNumbers("five", golden.list("five").numbers(), five.xy.toList(), 1e-9)
        val matrix = Aligner.similarity(five, Aligner.target(112))
        for ((name, it) in listOf("matrix" to matrix, "inverse" to matrix.inverse())) {
            assertNumbers(name, golden.list(name).numbers(), listOf(it.a, it.b, it.c, it.d, it.e, it.f), 1e-9)
        }
        golden.obj("targets").forEach { (size, points) -> assertNumbers("target $size", points.numbers(), Aligner.target(size.toInt()).xy.toList(), 1e-9) }
    }

    @Test
    fun `what is pinned is what Python pins`() {
        val golden = Golden.file("android/pinned") as JsonObject
        assertEquals(golden.text("aligner"), FaceModels.alignerFingerprint)
        assertEquals(golden.text("faces_sha256"), SelfTest.SHA256)
        val goldens = mapOf("blazeface-short" to FaceModels.DETECTOR_GOLDEN, "face-mesh" to FaceModels.MESH_GOLDEN)
        for (model in listOf(FaceModels.DETECTOR, FaceModels.MESH)) {
            val said = golden.obj("models").obj(model.name)
            assertEquals(listOf(said.text("file"), said.text("sha256")), listOf(model.file, model.sha256))
            assertNumbers("golden", said.list("golden").numbers(), goldens.getValue(model.name), 0.0)
            val pixels = said.obj("pixels")
            assertNumbers("pixels", pixels.list("mean").numbers() + pixels.list("scale").numbers() + pixels.double("size"), model.pixels.mean + model.pixels.scale + model.pixels.size.toDouble(), 0.0)
        }
    }

    @Test
    fun `damaged face models and other networks in their place are refused`() {
        assertTrue("damaged" in refused<ManifestException> { FaceModels.MESH.checked(ByteBuffer.wrap(byteArrayOf(1, 2, 3))) })
        val nets = StubNets(emptyList(), listOf(listOf(0.0, 0.0)))
        assertTrue("face detector" in refused<ManifestException> { FaceFinder(nets.mesh, nets.mesh) })
        assertTrue("face mesh" in refused<ManifestException> { FaceFinder(nets.detector, nets.detector) })
        val small = StubGraph(listOf(floats("in", 1, 96, 96, 3)), nets.detector.outputs) { emptyList() }
        assertTrue("(1, 128, 128, 3)" in refused<ManifestException> { FaceFinder(small, nets.mesh) })
    }

    @Test
    fun `face models that answer otherwise fail their self-test`() {
        val nets = StubNets(List(9) { listOf(listOf(100.0, 3.0, 60.0, 62.0, 40.0)) }, listOf(listOf(6.0, 0.0)))
        assertTrue("blazeface-short" in refused<SelfTestException> { FaceFinder(nets.detector, nets.mesh).selfTest(Golden.faces) })
    }
}
