"""Gates, unit by unit: how open they are, and how long a unit holds a value."""

from __future__ import annotations

from typing import Any

import numpy as np

from seqcast.inspect.trajectories import PARTS, Trajectories
from seqcast.network import CELLS

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
