"""The forecast that candidates share, and the choice of their shares by losses on hold-out windows."""

import functools
import math
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Self

import numpy as np

from seqcast.data import naive_errors
from seqcast.data.windows import Origins, WindowReader
from seqcast.errors import counted
from seqcast.forecaster.candidates import CANDIDATES, FittedCandidate, reject_without_network, words
from seqcast.forecaster.cold_start import ColdStart
from seqcast.intervals import (
    WHOLE_LEVELS,
    Calibration,
    Copula,
    Dependence,
    ForecastRequest,
    bounded,
    calibrated,
)
from seqcast.pretrained import sharing_inputs
from seqcast.runtime import Array, percentages, tracked

# Most numbers in the contexts of a block of windows, so that memory does not grow with the number
# of forecasts.
MOST_NUMBERS = 2**24
# Most origins of a block, after each of which the progress is shown.
MOST_ORIGINS = 4096
# Shares with a small loss are searched in steps of a tenth.
TENTHS = 10
# With this number of cutoffs, the best shares on them and those that follow the losses alone weigh
# the same. Windows of one time are alike: what is a tenth better at one cutoff is often no better
# at the next (docs/history.md).
CAUTIOUS_CUTOFFS = 20
# In the latter, a candidate whose loss is a tenth above the least counts for a third.
SHARPNESS = 10.0
# The largest exponent of a prior share, whose exponential is a number still.
MOST_EXPONENT = 700.0
# A smaller share is not worth a forecast of its own.
LEAST_SHARE = 0.05
# The quantiles that stand for a whole distribution, and their probabilities, rising.
WHOLE = ForecastRequest(level=WHOLE_LEVELS)
ORDER = np.argsort(WHOLE.probabilities_with_point)
PROBABILITIES = np.sort(WHOLE.probabilities_with_point)
# The weights that they have in the mean, which is that of the sample paths.
OF_MEAN = np.diff(np.concatenate([[0.0], (PROBABILITIES[1:] + PROBABILITIES[:-1]) / 2, [1.0]]))
# Most cutoffs whose common scores are remembered: series that end at one time share them.
CUTOFFS = 16
# The loss of networks that were picked as the best of many may seem smaller than it is, by up to
# this factor.
PICKED = 1.2


@dataclass(frozen=True)
class Choice:
    """The shares of candidates in a forecast, and their hold-out losses.

    Args:
        shares: The share of each candidate that is used, by name; they sum to 1.
        losses: The mean quantile loss of each candidate that was compared, in units of the naive
            error, and under `blend` that of the blend; none where nothing was compared.
        windows: Number of hold-out windows; 0 where nothing was compared.

    Example:
        >>> print(Choice({"pretrained": 1.0}, {"seasonal_naive": 0.5, "pretrained": 0.4, "blend": 0.4}, 12))
        the pretrained network (quantile loss on 12 validation windows: the pretrained network 0.4, the last season 0.5)
        >>> print(Choice({"trained": 1.0}))
        a network trained on this data
    """

    shares: Mapping[str, float]
    losses: Mapping[str, float] = field(default_factory=dict)
    windows: int = 0

    def among(self, fitted: Sequence[FittedCandidate]) -> Self:
        """Return the choice with the same shares for candidates after a later training, by their present names.

        The share of a missing candidate is divided among the others.

        Args:
            fitted: The candidates.
        """
        names = {name: each.name for each in fitted for name in CANDIDATES[each.key].words}
        names |= {each.name: each.name for each in fitted}
        shares = dict[str, float]()
        for name in (name for name in self.shares if name in names):
            shares[names[name]] = shares.get(names[name], 0.0) + self.shares[name]
        total = 1.0 if set(self.shares) <= set(names) else sum(shares.values())
        return replace(self, shares={name: share / total for name, share in shares.items()})

    def __str__(self) -> str:
        texts = words()
        several = len(self.shares) > 1
        shares = [
            f"{share} {texts[name]}" if several else texts[name]
            for name, share in percentages(self.shares).items()
        ]
        chosen = " + ".join(shares)
        if not self.losses:
            return chosen
        ranked = sorted((loss, name) for name, loss in self.losses.items() if name != "blend")
        losses = [f"{texts[name]} {loss:.3g}" for loss, name in ranked]
        chance = ""
        if several:
            ahead = sum(loss < self.losses["blend"] for loss, _ in ranked)
            losses.insert(ahead, f"together {self.losses['blend']:.3g}")
            chance = f"; that {texts[ranked[0][1]]} alone is ahead may be chance" if ahead else ""
        windows = counted(self.windows, "validation window")
        return f"{chosen} (quantile loss on {windows}: {', '.join(losses)}{chance})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"shares": dict(self.shares), "losses": dict(self.losses), "windows": self.windows}

    def check(self) -> None:
        """Reject an impossible choice from a file.

        Raises:
            ValueError: A name or a share is impossible.
        """
        if (
            not self.shares
            or set(self.shares) - set(words())
            or set(self.losses) - {*words(), "blend"}
        ):
            raise ValueError(f"a choice of {', '.join(self.shares) or 'nothing'}")
        if min(self.shares.values()) <= 0 or abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"shares {dict(self.shares)}, which should sum to 1")


