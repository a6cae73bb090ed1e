"""What a file says about itself: the metadata of an ONNX model, its outputs and its horizon."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast._version import __version__
from seqcast.export.graph import Graph
from seqcast.intervals import ForecastRequest
from seqcast.specs import check_choice, check_int

# The version of what `properties` returns; it grows when a reader would have to change.
FORMAT = 1


@dataclass(frozen=True)
class Outputs:
    """The outputs of a file: `point`, and `quantiles` in rising order where there are any.

    Args:
        point: Name of the point.
        names: Name of each quantile.
        probabilities: Probability of each, rising.
        order: The place of each among the parts of a forecast.
    """

    point: str
    names: Sequence[str]
    probabilities: Sequence[float]
    order: Sequence[int]

    def write(self, graph: Graph, forecast: str, horizon: int | str, *, targets: int, flat: bool) -> None:
        """Add the outputs to a graph.

        Args:
            graph: The graph.
            forecast: The parts of the forecast, `[B, H, D, parts]`.
            horizon: Number of steps, or the name of that axis.
            targets: Number of targets.
            flat: Whether the axis of targets is left out.
        """
        shape: tuple[int | str, ...] = ("batch", horizon) if flat else ("batch", horizon, targets)

        def part(places: Sequence[int], axes: tuple[int, ...]) -> str:
            values = graph.take(forecast, list(places), 3)
            return graph.squeeze(values, *axes) if axes else values

        own = (2,) if flat else ()
        graph.write("point", part([0], (*own, 3)), np.float64, shape, "the forecast, in the units of the past")
        if len(self.names):
            quantiles = part(self.order, own)
            graph.write("quantiles", quantiles, np.float64, (*shape, len(self.names)), "quantiles, rising")

    def to_dict(self) -> dict[str, Any]:
        """Return them as JSON types."""
        pairs = zip(self.names, self.probabilities, strict=True)
        quantiles = [{"name": name, "probability": probability} for name, probability in pairs]
        return {"point": self.point, "quantiles": quantiles}


def outputs_of(alias: str, request: ForecastRequest) -> Outputs:
    """Return the outputs of a forecaster.

    Example:
        >>> outputs_of("seqcast", ForecastRequest(level=(80, 95))).names
        ['seqcast-lo-95', 'seqcast-lo-80', 'seqcast-hi-80', 'seqcast-hi-95']
    """
    point, *bounds = request.columns(alias)
    order = sorted(range(len(bounds)), key=request.probabilities.__getitem__)
    probabilities = [request.probabilities[place] for place in order]
    return Outputs(point, [bounds[place] for place in order], probabilities, [1 + place for place in order])


@dataclass(frozen=True)
class Described:
    """What a file says about itself.

    Args:
        model: Name, kind, and what else is known.
        past: The targets, the features beside them, and how much of the past is read.
        future: Names of the features of the known future.
        static: Names of the static features.
        horizon: Steps that are forecast, or `any`.
        outputs: The outputs.
    """

    model: Mapping[str, Any]
    past: Mapping[str, Any]
    future: Sequence[str]
    static: Sequence[str]
    horizon: int | str
    outputs: Outputs

    def properties(self) -> dict[str, str]:
        """Return the metadata properties of the file: `seqcast`, which is JSON."""
        content = {
            "format": FORMAT,
            "seqcast": __version__,
            "model": dict(self.model),
            "past": dict(self.past),
            "future": list(self.future),
            "static": list(self.static),
            "horizon": self.horizon,
            "outputs": self.outputs.to_dict(),
        }
        return {"seqcast": json.dumps(content, ensure_ascii=False)}


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
