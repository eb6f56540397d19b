package org.edgefacenet.app

import java.io.File
import java.util.concurrent.Executor
import org.edgefacenet.app.compare.ComparePresenter
import org.edgefacenet.app.compare.CompareState
import org.edgefacenet.app.compare.Slot
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Whether two pictures show one person. */
class ComparePresenterTest {
    @get:Rule
    val folder = TemporaryFolder()
    private lateinit var session: Session
    private lateinit var compare: ComparePresenter
    private val state get() = compare.state.value

    @Before
    fun open() {
        session = Session(Lab.networks, File(folder.root, "gallery.json"))
        compare = ComparePresenter(Lab.work, FolderPictures) { session }
    }

    @Test
    fun `two pictures of one person, then of two`() {
        compare.choose(0, "1-1")
        assertNull("one picture is no pair", state.verdict)
        compare.choose(1, "1-2")
        val limit = session.networks.artifact.manifest.thresholds!!.cosine(1e-3)
        assertTrue(state.verdict!!.same!! && state.verdict!!.similarity > limit)
        assertEquals(limit, state.verdict!!.threshold!!, 0.0)
        compare.choose(1, "2-2")
        assertFalse(state.verdict!!.same!!)
        assertEquals(R.string.compare_below, (state.verdict!!.why as Words.Text).id)
    }

    @Test
    fun `several faces - somebody has to choose, by a tap or by the button`() {
        compare.choose(0, "1-1")
        compare.choose(1, "group")
        assertNull(state.verdict)
        assertEquals(Words.plural(R.plurals.compare_several, 2), shown(1).remark)
        compare.tap(1, 0)
        assertTrue("the left one of the group", state.verdict!!.same!!)
        compare.next(1)
        assertFalse(state.verdict!!.same!!)
        compare.next(1)
        assertTrue("and round again", state.verdict!!.same!!)
        compare.tap(1, 9)
        assertEquals(0, shown(1).chosen)
    }

    @Test
    fun `no face, no picture, a missing one - each says so and the other stays`() {
        compare.choose(0, "1-1")
        compare.choose(1, "../nobody")
        compare.choose(1, "no-picture")
        assertTrue(state.slots[1] is Slot.Failed)
        compare.choose(1, "deleted")
        assertTrue(((state.slots[1] as Slot.Failed).why as Words.Said).text, "deleted" in ((state.slots[1] as Slot.Failed).why as Words.Said).text)
        assertEquals(1, shown(0).faces.size)
        assertNull(state.verdict)
    }

    @Test
    fun `of two choices the later one stands, whichever is read first`() {
        val jobs = ArrayList<Runnable>()
        val slow = ComparePresenter(Work({ jobs += it }, { it.run() }), FolderPictures) { session }
        slow.choose(0, "1-1")
        slow.choose(0, "2-1")
        jobs.reversed().forEach { it.run() }
        assertEquals("2-1", (slow.state.value.slots[0] as Slot.Shown).address)
    }

    @Test
    fun `the process dies - pictures and the chosen face come back`() {
        compare.choose(0, "1-1")
        compare.choose(1, "group")
        compare.tap(1, 1)
        val saved = compare.save()
        val after = ComparePresenter(Lab.work, FolderPictures) { session }
        after.restore(saved)
        assertEquals(state.verdict, after.state.value.verdict)
        assertEquals(1, (after.state.value.slots[1] as Slot.Shown).chosen)
        val nothing = ComparePresenter(Lab.work, FolderPictures) { session }
        nothing.restore(ComparePresenter(Lab.work, FolderPictures) { session }.save())
        assertEquals(CompareState(), nothing.state.value)
    }

    @Test
    fun `a large picture is shown small and its boxes still stand right`() {
        compare.choose(0, "large")
        val slot = shown(0)
        assertTrue("${slot.image.width}", maxOf(slot.image.width, slot.image.height) < 1600)
        val box = slot.faces.single().found.face.box
        assertEquals("the face is where the picture has it", 0.5f, (box.left + box.right) / 2 / slot.step / slot.image.width, 0.03f)
    }

    private fun shown(number: Int) = state.slots[number] as Slot.Shown
}
