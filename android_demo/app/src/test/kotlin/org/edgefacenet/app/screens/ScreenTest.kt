package org.edgefacenet.app.screens

import android.Manifest
import android.app.AlertDialog
import android.app.Application
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.Insets
import android.net.Uri
import android.os.Bundle
import android.os.Looper
import android.os.Parcel
import android.view.View
import android.view.ViewGroup
import android.view.WindowInsets
import android.widget.EditText
import android.widget.TextView
import java.io.File
import java.time.Duration
import java.util.concurrent.Executor
import org.edgefacenet.app.EdgeFaceNetApp
import org.edgefacenet.app.Lab
import org.edgefacenet.app.MainActivity
import org.edgefacenet.app.Parts
import org.edgefacenet.app.R
import org.edgefacenet.app.Tab
import org.edgefacenet.app.TestCameras
import org.edgefacenet.app.bench.Bench
import org.edgefacenet.app.camera.CameraSource
import org.edgefacenet.app.parts.AssetSource
import org.edgefacenet.app.parts.Networks
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Work
import org.edgefacenet.app.ui.part
import org.junit.After
import org.junit.Assert.assertTrue
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.RuntimeEnvironment
import org.robolectric.Shadows.shadowOf
import org.robolectric.android.controller.ActivityController
import org.robolectric.annotation.Config
import org.robolectric.annotation.GraphicsMode
import org.robolectric.shadows.ShadowAlertDialog

/** The app with cameras that a test holds, and everything done at once. */
internal class TestApp : EdgeFaceNetApp() {
    val cameras = TestCameras()

    /** Others than the app's own, which are proven once and shared by the tests. */
    var assets: AssetSource? = null
    var bench: Bench? = null

    private var made: Parts? = null
    override val parts: Parts get() = made ?: TestParts(this).also { made = it }

    /** As a process does: what it had in memory is gone, its files stay. */
    fun die() {
        made = null
    }
}

internal class TestParts(private val app: TestApp) : Parts(app) {
    override val work: Work = Lab.work
    override val analyst: Executor = Executor { it.run() }
    override val measuring: Executor = Executor { it.run() }
    override val cameras: CameraSource = app.cameras
    override val assets: AssetSource get() = app.assets ?: super.assets
    override val bench: Bench get() = app.bench ?: super.bench

    override fun networks(): Networks = if (app.assets == null) Lab.networks else super.networks()
}

/** Tests of the running app on a screen of 411 x 891 dp. */
@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35], application = TestApp::class, qualifiers = "w411dp-h891dp-port-notnight-xhdpi")
@GraphicsMode(GraphicsMode.Mode.NATIVE)
abstract class ScreenTest {
    internal val app: TestApp get() = RuntimeEnvironment.getApplication() as TestApp
    internal val cameras: TestCameras get() = app.cameras
    internal lateinit var controller: ActivityController<MainActivity>
    internal val activity: MainActivity get() = controller.get()
    internal val session: Session get() = app.parts.startup.session!!

    @After
    fun end() {
        if (::controller.isInitialized) controller.close()
    }

    internal fun allowCamera() = shadowOf(app as Application).grantPermissions(Manifest.permission.CAMERA)

    internal fun start(): MainActivity {
        showPhotos()
        controller = Robolectric.buildActivity(MainActivity::class.java).setup()
        idle()
        return activity
    }

    /** Let the content resolver find the photos of the folder. */
    private fun showPhotos() {
        val files = File(System.getProperty("pictures").orEmpty(), "photos").listFiles().orEmpty()
        for (file in files) shadowOf(app.contentResolver).registerInputStreamSupplier(Uri.parse(Lab.address(file.nameWithoutExtension))) { file.inputStream() }
    }

    internal fun idle() = shadowOf(Looper.getMainLooper()).idle()

    internal fun open(tab: Tab) {
        view<ViewGroup>(R.id.tabs).getChildAt(tab.ordinal).performClick()
        idle()
    }

    internal fun <T : View> view(id: Int): T = activity.window.decorView.part(id)

    internal fun text(id: Int): String = view<TextView>(id).text.toString()

    internal fun click(id: Int) {
        val view = view<View>(id)
        assertTrue("${activity.resources.getResourceEntryName(id)} cannot be clicked", view.isShown && view.isEnabled)
        view.performClick()
        idle()
    }

