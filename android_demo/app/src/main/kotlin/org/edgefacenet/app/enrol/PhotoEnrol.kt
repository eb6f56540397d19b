package org.edgefacenet.app.enrol

import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Outcome
import org.edgefacenet.app.parts.Seen
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.app.pictures.Picture
import org.edgefacenet.app.pictures.Pictures

/** Photos of the phone as pictures of an enrolment: each must show one face. */
class PhotoEnrol(private val work: Work, private val pictures: Pictures, private val session: () -> Session?, private val enrol: EnrolPresenter) {
    /** Add the photos at these addresses, one after the other. */
    fun add(addresses: List<String>) {
        val session = session() ?: return
        enrol.begin()
        val chosen = addresses.take(Draft.MOST)
        val id = enrol.expect(chosen.size) ?: return
        val more = addresses.size - chosen.size
        if (more > 0) enrol.leaveOut(Words.plural(R.plurals.photos_left, more))
        for (address in chosen) work.run({ look(session, pictures.read(address)) }) { outcome ->
            if (enrol.arrived(id)) when (outcome) {
                is Outcome.Done -> taken(outcome.value)
                is Outcome.Refused -> enrol.leaveOut(Words.of(outcome.error))
            }
        }
    }

    private fun look(session: Session, picture: Picture): Photo =
        Photo(picture.name, picture.sha256, session.see(picture.image, turned = true))

    private fun taken(photo: Photo) {
        val why = against(photo)
        if (why == null) enrol.take(photo.seen[0], photo.sha256) else enrol.leaveOut(why)
    }

    private fun against(photo: Photo): Words? = when {
        photo.seen.isEmpty() -> Words.text(R.string.photo_no_face, photo.name)
        photo.seen.size > 1 -> Words.plural(R.plurals.photo_several, photo.seen.size, photo.name)
        photo.seen[0].reasons.isNotEmpty() -> Words.text(R.string.photo_bad, photo.name, photo.seen[0].reasons.joinToString("; "))
        enrol.state.value?.isFull == true -> Words.text(R.string.photo_full, photo.name)
        else -> null
    }

    private class Photo(val name: String, val sha256: String, val seen: List<Seen>)
}
