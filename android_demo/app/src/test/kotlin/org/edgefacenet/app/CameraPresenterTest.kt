package org.edgefacenet.app

import java.io.File
import org.edgefacenet.app.camera.CameraPresenter
import org.edgefacenet.app.camera.Facing
import org.edgefacenet.app.camera.Kind
import org.edgefacenet.app.camera.Phase
import org.edgefacenet.app.enrol.EnrolPresenter
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.Plane
import org.edgefacenet.core.YuvFrame
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The camera's page decides here, on the real networks and without a phone. */
class CameraPresenterTest {
    @get:Rule
    val folder = TemporaryFolder()
    private val cameras = TestCameras()
    private lateinit var session: Session
    private lateinit var enrol: EnrolPresenter
    private lateinit var camera: CameraPresenter
    private val state get() = camera.state.value

    @Before
    fun open() {
        session = Session(Lab.networks, File(folder.root, "gallery.json"))
        enrol = EnrolPresenter(Lab.work) { session }
        camera = CameraPresenter(Lab.work, { it.run() }, cameras, { session }, enrol)
    }

    @Test
    fun `asks, takes no for an answer, and opens after a yes`() {
        camera.permission(granted = false, refused = false)
        assertEquals(Phase.ASKING, state.phase)
        camera.permission(granted = false, refused = true)
        assertEquals(Phase.REFUSED, state.phase)
        assertNull("nothing is opened without permission", cameras.opened)
        camera.permission(granted = true, refused = false)
        assertEquals(Phase.OPENING to Facing.BACK, state.phase to cameras.opened)
    }

    @Test
    fun `without a camera it says so`() {
        cameras.present = emptyList()
        camera.permission(granted = true, refused = false)
        assertEquals(Phase.ABSENT, state.phase)
        assertNull(cameras.opened)
    }

    @Test
    fun `switching when the last camera was unplugged says that there is none`() {
        camera.permission(granted = true, refused = false)
        cameras.present = emptyList()
        camera.switch()
        assertEquals(Phase.ABSENT to 1, state.phase to cameras.closings)
    }

    @Test
    fun `with one camera there is nothing to switch to, and it is found whichever way it looks`() {
        cameras.present = listOf(Facing.FRONT)
        camera.permission(granted = true, refused = false)
        assertEquals(Facing.FRONT to false, cameras.opened to state.canSwitch)
        assertTrue(state.mirrored)
    }

    @Test
    fun `a camera that is taken away is said, closed, and opened again on demand`() {
        camera.permission(granted = true, refused = false)
        cameras.listener!!.onLost(Words.text(R.string.camera_taken))
        assertEquals(Phase.LOST to Words.text(R.string.camera_taken), state.phase to state.lost)
        assertEquals(1, cameras.closings)
        camera.permission(granted = true, refused = false)
        assertEquals(Phase.OPENING to 2, state.phase to cameras.openings)
    }

    @Test
    fun `a camera that sends damaged frames is said to be lost`() {
        camera.permission(granted = true, refused = false)
        val plane = Plane(java.nio.ByteBuffer.allocateDirect(4), 8, 1)
        cameras.listener!!.onFrame(YuvFrame(8, 8, plane, plane, plane), 0)
        assertEquals(Phase.LOST, state.phase)
        assertTrue(state.lost.toString(), "damaged" in (state.lost as Words.Said).text)
    }

    @Test
    fun `what a camera says after it was left counts for nothing`() {
        camera.permission(granted = true, refused = false)
        val old = cameras.listener!!
        camera.switch()
        assertEquals(Facing.FRONT to true, cameras.opened to state.mirrored)
        old.onLost(Words.text(R.string.camera_taken))
        assertEquals(Phase.OPENING, state.phase)
        camera.stop()
        old.onFrame(Frames.yuv(org.edgefacenet.core.RgbImage(2, 2, ByteArray(12))), 0)
        assertEquals(Phase.OPENING, state.phase)
        assertEquals(2, cameras.closings)
    }

