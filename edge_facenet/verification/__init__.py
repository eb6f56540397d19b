"""How well embeddings tell people apart, and how sure that figure is. numpy only; plots need the extra "bench"."""

from .audit import PairCounts, clean
from .duplicates import Duplicates, duplicates
from .identification import FPIRS, Drawn, Identification, OpenSetPoint, Plan, Rule, identify_open_set
from .intervals import with_intervals
from .leaks import Leak, leaks, signatures
from .openset import OpenSet, open_set, threshold_at_fpir
from .pairfile import PairList, picture_index, read_pairs
from .pairs import MAX_PAIRS, Pairs, all_pairs, cosines, sampled_pairs
from .probes import ProbeTable
from .protocol import FARS, OperatingPoint, Verification, evaluate, evaluate_embeddings, operating_points
from .shares import share_interval
from .splits import Split, person_of, read_split, split_identities, write_split
from .sweep import Sweep, sweep
from .thresholds import Difference, Transfer, compare, derive, from_cosine, same_person, to_cosine, transfer

__all__ = [
    "FARS",
    "FPIRS",
    "MAX_PAIRS",
    "Difference",
    "Drawn",
    "Duplicates",
    "Identification",
    "Leak",
    "OpenSet",
    "OpenSetPoint",
    "OperatingPoint",
    "PairCounts",
    "PairList",
    "Pairs",
    "Plan",
    "ProbeTable",
    "Rule",
    "Split",
    "Sweep",
    "Transfer",
    "Verification",
    "all_pairs",
    "clean",
    "compare",
    "cosines",
    "derive",
    "duplicates",
    "evaluate",
    "evaluate_embeddings",
    "from_cosine",
    "identify_open_set",
    "leaks",
    "open_set",
    "operating_points",
    "person_of",
    "picture_index",
    "read_pairs",
    "read_split",
    "same_person",
    "sampled_pairs",
    "share_interval",
    "signatures",
    "split_identities",
    "sweep",
    "threshold_at_fpir",
    "to_cosine",
    "transfer",
    "with_intervals",
    "write_split",
]
