package org.edgefacenet.core

import kotlinx.serialization.json.JsonElement

/** One operating point: same person when cosine > [cosine]; null when these pairs cannot show it. */
data class Threshold(val far: Double, val cosine: Double?, val tar: Double? = null, val note: String? = null)

/** The operating points of one model file, and the pairs they come from. */
data class Thresholds(val source: String, val identities: Int, val genuine: Long, val impostor: Long, val at: List<Threshold>) {
    /** The threshold at [far]; throws [ThresholdException] when it was not derived or is not measurable. */
    fun cosine(far: Double): Double {
        val point = at.firstOrNull { Math.abs(it.far - far) <= 1e-9 * far }
            ?: throw ThresholdException("No threshold at FAR ${rate(far)} was derived for this artifact; it has ${at.joinToString(", ") { rate(it.far) }}.")
        val more = if ("impostors" in point.note.orEmpty()) "; ${Math.round(3 / far)} are needed" else ""
        return point.cosine ?: throw ThresholdException("No threshold at FAR ${rate(far)}: ${point.note}$more.")
    }
}

internal fun rate(value: Double): String = JsonText.number(value)

/** Golden embeddings of the two synthetic faces. */
class GoldenEmbeddings(val facesSha256: String, val embeddings: List<List<Double>>, val tolerance: Map<String, Double>)

