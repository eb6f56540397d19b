package org.edgefacenet.app

import java.io.File
import org.edgefacenet.app.enrol.Draft
import org.edgefacenet.app.enrol.EnrolPresenter
import org.edgefacenet.app.enrol.PhotoEnrol
import org.edgefacenet.app.enrol.Take
import org.edgefacenet.app.parts.Seen
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.app.pictures.Picture
import org.edgefacenet.app.pictures.Pictures
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.Sample
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertFalse
import org.junit.Assert.assertNotNull
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Before
import org.junit.Rule
import org.junit.Test
import org.junit.rules.TemporaryFolder

/** Enrolling somebody: nothing that was taken is lost, and nothing bad is taken. */
class EnrolPresenterTest {
    @get:Rule
    val folder = TemporaryFolder()
    private lateinit var session: Session
    private lateinit var enrol: EnrolPresenter
    private val file get() = File(folder.root, "people/gallery.json")
    private val state get() = enrol.state.value!!

    @Before
    fun open() {
        session = Session(Lab.networks, file)
        enrol = EnrolPresenter(Lab.work) { session }
    }

    @Test
    fun `from a tap to a name that is found again`() {
        enrol.begin(seen("1-1"))
        assertFalse("a name is missing", state.canSave)
        assertEquals(R.plurals.enrol_few, (state.hint as Words.Plural).id)
        enrol.take(seen("1-2"))
        enrol.take(seen("1-3"))
        assertEquals(R.plurals.enrol_enough, (state.hint as Words.Plural).id)
        enrol.rename("  Alex ")
        enrol.save()
        assertNull(enrol.state.value)
        assertEquals(Words.plural(R.plurals.enrol_new, 3, "Alex", 3), enrol.notice.value)
        assertEquals("Alex", seen("1-4").match!!.name)
    }

    @Test
    fun `more pictures of somebody who is known, whose name stands there already`() {
        Lab.enroll(session, "Alex", 1)
        enrol.begin(seen("1-4"))
        assertEquals("Alex", state.name)
        assertEquals(R.plurals.enrol_adds, (state.hint as Words.Plural).id)
        enrol.save()
        assertEquals(Words.plural(R.plurals.enrol_more, 4, "Alex", 1), enrol.notice.value)
    }

    @Test
    fun `not them is remembered, and the face is not named so again`() {
        Lab.enroll(session, "Alex", 1)
        val face = seen("1-4")
        enrol.begin(face)
        assertEquals("Alex", state.mistaken!!.name)
        enrol.notThem()
        assertNull(enrol.state.value)
        assertEquals(Words.text(R.string.enrol_rejected, "Alex"), enrol.notice.value)
        assertNull(session.name(face.looked).match!!.name)
        assertEquals(Words.text(R.string.why_rejected), org.edgefacenet.app.camera.Label.of(session.name(face.looked), null, 1).why)
    }

    @Test
    fun `a bad picture is not taken and the reason is said`() {
        enrol.begin(session.see(Lab.scene("blurred"), turned = false).single())
        assertEquals(0, state.takes.size)
        assertTrue(state.problem.toString(), "blurred" in (state.problem as Words.Text).args[0].toString())
        enrol.take(seen("1-1"))
        assertNull("a good one clears it", state.problem)
    }

    @Test
    fun `a picture of somebody else is remarked on and can be removed`() {
        enrol.begin(seen("1-1"))
        enrol.take(seen("9-1"))
        assertEquals(R.string.enrol_stranger, (state.problem as Words.Text).id)
        enrol.remove(1)
        assertNull(state.problem)
        assertEquals(1, state.takes.size)
    }

    @Test
    fun `ten pictures are enough`() {
        enrol.begin(seen("1-1"))
        for (photo in TWELVE.drop(1)) enrol.take(seen(photo))
        assertEquals(Draft.MOST, state.takes.size)
        assertFalse(state.canTake)
        assertEquals(Words.text(R.string.enrol_full), state.hint)
    }

