package org.edgefacenet.app

import android.os.Bundle
import java.io.File
import org.edgefacenet.app.bench.BenchPresenter
import org.edgefacenet.app.camera.CameraPresenter
import org.edgefacenet.app.camera.Facing
import org.edgefacenet.app.compare.ComparePresenter
import org.edgefacenet.app.enrol.EnrolPresenter
import org.edgefacenet.app.enrol.PhotoEnrol
import org.edgefacenet.app.parts.Session
import org.edgefacenet.app.people.PeoplePresenter

/** The app's pages. */
enum class Tab(val title: Int, val icon: Int) {
    CAMERA(R.string.tab_camera, R.drawable.ic_camera),
    COMPARE(R.string.tab_compare, R.drawable.ic_compare),
    PEOPLE(R.string.tab_people, R.drawable.ic_people),
    BENCH(R.string.tab_bench, R.drawable.ic_bench),
    ABOUT(R.string.tab_about, R.drawable.ic_about),
}

/**
 * The presenters of all pages. They outlive the activity when it is made anew, as for a rotation; what must outlive the
 * process goes into [save].
 */
class Desk(parts: Parts) {
    private val session: () -> Session? = { parts.startup.session }
    val enrol: EnrolPresenter = EnrolPresenter(parts.work, session)
    val photos: PhotoEnrol = PhotoEnrol(parts.work, parts.pictures, session, enrol)
    val camera: CameraPresenter = CameraPresenter(parts.work, parts.analyst, parts.cameras, session, enrol)
    val compare: ComparePresenter = ComparePresenter(parts.work, parts.pictures, session)
    val people: PeoplePresenter = PeoplePresenter(parts.work, session)
    val bench: BenchPresenter = BenchPresenter(parts.work, parts.measuring, parts.bench, session)
    var tab: Tab = Tab.CAMERA

    /** The record for which a place is being asked: that one is saved there, whatever is measured meanwhile. */
    var offered: File? = null

    private val waiting = ArrayList<() -> Unit>()
    private var unread: Bundle? = null

    /** Do something as soon as the networks are open: pictures come back from the picker before that. */
    fun whenReady(act: () -> Unit) {
        if (session() == null) waiting += act else act()
    }

    /** The networks are open: go on with what waited. */
    fun ready() {
        unread?.let(::read)
        unread = null
        val acts = waiting.toList()
        waiting.clear()
        acts.forEach { it() }
    }

    /** What must outlive the process. */
    fun save(): Bundle {
        unread?.let { return it } // it dies again before it could look at this
        return Bundle().apply {
            putString(TAB, tab.name)
            putString(FACING, camera.facing.name)
            putString(OFFERED, offered?.path)
            putByteArray(DRAFT, enrol.draft())
            compare.save().forEachIndexed { number, (address, face) ->
                putString(ADDRESS + number, address)
                putInt(FACE + number, face)
            }
        }
    }

    /** Go on from what [save] gave; looked at when the networks are open. */
    fun restore(saved: Bundle) {
        saved.getString(TAB)?.let { name -> tab = Tab.values().firstOrNull { it.name == name } ?: tab }
        offered = saved.getString(OFFERED)?.let(::File)
        unread = saved
    }

    private fun read(saved: Bundle) {
        saved.getString(FACING)?.let { name -> Facing.values().firstOrNull { it.name == name }?.let(camera::restore) }
        saved.getByteArray(DRAFT)?.let(enrol::restore)
        compare.restore(List(2) { saved.getString(ADDRESS + it) to saved.getInt(FACE + it) })
    }

    private companion object {
        const val TAB = "tab"
        const val FACING = "facing"
        const val OFFERED = "offered"
        const val DRAFT = "draft"
        const val ADDRESS = "address"
        const val FACE = "face"
    }
}
