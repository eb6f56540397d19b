package org.edgefacenet.app.pictures

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.ColorSpace
import android.net.Uri
import android.provider.OpenableColumns
import java.io.IOException
import java.io.InputStream
import java.security.MessageDigest
import org.edgefacenet.app.R
import org.edgefacenet.core.ExifOrientation
import org.edgefacenet.core.InputException
import org.edgefacenet.core.PhotoLimits
import org.edgefacenet.core.RgbImage

/** Reads photos through the content resolver: size first, then the pixels, of large ones every second, fourth or eighth. */
class PhotoReader(private val resolver: ContentResolver, private val say: (Int) -> String) : Pictures {
    override fun read(address: String): Picture {
        val uri = Uri.parse(address)
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        stream(uri) { BitmapFactory.decodeStream(it, null, bounds) }
        if (bounds.outWidth < 1 || bounds.outHeight < 1) throw InputException(say(R.string.picture_damaged))
        val step = PhotoLimits.sampleSize(bounds.outWidth, bounds.outHeight)
        val orientation = stream(uri) { ExifOrientation.read(head(it)) }
        return Picture(ExifOrientation.apply(pixels(uri, step), orientation), stream(uri, ::hash), name(uri))
    }

    private fun pixels(uri: Uri, step: Int): RgbImage {
        val options = BitmapFactory.Options().apply {
            inSampleSize = step
            inPreferredConfig = Bitmap.Config.ARGB_8888
            inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
        }
        val bitmap = stream(uri) { BitmapFactory.decodeStream(it, null, options) } ?: throw InputException(say(R.string.picture_damaged))
        return try {
            bitmap.toRgb()
        } finally {
            bitmap.recycle()
        }
    }

    private fun <T> stream(uri: Uri, use: (InputStream) -> T): T = try {
        (resolver.openInputStream(uri) ?: throw IOException("nothing there")).use(use)
    } catch (error: IOException) {
        throw InputException(say(R.string.picture_gone), error)
    } catch (error: SecurityException) {
        throw InputException(say(R.string.picture_forbidden), error)
    }

    private fun head(stream: InputStream): ByteArray {
        val bytes = ByteArray(HEAD)
        var filled = 0
        while (filled < HEAD) {
            val read = stream.read(bytes, filled, HEAD - filled)
            if (read < 0) break
            filled += read
        }
        return bytes.copyOf(filled)
    }

    private fun hash(stream: InputStream): String {
        val digest = MessageDigest.getInstance("SHA-256")
        val block = ByteArray(1 shl 16)
        while (true) {
            val read = stream.read(block)
            if (read < 0) return digest.digest().joinToString("") { "%02x".format(java.util.Locale.ROOT, it) }
            digest.update(block, 0, read)
        }
    }

    /** A provider that does not know the name, or is gone, is no reason to lose the photo. */
    private fun name(uri: Uri): String = try {
        resolver.query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use { if (it.moveToFirst()) it.getString(0) else null }
    } catch (_: SecurityException) {
        null
    } ?: uri.lastPathSegment.orEmpty()

    private companion object {
        const val HEAD = 1 shl 18
    }
}

/** The pixels of a bitmap; what is transparent in it comes onto white. */
internal fun Bitmap.toRgb(): RgbImage {
    val out = ByteArray(3 * width * height)
    val row = IntArray(width)
    for (y in 0 until height) {
        getPixels(row, 0, width, 0, y, width, 1)
        for (x in 0 until width) {
            val alpha = row[x] ushr 24
            for (c in 0..2) {
                val value = row[x] shr (16 - 8 * c) and 0xFF
                out[3 * (y * width + x) + c] = (if (alpha == 255) value else (value * alpha + 255 * (255 - alpha) + 127) / 255).toByte()
            }
        }
    }
    return RgbImage(width, height, out)
}

/** A bitmap of a picture, of at most [longest] px a side: every so many pixels of it. */
internal fun RgbImage.toBitmap(longest: Int): Bitmap {
    val step = maxOf(1, (maxOf(width, height) + longest - 1) / longest)
    val (w, h) = (width + step - 1) / step to (height + step - 1) / step
    val bitmap = Bitmap.createBitmap(w, h, Bitmap.Config.ARGB_8888)
    val row = IntArray(w)
    for (y in 0 until h) {
        fillRow(row, y * step, step)
        bitmap.setPixels(row, 0, w, 0, y, w, 1)
    }
    return bitmap
}

/** Colours of a picture's row, of every [step]th pixel. */
internal fun RgbImage.fillRow(row: IntArray, y: Int, step: Int = 1) {
    var at = 3 * y * width
    for (x in row.indices) {
        row[x] = OPAQUE or (pixels[at].toInt() and 0xFF shl 16) or (pixels[at + 1].toInt() and 0xFF shl 8) or (pixels[at + 2].toInt() and 0xFF)
        at += 3 * step
    }
}

private const val OPAQUE = 0xFF shl 24
