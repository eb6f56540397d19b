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
        for (address in chosen) work.run({ look(session, pictures.read(address)) }) { outcome ->
            if (enrol.arrived(id)) when (outcome) {
                is Outcome.Done -> taken(outcome.value)
                is Outcome.Refused -> enrol.refuse(Words.of(outcome.error))
            }
        }
    }

    private fun look(session: Session, picture: Picture): Photo =
        Photo(picture.name, picture.sha256, session.see(picture.image, turned = true, shrunk = picture.shrunk))

    private fun taken(photo: Photo) {
        when (photo.seen.size) {
            0 -> enrol.refuse(Words.text(R.string.photo_no_face, photo.name))
            1 -> enrol.take(photo.seen[0], photo.name, photo.sha256)
            else -> enrol.refuse(Words.plural(R.plurals.photo_several, photo.seen.size, photo.name))
        }
    }

    private class Photo(val name: String, val sha256: String, val seen: List<Seen>)
}
