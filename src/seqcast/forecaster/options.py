"""A forecaster's options: checked before any frame is read, and resolved once for a fit."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, fields, replace
from typing import Any, Self

import numpy as np

from seqcast import specs
from seqcast.data import SEASONAL_NAIVE
from seqcast.data.features import check_calendar
from seqcast.data.frames import MISSING, ON_BAD_SERIES, ON_DUPLICATES
from seqcast.data.series import LOGARITHMS, SERIES_SCALES
from seqcast.data.windows import WEIGHTINGS
from seqcast.engine import Engine
from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster import defaults
from seqcast.intervals import (
    SUPPORTS,
    ForecastRequest,
    check_levels,
    check_trained,
    check_within,
    quantile_levels,
)
from seqcast.network import child_seeds
from seqcast.pretrained import DEFAULT_MODEL, MODELS, is_zero_shot, limits
from seqcast.runtime import is_verbose

# `effort="best"` trains three networks, and three more while they help, up to twelve: their median
# is steadier than each of them.
NETWORKS_A_ROUND = 3
MOST_MEMBERS = 12

# How the forecasts of several networks become one.
COMBINATIONS: dict[str, Callable[..., Any]] = {"median": np.median, "mean": np.mean}

# Steps of a season: more than a year of seconds has, and few enough for sums of 64 bits.
LONGEST_SEASON = 10**9

# Names of other columns in frames of forecasts.
RESERVED = (
    "cutoff",
    "target",
    "step",
    "steps",
    "sample",
    "scenario",
    "difference",
    SEASONAL_NAIVE,
    "last_value",
)

CHOICES = {
    "scale": ("auto", *SERIES_SCALES),
    "missing": MISSING,
    "weighting": WEIGHTINGS,
    "combine": tuple(COMBINATIONS),
    "support": SUPPORTS,
    "on_bad_series": ON_BAD_SERIES,
    "on_duplicates": ON_DUPLICATES,
    "effort": defaults.EFFORTS,
}


@dataclass(frozen=True)
class RowOptions:
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
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return those of a forecaster.

        Args:
            options: The arguments of a `Forecaster`, by name.
        """
        covariates = specs.Covariates(
            *(options[f"{role}_covariates"] for role in ("static", "past", "future"))
        )
        return cls(**_given(cls, options), covariates=covariates)

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
    def of(cls, options: Mapping[str, Any]) -> Self:
        """Return those of a forecaster.

        Args:
            options: The arguments of a `Forecaster`, by name.
        """
        changed = {"horizon": int(options["horizon"]), "level": interval_levels(options["level"])}
        return cls(**(_given(cls, options) | changed))


