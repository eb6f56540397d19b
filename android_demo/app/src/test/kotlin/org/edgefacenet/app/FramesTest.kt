package org.edgefacenet.app

import java.nio.ByteBuffer
import java.util.concurrent.Executor
import java.util.concurrent.RejectedExecutionException
import kotlin.math.abs
import org.edgefacenet.app.camera.Facing
import org.edgefacenet.app.camera.FramePump
import org.edgefacenet.app.camera.FrameSize
import org.edgefacenet.app.camera.Turn
import org.edgefacenet.app.ui.Placement
import org.edgefacenet.app.ui.Touch
import org.edgefacenet.core.Box
import org.edgefacenet.core.InputException
import org.edgefacenet.core.Plane
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.YuvFrame
import org.junit.Assert.assertArrayEquals
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertThrows
import org.junit.Assert.assertTrue
import org.junit.Test

/** From a camera's frames to upright pictures, places on the screen, and fingers. */
class FramesTest {
    @Test
    fun `turned by sensor and display, of the front the other way`() {
        // sensor of most phones: 90 behind, 270 in front; the phone upright, on its left side, on its head, on its right side
        assertEquals(listOf(90, 0, 270, 180), listOf(0, 90, 180, 270).map { Turn.degrees(90, it, Facing.BACK) })
        assertEquals(listOf(270, 0, 90, 180), listOf(0, 90, 180, 270).map { Turn.degrees(270, it, Facing.FRONT) })
        assertEquals(0, Turn.degrees(0, 0, Facing.EXTERNAL))
    }

    @Test
    fun `a picture is upright whichever way its sensor is built in`() {
        val upright = picture(24, 16)
        for (sensor in listOf(0, 90, 180, 270)) {
            val seen = ArrayList<RgbImage>()
            pump { seen += it }.onFrame(Frames.yuv(upright.turned(360 - sensor)), sensor)
            assertEquals("$sensor", listOf(24 to 16), seen.map { it.width to it.height })
            assertTrue("$sensor", near(upright, seen[0]))
        }
    }

    @Test
    fun `the analyst gets the newest frame and none waits`() {
        val waiting = ArrayList<Runnable>()
        val analysed = ArrayList<Int>()
        var shown = 0
        val pump = FramePump({ waiting += it }, { shown++ }) { analysed += it.pixels[0].toInt() and 0xFF }
        pump.onFrame(grey(10), 0)
        for (value in 20..60 step 10) pump.onFrame(grey(value), 0)
        assertEquals("one job at a time", 1, waiting.size)
        waiting.removeAt(0).run()
        pump.onFrame(grey(70), 0)
        waiting.removeAt(0).run()
        assertEquals(listOf(10, 70), analysed)
        assertEquals(7, shown)
    }

    @Test
    fun `c153 five hundred frames live in two buffers`() {
        val arrays = HashSet<Int>()
        val pending = ArrayList<Runnable>()
        val pump = FramePump({ pending += it }, { arrays += System.identityHashCode(it.pixels) }) { arrays += System.identityHashCode(it.pixels) }
        val frame = grey(77)
        repeat(500) { number ->
            pump.onFrame(frame, if (number % 2 == 0) 90 else 0)
            if (number % 3 == 2) pending.toList().also { pending.clear() }.forEach { it.run() }
        }
        assertTrue("${arrays.size} arrays", arrays.size <= 2)
    }

    @Test
    fun `a damaged frame is refused and the next one works`() {
        var seen = 0
        val pump = pump { seen++ }
        val short = Plane(ByteBuffer.allocateDirect(4), 8, 1)
        repeat(5) { assertThrows(InputException::class.java) { pump.onFrame(YuvFrame(8, 8, short, short, short), 0) } }
        pump.onFrame(grey(5), 0)
        assertEquals(1, seen)
    }

    @Test
    fun `an analyst who is gone stops nothing`() {
        val pump = FramePump({ throw RejectedExecutionException() }, {}, {})
        repeat(5) { pump.onFrame(grey(9), 0) }
    }

    @Test
    fun `the size that is taken`() {
        assertEquals(1024 to 768, FrameSize.choose(listOf(4000 to 3000, 1920 to 1080, 1280 to 720, 1024 to 768, 640 to 480, 320 to 240)))
        assertEquals(640 to 480, FrameSize.choose(listOf(1920 to 1440, 1280 to 720, 640 to 480)))
        assertEquals(1280 to 720, FrameSize.choose(listOf(1920 to 1080, 1280 to 720, 640 to 360)))
        assertEquals(1920 to 1080, FrameSize.choose(listOf(3840 to 2160, 1920 to 1080)))
        assertEquals("every camera has it", 640 to 480, FrameSize.choose(emptyList()))
    }

    @Test
    fun `boxes stand where the faces are seen, mirrored too`() {
        val box = Box(10f, 20f, 30f, 60f)
        val plain = Placement(100, 200, 200, 400, fill = false, mirrored = false)
        assertEquals(Box(20f, 40f, 60f, 120f), plain.toView(box))
        val mirror = Placement(100, 200, 200, 400, fill = false, mirrored = true)
        assertEquals("as far from the right edge as it was from the left", Box(140f, 40f, 180f, 120f), mirror.toView(box))
        val whole = Placement(100, 200, 400, 400, fill = false, mirrored = false)
        assertEquals("in the middle", Box(120f, 40f, 160f, 120f), whole.toView(box))
    }

    @Test
    fun `a filled view cuts a fourth of the picture at most`() {
        assertEquals(4f, Placement(100, 120, 400, 400, fill = true, mirrored = false).scale, 0f)
        assertEquals("200 of 400 high: all of it would be scale 2, a fourth less 2.67", 2f / 0.75f, Placement(100, 200, 400, 400, fill = true, mirrored = false).scale, 1e-4f)
    }

    @Test
    fun `a finger hits the smallest face under it, or one nearby, or none`() {
        val boxes = listOf(Box(0f, 0f, 100f, 100f), Box(40f, 40f, 60f, 60f))
        assertEquals(1, Touch.hit(boxes, 50f, 50f, 0f))
        assertEquals(0, Touch.hit(boxes, 10f, 10f, 0f))
        assertEquals(0, Touch.hit(boxes, 105f, 50f, 12f))
        assertNull(Touch.hit(boxes, 150f, 50f, 12f))
        assertNull(Touch.hit(emptyList(), 1f, 1f, 12f))
    }

    private fun pump(analyse: (RgbImage) -> Unit) = FramePump(Executor { it.run() }, {}, analyse)

    private fun grey(value: Int) = Frames.yuv(RgbImage(8, 8, ByteArray(192) { value.toByte() }))

    /** Smooth, because chroma is kept at half the size; every corner has a colour of its own. */
    private fun picture(width: Int, height: Int) = RgbImage(width, height, ByteArray(3 * width * height) { at ->
        val (x, y) = at / 3 % width to at / 3 / width
        listOf(60 + 5 * x, 60 + 8 * y, 200 - 4 * x)[at % 3].toByte()
    })

    /** Half-size chroma and 8-bit rounding move a value of this picture by 5 at most. */
    private fun near(a: RgbImage, b: RgbImage): Boolean {
        assertArrayEquals(intArrayOf(a.width, a.height), intArrayOf(b.width, b.height))
        return a.pixels.indices.all { abs((a.pixels[it].toInt() and 0xFF) - (b.pixels[it].toInt() and 0xFF)) <= 12 }
    }
}
