package org.edgefacenet.app.screens

import android.app.AlertDialog
import org.edgefacenet.app.Lab
import org.edgefacenet.app.R
import org.edgefacenet.app.RecordProvider
import org.edgefacenet.app.Tab
import org.edgefacenet.app.bench.Bench
import org.edgefacenet.app.bench.Trouble
import org.edgefacenet.core.MachineInfo
import org.edgefacenet.core.Plan
import org.edgefacenet.engine.BytedecoGraph
import org.junit.Test
import org.robolectric.RuntimeEnvironment
import org.robolectric.shadows.ShadowAlertDialog

/** Every page with faces in it, drawn by day and night, upright and across, to be looked at (target/shots). */
class ShotsTest : ScreenTest() {
    @Test
    fun `by day, upright`() = everything("day")

    @Test
    fun `by night, upright`() = everything("night", "+night-hdpi")

    @Test
    fun `by day, across`() = everything("day-across", "$ACROSS-hdpi")

    @Test
    fun `by night, across`() = everything("night-across", "$ACROSS-night-hdpi")

    @Test
    fun `large letters on a small phone`() {
        RuntimeEnvironment.setFontScale(1.3f)
        everything("small", "+w320dp-h533dp")
    }

    @Test
    fun `from right to left`() {
        begin("+ar-ldrtl-hdpi")
        camera("rtl", "trio")
        compare("rtl")
        people("rtl")
    }

    @Test
    fun `in German, with large letters`() {
        RuntimeEnvironment.setFontScale(1.3f)
        begin("+de-hdpi")
        camera("de", "trio")
        compare("de")
        people("de")
        bench("de")
        open(Tab.ABOUT)
        shot("de-about")
    }

    private fun everything(name: String, qualifiers: String? = null) {
        begin(qualifiers)
        camera(name, if ("across" in name) "trio-across" else "trio")
        compare(name)
        people(name)
        bench(name)
        open(Tab.ABOUT)
        shot("$name-about")
        messages(name)
    }

    private fun begin(qualifiers: String?) {
        if (qualifiers != null) RuntimeEnvironment.setQualifiers(qualifiers)
        app.bench = Bench(BytedecoGraph, null, RecordProvider.folder(app), { MACHINE }, { Trouble() }, PLAN)
        allowCamera()
        start()
        Lab.enroll(session, "Alex", 1)
        Lab.enroll(session, "Kim", 2)
        Lab.enroll(session, "Robin", 3, 1..2)
    }

    private fun camera(name: String, scene: String) {
        cameras.show(Lab.scene(scene))
        idle()
        shot("$name-camera")
        activity.desk.camera.tap(if (scene == "trio") 1 else 2) // the stranger
        for (more in listOf("9-1", "9-2")) activity.desk.enrol.take(session.name(Lab.look(more).single()))
        activity.desk.enrol.rename("Sam")
        idle()
        shot("$name-enrol")
        activity.desk.enrol.cancel()
        click(R.id.switch_camera)
        cameras.show(Lab.scene(if ("across" in name) "ten-across" else "ten"), 270)
        idle()
        shot("$name-ten")
        click(R.id.switch_camera)
    }

    private fun compare(name: String) {
        open(Tab.COMPARE)
        shot("$name-compare-empty")
        activity.desk.compare.choose(0, Lab.address("1-1"))
        activity.desk.compare.choose(1, Lab.address("1-5"))
        idle()
        shot("$name-compare")
        activity.desk.compare.choose(1, Lab.address("group"))
        idle()
        shot("$name-compare-group")
        activity.desk.compare.tap(1, 1)
        activity.desk.compare.choose(0, Lab.address("no-picture"))
        idle()
        shot("$name-compare-bad")
    }

    private fun people(name: String) {
        open(Tab.PEOPLE)
        shot("$name-people")
        activity.desk.people.askDelete(1)
        idle()
        val dialog = ShadowAlertDialog.getLatestDialog() as AlertDialog
        shot("$name-people-ask", checkNotNull(dialog.window).decorView)
        activity.desk.people.dismiss()
        dialog.dismiss()
    }

    private fun bench(name: String) {
        open(Tab.BENCH)
        shot("$name-bench-before")
        click(R.id.bench_start)
        shot("$name-bench")
    }

    private fun messages(name: String) {
        open(Tab.CAMERA)
        activity.desk.camera.permission(granted = false, refused = true)
        activity.desk.camera.stop()
        shot("$name-refused")
    }

    private companion object {
        const val ACROSS = "+w891dp-h411dp-land"
        val PLAN = Plan(seconds = 0.08, pacedSeconds = 0.0, rounds = 4, warmup = 1, minCalls = 10, patience = 2.0)
        val MACHINE = MachineInfo("a phone of the tests", "arm64-v8a", "Android 15 (API 35)", mapOf("edge-facenet-android" to "0.1.0"))
    }
}
