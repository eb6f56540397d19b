package org.edgefacenet.app.camera

import java.io.Closeable
import java.util.concurrent.Executor
import org.edgefacenet.app.R
import org.edgefacenet.app.enrol.EnrolPresenter
import org.edgefacenet.app.parts.Seen
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.parts.Watched
import org.edgefacenet.app.parts.Words
import org.edgefacenet.app.parts.Work
import org.edgefacenet.core.EdgeFacenetException
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.YuvFrame

/** What the camera's screen is in. */
enum class Phase { ASKING, REFUSED, ABSENT, OPENING, LIVE, LOST }

/**
 * What the camera's screen shows.
 *
 * @property labels faces of the newest picture that was analysed, in the order in which they stand on the screen.
 * @property line what is recognised, in one line.
 * @property mirrored the picture is shown as a mirror does; places in [labels] are those of the picture itself.
 */
data class CameraState(
    val phase: Phase = Phase.ASKING,
    val labels: List<Label> = emptyList(),
    val line: Words = Words.text(R.string.camera_opening),
    val width: Int = 0,
    val height: Int = 0,
    val mirrored: Boolean = false,
    val canSwitch: Boolean = false,
    val lost: Words? = null,
)

/** Opens the camera when it may, analyses what it sees, and takes taps on faces. Calls come on the screen's thread. */
class CameraPresenter(
    private val work: Work,
    private val analyst: Executor,
    private val source: CameraSource,
    private val session: () -> Session?,
    private val enrol: EnrolPresenter,
) {
    val state: Watched<CameraState> = Watched(CameraState())

    /** Given every frame on the camera's thread; it is lent for the time of the call. */
    @Volatile var preview: ((RgbImage) -> Unit)? = null

    private var wanted = Facing.BACK
    private var camera: Closeable? = null
    @Volatile private var current: Listener? = null
    private var faces: List<Seen> = emptyList()

    /** Which camera is used, for the saved state. */
    val facing: Facing get() = wanted

    /** Whether the camera may be used: asked when the screen appears, and after the answer. */
    fun permission(granted: Boolean, refused: Boolean) {
        if (granted) open() else state.value = state.value.copy(phase = if (refused) Phase.REFUSED else Phase.ASKING, labels = emptyList())
    }

    /** The screen is not seen any more: the camera belongs to others. */
    fun stop() {
        current = null
        camera?.close()
        camera = null
        faces = emptyList()
        if (state.value.phase == Phase.LIVE || state.value.phase == Phase.OPENING) state.value = state.value.copy(phase = Phase.OPENING, labels = emptyList())
    }

    /** The next of the phone's cameras; where the last one was taken away, that is said. */
    fun switch() {
        val all = source.facings()
        if (all.isNotEmpty()) wanted = all[(all.indexOf(wanted) + 1).mod(all.size)]
        stop()
        open()
    }

    /** As a state saved before says. */
    fun restore(facing: Facing) {
        wanted = facing
    }

    /** Somebody tapped the face with this number in [CameraState.labels]: an enrolment begins, or the one under way gets a picture. */
    fun tap(number: Int) {
        val seen = faces.getOrNull(number) ?: return
        if (enrol.state.value == null) enrol.begin(seen) else enrol.take(seen)
    }

    /** One more picture for the enrolment under way: of the one face there is. */
    fun take() {
        val seen = faces
        when (seen.size) {
            0 -> enrol.refuse(Words.text(R.string.enrol_no_face))
            1 -> enrol.take(seen[0])
            else -> enrol.refuse(Words.plural(R.plurals.enrol_several, seen.size))
        }
    }

    private fun open() {
        if (current != null) return
        val facings = source.facings()
        if (facings.isEmpty()) {
            state.value = state.value.copy(phase = Phase.ABSENT, labels = emptyList(), canSwitch = false)
            return
        }
        if (wanted !in facings) wanted = facings[0]
        val line = Words.text(R.string.camera_opening)
        state.value = CameraState(Phase.OPENING, line = line, mirrored = wanted == Facing.FRONT, canSwitch = facings.size > 1)
        val listener = Listener().also { current = it }
        camera = source.open(wanted, listener)
        if (current !== listener) stop() // lost while it was being opened
    }

    /** Of one camera that was opened; when it is no more the one in use, nothing that it says counts. */
    private inner class Listener : CameraListener {
        private val pump = FramePump(analyst, { if (current === this) preview?.invoke(it) }, ::analyse)

        override fun onFrame(frame: YuvFrame, degrees: Int) {
            try {
                pump.onFrame(frame, degrees)
            } catch (damaged: EdgeFacenetException) {
                onLost(Words.of(damaged))
            }
        }

        override fun onLost(why: Words) = work.screen.execute { if (current === this) lost(why) }

        private fun analyse(image: RgbImage) {
            val session = session() ?: return
            try {
                val seen = session.see(image, turned = false).sortedBy { it.looked.found.face.box.left }
                val (width, height) = image.width to image.height
                work.screen.execute { if (current === this) show(session, seen, width, height) }
            } catch (refused: EdgeFacenetException) {
                onLost(Words.of(refused))
            }
        }
    }

    private fun lost(why: Words) {
        stop()
        state.value = state.value.copy(phase = Phase.LOST, lost = why)
    }

    private fun show(session: Session, seen: List<Seen>, width: Int, height: Int) {
        val mirrored = state.value.mirrored
        faces = if (mirrored) seen.reversed() else seen
        val people = session.people?.size ?: 0
        val labels = faces.map { Label.of(it, session.locked, people) }
        state.value = state.value.copy(phase = Phase.LIVE, labels = labels, line = line(labels), width = width, height = height)
    }

    private fun line(labels: List<Label>): Words {
        if (labels.isEmpty()) return Words.text(R.string.camera_no_face)
        val (unknown, named) = labels.partition { it.kind == Kind.UNKNOWN }
        val parts = named.map { it.title } + listOf(Words.plural(R.plurals.camera_unknown, unknown.size)).filter { unknown.isNotEmpty() }
        return Words.plural(R.plurals.camera_faces, labels.size, Words.Joined(parts, ", "))
    }
}
