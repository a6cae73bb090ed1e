"""A forecaster's options, resolved once for a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast.errors import SpecError
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.defaults import PRETRAINED, Sizes, auto_effort, specs
from seqcast.forecaster.finetuning import limits
from seqcast.intervals.levels import check_levels, widest_level
from seqcast.network.init import child_seeds
from seqcast.pretrained import load_pretrained
from seqcast.specs.checks import check_int
from seqcast.specs.ensemble import EnsembleSpec
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

__all__ = [
    "FitOptions",
    "can_be_pretrained",
    "context_lengths",
    "interval_levels",
    "is_compared",
    "member_seeds",
    "refit_every",
    "wants_training",
]


# `effort="best"` trains so many networks, and as many again and again while they help, up to so many in all: their
# median is steadier than each.
MEMBERS_AT_ONCE, MOST_MEMBERS = 3, 12


@dataclass(frozen=True)
class FitOptions:
    """The resolved options of a forecaster for one fit.

    Args:
        horizon: Steps to forecast in training.
        context_lengths: Context lengths of the members in turn; `None` is chosen by a rule.
        season_length: Steps of a season, or `None` for the frequency's.
        calendar: Features of the time stamps.
        scale: How each series is scaled, `auto` for the rule.
        point: Whether the point forecast is the `median` or the `mean`.
        weighting: Whether `windows` or `series` weigh the same in training.
        fill: Whether missing values and short series are legal.
        seeds: Seeds of each member.
        preset: Name of a network, or one, or several.
        training: A spec, or the fields that differ from the default.
        seed: The seed from which those of the members are derived.
        level: Levels of the intervals.
        combine: How forecasts of several networks become one.
        calibrate: Levels that are calibrated on validation windows; none for no calibration.
        effort: How much is tried before one is chosen: `auto`, `quick`, `balanced` or `best`.
        choice: What was chosen before, in whose shares this fit forecasts too; `None` for a choice of its own.
        validated: Whether there are rows that nothing is trained on.
        reads_seasons: Whether the pretrained network can forecast what is asked for.
        support: The support of the targets, `auto` for the rule.
        skip: Whether series in which something is wrong are left out.
        rows_read: The rows that a forecast may read, where the user or a fit before says so; `None` for as many as
            help.
        at_once: Networks that are trained before it is asked whether more would help; `None` trains all.
        finetuning: Fields of the training of the pretrained network that differ from the usual ones.
        most_rows_read: The rows that a network which is not trained on the data may read, where memory limits them.
        judged: Whether the last network that is trained judges the share of the others.
    """

    horizon: int
    context_lengths: Sequence[int | None]
    season_length: int | None
    calendar: Any
    scale: str
    point: str
    weighting: str
    fill: bool
    seeds: Sequence[tuple[int, int]]
    preset: str | NetworkSpec | EnsembleSpec = "auto"
    training: TrainingSpec | Mapping[str, Any] | None = None
    seed: int = 0
    level: Sequence[float] = ()
    combine: str = "median"
    calibrate: Sequence[float] = ()
    effort: str = "auto"
    choice: Choice | None = None
    validated: bool = True
    reads_seasons: bool = True
    support: str = "auto"
    skip: bool = False
    rows_read: int | None = None
    at_once: int | None = None
    finetuning: Mapping[str, Any] | None = None
    most_rows_read: int | None = None
    judged: bool = False

    @property
    def candidates(self) -> tuple[str, ...]:
        """What may be chosen, by its name in `seqcast.forecaster.choice.CANDIDATES`."""
        if self.choice is not None:
            return tuple(self.choice.shares)
        if self.preset == PRETRAINED:
            return ("pretrained",)
        # Without validation rows there is nothing to compare on.
        if not is_compared(self.preset) or not self.validated:
            return ("trained",)
        ready = ("seasonal_naive", *["pretrained"] * self.reads_seasons)
        if self.effort == "quick":
            return ready
        return (*ready, *["finetuned"] * self.reads_seasons, "trained")

    def decided(self, rows: int) -> Self:
        """Return the options with an effort that suits the data.

        Args:
            rows: Rows that can be forecast from, those with a horizon after them.
        """
        if self.effort != "auto":
            return self
        return replace(self, effort=auto_effort(rows) if self.reads_seasons else "balanced")

    def trained(self) -> Self:
        """Return the options of a fit that has a network trained on the data, whatever their number."""
        return replace(self, effort="balanced") if self.effort == "auto" else self

    def specs(self, sizes: Sizes) -> tuple[NetworkSpec, TrainingSpec]:
        """Return the network and the training for training windows of these sizes."""
        return specs(self.preset, self.training, self.level, sizes)

    @classmethod
    def resolve(cls, options: Mapping[str, Any], seed: int, members: int | None = None) -> Self:
        """Resolve the options of a forecaster for a fit.

        Args:
            options: The arguments of a `Forecaster`, by name, checked.
            seed: Seed of everything random.
            members: Number of networks; `None` is what the options say.
        """
        level = interval_levels(options["level"])
        _, training = specs(options["preset"], options["training"], level, Sizes())
        if options["preset"] == PRETRAINED:
            options = {**options, "calendar": "none"}  # it knows none
        effort = options["effort"]
        if effort == "auto" and wants_training(options):
            effort = "balanced"
        ensemble = options["preset"] if isinstance(options["preset"], EnsembleSpec) else None
        if effort == "auto" and ensemble is not None:
            effort = "balanced"
        at_once = None
        if members is None:
            members = int(options["members"]) if ensemble is None else len(ensemble.trained)
            if effort == "best":
                at_once, members = max(members, MEMBERS_AT_ONCE), max(members, MOST_MEMBERS)
        # A further training has lengths of its own, whatever was given to the fit.
        lengths = context_lengths(options["context_length"], max(members, int(options["members"])))
        rows_read = max((length for length in lengths if length is not None), default=None)
        finetuning: Mapping[str, Any] | None = limits(options["training"])
        if ensemble is not None:
            # The members' lengths are their own; the pretrained network reads as much as helps it.
            lengths, finetuning = tuple(member.context_length for member in ensemble.trained), ensemble.finetuning
            rows_read = None
        return cls(
            horizon=int(options["horizon"]),
            context_lengths=lengths,
            season_length=options["season_length"],
            calendar=options["calendar"],
            scale=options["scale"],
            point=options["point"],
            weighting=options["weighting"],
            fill=options["missing"] == "fill",
            seeds=member_seeds(seed, members),
            preset=options["preset"],
            training=options["training"],
            seed=seed,
            level=level,
            combine=options["combine"],
            calibrate=level if options["calibrate"] else (),
            effort=effort,
            validated=training.validation_fraction > 0,
            reads_seasons=(options["preset"] == PRETRAINED or is_compared(options["preset"]))
            and can_be_pretrained(options, level),
            support=options["support"],
            skip=options["on_bad_series"] == "skip",
            rows_read=rows_read,
            at_once=at_once,
            finetuning=finetuning,
            judged=ensemble is not None and ensemble.judge is not None,
        )


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
    widest = widest_level(load_pretrained().engine.network.quantiles or ())
    return options["point"] == "median" and not options["irregular"] and max(level, default=0.0) <= widest


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
