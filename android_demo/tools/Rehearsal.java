import java.nio.ByteBuffer;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.edgefacenet.core.Accelerator;
import org.edgefacenet.core.Artifact;
import org.edgefacenet.core.Embedder;
import org.edgefacenet.core.Graph;
import org.edgefacenet.core.GraphOptions;
import org.edgefacenet.core.SelfTest;
import org.edgefacenet.engine.BytedecoGraph;

/** The self-test of an artifact, by classes that R8 has been through. Arguments: assets folder, name of the manifest. */
public final class Rehearsal {
    public static void main(String[] words) throws Exception {
        Path assets = Path.of(words[0]);
        Artifact artifact = Artifact.Companion.open(words[1], Files.readAllBytes(assets.resolve("models/" + words[1] + ".json")), file -> read(assets.resolve("models/" + file)));
        try (Graph graph = BytedecoGraph.INSTANCE.open(artifact.getModel(), new GraphOptions(2, Accelerator.CPU))) {
            List<Double> cosines = new Embedder(artifact, graph).selfTest(SelfTest.INSTANCE.faces(Files.readAllBytes(assets.resolve("selftest_faces.png"))));
            System.out.println(words[1] + ": " + graph.getRanOn() + "; self-test " + cosines);
        }
    }

    private static ByteBuffer read(Path file) {
        try {
            byte[] bytes = Files.readAllBytes(file);
            return ByteBuffer.allocateDirect(bytes.length).put(bytes).flip();
        } catch (java.io.IOException error) {
            throw new java.io.UncheckedIOException(error);
        }
    }
}
