"""What int8 is spared: channels of unlike range, and the error that all faces share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import export_world
import numpy as np
import pytest
from edge_facenet_export import pipeline, to_tflite
from edge_facenet_export.bias import corrected
from edge_facenet_export.equalize import equalized, streams
from edge_facenet_export.fold import folded
from edge_facenet_export.graph import answers, copied, with_unit_norm
from edge_facenet_export.recipes import chosen
from edge_facenet_export.tune import tuned
from export_world import World
from keras import layers

from edge_facenet import manifest
from edge_facenet.engines import open_engine
from edge_facenet.errors import InputError
from edge_facenet.pixels import PixelSpec
from edge_facenet.train.backbones import BACKBONES, build

pytestmark = pytest.mark.xdist_group("export-keras")  # TensorFlow is imported once

# Groups of tensors with factors of their own. MobileNets' ReLU6 cuts at a number: there only the thin ends of MobileNetV2 are
# free. GoogLeNet: the stem and the two thinning convolutions of nine modules. Inception-ResNet-v1's normalisation has no gamma.
FREE = {"mobile": 10, "mobilenetv1": 0, "mobilenetv2": 6, "googlenet": 21, "inception-resnet-v1": 0}


def images(size: int, faces: int = 6) -> np.ndarray:
    return np.asarray(PixelSpec(size).tensor(crops(size, faces)))


def crops(size: int, faces: int = 6) -> np.ndarray:
    import cv2

    return np.stack([cv2.resize(crop, (size, size)) for crop in export_world.photos(people=faces, each=1)[0]])


@pytest.mark.parametrize("name", sorted(BACKBONES))
def test_every_backbone_answers_as_before(name: str) -> None:
    """Also with scales and shifts that a training leaves and a new network does not have."""
    size = max(64, BACKBONES[name].least_size)
    model = with_unit_norm(
        build(name, size=size, width=1.0 if name == "inception-resnet-v1" else 0.25), np.ones((1, 128))
    )
    export_world.settle(model, size, faces=8)
    rng = np.random.default_rng(4)
    for layer in model.layers:
        if isinstance(layer, layers.BatchNormalization):
            layer.beta.assign(rng.normal(0, 0.5, layer.beta.shape))
            if layer.scale:
                layer.gamma.assign(np.exp(rng.normal(0, 0.3, layer.gamma.shape)))
    faces = images(size)
    before = [np.asarray(weight) for weight in model.weights]
    even = equalized(model, faces)
    assert np.allclose(even(faces, training=False), model(faces, training=False), atol=2e-5)
    assert all(np.array_equal(a, b) for a, b in zip(before, model.weights, strict=True))
    assert sum(not stream.fixed for stream in streams(even)) == FREE[name]
    plain = folded(even)
    assert np.allclose(plain(faces, training=False), model(faces, training=False), atol=2e-5)
    assert not any(isinstance(layer, layers.BatchNormalization) for layer in plain.layers)


def test_a_channel_gone_astray_no_longer_costs_the_others_their_steps(world: World) -> None:
    """The same network, one channel of a residual sum made forty times as wide and read with a fortieth: int8 has one scale."""
    size, source = 32, world.source
    astray = equalized(source.model, images(size))
    stream = max((s for s in streams(astray) if not s.fixed), key=lambda s: len(s.tensors))
    for layer in stream.makers:
        layer.gamma.assign(layer.gamma * _one(layer.gamma.shape[0], 40))
        layer.beta.assign(layer.beta * _one(layer.beta.shape[0], 40))
    for layer in stream.readers:
        layer.kernel.assign(layer.kernel * _one(layer.kernel.shape[-2], 1 / 40)[:, None])
    wanted = _embed(source.float_tflite, PixelSpec(size), source.faces)

    def lost(model: Any) -> float:
        found = to_tflite.int8(to_tflite.fp32(model, size), source.calibration)
        spec = PixelSpec(size, dtype="int8", quantization=(1 / 128, 0))
        return float(1 - (wanted * _embed(found, spec, source.faces)).sum(axis=1).mean())

    assert np.allclose(_embed(to_tflite.fp32(astray, size), PixelSpec(size), source.faces), wanted, atol=1e-4)
    calm = lost(source.equalized)
    assert lost(astray) > 4 * calm
    assert lost(equalized(astray, PixelSpec(size).tensor(source.calibration))) < 1.5 * calm


def test_what_factors_cannot_pass_stays_as_it_is() -> None:
    """ReLU6 cuts at a number, so its channels have no freedom; a channel that ReLU leaves at 0 is left alone."""
    import keras

    image = layers.Input((8, 8, 3))
    x = layers.BatchNormalization()(layers.Conv2D(4, 3, use_bias=False)(image))
    x = layers.GlobalAveragePooling2D()(layers.ReLU(max_value=6.0)(x))
    model = keras.Model(image, layers.Dense(2)(x))
    assert all(stream.fixed for stream in streams(model))
    x = layers.ReLU()(layers.Conv2D(4, 3)(image))
    model = keras.Model(image, layers.Dense(2)(layers.GlobalAveragePooling2D()(x)))
    model.layers[1].bias.assign([-1e3, 0, 0, 0])
    faces = np.random.default_rng(0).uniform(-1, 1, (4, 8, 8, 3)).astype(np.float32)
    even = equalized(model, faces)
    assert np.array_equal(np.asarray(even.layers[1].kernel)[..., 0], np.asarray(model.layers[1].kernel)[..., 0])
    assert np.allclose(even(faces), model(faces), atol=1e-6)


def _one(count: int, factor: float) -> np.ndarray:
    return np.where(np.arange(count) == 1, factor, 1).astype(np.float32)


def _embed(model: bytes, spec: PixelSpec, faces: np.ndarray) -> np.ndarray:
    engine = open_engine(model)
    rows = np.concatenate([engine.run([face[None]])[0] for face in spec.tensor(faces)])
    return rows / np.linalg.norm(rows, axis=1, keepdims=True)


def test_an_error_that_all_faces_share_is_taken_back(world: World) -> None:
    """A converter that moves every embedding the same way, as rounded weights do."""
    rng = np.random.default_rng(6)
    moved = rng.normal(0, 0.3, world.source.dimension).astype(np.float32)
    made = []

    def convert(network: Any) -> bytes:
        copy = copied(network)
        copy.layers[-2].bias.assign_add(moved)
        made.append(to_tflite.fp32(copy, 32))
        return made[-1]

    network, faces = folded(world.source.model), world.source.calibration
    before = network.get_weights()
    found = corrected(network, convert, PixelSpec(32), faces, answers(world.source.model, faces))
    assert found == made[1] and all(map(np.array_equal, before, network.get_weights()))
    first, second = (1 - _cosines(one, world) for one in made)
    assert second.mean() < first.mean() / 10


def test_a_last_layer_without_a_bias_is_refused(world: World) -> None:
    """Where normalisation was not folded there is nothing to correct."""
    with pytest.raises(InputError, match="a layer with a bias as the network's last one; found"):
        corrected(world.source.model, lambda network: b"", PixelSpec(32), world.source.calibration, np.zeros((1, 128)))


def test_a_network_learns_to_bear_int8(world: World) -> None:
    """Its file loses less; the trained network stays as it was, and the same steps give the same weights."""
    source = world.source
    seen: list[int] = []
    before = source.equalized.get_weights()
    faces = source.calibration
    network, again = (tuned(source.equalized, faces, faces, 40, 127, on_step=lambda: seen.append(1)) for _ in range(2))
    assert sum(seen) == 2 * 40
    assert all(map(np.array_equal, network.get_weights(), again.get_weights()))
    assert all(map(np.array_equal, before, source.equalized.get_weights()))

    def lost(model: Any) -> float:
        file = to_tflite.int8(to_tflite.fp32(model, 32), source.calibration)
        found = _embed(file, PixelSpec(32, dtype="int8", quantization=(1 / 128, 0)), source.faces)
        return float(1 - (source.embeddings * found).sum(axis=1).mean())

    assert lost(network) < 0.8 * lost(folded(source.equalized))


def test_an_export_that_tunes_says_so(world: World, tmp_path: Path) -> None:
    progress: list[tuple[int, int]] = []
    options = pipeline.Options(chosen(["int8"], tune_steps=2))
    paths = pipeline.export(world.run, world.crops.path, tmp_path, options, lambda *at: progress.append(at))
    assert progress == [(n, 6) for n in range(1, 7)]
    told = {manifest.read(path).file.split(".")[-1]: manifest.read(path).quantizer_recipe for path in paths}
    assert told == {"tflite": "static_wi8_ai8, tuned for 2 steps", "onnx": "tuned for 2 steps"}


def _cosines(model: bytes, world: World) -> np.ndarray:
    return np.sum(world.source.embeddings * _embed(model, PixelSpec(32), world.source.faces), axis=1)
