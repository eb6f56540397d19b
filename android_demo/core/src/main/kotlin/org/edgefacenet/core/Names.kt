package org.edgefacenet.core

import java.text.Normalizer

/** The rules for people's names, as `edge_facenet/gallery/people.py` has them. */
object Names {
    private const val LENGTH = 200
    private const val RULE =
        "A name has 1 to $LENGTH characters, at least one of them visible, and no control characters, line breaks, " +
            "characters that nobody sees, or marks that turn the direction of writing"
    private val TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069".toSet()
    private val REFUSED = setOf(CharCategory.CONTROL, CharCategory.LINE_SEPARATOR, CharCategory.PARAGRAPH_SEPARATOR)

    /** The tags that spell the flags of England, Scotland and Wales. */
    private val FLAG = Regex("""\x{1F3F4}[\x{E0020}-\x{E007E}]+\x{E007F}""")

    /** With these two people would have names that look the same; joiners and variation selectors stay where a script needs them. */
    private val UNSEEN = Regex(
        """[\u00AD\u034F\u061C\u115F\u1160\u17B4\u17B5\u200B\u200E\u200F\u2060-\u206F\u2800\u3164\uFEFF\uFFA0\uFFF9-\uFFFB\x{E0000}-\x{E007F}]""" +
            """|(?:^|[\x20-\x7E])[\u200C\u200D]|[\u200C\u200D](?:$|[\x20-\x7E])|[A-Za-z][\uFE00-\uFE0F\x{E0100}-\x{E01EF}]""",
    )
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
        val unseen = UNSEEN.containsMatchIn(FLAG.replace(text, "\uD83C\uDFF4"))
        if (lone || unseen || text.any { it.category in REFUSED || it in TURNING }) throw InputException("$RULE; found one of these. Give another name.")
        if (points.none { category(it) !in INVISIBLE }) throw InputException("$RULE; found nothing visible. Give another name.")
        return text
    }

    private fun category(point: Int): String = when (val kind = Character.getType(point)) {
        Character.SURROGATE.toInt() -> "Cs"
        else -> CharCategory.entries.first { it.value == kind }.code
    }
}