@dataclass(frozen=True, kw_only=True)
class FitOptions:
    """The resolved options of a forecaster for one fit.

    Args:
        rows: How frames are read.
        output: The defaults of a forecast.
        preset: Name of a network, a network, or an ensemble.
        training: A spec, or the fields that differ from the default.
        combine: How forecasts of several networks become one.
        season_length: Steps of a season, or `None` for the frequency's, or the one that is
            detected.
        calendar: Features of the time stamps.
        scale: How each series is scaled, `auto` for the rule.
        support: The support of the targets, `auto` for the rule.
        weighting: Whether `windows` or `series` weigh the same in training.
        calibrate: Levels that are calibrated on validation windows; none for no calibration.
        seed: The seed from which those of the networks are derived.
        seeds: Seeds of each network.
        context_lengths: Context lengths of the networks in turn; `None` is chosen by a rule.
        effort: How much is tried before the choice: `auto`, `quick`, `balanced` or `best`.
        is_compared: Whether candidates are compared on validation windows.
        zero_shot: Whether a zero-shot model can give such forecasts.
        head: The head of the networks, which may need a scaling.
        validation_fraction: Share of each series, its end, that is not trained on.
        round_size: Networks that are trained before the gain of more is measured; `None` trains
            all.
        judged: Whether the last network that is trained judges the share of the others.
        finetuning: Fields of the training of the zero-shot model that differ from the usual ones.
        rows_read: Rows that a forecast may read, from the user or an earlier fit; `None` for as
            many as help.
        most_rows_read: Rows that a zero-shot model may read, where memory limits them.
        first: Engines whose weights the training of the networks begins with; none for new weights.
    """

    rows: RowOptions
    output: ForecastOptions
    preset: str | specs.NetworkSpec | specs.EnsembleSpec
    training: specs.TrainingSpec | Mapping[str, Any] | None
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

    def decided(self, rows: int) -> Self:
        """Return the options with an effort that suits the data: `quick` for few rows to learn from.

        Args:
            rows: Rows that can be forecast from, those with a horizon after them.
        """
        if self.effort != "auto":
            return self
        return replace(
            self, effort="quick" if self.zero_shot and rows < defaults.ROWS_TO_TRAIN else "balanced"
        )

    def trained(self) -> Self:
        """Return the options of a fit that trains a network on the data, however few rows there are."""
        return replace(self, effort="balanced") if self.effort == "auto" else self

    @classmethod
    def resolve(cls, options: Mapping[str, Any], seed: int, members: int | None = None) -> Self:
        """Resolve the options of a forecaster for a fit.

        Args:
            options: The arguments of a `Forecaster`, by name, checked.
            seed: Seed of everything random.
            members: Number of networks; `None` is that of the options.
        """
        level = interval_levels(options["level"])
        preset = options["preset"]
        network, training = defaults.specs(preset, options["training"], level, defaults.Sizes())
        ensemble = preset if isinstance(preset, specs.EnsembleSpec) else None
        effort = options["effort"]
        round_size = None
        if effort == "auto" and (ensemble is not None or wants_training(options)):
            effort = "balanced"
        if members is None:
            members = int(options["members"]) if ensemble is None else len(ensemble.trained)
            if effort == "best":
                round_size = max(members, NETWORKS_A_ROUND)
                members = max(members, MOST_MEMBERS)
        resolved = {
            "rows": RowOptions.of(options),
            "output": ForecastOptions.of(options),
            "calendar": "none"
            if is_zero_shot(preset)
            else options["calendar"],  # zero-shot models read none
            "calibrate": level if options["calibrate"] else (),
            "seed": seed,
            "seeds": member_seeds(seed, members),
            "effort": effort,
            # Without validation rows there is nothing to compare on.
            "is_compared": is_compared(preset) and training.validation_fraction > 0,
            "zero_shot": (is_zero_shot(preset) or is_compared(preset))
            and can_be_pretrained(options),
            "head": network.head,
            "validation_fraction": training.validation_fraction,
            "round_size": round_size,
            "judged": ensemble is not None and ensemble.judge is not None,
        }
        return cls(**(_given(cls, options) | resolved | _resolved_lengths(options, members)))


def _resolved_lengths(options: Mapping[str, Any], members: int) -> dict[str, Any]:
    """Return the context lengths of networks, and how the zero-shot model is fine-tuned."""
    preset = options["preset"]
    # A later training has lengths of its own, other than those of the fit.
    lengths = context_lengths(options["context_length"], max(members, int(options["members"])))
    read = max((length for length in lengths if length is not None), default=None)
    if not isinstance(preset, specs.EnsembleSpec):
        return {
            "context_lengths": lengths,
            "rows_read": read,
            "finetuning": limits(options["training"]),
        }
    # The members' lengths are their own; a zero-shot model reads as much as helps it.
    lengths = tuple(member.context_length for member in preset.trained)
    return {"context_lengths": lengths, "finetuning": preset.finetuning}


def is_compared(preset: Any) -> bool:
    """Return whether trained networks share the forecast with other candidates, by comparison.

    Args:
        preset: The preset of a forecaster.

    Example:
        >>> is_compared("auto"), is_compared("classic"), is_compared(specs.NetworkSpec())
        (True, False, False)
    """
    return (
        not preset.alone
        if isinstance(preset, specs.EnsembleSpec)
        else isinstance(preset, str) and preset == "auto"
    )


def wants_training(options: Mapping[str, Any]) -> bool:
    """Return whether an option is about a network that is trained on the data.

    Args:
        options: The arguments of a `Forecaster`, by name.
    """
    return (
        bool(len(options["past_covariates"]))
        or options["training"] is not None
        or int(options["members"]) > 1
    )


def can_be_pretrained(options: Mapping[str, Any]) -> bool:
    """Return whether the pretrained network can give such forecasts.

    Args:
        options: The arguments of a `Forecaster`, by name.
    """
    if options["irregular"]:
        return False
    preset = options["preset"] if is_zero_shot(options["preset"]) else DEFAULT_MODEL
    return (
        max(interval_levels(options["level"]), default=0.0) <= MODELS[preset].shipped().widest_level
    )


