"""The horizon of a file: a number, or any, which is then an input."""

from __future__ import annotations

import numpy as np

from seqcast.export.graph import Graph
from seqcast.specs import check_choice, check_int

ANY = "any"


def check_horizon(horizon: int | str | None, trained: int) -> int | None:
    """Return the number of steps that a file forecasts; `None` is any.

    Args:
        horizon: A number, `any`, or `None` for the trained one.
        trained: The trained one.

    Raises:
        SpecError: It is none of these.

    Example:
        >>> check_horizon(None, 12), check_horizon("any", 12)
        (12, None)
    """
    if horizon is None:
        return trained
    if isinstance(horizon, str):
        check_choice("horizon", horizon, (ANY,))
        return None
    return check_int("horizon", horizon)


def read_horizon(graph: Graph, horizon: int | None) -> int | str:
    """Return the number of steps, or the input `[1]` that says it."""
    if horizon is not None:
        return horizon
    return graph.read("horizon", np.int64, (1,), "steps to forecast")
