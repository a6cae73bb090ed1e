"""A forecaster's options: checked before any frame is read, and resolved once for a fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np

from seqcast.data.features.calendar import check_calendar
from seqcast.data.frames.long_frame import MISSING
from seqcast.data.frames.table import ON_BAD_SERIES
from seqcast.data.series.scalers import LOGARITHMS, SERIES_SCALES
from seqcast.data.windows.reader import WEIGHTINGS
from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster.choice import Choice
from seqcast.forecaster.defaults import EFFORTS, PRETRAINED, Sizes, auto_effort, specs
from seqcast.forecaster.jobs import member_seeds
from seqcast.forecaster.predictor import COMBINATIONS
from seqcast.intervals.levels import check_levels, check_trained, quantile_levels
from seqcast.intervals.request import ForecastRequest
from seqcast.intervals.support import SUPPORTS
from seqcast.pretrained import load_pretrained
from seqcast.specs.checks import check_choice, check_flag, check_int
from seqcast.specs.columns import Columns, Covariates
from seqcast.specs.network import MULTIPLICATIVE_HEADS, NetworkSpec
from seqcast.specs.training import TrainingSpec, check_loss

__all__ = [
    "FitOptions",
    "check_head",
    "check_mask",
    "check_options",
    "context_lengths",
    "interval_levels",
    "refit_every",
]


# Networks of `effort="best"`; their median is steadier than each.
BEST_MEMBERS = 3


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
        preset: Name of a network, or one.
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
    preset: str | NetworkSpec = "auto"
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

    @property
    def candidates(self) -> tuple[str, ...]:
        """What may be chosen, by its name in `seqcast.forecaster.choice.CANDIDATES`."""
        if self.choice is not None:
            return tuple(self.choice.shares)
        if self.preset == PRETRAINED:
            return ("pretrained",)
        # Without validation rows there is nothing to compare on.
        if self.preset != "auto" or not self.validated:
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
    def resolve(cls, options: Mapping[str, Any], seed: int, members: int) -> Self:
        """Resolve the options of a forecaster for a fit of so many networks.

        Args:
            options: The arguments of a `Forecaster`, by name, checked.
            seed: Seed of everything random.
            members: Number of networks.
        """
        level = interval_levels(options["level"])
        _, training = specs(options["preset"], options["training"], level, Sizes())
        if options["preset"] == PRETRAINED:
            options = {**options, "calendar": "none"}  # it knows none
        effort = options["effort"]
        if effort == "auto" and _wants_training(options):
            effort = "balanced"
        if effort == "best":
            members = max(members, BEST_MEMBERS)
        return cls(
            horizon=int(options["horizon"]),
            context_lengths=context_lengths(options["context_length"], members),
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
            reads_seasons=options["preset"] in ("auto", PRETRAINED) and _can_be_pretrained(options, level),
            support=options["support"],
            skip=options["on_bad_series"] == "skip",
        )


def _wants_training(options: Mapping[str, Any]) -> bool:
    """Return whether an option says something to a network that is trained on the data."""
    covariates = any(options[f"{role}_covariates"] for role in ("static", "past", "future"))
    return covariates or options["training"] is not None or int(options["members"]) > 1


def _can_be_pretrained(options: Mapping[str, Any], level: Sequence[float]) -> bool:
    """Return whether the pretrained network can forecast what is asked for."""
    widest = quantile_levels(load_pretrained().engine.network.quantiles or ())[-1]
    return options["point"] == "median" and not options["irregular"] and max(level, default=0.0) <= widest


# Names of other columns in frames of forecasts.
RESERVED = ("cutoff", "target", "step", "sample", "seasonal_naive", "last_value")
CHOICES = {
    "scale": ("auto", *SERIES_SCALES),
    "missing": MISSING,
    "weighting": WEIGHTINGS,
    "combine": tuple(COMBINATIONS),
    "support": SUPPORTS,
    "on_bad_series": ON_BAD_SERIES,
    "effort": EFFORTS,
}


def check_options(options: Mapping[str, Any]) -> None:
    """Refuse options that are impossible or do not go together.

    Args:
        options: The arguments of a `Forecaster`, by name.

    Raises:
        SpecError: An option is impossible, or two do not go together.
    """
    for name in ("horizon", "members"):
        check_int(name, options[name])
    for name, least in (("season_length", 1), ("random_state", 0)):
        if options[name] is not None:
            check_int(name, options[name], at_least=least)
    context_lengths(options["context_length"], options["members"])
    for name, kind, expected in (
        ("training", TrainingSpec | Mapping, "a TrainingSpec, a dict of some of its fields, or None"),
        ("columns", Columns, "a Columns or None"),
    ):
        if options[name] is not None and not isinstance(options[name], kind):
            hint = "from seqcast import TrainingSpec, Columns"
            raise SpecError(name, expected=expected, received=repr(options[name]), hint=hint)
    for name, known in CHOICES.items():
        check_choice(name, options[name], known)
    for name in ("irregular", "calibrate"):
        check_flag(name, options[name])
    if options["irregular"] and options["freq"] is not None:
        received = repr(options["freq"])
        raise SpecError(
            "freq", expected="None, for irregular=True", received=received, hint="Leave out one of the two."
        )
    check_calendar(options["calendar"])
    if options["preset"] == PRETRAINED:
        _check_pretrained(options)
    _check_effort(options)
    _check_names(options)
    _check_intervals(options)


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


def check_head(preset: Any, scale: Any) -> None:
    """Refuse a scaling that shifts or scales data of a head for positive data or counts.

    Example:
        >>> check_head(NetworkSpec(head="log_normal"), "mean")
    """
    if not isinstance(preset, NetworkSpec) or preset.head not in MULTIPLICATIVE_HEADS:
        return
    # Counts are scaled inside the network: scaled ones would not be counts.
    known = ("auto", "none") if preset.head == "negative_binomial" else ("auto", "none", "mean")
    if scale not in known:
        raise SpecError(
            "scale",
            expected=f"{' or '.join(map(repr, known))} with head={preset.head!r}",
            received=repr(scale),
            hint="Such data may be multiplied, but not shifted; NetworkSpec(normalise='scale') scales each window.",
        )


def check_mask(missing: str) -> None:
    """Refuse a mask where missing values are refused.

    Example:
        >>> check_mask("fill")
    """
    if missing != "fill":
        raise SpecError(
            "mask",
            expected="None with missing='raise', as values that are left out are missing",
            received="a frame",
            hint=Phrase("Take ", Option("missing", "fill"), "."),
        )


def _check_pretrained(options: Mapping[str, Any]) -> None:
    """Refuse what a network that is not trained on the data cannot heed."""
    covariates = [name for role in ("static", "past", "future") for name in options[f"{role}_covariates"]]
    usual = {"members": 1, "training": None, "point": "median"}
    changed = next((name for name, value in usual.items() if options[name] != value), None)
    if covariates:
        raise SpecError(
            "preset",
            expected="a network that is trained on this data, with covariates",
            received=f"'pretrained', and the covariates {', '.join(map(repr, covariates))}",
            hint="It has seen series alone, so it cannot know what a covariate means: leave them out, or name another "
            "preset.",
        )
    if changed is not None:
        raise SpecError(
            changed,
            expected=f"{usual[changed]!r} with preset='pretrained', one network that is trained and has quantiles",
            received=repr(options[changed]),
            hint="Leave it out, or name another preset.",
        )


def _check_effort(options: Mapping[str, Any]) -> None:
    """Refuse an effort where there is nothing to choose, and trainings where nothing is trained."""
    effort = options["effort"]
    if effort != "auto" and options["preset"] != "auto":
        raise SpecError(
            "effort",
            expected="'auto' with a preset that is named: there is nothing to choose",
            received=repr(effort),
            hint="Leave out one of the two.",
        )
    if effort == "quick" and _wants_training(options):
        raise SpecError(
            "effort",
            expected="'balanced' or 'best' with training, members or covariates, which are for networks that are "
            "trained on this data",
            received="'quick', which trains none",
            hint="Name another effort, or leave these out.",
        )


def _check_names(options: Mapping[str, Any]) -> None:
    columns, alias = options["columns"] or Columns(), options["alias"]
    roles = (options[f"{role}_covariates"] for role in ("static", "past", "future"))
    Covariates(*roles).check_beside(columns)
    reserved = [*columns.names, columns.value, *RESERVED]
    if not isinstance(alias, str) or not alias or alias in reserved:
        raise SpecError("alias", expected=f"a name other than {reserved}", received=repr(alias), hint="Choose one.")


def _check_intervals(options: Mapping[str, Any]) -> None:
    """Refuse point, levels, head, scaling and calibration that do not go together."""
    level, point = interval_levels(options["level"]), options["point"]
    network, training = specs(options["preset"], options["training"], level, Sizes())
    check_loss(network.head, training.loss)
    check_head(options["preset"], options["scale"])
    ForecastRequest(point, level)
    if point == "mean" and options["scale"] in LOGARITHMS:
        raise SpecError(
            "point",
            expected=f"'median' with scale={options['scale']!r}",
            received="'mean'",
            hint="The mean of logarithms is not the logarithm of the mean; choose another scale for means.",
        )
    if options["calibrate"] and not level:
        received = repr(options["level"])
        raise SpecError("level", expected="a level to calibrate", received=received, hint="Give level=(80, 95).")
    if network.head == "quantile":
        known = quantile_levels(network.quantiles or ())
        listed = ", ".join(f"{each:g}" for each in known)
        check_trained(level, known, hint=f"Give level=({listed},), or quantiles for the others.")


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
