package org.edgefacenet.app.ui

import java.text.DateFormat
import java.text.ParsePosition
import java.text.SimpleDateFormat
import java.util.Locale
import java.util.TimeZone

/** Times of the gallery for people. */
object Dates {
    /** The day of an ISO 8601 time in UTC, in the user's language and time zone; the text itself when it is no such time. */
    fun day(iso: String, style: Int): String {
        val form = SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT).apply { timeZone = TimeZone.getTimeZone("UTC") }
        val time = form.parse(iso, ParsePosition(0)) ?: return iso
        return DateFormat.getDateInstance(style).format(time)
    }
}
