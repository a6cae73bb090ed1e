"""Checks before a training: the precision of weights, and the parts of a network that are frozen."""

from __future__ import annotations

from collections.abc import Sequence

from seqcast.errors import SpecError
from seqcast.network.seq2seq import PARTS
from seqcast.runtime.backend import keras
from seqcast.specs.checks import check_choice

__all__ = ["check_parts", "check_precision"]


def check_precision() -> None:
    """Refuse weights of half precision."""
    policy = keras.config.dtype_policy()
    if policy.variable_dtype in ("float16", "bfloat16"):
        raise SpecError(
            "keras.config.dtype_policy()",
            expected="weights of float32 or float64",
            received=repr(policy.name),
            hint="Half precision rounds small updates away; 'mixed_bfloat16' keeps the weights in float32.",
        )


def check_parts(freeze: Sequence[str]) -> None:
    """Refuse parts of a network that cannot be frozen.

    Example:
        >>> check_parts(("encoder",))
    """
    if isinstance(freeze, str):
        raise SpecError("freeze", expected="a tuple of parts", received=repr(freeze), hint=f"Give ({freeze!r},).")
    for part in freeze:
        check_choice("freeze", part, PARTS)
    if set(freeze) == set(PARTS):
        raise SpecError("freeze", expected="a part that is left to train", received=repr(freeze), hint="Leave one out.")
