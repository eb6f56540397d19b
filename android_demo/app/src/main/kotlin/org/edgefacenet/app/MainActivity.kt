package org.edgefacenet.app

import android.Manifest
import android.app.Activity
import android.content.Intent
import android.content.pm.PackageManager
import android.content.res.ColorStateList
import android.net.Uri
import android.os.Build
import android.os.Bundle
import android.provider.Settings
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.view.WindowInsets
import android.widget.LinearLayout
import android.widget.TextView
import android.widget.Toast
import android.window.OnBackInvokedCallback
import android.window.OnBackInvokedDispatcher
import java.io.File
import org.edgefacenet.app.about.About
import org.edgefacenet.app.about.AboutScreen
import org.edgefacenet.app.bench.BenchScreen
import org.edgefacenet.app.camera.CameraHost
import org.edgefacenet.app.camera.CameraScreen
import org.edgefacenet.app.compare.CompareScreen
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Stage
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.people.PeopleScreen
import org.edgefacenet.app.ui.Choice
import org.edgefacenet.app.ui.Message
import org.edgefacenet.app.ui.Screen
import org.edgefacenet.app.ui.part
import org.edgefacenet.app.ui.say
import org.edgefacenet.app.ui.shown

/** The one activity: tabs, the page that is seen, and what pages ask of Android. */
class MainActivity : Activity(), CameraHost {
    private val parts: Parts get() = (application as EdgeFaceNetApp).parts
    internal lateinit var desk: Desk
        private set
    private lateinit var content: ViewGroup
    private lateinit var tabs: LinearLayout
    private lateinit var handOver: HandOver
    private var screen: Screen? = null
    private var resumed = false