    @Test
    fun `names two people and leaves the stranger unknown, with the reason, whichever way the sensor stands`() {
        people()
        camera.permission(granted = true, refused = false)
        for (sensor in listOf(0, 90, 180, 270)) {
            cameras.show(Lab.scene("trio"), sensor)
            assertEquals("$sensor", listOf(Words.Said("Alex"), Words.text(R.string.unknown), Words.Said("Kim")), state.labels.map { it.title })
            assertEquals(720 to 960, state.width to state.height)
        }
        assertEquals(listOf(Kind.KNOWN, Kind.UNKNOWN, Kind.KNOWN), state.labels.map { it.kind })
        assertEquals(listOf(R.string.why_known, R.string.why_unknown), state.labels.map { (it.why as Words.Text).id }.distinct())
        assertEquals(R.plurals.camera_faces to 3, (state.line as Words.Plural).let { it.id to it.count })
    }

    @Test
    fun `the front camera is a mirror, and the faces are listed as they are seen`() {
        people()
        camera.permission(granted = true, refused = false)
        cameras.show(Lab.scene("trio"))
        val behind = state.labels.map { it.title }
        camera.switch()
        cameras.show(Lab.scene("trio"), 270)
        assertEquals(behind.reversed(), state.labels.map { it.title })
    }

    @Test
    fun `no face and ten faces`() {
        camera.permission(granted = true, refused = false)
        cameras.show(Lab.scene("nobody"))
        assertEquals(Phase.LIVE to Words.text(R.string.camera_no_face), state.phase to state.line)
        cameras.show(Lab.scene("ten"))
        assertEquals(10, state.labels.size)
        assertEquals(List(10) { Words.text(R.string.why_nobody) }, state.labels.map { it.why })
    }

    @Test
    fun `somebody who is enrolled twice is this or that`() {
        Lab.enroll(session, "Alex", 1)
        Lab.enroll(session, "Alix", 1)
        camera.permission(granted = true, refused = false)
        cameras.show(Lab.scene("one"))
        val label = state.labels.single()
        assertEquals(Kind.AMBIGUOUS, label.kind)
        assertEquals(setOf("Alex", "Alix"), (label.title as Words.Text).args.toSet())
        assertEquals(R.string.either to R.string.why_ambiguous, label.title.id to (label.why as Words.Text).id)
    }

    @Test
    fun `a blurred face is named with a warning`() {
        camera.permission(granted = true, refused = false)
        cameras.show(Lab.scene("blurred"))
        assertTrue(state.labels.single().warning.toString(), "blurred" in (state.labels.single().warning as Words.Said).text)
    }

    @Test
    fun `a tap on a face begins to enroll it, one more picture needs one face`() {
        camera.permission(granted = true, refused = false)
        camera.tap(0)
        assertNull("there is no face yet", enrol.state.value)
        cameras.show(Lab.scene("one"))
        camera.tap(7)
        assertNull(enrol.state.value)
        camera.tap(0)
        assertEquals(1, enrol.state.value!!.takes.size)
        cameras.show(Lab.scene("nobody"))
        camera.take()
        assertEquals(Words.text(R.string.enrol_no_face), enrol.state.value!!.problem)
        cameras.show(Lab.scene("trio"))
        camera.take()
        assertEquals(Words.plural(R.plurals.enrol_several, 3), enrol.state.value!!.problem)
        assertEquals("nothing was lost", 1, enrol.state.value!!.takes.size)
    }

    @Test
    fun `a tap while somebody is being enrolled takes one more picture and loses nothing`() {
        camera.permission(granted = true, refused = false)
        cameras.show(Lab.scene("one"))
        camera.tap(0)
        enrol.rename("Ada")
        camera.tap(0)
        assertEquals("of the same frame", 1, enrol.state.value!!.takes.size)
        cameras.show(Lab.scene("one").turned(0, mirror = true))
        camera.tap(0)
        assertEquals("Ada" to 2, enrol.state.value!!.let { it.name to it.takes.size })
    }

    @Test
    fun `with the gallery of another model faces stay unknown and the reason is said`() {
        File(folder.root, "gallery.json").writeText("{\"format\": \"something else\"}")
        session = Session(Lab.networks, File(folder.root, "gallery.json"))
        assertNotNull(session.locked)
        camera.permission(granted = true, refused = false)
        cameras.show(Lab.scene("one"))
        assertEquals(Words.text(R.string.why_locked), state.labels.single().why)
    }

    private fun people() {
        Lab.enroll(session, "Alex", 1)
        Lab.enroll(session, "Kim", 2)
    }
}
