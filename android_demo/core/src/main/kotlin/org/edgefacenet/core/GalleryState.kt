package org.edgefacenet.core

import kotlinx.serialization.json.JsonObject
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64

internal fun Sample.isLike(other: Sample): Boolean = embedding.contentEquals(other.embedding)

/** One person's rows as they are stored. */
internal data class PersonRow(
    val id: Int,
    val name: String,
    val enrolled: String,
    val updated: String,
    val samples: List<Sample>,
    val rejected: List<Sample>,
) {
    fun described(): Person = Person(id, name, samples.size, rejected.size, enrolled, updated)
}

/**
 * What a gallery file holds, and its form: JSON with a hash over everything else in it, embeddings as base64 of
 * little-endian float32.
 *
 * @property next the id of the next new person.
 */
internal data class GalleryState(val next: Int, val people: List<PersonRow>) {
    fun templates(): Templates {
        val known = people.mapNotNull { row -> Templates.template(row.samples.map { it.embedding })?.let { row to it } }
        return Templates(
            known.map { it.first.id },
            known.map { it.first.name },
            known.map { it.second },
            known.flatMap { (row, _) -> row.samples.map { it.embedding } },
            known.flatMapIndexed { at, (row, _) -> row.samples.map { at } },
            known.flatMap { (row, _) -> row.rejected.map { it.embedding } },
            known.flatMapIndexed { at, (row, _) -> row.rejected.map { at } },
        )
    }

    fun bytes(maker: Maker): ByteArray {
        val content = mapOf(
            "format" to FORMAT,
            "schema" to SCHEMA,
            "maker" to mapOf("embedder" to maker.embedder, "aligner" to maker.aligner, "dimension" to maker.dimension),
            "next" to next,
            "people" to people.map(::json),
        )
        return JsonText.canonical(content + (CHECK to Hash.sha256(JsonText.compact(content).toByteArray()))).toByteArray()
    }

    private fun json(row: PersonRow): Map<String, Any> = mapOf(
        "id" to row.id,
        "name" to row.name,
        "enrolled" to row.enrolled,
        "updated" to row.updated,
        "samples" to row.samples.map(::json),
        "rejected" to row.rejected.map(::json),
    )

    private fun json(sample: Sample): Map<String, Any> =
        mapOf("embedding" to encode(sample.embedding), "photo_sha256" to sample.photoSha256, "source" to sample.source)

    companion object {
        private const val FORMAT = "edge-facenet gallery"
        private const val SCHEMA = 1
        private const val CHECK = "sha256"

        /** The maker and content of a file's [bytes]; [name] is for messages. */
        fun parse(name: String, bytes: ByteArray): Pair<Maker, GalleryState> {
            val refusal = { why: String -> GalleryException("$why Nothing in it was changed; set it aside to begin a new gallery.") }
            val element = JsonReader.parse(bytes, "the gallery $name", refusal)
            val reader = JsonReader(element, "gallery $name", refusal)
            if (!reader.has("format") || reader.string("format") != FORMAT) throw refusal("$name is not a gallery of this app.")
            val schema = reader.int("schema")
            if (schema != SCHEMA) throw refusal("The gallery $name has schema $schema, this version reads $SCHEMA. Update the app.")
            val content = JsonObject((element as JsonObject).filterKeys { it != CHECK })
            if (reader.string(CHECK) != Hash.sha256(JsonText.compact(content).toByteArray())) {
                throw refusal("The gallery $name is damaged: its content is not what was written.")
            }
            val maker = reader.reader("maker").only("embedder", "aligner", "dimension")
                .let { Maker(it.string("embedder"), it.string("aligner"), it.int("dimension")) }
            return maker to GalleryState(reader.int("next"), reader.readers("people").map { person(it, maker.dimension) })
        }

        private fun person(r: JsonReader, dimension: Int): PersonRow {
            fun samples(key: String) = r.readers(key).map { sample(it, dimension) }
            return PersonRow(r.int("id"), r.string("name"), r.string("enrolled"), r.string("updated"), samples("samples"), samples("rejected"))
        }

        private fun sample(r: JsonReader, dimension: Int): Sample {
            val vector = decode(r.string("embedding"))
            if (vector == null || vector.size != dimension) throw r.refuse("embedding", "not $dimension float32 values.")
            return Sample(vector, r.string("photo_sha256"), r.string("source"))
        }

        private fun encode(vector: FloatArray): String {
            val bytes = ByteBuffer.allocate(4 * vector.size).order(ByteOrder.LITTLE_ENDIAN)
            vector.forEach { bytes.putFloat(it) }
            return Base64.getEncoder().encodeToString(bytes.array())
        }

        private fun decode(text: String): FloatArray? {
            val bytes = try {
                Base64.getDecoder().decode(text)
            } catch (_: IllegalArgumentException) {
                return null
            }
            val floats = ByteBuffer.wrap(bytes).order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer()
            return FloatArray(floats.remaining()).also { floats.get(it) }
        }
    }
}