def interval_levels(level: Sequence[float] | float | None) -> tuple[float, ...]:
    """Return the levels of intervals as a tuple.

    Args:
        level: One level or several, in per cent; empty or `None` for no intervals.

    Example:
        >>> interval_levels((80, 95)), interval_levels(()), interval_levels(None)
        ((80.0, 95.0), (), ())
    """
    none = (
        isinstance(level, Sequence | np.ndarray) and not isinstance(level, str) and not len(level)
    )
    return () if level is None or none else check_levels(level)


def context_lengths(context_length: Any, members: int) -> tuple[int | None, ...]:
    """Return the context lengths of the members in turn; `None` is chosen by a rule.

    Args:
        context_length: The argument of a `Forecaster`.
        members: Number of networks.

    Raises:
        SpecError: It is no length, or there are more lengths than members.

    Example:
        >>> context_lengths(None, 1), context_lengths((24, 48), 5)
        ((None,), (24, 48))
    """
    several = isinstance(context_length, Sequence | np.ndarray) and not isinstance(
        context_length, str
    )
    lengths = tuple(context_length) if several else (context_length,)
    for length in lengths:
        if length is not None or several:
            specs.check_int("context_length", length)
    if not lengths or len(lengths) > int(members):
        expected = Phrase("one length, or at most one a member (", Option("members", members), ")")
        hint = Phrase("Give ", Option("members", max(1, len(lengths))), " or more.")
        raise SpecError(
            "context_length", expected=expected, received=repr(context_length), hint=hint
        )
    return tuple(None if length is None else int(length) for length in lengths)


def member_seeds(seed: int, members: int) -> list[tuple[int, int]]:
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


def check_options(options: Mapping[str, Any]) -> None:
    """Reject options that are impossible or do not go together.

    Args:
        options: The arguments of a `Forecaster`, by name.

    Raises:
        SpecError: An option is impossible, or two do not go together.
    """
    for name in ("horizon", "members"):
        specs.check_int(name, options[name])
    if options["season_length"] is not None:
        specs.check_int("season_length", options["season_length"], at_most=LONGEST_SEASON)
    if options["random_state"] is not None:
        specs.check_int(
            "random_state", options["random_state"], at_least=0, at_most=specs.MOST_SEED
        )
    is_verbose(options["verbose"])
    context_lengths(options["context_length"], options["members"])
    hint = "from seqcast import TrainingSpec, Columns"
    if not isinstance(options["training"], specs.TrainingSpec | Mapping | None):
        raise _rejection(
            options, "training", "a TrainingSpec, a dict of some of its fields, or None", hint
        )
    if not isinstance(options["columns"], specs.Columns | None):
        raise _rejection(options, "columns", "a Columns or None", hint)
    for name, known in CHOICES.items():
        specs.check_choice(name, options[name], known)
    for name in ("irregular", "calibrate"):
        specs.check_flag(name, options[name])
    if options["irregular"] and options["freq"] is not None:
        raise _rejection(options, "freq", "None, for irregular=True", "Leave out one of the two.")
    check_calendar(options["calendar"])
    _check_preset(options)
    _check_names(options)
    _check_intervals(options)
    _check_effort(options)


def _check_preset(options: Mapping[str, Any]) -> None:
    """Reject changes of options that a preset fixes."""
    preset = options["preset"]
    usual: dict[str, object] = {"members": 1, "training": None}
    options = {**options, "columns.weight": getattr(options["columns"], "weight", None)}
    if is_zero_shot(preset):
        usual |= {"columns.weight": None}
        reason = "one network that is trained already"
        hint = "Leave it out, or name another preset."
    elif isinstance(preset, specs.EnsembleSpec):
        usual |= {"context_length": None}
        reason = "whose members have their own"
        hint = "Give it to each MemberSpec, or leave it out."
    else:
        return
    for name, value in usual.items():
        if options[name] != value:
            named = Option("preset", preset) if is_zero_shot(preset) else "an EnsembleSpec"
            raise _rejection(options, name, Phrase(f"{value!r} with ", named, f", {reason}"), hint)


