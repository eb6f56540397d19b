package org.edgefacenet.app.compare

import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Looked
import org.edgefacenet.app.parts.Outcome
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Watched
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.app.pictures.Pictures
import org.edgefacenet.core.OpenSet
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.ThresholdException

/** One of the two pictures. */
sealed class Slot {
    object Empty : Slot()

    data class Loading(val address: String) : Slot()

    data class Failed(val address: String, val why: Words) : Slot()

    /**
     * @property image to be shown; px of the photo where [step] is 1, every second, third ... of them otherwise.
     * @property faces from left to right.
     * @property chosen number of the face that is compared; null while there is none, or several and nobody has chosen.
     */
    data class Shown(val address: String, val image: RgbImage, val step: Int, val faces: List<Looked>, val chosen: Int?) : Slot() {
        /** What there is to say about this picture. */
        val remark: Words?
            get() {
                val reasons = chosen?.let { faces[it].found.quality.reasons() }.orEmpty()
                return when {
                    faces.isEmpty() -> Words.text(R.string.compare_no_face)
                    chosen == null -> Words.plural(R.plurals.compare_several, faces.size)
                    reasons.isNotEmpty() -> Words.Said(reasons.joinToString("; "))
                    else -> null
                }
            }
    }

    companion object {
        /** The address of the picture that is here or on its way. */
        fun address(slot: Slot): String? = when (slot) {
            is Empty -> null
            is Loading -> slot.address
            is Failed -> slot.address
            is Shown -> slot.address
        }
    }
}

/**
 * The answer.
 *
 * @property same null where the model has no threshold to decide by; [why] says so.
 */
data class Verdict(val same: Boolean?, val similarity: Double, val threshold: Double?, val why: Words)

data class CompareState(val slots: List<Slot> = listOf(Slot.Empty, Slot.Empty), val verdict: Verdict? = null)

/** Whether two photos show one person. */
class ComparePresenter(private val work: Work, private val pictures: Pictures, private val session: () -> Session?) {
    val state: Watched<CompareState> = Watched(CompareState())

    /** A picture was chosen for place [number], 0 or 1. */
    fun choose(number: Int, address: String, face: Int? = null) {
        val session = session() ?: return
        put(number, Slot.Loading(address))
        work.run({ open(session, address, face) }) { outcome ->
            if (state.value.slots[number] != Slot.Loading(address)) return@run // another was chosen meanwhile
            when (outcome) {
                is Outcome.Done -> put(number, outcome.value)
                is Outcome.Refused -> put(number, Slot.Failed(address, Words.of(outcome.error)))
            }
        }
    }

    /** A face of a picture that shows several was tapped. */
    fun tap(number: Int, face: Int) {
        val slot = state.value.slots[number] as? Slot.Shown ?: return
        if (face in slot.faces.indices) put(number, slot.copy(chosen = face))
    }

    /** The next face of a picture that shows several, for those who cannot tap into a picture. */
    fun next(number: Int) {
        val slot = state.value.slots[number] as? Slot.Shown ?: return
        if (slot.faces.isNotEmpty()) tap(number, ((slot.chosen ?: -1) + 1) % slot.faces.size)
    }

    /** What must survive the process: address and chosen face of each picture. */
    fun save(): List<Pair<String?, Int>> = state.value.slots.map { Slot.address(it) to ((it as? Slot.Shown)?.chosen ?: NONE) }

    fun restore(saved: List<Pair<String?, Int>>) {
        if (state.value != CompareState()) return
        saved.forEachIndexed { number, (address, face) -> if (address != null) choose(number, address, face.takeIf { it != NONE }) }
    }

    private fun open(session: Session, address: String, face: Int?): Slot {
        val picture = pictures.read(address)
        val found = session.networks.look(picture.image, turned = true).sortedBy { it.found.face.box.left }
        val step = maxOf(1, maxOf(picture.image.width, picture.image.height) / LONGEST)
        val chosen = face?.takeIf { it in found.indices } ?: if (found.size == 1) 0 else null
        return Slot.Shown(address, thinned(picture.image, step), step, found, chosen)
    }

    private fun put(number: Int, slot: Slot) {
        val slots = state.value.slots.toMutableList().also { it[number] = slot }
        state.value = CompareState(slots, verdict(slots))
    }

    private fun verdict(slots: List<Slot>): Verdict? {
        val (a, b) = slots.map { slot -> (slot as? Slot.Shown)?.let { shown -> shown.chosen?.let { shown.faces[it].embedding } } ?: return null }
        val thresholds = session()?.networks?.artifact?.manifest?.thresholds
        val similarity = OpenSet.dot(a, b)
        return try {
            val same = OpenSet.isSame(a, b, thresholds, FAR)
            val limit = thresholds!!.cosine(FAR)
            val id = if (same) R.string.compare_above else R.string.compare_below
            Verdict(same, similarity, limit, Words.text(id, two(similarity), two(limit)))
        } catch (none: ThresholdException) {
            Verdict(null, similarity, null, Words.of(none))
        }
    }

    private fun two(value: Double): String = "%.2f".format(value)

    companion object {
        /** Share of pairs of two people that are taken for one person, on the manifest's pairs. */
        const val FAR: Double = 1e-3

        /** Pictures are shown with at most twice so many px a side; faces are looked for in all of them. */
        private const val LONGEST = 800
        private const val NONE = -1

        private fun thinned(image: RgbImage, step: Int): RgbImage {
            if (step == 1) return image
            val (width, height) = image.width / step to image.height / step
            val out = ByteArray(3 * width * height)
            for (y in 0 until height) for (x in 0 until width) {
                val from = 3 * (y * step * image.width + x * step)
                image.pixels.copyInto(out, 3 * (y * width + x), from, from + 3)
            }
            return RgbImage(width, height, out)
        }
    }
}
