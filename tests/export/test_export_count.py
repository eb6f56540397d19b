"""MUL-ADDs of model files: hand-made graphs with known counts, other people's faults, damaged files."""

from __future__ import annotations

import contextlib
import random
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import tiny
from edge_facenet_export.count import count
from onnx import TensorProto, helper, numpy_helper

from edge_facenet import manifest
from edge_facenet.errors import InputError, ManifestError

pytestmark = pytest.mark.xdist_group("export-keras")  # TensorFlow is imported once


def total(source: bytes | Path) -> int:
    return sum(layer.muladds for layer in count(source))


def tflite(model: Any, **sizes: int) -> bytes:
    """The converter's own output for a Keras model, batch and sizes as the model declares them."""
    import tensorflow as tf

    holder = tf.Module()
    holder.weights = [variable.value for variable in model.variables]
    shape = [sizes.get("batch", 1), *model.input.shape[1:]]
    run = tf.function(lambda x: model(x, training=False), input_signature=[tf.TensorSpec(shape, tf.float32)])
    converter = tf.lite.TFLiteConverter.from_concrete_functions([run.get_concrete_function()], holder)
    return bytes(converter.convert())


def graph(nodes: list[Any], shape: list[Any], *weights: tuple[str, tuple[int, ...]], out: str = "y") -> bytes:
    """An ONNX file: one input "x" of `shape`, float weights of these shapes, one output of unknown shape."""
    values = [numpy_helper.from_array(np.zeros(size, np.float32), name) for name, size in weights]
    takes = [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)]
    gives = [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)]
    made = helper.make_graph(nodes, "g", takes, gives, values)
    return bytes(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())


def with_nhwc_input(model: bytes) -> bytes:
    """A Transpose from NHWC in front of a network."""
    parsed = onnx.ModelProto.FromString(model)
    name = parsed.graph.input[0].name
    for node in parsed.graph.node:
        node.input[:] = ["nchw" if given == name else given for given in node.input]
    parsed.graph.node.insert(0, helper.make_node("Transpose", [name], ["nchw"], perm=[0, 3, 1, 2]))
    parsed.graph.input[0].CopyFrom(helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, 112, 112, 3]))
    return bytes(parsed.SerializeToString())


def test_c082_a_transpose_in_front_does_not_hide_the_convolutions() -> None:
    plain = tiny.onnx_graph(1)
    assert total(plain) == 55 * 55 * 27 * 8 + 8 * 128
    assert total(with_nhwc_input(plain)) == total(plain)
    # the golden TFLite file is the same network with padding "same": 56 places instead of 55
    assert total(tiny.graph("fp32")) == total(tiny.graph("int8")) == 56 * 56 * 27 * 8 + 8 * 128


def test_c082_the_same_network_as_tflite() -> None:
    from keras import Input, Model, layers

    image = Input((112, 112, 3))
    hidden = layers.GlobalAveragePooling2D()(layers.Conv2D(8, 3, 2, activation="relu")(image))
    assert total(tflite(Model(image, layers.Dense(128)(hidden)))) == total(tiny.onnx_graph(1))


def test_c083_depthwise_is_not_divided_twice() -> None:
    from keras import Input, Model, layers

    x = Input((13, 13, 512))
    found = count(
        tflite(Model(x, layers.DepthwiseConv2D(5, padding="same")(layers.DepthwiseConv2D(3, padding="same")(x))))
    )
    assert [layer.muladds for layer in found] == [778_752, 2_163_200]
    assert [layer.parameters for layer in found] == [9 * 512 + 512, 25 * 512 + 512]
    nodes = [helper.make_node("Conv", ["x", "w"], ["y"], group=512, pads=[1] * 4)]
    assert total(graph(nodes, [1, 512, 13, 13], ("w", (512, 1, 3, 3)))) == 778_752


def test_c084_groups_and_both_units() -> None:
    from edge_facenet_export.tables import CountTable, table_text
    from keras import Input, Model, layers

    nodes = [
        helper.make_node("Conv", ["x", "a"], ["m"], name="same", group=24, pads=[1] * 4),
        helper.make_node("Conv", ["m", "b"], ["y"], name="half", group=12, pads=[1] * 4),
    ]
    onnx_layers = count(graph(nodes, [1, 24, 220, 220], ("a", (24, 1, 3, 3)), ("b", (12, 2, 3, 3))))
    x = Input((220, 220, 24))
    y = layers.Conv2D(12, 3, padding="same", groups=12)(layers.Conv2D(24, 3, padding="same", groups=24)(x))
    for found in (onnx_layers, count(tflite(Model(x, y)))):
        assert [layer.muladds for layer in found] == [10_454_400, 10_454_400]
        text = table_text(CountTable("net", tuple(found[:1]), 0, ""))
        assert "MUL-ADDs per face: 10,454,400" in text and "FLOPs: 20,908,800" in text