    @Test
    fun `a name that is not allowed, a full disk - nothing is lost`() {
        enrol.begin(seen("1-1"))
        enrol.rename("\u202eAlex")
        enrol.save()
        assertTrue(state.problem.toString(), "Give another name" in (state.problem as Words.Said).text)
        file.parentFile!!.delete()
        file.parentFile!!.writeText("a file where the folder should be") // nothing can be written below it
        enrol.rename("Alex")
        enrol.save()
        assertTrue(state.problem.toString(), "Cannot write" in (state.problem as Words.Said).text)
        assertEquals(1 to "Alex", state.takes.size to state.name)
        assertTrue("and it can be tried again", state.canSave)
        file.parentFile!!.delete()
        enrol.save()
        assertEquals(listOf("Alex"), session.people!!.people().map { it.name })
    }

    @Test
    fun `one picture that is taken twice is one picture`() {
        enrol.begin(seen("1-1"))
        enrol.take(seen("1-1"))
        assertEquals(1, state.takes.size)
        enrol.take(seen("1-2"))
        assertEquals(2, state.takes.size)
    }

    @Test
    fun `not them, said too late, ends nobody else's enrolment`() {
        val jobs = ArrayDeque<Runnable>()
        enrol = EnrolPresenter(Work({ jobs += it }, { it.run() })) { session }
        for (said in listOf(Words.Said("Nobody has the id 1; there are 0 people."), Words.text(R.string.enrol_rejected, "Alex"))) {
            Lab.enroll(session, "Alex", 1)
            enrol.begin(seen("1-4"))
            enrol.notThem()
            enrol.cancel()
            enrol.begin(seen("9-1"))
            enrol.rename("Sam")
            session.people!!.forget(1) // in the first round that is Alex, and it is refused
            jobs.removeFirst().run()
            assertEquals("Sam" to 1, state.name to state.takes.size)
            assertNull(state.problem)
            assertEquals(said, enrol.notice.value)
            enrol.cancel()
        }
    }

    @Test
    fun `the process dies in the middle - name and pictures come back`() {
        enrol.begin(seen("1-1"))
        enrol.take(seen("1-2"))
        enrol.rename("Al")
        val draft = enrol.draft()!!
        assertTrue("${draft.size} bytes in the activity's state", draft.size < 40_000)
        val after = EnrolPresenter(Lab.work) { Session(Lab.networks, file) }
        after.restore(draft)
        assertEquals("Al" to 2, after.state.value!!.let { it.name to it.takes.size })
        assertArrayEquals(state.takes[1].sample.embedding, after.state.value!!.takes[1].sample.embedding, 0f)
        assertArrayEquals(state.takes[1].thumbnail.pixels, after.state.value!!.takes[1].thumbnail.pixels)
        after.rename("Alex")
        after.save()
        assertEquals(listOf("Alex"), Session(Lab.networks, file).people!!.people().map { it.name })
    }

    @Test
    fun `a draft of another model is dropped and said, a damaged one is nothing`() {
        val other = Draft("another network", "Alex", listOf(Take(Sample(FloatArray(128), "hash"), RgbImage(1, 1, ByteArray(3)))))
        enrol.restore(other.encode())
        assertNull(enrol.state.value)
        assertEquals(Words.text(R.string.enrol_other_model), enrol.notice.value)
        val bytes = other.encode()
        for (length in 0 until bytes.size - CHECKSUM) assertNull("$length bytes", Draft.decode(bytes.copyOf(length)))
        assertNull(enrol.draft())
    }

    @Test
    fun `a locked gallery takes nobody, and says so`() {
        file.parentFile!!.mkdirs()
        file.writeText("not a gallery")
        session = Session(Lab.networks, file)
        enrol.begin(seen("1-1"))
        assertNull(enrol.state.value)
        assertEquals(Words.text(R.string.gallery_damaged), enrol.notice.value)
    }

    @Test
    fun `photos - good ones are taken, the others named with their reason`() {
        val photos = PhotoEnrol(Lab.work, FolderPictures, { session }, enrol)
        photos.add(listOf("1-1", "1-2", "no-picture"))
        assertEquals(2, state.takes.size)
        assertNotNull(state.problem)
        photos.add(listOf("group"))
        assertEquals(Words.plural(R.plurals.photo_several, 2, "group.jpg"), state.problem)
        assertEquals("no file's name is kept", listOf("", ""), state.takes.map { it.sample.source })
        assertEquals("of the file, so that it is known again", 64, state.takes[0].sample.photoSha256.length)
        enrol.cancel()
        assertNull(enrol.state.value)
    }

