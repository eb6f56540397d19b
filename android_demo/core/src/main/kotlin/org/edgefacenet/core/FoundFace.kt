package org.edgefacenet.core

/**
 * One face of a picture, cut for a network: what enrolment, identification and comparison share (`photos/aligner.py`).
 *
 * @property crop [Aligner.CROP_SIDE] px and the margin asked for, upright; what [Embedder.embed] takes.
 */
class FoundFace(val face: DetectedFace, val crop: RgbImage, val quality: Quality) {
    companion object {
        /**
         * Every face of a picture, the subject (largest and most central) first; empty when there is none.
         *
         * @param most so many faces at most.
         * @param turned whether the picture is also looked at turned; a camera's frames, which stand upright and come by the
         *   dozen, need not be.
         * @param parts levels of ever smaller parts in which small faces are looked for, 0..2; four parts at the first, twelve
         *   at the second.
         * @param margin px kept around the template on each side, as the manifest of the network says.
         */
        fun of(
            finder: FaceFinder,
            image: RgbImage,
            most: Int = Int.MAX_VALUE,
            turned: Boolean = true,
            margin: Int = 0,
            parts: Int = if (turned) 2 else 0,
        ): List<FoundFace> {
            val whole = real(finder.find(image, most, turned))
            val small = if (parts > 0 && whole.size < most && whole.all { it.turns == 0 }) SmallFaces.of(image, finder, whole, parts) else emptyList()
            return (whole + small).take(most).mapNotNull { cut(image, it, margin) }
        }

        private fun cut(image: RgbImage, face: DetectedFace, margin: Int): FoundFace? = try {
            val plain = Aligner.crop(image, face)
            val crop = if (margin == 0) plain else Aligner.crop(image, face, Aligner.CROP_SIDE + 2 * margin, margin)
            FoundFace(face, crop, Quality.measure(image, face, plain))
        } catch (_: InputException) {
            null // five points in one place are no face
        }

        /** Without phantoms and second looks at one face. */
        private fun real(found: List<DetectedFace>): List<DetectedFace> = found.filter { face ->
            val better = found.filter { it !== face && it.exactScore > face.exactScore }
            val sure = face.exactPresence >= FaceMesh.PRESENT || face.exactScore >= ALONE
            sure && better.none { face.box.area > 0 && face.box.common(it.box) / face.box.area > NESTED }
        }

        /** A face that the mesh does not confirm counts above this score; phantoms in textures had 0.51 to 0.68, one 0.77. */
        private const val ALONE = 0.75

        /** Share of a box inside a better face's box from which on both are one face. */
        private const val NESTED = 0.7
    }
}

/** How large a photo may be, and by how much it is shrunk while it is read. */
object PhotoLimits {
    /** Largest declared size; a phone's 108-megapixel photo passes. */
    const val MEGAPIXELS: Int = 128

    /**
     * Photos longer than this are read at a half, a quarter or an eighth, px. A face of a tenth of it loses nothing by that; the
     * smaller ones that parts show do, and [Quality] judges the pixels that are left.
     */
    const val WORK_SIDE: Int = 2048

    /**
     * What to divide both sides by while reading: 1, 2, 4 or 8 (`BitmapFactory.Options.inSampleSize`).
     *
     * @throws InputException not a picture's size, or above the limit; judged before anything is decoded.
     */
    fun sampleSize(width: Int, height: Int): Int {
        if (width < 1 || height < 1) throw InputException("This file is not a picture, or a damaged one. Choose another.")
        if (width.toLong() * height > MEGAPIXELS * 1_000_000L) {
            throw InputException("The picture says it has $width x $height pixels; the limit is $MEGAPIXELS megapixels. Choose a smaller one.")
        }
        var factor = 1
        while (maxOf(width, height) / factor > WORK_SIDE && factor < 8) factor *= 2
        return factor
    }
}
