"""The registry's networks: their contract, and their cost as published."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from edge_facenet.budget import Budget
from edge_facenet.errors import BudgetExceeded, ConfigError

keras = pytest.importorskip("keras")
from contracts import check_backbone  # noqa: E402
from keras import layers  # noqa: E402

from edge_facenet.train import backbones, costs  # noqa: E402
from edge_facenet.train.backbones import mobilenetv2  # noqa: E402

HALF_PERCENT = 0.005  # the tolerance: counting differs by how pooling and batch normalisation are treated


@pytest.fixture(scope="module")
def built() -> Callable[..., Any]:
    """Each network is built once: Inception-ResNet takes seconds."""
    made: dict[tuple[Any, ...], Any] = {}

    def build(name: str, size: int, width: float = 1.0) -> Any:
        key = (name, size, width)
        if key not in made:
            made[key] = backbones.build(name, size=size, width=width)
        return made[key]

    return build


@pytest.mark.parametrize(
    ("name", "size", "width", "muladds", "parameters"),
    [
        ("inception-resnet-v1", 160, 1.0, 1417.0e6, 22.81e6),  # facts of the common implementation
        ("mobilenetv2", 160, 1.0, 153.0e6, None),
        ("mobilenetv1", 160, 1.0, 289.8e6, None),
        ("googlenet", 224, 1.0, 1582.7e6, None),  # over the default budget: its 1.5 billion is nominal
        ("mobile", 80, 1.0, 117e6, 1.76e6),
        ("mobile", 112, 1.0, 230e6, 1.76e6),
    ],
)
def test_cost_as_published(built: Any, name: str, size: int, width: float, muladds: float, parameters: Any) -> None:
    model = built(name, size, width)
    layer_costs = costs.layer_costs(model)
    assert sum(layer.muladds for layer in layer_costs) == pytest.approx(muladds, rel=HALF_PERCENT)
    if parameters:
        assert model.count_params() == pytest.approx(parameters, rel=HALF_PERCENT)


def test_orl_network_has_the_recipe_s_parameters(built: Any) -> None:
    assert built("mobilenetv2", 64, 0.5).count_params() == 683_696


def _millions(model: Any) -> str:
    return f"{sum(layer.muladds for layer in costs.layer_costs(model)) / 1e6:,.1f} M"


def test_googlenet_s_budget_is_nominal(built: Any, repo: Path) -> None:
    """224 px, its own size, is over the 1.5 billion of its paper; 210 px is the largest that is not. The page tells it so."""
    page = (repo / "docs" / "backbones.md").read_text(encoding="utf-8")
    for size in (208, 210, 211, 216, 224):
        model = built("googlenet", size)
        maps = [
            model.get_layer(name).output.shape[1] for name in ("stem", "pool_stem", "pool_3a", "pool_4a", "pool_5a")
        ]
        row = f"| {size} px | {', '.join(map(str, maps))} | {_millions(model)} | {'fits' if size <= 210 else 'refused'}"
        assert row in page
        with contextlib.nullcontext() if size <= 210 else pytest.raises(BudgetExceeded):
            Budget().check_muladds(costs.layer_costs(model), f"googlenet at {size} px")
    classes = backbones.build("googlenet", size=224, dimension=1000)
    assert _millions(classes) == "1,582.7 M" and "1,582.7 million" in page
    assert f"{_millions(built('googlenet', 224))}: refused" in (repo / "README.md").read_text(encoding="utf-8")


def test_the_page_gives_each_network_s_cost(built: Any, repo: Path) -> None:
    """Rows of the table: | **name** (year) | idea | MUL-ADDs at size, more of them | parameters |"""
    page = (repo / "docs" / "backbones.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| \*\*`?([\w-]+)`?\*\* .*\| ([^|]+ px) \| (\S+) M \|", page, re.MULTILINE)
    assert {name.lower() for name, *_ in rows} == set(backbones.BACKBONES)
    for name, sizes, parameters in rows:
        for cost in sizes.split(" px")[:-1]:
            muladds, size = cost.removeprefix(", ").rsplit(" ", 1)
            model = built(name.lower(), int(size))
            assert muladds == f"{_millions(model)} at" and parameters == f"{model.count_params() / 1e6:.1f}"


def test_taps_are_maps_of_their_network(built: Any) -> None:
    for name, entry in backbones.BACKBONES.items():
        for tap in entry.taps:
            assert len(built(name, entry.least_size).get_layer(tap).output.shape) == 4


def test_over_budget_names_excess_and_the_three_costliest() -> None:
    model = backbones.build("inception-resnet-v1", size=224)
    with pytest.raises(BudgetExceeded) as refused:
        Budget().check_muladds(costs.layer_costs(model), "inception-resnet-v1 at 224 px")
    sentence = str(refused.value)
    assert "above the budget of 1,500.0 M" in sentence and sentence.count("; ") >= 2 and "stem" in sentence


@pytest.mark.parametrize("name", sorted(backbones.BACKBONES))
def test_contract(built: Any, name: str) -> None:
    entry = backbones.BACKBONES[name]
    size = entry.size if name == "inception-resnet-v1" else entry.least_size
    check_backbone(built(name, size), size)


def test_the_contract_can_fail() -> None:
    """A dropout, a wrong name of the input, a constant output: each breaks it."""
    image, x = keras.Input((32, 32, 3), name="image"), layers.Conv2D(4, 3)
    good = keras.Model(image, layers.Dense(128)(layers.GlobalAveragePooling2D()(x(image))))
    check_backbone(good, 32)
    other = keras.Input((32, 32, 3), name="pixels")
    broken = {
        "image": keras.Model(other, good(other)),
        "Dropout": keras.Model(image, layers.Dropout(0.1)(good(image))),
        "one embedding": keras.Model(image, layers.Rescaling(0.0, 1.0)(good(image))),
    }
    for says, model in broken.items():
        with pytest.raises(AssertionError, match=says):
            check_backbone(model, 32)


@pytest.mark.parametrize("name", sorted(backbones.BACKBONES))
def test_smaller_than_a_network_can_be(built: Any, name: str) -> None:
    least = backbones.BACKBONES[name].least_size
    if name != "inception-resnet-v1":  # built at 75 px once by hand: three seconds a time
        built(name, least)
    with pytest.raises(ConfigError, match=f"at least {least} px, found {least - 1}"):
        backbones.build(name, size=least - 1)


def test_what_the_registry_refuses() -> None:
    with pytest.raises(ConfigError, match='did you mean "mobilenetv2"'):
        backbones.build("mobilenet2", size=64)
    with pytest.raises(ConfigError, match="no width multiplier"):
        backbones.build("inception-resnet-v1", size=160, width=0.5)
    with pytest.raises(ConfigError, match="width must be"):
        backbones.build("mobilenetv2", size=64, width=0.0)


def test_channels_follow_the_authors_rule() -> None:
    assert [mobilenetv2.channels(c, 0.5) for c in (32, 16, 24, 320)] == [16, 8, 16, 160]
    assert [mobilenetv2.channels(c, 0.35) for c in (32, 24, 96)] == [16, 8, 32]
    assert [mobilenetv2.last_channels(w) for w in (0.35, 0.5, 1.0, 1.4)] == [640, 640, 1280, 1792]


def _count(*stack: Any, shape: tuple[int, ...] = (13, 13, 512)) -> list[Any]:
    x = image = keras.Input(shape)
    for layer in stack:
        x = layer(x)
    return costs.layer_costs(keras.Model(image, x))


def test_c083_depthwise() -> None:
    """C083: 3x3 and 5x5 depthwise on 13x13x512."""
    assert _count(layers.DepthwiseConv2D(3, padding="same"))[0].muladds == 778_752
    assert _count(layers.DepthwiseConv2D(5, padding="same"))[0].muladds == 2_163_200


def test_c084_groups() -> None:
    """C084: 24->24 with 24 groups and 24->12 with 12 groups, output 220x220, k 3."""
    for filters, groups in ((24, 24), (12, 12)):
        grouped = layers.Conv2D(filters, 3, padding="same", groups=groups)
        assert _count(grouped, shape=(220, 220, 24))[0].muladds == 10_454_400


def test_every_known_layer() -> None:
    separable = _count(layers.SeparableConv2D(7, 3, padding="same", use_bias=True), shape=(4, 4, 5))
    assert [(c.kind, c.muladds, c.parameters) for c in separable] == [
        ("DEPTHWISE_CONV_2D", 16 * 9 * 5, 45),
        ("CONV_2D", 16 * 5 * 7, 35 + 7),
    ]
    assert [(c.muladds, c.parameters) for c in _count(layers.Dense(6), shape=(3, 5))] == [(3 * 30, 36)]
    strided = _count(layers.Conv2D(2, (1, 3), strides=2, padding="valid"), shape=(9, 9, 1))
    assert [(c.output, c.muladds) for c in strided] == [((1, 5, 4, 2), 5 * 4 * 3 * 2)]


def test_nested_and_shared_layers_are_counted_each_time() -> None:
    dense = layers.Dense(4, use_bias=False)
    inner = keras.Sequential([keras.Input((4,)), dense])
    image = keras.Input((4,))
    model = keras.Model(image, inner(dense(image)))
    assert [c.muladds for c in costs.layer_costs(model)] == [16, 16]


@pytest.mark.parametrize("layer", [layers.Conv2DTranspose(3, 2), layers.EinsumDense("abcd,de->abce", (None, None, 4))])
def test_a_layer_the_count_does_not_know_is_an_error(layer: Any) -> None:
    with pytest.raises(ConfigError, match="Cannot count the MUL-ADDs"):
        _count(layer, shape=(4, 4, 3))


def test_a_matrix_operation_or_an_open_size_is_an_error() -> None:
    image = keras.Input((4, 4))
    with pytest.raises(ConfigError, match="Matmul"):
        costs.layer_costs(keras.Model(image, keras.ops.matmul(image, image)))
    with pytest.raises(ConfigError, match="Attention"):
        costs.layer_costs(keras.Model(image, layers.Attention()([image, image])))
    with pytest.raises(ConfigError, match="no fixed size"):
        _count(layers.Conv2D(3, 3), shape=(None, None, 3))