    @Test
    fun `photos of one file name from two folders are two photos`() {
        val named = Pictures { FolderPictures.read(it).run { Picture(image, sha256, "IMG_0001.JPG") } }
        PhotoEnrol(Lab.work, named, { session }, enrol).add(listOf("1-1", "1-2", "1-2"))
        enrol.rename("Ada")
        enrol.save()
        assertEquals(Words.plural(R.plurals.enrol_new, 2, "Ada", 2), enrol.notice.value)
        assertEquals(listOf(2), session.people!!.people().map { it.embeddings })
        assertFalse("IMG_0001" in file.readText())
    }

    @Test
    fun `photos - no refusal is forgotten over those that are taken, until others are chosen`() {
        val blurred = Pictures { if (it == "blurred") Picture(Lab.scene(it), "hash", "blurred.png") else FolderPictures.read(it) }
        val photos = PhotoEnrol(Lab.work, blurred, { session }, enrol)
        photos.add(listOf("no-picture", "1-1", "blurred", "1-2", "group", "1-3"))
        assertEquals(3, state.takes.size)
        assertEquals(3, state.problems.size)
        assertTrue("${state.problems}", "no-picture" in (state.problems[0] as Words.Said).text)
        assertEquals(R.string.photo_bad to "blurred.png", (state.problems[1] as Words.Text).let { it.id to it.args[0] })
        assertEquals(Words.plural(R.plurals.photo_several, 2, "group.jpg"), state.problems[2])
        assertEquals(Words.Joined(state.problems, "\n"), state.problem)
        photos.add(listOf("1-4"))
        assertNull(state.problem)
    }

    @Test
    fun `photos beyond ten are said to be left out`() {
        val photos = PhotoEnrol(Lab.work, FolderPictures, { session }, enrol)
        photos.add(TWELVE)
        assertEquals(Draft.MOST, state.takes.size)
        assertEquals(Words.plural(R.plurals.photos_left, 2), state.problems.first())
        photos.add(TWELVE.takeLast(1))
        assertEquals(listOf(Words.text(R.string.photo_full, "3-2.jpg")), state.problems)
    }

    @Test
    fun `photos that are still looked at - no saving without them, and none in another enrolment`() {
        val jobs = ArrayDeque<Runnable>()
        val later = Work({ jobs += it }, { it.run() })
        val photos = PhotoEnrol(later, FolderPictures, { session }, enrol)
        photos.add(listOf("1-1", "1-2", "no-picture"))
        enrol.rename("Alex")
        jobs.removeFirst().run()
        assertEquals(1, state.takes.size)
        assertFalse("two photos are still to come", state.canSave)
        assertEquals(Words.plural(R.plurals.enrol_reading, 2), state.hint)
        enrol.cancel()
        enrol.begin(seen("9-1"))
        jobs.removeFirst().run()
        assertEquals("of somebody else", 1, state.takes.size)
        enrol.cancel()
        jobs.removeFirst().run()
        assertNull("an unreadable photo opens nothing", enrol.state.value)
        photos.add(listOf("1-3"))
        jobs.removeFirst().run()
        enrol.rename("Alex")
        assertTrue(state.canSave)
    }

    @Test
    fun `while it is being saved it cannot be cancelled`() {
        val jobs = ArrayDeque<Runnable>()
        enrol = EnrolPresenter(Work({ jobs += it }, { it.run() })) { session }
        enrol.begin(seen("1-1"))
        enrol.rename("Alex")
        enrol.save()
        enrol.cancel()
        assertTrue(state.saving)
        jobs.removeFirst().run()
        assertNull(enrol.state.value)
        assertEquals(listOf("Alex"), session.people!!.people().map { it.name })
    }

    private companion object {
        const val CHECKSUM = 8 // at the end, behind the last byte of content
        val TWELVE = listOf(1, 2).flatMap { person -> (1..5).map { "$person-$it" } } + listOf("3-1", "3-2")
    }

    private fun seen(photo: String): Seen = session.name(Lab.look(photo).single())
}