    /** Registered while going back means something on the page. */
    internal var back: OnBackInvokedCallback? = null
        private set

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        desk = lastNonConfigurationInstance as? Desk ?: Desk(parts).also { desk -> savedInstanceState?.getBundle(DESK)?.let(desk::restore) }
        handOver = HandOver(this, parts.work, ::toast)
        setContentView(R.layout.activity_main)
        content = window.decorView.part(R.id.content)
        tabs = window.decorView.part(R.id.tabs)
        keepClearOfBars(window.decorView.part(R.id.root))
        parts.startup.stage.watch(this, ::show)
        parts.startup.begin()
        desk.enrol.state.watch(this) { followBack() }
        desk.enrol.notice.watch(this) { said -> told(said) { desk.enrol.notice.value = null } }
        desk.people.notice.watch(this) { said -> told(said) { desk.people.notice.value = null } }
    }

    override fun onResume() {
        super.onResume()
        resumed = true
        screen?.start()
    }

    override fun onPause() {
        resumed = false
        screen?.stop()
        super.onPause()
    }

    override fun onSaveInstanceState(outState: Bundle) {
        super.onSaveInstanceState(outState)
        outState.putBundle(DESK, desk.save())
    }

    override fun onRetainNonConfigurationInstance(): Any = desk

    override fun onDestroy() {
        parts.startup.stage.leave(this)
        desk.enrol.state.leave(this)
        desk.enrol.notice.leave(this)
        desk.people.notice.leave(this)
        if (isFinishing) desk.bench.stop() // nobody would see its end
        super.onDestroy()
    }

    private fun show(stage: Stage) {
        tabs.shown = stage is Stage.Ready
        when (stage) {
            is Stage.Loading -> message(Words.text(R.string.loading), null, null)
            is Stage.Failed -> {
                val why = Words.Joined(listOf(stage.why, Words.text(R.string.failed_hint)), "\n\n")
                message(Words.text(R.string.failed_title), why, Choice(R.string.try_again) { parts.startup.again() })
            }
            is Stage.Ready -> {
                desk.ready()
                list(stage.session)
                open(desk.tab, stage.session)
            }
        }
    }

    private fun message(title: Words, text: Words?, choice: Choice?) {
        leave()
        val view = layoutInflater.inflate(R.layout.message, content, false)
        content.addView(view)
        Message(view).show(title, text, choice, icon = R.drawable.ic_face)
    }

    private fun list(session: Session) {
        tabs.removeAllViews()
        for (tab in Tab.values()) {
            val view = LayoutInflater.from(this).inflate(R.layout.tab, tabs, false) as TextView
            view.setText(tab.title)
            view.setCompoundDrawablesRelativeWithIntrinsicBounds(0, tab.icon, 0, 0)
            view.setOnClickListener { open(tab, session) }
            if (tabs.orientation == LinearLayout.HORIZONTAL) view.layoutParams = LinearLayout.LayoutParams(0, ViewGroup.LayoutParams.MATCH_PARENT, 1f)
            tabs.addView(view)
        }
    }

    private fun open(tab: Tab, session: Session) {
        if (screen != null && desk.tab == tab) return
        leave()
        desk.tab = tab
        for (number in 0 until tabs.childCount) mark(tabs.getChildAt(number) as TextView, number == tab.ordinal)
        val next = make(tab, session)
        content.addView(next.view)
        screen = next
        if (resumed) next.start()
        followBack()
    }

    private fun mark(view: TextView, selected: Boolean) {
        view.isSelected = selected
        view.compoundDrawableTintList = ColorStateList.valueOf(getColor(if (selected) R.color.primary else R.color.text_quiet))
    }

    private fun leave() {
        if (resumed) screen?.stop()
        screen = null
        content.removeAllViews()
    }

    private fun make(tab: Tab, session: Session): Screen = when (tab) {
        Tab.CAMERA -> CameraScreen(content, this, desk.camera, desk.enrol)
        Tab.COMPARE -> CompareScreen(content, desk.compare) { pick(COMPARE + it, several = false) }
        Tab.PEOPLE -> PeopleScreen(content, desk.people, desk.enrol) { pick(ENROL, several = true) }
        Tab.BENCH -> BenchScreen(content, desk.bench, handOver::share, ::save, ::isChangingConfigurations)
        Tab.ABOUT -> AboutScreen(content, About.sections(session.networks), parts.settings)
    }

    // pictures and records

    private fun pick(request: Int, several: Boolean) = handOver.pick(request, several)

    private fun save(record: File) {
        desk.offered = record
        handOver.save(record, RECORD)
    }

    @Deprecated("The framework has no other way; androidx is not used here.")
    override fun onActivityResult(requestCode: Int, resultCode: Int, data: Intent?) {
        if (resultCode != RESULT_OK || data == null) return
        val chosen = HandOver.chosen(data)
        when (requestCode) {
            COMPARE, COMPARE + 1 -> chosen.firstOrNull()?.let { desk.whenReady { desk.compare.choose(requestCode - COMPARE, it) } }
            ENROL -> desk.whenReady { desk.photos.add(chosen) }
            RECORD -> desk.offered?.let { record -> chosen.firstOrNull()?.let { handOver.write(record, Uri.parse(it)) } }
        }
    }

    // the camera's permission

    override fun mayUseCamera(): Boolean = checkSelfPermission(Manifest.permission.CAMERA) == PackageManager.PERMISSION_GRANTED

    override fun wasRefused(): Boolean = parts.settings.refused

    override fun askForCamera(): Unit = requestPermissions(arrayOf(Manifest.permission.CAMERA), CAMERA)

    override fun openSettings(): Unit = handOver.start(Intent(Settings.ACTION_APPLICATION_DETAILS_SETTINGS, Uri.fromParts("package", packageName, null)))

    override fun onRequestPermissionsResult(requestCode: Int, permissions: Array<out String>, grantResults: IntArray) {
        super.onRequestPermissionsResult(requestCode, permissions, grantResults)
        val answer = grantResults.firstOrNull() ?: return // the question was broken off
        parts.settings.refused = answer != PackageManager.PERMISSION_GRANTED
        if (resumed && screen is CameraScreen) desk.camera.permission(mayUseCamera(), wasRefused())
    }

    // going back

    /** From Android 13 on, pages say beforehand whether going back means something to them. */
    private fun followBack() {
        if (Build.VERSION.SDK_INT < Build.VERSION_CODES.TIRAMISU) return
        val wanted = screen?.takesBack ?: false
        val known = back
        if (wanted && known == null) {
            back = OnBackInvokedCallback { screen?.back() }.also { onBackInvokedDispatcher.registerOnBackInvokedCallback(OnBackInvokedDispatcher.PRIORITY_DEFAULT, it) }
        } else if (!wanted && known != null) {
            onBackInvokedDispatcher.unregisterOnBackInvokedCallback(known)
            back = null
        }
    }

    @Deprecated("Called up to Android 12.")
    @Suppress("DEPRECATION")
    override fun onBackPressed() {
        if (screen?.back() != true) super.onBackPressed()
    }

    // the window

    /** From target SDK 35 on, an app is drawn below the system's bars, a notch and the keyboard: stay clear of them. */
    private fun keepClearOfBars(root: View) = root.setOnApplyWindowInsetsListener { view, insets ->
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.R) {
            val bars = insets.getInsets(WindowInsets.Type.systemBars() or WindowInsets.Type.displayCutout() or WindowInsets.Type.ime())
            view.setPadding(bars.left, bars.top, bars.right, bars.bottom)
            WindowInsets.CONSUMED
        } else {
            view.onApplyWindowInsets(insets)
        }
    }

    private fun told(said: Words?, done: () -> Unit) {
        if (said == null) return
        toast(said)
        done()
    }

    private fun toast(said: Words) = Toast.makeText(this, resources.say(said), Toast.LENGTH_LONG).show()

    private companion object {
        const val DESK = "desk"
        const val CAMERA = 1
        const val ENROL = 2
        const val RECORD = 3
        const val COMPARE = 10
    }
}
