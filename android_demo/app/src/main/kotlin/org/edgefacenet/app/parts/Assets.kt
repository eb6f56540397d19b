package org.edgefacenet.app.parts

import java.io.IOException
import java.nio.ByteBuffer
import org.edgefacenet.core.Artifact
import org.edgefacenet.core.AssetIndex
import org.edgefacenet.core.FaceModels
import org.edgefacenet.core.ManifestException
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.SelfTest

/** Where the app's files lie. */
fun interface AssetSource {
    /**
     * A file's content in a direct buffer, mapped where that is possible.
     *
     * @throws IOException it is not there.
     */
    fun read(name: String): ByteBuffer
}

/**
 * The app's files, each proven to be what [AssetIndex] lists and what its own manifest says.
 *
 * @property embedders the first is the one that recognises; the others are measured beside it.
 * @property faces crops of the self-test.
 */
class Assets private constructor(
    val embedders: List<Artifact>,
    val detector: ByteBuffer,
    val mesh: ByteBuffer,
    val faces: List<RgbImage>,
) {
    companion object {
        /**
         * Read and prove everything.
         *
         * @throws ManifestException a file is missing, damaged or belongs to another manifest; the message says which.
         */
        fun open(source: AssetSource): Assets {
            val index = AssetIndex.parse(bytes(read(source, AssetIndex.FILE)))
            fun checked(name: String) = index.checked(name, read(source, name))
            val embedders = index.embedders.map { manifest ->
                val folder = manifest.substringBeforeLast('/', "")
                Artifact.open(manifest.substringAfterLast('/'), bytes(checked(manifest))) { file -> checked(if (folder.isEmpty()) file else "$folder/$file") }
            }
            return Assets(
                embedders,
                FaceModels.DETECTOR.checked(checked("$MODELS/${FaceModels.DETECTOR.file}")),
                FaceModels.MESH.checked(checked("$MODELS/${FaceModels.MESH.file}")),
                SelfTest.faces(bytes(checked(index.faces))),
            )
        }

        private fun read(source: AssetSource, name: String): ByteBuffer = try {
            source.read(name)
        } catch (error: IOException) {
            throw ManifestException("The app's file $name is missing. ${AssetIndex.CURE}", error)
        }

        private fun bytes(buffer: ByteBuffer): ByteArray = ByteArray(buffer.limit()).also { buffer.duplicate().apply { rewind() }.get(it) }

        private const val MODELS = "models"
    }
}
