package org.edgefacenet.app.enrol

import java.io.ByteArrayInputStream
import java.io.ByteArrayOutputStream
import java.io.DataInputStream
import java.io.DataOutputStream
import java.io.IOException
import java.util.zip.DeflaterOutputStream
import java.util.zip.InflaterInputStream
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.Sample

/**
 * A picture taken for an enrolment that is not saved yet.
 *
 * @property thumbnail of the face, to be shown until the enrolment ends; it is never stored with the person.
 */
class Take(val sample: Sample, val thumbnail: RgbImage)

/**
 * An enrolment under way. It outlives a rotation and the death of the process as [encode]d bytes in the saved state of the
 * screen, and ends with it.
 *
 * @property maker fingerprint of the network that made the embeddings.
 */
data class Draft(val maker: String, val name: String = "", val takes: List<Take> = emptyList()) {
    /** All of it in a few kB per picture. */
    fun encode(): ByteArray {
        val bytes = ByteArrayOutputStream()
        DataOutputStream(DeflaterOutputStream(bytes)).use { out ->
            out.writeInt(VERSION)
            out.writeUTF(maker)
            out.writeUTF(name)
            out.writeInt(takes.size)
            takes.forEach { write(out, it) }
        }
        return bytes.toByteArray()
    }

    private fun write(out: DataOutputStream, take: Take) {
        out.writeInt(take.sample.embedding.size)
        take.sample.embedding.forEach(out::writeFloat)
        out.writeUTF(take.sample.photoSha256)
        out.writeUTF(take.sample.source)
        out.writeInt(take.thumbnail.width)
        out.writeInt(take.thumbnail.height)
        out.write(take.thumbnail.pixels)
    }

    companion object {
        /** Pictures of one enrolment: what is kept must fit into an activity's saved state. */
        const val MOST: Int = 10

        /** So many give a person who is found again in other light and from another side. */
        const val GOOD: Int = 3
        private const val VERSION = 1
        private const val LONGEST = 4096
        private const val LARGEST = 256

        /** What [encode] wrote; null when it is not that: then there is nothing to go on with. */
        fun decode(bytes: ByteArray): Draft? = try {
            DataInputStream(InflaterInputStream(ByteArrayInputStream(bytes))).use(::read)
        } catch (_: IOException) {
            null
        }

        private fun read(data: DataInputStream): Draft {
            if (data.readInt() != VERSION) throw IOException("another version")
            val maker = data.readUTF()
            val name = data.readUTF()
            return Draft(maker, name, List(size(data, 0, MOST)) { take(data) })
        }

        private fun take(data: DataInputStream): Take {
            val embedding = FloatArray(size(data, 1, LONGEST)) { data.readFloat() }
            val sample = Sample(embedding, data.readUTF(), data.readUTF())
            val width = size(data, 1, LARGEST)
            val height = size(data, 1, LARGEST)
            return Take(sample, RgbImage(width, height, ByteArray(3 * width * height).also { data.readFully(it) }))
        }

        private fun size(data: DataInputStream, least: Int, most: Int): Int = data.readInt().also { if (it !in least..most) throw IOException("a size of $it") }
    }
}
