"""A forecaster's options, resolved once for a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np

from seqcast.engine import Engine
from seqcast.errors import SpecError
from seqcast.forecaster.defaults import Sizes, auto_effort, specs
from seqcast.intervals import check_levels
from seqcast.network import child_seeds
from seqcast.pretrained import DEFAULT_MODEL, MODELS, is_zero_shot, limits
from seqcast.specs import Columns, Covariates, EnsembleSpec, NetworkSpec, TrainingSpec, check_int

# `effort="best"` trains so many networks, and as many again and again while they help, up to so many in all: their
# median is steadier than each.
NETWORKS_A_ROUND, MOST_MEMBERS = 3, 12


@dataclass(frozen=True)
class RowOptions:
    """How frames are read.

    Args:
        columns: Names of the columns; `None` for the usual.
        freq: The frequency that the user gave.
        covariates: Names of the covariates.
        missing: `fill` or `raise`.
        irregular: Whether stamps need not keep to a step.
        on_bad_series: `raise` or `skip`.
    """

    columns: Columns | None = None
    freq: Any = None
    covariates: Covariates = field(default_factory=Covariates)
    missing: str = "fill"
    irregular: bool = False
    on_bad_series: str = "raise"

    @classmethod
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return those of a forecaster, whose arguments are given by name."""
        covariates = Covariates(*(options[f"{role}_covariates"] for role in ("static", "past", "future")))
        return cls(**_given(cls, options), covariates=covariates)

    @property
    def skips(self) -> bool:
        """Whether series in which something is wrong are left out."""
        return self.on_bad_series == "skip"


@dataclass(frozen=True)
class ForecastOptions:
    """What forecasts are like where a call does not say otherwise.

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
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return those of a forecaster, whose arguments are given by name."""
        changed = {"horizon": int(options["horizon"]), "level": interval_levels(options["level"])}
        return cls(**(_given(cls, options) | changed))


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The resolved options of a forecaster for one fit.

    Args:
        rows: How frames are read.
        output: What is forecast.
        preset: Name of a network, or one, or several.
        training: A spec, or the fields that differ from the default.
        combine: How forecasts of several networks become one.
        season_length: Steps of a season, or `None` for the frequency's.
        calendar: Features of the time stamps.
        scale: How each series is scaled, `auto` for the rule.
        support: The support of the targets, `auto` for the rule.
        weighting: Whether `windows` or `series` weigh the same in training.
        calibrate: Levels that are calibrated on validation windows; none for no calibration.
        seed: The seed from which those of the networks are derived.
        seeds: Seeds of each network.
        context_lengths: Context lengths of the networks in turn; `None` is chosen by a rule.
        effort: How much is tried before one is chosen: `auto`, `quick`, `balanced` or `best`.
        is_compared: Whether candidates are compared on validation windows.
        zero_shot: Whether a zero-shot model can forecast what is asked for.
        head: The head of the networks, which may ask for a scaling.
        validation_fraction: Share of each series, its end, that is not trained on.
        round_size: Networks that are trained before the gain of more is measured; `None` trains all.
        judged: Whether the last network that is trained judges the share of the others.
        finetuning: Fields of the training of the zero-shot model that differ from the usual ones.
        rows_read: The rows that a forecast may read, where the user or a fit before says so; `None` for as many as
            help.
        most_rows_read: The rows that a zero-shot model may read, where memory limits them.
        first: Engines with whose weights the training of the networks begins; none for new ones.
    """

    rows: RowOptions
    output: ForecastOptions
    preset: str | NetworkSpec | EnsembleSpec
    training: TrainingSpec | Mapping[str, Any] | None
    combine: str
    season_length: int | None
    calendar: Any
    scale: str
    support: str
    weighting: str
    calibrate: tuple[float, ...]
    seed: int
    seeds: Sequence[tuple[int, int]]
    context_lengths: Sequence[int | None]
    effort: str
    is_compared: bool
    zero_shot: bool
    head: str
    validation_fraction: float
    round_size: int | None = None
    judged: bool = False
    finetuning: Mapping[str, Any] | None = None
    rows_read: int | None = None
    most_rows_read: int | None = None
    first: Sequence[Engine] = ()

    @property
    def horizon(self) -> int:
        """Steps to forecast in training."""
        return self.output.horizon

    @property
    def level(self) -> tuple[float, ...]:
        """Levels of the intervals."""
        return self.output.level

    @property
    def point(self) -> str:
        """Whether the point forecast is the `median` or the `mean`."""
        return self.output.point

    @property
    def fill(self) -> bool:
        """Whether missing values and short series are legal."""
        return self.rows.missing == "fill"

    @property
    def skip(self) -> bool:
        """Whether series in which something is wrong are left out."""
        return self.rows.skips

    def decided(self, rows: int) -> Self:
        """Return the options with an effort that suits the data.

        Args:
            rows: Rows that can be forecast from, those with a horizon after them.
        """
        if self.effort != "auto":
            return self
        return replace(self, effort=auto_effort(rows) if self.zero_shot else "balanced")

    def trained(self) -> Self:
        """Return the options of a fit that has a network trained on the data, whatever their number."""
        return replace(self, effort="balanced") if self.effort == "auto" else self

    @classmethod
    def resolve(cls, options: Mapping[str, Any], seed: int, members: int | None = None) -> Self:
        """Resolve the options of a forecaster for a fit.

        Args:
            options: The arguments of a `Forecaster`, by name, checked.
            seed: Seed of everything random.
            members: Number of networks; `None` is what the options say.
        """
        level, preset = interval_levels(options["level"]), options["preset"]
        network, training = specs(preset, options["training"], level, Sizes())
        ensemble = preset if isinstance(preset, EnsembleSpec) else None
        effort, round_size = options["effort"], None
        if effort == "auto" and (ensemble is not None or wants_training(options)):
            effort = "balanced"
        if members is None:
            members = int(options["members"]) if ensemble is None else len(ensemble.trained)
            if effort == "best":
                round_size, members = max(members, NETWORKS_A_ROUND), max(members, MOST_MEMBERS)
        # A further training has lengths of its own, whatever was given to the fit.
        lengths = context_lengths(options["context_length"], max(members, int(options["members"])))
        rows_read = max((length for length in lengths if length is not None), default=None)
        finetuning: Mapping[str, Any] | None = limits(options["training"])
        if ensemble is not None:
            # The members' lengths are their own; a zero-shot model reads as much as helps it.
            lengths, finetuning = tuple(member.context_length for member in ensemble.trained), ensemble.finetuning
            rows_read = None
        resolved = {
            "rows": RowOptions.of(options),
            "output": ForecastOptions.of(options),
            "calendar": "none" if is_zero_shot(preset) else options["calendar"],  # it knows none
            "calibrate": level if options["calibrate"] else (),
            "seed": seed,
            "seeds": member_seeds(seed, members),
            "context_lengths": lengths,
            "effort": effort,
            # Without validation rows there is nothing to compare on.
            "is_compared": is_compared(preset) and training.validation_fraction > 0,
            "zero_shot": (is_zero_shot(preset) or is_compared(preset)) and can_be_pretrained(options, level),
            "head": network.head,
            "validation_fraction": training.validation_fraction,
            "round_size": round_size,
            "judged": ensemble is not None and ensemble.judge is not None,
            "finetuning": finetuning,
            "rows_read": rows_read,
        }
        return cls(**(_given(cls, options) | resolved))


def _given(kind: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options of a forecaster that a dataclass has fields for, by the same name."""
    return {item.name: options[item.name] for item in fields(kind) if item.name in options}


