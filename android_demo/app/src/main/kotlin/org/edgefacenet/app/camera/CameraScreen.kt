package org.edgefacenet.app.camera

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import org.edgefacenet.app.R
import org.edgefacenet.app.enrol.EnrolPresenter
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.ui.Choice
import org.edgefacenet.app.ui.EnrolSheet
import org.edgefacenet.app.ui.FaceView
import org.edgefacenet.app.ui.Message
import org.edgefacenet.app.ui.Preview
import org.edgefacenet.app.ui.Screen
import org.edgefacenet.app.ui.part
import org.edgefacenet.app.ui.say
import org.edgefacenet.app.ui.shown

/** What the camera's page needs of its activity. */
interface CameraHost {
    /** Whether the camera may be used. */
    fun mayUseCamera(): Boolean

    /** Whether the user said no, ever since the app was installed. */
    fun wasRefused(): Boolean

    fun askForCamera()

    fun openSettings()
}

/** The camera's page: its picture with boxes and names, what is recognised and why, and the form to enroll a face. */
class CameraScreen(parent: ViewGroup, private val host: CameraHost, private val presenter: CameraPresenter, private val enrol: EnrolPresenter) : Screen {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.screen_camera, parent, false)
    private val picture: FaceView = view.part(R.id.picture)
    private val line: TextView = view.part(R.id.line)
    private val rows = FaceRows(view.part(R.id.rows), presenter::tap)
    private val message = Message(view.part(R.id.message))
    private val sheet = EnrolSheet(view, enrol, R.string.enrol_take, presenter::take, ::give)
    private val preview = Preview({ view.post(it) }, picture::picture)

    init {
        picture.fill = true
        picture.onFace = presenter::tap
        view.part<View>(R.id.switch_camera).setOnClickListener { presenter.switch() }
    }

    override val takesBack: Boolean get() = enrol.state.value != null

    override fun start() {
        presenter.preview = preview::frame
        presenter.state.watch(this, ::show)
        sheet.start()
        presenter.permission(host.mayUseCamera(), host.wasRefused())
    }

    override fun stop() {
        presenter.state.leave(this)
        sheet.stop()
        presenter.preview = null
        presenter.stop()
    }

    override fun back(): Boolean = takesBack.also { if (it) enrol.cancel() }

    private fun show(state: CameraState) {
        message(state)
        picture.mirrored = state.mirrored
        picture.faces(state.labels, state.width, state.height)
        if (state.phase != Phase.LIVE) picture.picture(null)
        line.say(state.line)
        picture.contentDescription = view.resources.getString(R.string.camera_picture, line.text)
        view.part<View>(R.id.switch_camera).shown = state.canSwitch
        rows.show(state.labels)
    }

    private fun message(state: CameraState) {
        val again = Choice(R.string.try_again) { presenter.permission(host.mayUseCamera(), host.wasRefused()) }
        val allow = Choice(R.string.permission_allow) { host.askForCamera() }
        val settings = Choice(R.string.permission_settings) { host.openSettings() }
        when (state.phase) {
            Phase.ASKING -> message.show(Words.text(R.string.permission_title), Words.text(R.string.permission_why), allow)
            Phase.REFUSED -> message.show(Words.text(R.string.permission_refused_title), Words.text(R.string.permission_refused), settings, allow)
            Phase.ABSENT -> message.show(Words.text(R.string.absent_title), Words.text(R.string.absent), again)
            Phase.LOST -> message.show(Words.text(R.string.lost_title), state.lost, again)
            Phase.OPENING, Phase.LIVE -> message.hide()
        }
        view.part<View>(R.id.page).visibility = if (message.isShown) View.INVISIBLE else View.VISIBLE
    }

    /** An open form gets more room from the picture, where the two stand one above the other. */
    private fun give(open: Boolean) {
        val panel = view.part<View>(R.id.panel)
        val place = panel.layoutParams as LinearLayout.LayoutParams
        val weight = if (open && place.height == 0) OPEN else CLOSED
        if (place.weight != weight) {
            place.weight = weight
            panel.layoutParams = place
        }
    }

    private companion object {
        const val OPEN = 3.4f
        const val CLOSED = 2f
    }
}

/** The faces again as lines with a button, for those who cannot tap into a picture. Views are kept while faces come and go. */
private class FaceRows(private val parent: LinearLayout, private val onEnroll: (Int) -> Unit) {
    fun show(labels: List<Label>) {
        while (parent.childCount > labels.size) parent.removeViewAt(parent.childCount - 1)
        while (parent.childCount < labels.size) parent.addView(row(parent.childCount))
        labels.forEachIndexed { number, label -> fill(parent.getChildAt(number), label) }
    }

    private fun row(number: Int): View = LayoutInflater.from(parent.context).inflate(R.layout.row_face, parent, false).apply {
        part<View>(R.id.row_enroll).setOnClickListener { onEnroll(number) }
    }

    private fun fill(row: View, label: Label) {
        row.part<TextView>(R.id.row_title).say(label.title)
        row.part<TextView>(R.id.row_why).say(label.why)
        row.part<TextView>(R.id.row_warning).say(label.warning)
        row.part<View>(R.id.row_enroll).contentDescription = parent.resources.say(Words.text(R.string.enroll_face, label.title))
    }
}
