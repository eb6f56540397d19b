package org.edgefacenet.app.parts

import org.edgefacenet.core.Aligner
import org.edgefacenet.core.Artifact
import org.edgefacenet.core.EdgeFacenetException
import org.edgefacenet.core.Embedder
import org.edgefacenet.core.FaceFinder
import org.edgefacenet.core.FoundFace
import org.edgefacenet.core.Graph
import org.edgefacenet.core.GraphFactory
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.ManifestException
import org.edgefacenet.core.RgbImage

/**
 * The three networks, open and proven on the self-test's faces.
 *
 * Safe to call from several threads; they wait for each other's single calls of a network, not for whole pictures.
 *
 * @property cosines of the embedder's golden self-test.
 */
class Networks private constructor(
    val assets: Assets,
    val embedder: Embedder,
    private val finder: FaceFinder,
    val cosines: List<Double>,
    private val graphs: List<Graph>,
) : AutoCloseable {
    val artifact: Artifact get() = embedder.artifact

    /**
     * The faces of a picture, largest and most central first, each with its embedding.
     *
     * @param turned look for faces lying on their side, too, and thoroughly for small ones: for photos. A camera's frames
     *   stand upright, and are looked at in four parts beside the whole.
     */
    fun look(image: RgbImage, turned: Boolean): List<Looked> =
        FoundFace.of(finder, image, MOST, turned, artifact.manifest.margin, if (turned) 2 else 1).map { Looked(it, embedder.embed(it.crop)) }

    override fun close(): Unit = graphs.forEach { it.close() }

    companion object {
        /** Faces of one picture that are looked at. */
        const val MOST: Int = 20

        /** Threads of each network: more are slower on the small cores of a phone. */
        private const val THREADS = 2

        /**
         * Open the networks of [assets] and prove them.
         *
         * @throws EdgeFacenetException the embedder takes faces cut otherwise, the engine is not here or refuses a model, or a
         *   self-test fails.
         */
        fun open(assets: Assets, factory: GraphFactory): Networks {
            checkTemplate(assets.embedders[0])
            val graphs = ArrayList<Graph>()
            fun graph(model: java.nio.ByteBuffer) = factory.open(model, GraphOptions(THREADS)).also { graphs += it }
            try {
                val embedder = Embedder(assets.embedders[0], graph(assets.embedders[0].model))
                val finder = FaceFinder(graph(assets.detector), graph(assets.mesh))
                finder.selfTest(assets.faces)
                return Networks(assets, embedder, finder, embedder.selfTest(assets.faces), graphs)
            } catch (error: EdgeFacenetException) {
                graphs.forEach { it.close() }
                throw error
            }
        }

        private fun checkTemplate(artifact: Artifact) {
            val template = artifact.manifest.template
            if (template != Aligner.TEMPLATE_NAME) {
                throw ManifestException("${artifact.name} takes faces cut to template $template; this app cuts to ${Aligner.TEMPLATE_NAME}. Build it with another model.")
            }
        }
    }
}

/** A face and its embedding. */
class Looked(val found: FoundFace, val embedding: FloatArray)
