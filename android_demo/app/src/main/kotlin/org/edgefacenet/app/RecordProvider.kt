package org.edgefacenet.app

import android.content.ContentProvider
import android.content.ContentValues
import android.content.Context
import android.database.Cursor
import android.database.MatrixCursor
import android.net.Uri
import android.os.ParcelFileDescriptor
import android.provider.OpenableColumns
import java.io.File
import java.io.FileNotFoundException

/** Lets another app read one benchmark record, when the user shares it: nothing else, and for that app alone. */
class RecordProvider : ContentProvider() {
    override fun onCreate(): Boolean = true

    override fun getType(uri: Uri): String = TYPE

    override fun openFile(uri: Uri, mode: String): ParcelFileDescriptor {
        if (mode != "r") throw FileNotFoundException("Records can be read, not written.")
        return ParcelFileDescriptor.open(file(uri), ParcelFileDescriptor.MODE_READ_ONLY)
    }

    override fun query(uri: Uri, projection: Array<out String>?, selection: String?, selectionArgs: Array<out String>?, sortOrder: String?): Cursor {
        val file = file(uri)
        val columns = arrayOf(OpenableColumns.DISPLAY_NAME, OpenableColumns.SIZE).filter { projection == null || it in projection }
        val values: List<Any> = columns.map { if (it == OpenableColumns.SIZE) file.length() else file.name }
        return MatrixCursor(columns.toTypedArray(), 1).apply { addRow(values) }
    }

    override fun insert(uri: Uri, values: ContentValues?): Uri? = null

    override fun update(uri: Uri, values: ContentValues?, selection: String?, selectionArgs: Array<out String>?): Int = 0

    override fun delete(uri: Uri, selection: String?, selectionArgs: Array<out String>?): Int = 0

    /** One of the records by its name; names with a path in them are none. */
    private fun file(uri: Uri): File = folder(checkNotNull(context)).listFiles().orEmpty().firstOrNull { it.name == uri.lastPathSegment }
        ?: throw FileNotFoundException("There is no such record.")

    companion object {
        const val TYPE: String = "application/json"
        private const val AUTHORITY = "org.edgefacenet.app.records"

        /** Where records lie. */
        fun folder(context: Context): File = File(context.filesDir, "records")

        /** The address of a record for other apps. */
        fun uri(record: File): Uri = Uri.Builder().scheme("content").authority(AUTHORITY).appendPath(record.name).build()
    }
}
