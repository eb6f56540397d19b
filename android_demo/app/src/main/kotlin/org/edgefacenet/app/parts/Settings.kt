package org.edgefacenet.app.parts

/** What a user may choose; kept over restarts. */
interface Settings {
    /** Share of strangers who may be taken for somebody enrolled, 0..1. */
    var fpir: Double

    /** Whether the user was asked for the camera and said no. */
    var refused: Boolean
}
