package org.edgefacenet.engine.gpu

import android.opengl.EGL14
import android.opengl.EGLConfig
import android.opengl.EGLContext
import android.opengl.EGLDisplay
import android.opengl.EGLSurface
import android.opengl.GLES20

/**
 * The GPU by the name its driver gives, so that an emulator's software renderer is not taken for a GPU; "adapter not named"
 * when the driver gives none.
 */
internal fun adapter(): String {
    val display = EGL14.eglGetDisplay(EGL14.EGL_DEFAULT_DISPLAY)
    val version = IntArray(2)
    if (display == EGL14.EGL_NO_DISPLAY || !EGL14.eglInitialize(display, version, 0, version, 1)) return UNNAMED
    val config = config(display) ?: return UNNAMED
    val context = EGL14.eglCreateContext(display, config, EGL14.EGL_NO_CONTEXT, intArrayOf(EGL14.EGL_CONTEXT_CLIENT_VERSION, 2, EGL14.EGL_NONE), 0)
    val surface = EGL14.eglCreatePbufferSurface(display, config, intArrayOf(EGL14.EGL_WIDTH, 1, EGL14.EGL_HEIGHT, 1, EGL14.EGL_NONE), 0)
    try {
        return renderer(display, surface, context)
    } finally {
        EGL14.eglDestroySurface(display, surface)
        EGL14.eglDestroyContext(display, context)
    }
}

private const val UNNAMED = "adapter not named"

private fun renderer(display: EGLDisplay, surface: EGLSurface, context: EGLContext): String {
    val drawing = EGL14.eglGetCurrentSurface(EGL14.EGL_DRAW)
    val reading = EGL14.eglGetCurrentSurface(EGL14.EGL_READ)
    val before = EGL14.eglGetCurrentContext()
    if (!EGL14.eglMakeCurrent(display, surface, surface, context)) return UNNAMED
    val name = GLES20.glGetString(GLES20.GL_RENDERER)
    EGL14.eglMakeCurrent(display, drawing, reading, before)
    return name ?: UNNAMED
}

private fun config(display: EGLDisplay): EGLConfig? {
    val wanted = intArrayOf(EGL14.EGL_RENDERABLE_TYPE, EGL14.EGL_OPENGL_ES2_BIT, EGL14.EGL_SURFACE_TYPE, EGL14.EGL_PBUFFER_BIT, EGL14.EGL_NONE)
    val found = arrayOfNulls<EGLConfig>(1)
    val count = IntArray(1)
    return if (EGL14.eglChooseConfig(display, wanted, 0, found, 0, 1, count, 0) && count[0] > 0) found[0] else null
}
