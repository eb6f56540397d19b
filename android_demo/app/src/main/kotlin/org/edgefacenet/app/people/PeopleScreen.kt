package org.edgefacenet.app.people

import android.app.AlertDialog
import android.view.LayoutInflater
import android.view.View
import android.view.ViewGroup
import android.widget.LinearLayout
import android.widget.TextView
import java.text.DateFormat
import org.edgefacenet.app.R
import org.edgefacenet.app.enrol.EnrolPresenter
import org.edgefacenet.app.parts.Locked
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.ui.Dates
import org.edgefacenet.app.ui.EnrolSheet
import org.edgefacenet.app.ui.Screen
import org.edgefacenet.app.ui.part
import org.edgefacenet.app.ui.say
import org.edgefacenet.app.ui.shown
import org.edgefacenet.core.Person

/** The page of the people; [pick] asks the system for photos to enroll somebody with. */
class PeopleScreen(parent: ViewGroup, private val presenter: PeoplePresenter, private val enrol: EnrolPresenter, pick: () -> Unit) : Screen {
    override val view: View = LayoutInflater.from(parent.context).inflate(R.layout.screen_people, parent, false)
    private val rows: LinearLayout = view.part(R.id.people_rows)
    private val sheet = EnrolSheet(view, enrol, R.string.enrol_photos, pick) { presenter.refresh() }
    private var asking: AlertDialog? = null
    private var listed: List<Person>? = null

    init {
        view.part<View>(R.id.people_add).setOnClickListener { pick() }
        view.part<View>(R.id.people_delete_all).setOnClickListener { presenter.askDeleteAll() }
        view.part<View>(R.id.locked_begin).setOnClickListener { presenter.askSetAside() }
    }

    override val takesBack: Boolean get() = enrol.state.value != null

    override fun start() {
        presenter.state.watch(this, ::show)
        sheet.start()
        presenter.refresh()
    }

    override fun stop() {
        presenter.state.leave(this)
        sheet.stop()
        asking?.setOnDismissListener(null)
        asking?.dismiss()
        asking = null
    }

    override fun back(): Boolean = takesBack.also { if (it) enrol.cancel() }

    private fun show(state: PeopleState) {
        locked(state.locked)
        val none = state.people.isEmpty()
        val count = if (none) Words.text(R.string.people_none) else Words.plural(R.plurals.people_count, state.people.size)
        view.part<TextView>(R.id.people_count).say(count.takeIf { state.locked == null })
        view.part<View>(R.id.people_add).shown = state.locked == null
        view.part<View>(R.id.people_delete_all).shown = state.holdsAnybody
        rows.shown = !none
        if (listed != state.people) list(state.people)
        ask(state.question)
    }

    private fun locked(locked: Locked?) {
        view.part<View>(R.id.people_locked).shown = locked != null
        if (locked == null) return
        view.part<TextView>(R.id.locked_title).setText(if (locked.otherModel) R.string.gallery_other_title else R.string.gallery_damaged_title)
        view.part<TextView>(R.id.locked_why).text = locked.why
    }

    private fun list(people: List<Person>) {
        listed = people
        rows.removeAllViews()
        for (person in people) {
            val row = LayoutInflater.from(view.context).inflate(R.layout.row_person, rows, false)
            row.part<TextView>(R.id.person_name).text = person.name
            val since = Dates.day(person.updated, DateFormat.MEDIUM)
            row.part<TextView>(R.id.person_about).say(Words.plural(R.plurals.people_photos, person.embeddings, since))
            val delete = row.part<View>(R.id.person_delete)
            delete.contentDescription = view.resources.getString(R.string.people_delete, person.name)
            delete.setOnClickListener { presenter.askDelete(person.id) }
            rows.addView(row)
        }
    }

    private fun ask(question: Question?) {
        if (question == null || asking != null) return
        val builder = AlertDialog.Builder(view.context).setNegativeButton(R.string.cancel) { _, _ -> presenter.dismiss() }
        val yes = if (question == Question.SetAside) R.string.gallery_begin else R.string.delete
        builder.setTitle(title(question))
            .setMessage(why(question))
            .setPositiveButton(yes) { _, _ -> presenter.confirm() }
            .setOnCancelListener { presenter.dismiss() }
            .setOnDismissListener { asking = null }
        asking = builder.show()
    }

    private fun why(question: Question): Int = when (question) {
        is Question.Delete -> R.string.people_ask_why
        is Question.DeleteAll -> R.string.people_ask_all_why
        is Question.SetAside -> R.string.gallery_ask_why
    }

    private fun title(question: Question): String = when (question) {
        is Question.Delete -> view.resources.getString(R.string.people_ask, question.person.name)
        is Question.DeleteAll -> view.resources.getString(R.string.people_ask_all)
        is Question.SetAside -> view.resources.getString(R.string.gallery_ask)
    }
}
