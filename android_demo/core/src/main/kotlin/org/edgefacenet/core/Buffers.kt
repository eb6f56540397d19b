package org.edgefacenet.core

import java.nio.Buffer
import java.nio.ByteBuffer

// ByteBuffer.position() and its like return a ByteBuffer since Java 9 and a Buffer on Android 8: called through Buffer, both
// find the method they have.

/** Move to [position] of a buffer. */
internal fun Buffer.seek(position: Int) {
    position(position)
}

internal fun Buffer.cap(limit: Int) {
    limit(limit)
}

/** The whole of a buffer up to its limit, with a position of its own. */
internal fun ByteBuffer.whole(): ByteBuffer = duplicate().order(order()).also { it.seek(0) }

/** The first [length] bytes. */
internal fun ByteBuffer.head(length: Int): ByteBuffer = whole().also { it.cap(length) }

/** Everything up to the limit. */
internal fun ByteBuffer.toBytes(): ByteArray = whole().let { buffer -> ByteArray(buffer.limit()).also { buffer.get(it) } }