def test_transposed_and_matrix_products() -> None:
    from keras import Input, Model, layers, ops

    x = Input((5, 5, 4))
    up = count(tflite(Model(x, layers.Conv2DTranspose(6, 3, 2, padding="same", use_bias=False)(x))))
    assert [layer.muladds for layer in up] == [5 * 5 * 4 * 9 * 6]
    attention = count(tflite(Model(x, ops.matmul(x, ops.transpose(x, (0, 1, 3, 2))))))
    assert [(layer.kind, layer.muladds, layer.parameters) for layer in attention] == [
        ("BATCH_MATMUL", 5 * 5 * 5 * 4, 0)
    ]
    nodes = [helper.make_node("ConvTranspose", ["x", "w"], ["y"], strides=[2, 2])]
    assert total(graph(nodes, [1, 4, 5, 5], ("w", (4, 6, 3, 3)))) == 5 * 5 * 4 * 9 * 6
    nodes = [helper.make_node("MatMul", ["x", "w"], ["m"]), helper.make_node("Gemm", ["m", "v"], ["y"], transB=1)]
    found = count(graph(nodes, [1, 7], ("w", (7, 5)), ("v", (3, 5))))
    assert [(layer.muladds, layer.parameters) for layer in found] == [(35, 35), (15, 15)]


def test_quantized_onnx_forms() -> None:
    """QOperator and QDQ count as the float network: weights behind scales, zero points not counted as parameters."""
    scale = helper.make_tensor("s", TensorProto.FLOAT, [], [0.1])
    zero = helper.make_tensor("z", TensorProto.UINT8, [], [0])
    weights = numpy_helper.from_array(np.zeros((8, 3, 3, 3), np.uint8), "w")
    bias = numpy_helper.from_array(np.zeros(8, np.int32), "b")
    q = helper.make_node("QuantizeLinear", ["x", "s", "z"], ["q"])
    forms = {
        "QLinearConv": [q, helper.make_node("QLinearConv", ["q", "s", "z", "w", "s", "z", "s", "z", "b"], ["y"])],
        "QDQ": [
            q,
            helper.make_node("DequantizeLinear", ["q", "s", "z"], ["f"]),
            helper.make_node("DequantizeLinear", ["w", "s", "z"], ["wf"]),
            helper.make_node("DequantizeLinear", ["b", "s"], ["bf"]),
            helper.make_node("Conv", ["f", "wf", "bf"], ["y"]),
        ],
    }
    for name, nodes in forms.items():
        takes = [helper.make_tensor_value_info("x", TensorProto.FLOAT, [1, 3, 10, 10])]
        gives = [
            helper.make_tensor_value_info("y", TensorProto.UINT8 if name == "QLinearConv" else TensorProto.FLOAT, None)
        ]
        made = helper.make_graph(nodes, "g", takes, gives, [scale, zero, weights, bias])
        found = count(helper.make_model(made, opset_imports=[helper.make_opsetid("", 17)]).SerializeToString())
        assert [(layer.muladds, layer.parameters) for layer in found] == [(8 * 8 * 8 * 27, 8 * 27 + 8)], name


@pytest.mark.parametrize("batch", [2, "N", None])
def test_per_face_whatever_the_batch(batch: int | str | None) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"]),
        helper.make_node("GlobalAveragePool", ["c"], ["p"]),
        helper.make_node("Flatten", ["p"], ["f"]),
        helper.make_node("Gemm", ["f", "v"], ["y"]),
    ]
    found = count(graph(nodes, [batch, 3, 10, 10], ("w", (4, 3, 3, 3)), ("v", (4, 6))))
    assert [(layer.muladds, layer.output) for layer in found] == [(8 * 8 * 4 * 27, (1, 4, 8, 8)), (24, (1, 6))]


def test_per_face_tflite_with_a_batch_of_two() -> None:
    from keras import Input, Model, layers

    x = Input((10, 10, 3))
    model = Model(x, layers.Dense(6)(layers.GlobalAveragePooling2D()(layers.Conv2D(4, 3)(x))))
    assert [layer.muladds for layer in count(tflite(model, batch=2))] == [8 * 8 * 4 * 27, 24]


def test_a_graph_without_layers_is_empty_and_says_so() -> None:
    from edge_facenet_export.tables import count_table, table_text

    nothing = graph([helper.make_node("Relu", ["x"], ["y"])], [1, 3, 8, 8])
    assert count(nothing) == []
    table = count_table("mobile@32")
    assert "No convolution" in table_text(type(table)("empty", (), 0, ""))


