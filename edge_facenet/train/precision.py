"""bfloat16 only where the processor calculates in it: elsewhere it is imitated, some twenty times slower than float32."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Literal

from .. import cpu
from . import config as configs
from .config import TrainConfig

_INSTRUCTIONS = frozenset({"avx512_bf16", "amx_bf16", "bf16"})
"""The kernel's names for them on x86-64 (the first two) and arm64."""


def settled(config: TrainConfig, run: Path, backend: str) -> TrainConfig:
    """The configuration with a precision in place of "auto": the run's own, or what suits this processor.

    Under JAX it is float32: there bfloat16 was not measured to pay.
    """
    if config.precision != "auto":
        return config
    begun = run / "config.json"
    return replace(config, precision=configs.read(begun).precision if begun.is_file() else _suits(backend))


def trouble(config: TrainConfig, backend: str) -> list[str]:
    """What to say of a precision that this processor has to imitate; nothing when it has not, or nobody knows."""
    known = cpu.features()
    if config.precision != "mixed_bfloat16" or backend != "tensorflow" or not known or _INSTRUCTIONS & known or _gpu():
        return []
    return [
        "precision=mixed_bfloat16, and this processor does not calculate in bfloat16: a step takes some twenty times as "
        "long as with --set precision=float32. A run keeps its precision: pack its weights (`train pack`) and begin another."
    ]


def _suits(backend: str) -> Literal["float32", "mixed_bfloat16"]:
    native = backend == "tensorflow" and bool(_INSTRUCTIONS & cpu.features()) and not _gpu()
    return "mixed_bfloat16" if native else "float32"


def _gpu() -> bool:
    import tensorflow as tf

    return bool(tf.config.list_physical_devices("GPU"))
