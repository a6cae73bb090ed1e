"""Effects of covariates on series: a ridge regression in the past of each window.

Nothing is trained. A zero-shot model forecasts what the effects leave of a series; those of the
known future are added to its forecast.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Self

import numpy as np

from seqcast.data import Season
from seqcast.data.windows import Origins, WindowReader, forward_fill
from seqcast.pretrained.seasonal_inputs import pieces
from seqcast.runtime import Array, in_threads, one_blas_thread

# Most rows of a window that the regression reads.
ROWS = 2048
# Rows after which one counts a half.
HALF_LIFE = 512
# The pooled coefficients count as much as this number of rows; those of terms that are not pooled
# are zero.
POOLED_ROWS = 10.0
# Series, evenly spread, from which coefficients are pooled.
MOST_SERIES = 500
# Waves of a season that are no effects of covariates.
WAVES = 12
# Waves of the longer season that are no effects either.
LONGER_WAVES = 6
# Weight of the squares of the coefficients of all these waves.
PENALTY = 0.1
# Waves of a season with which covariates are multiplied.
PHASES = 2
# Covariates are clipped to this number of deviations, so that powers of rare values stay small.
LARGEST = 4.0
# Numbers in the terms of windows that are solved at once, which the processor's cache holds.
NUMBERS_AT_ONCE = 2**17


def _waves(steps: Array, season_length: int, most: int) -> Array:
    """Return cosines and sines of the first waves of a season, `[T, 2 waves]`."""
    numbers = np.arange(1, min(most, season_length // 2) + 1)
    angles = 2 * np.pi * np.outer(steps, numbers) / season_length
    return np.concatenate([np.cos(angles), np.sin(angles)], axis=1)


def _season_means(values: Array, season_length: int) -> Array:
    """Return the mean over a season around each step, `[B, S, f]`; at the ends over fewer."""
    sums = np.cumsum(np.pad(values, ((0, 0), (1, 0), (0, 0))), axis=1)
    steps = np.arange(values.shape[1])
    half = season_length // 2
    low = np.maximum(steps - half, 0)
    high = np.minimum(steps + half + 1, len(steps))
    return np.asarray((sums[:, high] - sums[:, low]) / (high - low)[:, None])


def _season_deviations(values: Array, season: int) -> Array:
    """Return the deviation within the season around each step, `[B, S, f]`."""
    variances = _season_means(values**2, season) - _season_means(values, season) ** 2
    return np.asarray(np.sqrt(np.maximum(variances, 0.0)))


def _earlier(values: Array, steps: int) -> Array:
    """Return the values a number of steps before; the first ones are repeated."""
    return values[:, np.maximum(np.arange(values.shape[1]) - steps, 0)]


def _times_phases(values: Array, season_length: int) -> Array:
    """Return the products with waves of the season, wave after wave, `[B, S, waves f]`."""
    waves = _waves(np.arange(values.shape[1]), season_length, PHASES)
    return np.asarray((values[:, :, None] * waves[:, :, None]).reshape(*values.shape[:2], -1))


@dataclass(frozen=True)
class Term:
    """A function of covariates that has coefficients.

    Args:
        of: Returns it, `[B, S, columns]`, from covariates, `[B, S, f]`, and the steps of a season.
        of_flags: Whether flags have it too, not numbers alone.
        pooled: Whether its coefficients of other series say something about those of a window.
    """

    of: Callable[[Array, int], Array]
    of_flags: bool = False
    pooled: bool = True


VALUE = Term(lambda values, _: values, of_flags=True)
SQUARE = Term(lambda values, _: values**2)
CUBE = Term(lambda values, _: values**3)
# The change over an eighth of a season: three hours of a day.
CHANGE = Term(lambda values, season: values - _earlier(values, max(1, season // 8)))
MEAN = Term(_season_means)
DEVIATION = Term(_season_deviations)
MEAN_BEFORE = Term(lambda values, season: _earlier(_season_means(values, season), season))
# Windows begin anywhere in a season, so coefficients of phases belong to one window.
PHASE = Term(_times_phases, of_flags=True, pooled=False)
MEAN_PHASE = Term(
    lambda values, season: _times_phases(_season_means(values, season), season), pooled=False
)
DEVIATION_PHASE = Term(
    lambda values, season: _times_phases(_season_deviations(values, season), season), pooled=False
)

FORMS: Mapping[str, tuple[Term, ...]] = {
    "curved": (VALUE, SQUARE, CUBE, PHASE, CHANGE),
    "seasonal": (VALUE, MEAN, DEVIATION, MEAN_BEFORE),
    "phased": (VALUE, PHASE, MEAN, DEVIATION, MEAN_PHASE, DEVIATION_PHASE),
}
"""The terms of each regression; their mean was better than each, and than one with all terms."""


@dataclass(frozen=True)
class Regression:
    r"""A regression of the targets of a window on terms of covariates, in scaled units.

    .. math:: \hat\beta = \operatorname{argmin}_\beta \min_\gamma
        \sum_t w_t (y_t - n_t' \gamma - g_t' \beta)^2
        + \tfrac{1}{10} |\gamma|^2 + 10 \sum_j v_j (\beta_j - \bar\beta_j)^2

    Terms `g` of the covariates have coefficients; level, trend and seasons `n` have nuisance ones.
    Weights `w` fall to a half in 512 rows. The pooled coefficients count as ten rows, where `v` are
    the mean squares of the terms.

    Args:
        form: Key of its terms in `FORMS`.
        numbers: Which features of the covariates are numbers, not flags, `f`.
        season_length: Steps of a season; 1 is none.
        pooled: Pooled coefficients of each target, `[D, g]`.
        squares: Mean squares of the terms, `[g]`.

    Source: Frisch and Waugh 1933, Partial time regressions as compared with individual trends,
        Econometrica 1(4), for the nuisance; Lindley and Smith 1972, Bayes estimates for the linear
        model, for the pooling.
    """

    form: str
    numbers: tuple[bool, ...]
    season_length: int
    pooled: Array
    squares: Array

    @property
    def _owners(self) -> list[Array]:
        """Number of the feature that each column of each term belongs to."""
        waves = 2 * min(PHASES, self.season_length // 2)
        return [np.tile(self._read(term), 1 if term.pooled else waves) for term in FORMS[self.form]]

    def _read(self, term: Term) -> Array:
        """Return the numbers of the features that a term is computed from."""
        return np.arange(len(self.numbers)) if term.of_flags else np.flatnonzero(self.numbers)

    def pool(self, values: Array, covariates: Array) -> Self:
        """Return the effects with coefficients that are pooled over windows.

        Args:
            values: As for `of`, `[B, T, D]`.
            covariates: Their covariates, `[B, T, f]`.
        """
        moments = np.zeros(())
        products = np.zeros(())
        squares = np.zeros(())
        rows = np.zeros(())
        for piece in self._pieces(covariates, values.shape[2]):
            terms = self._terms(covariates[piece])
            known = ~np.isnan(values[piece]).all(axis=2)
            squares = squares + np.einsum("bt,btg->g", known, terms**2)
            rows = rows + known.sum()
            own_moments, own_products = _normal_equations(terms, values[piece], self.season_length)
            moments = moments + own_moments.sum(axis=0)
            products = products + own_products.sum(axis=0)

        squares = squares / np.maximum(rows, 1) + 1e-9
        shrunk = moments + POOLED_ROWS * np.diag(squares)
        pooled = np.linalg.solve(shrunk, products[..., None])[..., 0]

        is_of_window = [not term.pooled for term in FORMS[self.form]]
        of_window = np.repeat(is_of_window, [len(each) for each in self._owners])
        return replace(self, pooled=np.where(of_window, 0.0, pooled), squares=squares)

    def of(self, values: Array, covariates: Array) -> Array:
        """Return the effects in windows, `[B, T + H, D]`, in scaled units.

        Args:
            values: Their known values in scaled units, `[B, T, D]`; NaN is missing.
            covariates: Their covariates, encoded, `[B, T + H, f]`; NaN is missing.
        """
        return self._by_piece(
            values, covariates, lambda terms, weights: terms @ weights.swapaxes(1, 2)
        )

    def by_feature(self, values: Array, covariates: Array) -> Array:
        """Return the effect of each feature on each step of the horizon, `[B, H, D, f]`."""
        steps = values.shape[1]
        owners = np.eye(len(self.numbers))[np.concatenate(self._owners)]
        return self._by_piece(
            values,
            covariates,
            lambda terms, weights: terms[:, steps:, None] * weights[:, None] @ owners,
        )

    def _by_piece(
        self, values: Array, covariates: Array, result: Callable[[Array, Array], Array]
    ) -> Array:
        """Return a result of terms, `[b, S, g]`, and coefficients, `[b, D, g]`, piece by piece."""
        known = slice(max(0, values.shape[1] - ROWS), values.shape[1])
        prior = POOLED_ROWS * self.squares

        def solved(piece: slice) -> Array:
            terms = self._terms(covariates[piece])
            moments, products = _normal_equations(
                terms[:, known], values[piece, known], self.season_length
            )
            sides = (products + prior * self.pooled)[..., None]
            return result(terms, np.linalg.solve(moments + np.diag(prior), sides)[..., 0])

        with one_blas_thread():
            return np.concatenate(in_threads(solved, self._pieces(covariates, values.shape[2])))

    def _pieces(self, covariates: Array, targets: int) -> list[slice]:
        """Return the windows of pieces that the processor's cache holds."""
        width = sum(map(len, self._owners))
        numbers = covariates.shape[1] * max(1, width) * targets
        return pieces(len(covariates), numbers, at_once=NUMBERS_AT_ONCE)

    def _terms(self, covariates: Array) -> Array:
        """Return the terms of windows, `[b, S, g]`."""
        values = np.clip(np.nan_to_num(forward_fill(covariates.astype(float))), -LARGEST, LARGEST)
        terms = [
            term.of(values[:, :, self._read(term)], self.season_length) for term in FORMS[self.form]
        ]
        return np.concatenate(terms, axis=2)

    def check(self, targets: int) -> None:
        """Reject a regression of a file whose fields do not fit together.

        Args:
            targets: Number of targets.

        Raises:
            ValueError: They do not.
        """
        if self.form not in FORMS or self.season_length < 1:
            raise ValueError(
                f"a regression on {self.form!r} terms in seasons of {self.season_length}"
            )
        width = sum(map(len, self._owners))
        is_finite = np.isfinite(self.pooled).all() and np.isfinite(self.squares).all()
        sound = is_finite and (self.squares > 0).all()
        if self.pooled.shape != (targets, width) or self.squares.shape != (width,) or not sound:
            raise ValueError(f"coefficients of shape {self.pooled.shape} of {width} terms")