def test_what_cannot_be_counted_is_an_error_with_the_nodes_name() -> None:
    conv = helper.make_node("Conv", ["x", "w"], ["y"], name="first")
    with pytest.raises(InputError, match=r"first \(Conv\).*\(1, 4, \?, \?\)"):
        count(graph([conv], [1, 3, "h", "w"], ("w", (4, 3, 3, 3))))
    foreign = helper.make_node("FusedConv", ["x", "w"], ["y"], name="fused", domain="com.microsoft")
    with pytest.raises(InputError, match=r"fused \(com.microsoft.FusedConv\)"):
        count(graph([foreign], [1, 3, 8, 8], ("w", (4, 3, 3, 3))))
    recurrent = helper.make_node("LSTM", ["x", "w", "r"], ["y"], name="memory", hidden_size=2)
    with pytest.raises(InputError, match=r"memory \(LSTM\)"):
        count(graph([recurrent], [3, 1, 4], ("w", (1, 8, 4)), ("r", (1, 8, 2))))
    missing = [
        helper.make_node("NonZero", ["x"], ["i"]),
        helper.make_node("Cast", ["i"], ["f"], to=1),
        helper.make_node("MatMul", ["w", "f"], ["y"], name="late"),
    ]
    with pytest.raises(InputError, match=r"late \(MatMul\)"):
        count(graph(missing, [2, 3], ("w", (5, 2))))


def test_layers_inside_a_branch_are_not_passed_over() -> None:
    inner = helper.make_graph(
        [helper.make_node("Conv", ["x", "w"], ["out"])],
        "b",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    nodes = [helper.make_node("If", ["c"], ["y"], name="either", then_branch=inner, else_branch=inner)]
    parsed = onnx.ModelProto.FromString(graph(nodes, [1, 3, 8, 8], ("w", (4, 3, 3, 3))))
    parsed.graph.initializer.append(helper.make_tensor("c", TensorProto.BOOL, [], [True]))
    with pytest.raises(InputError, match="either"):
        count(parsed.SerializeToString())


def test_an_open_size_in_tflite_is_an_error() -> None:
    from keras import Input, Model, layers

    x = Input((None, None, 3))
    with pytest.raises(InputError, match=r"CONV_2D.*no fixed shape"):
        count(tflite(Model(x, layers.Conv2D(4, 3)(x))))


def test_damaged_files_are_named_or_counted_right() -> None:
    """Cut at any byte, or with any byte changed, a file is refused in a sentence, or still counts as it should."""
    rng = random.Random(3)
    for model in (tiny.graph("fp32"), tiny.onnx_graph(1)):
        right = total(model)
        for cut in [0, 1, 3, 4, 8, 20, *(rng.randrange(len(model)) for _ in range(60))]:
            try:
                assert total(model[:cut]) == right
            except (InputError, ManifestError) as error:
                assert "\n" not in str(error) or model[:4] != b"TFL3"
    flipped = bytearray(tiny.graph("fp32"))
    for _ in range(120):
        place = rng.randrange(len(flipped))
        changed = bytes(flipped[:place] + bytes([rng.randrange(256)]) + flipped[place + 1 :])
        with contextlib.suppress(InputError, ManifestError):
            count(changed)


def test_what_lies_in_a_models_place(tmp_path: Path) -> None:
    (tmp_path / "m.tflite").write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n")
    with pytest.raises(ManifestError, match="git lfs pull"):
        count(tmp_path / "m.tflite")
    (tmp_path / "m.onnx").write_text("<!DOCTYPE html><html></html>")
    with pytest.raises(ManifestError, match="web page"):
        count(tmp_path / "m.onnx")
    with pytest.raises(ManifestError, match="no model file"):
        count(tmp_path / "absent.onnx")
    (tmp_path / "text.onnx").write_text("hello")
    with pytest.raises(ManifestError, match="Neither TFLite nor ONNX"):
        count(tmp_path / "text.onnx")


def test_weights_in_another_file_are_not_needed(tmp_path: Path) -> None:
    parsed = onnx.ModelProto.FromString(tiny.onnx_graph(1))
    onnx.save(parsed, tmp_path / "m.onnx", save_as_external_data=True, location="m.data", size_threshold=0)
    (tmp_path / "m.data").unlink()
    assert total(tmp_path / "m.onnx") == total(tiny.onnx_graph(1))


def test_an_int8_file_cut_behind_its_flatbuffer_is_refused() -> None:
    import edge_facenet_models

    int8 = manifest.unseal(manifest.open_artifact(edge_facenet_models.path("mobile"))[1])[0]
    for length in (len(int8) - 1, len(int8) * 3 // 4, len(int8) // 2):
        with pytest.raises(ManifestError, match="cut short"):
            count(int8[:length])
