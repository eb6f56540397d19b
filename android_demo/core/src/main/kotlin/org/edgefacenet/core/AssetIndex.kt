package org.edgefacenet.core

import java.nio.ByteBuffer

/**
 * The list of an app's assets, `assets.json` as `tools/assets.py` writes it: which file is what, and what each hashes to.
 *
 * @property embedders manifests; the first is the one the app uses.
 * @property faces the self-test's picture.
 */
class AssetIndex private constructor(
    val embedders: List<String>,
    val faces: String,
    private val hashes: Map<String, String>,
) {
    /**
     * The bytes of the asset [name], [content], proven to be the listed ones.
     *
     * @throws ManifestException not listed, or others.
     */
    fun checked(name: String, content: ByteBuffer): ByteBuffer {
        val wanted = hashes[name] ?: throw ManifestException("The app's file $name is not listed in $FILE. $CURE")
        val found = Hash.sha256(content)
        if (found != wanted) {
            throw ManifestException(
                "The app's file $name is damaged: sha256 ${found.take(12)}…, $FILE says ${wanted.take(12)}… (${content.limit()} bytes). $CURE",
            )
        }
        return content
    }

    companion object {
        /** Name of the list among the assets. */
        const val FILE: String = "assets.json"

        /** What helps against a missing or damaged asset. */
        const val CURE: String = "Install the app again."
        private const val SCHEMA = 1

        /**
         * Read the list.
         *
         * @throws ManifestException damaged, of another version, or without an embedder.
         */
        fun parse(json: ByteArray): AssetIndex {
            val refusal = { why: String -> ManifestException("$why $CURE") }
            val r = JsonReader(JsonReader.parse(json, FILE, refusal), FILE, refusal).only("schema", "embedders", "detector", "mesh", "faces", "files")
            if (r.int("schema") != SCHEMA) throw refusal("$FILE has schema ${r.int("schema")}, this version reads $SCHEMA.")
            val embedders = r.strings("embedders")
            if (embedders.isEmpty()) throw refusal("$FILE names no embedder.")
            val files = r.objects("files").mapValues { (_, file) -> file.only("sha256", "bytes").string("sha256") }
            return AssetIndex(embedders, r.string("faces"), files)
        }
    }
}
