package org.edgefacenet.app.ui

import android.content.res.Resources
import android.view.View
import android.widget.TextView
import org.edgefacenet.app.parts.Words

/** These words in the user's language. */
fun Resources.say(words: Words): String = when (words) {
    is Words.Text -> getString(words.id, *said(words.args))
    is Words.Plural -> getQuantityString(words.id, words.count, *said(words.args))
    is Words.Said -> words.text
    is Words.Joined -> words.parts.joinToString(words.between) { say(it) }
}

private fun Resources.said(args: List<Any>): Array<Any> = args.map { if (it is Words) say(it) else it }.toTypedArray()

/** Show [words], or nothing at all; a text that stays the same is left alone, so that no screen reader says it again. */
fun TextView.say(words: Words?) {
    visibility = if (words == null) View.GONE else View.VISIBLE
    val next = words?.let { resources.say(it) }.orEmpty()
    if (text.toString() != next) text = next
}
