package org.edgefacenet.app.pictures

import org.edgefacenet.core.EdgeFacenetException
import org.edgefacenet.core.RgbImage

/**
 * A photo from the phone, upright.
 *
 * @property image its pixels as they were read: of large photos every second, fourth or eighth.
 * @property sha256 of the file.
 * @property name of the file, where it is known.
 */
class Picture(val image: RgbImage, val sha256: String, val name: String)

/** Photos of the phone, by the address that the system's picker gives. */
fun interface Pictures {
    /**
     * Read one.
     *
     * @throws EdgeFacenetException not a picture, damaged, above the limit, or no more there.
     */
    fun read(address: String): Picture
}
