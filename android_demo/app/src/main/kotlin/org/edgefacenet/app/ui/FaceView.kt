package org.edgefacenet.app.ui

import android.content.Context
import android.graphics.Bitmap
import android.graphics.Canvas
import android.graphics.DashPathEffect
import android.graphics.Matrix
import android.graphics.Paint
import android.text.TextPaint
import android.text.TextUtils
import android.util.AttributeSet
import android.util.TypedValue
import android.view.MotionEvent
import android.view.View
import org.edgefacenet.app.R
import org.edgefacenet.app.camera.Kind
import org.edgefacenet.app.camera.Label
import org.edgefacenet.core.Box

/**
 * A picture with the boxes and names of its faces, which can be tapped.
 *
 * It draws a camera's frames itself, the very ones that are analysed: boxes cannot stand where no face is seen.
 */
class FaceView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val line = Paint(Paint.ANTI_ALIAS_FLAG).apply { style = Paint.Style.STROKE }
    private val shade = Paint(Paint.ANTI_ALIAS_FLAG)
    private val text = TextPaint(Paint.ANTI_ALIAS_FLAG)
    private val smooth = Paint(Paint.FILTER_BITMAP_FLAG)
    private val dash = DashPathEffect(floatArrayOf(dp(8f), dp(5f)), 0f)
    private val matrix = Matrix()
    private var bitmap: Bitmap? = null
    private var labels: List<Label> = emptyList()
    private var width = 1
    private var height = 1

    /** Called with the number of the face that was tapped. */
    var onFace: ((Int) -> Unit)? = null

    /** Cover the view, as a camera's preview does, or show all of the picture. */
    var fill: Boolean = false
        set(value) {
            field = value
            invalidate()
        }

    /** Show the picture as a mirror does. Names are never mirrored. */
    var mirrored: Boolean = false
        set(value) {
            field = value
            invalidate()
        }

    /** Show a picture; null = none. */
    fun picture(next: Bitmap?) {
        bitmap = next
        invalidate()
    }

    /** Show these faces of a picture of [width] x [height] px, whatever the size of the bitmap that shows it. */
    fun faces(next: List<Label>, width: Int, height: Int) {
        labels = next
        this.width = maxOf(width, 1)
        this.height = maxOf(height, 1)
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        bitmap?.let { draw(canvas, it) }
        val boxes = boxes()
        for ((label, box) in labels.zip(boxes)) outline(canvas, label, box)
        for ((label, box) in labels.zip(boxes)) name(canvas, label, box)
    }

    private fun draw(canvas: Canvas, picture: Bitmap) {
        val place = Placement(picture.width, picture.height, getWidth(), getHeight(), fill, mirrored)
        matrix.setScale(if (mirrored) -place.scale else place.scale, place.scale)
        matrix.postTranslate(if (mirrored) place.left + place.scale * picture.width else place.left, place.top)
        canvas.drawBitmap(picture, matrix, smooth)
    }

    private fun boxes(): List<Box> {
        val place = Placement(width, height, getWidth(), getHeight(), fill, mirrored)
        return labels.map { place.toView(it.box) }
    }

    private fun outline(canvas: Canvas, label: Label, box: Box) {
        val round = dp(8f)
        line.pathEffect = if (label.kind == Kind.UNKNOWN) dash else null // told apart without colours, too
        line.color = context.getColor(R.color.face_shade)
        line.strokeWidth = dp(5f)
        canvas.drawRoundRect(box.left, box.top, box.right, box.bottom, round, round, line)
        line.color = colour(label.kind)
        line.strokeWidth = dp(3f)
        canvas.drawRoundRect(box.left, box.top, box.right, box.bottom, round, round, line)
    }

    /** The name stands above its box, or in it where there is no room above, and always within the view. */
    private fun name(canvas: Canvas, label: Label, box: Box) {
        val said = resources.say(label.title)
        if (said.isEmpty()) return
        text.textSize = TypedValue.applyDimension(TypedValue.COMPLEX_UNIT_SP, 14f, resources.displayMetrics)
        text.color = context.getColor(R.color.face_text)
        val room = maxOf(box.width, dp(72f))
        val fits = text.measureText(said) <= room
        val shown = if (fits || label.kind != Kind.UNKNOWN) TextUtils.ellipsize(said, text, room, TextUtils.TruncateAt.END).toString() else "?"
        val wide = text.measureText(shown) + dp(12f)
        val high = text.fontMetrics.descent - text.fontMetrics.ascent + dp(4f)
        val left = (box.left).coerceIn(0f, maxOf(0f, getWidth() - wide))
        val top = if (box.top - high - dp(4f) >= 0) box.top - high - dp(4f) else maxOf(box.top, 0f) + dp(4f)
        shade.color = colour(label.kind)
        canvas.drawRoundRect(left, top, left + wide, top + high, dp(6f), dp(6f), shade)
        canvas.drawText(shown, left + dp(6f), top + dp(2f) - text.fontMetrics.ascent, text)
    }

    private fun colour(kind: Kind): Int = context.getColor(
        when (kind) {
            Kind.KNOWN -> R.color.face_known
            Kind.AMBIGUOUS -> R.color.face_ambiguous
            Kind.UNKNOWN -> R.color.face_unknown
            Kind.CHOSEN -> R.color.face_chosen
        },
    )

    override fun onTouchEvent(event: MotionEvent): Boolean {
        if (onFace == null) return false
        if (event.actionMasked == MotionEvent.ACTION_UP) {
            Touch.hit(boxes(), event.x, event.y, dp(12f))?.let {
                performClick()
                onFace?.invoke(it)
            }
        }
        return true
    }

    /** Screen readers cannot point into a picture: each screen offers the same by a button. */
    override fun performClick(): Boolean = super.performClick()

    private fun dp(value: Float): Float = value * resources.displayMetrics.density
}