/** What an artifact is (`edge_facenet/manifest.py`): how to feed the network, what it costs, what was measured of it. */
class Manifest internal constructor(
    val file: String,
    val pixels: PixelSpec,
    val template: String,
    val dimension: Int,
    val margin: Int,
    val unitOutput: Boolean,
    val about: About,
    val thresholds: Thresholds?,
    val selfTest: GoldenEmbeddings?,
    internal val pixelsJson: Map<String, Any>,
) {
    /** What stands beside the network's own description. */
    class About(
        val schema: Int,
        val name: String?,
        val family: String?,
        val recipe: String?,
        val distance: String,
        val output: String?,
        val sha256: String?,
        val fingerprint: String?,
        val muladds: Long?,
        val parameters: Long?,
        val licence: String?,
        val provenance: String?,
        val uses: String?,
    )

    companion object {
        /** The newest schema that is read. */
        const val SCHEMA: Int = 1

        private val RECIPES = setOf("fp32", "fp16", "int8", "dynamic", "int16x8", "mixed")
        private val KEYS = arrayOf(
            "file", "pixels", "template", "dimension", "schema", "name", "family", "recipe", "quantizer_recipe", "margin",
            "unit_output", "distance", "output", "sha256", "fingerprint", "cost", "parity", "thresholds", "self_test", "targets",
            "provenance", "versions",
        )

        /** Read and check a manifest; [name] is its file's name, for messages. */
        fun parse(name: String, bytes: ByteArray): Manifest = build(schema(JsonReader.parse(bytes, "manifest $name", ::ManifestException), name), "manifest $name")

        internal fun schema(element: JsonElement, what: String): JsonElement {
            val reader = JsonReader(element, what, ::ManifestException)
            val version = if (reader.has("schema")) reader.long("schema") else SCHEMA.toLong()
            if (version !in 1..SCHEMA) {
                throw ManifestException("Cannot read $what: it has schema $version, this version reads 1 to $SCHEMA. Update the app.")
            }
            return element
        }

        private fun build(element: JsonElement, where: String): Manifest {
            val r = JsonReader(element, where, ::ManifestException).only(*KEYS)
            val file = r.string("file")
            if ('/' in file || '\\' in file || file.isEmpty()) throw r.refuse("file", "must be a name in the manifest's own folder, found \"$file\".")
            val pixels = pixels(r.reader("pixels"))
            val dimension = r.int("dimension")
            val margin = r.optional("margin") { int(it) } ?: 0
            if (dimension < 1 || margin < 0) {
                throw ManifestException("$where: dimension is at least 1 and margin at least 0, found $dimension and $margin.")
            }
            return Manifest(
                file, pixels, r.string("template"), dimension, margin, r.optional("unit_output") { boolean(it) } ?: false,
                about(r), r.optional("thresholds") { thresholds(reader(it)) }, r.optional("self_test") { golden(reader(it)) },
                pixelsJson(pixels),
            )
        }

        private fun about(r: JsonReader): About {
            val recipe = r.optional("recipe") { string(it) }
            if (recipe != null && recipe !in RECIPES) throw r.refuse("recipe", "\"$recipe\" is no recipe (${RECIPES.joinToString(", ")}).")
            val distance = r.optional("distance") { string(it) } ?: "cosine"
            if (distance != "cosine") throw r.refuse("distance", "expected cosine, found \"$distance\".")
            val cost = r.optional("cost") { reader(it) }
            val origin = r.optional("provenance") { reader(it) }
            val licence = origin?.string("licence")
            val story = origin?.let { "${it.strings("data").joinToString("; ")} · ${it.string("initialisation")} · $licence" }
            fun text(key: String) = r.optional(key) { string(it) }
            return About(
                r.optional("schema") { int(it) } ?: SCHEMA, text("name"), text("family"), recipe, distance, text("output"), text("sha256"),
                text("fingerprint"), cost?.long("muladds"), cost?.long("parameters"), licence, story, origin?.optional("uses") { string(it) },
            )
        }

        private fun thresholds(r: JsonReader): Thresholds {
            r.only("source", "identities", "genuine", "impostor", "at")
            val points = r.readers("at").map { point ->
                point.only("far", "cosine", "interval", "tar", "note")
                Threshold(point.double("far"), point.optional("cosine") { double(it) }, point.optional("tar") { double(it) }, point.optional("note") { string(it) })
            }
            return Thresholds(r.string("source"), r.int("identities"), r.long("genuine"), r.long("impostor"), points)
        }

        private fun golden(r: JsonReader): GoldenEmbeddings {
            r.only("faces_sha256", "embeddings", "tolerance")
            return GoldenEmbeddings(r.string("faces_sha256"), r.doubleRows("embeddings"), r.numbers("tolerance"))
        }

        /** The block `pixels` of a manifest. */
        internal fun pixels(r: JsonReader): PixelSpec {
            r.only("size", "layout", "colour_order", "mean", "scale", "dtype", "quantization", "batch")
            val type = choice(r, "dtype", "float32", mapOf("float32" to TensorType.FLOAT32, "int8" to TensorType.INT8, "uint8" to TensorType.UINT8))
            val steps = r.optional("quantization") { doubles(it) }
            val spec = PixelSpec(
                r.int("size"), choice(r, "layout", "NHWC", mapOf("NHWC" to true, "NCHW" to false)), choice(r, "colour_order", "RGB", mapOf("RGB" to false, "BGR" to true)),
                r.optional("mean") { doubles(it) } ?: List(3) { 128.0 }, r.optional("scale") { doubles(it) } ?: List(3) { 128.0 },
                type, steps?.let { quantization(r, it) }, r.optional("batch") { int(it) } ?: 1,
            )
            check(r, spec)
            return spec
        }

        private fun check(r: JsonReader, spec: PixelSpec) {
            if (spec.size !in 1..MOST_SIDE || spec.batch !in 1..MOST_BATCH) {
                throw r.refuse("size", "size is 1 to $MOST_SIDE and batch 1 to $MOST_BATCH, found ${spec.size} and ${spec.batch}.")
            }
            if (spec.mean.size != 3 || spec.scale.size != 3 || spec.scale.any { it == 0.0 }) throw r.refuse("scale", "mean and scale have three values, and scale is not 0.")
            if ((spec.type == TensorType.FLOAT32) != (spec.quantization == null)) {
                throw r.refuse("quantization", "dtype ${spec.type.name.lowercase()} ${if (spec.quantization == null) "needs a" else "has no"} quantization.")
            }
        }

        private fun quantization(r: JsonReader, steps: List<Double>): Pair<Double, Int> {
            val whole = steps.size == 2 && steps[1] == Math.rint(steps[1]) && Math.abs(steps[1]) <= 255
            if (!whole || steps[0] <= 0) throw r.refuse("quantization", "expected a scale above 0 and a zero point, found $steps.")
            return steps[0] to steps[1].toInt()
        }

        private fun <T> choice(r: JsonReader, key: String, usual: String, known: Map<String, T>): T {
            val found = r.optional(key) { string(it) } ?: usual
            return known[found] ?: throw r.refuse(key, "expected one of ${known.keys.joinToString(", ")}, found \"$found\".")
        }

        /** As `to_json(PixelSpec)` has it. */
        private fun pixelsJson(spec: PixelSpec): Map<String, Any> = listOfNotNull(
            "size" to spec.size,
            "layout" to if (spec.nhwc) "NHWC" else "NCHW",
            "colour_order" to if (spec.bgr) "BGR" else "RGB",
            "mean" to spec.mean,
            "scale" to spec.scale,
            "dtype" to spec.type.name.lowercase(),
            spec.quantization?.let { "quantization" to it.toList() },
            "batch" to spec.batch,
        ).toMap()

        private const val MOST_SIDE = 1024
        private const val MOST_BATCH = 64
    }
}
