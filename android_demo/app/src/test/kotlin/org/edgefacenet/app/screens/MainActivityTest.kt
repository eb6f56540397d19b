package org.edgefacenet.app.screens

import android.Manifest
import android.app.Activity
import android.app.AlertDialog
import android.content.Intent
import android.net.Uri
import android.provider.Settings
import android.view.View
import android.view.ViewGroup
import android.widget.ImageButton
import android.widget.TextView
import java.io.ByteArrayOutputStream
import java.io.File
import org.edgefacenet.app.ApkAssets
import org.edgefacenet.app.Lab
import org.edgefacenet.app.R
import org.edgefacenet.app.RecordProvider
import org.edgefacenet.app.Tab
import org.edgefacenet.app.compare.Slot
import org.edgefacenet.app.parts.Assets
import org.edgefacenet.app.parts.Networks
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.Embedder
import org.edgefacenet.core.GalleryStore
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.Maker
import org.edgefacenet.core.Sample
import org.edgefacenet.engine.BytedecoGraph
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.shadows.ShadowAlertDialog
import org.robolectric.shadows.ShadowToast

/** The app as a user meets it: bad input, refusals, rotations, and a process that dies. */
class MainActivityTest : ScreenTest() {
    // the camera's permission

    @Test
    fun `asks for the camera on demand, shows the way to the settings after a no, and opens after a yes`() {
        start()
        assertTrue(said().toString(), activity.getString(R.string.permission_title) in said())
        click(R.id.message_first)
        assertEquals(listOf(Manifest.permission.CAMERA), shadowOf(activity).lastRequestedPermission.requestedPermissions.toList())
        answer(granted = false)
        assertTrue(activity.getString(R.string.permission_refused_title) in said())
        click(R.id.message_first)
        val settings = shadowOf(activity).nextStartedActivity
        assertEquals(Settings.ACTION_APPLICATION_DETAILS_SETTINGS to "package:org.edgefacenet.app", settings.action to settings.dataString)
        allowCamera() // as the user does there
        controller.pause().resume()
        idle()
        assertNotNull(cameras.opened)
        assertFalse(view<View>(R.id.message).isShown)
    }

    @Test
    fun `the other pages work without the camera`() {
        start()
        for (tab in Tab.values().drop(1)) {
            open(tab)
            assertEquals(tab, activity.desk.tab)
        }
        assertNull(cameras.opened)
    }

    @Test
    fun `no camera`() {
        allowCamera()
        cameras.present = emptyList()
        start()
        assertTrue(said().toString(), activity.getString(R.string.absent_title) in said())
    }

    @Test
    fun `a camera that another app takes is given back when that is over`() {
        allowCamera()
        start()
        cameras.listener!!.onLost(Words.text(R.string.camera_in_use))
        idle()
        assertTrue(activity.getString(R.string.camera_in_use) in said())
        click(R.id.message_first)
        assertNotNull(cameras.opened)
    }

    @Test
    fun `the camera is closed while nobody sees its page`() {
        allowCamera()
        start()
        open(Tab.PEOPLE)
        assertNull(cameras.opened)
        open(Tab.CAMERA)
        assertNotNull(cameras.opened)
        controller.pause()
        assertNull(cameras.opened)
        controller.resume()
        assertNotNull(cameras.opened)
    }

    // bad files

    @Test
    fun `a damaged model is said on the whole screen, and trying again can help`() {
        val model = Lab.told("mobile-int8", "file")
        app.assets = Lab.assets.with { name, bytes -> if (name.endsWith(model)) bytes.apply { this[99] = (this[99] + 1).toByte() } else bytes }
        start()
        val said = said().joinToString("\n")
        assertTrue(said, "models/$model is damaged" in said && activity.getString(R.string.failed_hint) in said)
        assertFalse(view<View>(R.id.tabs).isShown)
        app.assets = null
        click(R.id.message_first)
        assertTrue(view<View>(R.id.tabs).isShown)
    }

    @Test
    fun `the manifest of another model and a missing file likewise`() {
        app.assets = Lab.assets.with { name, bytes -> if (name == "models/mobile-int8.json") "{\"file\": \"x.tflite\"}".toByteArray() else bytes }
        start()
        assertTrue(said().toString(), said().any { "models/mobile-int8.json is damaged" in it })
        app.assets = Lab.assets.with { name, bytes -> bytes.takeIf { "face-mesh" !in name } }
        click(R.id.message_first)
        assertTrue(said().toString(), said().any { "face-mesh-2efcb4f4.tflite is missing" in it })
    }

    @Test
    fun `the files that this APK carries are whole, and its models pass their self-tests`() {
        val source = ApkAssets(RuntimeEnvironment.getApplication().assets)
        val assets = Assets.open(source)
        assertTrue("mapped, or in memory that the engine can use", assets.embedders.all { it.model.isDirect })
        Networks.open(assets, BytedecoGraph).use { networks ->
            assertEquals(2, networks.cosines.size)
            val others = assets.embedders.drop(1)
            for (artifact in others) BytedecoGraph.open(artifact.model, GraphOptions(1)).use { Embedder(artifact, it).selfTest(assets.faces) }
        }
    }

