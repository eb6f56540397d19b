package org.edgefacenet.app.compare

import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.Button
import android.widget.LinearLayout
import android.widget.TextView
import org.edgefacenet.app.R
import org.edgefacenet.app.camera.Kind
import org.edgefacenet.app.camera.Label
import org.edgefacenet.app.parts.Looked
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.pictures.toBitmap
import org.edgefacenet.app.ui.FaceView
import org.edgefacenet.app.ui.GaugeView
import org.edgefacenet.app.ui.Screen
import org.edgefacenet.app.ui.part
import org.edgefacenet.app.ui.say
import org.edgefacenet.app.ui.shown
import org.edgefacenet.core.Box

/** The page that compares two pictures; [pick] asks the system for a picture for place 0 or 1. */
class CompareScreen(parent: ViewGroup, private val presenter: ComparePresenter, private val pick: (Int) -> Unit) : Screen {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.screen_compare, parent, false)
    private val gauge: GaugeView = view.part(R.id.gauge)
    private val slots: List<SlotView>

    init {
        val place = view.part<LinearLayout>(R.id.slots)
        slots = List(2) { number -> SlotView(place, number, presenter, pick) }
    }

    override fun start(): Unit = presenter.state.watch(this, ::show)

    override fun stop(): Unit = presenter.state.leave(this)

    private fun show(state: CompareState) {
        slots.zip(state.slots) { view, slot -> view.show(slot) }
        val verdict = state.verdict
        val title = view.part<TextView>(R.id.verdict)
        title.say(title(verdict))
        title.textSize = if (verdict == null) QUIET else LOUD
        title.setTextColor(view.context.getColor(colour(verdict)))
        gauge.show(verdict?.similarity, verdict?.threshold, view.context.getColor(colour(verdict)))
        gauge.shown = verdict != null
        view.part<TextView>(R.id.verdict_why).say(verdict?.why)
        view.part<View>(R.id.verdict_far).shown = verdict?.threshold != null
    }

    private fun title(verdict: Verdict?): Words = when (verdict?.same) {
        true -> Words.text(R.string.compare_same)
        false -> Words.text(R.string.compare_different)
        null -> if (verdict == null) Words.text(R.string.compare_waiting) else Words.text(R.string.compare_undecided, Label.two(verdict.similarity))
    }

    private fun colour(verdict: Verdict?): Int = when (verdict?.same) {
        true -> R.color.good
        false -> R.color.bad
        null -> R.color.text
    }

    private companion object {
        const val QUIET = 17f // sp
        const val LOUD = 24f
    }
}

/** One picture with its faces and buttons (`layout/slot.xml`). */
private class SlotView(parent: LinearLayout, private val number: Int, private val presenter: ComparePresenter, pick: (Int) -> Unit) {
    private val view: View = LayoutInflater.from(parent.context).inflate(R.layout.slot, parent, false).also(parent::addView)
    private val picture: FaceView = view.part(R.id.slot_picture)
    private val empty: View = view.part(R.id.slot_empty)
    private val choose: Button = view.part(R.id.slot_choose)
    private val next: Button = view.part(R.id.slot_next)
    private var shown: Slot? = null

    init {
        picture.onFace = { presenter.tap(number, it) }
        choose.setOnClickListener { pick(number) }
        empty.setOnClickListener { pick(number) }
        next.setOnClickListener { presenter.next(number) }
    }

    fun show(slot: Slot) {
        if (slot == shown) return
        picture(slot as? Slot.Shown, (shown as? Slot.Shown)?.image !== (slot as? Slot.Shown)?.image)
        shown = slot
        view.part<TextView>(R.id.slot_remark).say(remark(slot))
        choose.setText(if (slot is Slot.Empty) R.string.compare_choose else R.string.compare_other)
        empty.shown = slot !is Slot.Shown
        picture.visibility = if (slot is Slot.Shown) View.VISIBLE else View.INVISIBLE
        next.shown = slot is Slot.Shown && slot.faces.size > 1
        describe(slot)
    }

    private fun remark(slot: Slot): Words? = when (slot) {
        is Slot.Empty -> null
        is Slot.Loading -> Words.text(R.string.compare_loading)
        is Slot.Failed -> slot.why
        is Slot.Shown -> slot.remark
    }

    private fun picture(slot: Slot.Shown?, isNew: Boolean) {
        if (isNew) picture.picture(slot?.image?.run { toBitmap(maxOf(width, height)) })
        if (slot == null) return picture.faces(emptyList(), 1, 1)
        picture.faces(slot.faces.mapIndexed { at, face -> label(face, slot, at) }, slot.image.width, slot.image.height)
    }

    private fun label(face: Looked, slot: Slot.Shown, at: Int): Label {
        val box = face.found.face.box.run { Box(left / slot.step, top / slot.step, right / slot.step, bottom / slot.step) }
        val chosen = at == slot.chosen
        val title = if (slot.faces.size > 1) "${at + 1}" else ""
        return Label(box, if (chosen) Kind.CHOSEN else Kind.UNKNOWN, Words.Said(title), Words.Said(""))
    }

    private fun describe(slot: Slot) {
        val name = view.resources.getString(if (number == 0) R.string.compare_first else R.string.compare_second)
        val faces = (slot as? Slot.Shown)?.faces?.size
        picture.contentDescription =
            if (faces == null) name else view.resources.getString(R.string.compare_described, name, view.resources.getQuantityString(R.plurals.compare_faces, faces, faces))
        choose.contentDescription = view.resources.getString(R.string.compare_described, name, choose.text)
        next.contentDescription = view.resources.getString(R.string.compare_described, name, next.text)
    }
}
