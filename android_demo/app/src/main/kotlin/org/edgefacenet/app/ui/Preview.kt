package org.edgefacenet.app.ui

import android.graphics.Bitmap
import java.util.concurrent.atomic.AtomicReference
import org.edgefacenet.app.pictures.fillRow
import org.edgefacenet.core.RgbImage

/**
 * A camera's frames as bitmaps for the screen: two that take turns. A frame that comes before the last one was taken by the
 * screen is left out, so that nothing writes where the screen reads.
 *
 * @param post runs something on the screen's thread.
 */
class Preview(private val post: (() -> Unit) -> Unit, private val show: (Bitmap) -> Unit) {
    private val bitmaps = arrayOfNulls<Bitmap>(2)
    private val waiting = AtomicReference<Bitmap?>()
    private var turn = 0
    private var row = IntArray(0)

    /** A frame, lent for the time of the call; on the camera's thread. */
    fun frame(image: RgbImage) {
        if (waiting.get() != null) return
        val bitmap = bitmap(image.width, image.height)
        if (row.size != image.width) row = IntArray(image.width)
        for (y in 0 until image.height) {
            image.fillRow(row, y)
            bitmap.setPixels(row, 0, image.width, 0, y, image.width, 1)
        }
        waiting.set(bitmap)
        post { waiting.getAndSet(null)?.let(show) }
    }

    private fun bitmap(width: Int, height: Int): Bitmap {
        turn = 1 - turn
        val old = bitmaps[turn]
        if (old != null && old.width == width && old.height == height) return old
        return Bitmap.createBitmap(width, height, Bitmap.Config.ARGB_8888).also { bitmaps[turn] = it }
    }
}