def pinball(truth: Array, forecast: Array, probabilities: Sequence[float]) -> Array:
    """Return the quantile loss of each number that is forecast, NaN where the truth is missing.

    Args:
        truth: The truth, `[...]`.
        forecast: Quantiles, `[..., Qs]`.
        probabilities: The probability of each.

    Example:
        >>> pinball(np.array([1.0]), np.array([[0.0, 3.0]]), (0.1, 0.9))
        array([[0.1, 0.2]])
    """
    error = truth[..., None] - forecast
    p = np.asarray(probabilities)
    return np.asarray(np.maximum(p * error, (p - 1.0) * error))


def choose(
    truth: Array, forecasts: Mapping[str, Array], probabilities: Sequence[float], *, cutoffs: int
) -> Choice:
    r"""Choose shares of candidates by their quantile loss, the more cautiously the fewer cutoffs there are.

    .. math:: w = \frac{n\, \hat w + n_0\, \bar w}{n + n_0}, \quad
        \bar w_k \propto b_k \exp\Big(-10 \Big(\frac{L_k}{\min_j L_j} - 1\Big)\Big)

    `L` is the quantile loss of a candidate; `b` is its prior weight, 1 for networks and a tenth for
    the last season. So candidates of similar loss have similar shares until many cutoffs show a
    difference, and a much worse one has none. Windows of one time are alike, so cutoffs count,
    however many series there are. The shares with a small loss,
    :math:`\hat w`, are tenths: the candidate that lowers the loss of their mean most is added to it, ten times.

    Args:
        truth: The truth of hold-out windows in units of the naive error, `[B, H, D]`; NaN is
            missing.
        forecasts: Quantiles of each candidate, `[B, H, D, Qs]`, by name.
        probabilities: The probability of each.
        cutoffs: Number of cutoffs, at least a horizon apart, `n`; `n_0` is 20.

    Returns:
        The choice; shares below a twentieth are dropped.

    Example:
        >>> truth = np.zeros((50, 1, 1))
        >>> forecasts = {"pretrained": truth[..., None] + 1, "trained": truth[..., None] - 1}
        >>> choose(truth, forecasts, (0.5,), cutoffs=50).shares
        {'pretrained': 0.5, 'trained': 0.5}

    Source: of the tenths, Caruana et al. 2004, Ensemble selection from libraries of models, section
        2.
    """
    names = list(forecasts)
    known = ~np.isnan(truth)
    y = truth[known]
    quantiles = np.stack([forecasts[name][known] for name in names])
    losses = {
        name: float(pinball(y, each, probabilities).mean())
        for name, each in zip(names, quantiles, strict=True)
    }
    best = _selected(y, quantiles, probabilities)
    shares = (cutoffs * best + CAUTIOUS_CUTOFFS * _cautious(losses)) / (cutoffs + CAUTIOUS_CUTOFFS)
    shares = np.where(shares < LEAST_SHARE, 0.0, shares)
    shares = shares / shares.sum()
    losses["blend"] = float(
        pinball(y, np.tensordot(shares, quantiles, axes=1), probabilities).mean()
    )
    chosen = {name: float(share) for name, share in zip(names, shares, strict=True) if share}
    return Choice(chosen, losses, int(known.any(axis=(1, 2)).sum()))


