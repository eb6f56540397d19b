package org.edgefacenet.app.ui

import android.view.View
import android.widget.Button
import android.widget.ImageView
import android.widget.TextView
import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Words

/** A button: its text, and what it does. */
class Choice(val text: Int, val act: () -> Unit)

/** A whole screen that says what is the matter and what can be done (`layout/message.xml`). */
class Message(private val view: View) {
    val isShown: Boolean get() = view.shown

    fun hide() {
        view.shown = false
    }

    fun show(title: Words, text: Words?, first: Choice?, second: Choice? = null, icon: Int = R.drawable.ic_camera) {
        view.shown = true
        view.part<ImageView>(R.id.message_icon).setImageResource(icon)
        view.part<TextView>(R.id.message_title).say(title)
        view.part<TextView>(R.id.message_text).say(text)
        offer(view.part(R.id.message_first), first)
        offer(view.part(R.id.message_second), second)
    }

    private fun offer(button: Button, choice: Choice?) {
        button.shown = choice != null
        if (choice == null) return
        button.setText(choice.text)
        button.setOnClickListener { choice.act() }
    }
}
