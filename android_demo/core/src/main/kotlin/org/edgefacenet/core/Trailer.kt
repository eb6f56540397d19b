package org.edgefacenet.core

import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.zip.CRC32
import java.util.zip.DataFormatException
import java.util.zip.Inflater

/**
 * The short text sealed behind a TFLite graph: a zip archive appended to it with the entry `edge_facenet.json`
 * (`edge_facenet/trailer.py`). The tail is read in place, so that a mapped model file is not copied.
 */
internal object Trailer {
    const val ENTRY: String = "edge_facenet.json"

    /** @property graphBytes length of the graph's own bytes, before the archive. */
    class Split(val graphBytes: Int, val text: ByteArray)

    /** The text behind [model] and where the graph ends; null when there is no sound archive with the entry. */
    fun split(model: ByteBuffer): Split? {
        val data = model.whole().order(ByteOrder.LITTLE_ENDIAN)
        return try {
            find(data)
        } catch (_: IndexOutOfBoundsException) {
            null // it looks like an archive and is none
        } catch (_: DataFormatException) {
            null
        }
    }

    private fun find(data: ByteBuffer): Split? {
        val end = endRecord(data) ?: return null
        val size = data.getInt(end + 12)
        val said = data.getInt(end + 16)
        val moved = end - size - said // where something was put before the archive without telling it
        var at = said + moved
        repeat(data.getShort(end + 10).toInt() and 0xFFFF) {
            if (data.getInt(at) != ENTRY_MARK) return null
            val name = short(data, at + 28)
            if (bytes(data, at + 46, name).decodeToString() == ENTRY) return entry(data, at, data.getInt(at + 42) + moved)
            at += 46 + name + short(data, at + 30) + short(data, at + 32)
        }
        return null
    }

    private fun endRecord(data: ByteBuffer): Int? {
        val last = data.limit() - END_BYTES
        for (at in last downTo maxOf(0, last - MOST_COMMENT)) {
            if (data.getInt(at) == END_MARK && at + END_BYTES + short(data, at + 20) == data.limit()) return at
        }
        return null
    }

    private fun entry(data: ByteBuffer, record: Int, local: Int): Split? {
        if (data.getInt(local) != LOCAL_MARK) return null
        val packed = data.getInt(record + 20)
        val size = data.getInt(record + 24)
        if (packed !in 0..MOST_TEXT || size !in 0..MOST_TEXT) return null
        val content = bytes(data, local + 30 + short(data, local + 26) + short(data, local + 28), packed)
        val text = when (short(data, record + 10)) {
            STORED -> content
            DEFLATED -> inflated(content, size)
            else -> return null
        }
        val check = CRC32().apply { update(text) }.value.toInt()
        return if (text.size == size && check == data.getInt(record + 16)) Split(local, text) else null
    }

    private fun inflated(content: ByteArray, size: Int): ByteArray {
        val inflater = Inflater(true)
        try {
            inflater.setInput(content)
            val out = ByteArray(size)
            return out.copyOf(inflater.inflate(out))
        } finally {
            inflater.end()
        }
    }

    private fun short(data: ByteBuffer, at: Int): Int = data.getShort(at).toInt() and 0xFFFF

    private fun bytes(data: ByteBuffer, at: Int, length: Int): ByteArray {
        if (at < 0 || length < 0 || at > data.limit() - length) throw IndexOutOfBoundsException("$at + $length of ${data.limit()}")
        val out = ByteArray(length)
        data.whole().also { it.seek(at) }.get(out)
        return out
    }

    private const val END_BYTES = 22
    private const val MOST_COMMENT = 65_535
    private const val MOST_TEXT = 1 shl 20
    private const val END_MARK = 0x06054b50
    private const val ENTRY_MARK = 0x02014b50
    private const val LOCAL_MARK = 0x04034b50
    private const val STORED = 0
    private const val DEFLATED = 8
}
