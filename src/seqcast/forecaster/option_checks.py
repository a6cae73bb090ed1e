"""The checks of a forecaster's options, before any frame is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from seqcast.data import SEASONAL_NAIVE
from seqcast.data.features import check_calendar
from seqcast.data.frames import MISSING, ON_BAD_SERIES
from seqcast.data.series import LOGARITHMS, SERIES_SCALES
from seqcast.data.windows import WEIGHTINGS
from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster.candidates.trained import COMBINATIONS
from seqcast.forecaster.defaults import EFFORTS, Sizes, specs
from seqcast.forecaster.options import can_be_pretrained, context_lengths, interval_levels, wants_training
from seqcast.intervals import SUPPORTS, ForecastRequest, check_trained, check_within, quantile_levels
from seqcast.pretrained import MODELS, is_zero_shot
from seqcast.specs import (
    MULTIPLICATIVE_HEADS,
    Columns,
    Covariates,
    EnsembleSpec,
    NetworkSpec,
    TrainingSpec,
    check_choice,
    check_flag,
    check_int,
    check_loss,
)

# Names of other columns in frames of forecasts.
RESERVED = ("cutoff", "target", "step", "sample", SEASONAL_NAIVE, "last_value")
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
    one = {"members": 1, "training": None}
    if is_zero_shot(preset := options["preset"]):
        reason = f"preset={preset!r}, one network that is trained and has quantiles"
        _refuse_changed(options, {**one, "point": "median"}, reason, "Leave it out, or name another preset.")
    if isinstance(preset, EnsembleSpec):
        reason = "an EnsembleSpec, whose members have their own"
        _refuse_changed(
            options, {**one, "context_length": None}, reason, "Give it to each MemberSpec, or leave it out."
        )
    _check_effort(options)
    _check_names(options)
    _check_intervals(options)
    _check_quick(options)


def check_head(preset: Any, scale: Any) -> None:
    """Refuse a scaling that shifts or scales data of a head for positive data or counts.

    Example:
        >>> check_head(NetworkSpec(head="log_normal"), "mean")
    """
    if isinstance(preset, EnsembleSpec):
        preset = preset.member(0).network
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


def _refuse_changed(options: Mapping[str, Any], usual: Mapping[str, Any], reason: str, hint: str) -> None:
    """Refuse options that differ from the usual, where a preset leaves no choice."""
    for name, value in usual.items():
        if options[name] != value:
            raise SpecError(name, expected=f"{value!r} with {reason}", received=repr(options[name]), hint=hint)


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
    if effort == "quick" and wants_training(options):
        raise SpecError(
            "effort",
            expected="'balanced' or 'best' with training, members or covariates, which are for networks that are "
            "trained on this data",
            received="'quick', which trains none",
            hint="Name another effort, or leave these out.",
        )


def _check_quick(options: Mapping[str, Any]) -> None:
    """Refuse to choose without training where the last season would be the only candidate."""
    if options["effort"] != "quick" or can_be_pretrained(options, interval_levels(options["level"])):
        return
    raise SpecError(
        "effort",
        expected="'balanced' or 'best' with point='mean', with irregular stamps and with levels above 98",
        received="'quick', which trains nothing: the pretrained network forecasts medians, steps of one length and "
        "levels up to 98",
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
    pairs = preset.specs if isinstance(preset := options["preset"], EnsembleSpec) else [(network, training)]
    for each, its_training in pairs:
        check_loss(each.head, its_training.loss)
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
    if is_zero_shot(options["preset"]):
        check_within(level, MODELS[options["preset"]].shipped().widest_level)
    elif network.head == "quantile":
        known = quantile_levels(network.quantiles or ())
        listed = ", ".join(f"{each:g}" for each in known)
        check_trained(level, known, hint=f"Give level=({listed},), or quantiles for the others.")