def is_compared(preset: Any) -> bool:
    """Return whether what is trained is compared with what is not, and shares the forecast with it.

    Example:
        >>> is_compared("auto"), is_compared("classic"), is_compared(NetworkSpec())
        (True, False, False)
    """
    return not preset.alone if isinstance(preset, EnsembleSpec) else isinstance(preset, str) and preset == "auto"


def wants_training(options: Mapping[str, Any]) -> bool:
    """Return whether an option says something to a network that is trained on the data."""
    covariates = any(options[f"{role}_covariates"] for role in ("static", "past", "future"))
    return covariates or options["training"] is not None or int(options["members"]) > 1


def can_be_pretrained(options: Mapping[str, Any], level: Sequence[float]) -> bool:
    """Return whether the pretrained network can forecast what is asked for.

    Args:
        options: The arguments of a `Forecaster`, by name.
        level: Levels of its intervals.
    """
    if options["point"] != "median" or options["irregular"]:
        return False
    preset = options["preset"] if is_zero_shot(options["preset"]) else DEFAULT_MODEL
    return max(level, default=0.0) <= MODELS[preset].shipped().widest_level


def interval_levels(level: Sequence[float] | float | None) -> tuple[float, ...]:
    """Return the levels of intervals as a tuple, empty when there are none.

    Example:
        >>> interval_levels((80, 95)), interval_levels(()), interval_levels(None)
        ((80.0, 95.0), (), ())
    """
    none = isinstance(level, Sequence | np.ndarray) and not isinstance(level, str) and not len(level)
    return () if level is None or none else check_levels(level)


def context_lengths(context_length: Any, members: int) -> tuple[int | None, ...]:
    """Return the context lengths of the members in turn; `None` is chosen by a rule.

    Example:
        >>> context_lengths(None, 1), context_lengths((24, 48), 5)
        ((None,), (24, 48))
    """
    several = isinstance(context_length, Sequence | np.ndarray) and not isinstance(context_length, str)
    lengths = tuple(context_length) if several else (context_length,)
    for length in lengths:
        if length is not None or several:
            check_int("context_length", length)
    if not lengths or len(lengths) > int(members):
        raise SpecError(
            "context_length",
            expected=f"one length, or at most one a member (members={members})",
            received=repr(context_length),
            hint=f"Give members={max(1, len(lengths))} or more.",
        )
    return tuple(None if length is None else int(length) for length in lengths)


def refit_every(refit: bool | int | str) -> int | None:
    """Return the number of cutoffs between two trainings of a backtest; 0 trains once, `None` not at all.

    Example:
        >>> refit_every(False), refit_every(True), refit_every(3), refit_every("never")
        (0, 1, 3, None)
    """
    if isinstance(refit, str) and refit == "never":
        return None
    if isinstance(refit, bool | np.bool_):
        return int(refit)
    if isinstance(refit, int | np.integer) and refit >= 1:
        return int(refit)
    raise SpecError(
        "refit",
        expected="False, True or a whole number >= 1, or 'never'",
        received=repr(refit),
        hint="True trains at every cutoff, n at every n-th, 'never' takes the fitted networks.",
    )


def member_seeds(seed: int, members: int) -> list[tuple[int, int]]:
    """Return the seeds of each member; those of the first do not depend on how many there are.

    Example:
        >>> member_seeds(0, 1) == member_seeds(0, 3)[:1]
        True
    """
    seeds = child_seeds(seed, 2 * members)
    return list(zip(seeds[::2], seeds[1::2], strict=True))
