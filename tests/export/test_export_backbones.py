"""Every backbone of the registry: one count in Keras, TFLite and ONNX, and a body that is int8 from end to end."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import export_world
import numpy as np
import pytest
from edge_facenet_export import gates, to_onnx, to_tflite
from edge_facenet_export.count import count
from edge_facenet_export.graph import with_unit_norm

from edge_facenet.train.backbones import BACKBONES, build
from edge_facenet.train.costs import layer_costs

pytestmark = pytest.mark.xdist_group("export-keras")  # TensorFlow is imported once

# MUL-ADDs and parameters as Keras counts them. Inception-ResNet-v1 and MobileNetV2 at 160 px: 1,417 M ± 0.5 % with 22.81 M
# parameters, and 153.0 M ± 0.5 %, are the published networks' figures.
FIGURES = {
    "inception-resnet-v1": (160, 1.0, 1_416_974_176, 22_808_144),
    "mobilenetv1": (160, 1.0, 289_782_272, 3_360_448),
    "googlenet": (224, 1.0, 1_581_778_944, 6_126_976),
    "mobilenetv2": (160, 1.0, 152_967_040, 2_422_336),
    "mobile": (80, 1.0, 117_420_624, 1_755_904),
}


@dataclass(frozen=True)
class Converted:
    model: Any
    size: int

    @cached_property
    def tflite(self) -> bytes:
        return to_tflite.fp32(with_unit_norm(self.model, np.ones((1, 128))), self.size)


@pytest.fixture(scope="module", params=sorted(BACKBONES))
def backbone(request: pytest.FixtureRequest) -> tuple[str, Converted]:
    size, width = FIGURES[request.param][:2]
    model = build(request.param, size=size, width=width)
    export_world.settle(model, size, faces=4)
    return request.param, Converted(model, size)


def test_one_figure_from_keras_tflite_and_onnx(backbone: tuple[str, Converted]) -> None:
    name, made = backbone
    muladds, parameters = FIGURES[name][2:]
    assert sum(layer.muladds for layer in layer_costs(made.model)) == muladds
    assert made.model.count_params() == parameters
    found = count(made.tflite)
    assert sum(layer.muladds for layer in found) == muladds
    assert len(found) == len(layer_costs(made.model))
    # folded: what remains are kernels and one bias per output channel; scale, mean and variance are gone
    assert 0.97 * parameters < sum(layer.parameters for layer in found) < parameters
    onnx = count(to_onnx.fp32(with_unit_norm(made.model, np.ones((1, 128))), made.size))
    assert sum(layer.muladds for layer in onnx) == muladds


def test_int8_from_end_to_end(backbone: tuple[str, Converted]) -> None:
    name, made = backbone
    crops = np.stack([np.asarray(c) for c in export_world.photos(2, 1)[0]])[:, : made.size, : made.size]
    calibration = np.resize(crops, (2, made.size, made.size, 3))
    model = to_tflite.int8(made.tflite, calibration)
    assert "1 partition" in gates.delegation(model, name)[0]
    assert sum(layer.muladds for layer in count(model)) == FIGURES[name][2]
    assert len(model) < 0.31 * len(made.tflite)  # a byte per weight, and scales and biases per channel
