package org.edgefacenet.core

import java.io.File
import java.io.FileOutputStream
import java.io.IOException
import java.text.SimpleDateFormat
import java.util.Date
import java.util.Locale
import java.util.TimeZone

/** What made an embedding. Only embeddings of equal makers may be compared. */
data class Maker(val embedder: String, val aligner: String, val dimension: Int) {
    override fun toString(): String = "network ${embedder.take(12)}, aligner ${aligner.take(12)}, dimension $dimension"

    companion object {
        /** Of the embeddings that [embedder] gives for crops of a [FaceFinder]. */
        fun of(embedder: Embedder): Maker = Maker(embedder.fingerprint, FaceModels.alignerFingerprint, embedder.dimension)
    }
}

/** One enrolled person. Times are ISO 8601, UTC. [id] is never used again, not even after the person was forgotten. */
data class Person(val id: Int, val name: String, val embeddings: Int, val rejected: Int, val enrolled: String, val updated: String)

/**
 * One face.
 *
 * @property embedding unit length.
 * @property photoSha256 of the photo's bytes (of a camera frame: of its pixels).
 * @property source name of the photo; a later photo of the same source replaces it. Empty, as the app leaves it, it replaces
 *   nothing.
 */
class Sample(val embedding: FloatArray, val photoSha256: String, val source: String = "")

/** What one enrolment did. */
data class Enrolled(val person: Int, val name: String, val created: Boolean, val added: Int, val known: Int, val replaced: Int, val embeddings: Int)

/**
 * The people a phone knows, in one file without pictures.
 *
 * Every change writes a whole new file beside the old one, flushes it to the disk and renames it into place, so that a
 * process that dies in the middle leaves the state before or the state after. Safe to call from several threads of one
 * process; who asks for [size] or [people] never waits for the disk.
 */
class GalleryStore private constructor(private val file: File, private val maker: Maker, @Volatile private var state: GalleryState) {
    private var templates: Templates? = null

    /** Number of people. */
    val size: Int get() = state.people.size

    /** Everybody, by id. */
    fun people(): List<Person> = state.people.map { it.described() }

    /**
     * Add faces of somebody, all or none.
     *
     * A name that is known means the person who has it, and a new name a new one.
     *
     * @throws InputException a name or embedding that is not allowed, or no samples.
     * @throws OutputException the file cannot be written; nothing has changed.
     */
    fun enroll(name: String, samples: List<Sample>): Enrolled = synchronized(this) {
        if (samples.isEmpty()) throw InputException("Nobody can be enrolled without a face. Take a picture with a face in it.")
        samples.forEach { OpenSet.checkUnit(it.embedding, maker.dimension, "The face's embedding") }
        val checked = Names.checked(name)
        val now = now()
        val old = state.people.firstOrNull { it.name == checked }
        val base = old ?: PersonRow(state.next, checked, now, now, emptyList(), emptyList())
        val merged = Merged(base.samples).apply { samples.forEach(::add) }
        val row = base.copy(updated = if (merged.changed) now else base.updated, samples = merged.rows)
        val people = if (old == null) state.people + row else state.people.map { if (it.id == row.id) row else it }
        if (merged.changed) commit(state.copy(next = if (old == null) state.next + 1 else state.next, people = people))
        Enrolled(row.id, row.name, old == null, merged.added, merged.known, merged.replaced, row.samples.size)
    }

    /** Remember that a face is not this person. */
    fun reject(person: Int, sample: Sample): Unit = synchronized(this) {
        OpenSet.checkUnit(sample.embedding, maker.dimension, "The face's embedding")
        val row = row(person)
        val kept = row.samples.filterNot { it.isLike(sample) }
        val rejected = row.rejected.filterNot { it.isLike(sample) } + sample
        replace(row.copy(samples = kept, rejected = rejected, updated = now()))
    }

    /**
     * Delete people with all that stands under their names; the number deleted. Ids that are not there count as nothing. A face
     * of theirs that was [reject]ed for somebody else stays with that person.
     */
    fun forget(vararg ids: Int): Int = synchronized(this) {
        val kept = state.people.filter { it.id !in ids }
        val gone = state.people.size - kept.size
        if (gone > 0) commit(state.copy(people = kept))
        gone
    }

    /** What [OpenSet] compares with. */
    fun templates(): Templates = synchronized(this) { templates ?: state.templates().also { templates = it } }

