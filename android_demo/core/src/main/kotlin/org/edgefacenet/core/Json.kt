package org.edgefacenet.core

import kotlinx.serialization.SerializationException
import kotlinx.serialization.json.Json
import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonNull
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.math.BigDecimal
import java.math.MathContext

/** What a reader throws; the message is complete. */
internal typealias Refusal = (String) -> EdgeFacenetException

private val NUMBER = Regex("-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?")
private val WHOLE = Regex("-?(0|[1-9][0-9]*)")

/** Strict reading of a JSON object: unknown keys, wrong types and missing keys are refused with the path to the value. */
internal class JsonReader(element: JsonElement, private val where: String, private val refusal: Refusal) {
    private val values: JsonObject = element as? JsonObject ?: throw refusal("$where: expected an object, found ${short(element)}.")

    /** Refuse keys other than [known]. */
    fun only(vararg known: String): JsonReader {
        val strange = values.keys.firstOrNull { it !in known } ?: return this
        throw refusal("$where: unknown key \"$strange\" (known: ${known.joinToString(", ")}).")
    }

    fun has(key: String): Boolean = values[key].let { it != null && it !is JsonNull }

    fun element(key: String): JsonElement = values[key] ?: throw refusal("$where: key \"$key\" is missing.")

    fun string(key: String): String = text(element(key), path(key))

    fun int(key: String): Int = int(element(key), path(key))

    fun long(key: String): Long = long(element(key), path(key))

    fun double(key: String): Double = double(element(key), path(key))

    fun boolean(key: String): Boolean {
        val found = element(key) as? JsonPrimitive
        if (found == null || found.isString || found.content !in setOf("true", "false")) throw wrong(path(key), "true or false", element(key))
        return found.content == "true"
    }

    fun reader(key: String): JsonReader = JsonReader(element(key), path(key), refusal)

    fun list(key: String): List<JsonElement> = list(element(key), path(key))

    fun strings(key: String): List<String> = list(key).mapIndexed { i, it -> text(it, "${path(key)}[$i]") }

    fun doubles(key: String): List<Double> = doubles(element(key), path(key))

    fun readers(key: String): List<JsonReader> = list(key).mapIndexed { i, it -> JsonReader(it, "${path(key)}[$i]", refusal) }

    fun doubleRows(key: String): List<List<Double>> = list(key).mapIndexed { i, it -> doubles(it, "${path(key)}[$i]") }

    fun numbers(key: String): Map<String, Double> =
        reader(key).let { inner -> inner.values.mapValues { (name, it) -> double(it, "${inner.where}.$name") } }

    /** An object whose values are objects, by their keys. */
    fun objects(key: String): Map<String, JsonReader> =
        reader(key).let { inner -> inner.values.mapValues { (name, it) -> JsonReader(it, "${inner.where}.$name", refusal) } }

    /** The value of [key], or null when it is absent. */
    fun <T> optional(key: String, read: JsonReader.(String) -> T): T? = if (has(key)) read(key) else null

    fun refuse(key: String, what: String): EdgeFacenetException = refusal("${path(key)}: $what")

    private fun path(key: String): String = "$where.$key"

    private fun list(element: JsonElement, where: String): List<JsonElement> = element as? JsonArray ?: throw wrong(where, "a list", element)

    private fun doubles(element: JsonElement, where: String): List<Double> =
        list(element, where).mapIndexed { i, it -> double(it, "$where[$i]") }

    private fun text(element: JsonElement, where: String): String =
        (element as? JsonPrimitive)?.takeIf { it.isString }?.content ?: throw wrong(where, "a string", element)

    private fun int(element: JsonElement, where: String): Int =
        long(element, where).let { if (it in Int.MIN_VALUE..Int.MAX_VALUE) it.toInt() else throw wrong(where, "a smaller integer", element) }

    private fun long(element: JsonElement, where: String): Long =
        (element as? JsonPrimitive)?.takeIf { !it.isString && WHOLE.matches(it.content) }?.content?.toLongOrNull()
            ?: throw wrong(where, "an integer", element)

    private fun double(element: JsonElement, where: String): Double =
        (element as? JsonPrimitive)?.takeIf { !it.isString && NUMBER.matches(it.content) }?.content?.toDouble()?.takeIf { it.isFinite() }
            ?: throw wrong(where, "a finite number", element)

    private fun wrong(where: String, expected: String, found: JsonElement) = refusal("$where: expected $expected, found ${short(found)}.")

