"""The arguments of a forecaster, typed, and what follows from them before any frame is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import KW_ONLY, dataclass
from typing import Any

import numpy as np

from seqcast.errors import Option, Phrase, SpecError
from seqcast.intervals import check_levels
from seqcast.pretrained import DEFAULT_MODEL, MODELS, is_zero_shot
from seqcast.specs import Columns, EnsembleSpec, NetworkSpec, TrainingSpec, check_int


@dataclass(eq=False, repr=False)
class ForecasterArguments:
    """The arguments of a `Forecaster`, which says what they mean."""

    horizon: int
    _: KW_ONLY
    context_length: int | Sequence[int] | None = None
    level: Sequence[float] | float = (80, 95)
    preset: str | NetworkSpec | EnsembleSpec = "auto"
    effort: str = "auto"
    training: TrainingSpec | Mapping[str, Any] | None = None
    columns: Columns | None = None
    freq: Any = None
    season_length: int | None = None
    static_covariates: Sequence[str] = ()
    past_covariates: Sequence[str] = ()
    future_covariates: Sequence[str] = ()
    calendar: str | Sequence[str] = "auto"
    missing: str = "fill"
    on_bad_series: str = "raise"
    on_duplicates: str = "raise"
    irregular: bool = False
    scale: str = "auto"
    support: str = "auto"
    weighting: str = "windows"
    calibrate: bool = False
    point: str = "median"
    members: int = 1
    combine: str = "median"
    alias: str = "seqcast"
    random_state: int | None = None
    verbose: int = 1


def is_compared(preset: Any) -> bool:
    """Return whether trained networks share the forecast with other candidates, by comparison.

    Args:
        preset: The preset of a forecaster.

    Example:
        >>> is_compared("auto"), is_compared("classic"), is_compared(NetworkSpec())
        (True, False, False)
    """
    if isinstance(preset, EnsembleSpec):
        return not preset.alone
    return isinstance(preset, str) and preset == "auto"


def wants_training(arguments: ForecasterArguments) -> bool:
    """Return whether an argument is about a network that is trained on the data.

    Args:
        arguments: The arguments.
    """
    has_past = len(arguments.past_covariates) > 0
    return has_past or arguments.training is not None or int(arguments.members) > 1


def can_be_pretrained(arguments: ForecasterArguments) -> bool:
    """Return whether the pretrained network can give such forecasts.

    Args:
        arguments: The arguments.
    """
    if arguments.irregular:
        return False
    widest = max(interval_levels(arguments.level), default=0.0)
    return widest <= MODELS[zero_shot_model(arguments.preset)].shipped().widest_level


def zero_shot_model(preset: Any) -> str:
    """Return the name of the zero-shot model of a preset: its own, or the usual one.

    Args:
        preset: The preset of a forecaster.

    Example:
        >>> zero_shot_model("auto")
        'pretrained'
    """
    return preset if is_zero_shot(preset) else DEFAULT_MODEL


def interval_levels(level: Sequence[float] | float | None) -> tuple[float, ...]:
    """Return the levels of intervals as a tuple.

    Args:
        level: One level or several, in per cent; empty or `None` for no intervals.

    Example:
        >>> interval_levels((80, 95)), interval_levels(()), interval_levels(None)
        ((80.0, 95.0), (), ())
    """
    if level is None:
        return ()
    if isinstance(level, Sequence | np.ndarray) and not isinstance(level, str) and not len(level):
        return ()
    return check_levels(level)


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
    if context_length is None:
        return (None,)
    is_text = isinstance(context_length, str)
    are_several = isinstance(context_length, Sequence | np.ndarray) and not is_text
    lengths = tuple(context_length) if are_several else (context_length,)
    for length in lengths:
        check_int("context_length", length)

    if not lengths or len(lengths) > int(members):
        raise SpecError(
            "context_length",
            expected=Phrase(
                "one length, or at most one a member (", Option("members", members), ")"
            ),
            received=repr(context_length),
            hint=Phrase("Give ", Option("members", max(1, len(lengths))), " or more."),
        )
    return tuple(map(int, lengths))
