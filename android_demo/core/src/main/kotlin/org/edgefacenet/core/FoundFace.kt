package org.edgefacenet.core

/**
 * One face of a picture, cut for a network: what enrolment, identification and comparison share (`photos/aligner.py`).
 *
 * @property crop [Aligner.CROP_SIDE] px, upright; what [Embedder.embed] takes.
 */
class FoundFace(val face: DetectedFace, val crop: RgbImage, val quality: Quality) {
    companion object {
        /**
         * Every face of a picture, the subject (largest and most central) first; empty when there is none.
         *
         * @param turned whether other orientations are tried; a camera's frames, turned upright already, need none.
         * @param shrunk px of the picture as it was taken per px of [image], see [PhotoLimits].
         */
        fun of(finder: FaceFinder, image: RgbImage, most: Int = Int.MAX_VALUE, turned: Boolean = true, shrunk: Int = 1): List<FoundFace> =
            finder.find(image, most, turned).filter { it.isFace }.mapNotNull { face ->
                val crop = try {
                    Aligner.crop(image, face)
                } catch (_: InputException) {
                    return@mapNotNull null // five points in one place are no face
                }
                FoundFace(face, crop, Quality.measure(image, face, crop, shrunk))
            }

        /**
         * The one face of a picture that is to be enrolled or compared.
         *
         * @throws FaceCountException none, or several: then somebody has to choose.
         */
        fun single(found: List<FoundFace>, what: String = "This picture"): FoundFace = when (found.size) {
            0 -> throw FaceCountException("$what shows no face. Take one with a face that is large, lit and looks into the camera.", 0)
            1 -> found[0]
            else -> throw FaceCountException("$what shows ${found.size} faces. Choose the one you mean.", found.size)
        }
    }
}

/** How large a photo may be, and by how much it is shrunk while it is read. */
object PhotoLimits {
    /** Largest declared size; a phone's 108-megapixel photo passes. */
    const val MEGAPIXELS: Int = 128

    /** Photos longer than this are read at a half, a quarter or an eighth, px: a face of a tenth of it is still found. */
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
