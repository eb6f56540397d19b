package org.edgefacenet.core

import java.io.ByteArrayInputStream
import java.io.DataInputStream
import java.io.EOFException
import java.util.zip.InflaterInputStream
import java.util.zip.ZipException
import kotlin.math.abs
import kotlin.math.sqrt

/** Two synthetic faces, mixtures of many people's eigen-faces, that every artifact must tell apart. */
object SelfTest {
    /** Name of the asset: the package's `selftest_faces.png`. */
    const val FILE: String = "selftest_faces.png"

    /** Of the two faces' RGB bytes, one after the other, as manifests hold it. */
    const val SHA256: String = "baf916c883f4302883c366f4519b87a51e19d1d18457d7048632101babdf3b54"
    private const val SIDE = 112

    /** Least 1 - cosine between the two faces: rounding gives 1e-5, two people are above 0.1. */
    private const val DISTINCT = 1e-4

    /**
     * The two faces out of the bytes of [FILE].
     *
     * @throws ManifestException damaged.
     */
    fun faces(png: ByteArray): List<RgbImage> {
        val both = try {
            Png.read(png)
        } catch (error: java.io.IOException) {
            throw ManifestException("$FILE is damaged (${error.message}). Install the app again.", error)
        }
        val faces = List(2) { n ->
            ByteArray(3 * SIDE * SIDE) { both[it / (3 * SIDE) * 6 * SIDE + n * 3 * SIDE + it % (3 * SIDE)] }
        }
        val found = Hash.sha256(faces[0] + faces[1])
        if (found != SHA256) throw ManifestException("$FILE holds other faces: sha256 ${found.take(12)}…, expected ${SHA256.take(12)}…. Install the app again.")
        return faces.map { RgbImage(SIDE, SIDE, it) }
    }

    internal fun run(found: List<FloatArray>, expected: GoldenEmbeddings?, engine: String): List<Double> {
        val between = cosine(found[0], found[1])
        if (1 - between < DISTINCT) {
            throw SelfTestException(
                "The network gives every face the same vector: cosine $between between two different faces, at most ${1 - DISTINCT} is " +
                    "allowed. Its weights, or mean and scale in its manifest, are wrong.",
            )
        }
        return if (expected == null) listOf(between) else compare(found, expected, engine)
    }

    private fun compare(found: List<FloatArray>, expected: GoldenEmbeddings, engine: String): List<Double> {
        if (expected.facesSha256 != SHA256) {
            throw SelfTestException(
                "The golden embeddings belong to other faces (${expected.facesSha256.take(12)}…, this version carries ${SHA256.take(12)}…). " +
                    "Use the version of the app that belongs to the artifact, or export it again.",
            )
        }
        if (expected.embeddings.map { it.size } != found.map { it.size }) {
            throw SelfTestException("The golden embeddings have ${expected.embeddings.map { it.size }} values, this network gives ${found.map { it.size }}.")
        }
        val tolerance = expected.tolerance[engine] ?: throw SelfTestException(
            "The manifest has no tolerance for engine $engine (it has ${expected.tolerance.keys.sorted().joinToString(", ")}): it was never proven there.",
        )
        val cosines = found.indices.map { cosine(found[it], expected.embeddings[it]) }
        if (!(cosines.min() >= 1 - tolerance)) {
            throw SelfTestException(
                "On engine $engine the two known faces come out with cosines ${cosines.joinToString(" and ") { rate(Math.rint(it * 1e6) / 1e6) }} to what the " +
                    "manifest holds, at least ${1 - tolerance} is needed. Pixels, weights or the engine differ from the export's.",
            )
        }
        return cosines
    }

    private fun cosine(a: FloatArray, b: FloatArray): Double = cosine(a, b.map { it.toDouble() })

    private fun cosine(a: FloatArray, b: List<Double>): Double = b.indices.sumOf { a[it] * b[it] } / sqrt(b.sumOf { it * it })

    /** Just enough of PNG for one file of our own: 8-bit RGB, not interlaced. */
    private object Png {
        fun read(png: ByteArray): ByteArray {
            val data = DataInputStream(ByteArrayInputStream(png))
            if (data.readLong() != MARK) throw ZipException("not a PNG file")
            var packed = ByteArray(0)
            while (true) {
                val length = data.readInt()
                val kind = data.readInt()
                if (length !in 0..png.size) throw EOFException("a chunk of $length bytes")
                val content = ByteArray(length).also { data.readFully(it) }
                data.readInt()
                when (kind) {
                    HEADER -> if (!content.contentEquals(EXPECTED)) throw ZipException("another kind of picture")
                    CONTENT -> packed += content
                    END -> return unfiltered(packed)
                }
            }
        }

        private fun unfiltered(packed: ByteArray): ByteArray {
            val stream = DataInputStream(InflaterInputStream(ByteArrayInputStream(packed)))
            val width = 6 * SIDE
            val out = ByteArray(SIDE * width)
            for (y in 0 until SIDE) {
                val filter = stream.readUnsignedByte()
                stream.readFully(out, y * width, width)
                for (x in 0 until width) {
                    val at = y * width + x
                    val left = if (x >= 3) out[at - 3].toInt() and 0xFF else 0
                    val up = if (y > 0) out[at - width].toInt() and 0xFF else 0
                    val corner = if (x >= 3 && y > 0) out[at - width - 3].toInt() and 0xFF else 0
                    out[at] = (out[at] + predicted(filter, left, up, corner)).toByte()
                }
            }
            return out
        }

        private fun predicted(filter: Int, left: Int, up: Int, corner: Int): Int = when (filter) {
            0 -> 0
            1 -> left
            2 -> up
            3 -> (left + up) / 2
            4 -> nearest(left + up - corner, left, up, corner)
            else -> throw ZipException("filter $filter")
        }

        private fun nearest(guess: Int, left: Int, up: Int, corner: Int): Int {
            val (a, b, c) = Triple(abs(guess - left), abs(guess - up), abs(guess - corner))
            return if (a <= b && a <= c) left else if (b <= c) up else corner
        }

        private const val MARK = -8552249625308161526L // 89 50 4E 47 0D 0A 1A 0A
        private const val HEADER = 0x49484452
        private const val CONTENT = 0x49444154
        private const val END = 0x49454E44
        private val EXPECTED = byteArrayOf(0, 0, 0, (2 * SIDE).toByte(), 0, 0, 0, SIDE.toByte(), 8, 2, 0, 0, 0)
    }
}
