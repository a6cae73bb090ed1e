"""The state space of a network: states and gates, principal components, nearest windows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypedDict

import numpy as np

from seqcast.engine import Labels, ModelInputs
from seqcast.errors import DataError, SpecError
from seqcast.network import CELLS
from seqcast.runtime import Array
from seqcast.specs import check_choice, check_int

if TYPE_CHECKING:
    import pandas as pd

TRACED = ("encoder", "decoder")


def states(model_inputs: ModelInputs, layer: int | None = None) -> Array:
    """Return the encoder's state after the past, `[N, width]`.

    Args:
        model_inputs: The windows.
        layer: A layer, from 1; `None` joins all. An LSTM's layer has its output, then its cell.

    Example:
        >>> states(model_inputs).shape, states(model_inputs, layer=2).shape
        ((32, 14), (32, 6))
    """
    layers = model_inputs.engine.encode(model_inputs.past).layers
    chosen = layers if layer is None else [layers[_place(layer, len(layers))]]
    return np.concatenate([np.asarray(state) for each in chosen for state in each], axis=1)


def trajectories(model_inputs: ModelInputs, horizon: int | None = None) -> Trajectories:
    """Return states and gates of all layers, token by token.

    A decoder that reads its own outputs reads points here.

    Args:
        model_inputs: The windows; all their tokens are in memory at once.
        horizon: Steps to write; `None` is that of the inputs.

    Returns:
        The trajectories.

    Raises:
        SpecError: The horizon is written block by block, or longer than the known future.

    Example:
        >>> traced = trajectories(model_inputs)
        >>> traced.states("encoder", 1).shape, traced.states("decoder", 2).shape
        ((32, 15, 8), (32, 5, 6))
        >>> last = traced.states("encoder", 2)[:, -1]
        >>> bool(np.allclose(last, states(model_inputs, layer=2), atol=1e-6))
        True
    """
    traced = model_inputs.engine.trace(
        model_inputs.inputs, model_inputs.horizon if horizon is None else horizon
    )
    layers = {name: tuple(traced[name]) for name in TRACED}
    segment = model_inputs.engine.network.segment
    return Trajectories(layers, model_inputs.labels, segment, traced.get("valid"))


class LayerTrace(TypedDict):
    """States and gates of a layer, token by token.

    Attributes:
        states: Its states, `[N, tokens, n]` each; an LSTM has its output and its cell.
        gates: Its gates by name, `[N, tokens, n]` each.
    """

    states: Sequence[Array]
    gates: dict[str, Array]


@dataclass(frozen=True, eq=False)
class Trajectories:
    """States and gates of every layer, token by token.

    Args:
        layers: For `encoder` and `decoder`, the trace of each layer.
        labels: Labels of the windows.
        segment: Steps of a token.
        valid: Whether a token of the past counts, `[N, tokens]`; `None` if all do.
    """

    layers: dict[str, tuple[LayerTrace, ...]]
    labels: Labels
    segment: int = 1
    valid: Array | None = None

    def states(self, submodule: str, layer: int) -> Array:
        """Return a layer's states after each token, `[N, tokens, n]`, an LSTM's cell last.

        Args:
            submodule: `encoder` or `decoder`.
            layer: The layer, from 1.
        """
        return np.concatenate(self._layer(submodule, layer)["states"], axis=-1)

    def gates(self, submodule: str, layer: int) -> dict[str, Array]:
        """Return the values of a layer's gates at each token by name, `[N, tokens, n]`.

        A GRU has `update` (which keeps the state), `reset` and `candidate`; an LSTM `input`,
        `forget` (which keeps the state), `candidate` and `output`; a simple recurrent layer only
        its `candidate`, which is its state.

        Args:
            submodule: `encoder` or `decoder`.
            layer: The layer, from 1.
        """
        return dict(self._layer(submodule, layer)["gates"])

    def tokens(self, submodule: str) -> Array:
        """Return the last step of each token: up to 0 in the past, from 1 in the forecast.

        Args:
            submodule: `encoder` or `decoder`.
        """
        count = self.layers[submodule][0]["states"][0].shape[1]
        places = np.arange(count) * self.segment
        return places - places[-1] if submodule == "encoder" else places + self.segment

    def frame(self, submodule: str, layer: int) -> pd.DataFrame:
        """Return a layer's states as a frame.

        Args:
            submodule: `encoder` or `decoder`.
            layer: The layer, from 1.

        Returns:
            A frame with a row for each window and token: the window's labels, `step` (the token's
            last one, up to 0 in the past and from 1 in the forecast) and `state_1`, `state_2`, …;
            tokens that do not count are left out.
        """
        values = self.states(submodule, layer)
        steps = self.tokens(submodule)
        valid = self.valid if submodule == "encoder" else None
        windows, places = np.nonzero(
            np.ones(values.shape[:2]) if valid is None else np.asarray(valid)
        )

        columns = {
            f"state_{unit + 1}": values[windows, places, unit] for unit in range(values.shape[2])
        }

        frame: pd.DataFrame = self.labels.frame(windows, {"step": steps[places], **columns})
        return frame

    def _layer(self, submodule: str, layer: int) -> LayerTrace:
        check_choice("submodule", submodule, TRACED)
        return self.layers[submodule][_place(layer, len(self.layers[submodule]))]


def _place(layer: int, count: int) -> int:
    if not 1 <= layer <= count:
        raise SpecError(
            "layer",
            expected=f"1 to {count}",
            received=repr(layer),
            hint="Layers are counted from 1.",
        )
    return layer - 1


# A gate is shut below this value.
SHUT = 0.1
# A gate is open above this value.
OPEN = 0.9
# Names of gates that keep a state.
_KEEPING = {cell.keeping_gate for cell in CELLS.values() if cell.keeping_gate is not None}


def gate_statistics(trajectories: Trajectories) -> pd.DataFrame:
    r"""Return statistics of each unit's gates over all windows and tokens.

    At every token, the value of a gated unit is multiplied with its keeping gate, `update` of a GRU
    or `forget` of an LSTM. The memory is the number of tokens in which the value falls to 1/e at
    the mean rate:

    .. math::
        τ = -1 / \overline{\log z}

    It is the time for which a unit can store a value without reading it again.
    `Sensitivity.memory_length` measures the memory of the whole network, which also passes values
    from unit to unit.

    Args:
        trajectories: The trajectories.

    Returns:
        A pandas frame with a row for each submodule, layer, gate and unit: the gate's `mean`, the
        fractions of values below 0.1 (`shut`) and above 0.9 (`open`); and for keeping gates the
        `memory` in tokens. A candidate, the new value of a unit rather than a gate, has only its
        mean.

    Example:
        >>> from seqcast.inspect import trajectories
        >>> table = gate_statistics(trajectories(model_inputs))
        >>> list(table.columns)
        ['submodule', 'layer', 'gate', 'unit', 'mean', 'shut', 'open', 'memory']
        >>> bool((table.loc[table["gate"] == "update", "memory"] > 0).all())
        True

    Source: Tallec and Ollivier 2018, Can recurrent neural networks warp time, arXiv:1804.11188,
        section 1.
    """
    import pandas as pd

    tables = []
    for submodule in TRACED:
        valid = trajectories.valid if submodule == "encoder" else None
        for layer in range(1, len(trajectories.layers[submodule]) + 1):
            for gate, values in trajectories.gates(submodule, layer).items():
                units = np.arange(1, values.shape[2] + 1)
                flat = values.reshape(-1, len(units))
                if valid is not None:
                    flat = values[np.asarray(valid, dtype=bool)]

                columns = {"submodule": submodule, "layer": layer, "gate": gate}
                columns |= {"unit": units, "mean": flat.mean(axis=0)}
                if gate != "candidate":
                    columns |= {
                        "shut": (flat < SHUT).mean(axis=0),
                        "open": (flat > OPEN).mean(axis=0),
                    }
                if gate in _KEEPING:
                    with np.errstate(divide="ignore"):
                        columns["memory"] = -1.0 / np.log(np.maximum(flat, 1e-12)).mean(axis=0)
                tables.append(pd.DataFrame(columns))

    names = ["submodule", "layer", "gate", "unit", "mean", "shut", "open", "memory"]
    return (
        pd.concat(tables, ignore_index=True)
        .reindex(columns=names)
        .astype(dict.fromkeys(names[4:], float))
    )


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of states.

    Args:
        points: Coordinates of each window, `[N, count]`.
        directions: The directions, `[count, width]`, of length 1.
        explained: Fraction of the variance along each direction, `[count]`.
        loc: The mean state, `[width]`.
    """

    points: Array
    directions: Array
    explained: Array
    loc: Array

    def project(self, values: Array) -> Array:
        """Return the coordinates of other states, `[..., count]`.

        Args:
            values: The states, `[..., width]`, such as a trajectory's.
        """
        return np.asarray((values - self.loc) @ self.directions.T)