    /** All that can be read on the screen. */
    internal fun said(root: View = activity.window.decorView): List<String> = when {
        !root.isShown -> emptyList()
        root is TextView -> listOf(root.text.toString())
        root is ViewGroup -> (0 until root.childCount).flatMap { said(root.getChildAt(it)) }
        else -> emptyList()
    }

    /** Draw the screen, with room for a phone's bars, into a PNG of the folder `shots`. */
    internal fun shot(name: String, root: View = activity.window.decorView): Bitmap {
        bars()
        shadowOf(Looper.getMainLooper()).idleFor(Duration.ofSeconds(1)) // animations end
        if (root == activity.window.decorView) assertReachable(root, name)
        val bitmap = Bitmap.createBitmap(root.width, root.height, Bitmap.Config.ARGB_8888)
        root.draw(Canvas(bitmap))
        val file = File(System.getProperty("shots"), "$name.png").apply { parentFile?.mkdirs() }
        file.outputStream().use { bitmap.compress(Bitmap.CompressFormat.PNG, 100, it) }
        return bitmap
    }

    /** What can be touched is as large as a finger, and says what it is. */
    private fun assertReachable(view: View, where: String) {
        if (!view.isShown) return
        if (view.isClickable && view.isEnabled && view.isImportantForAccessibility && (view as? TextView)?.isTextSelectable != true) {
            val what = "$where: ${if (view.id ushr 24 == 0 || view.id == View.NO_ID) view.javaClass.simpleName else activity.resources.getResourceEntryName(view.id)}"
            val least = 48 * activity.resources.displayMetrics.density - 1
            assertTrue("$what is ${view.width} x ${view.height} px, at least $least are needed", view.height >= least && view.width >= least)
            val label = view.contentDescription ?: (view as? TextView)?.let { it.text.ifEmpty { it.hint } }
            assertTrue("$what has no description", !label.isNullOrBlank())
        }
        if (view is ViewGroup) for (at in 0 until view.childCount) assertReachable(view.getChildAt(at), where)
    }

    /** Insets as a phone has them: 24 dp above and below. */
    internal fun bars(bottom: Int = 24) {
        val dp = activity.resources.displayMetrics.density
        val insets = WindowInsets.Builder()
            .setInsets(WindowInsets.Type.statusBars(), Insets.of(0, (24 * dp).toInt(), 0, 0))
            .setInsets(WindowInsets.Type.navigationBars(), Insets.of(0, 0, 0, (bottom * dp).toInt()))
            .build()
        view<View>(R.id.root).dispatchApplyWindowInsets(insets)
        val root = activity.window.decorView
        root.measure(View.MeasureSpec.makeMeasureSpec(root.width, View.MeasureSpec.EXACTLY), View.MeasureSpec.makeMeasureSpec(root.height, View.MeasureSpec.EXACTLY))
        root.layout(0, 0, root.width, root.height)
    }

    internal fun enrolling() {
        cameras.show(Lab.scene("one"), 270)
        idle()
        activity.desk.camera.tap(0)
        idle()
        view<EditText>(R.id.enrol_name).setText("Alex")
    }

    internal fun yes() {
        (ShadowAlertDialog.getLatestDialog() as AlertDialog).getButton(AlertDialog.BUTTON_POSITIVE).performClick()
        idle()
    }

    internal fun answer(granted: Boolean) {
        val request = shadowOf(activity).lastRequestedPermission
        activity.onRequestPermissionsResult(request.requestCode, request.requestedPermissions, intArrayOf(if (granted) 0 else -1))
        idle()
    }

    internal fun turn(qualifiers: String) {
        RuntimeEnvironment.setQualifiers(qualifiers)
        controller.recreate()
        idle()
    }

    /** The system ends the process while the app is in the background, and the user comes back. */
    internal fun die() {
        val saved = Bundle()
        controller.pause().stop().saveInstanceState(saved).destroy()
        val parcel = Parcel.obtain().apply { writeBundle(saved) }
        parcel.setDataPosition(0)
        app.die()
        controller = Robolectric.buildActivity(MainActivity::class.java).setup(parcel.readBundle(javaClass.classLoader))
        idle()
    }
}
