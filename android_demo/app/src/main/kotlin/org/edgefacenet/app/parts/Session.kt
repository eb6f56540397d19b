package org.edgefacenet.app.parts

import java.io.File
import org.edgefacenet.core.GalleryException
import org.edgefacenet.core.GalleryMismatchException
import org.edgefacenet.core.GalleryStore
import org.edgefacenet.core.Maker
import org.edgefacenet.core.Match
import org.edgefacenet.core.OpenSet
import org.edgefacenet.core.OpenSetThreshold
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.Templates
import org.edgefacenet.core.ThresholdException

/** Why a gallery cannot be used; its file is untouched. */
data class Locked(val why: String, val otherModel: Boolean)

/** A face, who it is, and at which threshold; [match] is null where nobody can be named: [locked] gallery, no thresholds. */
class Seen(val looked: Looked, val match: Match?, val threshold: OpenSetThreshold?) {
    /** Why this face is too bad to be enrolled; empty when it is not. */
    val reasons: List<String> = looked.found.quality.reasons()
}

/**
 * Networks and gallery together: who is in a picture. Used from several threads.
 *
 * @param file the gallery's.
 * @param fpir share of strangers who may be named, asked at every picture.
 */
class Session(val networks: Networks, private val file: File, private val fpir: () -> Double = { OpenSet.FPIR }) {
    private var limit: Limit? = null

    /** The people; null when the gallery is locked. */
    @Volatile var people: GalleryStore? = null
        private set

    /** Why there are none. */
    @Volatile var locked: Locked? = null
        private set

    init {
        open()
    }

    /** Faces of a picture and who they are, as [Networks.look] finds them. */
    fun see(image: RgbImage, turned: Boolean): List<Seen> = networks.look(image, turned).map(::name)

    /** Who a face is. */
    fun name(face: Looked): Seen {
        val templates = people?.templates() ?: return Seen(face, null, null)
        val limit = limit(templates) ?: return Seen(face, null, null)
        return Seen(face, OpenSet.decide(face.embedding, templates, limit), limit)
    }

    /** Galleries that were [setAside]; people stand in them whom nobody sees any more. */
    @Volatile var aside: Int = 0
        private set

    /** Rename a gallery that cannot be used and begin an empty one; the name of the old one's new place. */
    fun setAside(): String = GalleryStore.setAside(file).name.also { open() }

    /** Delete everybody, in a gallery that cannot be used and in those that were [setAside], too. */
    fun forgetEverybody() {
        val store = people
        if (store == null) GalleryStore.delete(listOf(file)) else store.forget(*store.people().map { it.id }.toIntArray())
        try {
            GalleryStore.delete(GalleryStore.aside(file))
        } finally {
            if (store == null) open() else count()
        }
    }

    private fun count() {
        aside = GalleryStore.aside(file).size
    }

    private fun open() {
        count()
        try {
            people = GalleryStore.open(file, Maker.of(networks.embedder))
            locked = null
        } catch (error: GalleryException) {
            people = null
            locked = Locked(error.message.orEmpty(), error is GalleryMismatchException)
        }
    }

    /** The threshold of these people, worked out once per gallery and rate. */
    private fun limit(templates: Templates): OpenSetThreshold? = synchronized(this) {
        val asked = fpir()
        val known = limit?.takeIf { it.templates === templates && it.fpir == asked }
        (known ?: Limit(templates, asked, threshold(templates, asked)).also { limit = it }).threshold
    }

    private fun threshold(templates: Templates, fpir: Double): OpenSetThreshold? = try {
        OpenSet.threshold(networks.artifact.manifest.thresholds, templates, fpir)
    } catch (_: ThresholdException) {
        null // the model embeds and does not decide; the screens say so
    }

    private class Limit(val templates: Templates, val fpir: Double, val threshold: OpenSetThreshold?)
}
