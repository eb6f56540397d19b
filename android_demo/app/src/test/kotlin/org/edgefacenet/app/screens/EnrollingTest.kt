package org.edgefacenet.app.screens

import android.app.Activity
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import android.view.MotionEvent
import android.view.View
import android.view.ViewGroup
import android.widget.EditText
import org.edgefacenet.app.Lab
import org.edgefacenet.app.R
import org.edgefacenet.app.Tab
import org.edgefacenet.app.camera.Facing
import org.edgefacenet.app.ui.FaceView
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowToast

/** Enrolling somebody by hand: nothing is lost, whatever happens in between. */
class EnrollingTest : ScreenTest() {
    @Test
    fun `a finger on a face, a name, saved - and the box bears the name`() {
        allowCamera()
        start()
        cameras.show(Lab.scene("one"))
        idle()
        touchFace()
        view<EditText>(R.id.enrol_name).setText("Alex")
        click(R.id.enrol_take)
        assertEquals("the same frame", 1, view<ViewGroup>(R.id.takes).childCount)
        cameras.show(Lab.scene("one").turned(0, mirror = true))
        idle()
        click(R.id.enrol_take)
        assertEquals(2, view<ViewGroup>(R.id.takes).childCount)
        click(R.id.enrol_save)
        assertTrue(ShadowToast.getTextOfLatestToast(), "Alex" in ShadowToast.getTextOfLatestToast())
        cameras.show(Lab.scene("one"))
        idle()
        assertEquals("1 face: Alex", text(R.id.line))
        assertTrue(view<View>(R.id.picture).contentDescription.toString(), "1 face: Alex" in view<View>(R.id.picture).contentDescription)
    }

    @Test
    fun `a rotation in the middle of an enrolment loses nothing`() {
        allowCamera()
        start()
        enrolling()
        turn("+land")
        assertTrue(view<View>(R.id.sheet).isShown)
        assertEquals("Alex", text(R.id.enrol_name))
        assertEquals(1, view<ViewGroup>(R.id.takes).childCount)
        cameras.show(Lab.scene("one").turned(0, mirror = true))
        idle()
        click(R.id.enrol_take)
        assertEquals(2, view<ViewGroup>(R.id.takes).childCount)
        click(R.id.enrol_save)
        assertEquals(listOf("Alex"), session.people!!.people().map { it.name })
    }

    @Test
    fun `the process dies in the middle of an enrolment and nothing is lost`() {
        allowCamera()
        start()
        click(R.id.switch_camera)
        enrolling()
        die()
        assertEquals("the camera that was used", Facing.FRONT, cameras.opened)
        assertTrue(view<View>(R.id.sheet).isShown)
        assertEquals("Alex", text(R.id.enrol_name))
        assertEquals(1, view<ViewGroup>(R.id.takes).childCount)
        click(R.id.enrol_save)
        assertEquals(listOf("Alex"), session.people!!.people().map { it.name })
    }

    @Test
    fun `it dies twice before the networks are open, and nothing is lost`() {
        allowCamera()
        start()
        enrolling()
        app.assets = Lab.assets.with { _, _ -> null } // opening fails for now
        die()
        assertTrue(activity.getString(R.string.failed_title) in said())
        app.assets = null
        die()
        assertEquals("Alex", text(R.id.enrol_name))
    }

    @Test
    fun `going back leaves the form, not the app`() {
        allowCamera()
        start()
        enrolling()
        @Suppress("DEPRECATION")
        activity.onBackPressed()
        idle()
        assertFalse(view<View>(R.id.sheet).isShown)
        assertFalse(activity.isFinishing)
    }

    @Test
    fun `photos from the picker are enrolled, also when the process died meanwhile`() {
        start()
        open(Tab.PEOPLE)
        click(R.id.people_add)
        val asked = shadowOf(activity).nextStartedActivityForResult
        assertEquals(Intent.ACTION_OPEN_DOCUMENT to "image/*", asked.intent.action to asked.intent.type)
        assertTrue(asked.intent.getBooleanExtra(Intent.EXTRA_ALLOW_MULTIPLE, false))
        Lab.folder()
        val chosen = Intent().apply {
            clipData = ClipData.newRawUri("", Uri.parse(Lab.address("1-1"))).apply { addItem(ClipData.Item(Uri.parse(Lab.address("1-2")))) }
        }
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, chosen)
        idle()
        assertEquals(2, view<ViewGroup>(R.id.takes).childCount)
        view<EditText>(R.id.enrol_name).setText("Alex")
        click(R.id.enrol_save)
        assertTrue("Alex" in said())
    }

    @Test
    fun `no app to choose pictures with`() {
        start()
        open(Tab.PEOPLE)
        shadowOf(app).checkActivities(true) // refuse intents that nobody handles
        click(R.id.people_add)
        assertEquals(activity.getString(R.string.no_picker), ShadowToast.getTextOfLatestToast())
    }

    @Test
    fun `from Android 13 on the form is asked before the app is left`() {
        allowCamera()
        start()
        assertNull(activity.back)
        enrolling()
        checkNotNull(activity.back).onBackInvoked()
        idle()
        assertFalse(view<View>(R.id.sheet).isShown)
        assertNull("and then the system again", activity.back)
    }

    /** In the middle of the one box. */
    private fun touchFace() {
        val picture = view<FaceView>(R.id.picture)
        bars()
        for (action in listOf(MotionEvent.ACTION_DOWN, MotionEvent.ACTION_UP)) {
            picture.dispatchTouchEvent(MotionEvent.obtain(0, 0, action, picture.width * 0.5f, picture.height * 0.48f, 0))
        }
        idle()
    }
}
