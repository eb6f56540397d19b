package org.edgefacenet.app.enrol

import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Outcome
import org.edgefacenet.app.parts.Seen
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Watched
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.core.Enrolled
import org.edgefacenet.core.Hash
import org.edgefacenet.core.OpenSet
import org.edgefacenet.core.Person
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.Sample

/**
 * What the enrolment's sheet shows.
 *
 * @property hint what to do next.
 * @property problems why pictures were not taken, or could not be saved: of the camera the last, of photos all that were chosen
 *   together.
 * @property mistaken somebody whom the tapped face was taken for, and may not be.
 * @property id of this enrolment: what was asked for by an earlier one does not belong to it.
 * @property reading photos that are still being looked at.
 */
data class EnrolState(
    val name: String = "",
    val takes: List<Take> = emptyList(),
    val hint: Words = Words.text(R.string.enrol_first),
    val problems: List<Words> = emptyList(),
    val mistaken: Person? = null,
    val saving: Boolean = false,
    val id: Int = 0,
    val reading: Int = 0,
) {
    val problem: Words? get() = if (problems.size > 1) Words.Joined(problems, "\n") else problems.firstOrNull()
    val isFull: Boolean get() = takes.size >= Draft.MOST
    val canTake: Boolean get() = !isFull && !saving
    val canSave: Boolean get() = takes.isNotEmpty() && name.isNotBlank() && !saving && reading == 0
}

/**
 * Enrolling somebody: a face was tapped, more pictures of it are taken, a name is typed, and all of it is saved in one step.
 *
 * [state] is null while nobody is being enrolled; [notice] says what was done last.
 */
class EnrolPresenter(private val work: Work, private val session: () -> Session?) {
    val state: Watched<EnrolState?> = Watched(null)
    val notice: Watched<Words?> = Watched(null)
    private var tapped: Seen? = null
    private var begun = 0

    /** Somebody tapped this face: begin with it. */
    fun begin(seen: Seen) {
        if (refusedByGallery()) return
        tapped = seen
        val known = seen.match?.person?.let { id -> people().firstOrNull { it.id == id } }
        state.value = fresh().copy(name = known?.name.orEmpty(), mistaken = known)
        take(seen)
    }

    /** Begin with nothing yet: pictures come from the phone's photos. */
    fun begin() {
        if (!refusedByGallery() && state.value == null) state.value = fresh()
    }

    /** So many photos are being looked at for the enrolment under way; gives its id, null when there is none. */
    fun expect(photos: Int): Int? {
        val now = state.value ?: return null
        shown(now.copy(reading = now.reading + photos, problems = if (now.reading > 0) now.problems else emptyList()))
        return now.id
    }

    /** One of them was looked at. False when the enrolment that asked for it is over. */
    fun arrived(id: Int): Boolean {
        val now = state.value?.takeIf { it.id == id } ?: return false
        shown(now.copy(reading = now.reading - 1))
        return true
    }

    /**
     * One more picture, when it is good enough and not among them yet.
     *
     * @param photo hash of its file; null when it is the camera's: then what was said before it is over.
     */
    fun take(seen: Seen, photo: String? = null) {
        val now = state.value ?: fresh()
        if (!now.canTake) return
        if (seen.reasons.isNotEmpty()) {
            state.value = now.copy(problems = listOf(Words.text(R.string.enrol_bad, seen.reasons.joinToString("; "))))
            return
        }
        val hash = photo ?: hash(seen)
        if (now.takes.any { it.sample.photoSha256 == hash }) return
        val take = Take(Sample(seen.looked.embedding, hash), thumbnail(seen.looked.found.crop))
        val before = if (photo == null) emptyList() else now.problems
        shown(now.copy(takes = now.takes + take, problems = before + listOfNotNull(stranger(now, take))))
    }

    /** No face of the camera's could be taken: say why. */
    fun refuse(why: Words) {
        if (refusedByGallery()) return
        state.value = (state.value ?: fresh()).copy(problems = listOf(why))
    }

    /** A photo could not be taken: say why, beside what was said of the others. */
    fun leaveOut(why: Words) {
        val now = state.value ?: return
        state.value = now.copy(problems = now.problems + why)
    }

    fun remove(number: Int) {
        val now = state.value ?: return
        shown(now.copy(takes = now.takes.filterIndexed { at, _ -> at != number }, problems = emptyList()))
    }

    fun rename(name: String) {
        val now = state.value ?: return
        if (name != now.name) shown(now.copy(name = name))
    }

    /** Save all pictures. */
    fun save() {
        val now = state.value ?: return
        val people = session()?.people
        if (!now.canSave || people == null) return
        state.value = now.copy(saving = true, problems = emptyList())
        work.run({ people.enroll(now.name, now.takes.map { it.sample }) }) { saved(it, now.id) }
    }

