"""Influence on a forecast: derivatives with respect to its inputs, attention, and removed units."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np

from seqcast.engine import ModelInputs
from seqcast.errors import SpecError
from seqcast.network import States
from seqcast.runtime import Array
from seqcast.specs import check_number

if TYPE_CHECKING:
    import pandas as pd


def sensitivity(model_inputs: ModelInputs, horizon: int | None = None) -> Sensitivity:
    r"""Return the derivatives of each forecast step with respect to each value of the inputs.

    .. math::
        S_{h,t} = ∂ŷ_h / ∂x_t

    in the network's units: with scaled data, standard deviations per standard deviation. A
    distribution is represented by its point; a decoder that reads its own outputs reads points.

    Args:
        model_inputs: The windows. The memory of a window grows with its past times the horizon.
        horizon: Steps to forecast; `None` is that of the inputs.

    Returns:
        The derivatives.

    Example:
        >>> depends = sensitivity(model_inputs)
        >>> depends.past.shape, depends.by_step().shape, depends.memory_length().shape
        ((32, 5, 1, 15, 1), (5, 15), (5,))

    Source: Simonyan et al. 2013, arXiv:1312.6034, section 3, for images.
    """
    steps = model_inputs.horizon if horizon is None else horizon
    derivatives = model_inputs.engine.sensitivity(model_inputs.inputs, steps)
    names = model_inputs.features, model_inputs.known_future, model_inputs.targets
    return Sensitivity(derivatives["past"], derivatives.get("future"), *names)


@dataclass(frozen=True, eq=False)
class Sensitivity:
    """Derivatives of a forecast with respect to its inputs.

    Args:
        past: Derivatives with respect to the past, `[N, H, D, T, F]`.
        future: Derivatives with respect to the known future, `[N, H, D, H, F']`, or `None`.
        features: Name of each feature of the past.
        future_features: Name of each feature of the known future.
        targets: Name of each target.
    """

    past: Array
    future: Array | None
    features: tuple[str, ...]
    future_features: tuple[str, ...] = ()
    targets: tuple[str, ...] = ()

    def by_step(self, feature: str | None = None, *, future: bool = False) -> Array:
        """Return the root mean square over windows and targets, by forecast and input step.

        Args:
            feature: Name of a feature; `None` combines all, as the root of the sum of squares.
            future: Whether to return the influence of the known future, instead of that of the
                past.

        Returns:
            `[H, T]`, whose last column is the last step of the past; with `future`, `[H, H]`.
        """
        values, names = self._side(future)
        squares = np.square(values).mean(axis=(0, 2))  # [H, steps, features]
        if feature is None:
            return np.asarray(np.sqrt(squares.sum(axis=2)))
        if feature not in names:
            raise SpecError(
                "feature", expected=f"one of {', '.join(names)}", received=repr(feature)
            )

        return np.asarray(np.sqrt(squares[:, :, names.index(feature)]))

    def memory_length(self, share: float = 0.95) -> Array:
        """Return the number of last steps that have a fraction of the squared influence.

        Args:
            share: The fraction, between 0 and 1.

        Returns:
            The number for each step of the forecast, `[H]`; 1 if the forecast depends on the last
            step alone.

        Example:
            >>> one = np.zeros((1, 1, 1, 6, 1))
            >>> one[..., 2, :] = 1.0  # the fourth step counted back from the end
            >>> Sensitivity(one, None, ("x",)).memory_length().tolist()
            [4]
        """
        check_number("share", share, low=0.0, high=1.0, open_low=True)
        squares = np.square(self.by_step())[:, ::-1]
        within = np.cumsum(squares, axis=1) / np.maximum(
            squares.sum(axis=1, keepdims=True), np.finfo(float).tiny
        )
        # Rounding must not add a step without influence.
        return np.asarray(np.argmax(within >= min(share, 1.0 - 1e-9), axis=1) + 1)

    def frame(self) -> pd.DataFrame:
        """Return the root mean squares over windows as a long frame.

        Returns:
            A pandas frame: the `target`, the `step` of the forecast from 1, the `feature`, the
            `input_step` (up to 0 in the past, from 1 in the known future) and the `sensitivity`.
        """
        import pandas as pd

        tables = []
        sides = [False] if self.future is None else [False, True]
        for future in sides:
            values, names = self._side(future)
            squares = np.sqrt(np.square(values).mean(axis=0))  # [H, D, steps, features]
            horizon, _, steps, _ = squares.shape
            first = 1 if future else 1 - steps
            keys = [range(1, horizon + 1), self.targets, range(first, first + steps), names]
            index = pd.MultiIndex.from_product(
                keys, names=["step", "target", "input_step", "feature"]
            )
            tables.append(pd.DataFrame({"sensitivity": squares.ravel()}, index=index).reset_index())

        return pd.concat(tables, ignore_index=True)[
            ["target", "step", "feature", "input_step", "sensitivity"]
        ]

    def _side(self, future: bool) -> tuple[Array, tuple[str, ...]]:
        if not future:
            return self.past, self.features
        if self.future is None:
            raise SpecError(
                "future",
                expected="False",
                received="True",
                hint="The network reads no known future.",
            )
        return self.future, self.future_features


def attention(model_inputs: ModelInputs, horizon: int | None = None) -> Array:
    """Return each forecast step's attention to the tokens of the past, `[N, H, tokens]`.

    Args:
        model_inputs: The windows.
        horizon: Steps to forecast; `None` is that of the inputs.

    Returns:
        The weights; each step's sum to 1.

    Raises:
        SpecError: The network has no attention.

    Example:
        >>> attention(model_inputs).shape
        (32, 5, 15)
    """
    return model_inputs.engine.attention(
        model_inputs.inputs, model_inputs.horizon if horizon is None else horizon
    )


def remove_units(
    model_inputs: ModelInputs, horizon: int | None = None, *, by_step: bool = False
) -> pd.DataFrame:
    """Return the change of the forecast without each unit of the encoder's last state.

    A removed unit has the same value in each window: its mean over all windows. An LSTM's output
    and cell are removed together. The outputs that attention reads do not change.

    Args:
        model_inputs: The windows.
        horizon: Steps to forecast; `None` is that of the inputs.
        by_step: Whether to return a row for each step of the forecast.

    Returns:
        A pandas frame with a row for each layer and unit, with `by_step` also for each `step`: the
        `change` of the forecast, root mean square in the network's units; and, if the truth is
        known, the mean squared error with all units, `mse`, and without this one, `mse_without`.

    Example:
        >>> table = remove_units(model_inputs)
        >>> list(table.columns), len(table)
        (['layer', 'unit', 'change', 'mse', 'mse_without'], 14)
    """
    import pandas as pd

    engine = model_inputs.engine
    steps = model_inputs.horizon if horizon is None else horizon
    states = engine.encode(model_inputs.past)
    future = model_inputs.inputs.get("future")
    full = engine.decode(states, steps, future)
    truth = model_inputs.truth
    if truth is not None and truth.shape[1] != steps:
        truth = None

    axes: tuple[int, ...] = (0, 1, 2)
    step = {}
    if by_step:
        axes = (0, 2)
        step = {"step": np.arange(1, steps + 1)}

    tables = []
    for layer, layer_states in enumerate(states.layers):
        for unit in range(layer_states[0].shape[1]):
            without = engine.decode(_without(states, layer, unit), steps, future)
            columns = {"change": np.sqrt(np.square(without - full).mean(axis=axes))}
            if truth is not None:
                columns["mse"] = np.nanmean(np.square(full - truth), axis=axes)
                columns["mse_without"] = np.nanmean(np.square(without - truth), axis=axes)
            numbers = {
                name: np.atleast_1d(column).astype(np.float64) for name, column in columns.items()
            }
            tables.append(pd.DataFrame({"layer": layer + 1, "unit": unit + 1, **step, **numbers}))

    return pd.concat(tables, ignore_index=True)


def _without(states: States, layer: int, unit: int) -> States:
    changed = tuple(np.array(state) for state in states.layers[layer])
    for values in changed:
        values[:, unit] = values[:, unit].mean()
    return replace(states, layers=(*states.layers[:layer], changed, *states.layers[layer + 1 :]))