    private fun replace(row: PersonRow) = commit(state.copy(people = state.people.map { if (it.id == row.id) row else it }))

    private fun row(id: Int): PersonRow =
        state.people.firstOrNull { it.id == id } ?: throw InputException("Nobody has the id $id; there are ${state.people.size} people.")

    private fun commit(next: GalleryState) {
        Files.replace(file, next.bytes(maker))
        state = next
        templates = null
    }

    /** Samples with new ones put in. */
    private class Merged(var rows: List<Sample>) {
        var added = 0
        var known = 0
        var replaced = 0
        val changed: Boolean get() = added > 0

        fun add(sample: Sample) {
            if (rows.any { it.photoSha256 == sample.photoSha256 && it.isLike(sample) }) {
                known++
                return
            }
            val kept = rows.filterNot { sample.source.isNotEmpty() && it.source == sample.source && it.photoSha256 != sample.photoSha256 }
            replaced += rows.size - kept.size
            rows = kept + sample
            added++
        }
    }

    companion object {
        /**
         * Open a gallery; it is created at the first change. The file is read whole and proven sound.
         *
         * @throws GalleryException damaged, of a newer version, or not a gallery. It is left as it is; [setAside] makes way.
         * @throws GalleryMismatchException the embeddings in it come from another network or aligner; likewise.
         */
        fun open(file: File, maker: Maker): GalleryStore {
            Files.sweep(file)
            if (!file.exists()) return GalleryStore(file, maker, GalleryState(1, emptyList()))
            val bytes = try {
                file.readBytes()
            } catch (error: IOException) {
                throw GalleryException("Cannot read the gallery ${file.name}: ${error.message}. Nothing in it was changed.", error)
            }
            val (found, state) = GalleryState.parse(file.name, bytes)
            if (found != maker) {
                throw GalleryMismatchException(
                    "The gallery ${file.name} was made by another model ($found; this app has $maker), so its ${state.people.size} people " +
                        "cannot be compared. Open it with the model that made it, or set it aside and enroll anew; it is untouched.",
                )
            }
            return GalleryStore(file, maker, state)
        }

        /** Rename a gallery that cannot be opened, so that a new one can begin; nothing is deleted. Returns its new place. */
        fun setAside(file: File): File {
            val place = generateSequence(1) { it + 1 }.map { File(file.absoluteFile.parentFile, "${file.name}$ASIDE$it") }.first { !it.exists() }
            if (!file.renameTo(place)) throw OutputException("Cannot rename ${file.name} to ${place.name}. Nothing was changed.")
            return place
        }

        /** The galleries that were [setAside]. No app reads them again. */
        fun aside(file: File): List<File> = file.absoluteFile.parentFile.listFiles().orEmpty().filter { it.name.startsWith(file.name + ASIDE) }

        /** Delete galleries, whoever made them. */
        fun delete(files: List<File>): Unit = files.forEach {
            if (!it.delete() && it.exists()) throw OutputException("Cannot delete ${it.name}, in which people may stand. Try again.")
        }

        private const val ASIDE = ".set-aside-"

        internal fun now(): String =
            SimpleDateFormat("yyyy-MM-dd'T'HH:mm:ss'Z'", Locale.ROOT).apply { timeZone = TimeZone.getTimeZone("UTC") }.format(Date())
    }
}

/** Files written beside and renamed, so that a crash leaves the previous one whole. */
internal object Files {
    private const val MARK = ".writing"

    /** Replace [file] by [content] in one step that has reached the disk. */
    fun replace(file: File, content: ByteArray) {
        val beside = beside(file)
        try {
            file.absoluteFile.parentFile.mkdirs()
            FileOutputStream(beside).use { stream ->
                stream.write(content)
                stream.flush()
                stream.fd.sync()
            }
            if (!beside.renameTo(file)) throw IOException("it cannot be renamed into place")
        } catch (error: IOException) {
            beside.delete()
            throw OutputException("Cannot write ${file.name}: ${error.message}. What was there before is untouched; free some space and try again.", error)
        }
    }

    /** Remove what a dead process left half-written. */
    fun sweep(file: File) {
        beside(file).delete()
    }

    private fun beside(file: File) = File(file.absoluteFile.parentFile, file.name + MARK)
}
