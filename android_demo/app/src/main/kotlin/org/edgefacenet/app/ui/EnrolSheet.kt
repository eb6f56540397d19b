package org.edgefacenet.app.ui

import android.text.Editable
import android.text.TextWatcher
import android.view.LayoutInflater
import android.view.View
import android.view.inputmethod.EditorInfo
import android.widget.Button
import android.widget.EditText
import android.widget.ImageButton
import android.widget.LinearLayout
import android.widget.TextView
import org.edgefacenet.app.R
import org.edgefacenet.app.enrol.EnrolPresenter
import org.edgefacenet.app.enrol.EnrolState
import org.edgefacenet.app.enrol.Take
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.pictures.toBitmap

/**
 * The form of an enrolment (`layout/sheet_enrol.xml`), on the camera's page and on that of the people, where it covers what is
 * `behind`.
 *
 * @param takeText what the button for more pictures says; [onTake] is what it does.
 * @param onOpen told whether the form is open.
 */
class EnrolSheet(
    page: View,
    private val presenter: EnrolPresenter,
    takeText: Int,
    onTake: () -> Unit,
    private val onOpen: (Boolean) -> Unit,
) {
    private val view: View = page.part(R.id.sheet)
    private val behind: View = page.part(R.id.behind)
    private val name: EditText = view.part(R.id.enrol_name)
    private val takes: LinearLayout = view.part(R.id.takes)
    private val take: Button = view.part(R.id.enrol_take)
    private val not: Button = view.part(R.id.enrol_not)
    private val save: Button = view.part(R.id.enrol_save)
    private var shown: List<Take> = emptyList()

    init {
        take.setText(takeText)
        take.setOnClickListener { onTake() }
        not.setOnClickListener { presenter.notThem() }
        save.setOnClickListener { presenter.save() }
        view.part<View>(R.id.enrol_cancel).setOnClickListener { presenter.cancel() }
        name.isSaveEnabled = false // the presenter keeps it
        name.addTextChangedListener(Typed(presenter::rename))
        name.setOnEditorActionListener { _, action, _ ->
            if (action == EditorInfo.IME_ACTION_DONE) presenter.save()
            false // the keyboard closes as it always does
        }
    }

    fun start(): Unit = presenter.state.watch(this, ::show)

    fun stop(): Unit = presenter.state.leave(this)

    private fun show(state: EnrolState?) {
        view.shown = state != null
        behind.visibility = if (state == null) View.VISIBLE else View.INVISIBLE // to screen readers, too
        onOpen(state != null)
        if (state == null) return close()
        if (name.text.toString() != state.name) name.setText(state.name)
        if (shown !== state.takes) pictures(state.takes)
        view.part<View>(R.id.takes_scroll).shown = state.takes.isNotEmpty()
        view.part<TextView>(R.id.enrol_hint).say(state.hint)
        view.part<TextView>(R.id.enrol_problem).say(state.problem)
        take.isEnabled = state.canTake
        save.isEnabled = state.canSave
        name.isEnabled = !state.saving
        not.say(state.mistaken?.let { Words.text(R.string.enrol_not, it.name) })
    }

    private fun close() {
        name.clearFocus()
        val keyboard = view.context.getSystemService(android.view.inputmethod.InputMethodManager::class.java)
        keyboard?.hideSoftInputFromWindow(view.windowToken, 0)
    }

    private fun pictures(next: List<Take>) {
        shown = next
        takes.removeAllViews()
        next.forEachIndexed { number, take ->
            val button = LayoutInflater.from(view.context).inflate(R.layout.take, takes, false) as ImageButton
            button.setImageBitmap(take.thumbnail.toBitmap(take.thumbnail.width))
            button.contentDescription = view.resources.getString(R.string.enrol_remove, number + 1)
            button.setOnClickListener { presenter.remove(number) }
            takes.addView(button)
        }
    }
}

private class Typed(private val then: (String) -> Unit) : TextWatcher {
    override fun beforeTextChanged(text: CharSequence?, start: Int, count: Int, after: Int) = Unit

    override fun onTextChanged(text: CharSequence?, start: Int, before: Int, count: Int) = Unit

    override fun afterTextChanged(text: Editable?) = then(text.toString())
}