    @Test
    fun `the gallery of another model is said on the page of the people and can be set aside`() {
        val unit = FloatArray(128).also { it[0] = 1f }
        GalleryStore.open(app.parts.gallery, Maker("another network", "another aligner", 128)).enroll("Alex", listOf(Sample(unit, "hash")))
        allowCamera()
        start()
        cameras.show(Lab.scene("one"))
        idle()
        assertTrue(said().toString(), activity.getString(R.string.why_locked) in said())
        activity.desk.camera.tap(0)
        idle()
        assertEquals(activity.getString(R.string.gallery_other_model), ShadowToast.getTextOfLatestToast())
        open(Tab.PEOPLE)
        assertTrue(activity.getString(R.string.gallery_other_title) in said())
        click(R.id.locked_begin)
        yes()
        assertFalse(view<View>(R.id.people_locked).isShown)
        click(R.id.people_delete_all) // nobody is listed, and Alex is still in the file that was set aside
        assertEquals(activity.getString(R.string.people_ask_all_why), shadowOf(ShadowAlertDialog.getLatestDialog() as AlertDialog).message)
        yes()
        assertEquals(activity.getString(R.string.people_nothing_kept), ShadowToast.getTextOfLatestToast())
        assertFalse(view<View>(R.id.people_delete_all).isShown)
        assertEquals(emptyList<String>(), app.filesDir.list()!!.filter { "gallery" in it })
    }

    // records

    @Test
    fun `the record that was offered is saved, not one that came later`() {
        val offered = File(RecordProvider.folder(app).apply { mkdirs() }, "edge-facenet-bench-20260102-000000-m.json").apply { writeText("[1]") }
        start()
        open(Tab.BENCH)
        click(R.id.bench_save)
        val asked = shadowOf(activity).nextStartedActivityForResult
        assertEquals(offered.name, asked.intent.getStringExtra(Intent.EXTRA_TITLE))
        File(offered.parentFile, "edge-facenet-bench-20260103-000000-m.json").writeText("[2]")
        val written = ByteArrayOutputStream()
        val place = Uri.parse("content://documents/record")
        shadowOf(app.contentResolver).registerOutputStreamSupplier(place) { written }
        shadowOf(activity).receiveResult(asked.intent, Activity.RESULT_OK, Intent().setData(place))
        idle()
        assertEquals("[1]", written.toString())
        assertEquals(activity.getString(R.string.bench_saved), ShadowToast.getTextOfLatestToast())
        die()
        assertEquals("also when the process died meanwhile", offered, activity.desk.offered)
    }

    @Test
    fun `bars, notch and keyboard cover nothing`() {
        start()
        bars(bottom = 300)
        val root = view<View>(R.id.root)
        val dp = activity.resources.displayMetrics.density
        assertEquals((24 * dp).toInt() to (300 * dp).toInt(), root.paddingTop to root.paddingBottom)
        assertTrue(view<View>(R.id.tabs).run { bottom <= root.height - root.paddingBottom })
    }

    // comparing

    @Test
    fun `comparing survives a rotation and the process`() {
        start()
        open(Tab.COMPARE)
        activity.desk.compare.choose(0, Lab.folder().let { Lab.address("1-1") })
        activity.desk.compare.choose(1, Lab.address("group"))
        activity.desk.compare.tap(1, 0)
        idle()
        assertTrue(activity.getString(R.string.compare_same) in said())
        turn("+land")
        assertTrue(activity.getString(R.string.compare_same) in said())
        die()
        assertEquals(Tab.COMPARE, activity.desk.tab)
        assertTrue(said().toString(), activity.getString(R.string.compare_same) in said())
        shadowOf(app.contentResolver).registerInputStreamSupplier(Uri.parse(Lab.address("1-1"))) { throw SecurityException("no more") }
        die()
        assertEquals(Slot.Failed(Lab.address("1-1"), Words.Said(activity.getString(R.string.picture_forbidden))), activity.desk.compare.state.value.slots[0])
        assertTrue(activity.getString(R.string.picture_forbidden) in said())
    }

    // people

    @Test
    fun `deleting asks, also after a rotation, and forgets`() {
        start()
        session.people!!.enroll("Alex", listOf(Sample(FloatArray(128).also { it[0] = 1f }, "hash")))
        open(Tab.PEOPLE)
        view<ImageButton>(R.id.person_delete).performClick()
        idle()
        turn("+land")
        val dialog = ShadowAlertDialog.getLatestDialog() as AlertDialog
        assertTrue(dialog.isShowing)
        yes()
        assertEquals(0, session.people!!.size)
        assertFalse("Alex" in app.parts.gallery.readText())
        assertEquals(activity.getString(R.string.people_none), text(R.id.people_count))
    }

    // settings

    @Test
    fun `how careful the app names people is kept`() {
        start()
        open(Tab.ABOUT)
        (view<ViewGroup>(R.id.fpir).getChildAt(0) as TextView).performClick()
        assertEquals(0.001, app.parts.settings.fpir, 0.0)
        assertEquals(0.001, TestParts(app).settings.fpir, 0.0)
    }
}