def _check_effort(options: Mapping[str, Any]) -> None:
    """Reject an effort that leaves nothing to choose, and trainings where nothing is trained."""
    effort = options["effort"]
    if effort != "auto" and options["preset"] != "auto":
        expected = "'auto' with a preset that is named: there is nothing to choose"
        raise _rejection(options, "effort", expected, "Leave out one of the two.")
    if effort == "quick" and wants_training(options):
        reason = "which are for networks that are trained on this data"
        received = "'quick', which trains none"
        expected = f"'balanced' or 'best' with training, members or past covariates, {reason}"
    elif effort == "quick" and not can_be_pretrained(options):
        reason = "the pretrained network forecasts steps of one length and levels up to 98"
        expected = "'balanced' or 'best' with irregular stamps and with levels above 98"
        received = f"'quick', which trains nothing: {reason}"
    else:
        return
    raise SpecError(
        "effort",
        expected=expected,
        received=received,
        hint="Name another effort, or leave these out.",
    )


def _check_names(options: Mapping[str, Any]) -> None:
    """Reject names that other columns have."""
    columns = options["columns"] or specs.Columns()
    alias = options["alias"]
    RowOptions.of(options).covariates.check_beside(columns)
    reserved = [*columns.names, columns.value, *RESERVED]
    if not isinstance(alias, str) or not alias or alias in reserved:
        raise _rejection(options, "alias", f"a name other than {reserved}", "Choose one.")
    specs.check_characters("alias", alias)


def _check_intervals(options: Mapping[str, Any]) -> None:
    """Reject point, levels, head, scaling and calibration that do not go together."""
    preset = options["preset"]
    level = interval_levels(options["level"])
    point = options["point"]
    network, training = defaults.specs(preset, options["training"], level, defaults.Sizes())
    pairs = preset.specs if isinstance(preset, specs.EnsembleSpec) else [(network, training)]
    for each, its_training in pairs:
        specs.check_loss(each.head, its_training.loss)
    check_head(preset, options["scale"])
    if isinstance(preset, specs.EnsembleSpec):
        _check_compared(preset, level)
    ForecastRequest(point, level)
    has_intervals = network.head != "point" or options["calibrate"] or is_zero_shot(preset)
    if point == "mean" and options["scale"] in LOGARITHMS and not has_intervals:
        hint = "The mean of logarithms is not the logarithm of the mean; give a level, or choose another scale."
        raise _rejection(
            options, "point", f"'median' with scale={options['scale']!r} and no distribution", hint
        )
    if options["calibrate"] and not level:
        raise _rejection(
            options,
            "level",
            "a level to calibrate",
            Phrase("Give ", Option("level", (80, 95)), "."),
        )
    if is_zero_shot(preset):
        check_within(level, MODELS[preset].shipped().widest_level)
    elif network.head == "quantile":
        known = quantile_levels(network.quantiles or ())
        hint = Phrase("Give ", Option("level", tuple(known)), ", or quantiles for the others.")
        check_trained(level, known, hint=hint)


def _check_compared(preset: specs.EnsembleSpec, level: Sequence[float]) -> None:
    """Reject intervals of networks that forecast a point and are compared with candidates that have intervals."""
    if preset.alone or not level or preset.member(0).network.head != "point":
        return
    expected = "() with an EnsembleSpec of networks that forecast a point and are compared with other candidates"
    hint = "Choose head='quantile' with the quantiles of these levels, or alone=True."
    raise SpecError("level", expected=expected, received=repr(tuple(level)), hint=hint)


def check_head(preset: Any, scale: Any) -> None:
    """Reject a scaling that shifts or scales data of a head for positive data or counts.

    Args:
        preset: The preset of a forecaster.
        scale: How it scales series.

    Raises:
        SpecError: They do not go together.

    Example:
        >>> check_head(specs.NetworkSpec(head="log_normal"), "mean")
    """
    if isinstance(preset, specs.EnsembleSpec):
        preset = preset.member(0).network
    if not isinstance(preset, specs.NetworkSpec) or preset.head not in specs.MULTIPLICATIVE_HEADS:
        return
    # Counts are scaled inside the network: scaled ones would not be counts.
    known = ("auto", "none") if preset.head == "negative_binomial" else ("auto", "none", "mean")
    if scale not in known:
        expected = f"{' or '.join(map(repr, known))} with head={preset.head!r}"
        hint = "Such data may be multiplied, but not shifted; NetworkSpec(normalise='scale') scales each window."
        raise SpecError("scale", expected=expected, received=repr(scale), hint=hint)


def _rejection(options: Mapping[str, Any], name: str, expected: str, hint: str) -> SpecError:
    """Return the error of an impossible option."""
    return SpecError(name, expected=expected, received=repr(options[name]), hint=hint)


def _given(kind: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the options for which a dataclass has fields of the same names."""
    return {item.name: options[item.name] for item in fields(kind) if item.name in options}
