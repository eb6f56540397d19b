package org.edgefacenet.app.ui

import android.content.Context
import android.graphics.Canvas
import android.graphics.Paint
import android.util.AttributeSet
import android.view.View
import org.edgefacenet.app.R

/** A similarity on a scale from 0 to 1, with the threshold as a mark; it runs with the direction of writing. */
class GaugeView(context: Context, attributes: AttributeSet?) : View(context, attributes) {
    private val paint = Paint(Paint.ANTI_ALIAS_FLAG)
    private var similarity: Double? = null
    private var threshold: Double? = null
    private var colour = 0

    /** Show [similarity]; null = an empty scale. */
    fun show(similarity: Double?, threshold: Double?, colour: Int) {
        this.similarity = similarity
        this.threshold = threshold
        this.colour = colour
        val said = similarity?.let { context.getString(R.string.gauge, "%.2f".format(it), threshold?.let { t -> "%.2f".format(t) } ?: "–") }
        contentDescription = said
        importantForAccessibility = if (said == null) IMPORTANT_FOR_ACCESSIBILITY_NO else IMPORTANT_FOR_ACCESSIBILITY_YES
        invalidate()
    }

    override fun onDraw(canvas: Canvas) {
        super.onDraw(canvas)
        val thick = dp(12f)
        val top = (height - thick) / 2
        paint.color = context.getColor(R.color.outline)
        canvas.drawRoundRect(0f, top, width.toFloat(), top + thick, thick / 2, thick / 2, paint)
        similarity?.let { value ->
            paint.color = colour
            val end = place(value)
            val start = place(0.0)
            canvas.drawRoundRect(minOf(start, end), top, maxOf(start, end, minOf(start, end) + thick), top + thick, thick / 2, thick / 2, paint)
        }
        threshold?.let { value ->
            paint.color = context.getColor(R.color.text)
            canvas.drawRect(place(value) - dp(1.5f), top - dp(8f), place(value) + dp(1.5f), top + thick + dp(8f), paint)
        }
    }

    private fun place(value: Double): Float {
        val share = value.coerceIn(0.0, 1.0).toFloat()
        return width * if (layoutDirection == LAYOUT_DIRECTION_RTL) 1 - share else share
    }

    private fun dp(value: Float): Float = value * resources.displayMetrics.density
}