def principal_components(values: Array, count: int = 2) -> Components:
    """Return the principal components of states: the directions of their largest variance.

    Args:
        values: States, `[N, width]`, from `states`.
        count: Number of directions.

    Returns:
        The components.

    Raises:
        DataError: There are fewer windows or units than directions.

    Example:
        >>> line = np.outer(np.arange(5.0), [3.0, 4.0])
        >>> components = principal_components(line, 1)
        >>> components.explained.round(3).tolist()
        [1.0]
        >>> np.diff(components.points[:, 0]).round(3).tolist()
        [5.0, 5.0, 5.0, 5.0]
    """
    from sklearn.decomposition import PCA

    if check_int("count", count) > min(values.shape):
        raise DataError(
            "values",
            expected=f"at least {count} windows and {count} units",
            received=f"shape {values.shape}",
            hint="Choose fewer directions, or give more windows.",
        )

    pca = PCA(count, svd_solver="full").fit(values)
    # The sign is free; the largest coordinate of a direction is positive, so that pictures do not
    # flip.
    largest = np.abs(pca.components_).argmax(axis=1)
    signs = np.sign(pca.components_[np.arange(count), largest])[:, None]
    directions = pca.components_ * signs

    return Components(
        (values - pca.mean_) @ directions.T, directions, pca.explained_variance_ratio_, pca.mean_
    )


