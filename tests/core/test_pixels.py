"""From crops to input tensors, and the XOR that int8 comes down to."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from edge_facenet.errors import InputError
from edge_facenet.pixels import PixelSpec, resize

EVERY = np.arange(256, dtype=np.uint8).repeat(3).reshape(1, 16, 16, 3)  # all 256 values, in each channel
OURS = PixelSpec(16, dtype="int8", quantization=(1 / 128, 0))


def test_xor_equals_the_arithmetic_for_all_256_values() -> None:
    float_spec = PixelSpec(16)
    quantized = np.round(float_spec.tensor(EVERY) * 128).astype(np.int8)
    assert OURS.is_xor
    assert np.array_equal(OURS.tensor(EVERY), quantized)
    assert np.array_equal(OURS.tensor(EVERY), EVERY.astype(int) - 128)


@pytest.mark.parametrize(
    "other",
    [
        PixelSpec(16, mean=(127.5,) * 3, dtype="int8", quantization=(1 / 128, 0)),
        PixelSpec(16, scale=(127.5,) * 3, dtype="int8", quantization=(1 / 128, 0)),
        PixelSpec(16, dtype="int8", quantization=(1 / 127, 0)),
        PixelSpec(16, dtype="int8", quantization=(1 / 128, -1)),
        PixelSpec(16, dtype="uint8", quantization=(1 / 128, 0)),
        PixelSpec(16),
    ],
)
def test_the_short_cut_is_taken_by_nothing_else(other: PixelSpec) -> None:
    assert not other.is_xor
    real = (EVERY.astype(np.float32) - np.float32(other.mean[0])) / np.float32(other.scale[0])
    if other.quantization:
        step, zero = other.quantization
        limits = np.iinfo(other.dtype)
        real = np.clip(np.round(real / np.float32(step)) + zero, limits.min, limits.max)
    assert np.array_equal(other.tensor(EVERY).astype(np.float32), real)


def test_layout_and_colour_order() -> None:
    crop = np.zeros((2, 4, 4, 3), np.uint8)
    crop[1, 2, 3] = (10, 20, 30)
    means, scales = (1.0, 2.0, 3.0), (1.0, 2.0, 4.0)
    rgb = PixelSpec(4, mean=means, scale=scales).tensor(crop)
    assert rgb[1, 2, 3].tolist() == [9.0, 9.0, 6.75]
    # mean and scale stand in the network's own order: B, G, R here
    bgr = PixelSpec(4, colour_order="BGR", layout="NCHW", mean=means, scale=scales).tensor(crop)
    assert bgr.shape == (2, 3, 4, 4)
    assert bgr[1, :, 2, 3].tolist() == [29.0, 9.0, 1.75]
    assert bgr.flags.c_contiguous


def test_uint8_input_of_a_foreign_network_passes_the_pixels_through() -> None:
    spec = PixelSpec(16, mean=(0.0,) * 3, scale=(255.0,) * 3, dtype="uint8", quantization=(1 / 255, 0))
    assert np.array_equal(spec.tensor(EVERY), EVERY)


specs = st.builds(
    PixelSpec,
    size=st.just(8),
    layout=st.sampled_from(["NHWC", "NCHW"]),
    colour_order=st.sampled_from(["RGB", "BGR"]),
    mean=st.tuples(*[st.floats(-300, 300)] * 3),
    scale=st.tuples(*[st.floats(0.01, 300)] * 3),
    dtype=st.sampled_from(["int8", "uint8"]),
    quantization=st.tuples(st.floats(1e-4, 10), st.integers(-128, 127)),
)


@given(specs, st.integers(0, 9))
def test_quantized_values_are_the_float_ones_to_half_a_step(spec: PixelSpec, seed: int) -> None:
    crops = np.random.default_rng(seed).integers(0, 256, (2, 8, 8, 3), np.uint8)
    real = replace(spec, dtype="float32", quantization=None).tensor(crops)
    step, zero = spec.quantization
    found = (spec.tensor(crops).astype(np.float64) - zero) * step
    limits = np.iinfo(spec.dtype)
    wanted = np.clip(real, (limits.min - zero) * step, (limits.max - zero) * step)
    # half a step, and float32's relative error of the division before rounding
    assert np.all(np.abs(found - wanted) <= step * 0.5 + np.abs(wanted) * 1e-6 + 1e-9)


@pytest.mark.parametrize(
    "crops",
    [
        np.zeros((1, 8, 8, 3), np.float32),
        np.zeros((8, 8, 3), np.uint8),
        np.zeros((1, 8, 9, 3), np.uint8),
        np.zeros((1, 8, 8, 4), np.uint8),
        np.zeros((1, 8, 8), np.uint8),
    ],
)
def test_other_shapes_and_types_are_refused_with_both(crops: np.ndarray) -> None:
    with pytest.raises(InputError, match=r"uint8 RGB, found \("):
        PixelSpec(8).tensor(crops)
    with pytest.raises(InputError, match=r"uint8 RGB, found \("):
        resize(crops, 4)


@pytest.mark.parametrize(
    "changes",
    [
        {"size": 0},
        {"batch": 0},
        {"scale": (1.0, 0.0, 1.0)},
        {"dtype": "int8"},
        {"quantization": (1.0, 0)},
        {"dtype": "int8", "quantization": (0.0, 0)},
        {"dtype": "uint8", "quantization": (-1.0, 0)},
    ],
)
def test_impossible_specs_are_refused(changes: dict) -> None:
    with pytest.raises(ValueError):
        PixelSpec(**{"size": 8, **changes})


def test_shape_is_the_tensors() -> None:
    for layout in ("NHWC", "NCHW"):
        spec = PixelSpec(8, layout, batch=2)
        assert spec.tensor(np.zeros((2, 8, 8, 3), np.uint8)).shape == spec.shape


def test_resize_averages_when_shrinking_and_keeps_what_fits() -> None:
    board = np.indices((8, 8)).sum(0) % 2 * np.uint8(255)
    crops = np.repeat(board[None, :, :, None], 3, axis=3).astype(np.uint8)
    assert set(np.unique(resize(crops, 4))) <= {127, 128}  # a point filter would give 0 or 255
    assert resize(crops, 8) is crops
    assert resize(crops, 16).shape == (1, 16, 16, 3)
    assert resize(crops[:0], 5).shape == (0, 5, 5, 3)
