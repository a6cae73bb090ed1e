"""Trajectories: states and gates of encoder and decoder, token by token, and how long gates keep what they hold."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine import Labels, ModelInputs
from seqcast.errors import SpecError
from seqcast.network import CELLS
from seqcast.specs import check_choice

Array = npt.NDArray[Any]
PARTS = ("encoder", "decoder")


def states(model_inputs: ModelInputs, layer: int | None = None) -> Array:
    """Return the encoder's state after the past, `[N, width]`.

    Args:
        model_inputs: The windows.
        layer: One layer, from 1; `None` puts all side by side. An LSTM's layer has its output and then its cell.

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
        model_inputs: The windows; all their tokens are held at once.
        horizon: Steps to write; `None` is that of the inputs.

    Returns:
        The trajectories.

    Raises:
        SpecError: The horizon is written block by block, or longer than the known future.

    Example:
        >>> traced = trajectories(model_inputs)
        >>> traced.states("encoder", 1).shape, traced.states("decoder", 2).shape
        ((32, 15, 8), (32, 5, 6))
        >>> bool(np.allclose(traced.states("encoder", 2)[:, -1], states(model_inputs, layer=2), atol=1e-6))
        True
    """
    traced = model_inputs.engine.trace(model_inputs.inputs, model_inputs.horizon if horizon is None else horizon)
    return Trajectories(
        {part: tuple(traced[part]) for part in PARTS},
        model_inputs.labels,
        model_inputs.engine.network.segment,
        traced.get("valid"),
    )


@dataclass(frozen=True, eq=False)
class Trajectories:
    """States and gates of every layer, token by token.

    Args:
        layers: For `encoder` and `decoder` the record of each layer: its `states`, `[N, tokens, n]` each (an LSTM has
            its output and its cell), and its `gates` by name.
        labels: Labels of the windows.
        segment: Steps of a token.
        valid: Which tokens of the past count, `[N, tokens]`; `None` when all do.
    """

    layers: dict[str, tuple[dict[str, Any], ...]]
    labels: Labels
    segment: int = 1
    valid: Array | None = None

    def states(self, part: str, layer: int) -> Array:
        """Return a layer's states after each token, `[N, tokens, n]`; an LSTM's output and its cell side by side.

        Args:
            part: `encoder` or `decoder`.
            layer: The layer, from 1.
        """
        return np.concatenate(self._layer(part, layer)["states"], axis=-1)

    def gates(self, part: str, layer: int) -> dict[str, Array]:
        """Return the values of a layer's gates at each token by name, `[N, tokens, n]`; arguments as for `states`.

        A GRU has `update` (how much stays), `reset` and `candidate`; an LSTM `input`, `forget` (how much stays),
        `candidate` and `output`; a simple recurrent layer its `candidate` alone, which is its state.
        """
        return dict(self._layer(part, layer)["gates"])

    def tokens(self, part: str) -> Array:
        """Return the last step of each token: up to 0 in the past, from 1 in the forecast."""
        count = self.layers[part][0]["states"][0].shape[1]
        places = np.arange(count) * self.segment
        return places - places[-1] if part == "encoder" else places + self.segment

    def frame(self, part: str, layer: int) -> Any:
        """Return a layer's states as a frame.

        Args:
            part: `encoder` or `decoder`.
            layer: The layer, from 1.

        Returns:
            A frame with a row a window and token: the window's labels, `step` (the token's last one, up to 0 in the
            past and from 1 in the forecast) and `state_1`, `state_2`, …; tokens that do not count are left out.
        """
        values, steps = self.states(part, layer), self.tokens(part)
        counted = np.ones(values.shape[:2], dtype=bool)
        if part == "encoder" and self.valid is not None:
            counted = np.asarray(self.valid, dtype=bool)
        windows, places = np.nonzero(counted)
        columns = {f"state_{unit + 1}": values[windows, places, unit] for unit in range(values.shape[2])}
        return self.labels.frame(windows, {"step": steps[places], **columns})

    def _layer(self, part: str, layer: int) -> dict[str, Any]:
        check_choice("part", part, PARTS)
        return self.layers[part][_place(layer, len(self.layers[part]))]


def _place(layer: int, count: int) -> int:
    if not 1 <= layer <= count:
        raise SpecError("layer", expected=f"1 to {count}", received=repr(layer), hint="Layers are counted from 1.")
    return layer - 1


# A gate is shut below and open above.
SHUT, OPEN = 0.1, 0.9
_KEEPING = {cell.keeping_gate for cell in CELLS.values() if cell.keeping_gate is not None}


def gate_statistics(trajectories: Trajectories) -> Any:
    r"""Return statistics of each unit's gates over all windows and tokens.

    The value of a gated unit shrinks at every token by the factor of its keeping gate, `update` of a GRU and `forget`
    of an LSTM. The memory is the number of tokens in which it shrinks to 1/e at the mean rate:

    .. math::
        τ = -1 / \overline{\log z}

    It is how long a unit can hold a value without reading it again. The memory of the whole network, which also passes
    values from unit to unit, is measured by `Sensitivity.memory_length`.

    Args:
        trajectories: The trajectories.

    Returns:
        A pandas frame with a row a part, layer, gate and unit: the gate's `mean`, the shares of values below 0.1
        (`shut`) and above 0.9 (`open`); and for keeping gates the `memory` in tokens. A candidate, which is no gate
        but what the unit would become, has its mean only.

    Example:
        >>> from seqcast.inspect import trajectories
        >>> table = gate_statistics(trajectories(model_inputs))
        >>> list(table.columns)
        ['part', 'layer', 'gate', 'unit', 'mean', 'shut', 'open', 'memory']
        >>> bool((table.loc[table["gate"] == "update", "memory"] > 0).all())
        True

    Source: Tallec and Ollivier 2018, Can recurrent neural networks warp time, arXiv:1804.11188, section 1.
    """
    import pandas as pd

    rows: list[dict[str, Any]] = []
    for part in PARTS:
        valid = trajectories.valid if part == "encoder" else None
        for layer in range(1, len(trajectories.layers[part]) + 1):
            for gate, values in trajectories.gates(part, layer).items():
                flat = (
                    values[np.asarray(valid, dtype=bool)] if valid is not None else values.reshape(-1, values.shape[2])
                )
                is_gate = gate != "candidate"
                means = flat.mean(axis=0)
                shut, opened = (flat < SHUT).mean(axis=0), (flat > OPEN).mean(axis=0)
                with np.errstate(divide="ignore"):
                    lifetime = -1.0 / np.log(np.maximum(flat, 1e-12)).mean(axis=0)
                rows += [
                    {
                        "part": part,
                        "layer": layer,
                        "gate": gate,
                        "unit": unit + 1,
                        "mean": float(means[unit]),
                        "shut": float(shut[unit]) if is_gate else np.nan,
                        "open": float(opened[unit]) if is_gate else np.nan,
                        "memory": float(lifetime[unit]) if gate in _KEEPING else np.nan,
                    }
                    for unit in range(flat.shape[1])
                ]
    return pd.DataFrame(rows)
