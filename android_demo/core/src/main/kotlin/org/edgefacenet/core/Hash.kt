package org.edgefacenet.core

import java.nio.ByteBuffer
import java.security.MessageDigest

/** Hex sha256 of bytes. */
object Hash {
    fun sha256(bytes: ByteArray): String = sha256(listOf(ByteBuffer.wrap(bytes)))

    /** Of a buffer's whole content up to its limit; its position stays. */
    fun sha256(bytes: ByteBuffer): String = sha256(listOf(bytes.whole()))

    internal fun sha256(parts: List<ByteBuffer>): String {
        val digest = MessageDigest.getInstance("SHA-256")
        parts.forEach { digest.update(it.duplicate()) }
        return digest.digest().joinToString("") { "%02x".format(it) }
    }
}
