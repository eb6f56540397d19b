package org.edgefacenet.core

/**
 * How a JPEG's pixels have to be turned to be upright, out of its EXIF block.
 *
 * Decoders of phones hand over the pixels as stored; whoever does not look here shows portraits on their side.
 */
object ExifOrientation {
    /**
     * The orientation tag of a JPEG, 1..8; 1 when the file is no JPEG, has none, or a damaged or impossible one: that is no
     * reason to lose a sound picture.
     *
     * @param jpeg the file's bytes; the first 256 kB are enough.
     */
    fun read(jpeg: ByteArray): Int = try {
        tag(jpeg)?.takeIf { it in 1..8 } ?: 1
    } catch (_: IndexOutOfBoundsException) {
        1
    }

    /** Degrees clockwise to turn stored pixels by, then whether to mirror them left to right. */
    fun turn(orientation: Int): Pair<Int, Boolean> = when (orientation) {
        2 -> 0 to true
        3 -> 180 to false
        4 -> 180 to true
        5 -> 90 to true
        6 -> 90 to false
        7 -> 270 to true
        8 -> 270 to false
        else -> 0 to false
    }

    /** Stored pixels, upright. */
    fun apply(image: RgbImage, orientation: Int): RgbImage = turn(orientation).let { (degrees, mirror) -> image.turned(degrees, mirror) }

    private fun tag(data: ByteArray): Int? {
        if (byte(data, 0) != 0xFF || byte(data, 1) != 0xD8) return null
        var at = 2
        while (byte(data, at) == 0xFF) {
            val marker = byte(data, at + 1)
            if (marker == 0xFF) {
                at++ // fill byte
                continue
            }
            if (marker == START_OF_SCAN || marker == END) return null
            if (marker == 0x01 || marker in 0xD0..0xD7) {
                at += 2 // markers without a length
                continue
            }
            val length = byte(data, at + 2) shl 8 or byte(data, at + 3)
            if (length < 2) return null
            if (marker == APP1 && isExif(data, at + 4)) orientation(data, at + 10, at + 2 + length)?.let { return it }
            at += 2 + length
        }
        return null
    }

    private fun isExif(data: ByteArray, at: Int): Boolean = String(data, at, 6, Charsets.ISO_8859_1) == "Exif\u0000\u0000"

    /** The tag in the first directory of a TIFF block from [start] to [end]. */
    private fun orientation(data: ByteArray, start: Int, end: Int): Int? {
        val little = when (String(data, start, 2, Charsets.ISO_8859_1)) {
            "II" -> true
            "MM" -> false
            else -> return null
        }
        fun short(at: Int) = if (little) byte(data, at) or (byte(data, at + 1) shl 8) else byte(data, at) shl 8 or byte(data, at + 1)
        fun int(at: Int) = if (little) short(at) or (short(at + 2) shl 16) else short(at) shl 16 or short(at + 2)
        if (short(start + 2) != 42) return null
        val directory = start + int(start + 4)
        if (directory < start || directory > end - 2) return null
        for (k in 0 until short(directory)) {
            val entry = directory + 2 + 12 * k
            if (entry > end - 12) return null
            if (short(entry) == TAG) return if (short(entry + 2) == SHORT) short(entry + 8) else null
        }
        return null
    }

    private fun byte(data: ByteArray, at: Int): Int = data[at].toInt() and 0xFF

    private const val TAG = 0x0112
    private const val SHORT = 3
    private const val APP1 = 0xE1
    private const val START_OF_SCAN = 0xDA
    private const val END = 0xD9
}