    companion object {
        /** Parse UTF-8 bytes; [what] names them in the message. */
        fun parse(bytes: ByteArray, what: String, refusal: Refusal): JsonElement {
            val text = try {
                Charsets.UTF_8.newDecoder().decode(java.nio.ByteBuffer.wrap(bytes)).toString()
            } catch (error: java.nio.charset.CharacterCodingException) {
                throw refusal("Cannot read $what: it is damaged, or not JSON (not UTF-8 text).").apply { addSuppressed(error) }
            }
            return try {
                Json.parseToJsonElement(text)
            } catch (error: SerializationException) {
                val why = error.message.orEmpty().lineSequence().first().take(MESSAGE)
                throw refusal("Cannot read $what: it is damaged, or not JSON ($why).").apply { addSuppressed(error) }
            }
        }

        private fun short(element: JsonElement): String = element.toString().take(SHORT)

        private const val SHORT = 60
        private const val MESSAGE = 120
    }
}

/** JSON as Python's `json.dumps(sort_keys=True)` writes it, byte for byte: hashes are taken of it. */
internal object JsonText {
    /** Indented by two, UTF-8 as it is, with a final line break: `files.canonical_json`. Lists of whole numbers stay on one line when [narrow]. */
    fun canonical(value: Any?, narrow: Boolean = false): String = StringBuilder().also { Writer(it, 2, false, narrow).write(value, 0) }.append('\n').toString()

    /** Without spaces, ASCII alone: what a seal is taken of. */
    fun compact(value: Any?): String = StringBuilder().also { Writer(it, 0, true, true).write(value, 0) }.toString()

    /** A double as Python's `repr` has it: the shortest digits that give it back. */
    fun number(value: Double): String {
        require(value.isFinite()) { "JSON has no $value." }
        if (value == 0.0) return if (1 / value < 0) "-0.0" else "0.0"
        val short = (1..17).firstNotNullOf { digits -> BigDecimal(value).round(MathContext(digits)).takeIf { it.toDouble() == value } }.stripTrailingZeros()
        val digits = short.unscaledValue().abs().toString()
        val exponent = digits.length - 1 - short.scale()
        val sign = if (value < 0) "-" else ""
        if (exponent < -4 || exponent >= 16) {
            val rest = if (digits.length > 1) "." + digits.drop(1) else ""
            return "$sign${digits[0]}${rest}e${if (exponent < 0) "-" else "+"}${Math.abs(exponent).toString().padStart(2, '0')}"
        }
        val plain = short.abs().toPlainString()
        return sign + if ('.' in plain) plain else "$plain.0"
    }

    private class Writer(private val out: StringBuilder, private val indent: Int, private val ascii: Boolean, private val narrow: Boolean) {
        fun write(value: Any?, depth: Int) {
            when (value) {
                null, is JsonNull -> out.append("null")
                is JsonPrimitive -> primitive(value)
                is String -> string(value)
                is Boolean -> out.append(value)
                is Int, is Long -> out.append(value)
                is Float -> out.append(number(value.toDouble()))
                is Double -> out.append(number(value))
                is Map<*, *> -> map(value, depth)
                is List<*> -> list(value, depth)
                else -> throw IllegalArgumentException("${value::class} is no JSON value.")
            }
        }

        private fun primitive(value: JsonPrimitive) {
            when {
                value.isString -> string(value.content)
                NUMBER.matches(value.content) && !WHOLE.matches(value.content) -> out.append(number(value.content.toDouble()))
                else -> out.append(value.content)
            }
        }

        private fun map(value: Map<*, *>, depth: Int) {
            val entries = value.entries.sortedBy { it.key as String }
            group('{', '}', entries, depth) { (key, item) ->
                string(key as String)
                out.append(if (indent == 0) ":" else ": ")
                write(item, depth + 1)
            }
        }

        private fun list(value: List<*>, depth: Int) {
            if (narrow && value.isNotEmpty() && value.all { it is Int || it is Long }) {
                out.append(value.joinToString(",", "[", "]"))
            } else {
                group('[', ']', value, depth) { write(it, depth + 1) }
            }
        }

        private fun <T> group(open: Char, close: Char, items: Collection<T>, depth: Int, each: (T) -> Unit) {
            out.append(open)
            items.forEachIndexed { i, item ->
                if (i > 0) out.append(',')
                line(depth + 1)
                each(item)
            }
            if (items.isNotEmpty()) line(depth)
            out.append(close)
        }

        private fun line(depth: Int) {
            if (indent > 0) out.append('\n').append(" ".repeat(indent * depth))
        }

        private fun string(value: String) {
            out.append('"')
            for (c in value) {
                val short = SHORT_ESCAPES[c]
                when {
                    short != null -> out.append(short)
                    c < ' ' || (ascii && c > '~') -> out.append("\\u").append(c.code.toString(16).padStart(4, '0'))
                    else -> out.append(c)
                }
            }
            out.append('"')
        }
    }

    private val SHORT_ESCAPES = mapOf('"' to "\\\"", '\\' to "\\\\", '\n' to "\\n", '\r' to "\\r", '\t' to "\\t", '\b' to "\\b", '\u000c' to "\\f")
}
