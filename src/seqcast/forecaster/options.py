"""The options of a fit, resolved once from the arguments of a forecaster."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from seqcast import specs
from seqcast.engine import Engine
from seqcast.forecaster import defaults
from seqcast.forecaster.arguments import (
    ForecasterArguments,
    can_be_pretrained,
    context_lengths,
    interval_levels,
    is_compared,
    wants_training,
    zero_shot_model,
)
from seqcast.network import child_seeds
from seqcast.pretrained import is_zero_shot, limits

# `effort="best"` trains three networks, and three more while they help, up to twelve: their median
# is steadier than each of them.
NETWORKS_A_ROUND = 3
MOST_MEMBERS = 12

# How the forecasts of several networks become one.
COMBINATIONS: dict[str, Callable[..., Any]] = {"median": np.median, "mean": np.mean}

# Seeds of a network: of its weights, and of the order of its windows.
Seeds = tuple[int, int]


@dataclass(frozen=True)
class ReadOptions:
    """How frames are read.

    Args:
        columns: Names of the columns; `None` for the usual.
        freq: The frequency that the user gave.
        covariates: Names of the covariates.
        missing: `fill` or `raise`.
        irregular: Whether steps between stamps may differ.
        on_bad_series: `raise` or `skip`.
        on_bad_rows: `raise`, or `skip` for a description.
        on_duplicates: `raise`, `first`, `last`, `mean` or `sum`.
    """

    columns: specs.Columns | None = None
    freq: Any = None
    covariates: specs.Covariates = field(default_factory=specs.Covariates)
    missing: str = "fill"
    irregular: bool = False
    on_bad_series: str = "raise"
    on_bad_rows: str = "raise"
    on_duplicates: str = "raise"

    @classmethod
    def of(cls, arguments: ForecasterArguments) -> Self:
        """Return those of a forecaster.

        Args:
            arguments: Its arguments.
        """
        roles = ("static", "past", "future")
        covariates = {role: getattr(arguments, f"{role}_covariates") for role in roles}
        return cls(
            columns=arguments.columns,
            freq=arguments.freq,
            covariates=specs.Covariates(**covariates),
            missing=arguments.missing,
            irregular=arguments.irregular,
            on_bad_series=arguments.on_bad_series,
            on_duplicates=arguments.on_duplicates,
        )

    @property
    def fill(self) -> bool:
        """Whether missing values and short series are legal."""
        return self.missing == "fill"

    @property
    def skips(self) -> bool:
        """Whether series with an error are left out."""
        return self.on_bad_series == "skip"


@dataclass(frozen=True)
class ForecastOptions:
    """The defaults of a forecast, which a call may change.

    Args:
        horizon: Steps to forecast.
        level: Levels of the intervals.
        point: Whether the point forecast is the `median` or the `mean`.
        alias: Name of the forecast's column.
    """

    horizon: int
    level: tuple[float, ...] = ()
    point: str = "median"
    alias: str = "seqcast"

    @classmethod
    def of(cls, arguments: ForecasterArguments) -> Self:
        """Return those of a forecaster.

        Args:
            arguments: Its arguments.
        """
        level = interval_levels(arguments.level)
        return cls(int(arguments.horizon), level, arguments.point, arguments.alias)


@dataclass(frozen=True, kw_only=True)
class NetworkOptions:
    """The networks that are trained on the data.

    Args:
        preset: Name of a network, a network, or an ensemble; networks and trainings follow from it
            by `defaults.specs`.
        training: A spec, or the fields that differ from the default.
        level: Levels of the intervals, whose quantiles a named network forecasts.
        seeds: Seeds of each network.
        context_lengths: Context lengths of the networks in turn; `None` is chosen by a rule.
        combine: How their forecasts become one.
        round_size: Networks that are trained before the gain of more is measured; `None` trains
            all.
        has_proxy: Whether the last network is trained to measure the loss of the others, which were
            picked by their losses on the hold-out windows.
        members: Networks of an earlier fit, which keep their sizes; none for those of the preset.
        initial: Engines whose weights the trainings begin with; none for new weights.
    """

    preset: str | specs.NetworkSpec | specs.EnsembleSpec
    training: specs.TrainingSpec | Mapping[str, Any] | None
    level: tuple[float, ...]
    seeds: Sequence[Seeds]
    context_lengths: Sequence[int | None]
    combine: str = "median"
    round_size: int | None = None
    has_proxy: bool = False
    members: tuple[specs.MemberSpec, ...] = ()
    initial: Sequence[Engine] = ()

    @classmethod
    def of(cls, arguments: ForecasterArguments, seed: int, count: int | None = None) -> Self:
        """Return those of a forecaster.

        Args:
            arguments: Its arguments.
            seed: The seed from which those of the networks are derived.
            count: Number of networks; `None` is that of the arguments.
        """
        preset = arguments.preset
        given = int(arguments.members)
        round_size = None
        if isinstance(preset, specs.EnsembleSpec):
            count = len(preset.trained) if count is None else count
            lengths = tuple(member.context_length for member in preset.trained)
            has_proxy = preset.proxy is not None
        else:
            if count is None and arguments.effort == "best":
                round_size = max(given, NETWORKS_A_ROUND)
                count = max(given, MOST_MEMBERS)
            count = given if count is None else count
            # A later training has lengths of its own, other than those of the fit.
            lengths = context_lengths(arguments.context_length, max(count, given))
            has_proxy = False

        return cls(
            preset=preset,
            training=arguments.training,
            level=interval_levels(arguments.level),
            seeds=member_seeds(seed, count),
            context_lengths=lengths,
            combine=arguments.combine,
            round_size=round_size,
            has_proxy=has_proxy,
        )

    def specs(self, sizes: defaults.Sizes) -> tuple[specs.NetworkSpec, specs.TrainingSpec]:
        """Return a network and its training.

        Args:
            sizes: Sizes of the data, and the place of the network.
        """
        if self.members:
            member = self.members[sizes.member]
            return member.network, member.training
        return defaults.specs(self.preset, self.training, self.level, sizes)


@dataclass(frozen=True, kw_only=True)
class ZeroShotOptions:
    """The zero-shot model.

    Args:
        model: Its name.
        is_alone: Whether the user named it, so that no other candidate is tried.
        training: Fields of its fine-tuning that differ from the usual ones.
    """

    model: str
    is_alone: bool
    training: Mapping[str, Any] | None = None

    @classmethod
    def of(cls, arguments: ForecasterArguments) -> Self | None:
        """Return those of a forecaster; `None` where the model is not tried.

        Args:
            arguments: Its arguments.
        """
        preset = arguments.preset
        is_alone = is_zero_shot(preset)
        if not is_alone and not (is_compared(preset) and can_be_pretrained(arguments)):
            return None

        training: Mapping[str, Any] | None = limits(arguments.training)
        if isinstance(preset, specs.EnsembleSpec):
            training = preset.finetuning
        return cls(model=zero_shot_model(preset), is_alone=is_alone, training=training)


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The resolved options of one fit: what all candidates share, and what each owns.

    Args:
        reading: How frames are read.
        forecasting: The defaults of a forecast.
        networks: The networks that are trained on the data, if `trains`.
        zero_shot: The zero-shot model; `None` where it is not tried.
        effort: How much is tried before the choice: `auto`, `quick`, `balanced` or `best`.
        is_compared: Whether candidates are compared on validation windows.
        season_length: Steps of a season, or `None` for the frequency's, or the one that is
            detected.
        calendar: Features of the time stamps.
        scale: How each series is scaled, `auto` for the rule.
        support: The support of the targets, `auto` for the rule.
        head: The head of the networks, which may need a scaling.
        weighting: Whether `windows` or `series` weigh the same in training.
        calibrate: Levels that are calibrated on validation windows; none for no calibration.
        validation_fraction: Share of each series, its end, that is not trained on.
        rows_read: Rows that a forecast may read, from the user or an earlier fit; `None` for as
            many as help.
        most_rows_read: Rows that a forecast may read, where memory limits them.
        seed: The seed of everything random.
    """

    reading: ReadOptions
    forecasting: ForecastOptions
    networks: NetworkOptions
    zero_shot: ZeroShotOptions | None
    effort: str
    is_compared: bool
    season_length: int | None
    calendar: str | Sequence[str]
    scale: str
    support: str
    head: str
    weighting: str
    calibrate: tuple[float, ...]
    validation_fraction: float
    rows_read: int | None
    seed: int
    most_rows_read: int | None = None

    @classmethod
    def resolve(cls, arguments: ForecasterArguments, seed: int, members: int | None = None) -> Self:
        """Resolve the arguments of a forecaster for a fit.

        Args:
            arguments: The arguments, checked.
            seed: Seed of everything random.
            members: Number of networks; `None` is that of the arguments.
        """
        preset = arguments.preset
        is_alone = is_zero_shot(preset)
        is_ensemble = isinstance(preset, specs.EnsembleSpec)
        level = interval_levels(arguments.level)
        network, training = defaults.specs(preset, arguments.training, level, defaults.Sizes())
        networks = NetworkOptions.of(arguments, seed, members)
        # Without validation rows there is nothing to compare on.
        compares = is_compared(preset) and training.validation_fraction > 0
        networks = replace(networks, has_proxy=networks.has_proxy and compares)

        effort = arguments.effort
        if effort == "auto" and (is_ensemble or wants_training(arguments)):
            effort = "balanced"
        # The lengths of an ensemble's members are their own; other forecasts read as much as helps.
        lengths = () if is_ensemble else filter(None, networks.context_lengths)

        return cls(
            reading=ReadOptions.of(arguments),
            forecasting=ForecastOptions.of(arguments),
            networks=networks,
            zero_shot=ZeroShotOptions.of(arguments),
            effort=effort,
            is_compared=compares,
            season_length=arguments.season_length,
            # Zero-shot models read no calendar.
            calendar="none" if is_alone else arguments.calendar,
            scale=arguments.scale,
            support=arguments.support,
            head=network.head,
            weighting=arguments.weighting,
            calibrate=level if arguments.calibrate else (),
            validation_fraction=training.validation_fraction,
            rows_read=max(lengths, default=None),
            seed=seed,
        )

    @property
    def horizon(self) -> int:
        """Steps to forecast in training."""
        return self.forecasting.horizon

    @property
    def is_zero_shot(self) -> bool:
        """Whether the user named a zero-shot model, so that no other candidate is tried."""
        return self.zero_shot is not None and self.zero_shot.is_alone

    @property
    def trains(self) -> bool:
        """Whether networks are trained on the data."""
        is_quick = self.is_compared and self.effort == "quick"
        return not self.is_zero_shot and not is_quick

    def decided(self, rows: int) -> Self:
        """Return the options with an effort that suits the data: `quick` for few rows.

        Args:
            rows: Rows that can be forecast from, those with a horizon after them.
        """
        if self.effort != "auto":
            return self
        is_quick = self.zero_shot is not None and rows < defaults.ROWS_TO_TRAIN
        return replace(self, effort="quick" if is_quick else "balanced")

    def trained(self) -> Self:
        """Return the options of a fit that trains a network, however few rows there are."""
        return replace(self, effort="balanced") if self.effort == "auto" else self

    def within(self, rows: int | None) -> Self:
        """Return the options of a fit whose forecasts read at most a number of rows.

        Args:
            rows: The number; `None` for no limit.
        """
        return replace(self, most_rows_read=rows)

    def continuing(self, engines: Sequence[Engine]) -> Self:
        """Return the options of a fit whose trainings begin with the weights of engines.

        Args:
            engines: The engines; none for new weights.
        """
        return replace(self, networks=replace(self.networks, initial=engines))


def member_seeds(seed: int, members: int) -> list[Seeds]:
    """Return the seeds of each member; those of the first do not depend on the number of members.

    Args:
        seed: The seed of the fit.
        members: Number of networks.

    Example:
        >>> member_seeds(0, 1) == member_seeds(0, 3)[:1]
        True
    """
    seeds = child_seeds(seed, 2 * members)
    return list(zip(seeds[::2], seeds[1::2], strict=True))
