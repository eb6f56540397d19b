package org.edgefacenet.core

import kotlinx.serialization.json.JsonElement
import kotlinx.serialization.json.JsonObject
import kotlinx.serialization.json.JsonPrimitive
import java.nio.ByteBuffer

/**
 * A model file and its manifest, proven to belong together.
 *
 * @property name name of the manifest, without `.json`.
 * @property model the file's bytes, trailer included.
 * @property fingerprint only embeddings with equal fingerprints may be compared.
 */
class Artifact private constructor(val name: String, val manifest: Manifest, val model: ByteBuffer, val fingerprint: String) {
    companion object {
        /**
         * Open an artifact.
         *
         * @param name file name of the manifest, for messages.
         * @param json the manifest's bytes.
         * @param read gives the bytes of the model file that the manifest names, mapped where possible.
         * @throws ManifestException damaged, foreign, or not an artifact; the message says which.
         */
        fun open(name: String, json: ByteArray, read: (String) -> ByteBuffer): Artifact {
            val manifest = Manifest.parse(name, json)
            val model = read(manifest.file)
            checkFile(manifest.file, model)
            val found = Hash.sha256(model)
            if (manifest.about.sha256 != null && found != manifest.about.sha256) {
                throw ManifestException(
                    "${manifest.file} is not the file that $name describes: sha256 ${found.take(12)}…, manifest says " +
                        "${manifest.about.sha256.take(12)}…. It is damaged or belongs to another manifest; install the app or copy the model again.",
                )
            }
            val sealed = unseal(manifest.file, model)
            val fingerprint = fingerprint(manifest, model, sealed?.graphBytes ?: model.limit())
            val differing = differing(manifest, sealed?.facts, fingerprint)
            if (differing.isNotEmpty()) {
                throw ManifestException(
                    "$name contradicts what is sealed inside ${manifest.file}: ${differing.joinToString(", ")}. Use the manifest that was exported with it.",
                )
            }
            return Artifact(name.removeSuffix(".json"), manifest, model, fingerprint)
        }

        private class Sealed(val graphBytes: Int, val facts: JsonObject)

        private fun checkFile(file: String, model: ByteBuffer) {
            val head = model.head(minOf(512, model.limit())).toBytes()
            val text = head.toString(Charsets.ISO_8859_1).trimStart().lowercase()
            if (text.startsWith("version https://git-lfs")) throw ManifestException("$file is a Git LFS pointer, not a model. Fetch the file itself: git lfs pull.")
            if (text.startsWith("<!doctype") || text.startsWith("<html")) throw ManifestException("$file is a web page, not a model. Download the file itself again.")
            if (!file.endsWith(".tflite")) throw ManifestException("$file is no TFLite file, which is what this app runs. Export the model with a TFLite recipe.")
            if (head.size < 8 || String(head, 4, 4, Charsets.ISO_8859_1) != "TFL3") {
                throw ManifestException("$file is not a TFLite model (${model.limit()} bytes, no TFL3 mark). Copy the model again.")
            }
        }

        /** The facts behind the graph, their own hash checked; null when there are none. */
        private fun unseal(file: String, model: ByteBuffer): Sealed? {
            val split = Trailer.split(model) ?: return null
            val what = "what is sealed inside $file"
            val element = Manifest.schema(JsonReader.parse(split.text, what, ::ManifestException), what)
            val facts = JsonObject((element as JsonObject).filterKeys { it != SEAL })
            val said = (element[SEAL] as? JsonPrimitive)?.takeIf { it.isString }?.content
            val found = Hash.sha256(listOf(model.head(split.graphBytes), ByteBuffer.wrap(JsonText.compact(facts).toByteArray())))
            if (said != found) throw ManifestException("$file is damaged: it is not what was sealed. Install the app or copy the model again.")
            JsonReader(facts, what, ::ManifestException).only(*FACTS)
            return Sealed(split.graphBytes, facts)
        }

        private fun differing(manifest: Manifest, facts: JsonObject?, fingerprint: String): List<String> {
            val wrong = if (facts == null) emptyList() else said(manifest).filter { (key, value) -> value != null && !equal(key, value, facts[key]) }.map { it.key }
            val other = manifest.about.fingerprint != null && manifest.about.fingerprint != fingerprint
            return if (other) wrong + "fingerprint" else wrong
        }

        private fun said(manifest: Manifest): Map<String, Any?> = mapOf(
            "schema" to manifest.about.schema,
            "family" to manifest.about.family,
            "dimension" to manifest.dimension,
            "pixels" to manifest.pixelsJson,
            "template" to manifest.template,
            "margin" to manifest.margin,
            "unit_output" to manifest.unitOutput,
            "recipe" to manifest.about.recipe,
            "distance" to manifest.about.distance,
        )

        private fun equal(key: String, value: Any, found: JsonElement?): Boolean = JsonText.compact(value) == JsonText.compact(found ?: USUAL[key])

        /** Hash of what makes embeddings comparable: graph without the trailer, pixels, template, norm. */
        private fun fingerprint(manifest: Manifest, model: ByteBuffer, graphBytes: Int): String {
            val makes = mapOf(
                "pixels" to manifest.pixelsJson,
                "template" to manifest.template,
                "margin" to manifest.margin,
                "unit_output" to manifest.unitOutput,
            )
            return Hash.sha256(listOf(model.head(graphBytes), ByteBuffer.wrap(JsonText.canonical(makes).toByteArray())))
        }

        private const val SEAL = "seal"
        private val FACTS = arrayOf("schema", "family", "dimension", "pixels", "template", "margin", "unit_output", "recipe", "distance")
        private val USUAL = mapOf("distance" to "cosine")
    }
}
