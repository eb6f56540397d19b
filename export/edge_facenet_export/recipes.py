"""The recipes: what becomes of the float network, what it may lose, and how far other processors may differ.

Command    edge-facenet export RUN CROPS OUT --recipe int8 --format tflite
Hardware   two x86-64 cores (AVX-512 VNNI); the figures below are of trained networks: MobileNetV2 0.5 at 64 px and `mobile`
           at 80 px, each 900 steps of distillation, judged on 700 faces of people not trained on
Time       fp32 TFLite 3 s, fp16 and int8 2 s more, ONNX 5 s, int8 ONNX 2 s more; proving 40 faces 1 s each. int8 has been
           converted twice since (`bias`), from a network of its own (`equalize`, `tune`)
Date       2026-11-25, LiteRT 2.3, ai-edge-quantizer 0.10, tf2onnx 1.17, ONNX Runtime 1.32

Limits of the parity gate, and why. A relative error e of the embedding, at right angles to it, gives 1 - cosine = e^2 / 2.

fp32   Each layer rounds at 2^-24 and sums in another order than Keras: measured 1 - cosine 2e-7 at most, which is the float32
       rounding of the cosine itself. 1e-6 is an error of 0.14 %, a thousand roundings: no converter needs it, and a single
       wrong weight shows.
fp16   A weight rounds at 2^-11 of itself, 2.8e-4 on average (uniform); independent layers add in squares, so 150 of them give
       3.4e-3, 1 - cosine 6e-6. Measured: mean 4e-7 (mobile) and 2e-6 (MobileNetV2), worst face 2e-5. Allowed: mean 5e-5,
       worst 2e-4 (an error of 2 %).
int8   Ranges of about 6 standard deviations in 255 steps: an error of 0.7 to 1.4 % a tensor, 7 to 10 % after 50 of them,
       1 - cosine 2.5e-3 to 5e-3. Measured: mean 7e-4 (mobile) and 3e-3 (MobileNetV2), worst face 3e-3 and 2.5e-2.
       Allowed: mean 0.02 (an error of 20 %, twice what the steps explain), worst 0.10 (45 %: a face outside every range seen).

Accuracy: refused when the whole 95 % interval of the difference to the float network lies below -`points`, that is when
the loss is proven greater. On few people the interval is wide and the cosines decide.

Tolerance of the self-test (1 - cosine to the golden embedding), by engine: float sums in another order 1e-5; half precision
on a GPU 1e-3 (measured 5e-5); int8 on another CPU 1e-3: every output number one step off, not two (a step is 2.7 % of an
embedding number's deviation, 1 - cosine 4e-4); int8 kernels that round otherwise (tflite-runtime's plain ones, GPUs that
compute int8 files in float, ONNX Runtime without VNNI) as much as quantization itself
(measured between XNNPACK and the plain kernels: 1.2e-2): 0.03.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Literal

from edge_facenet.errors import ConfigError
from edge_facenet.schema import doc, nearest

Format = Literal["tflite", "onnx"]
TUNE_BATCH = 32
"""Faces of a tuning step."""
TUNE_FACES = 4096
"""Most different ones."""


@dataclass(frozen=True)
class Limits:
    """What a recipe may lose against the float network."""

    cosine_mean: float = doc("least mean cosine over the parity faces")
    cosine_min: float = doc("least cosine of a single face")
    points: float = doc("balanced accuracy that may be lost, percentage points")


@dataclass(frozen=True)
class Recipe:
    """One form of the network."""

    name: str = doc("fp32 fp16 int8")
    format: Format = doc("file format")
    limits: Limits = doc("of the parity gate")
    tolerance: dict[str, float] = doc("largest 1 - cosine of the self-test, by engine")
    quantizer: str | None = doc("ai-edge-quantizer's name of the recipe or algorithm", None)
    levels: int = doc("of a weight on each side of zero; 0 = weights are no integers", 0)
    tune_steps: int = doc("in which the network learns to bear it before it is converted; 0 = none", 0)

    @property
    def suffix(self) -> str:
        """Behind the artifact's name: "int8", "int8-onnx"."""
        return self.name if self.format == "tflite" else f"{self.name}-{self.format}"


FP32, FP16, INT8 = Limits(1 - 1e-6, 1 - 1e-6, 0.1), Limits(1 - 5e-5, 1 - 2e-4, 0.25), Limits(0.98, 0.90, 1.0)
_FLOAT_TFLITE = {"litert": 1e-5, "tflite-runtime": 1e-5, "litert-gpu": 1e-3}
_INT8_TFLITE = {"litert": 1e-3, "tflite-runtime": 0.03, "litert-gpu": 0.03}

RECIPES: dict[str, Recipe] = {
    recipe.suffix: recipe
    for recipe in (
        Recipe("fp32", "tflite", FP32, _FLOAT_TFLITE),
        Recipe("fp16", "tflite", FP16, _FLOAT_TFLITE, "FLOAT_CASTING"),
        Recipe("int8", "tflite", INT8, _INT8_TFLITE, "static_wi8_ai8", levels=127),
        Recipe("fp32", "onnx", FP32, {"onnxruntime": 1e-5}),
        Recipe("int8", "onnx", INT8, {"onnxruntime": 0.03}, levels=64),
    )
}
"""By suffix, in the order in which they are made."""


def chosen(names: Iterable[str] = (), form: str | None = None, tune_steps: int = 0) -> tuple[Recipe, ...]:
    """The recipes asked for: all there are, or those of these names (in every format that has them) and this format.

    Args:
        tune_steps: for those with integer weights.
    Raises:
        ConfigError: a name or format that is not known, or that do not go together; nothing there to tune.
    """
    wanted = tuple(names) or tuple({recipe.name: None for recipe in RECIPES.values()})
    formats = {recipe.format for recipe in RECIPES.values()}
    if form is not None and form not in formats:
        raise ConfigError(f'There is no format "{form}" ({nearest(form, formats)}).')
    for name in wanted:
        fitting = [r for r in RECIPES.values() if name in (r.name, r.suffix) and form in (None, r.format)]
        if not fitting and (names or form is None):
            where = f" for {form}" if form else ""
            known = [r.name for r in RECIPES.values() if r.format == form] if form else RECIPES
            raise ConfigError(f'There is no recipe "{name}"{where} ({nearest(name, known)}).')
    found = [r for r in RECIPES.values() if {r.name, r.suffix} & set(wanted) and form in (None, r.format)]
    if tune_steps and not any(r.levels for r in found):
        raise ConfigError(
            "Tuning is for int8, and none of these recipes is. Leave --tune out, or ask for --recipe int8."
        )
    return tuple(replace(r, tune_steps=tune_steps) if r.levels else r for r in found)
