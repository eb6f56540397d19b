package org.edgefacenet.app.camera

/** Which way a camera looks, as seen from the phone's screen. */
enum class Facing { BACK, FRONT, EXTERNAL }

/** How a sensor's picture has to be turned to be upright on the screen. */
object Turn {
    /**
     * Degrees clockwise.
     *
     * @param sensor `SENSOR_ORIENTATION`: degrees clockwise that bring the sensor's picture upright on the phone held as it is
     *   meant to be held.
     * @param display degrees anti-clockwise by which the phone was turned from there (`Display.getRotation` times 90).
     *
     * Turning the phone turns a camera of the back against the sense in which the screen's content turns, and one of the
     * front, which looks the other way, with it. Source: Android's documentation of `CaptureRequest.JPEG_ORIENTATION`.
     */
    fun degrees(sensor: Int, display: Int, facing: Facing): Int = if (facing == Facing.FRONT) (sensor + display).mod(360) else (sensor - display).mod(360)
}
