package org.edgefacenet.app

import android.app.Activity
import android.content.ActivityNotFoundException
import android.content.ClipData
import android.content.Intent
import android.net.Uri
import java.io.File
import java.io.IOException
import org.edgefacenet.app.parts.Outcome
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.core.OutputException

/** What is asked of other apps: pictures, and taking a record. [say] shows what became of it. */
internal class HandOver(private val activity: Activity, private val work: Work, private val say: (Words) -> Unit) {
    /** Ask the system's picker for one picture or several. */
    fun pick(request: Int, several: Boolean) {
        val intent = Intent(Intent.ACTION_OPEN_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType("image/*").putExtra(Intent.EXTRA_ALLOW_MULTIPLE, several)
        forResult(intent, request, R.string.no_picker)
    }

    /** Let the user share a record with an app of their choice. */
    fun share(record: File) {
        val uri = RecordProvider.uri(record)
        val intent = Intent(Intent.ACTION_SEND).setType(RecordProvider.TYPE).putExtra(Intent.EXTRA_STREAM, uri).putExtra(Intent.EXTRA_SUBJECT, record.name)
        intent.clipData = ClipData.newRawUri(record.name, uri) // carries the permission to read it
        intent.addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        start(Intent.createChooser(intent, null))
    }

    /** Ask where to save a record. */
    fun save(record: File, request: Int) {
        val intent = Intent(Intent.ACTION_CREATE_DOCUMENT).addCategory(Intent.CATEGORY_OPENABLE).setType(RecordProvider.TYPE).putExtra(Intent.EXTRA_TITLE, record.name)
        forResult(intent, request, R.string.bench_not_saved)
    }

    /** Save it there. */
    fun write(record: File, place: Uri): Unit = work.run({ copy(record, place) }) { outcome ->
        say(Words.text(if (outcome is Outcome.Done) R.string.bench_saved else R.string.bench_not_saved))
    }

    fun start(intent: Intent) {
        try {
            activity.startActivity(intent)
        } catch (_: ActivityNotFoundException) {
            say(Words.text(R.string.bench_no_app))
        }
    }

    private fun forResult(intent: Intent, request: Int, otherwise: Int) {
        try {
            activity.startActivityForResult(intent, request)
        } catch (_: ActivityNotFoundException) {
            say(Words.text(otherwise))
        }
    }

    private fun copy(record: File, place: Uri) {
        try {
            val out = activity.contentResolver.openOutputStream(place, "wt") ?: throw IOException("nothing there")
            out.use { stream -> record.inputStream().use { it.copyTo(stream) } }
        } catch (error: IOException) {
            throw OutputException("The record cannot be written: ${error.message}.", error)
        } catch (error: SecurityException) {
            throw OutputException("The record must not be written there.", error)
        }
    }

    companion object {
        /** Addresses of what was picked. */
        fun chosen(data: Intent): List<String> {
            val clip = data.clipData
            val several = if (clip == null) emptyList() else (0 until clip.itemCount).mapNotNull { clip.getItemAt(it).uri }
            return several.ifEmpty { listOfNotNull(data.data) }.map { it.toString() }
        }
    }
}
