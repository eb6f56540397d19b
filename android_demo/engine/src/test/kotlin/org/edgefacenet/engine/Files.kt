package org.edgefacenet.engine

import java.io.File
import java.nio.ByteBuffer
import java.util.Random
import org.edgefacenet.core.Artifact
import org.edgefacenet.core.Graph
import org.edgefacenet.core.GraphOptions
import org.edgefacenet.core.RgbImage
import org.edgefacenet.core.SelfTest

/** The repository's files that the engine is proven on. */
internal object Files {
    private val repo = File(System.getProperty("repo"))
    private val models = File(repo, "models/edge_facenet_models/mobile")

    fun artifact(recipe: String): Artifact = Artifact.open("mobile-$recipe", File(models, "mobile-$recipe.json").readBytes()) { load(File(models, it)) }

    fun faces(): List<RgbImage> = SelfTest.faces(File(repo, "edge_facenet/${SelfTest.FILE}").readBytes())

    fun tiny(name: String): ByteArray = File(repo, "tests/golden/tiny-$name.tflite").readBytes()

    private fun load(file: File): ByteBuffer = file.readBytes().let { direct(it.size).put(it).apply { rewind() } }
}

internal fun open(model: ByteArray, threads: Int = 1): Graph = BytedecoGraph.open(ByteBuffer.wrap(model), GraphOptions(threads))

/** Buffers full of numbers that `seed` decides. */
internal fun noise(graph: Graph, seed: Long): List<ByteBuffer> = graph.inputs.map { info ->
    val random = Random(seed)
    direct(info.bytes).apply {
        if (info.type.bytes == 4) while (hasRemaining()) putFloat(random.nextFloat() * 2 - 1) else while (hasRemaining()) put(random.nextInt().toByte())
        rewind()
    }
}

internal fun bytes(buffer: ByteBuffer): List<Byte> = ByteArray(buffer.remaining()).also { buffer.duplicate().get(it) }.toList()

/** Resident memory of this process in bytes. */
internal fun resident(): Long = File("/proc/self/statm").readText().split(' ')[1].toLong() * 4096
