"""Keras' backend made ready: imported without its start-up noise, threads set, bits repeatable when asked for."""

from __future__ import annotations

import importlib
import os
from typing import Any

from ..engines.native_output import caught
from ..errors import ConfigError, MissingExtra
from .config import TrainConfig


def keras(purpose: str = "Training") -> Any:
    """The keras module, imported quietly; KERAS_BACKEND chooses tensorflow (default) or jax.

    Raises:
        MissingExtra: keras or its backend is not installed.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    try:
        with caught(2):
            return importlib.import_module("keras")
    except ImportError as error:
        raise MissingExtra(error.name or "keras", "train", purpose) from error


def name() -> str:
    """Name of the backend in use."""
    return str(keras().backend.backend())


def prepare(config: TrainConfig) -> list[str]:
    """Set seeds, threads and determinism for one training in this process.

    Returns:
        What could not be set as asked, in sentences.
    Raises:
        ConfigError: the configuration asks the backend for what it does not have.
    """
    import cv2

    keras().utils.set_random_seed(config.seed)  # initial weights follow from it
    cv2.setNumThreads(1)  # crops are small: more threads only fight the backend's
    return _prepare_tensorflow(config) if name() == "tensorflow" else _prepare_other(config)


def _prepare_other(config: TrainConfig) -> list[str]:
    if config.fused_norm:
        raise ConfigError(f"fused_norm needs the tensorflow backend, found {name()}. Set fused_norm=false.")
    if (
        config.deterministic and not _jax_on_cpu()
    ):  # XLA repeats its bits on a CPU, on a GPU only with a flag of its own
        raise ConfigError(
            f"deterministic is promised on a CPU only with the {name()} backend. Set deterministic=false."
        )
    return [f"threads={config.threads} means nothing to the {name()} backend."] if config.threads else []


def _jax_on_cpu() -> bool:
    if name() != "jax":
        return False
    import jax

    return str(jax.default_backend()) == "cpu"


def jit_compile() -> bool:
    """XLA: Keras' own choice would be on, which makes TensorFlow 1.5 to 1.8 times slower on a CPU; JAX is nothing without."""
    return name() != "tensorflow"


def _prepare_tensorflow(config: TrainConfig) -> list[str]:
    import tensorflow as tf

    if config.deterministic:
        tf.config.experimental.enable_op_determinism()
    threading = tf.config.threading
    wanted = config.threads
    if (
        not wanted
        or wanted == threading.get_intra_op_parallelism_threads() == threading.get_inter_op_parallelism_threads()
    ):
        return []
    try:
        threading.set_intra_op_parallelism_threads(wanted)
        threading.set_inter_op_parallelism_threads(wanted)
    except RuntimeError:  # TensorFlow takes these only before its first operation
        return [f"TensorFlow had already started in this process: threads={wanted} could not be set."]
    return []
