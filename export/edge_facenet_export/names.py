"""Names for a graph's tensors that depend on the graph alone, so that equal networks give equal bytes.

Converters build names from counters of the process ("functional_1_1/conv2d_33_1/convolution"). What stays of them is the
layer's own name, followed by the operator's place in the file: "conv2d.17", "block_3_expand.18", "unit.70".
"""

from __future__ import annotations

import re

INPUT, OUTPUT, TAIL = "image", "embedding", "unit"

_COUNTERS = re.compile(r"(_\d+)+$")
# Converters join the names of all layers fused into one operator; the one that multiplies is the one to show.
_MULTIPLIES = re.compile(
    r"(?:^|[/;])([^/;]+)/(?:convolution|depthwise|separable_conv2d|MatMul|conv2d_transpose)[_\d]*(?=[:/;]|$)"
)


def layer_name(raw: str) -> str:
    """The Keras layer's name inside a converter's name, without counters.

    >>> layer_name("functional_1/re_lu_34_1/Relu6;functional_1/stem_1/convolution;functional_1/bn_1/batchnorm/sub")
    'stem'
    >>> layer_name("functional_1/unit_1/mul_1")
    'unit'
    """
    if found := _MULTIPLIES.search(raw):
        return _COUNTERS.sub("", found[1])
    path = [part for part in raw.split(";", maxsplit=1)[0].split(":", maxsplit=1)[0].split("/") if part]
    inner = path[1:-1] or path[-1:]  # the network's name in front, the operation's behind
    return _COUNTERS.sub("", inner[0]) if inner else "operator"
