"""Geometry of the state space: principal components, and nearest windows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.engine import ModelInputs
from seqcast.errors import DataError
from seqcast.inspect.trajectories import states
from seqcast.specs import check_int

Array = npt.NDArray[Any]


@dataclass(frozen=True, eq=False)
class Components:
    """Principal components of states.

    Args:
        points: Where each window lies, `[N, count]`.
        directions: The directions, `[count, width]`, of length 1.
        explained: Share of the variance that lies in each, `[count]`.
        loc: The mean state, `[width]`.
    """

    points: Array
    directions: Array
    explained: Array
    loc: Array

    def project(self, values: Array) -> Array:
        """Return the coordinates `[..., count]` of other states, such as a trajectory's, `[N, tokens, width]`."""
        return np.asarray((values - self.loc) @ self.directions.T)


def principal_components(values: Array, count: int = 2) -> Components:
    """Return the principal components of states: the directions in which they differ most.

    Args:
        values: States, `[N, width]`, as `states` returns them.
        count: Number of directions.

    Returns:
        The components.

    Raises:
        DataError: There are fewer windows or units than directions.

    Example:
        >>> line = np.outer(np.arange(5.0), [3.0, 4.0])
        >>> components = principal_components(line, 1)
        >>> components.explained.round(3).tolist(), np.diff(components.points[:, 0]).round(3).tolist()
        ([1.0], [5.0, 5.0, 5.0, 5.0])
    """
    from sklearn.decomposition import PCA

    if check_int("count", count) > min(values.shape):
        raise DataError(
            "values",
            expected=f"at least {count} windows and {count} units",
            received=f"shape {values.shape}",
            hint="Ask for fewer directions, or give more windows.",
        )
    pca = PCA(count, svd_solver="full").fit(values)
    # The sign is free; the largest part of a direction is made positive, so that pictures do not flip.
    largest = np.abs(pca.components_).argmax(axis=1)
    signs = np.sign(pca.components_[np.arange(count), largest])[:, None]
    directions = pca.components_ * signs
    return Components((values - pca.mean_) @ directions.T, directions, pca.explained_variance_ratio_, pca.mean_)


def nearest(model_inputs: ModelInputs, k: int = 5, *, query: Any = None, layer: int | None = None) -> Any:
    """Return the nearest neighbours of windows in the space of states.

    Each unit counts in its own standard deviations over all windows.

    Args:
        model_inputs: The windows.
        k: Neighbours of each.
        query: Which windows to find neighbours of, a slice, indices or a mask; `None` is all.
        layer: One layer of the encoder, from 1; `None` is all.

    Returns:
        A frame with `k` rows a window, nearest first: the window's labels, those of the neighbour, called `near_…`,
        `rank` from 1, and the `distance`: the root mean square over units, in standard deviations.

    Raises:
        DataError: There are not more windows than neighbours.

    Example:
        >>> list(nearest(model_inputs, k=2).columns), len(nearest(model_inputs, k=2, query=slice(3)))
        (['window', 'near_window', 'rank', 'distance'], 6)
    """
    from sklearn.neighbors import NearestNeighbors

    if check_int("k", k) >= len(model_inputs):
        raise DataError(
            "model_inputs",
            expected=f"more than {k} windows",
            received=str(len(model_inputs)),
            hint="Ask for fewer neighbours.",
        )
    values = states(model_inputs, layer).astype(np.float64)
    deviation = values.std(axis=0)
    values = values / np.where(deviation > 0, deviation, 1.0) / np.sqrt(values.shape[1])
    queried = np.atleast_1d(np.arange(len(model_inputs))[slice(None) if query is None else query])
    all_distances, places = NearestNeighbors(n_neighbors=k + 1).fit(values).kneighbors(values[queried])
    # A window is its own neighbour; of several that are equal it may not be the first.
    itself = places == queried[:, None]
    itself[~itself.any(axis=1), -1] = True
    neighbours, distances = places[~itself], all_distances[~itself]
    columns = {"rank": np.tile(np.arange(1, k + 1), len(queried)), "distance": distances}
    return model_inputs.labels.frame(np.repeat(queried, k), columns, near=neighbours)
