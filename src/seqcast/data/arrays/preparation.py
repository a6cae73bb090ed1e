"""Preparation of arrays of windows, learned by a fit: their sizes, their scaling, the axes of y."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from seqcast.data.arrays.array_checks import CheckedWindows, check_covariates
from seqcast.data.series import Scaler
from seqcast.data.windows import ArrayWindows
from seqcast.errors import DataError, SpecError
from seqcast.runtime import Array
from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec, check_choice


@dataclass(frozen=True)
class Preparation:
    """From checked arrays to scaled windows, and from scaled forecasts back.

    Args:
        window: Sizes of a window; its context length is fixed where the past came as `[N, T]`.
        scalers: Scaling of `past`, `y`, `static` and `future`.
        y_axes: Number of axes that y had.
        feature_names: Names of the columns of a past that came as a frame `[N, T]`, otherwise
            `None`.

    Example:
        >>> past = np.arange(12.0).reshape(2, 6, 1)
        >>> windows = CheckedWindows({"past": past}, np.zeros((2, 3, 1)), y_axes=3)
        >>> preparation = Preparation.learn(windows, NetworkSpec(), scale="standard")
        >>> preparation.window.horizon, preparation.window.target_features
        (3, (0,))
    """

    window: WindowSpec
    scalers: dict[str, Scaler]
    y_axes: int
    feature_names: tuple[str, ...] | None = None

    @property
    def is_flat(self) -> bool:
        """Whether the past came as `[N, T]`, a column for each step, rather than as `[N, T, F]`."""
        return self.window.context_length is not None

    @property
    def n_features_in(self) -> int:
        """Number of features for scikit-learn: columns of `[N, T]`, or features of `[N, T, F]`."""
        window = self.window
        return window.features if window.context_length is None else window.context_length

    @classmethod
    def learn(
        cls,
        windows: CheckedWindows,
        network: NetworkSpec,
        *,
        scale: str,
        target_features: Any = None,
        season_length: int | None = None,
    ) -> Self:
        """Learn sizes and scaling from training windows.

        Args:
            windows: The windows.
            network: The network.
            scale: `standard` or `none`.
            target_features: The user's option.
            season_length: Steps of a season, where there is one.

        Returns:
            The preparation.

        Raises:
            SpecError: An option does not fit the data or the network.
            DataError: The windows are shorter than the season to which the network looks back.
        """
        inputs = windows.inputs
        y = windows.y
        features = inputs["past"].shape[2]
        targets = y.shape[2]

        window = WindowSpec(
            horizon=y.shape[1],
            features=features,
            targets=targets,
            static=inputs["static"].shape[1] if "static" in inputs else 0,
            future=inputs["future"].shape[2] if "future" in inputs else 0,
            target_features=_target_features(target_features, features, targets, network),
            context_length=inputs["past"].shape[1] if windows.is_flat else None,
            season_length=season_length,
        )
        network.check_window(window)
        if network.reads_season:
            _check_season(inputs["past"].shape[1], season_length, network.residual)

        scalers = {name: Scaler.fit(values, scale) for name, values in inputs.items()}
        scalers["y"] = Scaler.fit(y, scale)
        if network.needs_target_past and window.target_features is not None:
            # Past and future of a target meet in the network, so they have to be in the same units.
            scalers["y"] = scalers["past"].columns(window.target_features)
        return cls(window, scalers, windows.y_axes, windows.feature_names)

    def scaled(self, inputs: dict[str, Array]) -> dict[str, Array]:
        """Return the inputs in scaled units.

        Args:
            inputs: The inputs, by name.
        """
        return {name: self.scalers[name].transform(values) for name, values in inputs.items()}

    def in_units(self, forecast: Array) -> Array:
        """Return a scaled forecast, `[N, H, D]`, in the units and with the axes of y.

        Args:
            forecast: The forecast, `[N, H, D]`.
        """
        values = self.scalers["y"].inverse(forecast)
        if self.y_axes == 1 and values.shape[1] == 1:
            return np.asarray(values[:, 0, 0])
        return np.asarray(values[:, :, 0] if self.y_axes < 3 else values)

    def static(self, values: Any, count: int) -> dict[str, Array]:
        """Check static covariates of new windows; return them as the input `static`, if any.

        Args:
            values: The user's values, `[N, S]`, or `None`.
            count: Number of windows, `N`.

        Raises:
            DataError: They are missing, are more than at fit, or have another shape.
        """
        checked = check_covariates("static_covariates", values, count, features=self.window.static)
        return {} if checked is None else {"static": checked}

    def future(self, values: Any, count: int, horizon: int) -> dict[str, Array]:
        """Check known-future covariates; return them as the input `future`, if any.

        Args:
            values: The user's values, `[N, H, F']`, or `None`.
            count: Number of windows, `N`.
            horizon: Steps that they have to cover.
        """
        checked = check_covariates(
            "future_covariates", values, count, features=self.window.future, horizon=horizon
        )
        return {} if checked is None else {"future": checked}

    def check_y(self, y: Array, horizon: int | None = None) -> None:
        """Reject targets of another horizon, or with another number of targets, than expected.

        Args:
            y: The targets, `[N, H, D]`.
            horizon: The horizon that is expected; `None` is that of the fit.
        """
        expected = self.window.horizon if horizon is None else horizon, self.window.targets
        if y.shape[1:] != expected:
            shape = f"shape [N, {expected[0]}, {expected[1]}], as before"
            raise DataError(
                "y",
                expected=shape,
                received=f"[N, {y.shape[1]}, {y.shape[2]}]",
                hint="Give the same horizon and targets.",
            )

    def batches(
        self,
        windows: CheckedWindows,
        training: TrainingSpec,
        *,
        seed: int | None = None,
        teacher_forcing: bool = False,
    ) -> ArrayWindows:
        """Return windows as batches, each of which is scaled when it is read.

        Args:
            windows: The windows.
            training: Spec with the batch size and the steps of an epoch.
            seed: Seed of their order, to train on them; `None` keeps their own order, to validate
                on them.
            teacher_forcing: Whether the decoder reads the true targets.
        """
        return ArrayWindows(
            windows.inputs,
            windows.y,
            windows.weight,
            scalers=self.scalers,
            batch_size=training.batch_size if seed is not None else max(training.batch_size, 1024),
            steps=training.steps_per_epoch if seed is not None else None,
            seed=seed,
            teacher_forcing=teacher_forcing,
        )

    def check(self) -> None:
        """Reject fields of a file that do not belong together.

        Raises:
            ValueError: They do not.
        """
        window = self.window
        if self.y_axes not in (1, 2, 3):
            raise ValueError(f"a y of {self.y_axes} axes")

        columns = {
            "past": window.features,
            "y": window.targets,
            "static": window.static,
            "future": window.future,
        }
        widths = {name: width for name, width in columns.items() if width}
        if set(self.scalers) != set(widths):
            raise ValueError(
                f"scaling of {', '.join(self.scalers)}, where there are {', '.join(widths)}"
            )

        for name, width in widths.items():
            scaler = self.scalers[name]
            for values in (scaler.loc, scaler.scale):
                if values.shape != (width,) or values.dtype.kind != "f":
                    raise ValueError(
                        f"scaling of {name!r} of shape {values.shape}, where it has {width} columns"
                    )
            if not (np.isfinite(scaler.loc) & (scaler.scale > 0)).all():
                raise ValueError(f"scaling of {name!r} by numbers that are no scale")


def _target_features(
    option: Any, features: int, targets: int, network: NetworkSpec
) -> tuple[int, ...] | None:
    """Return the user's option as indices; by default all features if as many as targets."""
    indices: tuple[int, ...] | None = None
    if isinstance(option, str):
        check_choice("target_features", option, ("none",))
    elif isinstance(option, Sequence | np.ndarray):
        indices = tuple(option)
    elif option is not None:
        indices = (option,)
    elif features == targets:
        indices = tuple(range(features))

    if network.needs_target_past and indices is None:
        raise SpecError(
            "target_features",
            expected="the column of X that holds each target's own past",
            received=f"none ({features} features in X, {targets} in y)",
            hint=f"It is needed by {' and '.join(network.readers_of_target_past)}.",
        )
    return indices


def _check_season(steps: int, season_length: int | None, residual: str) -> None:
    if season_length is not None and steps < season_length:
        raise DataError(
            "X",
            expected=f"at least a season, {season_length} steps, for residual={residual!r}",
            received=f"{steps} steps",
            hint="Give longer windows, or leave the residual out.",
        )