def _cautious(losses: Mapping[str, float]) -> Array:
    """Return the shares that follow the losses of the candidates alone."""
    least = max(min(losses.values()), np.finfo(float).tiny)
    priors = {name: kind.prior for kind in CANDIDATES.values() for name in kind.words}
    # A least loss of about zero makes every other one infinitely larger, which Python's numbers
    # would not divide.
    most_relative = MOST_EXPONENT / SHARPNESS + 1.0
    relative = {
        name: loss / least if loss < most_relative * least else most_relative
        for name, loss in losses.items()
    }
    weights = [
        priors[name] * math.exp(-SHARPNESS * (each - 1.0)) for name, each in relative.items()
    ]
    return np.array(weights) / sum(weights)


def _selected(y: Array, quantiles: Array, probabilities: Sequence[float]) -> Array:
    """Return shares in tenths with a small loss, from forecasts `[candidates, values, Qs]`."""
    total = np.zeros_like(quantiles[0])
    tenths = np.zeros(len(quantiles))
    for turn in range(1, TENTHS + 1):
        losses = [pinball(y, (total + each) / turn, probabilities).mean() for each in quantiles]
        chosen = int(np.argmin(losses))
        total = total + quantiles[chosen]
        tenths[chosen] = tenths[chosen] + 1
    return tenths / TENTHS