    /** The tapped face is not who it was taken for: remember that. */
    fun notThem() {
        val asked = state.value ?: return
        val person = asked.mistaken ?: return
        val seen = tapped ?: return
        val people = session()?.people ?: return
        val sample = Sample(seen.looked.embedding, hash(seen))
        work.run({ people.reject(person.id, sample) }) { outcome ->
            val isOver = state.value?.id != asked.id
            val said = if (outcome is Outcome.Refused) Words.of(outcome.error) else Words.text(R.string.enrol_rejected, person.name)
            if (isOver) notice.value = said else if (outcome is Outcome.Done) end(said) else refuse(said)
        }
    }

    /** Drop it; not while it is being saved, for then it is too late. */
    fun cancel() {
        if (state.value?.saving != true) end(null)
    }

    /** What must survive the process; null when nobody is being enrolled. */
    fun draft(): ByteArray? {
        val now = state.value ?: return null
        val maker = session()?.networks?.embedder?.fingerprint ?: return null
        return Draft(maker, now.name, now.takes).encode()
    }

    /** Go on with what [draft] gave to a process before this one. */
    fun restore(draft: ByteArray) {
        val found = Draft.decode(draft) ?: return
        if (state.value != null || refusedByGallery()) return
        if (found.maker != session()?.networks?.embedder?.fingerprint) {
            notice.value = Words.text(R.string.enrol_other_model)
            return
        }
        shown(fresh().copy(name = found.name, takes = found.takes))
    }

    private fun saved(outcome: Outcome<Enrolled>, id: Int) {
        val now = state.value?.takeIf { it.id == id }
        when (outcome) {
            is Outcome.Done -> {
                val done = outcome.value
                val said = Words.plural(if (done.created) R.plurals.enrol_new else R.plurals.enrol_more, done.embeddings, done.name, done.added)
                if (now != null) end(said) else notice.value = said
            }
            is Outcome.Refused -> if (now != null) state.value = now.copy(saving = false, problems = listOf(Words.of(outcome.error))) else notice.value = Words.of(outcome.error)
        }
    }

    private fun fresh() = EnrolState(id = ++begun)

    private fun end(said: Words?) {
        tapped = null
        state.value = null
        notice.value = said
    }

    private fun shown(next: EnrolState) {
        state.value = next.copy(hint = hint(next))
    }

    private fun hint(now: EnrolState): Words {
        val known = people().filter { it.name == now.name.trim() }
        return when {
            now.reading > 0 -> Words.plural(R.plurals.enrol_reading, now.reading)
            now.takes.isEmpty() -> Words.text(R.string.enrol_first)
            known.isNotEmpty() -> Words.plural(R.plurals.enrol_adds, known[0].embeddings, known[0].name)
            now.takes.size < Draft.GOOD -> Words.plural(R.plurals.enrol_few, now.takes.size)
            now.isFull -> Words.text(R.string.enrol_full)
            else -> Words.plural(R.plurals.enrol_enough, now.takes.size)
        }
    }

    /** Pictures of two people in one enrolment make a person who is found in neither: said, not refused. */
    private fun stranger(now: EnrolState, take: Take): Words? {
        val others = now.takes.map { OpenSet.dot(it.sample.embedding, take.sample.embedding) }
        val thresholds = session()?.networks?.artifact?.manifest?.thresholds ?: return null
        val limit = thresholds.at.firstOrNull { it.far == STRANGER_FAR }?.cosine ?: return null
        val best = others.maxOrNull() ?: return null
        return if (best > limit) null else Words.text(R.string.enrol_stranger, "%.2f".format(best))
    }

    private fun refusedByGallery(): Boolean {
        val locked = session()?.locked ?: return false
        notice.value = Words.text(if (locked.otherModel) R.string.gallery_other_model else R.string.gallery_damaged)
        return true
    }

    private fun people(): List<Person> = session()?.people?.people().orEmpty()

    /** A camera's face has no file: its own pixels are what was taken. */
    private fun hash(seen: Seen): String = Hash.sha256(seen.looked.found.crop.pixels)

    private companion object {
        const val SIDE = 56

        /** Below the threshold at this rate, one in seven pairs of one person lies, too: enough for a remark, not for a refusal. */
        const val STRANGER_FAR = 0.01

        /** Every second pixel or so of the crop: it is shown at the size of a finger. */
        fun thumbnail(crop: RgbImage): RgbImage {
            val step = maxOf(1, crop.width / SIDE)
            val side = crop.width / step
            val out = ByteArray(3 * side * side)
            for (y in 0 until side) for (x in 0 until side) {
                crop.pixels.copyInto(out, 3 * (y * side + x), 3 * (y * step * crop.width + x * step), 3 * (y * step * crop.width + x * step) + 3)
            }
            return RgbImage(side, side, out)
        }
    }
}