def nearest(
    model_inputs: ModelInputs,
    k: int = 5,
    *,
    query: slice | Array | Sequence[int] | None = None,
    layer: int | None = None,
) -> pd.DataFrame:
    """Return the nearest neighbours of windows in the space of states.

    Each unit is divided by its standard deviation over all windows.

    Args:
        model_inputs: The windows.
        k: Number of neighbours of each window.
        query: The windows to find neighbours of, a slice, indices or a mask; `None` is all.
        layer: A layer of the encoder, from 1; `None` is all.

    Returns:
        A frame with `k` rows for each window, nearest first: the labels of the window and of the
        neighbour (`near_…`), `rank` from 1, and the `distance`: the root mean square over units, in
        standard deviations.

    Raises:
        DataError: There are not more windows than neighbours.

    Example:
        >>> near = nearest(model_inputs, k=2, query=slice(3))
        >>> list(near.columns), len(near)
        (['window', 'near_window', 'rank', 'distance'], 6)
    """
    from sklearn.neighbors import NearestNeighbors

    if check_int("k", k) >= len(model_inputs):
        raise DataError(
            "model_inputs",
            expected=f"more than {k} windows",
            received=str(len(model_inputs)),
            hint="Choose fewer neighbours.",
        )

    values = states(model_inputs, layer).astype(np.float64)
    deviation = values.std(axis=0)
    values = values / np.where(deviation > 0, deviation, 1.0) / np.sqrt(values.shape[1])

    queried = np.atleast_1d(np.arange(len(model_inputs))[slice(None) if query is None else query])
    all_distances, places = (
        NearestNeighbors(n_neighbors=k + 1).fit(values).kneighbors(values[queried])
    )

    # A window is its own neighbour; among equal windows it may not be the first.
    itself = places == queried[:, None]
    itself[~itself.any(axis=1), -1] = True
    neighbours = places[~itself]
    distances = all_distances[~itself]

    columns = {"rank": np.tile(np.arange(1, k + 1), len(queried)), "distance": distances}
    frame: pd.DataFrame = model_inputs.labels.frame(np.repeat(queried, k), columns, near=neighbours)
    return frame
