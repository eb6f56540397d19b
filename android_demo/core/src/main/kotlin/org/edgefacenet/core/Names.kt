package org.edgefacenet.core

import java.text.Normalizer

/** The rules for people's names, as `edge_facenet/gallery/people.py` has them. */
object Names {
    private const val LENGTH = 200
    private const val RULE =
        "A name has 1 to $LENGTH characters, at least one of them visible, and no control characters, line breaks or marks that " +
            "turn the direction of writing"
    private val TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069".toSet()
    private val REFUSED = setOf(CharCategory.CONTROL, CharCategory.LINE_SEPARATOR, CharCategory.PARAGRAPH_SEPARATOR)
    private val INVISIBLE = setOf("Cc", "Cf", "Cn", "Co", "Cs", "Mc", "Me", "Mn", "Zl", "Zp", "Zs")

    /**
     * The name as it is stored: white space around it gone, Unicode NFC.
     *
     * @throws InputException empty, too long, invisible, or with characters that would break a line.
     */
    fun checked(name: String): String {
        val text = Normalizer.normalize(name, Normalizer.Form.NFC).trim()
        val points = text.codePoints().toArray()
        if (points.isEmpty() || points.size > LENGTH) throw InputException("$RULE; found ${points.size} characters. Give another name.")
        val lone = points.any { it in 0xD800..0xDFFF }
        if (lone || text.any { it.category in REFUSED || it in TURNING }) throw InputException("$RULE; found one of these. Give another name.")
        if (points.none { category(it) !in INVISIBLE }) throw InputException("$RULE; found nothing visible. Give another name.")
        return text
    }

    private fun category(point: Int): String = when (val kind = Character.getType(point)) {
        Character.SURROGATE.toInt() -> "Cs"
        else -> CharCategory.entries.first { it.value == kind }.code
    }
}