def _normal_equations(terms: Array, values: Array, season_length: int) -> tuple[Array, Array]:
    """Return moments, `[B, D, g, g]`, and products, `[B, D, g]`, without the nuisance."""
    by_target = values.astype(float).swapaxes(1, 2)
    nuisance = _nuisance(terms.shape[1], season_length)
    known = ~np.isnan(by_target)
    steps, count = nuisance.shape

    weights = np.where(known, 0.5 ** (np.arange(steps)[::-1] / HALF_LIFE), 0.0)
    sums = (weights * np.nan_to_num(by_target)).sum(axis=2, keepdims=True)
    level = sums / np.maximum(weights.sum(axis=2, keepdims=True), 1e-9)

    parts = terms[:, None], np.where(known, by_target - level, 0.0)[..., None]
    columns = np.concatenate(
        [np.broadcast_to(part, (*known.shape, part.shape[-1])) for part in parts], axis=3
    )

    weighted = columns * weights[..., None]
    cross = nuisance.T @ weighted

    # Windows without gaps have the moments of the nuisance in common, which are most of the work.
    alike = weights[:1, :1] if known.all() else weights
    moments = (nuisance.T * alike[:, :, None]) @ nuisance + PENALTY * np.eye(count)
    explained = np.linalg.solve(np.broadcast_to(moments, (*known.shape[:2], count, count)), cross)

    left = columns.swapaxes(2, 3) @ weighted - cross.swapaxes(2, 3) @ explained
    return left[..., :-1, :-1], left[..., :-1, -1]


