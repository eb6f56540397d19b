package org.edgefacenet.app.parts

import org.edgefacenet.core.EdgeFacenetException

/** Something for people to read: text of the app's resources, whose arguments may be words again, or core's own sentence. */
sealed class Words {
    data class Text(val id: Int, val args: List<Any> = emptyList()) : Words()

    data class Plural(val id: Int, val count: Int, val args: List<Any> = emptyList()) : Words()

    data class Said(val text: String) : Words()

    data class Joined(val parts: List<Words>, val between: String) : Words()

    companion object {
        fun text(id: Int, vararg args: Any): Words = Text(id, args.toList())

        /** The count is the first argument. */
        fun plural(id: Int, count: Int, vararg args: Any): Words = Plural(id, count, listOf<Any>(count) + args)

        fun of(error: EdgeFacenetException): Words = Said(error.message.orEmpty())
    }
}
