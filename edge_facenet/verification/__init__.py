"""How well embeddings tell people apart, and how sure that figure is. numpy only; plots need the extra "bench"."""

from .pairs import Pairs, all_pairs, cosines, sampled_pairs
from .protocol import OperatingPoint, Verification, evaluate, evaluate_embeddings
from .splits import Split, read_split, split_identities, write_split
from .thresholds import Difference, Transfer, compare, derive, transfer

__all__ = [
    "Difference",
    "OperatingPoint",
    "Pairs",
    "Split",
    "Transfer",
    "Verification",
    "all_pairs",
    "compare",
    "cosines",
    "derive",
    "evaluate",
    "evaluate_embeddings",
    "read_split",
    "sampled_pairs",
    "split_identities",
    "transfer",
    "write_split",
]
