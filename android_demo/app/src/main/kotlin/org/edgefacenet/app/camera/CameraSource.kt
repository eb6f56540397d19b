package org.edgefacenet.app.camera

import java.io.Closeable
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.YuvFrame

/** The phone's cameras. */
interface CameraSource {
    /** The ways in which this phone's cameras look; empty when it has none, or none may be used. */
    fun facings(): List<Facing>

    /** Open a camera and let it deliver frames until it is closed, or until `onLost`. */
    fun open(facing: Facing, listener: CameraListener): Closeable
}

/** Called on a thread of the camera's. */
interface CameraListener {
    /** A frame, whose memory is lent for the time of this call; [degrees] clockwise bring it upright on the screen. */
    fun onFrame(frame: YuvFrame, degrees: Int)

    /** The camera could not be opened, or was taken away; no more frames come. */
    fun onLost(why: Words)
}
