package org.edgefacenet.core

import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.jsonArray
import kotlinx.serialization.json.jsonObject
import kotlinx.serialization.json.jsonPrimitive
import org.junit.Assert.assertEquals
import org.junit.Assert.fail
import java.io.File
import java.nio.ByteBuffer
import java.nio.ByteOrder
import java.util.Base64
import kotlin.math.abs

/** The vectors that Python made (tests/golden/make_android.py), and the inputs that both languages make. */
object Golden {
    val repo = File(System.getProperty("repo") ?: "../..")

    fun file(name: String): JsonElement = Json.parseToJsonElement(File(repo, "tests/golden/$name.json").readText())

    fun list(name: String): List<JsonObject> = file("android/$name").jsonArray.map { it.jsonObject }

    val faces: List<RgbImage> by lazy { SelfTest.faces(File(repo, "edge_facenet/selftest_faces.png").readBytes()) }

    /** Upper bytes of a linear congruential generator. */
    fun noise(count: Int, seed: Int): ByteArray {
        var state = seed
        return ByteArray(count) {
            state = state * 1664525 + 1013904223
            (state ushr 24).toByte()
        }
    }

    fun picture(width: Int, height: Int, seed: Int) = RgbImage(width, height, noise(3 * width * height, seed))

    fun smooth(width: Int, height: Int, seed: Int) = RgbImage(
        width, height,
        ByteArray(3 * width * height) {
            val x = it / 3 % width
            val y = it / 3 / width
            val c = it % 3
            (x * (3 + c) / 7 * 16 + y * (5 - c) / 9 * 24 + seed).toByte()
        },
    )

    fun direct(bytes: ByteArray): ByteBuffer = ByteBuffer.allocateDirect(bytes.size).order(ByteOrder.nativeOrder()).also {
        it.put(bytes)
        it.seek(0)
    }
}

fun JsonObject.int(key: String) = getValue(key).jsonPrimitive.content.toInt()
fun JsonObject.double(key: String) = getValue(key).jsonPrimitive.content.toDouble()
fun JsonObject.text(key: String) = getValue(key).jsonPrimitive.content
fun JsonObject.bytes(key: String): ByteArray = Base64.getDecoder().decode(text(key))
fun JsonObject.list(key: String): JsonArray = getValue(key).jsonArray
fun JsonObject.obj(key: String): JsonObject = getValue(key).jsonObject
fun JsonObject.optional(key: String): Double? = get(key).let { if (it == null || it is JsonNull) null else it.jsonPrimitive.content.toDouble() }

/** All numbers in nested lists, in order. */
fun JsonElement.numbers(): List<Double> = if (this is JsonArray) flatMap { it.numbers() } else listOf(jsonPrimitive.content.toDouble())

fun assertBytes(what: String, expected: ByteArray, found: ByteArray, tolerance: Int = 0) {
    assertEquals("$what: length", expected.size, found.size)
    val off = expected.indices.filter { abs((expected[it].toInt() and 0xFF) - (found[it].toInt() and 0xFF)) > tolerance }
    if (off.isNotEmpty()) fail("$what: ${off.size} of ${expected.size} bytes differ, first at ${off[0]}: ${expected[off[0]]} expected, ${found[off[0]]} found")
}

fun assertNumbers(what: String, expected: List<Double>, found: List<Double>, tolerance: Double) {
    assertEquals("$what: count", expected.size, found.size)
    for (i in expected.indices) assertEquals("$what[$i]", expected[i], found[i], tolerance)
}

/** The message of what [work] refuses to do. */
inline fun <reified T : EdgeFacenetException> refused(work: () -> Unit): String {
    try {
        work()
    } catch (error: EdgeFacenetException) {
        if (error is T) return error.message.orEmpty()
        throw error
    }
    throw AssertionError("nothing was refused")
}

/** A graph that answers as the test says; [answer] gets the input's bytes. */
class StubGraph(
    override val inputs: List<TensorInfo>,
    override val outputs: List<TensorInfo>,
    override val engine: String = "tflite-runtime",
    override val ranOn: String = "CPU, XNNPACK 27 of 27 nodes",
    private val answer: (ByteBuffer) -> List<ByteBuffer>,
) : Graph {
    override fun run(inputs: List<ByteBuffer>): List<ByteBuffer> = answer(inputs[0])

    override fun close() = Unit
}

fun floats(name: String, vararg shape: Int) = TensorInfo(name, shape, TensorType.FLOAT32, 0f, 0)

fun direct(values: FloatArray): ByteBuffer {
    val out = ByteBuffer.allocateDirect(4 * values.size).order(ByteOrder.nativeOrder())
    values.forEach { out.putFloat(it) }
    return out.also { it.seek(0) }
}
