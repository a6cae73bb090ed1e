"""Series that begin, which borrow rows from series like them so that forecasts are sane.

The borrowed rows are means of those of the series nearest by static covariates, at the same time
stamps. Their level is what static covariates and own rows suggest. Candidates read them as past:
they have season, trend and covariates.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist
from typing import Any, Self

import narwhals.stable.v2 as nw
import numpy as np

from seqcast.data.frames import LongFrame, open_frame
from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import WindowReader
from seqcast.errors import DataError
from seqcast.forecaster.series_state import FARTHEST, SeriesState
from seqcast.intervals import ForecastRequest
from seqcast.runtime import Array
from seqcast.tables import ReadTable

# Fewest series to borrow from, and most: the nearest by static covariates.
FEWEST = 3
NEAREST = 20
# Weight of the squares of the coefficients of static covariates.
PENALTY = 1.0


@dataclass(frozen=True)
class Panel:
    """The remembered series that others borrow from.

    Args:
        state: The state of the series.
        least: Rows below which a series borrows, and with which others lend.
    """

    state: SeriesState
    least: int

    @cached_property
    def lenders(self) -> Array:
        """Numbers of the series that lend: those with enough late values that are not all zero."""
        frame = self._late
        sizes = np.add.reduceat(np.abs(np.nan_to_num(frame.targets)), frame.source.starts)
        known = frame.count_observed(frame.source.lengths).min(axis=1)
        return np.flatnonzero((known >= self.least) & (sizes > 0).all(axis=1))

    @cached_property
    def _late(self) -> LongFrame:
        return self.state.frame.tail(4 * self.least)

    @property
    def lends(self) -> bool:
        """Whether there are enough series to borrow from."""
        return self.state.frequency is not None and len(self.lenders) >= FEWEST

    @cached_property
    def is_positive(self) -> bool:
        """Whether levels differ by factors, since no value is negative."""
        return bool(np.nanmin(self.state.frame.targets) >= 0)

    @cached_property
    def levels(self) -> Array:
        """Mean of the last values of each lender, `[K, D]`."""
        return self._statistic(np.nanmean)

    @cached_property
    def scales(self) -> Array:
        """What deviations of each lender are measured in, `[K, D]`: its level, or its deviation."""
        return self.levels if self.is_positive else np.maximum(self._statistic(np.nanstd), 1e-12)

    def _statistic(self, of: Any) -> Array:
        late = self._late.target_store
        return np.stack([of(late.series(place), axis=0) for place in self.lenders.tolist()])

    @cached_property
    def static(self) -> Array:
        """Static features of all remembered series, `[N, S]`."""
        return self.static_of(self.state.frame)

    def static_of(self, frame: LongFrame) -> Array:
        """Return the static features of series, `[N, S]`.

        Args:
            frame: The series, checked.
        """
        features = self.state.builder.static_features(frame)
        return np.zeros((len(frame.source), 0)) if features is None else features.astype(float)

    def rows_around(self, first: Any, count: int, static: Array) -> tuple[Array, Array, Any] | None:
        """Return the rows of the nearest lenders that have one right before a stamp.

        Args:
            first: The stamp, an index of one.
            count: Rows that follow from this stamp on.
            static: Static features of the series that borrows, `[S]`.

        Returns:
            The places of `K` lenders, their rows `[K, R + count, columns]`, NaN where there are
            none, and the `R` stamps before; `None` where no lender has that row.
        """
        frame = self.state.frame
        frequency = self.state.frequency
        near = list[tuple[int, int]]()

        distances = np.square(self.static[self.lenders] - static).sum(axis=1)
        for place in np.argsort(distances, kind="stable"):
            start = frame.source.starts[self.lenders[place]]
            end = frame.source.ends[self.lenders[place]]
            own = frame.stamps[start:end]
            before = int(own.searchsorted(first[0]))
            if (
                before
                and frequency is not None
                and frequency.after(own[before - 1 : before], 1)[0] == first[0]
            ):
                near.append((int(place), before))
            if len(near) == NEAREST:
                break

        if not near:
            return None

        places, stops = np.array(near).T
        series = self.lenders[places]
        longest = int(stops.max())
        rows = WindowReader(frame.source, None, self.state.scaler, longest).values(
            series, stops, count
        )
        start = frame.source.starts[series[stops.argmax()]]
        return places, rows, frame.stamps[start : start + longest]

    def expected(self, static: Array) -> tuple[Array, Array, Array]:
        r"""Return level and scale of a series that begins, and the level's variance, `[D]` each.

        A ridge regression of the lenders' levels, or of their logarithms, on static covariates; the
        variance is that of errors without the lender itself.

        Args:
            static: Its static features, `[S]`.
        """
        features = self.static[self.lenders]
        centre = features.mean(axis=0)
        centred = features - centre
        values = np.log(self.levels) if self.is_positive else self.levels

        solved = np.linalg.solve(
            centred.T @ centred + PENALTY * np.eye(centred.shape[1]), centred.T
        )

        leverage = np.einsum("ks,sk->k", centred, solved) + 1 / len(centred)
        mean = values.mean(axis=0)
        errors = (values - mean - centred @ (solved @ (values - mean))) / np.maximum(
            1 - leverage, 0.1
        )[:, None]

        level = mean + (static - centre) @ (solved @ (values - mean))
        level = np.exp(level) if self.is_positive else level
        scale = level if self.is_positive else np.median(self.scales, axis=0)
        return level, scale, np.mean(errors**2, axis=0) + 1e-12


@dataclass(frozen=True)
class Loan:
    """What a series that begins borrows.

    Args:
        values: Values of the borrowed rows, `[R, columns]`.
        stamps: Their stamps.
        own: Targets of its own rows, expected ones where it has none, `[n, D]`.
        variances: Those of its noise and of its level, `[2, D]`; of logarithms where levels differ
            by factors.
    """

    values: Array
    stamps: Any
    own: Array
    variances: Array

    @classmethod
    def of(cls, panel: Panel, static: Array, first: Any, own: Array) -> Self | None:
        r"""Return the loan of a series; `None` where no other series has the row before its first.

        .. math:: y_t = \ell b_t + o_t + \epsilon_t, \quad
            \hat\ell = \frac{k \ell_0 + \sum_t (y_t - o_t)}{k + \sum_t b_t}, \quad k =
            \frac{\sigma^2}{\tau^2}

        The profile of the lenders is `b` where levels differ by factors, else `o`. The level that
        static covariates suggest, with variance `τ²`, counts as `k` rows with noise of variance
        `σ²`.

        Args:
            panel: The series that lend.
            static: Its static features, `[S]`.
            first: The stamp of its first row, an index of one.
            own: Its targets, `[n, D]`; NaN is missing.

        Source: Efron and Morris 1975, Data analysis using Stein's estimator and its
            generalizations, JASA 70(350).
        """
        around = panel.rows_around(first, len(own), static)
        if around is None:
            return None
        lenders, rows, stamps = around

        targets = own.shape[1]
        before = len(stamps)
        loc = 0.0 if panel.is_positive else panel.levels[lenders, None]
        relative = (rows[:, :, :targets] - loc) / panel.scales[lenders, None]
        level, scale, spread = panel.expected(static)

        profile = _mean_of_known(relative, 1.0 if panel.is_positive else 0.0)
        base, offset = (
            (profile, 0.0) if panel.is_positive else (np.ones_like(profile), scale * profile)
        )

        noise = _mean_of_known(np.square(relative - profile).reshape(-1, targets), 0.0) + 1e-12
        noise = np.log1p(noise) if panel.is_positive else noise * scale**2
        known = ~np.isnan(own)

        worth = noise / spread
        rest = np.where(known, own - np.broadcast_to(offset, profile.shape)[before:], 0.0).sum(
            axis=0
        )
        level = (worth * level + rest) / (worth + np.where(known, base[before:], 0.0).sum(axis=0))

        filled = level * base + offset

        # Covariates are means too, categories those of the nearest lender.
        is_category = np.zeros(rows.shape[2] - targets, dtype=bool)
        is_category[: len(panel.state.frame.kinds)] = [
            kind.name == "category" for kind in panel.state.frame.kinds
        ]
        covariates = np.where(
            is_category, rows[0, :, targets:], _mean_of_known(rows[:, :, targets:], np.nan)
        )

        values = np.concatenate([filled, covariates], axis=1)[:before]
        variances = np.stack([noise, noise / (worth + known.sum(axis=0))])
        return cls(values, stamps, np.where(known.any(axis=0), own, filled[before:]), variances)


@dataclass(frozen=True)
class ColdStart:
    """Series to forecast, of which some have borrowed rows.

    Args:
        frame: The series with their borrowed rows.
        variances: Those of noise and level of each, `[2, N, D]`; 0 for series that borrow nothing.
        is_positive: Whether levels differ by factors.
    """

    frame: LongFrame
    variances: Array
    is_positive: bool

    @classmethod
    def of(cls, panel: Panel, frame: LongFrame) -> Self | None:
        """Return series with borrowed rows; `None` where none borrows.

        Args:
            panel: The series that lend.
            frame: The series to forecast.

        Raises:
            DataError: A series has no value, and no other series has rows before its own.
        """
        observed = frame.count_observed(frame.source.lengths).min(axis=1)
        source = frame.source
        static = panel.static_of(frame)
        loans = dict[int, Loan]()

        targets = frame.targets.copy()
        for place in np.flatnonzero(observed < panel.least).tolist() if panel.lends else ():
            rows = slice(source.starts[place], source.ends[place])
            loan = Loan.of(
                panel, static[place], frame.first_stamps[place : place + 1], frame.targets[rows]
            )
            if loan is not None:
                loans[place] = loan
                targets[rows] = loan.own
            elif not observed[place]:
                raise DataError(
                    option="df",
                    series=source.ids[place],
                    expected="a value, or other series with rows up to its first one",
                    received="none",
                    hint="Give a value, or a later first row.",
                )

        if not loans:
            return None

        variances = np.zeros((2, len(source), targets.shape[1]))
        variances[:, list(loans)] = np.stack([loan.variances for loan in loans.values()], axis=1)
        values = np.concatenate([targets, source.values[:, targets.shape[1] :]], axis=1)
        own = replace(frame, source=replace(source, values=values))
        borrowed = replace(panel.state, frame=_borrowed(frame, loans), context_length=FARTHEST)
        return cls(borrowed.concat(own, source.ids), variances, panel.is_positive)

    def rescaled(self, reader: WindowReader, scale: str) -> WindowReader:
        """Return the reader of the frame, in which series with borrowed rows are scaled by these.

        Args:
            reader: The reader.
            scale: How a new series is scaled.
        """
        own = SeriesScaler.learn(reader.targets, reader.lengths, scale)
        return replace(
            reader, scaler=own.where(np.any(self.variances > 0, axis=(0, 2)), reader.scaler)
        )

    def widened(self, forecast: Array, series: Array, request: ForecastRequest) -> Array:
        """Return forecasts with intervals as wide as noise and level ask, `[N, H, D, 1 + 2 L]`.

        Args:
            forecast: The forecasts in the data's units.
            series: Number of the series of each, `[N]`.
            request: Point and intervals.
        """
        normal = np.array([NormalDist().inv_cdf(each) for each in request.probabilities_with_point])
        noise, level = np.square(normal) * self.variances[:, series, None, :, None]
        point = forecast[..., :1]
        with np.errstate(divide="ignore", invalid="ignore"):
            far = np.log(forecast / point) if self.is_positive else forecast - point
        far = np.sign(normal) * np.sqrt(np.maximum(np.square(far), noise) + level)
        widened = point * np.exp(far) if self.is_positive else point + far
        return np.asarray(np.where(np.isfinite(far) & (level > 0), widened, forecast))


def with_blank_rows(series: SeriesState, df: Any) -> Any:
    """Return a frame of ids and static covariates with an empty row at the latest stamp.

    Args:
        series: The state of the series.
        df: The frame; one with stamps or targets is returned as it is.
    """
    if isinstance(df, ReadTable):
        return df  # which has stamps

    schema = series.schema
    present = set(getattr(df, "columns", ()))
    columns = schema.columns
    names = [*schema.columns.targets, *series.frame.covariates.varying]
    if columns.unique_id not in present or {columns.ds, *columns.targets} & present:
        return df

    frame = open_frame(df)
    times = {columns.ds: series.frame.latest_stamp.repeat(len(frame))}
    blank = dict.fromkeys(names, np.full(len(frame), np.nan))
    rows = nw.from_native(
        schema.build(frame[columns.unique_id].to_numpy(), times, blank), eager_only=True
    )
    return frame.with_columns(*(rows[name] for name in (columns.ds, *names))).to_native()


def _borrowed(frame: LongFrame, loans: Mapping[int, Loan]) -> LongFrame:
    """Return the borrowed rows alone, as series of their own."""
    source = InMemoryStore.of(
        {frame.source.ids[place]: loan.values for place, loan in loans.items()}
    )
    first, *others = (loan.stamps for loan in loans.values())
    stamps = first.append(others)
    static = frame.static[list(loans)]
    return replace(
        frame, source=source, stamps=stamps, rows=np.full(len(stamps), -1), static=static
    )


def _mean_of_known(values: Array, otherwise: float) -> Array:
    """Return means over the first axis, of what is known; `otherwise` where nothing is."""
    return np.asarray(np.ma.masked_invalid(values).mean(axis=0).filled(otherwise))
