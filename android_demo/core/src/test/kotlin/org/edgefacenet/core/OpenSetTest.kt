package org.edgefacenet.core

import kotlinx.serialization.json.JsonArray
import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import org.junit.Assert.assertEquals
import org.junit.Assert.assertNull
import org.junit.Assert.assertTrue
import org.junit.Test

/** The threshold and the decision, held to the vectors that hold Python's to them too (tests/golden/identify.json). */
class OpenSetTest {
    private val golden = Golden.file("identify") as JsonObject

    private fun vector(element: JsonElement) = element.numbers().map { it.toFloat() }.toFloatArray()

    private fun thresholds(case: JsonObject) =
        Thresholds("test", 1, 1, 1, case.list("points").map { it as JsonObject }.map { Threshold(it.double("far"), it.double("cosine")) })

    private fun templates(case: JsonObject): Templates {
        val people = case.list("people").mapIndexed { i, person ->
            val samples = (person as JsonArray).map { Sample(vector(it), "photo") }
            val rejected = case.list("rejected").map { it as JsonObject }.filter { it.int("person") == i }.map { Sample(vector(it.getValue("embedding")), "x") }
            PersonRow(i, "person $i", "", "", samples, rejected)
        }
        return GalleryState(people.size, people).templates()
    }

    @Test
    fun `constants are the golden file's`() {
        assertEquals(listOf(golden.double("margin"), golden.double("prior_weight"), golden.double("highest")), listOf(OpenSet.MARGIN, OpenSet.PRIOR_WEIGHT, OpenSet.HIGHEST))
        assertEquals(listOf(golden.int("few"), golden.int("many")), listOf(OpenSet.FEW, OpenSet.MANY))
    }

    @Test
    fun `thresholds and decisions of every golden case`() = golden.list("cases").map { it as JsonObject }.forEach { case ->
        val name = case.text("name")
        val templates = templates(case)
        val expected = case.obj("threshold")
        val found = OpenSet.threshold(thresholds(case), templates, case.double("fpir"))
        // embeddings are written with nine digits and rounded to float32: 1e-7 in a score
        assertEquals(name, expected.double("cosine"), found.cosine, 1e-5)
        assertEquals(name, expected.double("far"), found.far, 1e-12)
        assertEquals(name, expected.text("extrapolated"), found.extrapolated.toString())
        assertTrue("$name: ${found.why}", " (${expected.text("source")}, ${found.people} p" in found.why)
        val limit = case.optional("limit") ?: return@forEach
        case.list("probes").zip(case.list("answers")).forEachIndexed { i, (probe, answer) ->
            decided("$name, probe $i", OpenSet.decide(vector(probe), templates, OpenSetThreshold(limit, 0.01, 0.01, templates.size, false, "")), answer as JsonObject)
        }
    }

    private fun decided(name: String, found: Match, expected: JsonObject) {
        assertEquals(name, expected.optional("person")?.toInt(), found.person)
        assertEquals(name, expected.optional("similarity") ?: 9.0, found.similarity ?: 9.0, 1e-6)
        assertEquals(name, expected.optional("second") ?: 9.0, found.second ?: 9.0, 1e-6)
        assertEquals(name, expected.list("ambiguous").numbers().map { it.toInt() }, found.ambiguous.map { it.person }.sorted())
    }

    @Test
    fun `the normal distribution's quantiles`() {
        // Source: tables; and 6 standard deviations, where a rational approximation of low order fails
        for ((p, z) in listOf(0.5 to 0.0, 0.975 to 1.959963984540054, 0.99 to 2.3263478740408408, 1e-4 to -3.719016485455709, 9.865876450376946e-10 to -6.0)) {
            assertEquals(z, normalQuantile(p), 1e-12)
        }
    }

    @Test
    fun `too few or falling thresholds are refused with what was found`() {
        val nobody = GalleryState(1, emptyList()).templates()
        fun message(vararg points: Pair<Double, Double?>) =
            refused<ThresholdException> { OpenSet.threshold(Thresholds("x", 1, 1, 1, points.map { Threshold(it.first, it.second) }), nobody) }
        assertTrue("found none" in refused<ThresholdException> { OpenSet.threshold(null, nobody) })
        assertTrue("found 0.01 (0.300)" in message(0.01 to 0.3, 0.001 to null))
        assertTrue("at least two" in message(0.01 to 0.3, 0.001 to 0.2))
        assertTrue("between 0 and 1" in refused<ThresholdException> { OpenSet.threshold(null, nobody, 1.0) })
    }

    @Test
    fun `what is no embedding is refused`() {
        val templates = GalleryState(1, listOf(PersonRow(1, "a", "", "", listOf(Sample(floatArrayOf(1f, 0f), "x")), emptyList()))).templates()
        val limit = OpenSetThreshold(0.5, 0.01, 0.01, 1, false, "")
        fun message(vararg values: Float) = refused<InputException> { OpenSet.decide(values, templates, limit) }
        assertTrue("3 values, expected 2" in message(1f, 0f, 0f))
        assertTrue("not finite" in message(Float.NaN, 0f))
        assertTrue("all zeros" in message(0f, 0f))
        assertTrue("length 2.0" in message(2f, 0f))
    }

    @Test
    fun `every answer says why`() {
        val people = listOf(floatArrayOf(1f, 0f, 0f), floatArrayOf(0f, 1f, 0f)).mapIndexed { i, it -> PersonRow(i + 1, "P${i + 1}", "", "", listOf(Sample(it, "x")), emptyList()) }
        val templates = GalleryState(3, people).templates()
        val limit = OpenSetThreshold(0.5, 0.01, 0.005, 2, false, "the threshold 0.500")
        assertEquals("1.000 is above the threshold 0.500", OpenSet.decide(floatArrayOf(1f, 0f, 0f), templates, limit).why)
        val half = Math.sqrt(0.5).toFloat()
        val both = OpenSet.decide(floatArrayOf(half, half, 0f), templates, limit)
        assertNull(both.person)
        assertEquals(listOf("P1", "P2"), both.ambiguous.map { it.name })
        assertTrue("P1 (id 1, 0.707) or P2 (id 2, 0.707)" in both.why)
        assertTrue("unknown: the nearest, P1" in OpenSet.decide(floatArrayOf(0f, 0f, 1f), templates, limit).why)
        assertEquals("the gallery is empty", OpenSet.decide(floatArrayOf(1f), GalleryState(1, emptyList()).templates(), limit).why)
    }
}
