package org.edgefacenet.app

import java.io.File
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.people.PeoplePresenter
import org.edgefacenet.app.people.Question
import org.edgefacenet.core.GalleryStore
import org.edgefacenet.core.Maker
import org.edgefacenet.core.Sample
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** The list of people: forgetting forgets, and no gallery is lost. */
class PeoplePresenterTest {
    @get:Rule
    val folder = TemporaryFolder()
    private lateinit var session: Session
    private lateinit var people: PeoplePresenter
    private val file get() = File(folder.root, "gallery.json")
    private val state get() = people.state.value

    @Before
    fun open() {
        begin()
    }

    private fun begin() {
        session = Session(Lab.networks, file)
        people = PeoplePresenter(Lab.work) { session }
        people.refresh()
    }

    @Test
    fun `deleting asks first, and then nothing of the person is left in the file`() {
        enroll("Alex", 1)
        enroll("Kim", 2)
        people.refresh()
        assertTrue("Alex" in file.readText())
        people.askDelete(1)
        assertEquals("Alex", (state.question as Question.Delete).person.name)
        people.dismiss()
        people.confirm()
        assertEquals("no was no", 2, state.people.size)
        people.askDelete(1)
        people.confirm()
        assertEquals(listOf("Kim"), state.people.map { it.name })
        assertEquals(Words.text(R.string.people_forgotten, "Alex"), people.notice.value)
        assertFalse("Alex" in file.readText())
        assertEquals(listOf("Kim"), Session(Lab.networks, file).people!!.people().map { it.name })
        assertEquals("no copy lies beside it", listOf("gallery.json"), folder.root.list()!!.toList())
    }

    @Test
    fun `deleting everybody`() {
        people.askDeleteAll()
        assertNull("nobody is there", state.question)
        enroll("Alex", 1)
        enroll("Kim", 2)
        people.refresh()
        people.askDeleteAll()
        people.confirm()
        assertEquals(0, state.people.size)
        assertEquals(Words.plural(R.plurals.people_all_forgotten, 2), people.notice.value)
        assertFalse("Alex" in file.readText())
    }

    @Test
    fun `the gallery of another model is said, kept, and makes way on demand`() {
        GalleryStore.open(file, Maker("another network", "another aligner", 128)).enroll("Alex", listOf(sample(0)))
        val content = file.readText()
        begin()
        assertTrue(state.locked!!.otherModel)
        assertTrue(state.locked!!.why, "another model" in state.locked!!.why)
        assertEquals("untouched", content, file.readText())
        people.askSetAside()
        assertEquals(Question.SetAside, state.question)
        people.confirm()
        assertNull(state.locked)
        assertEquals(Words.text(R.string.gallery_set_aside, "gallery.json.set-aside-1"), people.notice.value)
        assertEquals("nothing is lost", content, File(folder.root, "gallery.json.set-aside-1").readText())
        enroll("Kim", 2)
        people.refresh()
        assertEquals(listOf("Kim"), state.people.map { it.name })
        people.askDelete(1)
        people.confirm()
        assertEquals("Kim alone was meant", content, File(folder.root, "gallery.json.set-aside-1").readText())
        assertTrue("Alex is kept still, unseen", state.holdsAnybody)
        people.askDeleteAll()
        people.confirm()
        assertEquals(listOf("gallery.json"), folder.root.list()!!.toList())
        assertEquals(Words.text(R.string.people_nothing_kept), people.notice.value)
        assertFalse(state.holdsAnybody)
    }

    @Test
    fun `everybody is deleted from what was set aside, too`() {
        for (number in 1..2) File(folder.root, "gallery.json.set-aside-$number").writeText("Alex")
        begin()
        enroll("Kim", 2)
        people.refresh()
        assertEquals(2, state.aside)
        people.askDeleteAll()
        people.confirm()
        assertEquals(listOf("gallery.json"), folder.root.list()!!.toList())
        assertEquals(Words.plural(R.plurals.people_all_forgotten, 1), people.notice.value)
        enroll("Eve", 3)
        assertEquals("no id twice", listOf(2), session.people!!.people().map { it.id })
    }

    @Test
    fun `a gallery that cannot be used can be deleted, and a new one begins`() {
        GalleryStore.open(file, Maker("another network", "another aligner", 128)).enroll("Alex", listOf(sample(0)))
        begin()
        people.askDeleteAll()
        people.confirm()
        assertNull(state.locked)
        assertEquals(emptyList<String>(), folder.root.list()!!.toList())
        assertEquals(Words.text(R.string.people_nothing_kept), people.notice.value)
        enroll("Kim", 2)
        assertEquals(1, session.people!!.size)
    }

    @Test
    fun `a damaged gallery likewise`() {
        enroll("Alex", 1)
        val bytes = file.readBytes()
        file.writeBytes(bytes.copyOf(bytes.size / 2))
        begin()
        assertFalse(state.locked!!.otherModel)
        assertEquals(bytes.size / 2, file.length().toInt())
        people.askDelete(1)
        assertNull("nobody can be deleted from what cannot be read", state.question)
    }

    /** Faces without pictures: unit vectors of their own direction. */
    private fun enroll(name: String, at: Int) = session.people!!.enroll(name, listOf(sample(at)))

    private fun sample(at: Int) = Sample(FloatArray(128).also { it[at] = 1f }, "hash $at")
}
