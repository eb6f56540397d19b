"""Batch normalisation taken into the layers before it: the network as int8 sees it."""

from __future__ import annotations

from typing import Any

import keras
from keras import layers

from .graph import LINEAR, by_output, several


def folded(model: keras.Model) -> keras.Model:
    """A copy with the same answers in inference, without the normalisations that follow a linear layer.

    Layers keep their names. A normalisation that reads anything else, or a linear layer that others read too, stays.
    Source: Jacob et al. (2018), equation 14.

    Args:
        model: functional, each layer called once, channels last.
    """
    partner = _partners(model)
    gone = set(partner.values())

    def like(layer: Any) -> Any:
        told = layer.get_config()
        return type(layer).from_config({**told, "use_bias": True} if layer in partner else told)

    copy = keras.models.clone_model(
        model,
        clone_function=lambda layer: layer if layer in gone else like(layer),
        call_function=lambda layer, x, *rest, **more: x if layer in gone else layer(x, *rest, **more),
    )
    for layer in model.layers:
        if layer in partner:
            _fold(layer, partner[layer], copy.get_layer(layer.name))
        elif layer.weights and layer not in gone:
            copy.get_layer(layer.name).set_weights(layer.get_weights())
    return copy


def _partners(model: keras.Model) -> dict[Any, Any]:
    """Linear layer -> the normalisation that alone reads it."""
    readers: dict[int, list[Any]] = {}
    for layer in model.layers:
        for tensor in several(layer.input):
            readers.setdefault(id(tensor), []).append(layer)
    outputs = {id(tensor) for tensor in several(model.output)}
    alone = {
        layer: readers[id(layer.output)][0]
        for layer in model.layers
        if isinstance(layer, LINEAR)
        and id(layer.output) not in outputs
        and len(readers[id(layer.output)]) == 1
        and layer.activation is keras.activations.linear
    }
    return {layer: reader for layer, reader in alone.items() if isinstance(reader, layers.BatchNormalization)}


def _fold(layer: Any, norm: Any, target: Any) -> None:
    factor = keras.ops.rsqrt(norm.moving_variance + norm.epsilon) * (norm.gamma if norm.scale else 1.0)
    shift = (layer.bias if layer.use_bias else 0.0) - norm.moving_mean
    target.kernel.assign(layer.kernel * by_output(layer, factor))
    target.bias.assign(shift * factor + (norm.beta if norm.center else 0.0))
