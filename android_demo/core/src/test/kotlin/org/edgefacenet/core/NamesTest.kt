package org.edgefacenet.core

import org.junit.Assert.assertEquals
import org.junit.Assert.assertTrue
import org.junit.Test

/** The same names as Python takes and refuses. */
class NamesTest {
    @Test
    fun `names as people have them`() {
        for (name in listOf("Олена", "李", "O'Brien", "?", "a/b", "../x", "-rf", "x'); DROP TABLE people;--", "می‌خواهم", "👩‍👩‍👧", "\uD83C\uDFF4\uDB40\uDC67\uDB40\uDC62\uDB40\uDC65\uDB40\uDC6E\uDB40\uDC67\uDB40\uDC7F", "a".repeat(200))) {
            assertEquals(name, Names.checked(" $name "))
        }
        assertEquals("é", Names.checked("e\u0301"))
    }

    @Test
    fun `what would break a line, or look like somebody else, is refused`() {
        for (name in listOf("", "   ", "a\nb", "a\u0000", "\u202eadA", "Ada\u200b", "A\u00adda", "Ada\ufeff", "Ada\u200d", "A\ufe0fda", "\u3164", "\u0301", "a".repeat(201), "\ud800")) {
            assertTrue(name, "Give another name" in refused<InputException> { Names.checked(name) })
        }
    }
}
