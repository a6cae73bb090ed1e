"""Checks of the arguments of a forecaster, before any frame is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqcast import specs
from seqcast.data import SEASONAL_NAIVE
from seqcast.data.features import check_calendar
from seqcast.data.frames import MISSING, ON_BAD_SERIES, ON_DUPLICATES
from seqcast.data.series import LOGARITHMS, SERIES_SCALES
from seqcast.data.windows import WEIGHTINGS
from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster import defaults
from seqcast.forecaster.arguments import (
    ForecasterArguments,
    can_be_pretrained,
    context_lengths,
    interval_levels,
    wants_training,
)
from seqcast.forecaster.options import COMBINATIONS, ReadOptions
from seqcast.intervals import (
    SUPPORTS,
    ForecastRequest,
    check_trained,
    check_within,
    quantile_levels,
)
from seqcast.pretrained import MODELS, is_zero_shot
from seqcast.runtime import is_verbose

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


def check_options(arguments: ForecasterArguments) -> None:
    """Reject arguments that are impossible or do not go together.

    Args:
        arguments: The arguments of a `Forecaster`.

    Raises:
        SpecError: An option is impossible, or two do not go together.
    """
    for name in ("horizon", "members"):
        specs.check_int(name, getattr(arguments, name))
    if arguments.season_length is not None:
        specs.check_int("season_length", arguments.season_length, at_most=LONGEST_SEASON)
    if arguments.random_state is not None:
        specs.check_int("random_state", arguments.random_state, at_least=0, at_most=specs.MOST_SEED)

    is_verbose(arguments.verbose)
    context_lengths(arguments.context_length, arguments.members)

    hint = "from seqcast import TrainingSpec, Columns"
    if not isinstance(arguments.training, specs.TrainingSpec | Mapping | None):
        raise _rejection(
            arguments, "training", "a TrainingSpec, a dict of some of its fields, or None", hint
        )
    if not isinstance(arguments.columns, specs.Columns | None):
        raise _rejection(arguments, "columns", "a Columns or None", hint)

    for name, known in CHOICES.items():
        specs.check_choice(name, getattr(arguments, name), known)
    for name in ("irregular", "calibrate"):
        specs.check_flag(name, getattr(arguments, name))
    if arguments.irregular and arguments.freq is not None:
        raise _rejection(arguments, "freq", "None, for irregular=True", "Leave out one of the two.")

    check_calendar(arguments.calendar)
    _check_preset(arguments)
    _check_names(arguments)
    _check_intervals(arguments)
    _check_effort(arguments)


def _check_preset(arguments: ForecasterArguments) -> None:
    """Reject changes of arguments that a preset fixes."""
    preset = arguments.preset
    usual: dict[str, object] = {"members": 1, "training": None}
    given = {**vars(arguments), "columns.weight": getattr(arguments.columns, "weight", None)}
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
        if given[name] != value:
            named = Option("preset", preset) if is_zero_shot(preset) else "an EnsembleSpec"
            raise SpecError(
                name,
                expected=Phrase(f"{value!r} with ", named, f", {reason}"),
                received=repr(given[name]),
                hint=hint,
            )


def _check_effort(arguments: ForecasterArguments) -> None:
    """Reject an effort that leaves nothing to choose, and trainings where nothing is trained."""
    effort = arguments.effort
    if effort != "auto" and arguments.preset != "auto":
        expected = "'auto' with a preset that is named: there is nothing to choose"
        raise _rejection(arguments, "effort", expected, "Leave out one of the two.")

    if effort == "quick" and wants_training(arguments):
        reason = "which are for networks that are trained on this data"
        received = "'quick', which trains none"
        expected = f"'balanced' or 'best' with training, members or past covariates, {reason}"
    elif effort == "quick" and not can_be_pretrained(arguments):
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


def _check_names(arguments: ForecasterArguments) -> None:
    """Reject names that other columns have."""
    columns = arguments.columns or specs.Columns()
    alias = arguments.alias
    ReadOptions.of(arguments).covariates.check_beside(columns)
    reserved = [*columns.names, columns.value, *RESERVED]
    if not isinstance(alias, str) or not alias or alias in reserved:
        raise _rejection(arguments, "alias", f"a name other than {reserved}", "Choose one.")
    specs.check_characters("alias", alias)


def _check_intervals(arguments: ForecasterArguments) -> None:
    """Reject point, levels, head, scaling and calibration that do not go together."""
    preset = arguments.preset
    level = interval_levels(arguments.level)
    point = arguments.point
    network, training = defaults.specs(preset, arguments.training, level, defaults.Sizes())

    pairs = preset.specs if isinstance(preset, specs.EnsembleSpec) else [(network, training)]
    for each, its_training in pairs:
        specs.check_loss(each.head, its_training.loss)
    check_head(preset, arguments.scale)
    if isinstance(preset, specs.EnsembleSpec):
        _check_compared(preset, level)
    ForecastRequest(point, level)

    has_intervals = network.head != "point" or arguments.calibrate or is_zero_shot(preset)
    if point == "mean" and arguments.scale in LOGARITHMS and not has_intervals:
        hint = "The mean of logarithms is not the logarithm of the mean; "
        hint += "give a level, or choose another scale."
        raise _rejection(
            arguments, "point", f"'median' with scale={arguments.scale!r} and no distribution", hint
        )
    if arguments.calibrate and not level:
        raise _rejection(
            arguments,
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
    """Reject intervals of networks that forecast a point beside candidates with intervals."""
    if preset.alone or not level or preset.member(0).network.head != "point":
        return
    expected = "() with an EnsembleSpec of networks that forecast a point "
    expected += "and are compared with other candidates"
    raise SpecError(
        "level",
        expected=expected,
        received=repr(tuple(level)),
        hint="Choose head='quantile' with the quantiles of these levels, or alone=True.",
    )


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
        hint = "Such data may be multiplied, but not shifted; "
        hint += "NetworkSpec(normalise='scale') scales each window."
        raise SpecError("scale", expected=expected, received=repr(scale), hint=hint)


def _rejection(arguments: ForecasterArguments, name: str, expected: str, hint: str) -> SpecError:
    """Return the error of an impossible option."""
    return SpecError(name, expected=expected, received=repr(getattr(arguments, name)), hint=hint)
