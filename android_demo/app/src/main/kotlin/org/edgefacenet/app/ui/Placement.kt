package org.edgefacenet.app.ui

import org.edgefacenet.core.Box

/**
 * Where a picture lies in a view: scaled, in the middle, mirrored or not. Places of the picture are px of the picture, those
 * of the view px of the view; both begin at the outer corner of the first pixel.
 *
 * @param fill cover the view and cut what reaches over, as a camera's preview, but no more than a fourth of the picture: faces
 *   that are found shall be seen. Otherwise show all of it.
 */
class Placement(private val width: Int, height: Int, viewWidth: Int, viewHeight: Int, fill: Boolean, private val mirrored: Boolean) {
    /** View px per picture px. */
    val scale: Float
    val left: Float
    val top: Float

    init {
        val across = viewWidth.toFloat() / width
        val down = viewHeight.toFloat() / height
        scale = if (fill) minOf(maxOf(across, down), minOf(across, down) / LEAST_SHOWN) else minOf(across, down)
        left = (viewWidth - scale * width) / 2
        top = (viewHeight - scale * height) / 2
    }

    /** Where a part of the picture is seen. */
    fun toView(box: Box): Box {
        val (from, to) = if (mirrored) width - box.right to width - box.left else box.left to box.right
        return Box(left + scale * from, top + scale * box.top, left + scale * to, top + scale * box.bottom)
    }

    private companion object {
        const val LEAST_SHOWN = 0.75f
    }
}

/** What a finger means. */
object Touch {
    /**
     * The number of the box that was hit at ([x], [y]); null when none was. A box is hit from [slack] px around it on, and
     * where several are, the smallest counts: a large face behind a small one can be touched elsewhere.
     */
    fun hit(boxes: List<Box>, x: Float, y: Float, slack: Float): Int? = boxes.indices
        .filter { boxes[it].let { box -> x > box.left - slack && x < box.right + slack && y > box.top - slack && y < box.bottom + slack } }
        .minByOrNull { boxes[it].width * boxes[it].height }
}
