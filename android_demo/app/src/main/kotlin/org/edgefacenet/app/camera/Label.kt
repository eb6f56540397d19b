package org.edgefacenet.app.camera

import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Locked
import org.edgefacenet.app.parts.Seen
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.Box
import org.edgefacenet.core.Match
import org.edgefacenet.core.OpenSet

/** How sure the app is of a face; decides colour and line of its box. */
enum class Kind { KNOWN, AMBIGUOUS, UNKNOWN, CHOSEN }

/**
 * A face as it is shown.
 *
 * @property title who it is.
 * @property why one sentence.
 * @property warning what is wrong with the picture of it.
 */
data class Label(val box: Box, val kind: Kind, val title: Words, val why: Words, val warning: Words? = null) {
    companion object {
        /** The answer for one face, in words. */
        fun of(seen: Seen, locked: Locked?, people: Int): Label {
            val box = seen.looked.found.face.box
            val warning = seen.reasons.firstOrNull()?.let { Words.Said(it) }
            val match = seen.match
            val limit = seen.threshold
            if (match == null || limit == null) {
                val why = if (locked != null) R.string.why_locked else R.string.why_no_thresholds
                return Label(box, Kind.UNKNOWN, Words.text(R.string.unknown), Words.text(why), warning)
            }
            return Label(box, kind(match), title(match), why(match, limit.cosine, people), warning)
        }

        private fun kind(match: Match): Kind = when {
            match.person != null -> Kind.KNOWN
            match.ambiguous.isNotEmpty() -> Kind.AMBIGUOUS
            else -> Kind.UNKNOWN
        }

        private fun title(match: Match): Words {
            val name = match.name
            return when {
                name != null -> Words.Said(name)
                match.ambiguous.size == 2 -> Words.text(R.string.either, match.ambiguous[0].name, match.ambiguous[1].name)
                match.ambiguous.size > 2 -> Words.text(R.string.either_or_more, match.ambiguous[0].name, match.ambiguous[1].name, match.ambiguous.size - 2)
                else -> Words.text(R.string.unknown)
            }
        }

        private fun why(match: Match, limit: Double, people: Int): Words {
            val best = match.similarity
            return when {
                people == 0 -> Words.text(R.string.why_nobody)
                best == null -> Words.text(R.string.why_rejected)
                match.person != null -> Words.text(R.string.why_known, two(best), two(limit))
                match.ambiguous.isNotEmpty() -> Words.text(R.string.why_ambiguous, two(best), two(match.second ?: best), two(OpenSet.MARGIN))
                else -> Words.text(R.string.why_unknown, two(best), two(limit))
            }
        }

        /** A similarity for people, in the digits of their language. */
        fun two(value: Double): String = "%.2f".format(value)
    }
}
