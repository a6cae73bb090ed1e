"""The file of a regressor: from raw windows to forecasts with the axes of its y."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from seqcast.data.arrays import Preparation
from seqcast.data.series import Scaler
from seqcast.errors import SpecError
from seqcast.export.file import write_model
from seqcast.export.graph import Graph
from seqcast.export.heads import Parts
from seqcast.export.intervals import bounded
from seqcast.export.metadata import ANY, Described, Outputs, check_horizon, read_horizon
from seqcast.export.network import NetworkInputs, add_network, check_network
from seqcast.network import Seq2Seq
from seqcast.specs import check_probabilities

CUBE = 3


@dataclass(frozen=True)
class ArrayModel:
    """All that a file needs of a regressor.

    Args:
        network: The network.
        preparation: Sizes and scaling of the windows.
        support: The support of each target.
    """

    network: Seq2Seq
    preparation: Preparation
    support: Sequence[str]


def write_array_model(
    path: str | os.PathLike[str],
    model: ArrayModel,
    *,
    horizon: int | str | None = None,
    probabilities: Sequence[float] | None = None,
) -> None:
    """Write the file of a regressor.

    Args:
        path: The file; it appears whole or not at all.
        model: The regressor.
        horizon: Steps to forecast: a number, `any` for an input that says it, or `None` for the trained one.
        probabilities: Of the quantiles; `None` takes those of `head="quantile"`, and none otherwise.

    Raises:
        SpecError: An option is impossible, or a part of the network cannot be written as operators.
        MissingPackageError: The package `onnx` is not installed.
        SaveError: The file could not be written.
    """
    network, window, preparation = model.network.network, model.network.window, model.preparation
    steps = check_horizon(horizon, window.horizon)
    check_network(network, window, steps)
    asked = _checked(model, probabilities)
    graph = Graph()
    past = _past(graph, model)
    static = _read(graph, preparation, "static", ("batch", window.static))
    free: int | str = "horizon" if steps is None else steps
    future = _read(graph, preparation, "future", ("batch", free, window.future))
    count = read_horizon(graph, steps)
    inputs = NetworkInputs(past, None, static, future, window.context_length)
    forecast = add_network(graph, model.network, inputs, count, Parts("median", asked))
    scaler = preparation.scalers["y"]
    forecast = graph.cast(forecast, np.float64)
    if _scales(scaler):
        forecast = graph("Add", graph("Mul", forecast, scaler.scale[:, None]), scaler.loc[:, None])
    forecast = bounded(graph, forecast, model.support, (0.5, *asked))
    names = [f"quantile {probability:g}" for probability in asked]
    outputs = Outputs("forecast", names, asked, list(range(1, 1 + len(asked))))
    outputs.write(graph, forecast, free, targets=window.targets, flat=preparation.y_axes < CUBE)
    described = Described(
        model={"name": "seqcast", "kind": "Seq2SeqRegressor"},
        past={"features": window.features, "targets": window.targets, "context_length": window.context_length},
        future=[f"future{place}" for place in range(window.future)],
        static=[f"static{place}" for place in range(window.static)],
        horizon=ANY if steps is None else steps,
        outputs=outputs,
    )
    write_model(path, graph, described.properties())


def _checked(model: ArrayModel, probabilities: Sequence[float] | None) -> tuple[float, ...]:
    """Return the probabilities of the quantiles, rising."""
    network = model.network.network
    if probabilities is None:
        return network.quantiles or ()
    asked = tuple(sorted(set(check_probabilities("probabilities", probabilities))))
    if not network.is_probabilistic:
        raise SpecError(
            "probabilities",
            expected="None with head='point'",
            received=repr(probabilities),
            hint="Fit with head='quantile' or 'normal'.",
        )
    return asked


def _past(graph: Graph, model: ArrayModel) -> str:
    """Return the scaled past, `[B, T, F]`."""
    preparation, window = model.preparation, model.network.window
    meaning = "windows, oldest step first"
    if window.context_length is not None:
        past = graph.read("past", np.float64, ("batch", window.context_length), meaning)
        return _scaled(graph, graph.unsqueeze(past, 2), preparation.scalers["past"])
    past = graph.read("past", np.float64, ("batch", "time", window.features), meaning)
    return _scaled(graph, past, preparation.scalers["past"])


def _read(graph: Graph, preparation: Preparation, name: str, shape: tuple[Any, ...]) -> str | None:
    if not shape[-1]:
        return None
    return _scaled(graph, graph.read(name, np.float64, shape, f"{name} covariates"), preparation.scalers[name])


def _scaled(graph: Graph, values: str, scaler: Scaler) -> str:
    if _scales(scaler):
        values = graph("Div", graph("Sub", values, scaler.loc), scaler.scale)
    return graph.cast(values, np.float32)


def _scales(scaler: Scaler) -> bool:
    return bool((scaler.loc != 0).any() or (scaler.scale != 1).any())
