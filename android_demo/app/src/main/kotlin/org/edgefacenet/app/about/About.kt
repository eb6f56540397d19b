package org.edgefacenet.app.about

import org.edgefacenet.app.R
import org.edgefacenet.app.parts.Networks
import org.edgefacenet.app.parts.Words
import org.edgefacenet.core.Artifact
import org.edgefacenet.core.Hash

/** A part of the page: a heading, and paragraphs below it. */
data class Section(val title: Int, val lines: List<Words>)

/** What a user should know of the model before believing it, out of its manifest. */
object About {
    private val FORBIDDEN = listOf(R.string.forbidden_decide, R.string.forbidden_watch, R.string.forbidden_guess, R.string.forbidden_lock, R.string.forbidden_unlike)
    private val PARTS = listOf(R.string.licence_app, R.string.licence_mediapipe, R.string.licence_tensorflow, R.string.licence_javacpp, R.string.licence_kotlin)

    /** The whole page. */
    fun sections(networks: Networks): List<Section> {
        val artifact = networks.artifact
        val about = artifact.manifest.about
        return listOf(
            Section(R.string.about_model, model(artifact) + engine(networks)),
            Section(R.string.about_measured, measured(artifact)),
            Section(R.string.about_uses, listOf(about.uses?.let { Words.Said(it) } ?: Words.text(R.string.about_no_uses))),
            Section(R.string.about_forbidden, FORBIDDEN.map { Words.text(it) }),
            Section(R.string.about_privacy, listOf(Words.text(R.string.privacy))),
            Section(R.string.about_origin, origin(artifact)),
            Section(R.string.about_licences, PARTS.map { Words.text(it) }),
        )
    }

    private fun model(artifact: Artifact): List<Words> {
        val manifest = artifact.manifest
        val cost = manifest.about.muladds?.let { Words.text(R.string.about_cost, millions(it), millions(manifest.about.parameters ?: 0), megabytes(artifact.model.limit())) }
        return listOfNotNull(
            Words.text(R.string.about_name, artifact.name, manifest.pixels.size, manifest.dimension),
            cost,
            Words.text(R.string.about_sha256, manifest.about.sha256 ?: Hash.sha256(artifact.model)), // proven when it was opened
            Words.text(R.string.about_fingerprint, artifact.fingerprint),
        )
    }

    private fun engine(networks: Networks): List<Words> {
        val cosines = networks.cosines.joinToString(", ") { "%.4f".format(it) }
        return listOf(Words.text(R.string.about_engine, networks.embedder.ranOn), Words.text(R.string.about_self_test, cosines))
    }

    private fun measured(artifact: Artifact): List<Words> {
        val thresholds = artifact.manifest.thresholds ?: return listOf(Words.text(R.string.about_no_thresholds))
        val pairs = Words.text(R.string.about_pairs, thresholds.source, "%,d".format(thresholds.genuine), "%,d".format(thresholds.impostor))
        return listOf(pairs) + thresholds.at.mapNotNull { point ->
            val cosine = point.cosine ?: return@mapNotNull null
            val found = point.tar?.let { "%.1f".format(100 * it) } ?: return@mapNotNull null
            Words.text(R.string.about_threshold, "%.2f".format(cosine), percent(point.far), found)
        }
    }

    private fun origin(artifact: Artifact): List<Words> =
        listOfNotNull(artifact.manifest.about.licence, artifact.manifest.about.provenance).map { Words.Said(it) }.ifEmpty { listOf(Words.text(R.string.about_no_origin)) }

    private fun millions(value: Long): String = "%.1f".format(value / 1e6)

    private fun megabytes(bytes: Int): String = "%.1f".format(bytes / 1e6)

    /** A rate as percent, without zeros that say nothing: "10", "0.01". */
    internal fun percent(rate: Double): String = java.math.BigDecimal(100 * rate).round(java.math.MathContext(3)).stripTrailingZeros().toPlainString()
}