@dataclass(frozen=True)
class Blend:
    r"""Forecast by the weighted mean of the forecasts of candidates.

    .. math:: q_p = \sum_k w_k\, q_{k, p}

    Means of quantiles keep the shape that the forecasts have in common, so that several good
    forecasts are not blurred into a wide one.

    Args:
        candidates: The candidates.
        shares: The share of each, `w`; they sum to 1.
        calibrations: The calibration of each target's intervals; empty for none.
        support: The support of each target; empty for no bounds.
        copula: The dependence of sample paths.
        cold: The series with borrowed rows, whose intervals are wider; `None` where none borrows.

    Source: Lichtendahl, Grushka-Cockayne and Winkler 2013, Is it better to average probabilities or
        quantiles?,
    Management Science 59(7).
    """

    candidates: Sequence[FittedCandidate]
    shares: Sequence[float]
    calibrations: Sequence[Calibration] = ()
    support: Sequence[str] = ()
    copula: Copula = field(default_factory=Copula)
    cold: ColdStart | None = None

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return calibrated forecasts in the data's units, `[B, H, D, 1 + 2 L]`, block by block.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        by_block = []
        for block in _blocks(reader, origins):
            forecast = self._in_units(reader, block, request)
            has_mean = reader.scaler.unit is None and all(each.has_mean for each in self.candidates)
            if request.point == "mean" and not has_mean:
                forecast[..., 0] = self.whole(reader, block) @ OF_MEAN
            by_block.append(bounded(forecast, self.support, is_mean=request.point == "mean"))
        return np.concatenate(by_block)

    @property
    def prior(self) -> Dependence:
        """The dependence of steps before any is learnt: the mean of those of the candidates, by their shares."""
        own = [(each.dependence.shared, each.dependence.persistence) for each in self.candidates]
        return Dependence(*np.average(own, axis=0, weights=self.shares).tolist())

    def _in_units(self, reader: WindowReader, block: Origins, request: ForecastRequest) -> Array:
        """Return calibrated forecasts in the data's units, also outside the support, `[B, H, D, 1 + 2 L]`."""
        forecast = self._scaled(reader, block, request)
        if self.calibrations:
            forecast = calibrated(forecast, request, self.calibrations)
        scaler = block.scalers(reader)
        columns = [scaler.inverse(forecast[..., column]) for column in range(forecast.shape[-1])]
        forecast = np.stack(columns, axis=-1)
        return forecast if self.cold is None else self.cold.widened(forecast, block.series, request)

    def scaled(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return forecasts in scaled units, not calibrated, `[B, H, D, 1 + 2 L]`, or only their points.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        return np.concatenate(
            [self._scaled(reader, block, request) for block in _blocks(reader, origins)]
        )

    @sharing_inputs()
    def _scaled(self, reader: WindowReader, block: Origins, request: ForecastRequest) -> Array:
        forecasts = (each.forecast(reader, block, request) for each in self.candidates)
        if len(self.candidates) == 1:
            return next(forecasts)
        return np.asarray(
            sum(share * forecast for share, forecast in zip(self.shares, forecasts, strict=True))
        )

    def whole(self, reader: WindowReader, block: Origins) -> Array:
        """Return the quantiles of `WHOLE` in the data's units, calibrated, `[B, H, D, Q]`; not below zero, not rounded.

        Args:
            reader: The window reader.
            block: Where forecasts begin; as many as memory allows.
        """
        forecast = self._in_units(reader, block, WHOLE)
        quantiles = np.maximum.accumulate(
            np.broadcast_to(forecast, (*forecast.shape[:3], len(ORDER)))[..., ORDER], -1
        )
        least = np.array([-np.inf if each == "real" else 0.0 for each in self.support or ("real",)])
        return np.asarray(np.maximum(quantiles, least[:, None]))

    def paths(
        self, reader: WindowReader, origins: Origins, cutoffs: Array, samples: int
    ) -> Iterator[Array]:
        """Yield the sample paths of each window in the data's units, `[samples, H, D]`.

        Each step is drawn from the quantiles of the forecast, and within the support; `copula`
        joins steps and series. A count is the whole number below or above a quantile, by chance, so
        that means stay. Paths of a series do not depend on which others are forecast.

        Args:
            reader: The window reader.
            origins: Where forecasts begin.
            cutoffs: The last known time of each, a whole number `>= 0`, `[B]`.
            samples: Number of paths.
        """
        shape = (samples, origins.horizon, reader.targets.width)
        draw = self.copula.steps.scores
        common = functools.lru_cache(CUTOFFS)(
            lambda cutoff: draw(np.random.default_rng(cutoff), shape)
        )
        counts = np.array([each == "counts" for each in self.support or ("real",)])
        keys = [zlib.crc32(repr(reader.targets.ids[series]).encode()) for series in origins.series]
        seeds = zip(keys, cutoffs.tolist(), strict=True)
        for block in _blocks(reader, origins):
            for quantiles, (key, cutoff) in zip(self.whole(reader, block), seeds, strict=False):
                rng = np.random.default_rng([key, cutoff])
                paths = at_ranks(quantiles, self.copula.ranks(draw(rng, shape), common(cutoff)))
                if counts.any():
                    paths = np.where(counts, np.floor(paths + rng.random(shape)), paths)
                yield bounded(paths[..., None], self.support)[..., 0]

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the states of the encoders after each window's past, network after network, `[B, width]`.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
        """
        encoding = [each for each in self.candidates if each.networks]
        if not encoding:
            reject_without_network("encode")
        by_candidate = [
            np.concatenate([each.states(reader, block) for block in _blocks(reader, origins)])
            for each in encoding
        ]
        return np.concatenate(by_candidate, axis=1)

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, those of the first networks, `[B, H, T]`.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.

        Raises:
            SpecError: They have no attention.
        """
        first = next((each for each in self.candidates if each.networks), self.candidates[0])
        return np.concatenate(
            [first.attention(reader, block) for block in _blocks(reader, origins)]
        )


def _blocks(reader: WindowReader, origins: Origins) -> Iterator[Origins]:
    """Yield blocks of origins that memory allows."""
    numbers = reader.width * (reader.context_length + origins.horizon)
    size = min(max(128, MOST_NUMBERS // numbers), MOST_ORIGINS)
    return tracked(origins.blocks(size), "forecasting", math.ceil(len(origins) / size))


def at_ranks(quantiles: Array, ranks: Array) -> Array:
    """Return the values of a forecast at ranks, `[samples, H, D]`: straight lines between quantiles, constant beyond.

    Args:
        quantiles: The quantiles of `PROBABILITIES`, `[H, D, Q]`.
        ranks: Ranks between 0 and 1, `[samples, H, D]`.
    """
    places = np.interp(ranks, PROBABILITIES, np.arange(len(PROBABILITIES)))
    low = np.minimum(places.astype(int), len(PROBABILITIES) - 2)
    steps, targets = np.ogrid[: quantiles.shape[0], : quantiles.shape[1]]
    below, above = (quantiles[steps, targets, side] for side in (low, low + 1))
    return np.asarray(below + (places - low) * (above - below))


@dataclass(frozen=True)
class HoldOut:
    """The hold-out windows, on which candidates are compared.

    Args:
        reader: The window reader of the rows.
        origins: Where forecasts begin.
        request: Point and intervals that are compared.
        season_length: Steps of a season.
    """

    reader: WindowReader
    origins: Origins
    request: ForecastRequest
    season_length: int = 1

    def __len__(self) -> int:
        return int((~np.isnan(self.truth)).any(axis=(1, 2)).sum()) if len(self.origins) else 0

    @cached_property
    def units(self) -> Array:
        """The naive error of each window's series, `[B, 1, D]`; NaN where it does not change, 1 if none does.

        Where rows have weights, it is divided by them, `[B, H, D]`: so losses in these units are
        weighted.
        """
        errors = naive_errors(self.reader.targets, self.reader.lengths, self.season_length)
        errors = np.where(np.isnan(errors).all(), 1.0, errors)[self.origins.series][:, None]
        weights = self.reader.weights(self.origins.series, self.origins.stops, self.origins.horizon)
        return errors if weights is None else errors * np.nanmean(weights) / weights

    @cached_property
    def truth(self) -> Array:
        """The truth in units of the naive error, `[B, H, D]`; NaN is missing."""
        return (
            self.origins.scalers(self.reader).inverse(self.origins.truth(self.reader)) / self.units
        )

    def forecast(self, candidate: FittedCandidate) -> Array:
        """Return the forecasts of a candidate in units of the naive error, `[B, H, D, 1 + 2 L]`.

        Args:
            candidate: The candidate.
        """
        return (
            Blend([candidate], [1.0]).forecast(self.reader, self.origins, self.request)
            / self.units[..., None]
        )

    def loss(self, forecast: Array) -> float:
        """Return the mean quantile loss of forecasts.

        Args:
            forecast: The forecasts in units of the naive error, `[B, H, D, 1 + 2 L]`.
        """
        known = ~np.isnan(self.truth)
        return float(
            pinball(
                self.truth[known], forecast[known], self.request.probabilities_with_point
            ).mean()
        )

    def best(self, versions: Sequence[FittedCandidate]) -> tuple[FittedCandidate, Array]:
        """Return the best version of a candidate, the last of equal ones, and its forecasts.

        Args:
            versions: The versions.
        """
        forecasts = [self.forecast(version) for version in versions]
        losses = [
            self.loss(forecast) * each.caution
            for each, forecast in zip(versions, forecasts, strict=True)
        ]
        place = max(range(len(versions)), key=lambda each: (-losses[each], each))
        return versions[place], forecasts[place]

    def choice(self, forecasts: Mapping[str, Array]) -> Choice:
        """Return the shares of candidates.

        Args:
            forecasts: The forecasts of each, by its name.
        """
        cutoffs = count_cutoffs(self.origins, self.reader.lengths)
        return choose(self.truth, forecasts, self.request.probabilities_with_point, cutoffs=cutoffs)

    def judged(
        self, own: Choice, forecasts: Mapping[str, Array], name: str, judge: FittedCandidate
    ) -> Choice:
        """Return the choice for networks that were picked as the best of many on these windows.

        Args:
            own: The choice with their forecasts.
            forecasts: The forecasts of all candidates, by name.
            name: Name of the candidate whose networks were picked.
            judge: Its judge.
        """
        theirs = self.choice({**forecasts, name: self.forecast(judge)})
        return own if PICKED * own.losses[name] < theirs.losses[name] else theirs


def count_cutoffs(origins: Origins, lengths: Array) -> int:
    """Return the number of cutoffs of all series that are at least a horizon apart, counted back from their ends.

    Args:
        origins: The origins of the windows.
        lengths: Rows of each series.
    """
    return len(np.unique((lengths[origins.series] - origins.stops) // origins.horizon))