def _nuisance(steps: int, season_length: int) -> Array:
    """Return level, trend and seasons of a window, `[T, n]`."""
    season = Season.of(season_length)
    back = np.arange(steps) - steps
    longer = season.longer if season.longer and steps >= 2 * season.longer else 1
    waves = _waves(back, season.length, WAVES), _waves(back, longer, LONGER_WAVES)

    return np.concatenate([np.ones((steps, 1)), back[:, None] / steps, *waves], axis=1)


def window_columns(reader: WindowReader, origins: Origins, count: int) -> tuple[Array, Array]:
    """Return the targets, `[B, T, D]`, and known-future features of windows, `[B, T + H, count]`.

    Args:
        reader: The window reader of the series.
        origins: Where the windows end.
        count: Number of the features, the first ones.
    """
    inputs = origins.inputs(replace(reader, observed=True))
    targets = reader.targets.width
    first = inputs["past"].shape[2] - reader.future
    covariates = [inputs["past"][:, :, first : first + count], inputs["future"][:, :, :count]]
    return inputs["past"][:, :, :targets], np.concatenate(covariates, axis=1)


@dataclass(frozen=True)
class CovariateEffects:
    """Effects of covariates on the targets of a window: the mean of several regressions.

    They are in scaled units.

    Args:
        names: Name of each feature of the covariates, the first ones of the known future.
        regressions: The regressions.

    Example:
        >>> promotion = (np.arange(60) % 5 == 0).astype(float)
        >>> sales = 2 * promotion + np.sin(np.arange(60))
        >>> plain = Regression("seasonal", (False,), 1, np.zeros((1, 0)), np.zeros(0))
        >>> windows = sales[None, :50, None], promotion[None, :, None]
        >>> pooled = plain.pool(windows[0], windows[1][:, :50])
        >>> effects = CovariateEffects(("promotion",), (pooled,))
        >>> effects.of(*windows)[0, 50:, 0].round(1).tolist()
        [1.9, 0.0, 0.0, 0.0, 0.0, 1.9, 0.0, 0.0, 0.0, 0.0]
    """

    names: tuple[str, ...]
    regressions: tuple[Regression, ...]

    @classmethod
    def learn(
        cls, reader: WindowReader, stops: Array, names: tuple[str, ...], season_length: int
    ) -> Self:
        """Pool coefficients over the last training rows of series.

        Args:
            reader: The window reader of the series.
            stops: Number of training rows of each.
            names: As for the class.
            season_length: Steps of a season; 1 is none.
        """
        series = np.unique(np.linspace(0, len(stops) - 1, min(len(stops), MOST_SERIES)).astype(int))
        near = reader.with_context(min(reader.context_length, ROWS, int(stops.max())))
        values, covariates = window_columns(
            near, Origins.at_rows(series, stops[series], 1), len(names)
        )
        covariates = covariates[:, :-1]
        numbers = tuple(
            len(np.unique(column[~np.isnan(column)])) > 2
            for column in np.moveaxis(covariates, 2, 0)
        )
        unknown = np.zeros((values.shape[2], 0)), np.zeros(0)
        blank = [Regression(form, numbers, season_length, *unknown) for form in FORMS]
        return cls(names, tuple(each.pool(values, covariates) for each in blank))

    def of(self, values: Array, covariates: Array) -> Array:
        """Return the effects in windows, `[B, T + H, D]`; arguments as for `Regression.of`.

        Args:
            values: Their known values in scaled units, `[B, T, D]`; NaN is missing.
            covariates: Their covariates, encoded, `[B, T + H, f]`; NaN is missing.
        """
        first = self._first(values)
        own = values[:, first:], covariates[:, first:]
        effects = np.mean([each.of(*own) for each in self.regressions], axis=0)
        return np.pad(effects, ((0, 0), (first, 0), (0, 0)))

    def by_feature(self, values: Array, covariates: Array) -> Array:
        """Return the effect of each feature on each step of the horizon, `[B, H, D, f]`.

        Args:
            values: As for `of`.
            covariates: As for `of`.
        """
        first = self._first(values)
        own = values[:, first:], covariates[:, first:]
        return np.asarray(np.mean([each.by_feature(*own) for each in self.regressions], axis=0))

    def _first(self, values: Array) -> int:
        """Return a step, whole seasons after the first, before which no window has a value."""
        season = self.regressions[0].season_length
        unknown = np.isnan(values).all(axis=(0, 2))
        return int(np.argmin(unknown)) // season * season

    def check(self, targets: int, names: tuple[str, ...]) -> None:
        """Reject effects of a file that do not fit the rest of it.

        Args:
            targets: Number of targets.
            names: Name of each feature of the covariates.

        Raises:
            ValueError: They do not fit.
        """
        if (
            self.names != names
            or not self.regressions
            or any(len(names) != len(r.numbers) for r in self.regressions)
        ):
            raise ValueError(f"effects of {self.names}, where there are {names}")
        for each in self.regressions:
            each.check(targets)
