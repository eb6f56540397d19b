package org.edgefacenet.app

import org.junit.Assert.assertEquals
import org.junit.Test
import org.junit.runner.RunWith
import org.robolectric.Robolectric
import org.robolectric.RobolectricTestRunner
import org.robolectric.annotation.Config

@RunWith(RobolectricTestRunner::class)
@Config(sdk = [35])
class MainActivityTest {
    @Test
    fun `starts and knows its name`() {
        val activity = Robolectric.buildActivity(MainActivity::class.java).setup().get()
        assertEquals("Edge FaceNet", activity.getString(R.string.app_name))
    }
}
