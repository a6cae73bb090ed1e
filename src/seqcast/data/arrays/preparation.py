"""What a fit learns about arrays of windows: their sizes, their scaling, the axes of y."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays.checks import check_covariates
from seqcast.data.series.scalers import Scaler
from seqcast.data.windows.arrays import ArrayWindows
from seqcast.errors import DataError, SpecError
from seqcast.specs.checks import check_choice
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec
from seqcast.specs.window import WindowSpec

__all__ = ["Preparation"]

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Preparation:
    """From checked arrays to scaled windows, and from scaled forecasts back.

    Args:
        window: Sizes of a window.
        scalers: Scaling of `past`, `y`, `static` and `future`.
        y_axes: Number of axes that y had at fit.

    Example:
        >>> inputs, y = {"past": np.arange(12.0).reshape(2, 6, 1)}, np.zeros((2, 3, 1))
        >>> learnt = Preparation.learn(inputs, y, network=NetworkSpec(), scale="standard", y_axes=3)
        >>> learnt.window.horizon, learnt.window.target_features
        (3, (0,))
    """

    window: WindowSpec
    scalers: dict[str, Scaler]
    y_axes: int

    @classmethod
    def learn(
        cls,
        inputs: dict[str, Array],
        y: Array,
        *,
        network: NetworkSpec,
        scale: str,
        y_axes: int,
        target_features: Any = None,
        context_length: int | None = None,
        season_length: int | None = None,
    ) -> Self:
        """Learn sizes and scaling from training windows.

        Args:
            inputs: Checked arrays: `past` `[N, T, F]`, perhaps `static` `[N, S]` and `future` `[N, H, F']`.
            y: Checked targets, `[N, H, D]`.
            network: The network's boxes.
            scale: `standard` or `none`.
            y_axes: Number of axes that the user's y had.
            target_features: As the user gave it.
            context_length: Number of steps, where it is fixed.
            season_length: Steps of a season, where there is one.

        Returns:
            What was learnt.

        Raises:
            SpecError: An option does not fit the data or the network.
            DataError: The windows are shorter than a season that the network looks back.
        """
        features, targets = inputs["past"].shape[2], y.shape[2]
        window = WindowSpec(
            horizon=y.shape[1],
            features=features,
            targets=targets,
            static=inputs["static"].shape[1] if "static" in inputs else 0,
            future=inputs["future"].shape[2] if "future" in inputs else 0,
            target_features=_target_features(target_features, features, targets, network),
            context_length=context_length,
            season_length=season_length,
        )
        network.check_window(window)
        if network.reads_season:
            _check_season(inputs["past"].shape[1], window, network.residual)
        scalers = {name: Scaler.fit(values, scale) for name, values in inputs.items()}
        scalers["y"] = Scaler.fit(y, scale)
        if network.needs_target_past and window.target_features is not None:
            # Past and future of a target meet in the network, so they have to be in the same units.
            scalers["y"] = scalers["past"].columns(window.target_features)
        return cls(window, scalers, y_axes)

    def scaled(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return the inputs in scaled units."""
        return {name: self.scalers[name].transform(values) for name, values in inputs.items()}

    def in_units(self, forecast: Array) -> Array:
        """Return a scaled forecast, `[N, H, D]`, in the units and with the axes of y."""
        values = self.scalers["y"].inverse(forecast)
        if self.y_axes == 1 and values.shape[1] == 1:
            return np.asarray(values[:, 0, 0])
        return np.asarray(values[:, :, 0] if self.y_axes < 3 else values)

    def covariates(self, rows: int, static: Any, future: Any, horizon: int) -> dict[str, Array]:
        """Check the covariates of new windows against those of fit, and return the ones there are."""
        given = {
            "static": check_covariates("static_covariates", static, rows, wanted=self.window.static),
            "future": check_covariates("future_covariates", future, rows, wanted=self.window.future, horizon=horizon),
        }
        return {name: values for name, values in given.items() if values is not None}

    def check_y(self, y: Array) -> None:
        """Refuse targets of another horizon or dimension than at first."""
        self.check_truth(y, self.window.horizon)

    def check_truth(self, y: Array, horizon: int) -> None:
        """Refuse targets of another horizon than this, or of another dimension than at first."""
        wanted = (horizon, self.window.targets)
        if y.shape[1:] != wanted:
            raise DataError(
                "y",
                expected=f"shape [N, {wanted[0]}, {wanted[1]}], as before",
                received=f"[N, {y.shape[1]}, {y.shape[2]}]",
                hint="Give the same horizon and targets.",
            )

    def windows(
        self,
        inputs: dict[str, Array],
        y: Array,
        weight: Array | None,
        training: TrainingSpec,
        *,
        seed: int | None = None,
        teacher_forcing: bool = False,
    ) -> ArrayWindows:
        """Return windows, scaled as they are read: in a seeded order to train on, or in their own to validate on."""
        return ArrayWindows(
            inputs,
            y,
            weight,
            scalers=self.scalers,
            batch_size=training.batch_size if seed is not None else max(training.batch_size, 1024),
            steps=training.steps_per_epoch if seed is not None else None,
            seed=seed,
            teacher_forcing=teacher_forcing,
        )

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold everything."""
        arrays = {}
        for name, scaler in self.scalers.items():
            arrays[f"scaler/{name}/loc"] = scaler.loc
            arrays[f"scaler/{name}/scale"] = scaler.scale
        return {"window": self.window.to_dict(), "y_axes": self.y_axes, "scalers": list(self.scalers)}, arrays

    @classmethod
    def from_parts(cls, header: dict[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Build the preparation from the result of `to_parts`.

        Args:
            header: The JSON types.
            arrays: The arrays, in memory or in an open file; other names than `scaler/…` are not looked at.

        Raises:
            ValueError: There are more or fewer numbers than features. It is said before arrays are read.
        """
        window = WindowSpec.from_dict(header["window"])
        widths = {"past": window.features, "y": window.targets, "static": window.static, "future": window.future}
        scalers = {}
        for name in header["scalers"]:
            statistics = [arrays[f"scaler/{name}/{statistic}"] for statistic in ("loc", "scale")]
            for values in statistics:
                if values.shape != (widths[name],):
                    raise ValueError(
                        f"scaling of {name!r} of shape {values.shape}, where it has {widths[name]} columns"
                    )
            scalers[name] = Scaler(*map(np.asarray, statistics))
        return cls(window, scalers, header["y_axes"])


def _target_features(chosen: Any, features: int, targets: int, network: NetworkSpec) -> tuple[int, ...] | None:
    """Return the user's choice as indices; by default all features when there are as many as targets."""
    if chosen is None:
        chosen = tuple(range(features)) if features == targets else None
    elif isinstance(chosen, str):
        check_choice("target_features", chosen, ("none",))
        chosen = None
    elif not isinstance(chosen, Sequence | np.ndarray):
        chosen = (chosen,)
    if network.needs_target_past and chosen is None:
        raise SpecError(
            "target_features",
            expected="the column of X that holds each target's own past",
            received=f"none ({features} features in X, {targets} in y)",
            hint=f"It is needed by {' and '.join(network.readers_of_target_past)}.",
        )
    return None if chosen is None else tuple(chosen)


def _check_season(steps: int, window: WindowSpec, residual: str) -> None:
    assert window.season_length is not None  # the network has checked it
    if steps < window.season_length:
        raise DataError(
            "X",
            expected=f"at least a season, {window.season_length} steps, for residual={residual!r}",
            received=f"{steps} steps",
            hint="Give longer windows, or leave the residual out.",
        )
