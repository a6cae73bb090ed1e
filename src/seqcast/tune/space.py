"""The space of a search: fields of networks and trainings with their values."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast.errors import SpecError, unknown_name
from seqcast.forecaster import Sizes
from seqcast.specs import NETWORK_FIELDS, TRAINING_FIELDS, FinetuneSpec, MemberSpec

if TYPE_CHECKING:
    from optuna import Trial

# The members of an ensemble share these fields, or they define the forecast.
_FIXED = ("head", "quantiles", "validation_fraction", "metrics")

# The options that a trial tries.
Setting = MemberSpec | FinetuneSpec
# The parameters of a trial: the label of a `Choice` or the number of a `Range`, by name.
Parameters = dict[str, Any]
# Fields of a network, a training or a fine-tuning, by name.
Fields = Mapping[str, Any]

# Label of the untuned setting, where no label of a bundle has its values.
UNTUNED = "untuned"


@dataclass(frozen=True)
class Choice:
    """A choice of one of several values.

    Args:
        values: The values of a field; or by a label of your own, fields that are set together.

    Raises:
        SpecError: There are none.

    Example:
        >>> Choice([64, 128, 256]).labels
        ('64', '128', '256')
        >>> wide = Choice({"64": {"encoder_units": (64,), "decoder_units": (64,)}})
        >>> wide.fields_of("units", "64")
        {'encoder_units': (64,), 'decoder_units': (64,)}
    """

    values: Sequence[object] | Mapping[str, Fields]

    def __post_init__(self) -> None:
        values = self.values
        if isinstance(values, str) or not isinstance(values, Sequence | Mapping) or not len(values):
            raise SpecError(
                "space",
                expected="a list of values",
                received=repr(values),
                hint="Give one or more.",
            )
        labelled = values.values() if isinstance(values, Mapping) else ()
        if not all(isinstance(fields, Mapping) for fields in labelled):
            example = "Choice({'wide': {'encoder_units': (64,), 'decoder_units': (64,)}})"
            raise SpecError(
                "space",
                expected="fields for each label",
                received=repr(values),
                hint=f"{example}, or a list of values.",
            )

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each value."""
        return tuple(str(value) for value in self.values)

    def names(self, name: str) -> set[str]:
        """Return the fields that it sets.

        Args:
            name: Its own name in the space.
        """
        return {field for label in self.labels for field in self.fields_of(name, label)}

    def fields_of(self, name: str, label: str) -> Fields:
        """Return the fields that a label sets.

        Args:
            name: Its own name in the space.
            label: The label.
        """
        if isinstance(self.values, Mapping):
            return self.values[label]
        return {name: self.values[self.labels.index(label)]}

    def value_of(self, name: str, given: Fields) -> str | None:
        """Return the label whose fields are as they are given; `None` where there is none.

        Args:
            name: Its own name in the space.
            given: Fields, by name.
        """
        for label in self.labels:
            fields = self.fields_of(name, label)
            if all(_are_equal(given.get(field), value) for field, value in fields.items()):
                return label
        return None

    def widened(self, name: str, given: Fields) -> Choice:
        """Return the choice with the given fields among its values.

        Args:
            name: Its own name in the space.
            given: Fields, by name.
        """
        if self.value_of(name, given) is not None:
            return self
        if isinstance(self.values, Mapping):
            return Choice({UNTUNED: {}, **self.values})
        return Choice([given[name], *self.values])

    def others_than(self, label: str) -> list[str]:
        """Return the labels but one.

        Args:
            label: That one.
        """
        return [each for each in self.labels if each != label]

    def suggest(self, trial: Trial, name: str) -> str:
        """Return the label that a trial takes.

        Args:
            trial: Optuna's trial.
            name: Its own name in the space.
        """
        return trial.suggest_categorical(name, self.labels)


@dataclass(frozen=True)
class Range:
    """A number between two others; its methods are those of `Choice`, with numbers as labels.

    Args:
        low: The smallest.
        high: The largest.
        log: Whether numbers are searched by their order of magnitude.
        whole: Whether it is a whole number.

    Raises:
        SpecError: It is no range.

    Example:
        >>> Range(1e-4, 1e-2, log=True).high
        0.01
    """

    low: float
    high: float
    log: bool = False
    whole: bool = False

    def __post_init__(self) -> None:
        good = all(
            isinstance(each, int | float) and math.isfinite(each) for each in (self.low, self.high)
        )
        if not good or self.low > self.high or (self.log and self.low <= 0):
            numbers = "numbers above 0" if self.log else "numbers"
            raise SpecError(
                "space",
                expected=f"{numbers}, the smaller first",
                received=repr(self),
                hint="Range(a, b)",
            )

    def names(self, name: str) -> set[str]:
        """Return the field that it sets.

        Args:
            name: That field.
        """
        return {name}

    def fields_of(self, name: str, value: float) -> Fields:
        """Return the field that a number sets.

        Args:
            name: The field.
            value: The number.
        """
        return {name: value}

    def value_of(self, name: str, given: Fields) -> float:
        """Return the number that is given.

        Args:
            name: The field.
            given: Fields, by name.
        """
        value: float = given[name]
        return value

    def widened(self, name: str, given: Fields) -> Range:
        """Return the range with the given number in it.

        Args:
            name: The field.
            given: Fields, by name.

        Raises:
            SpecError: The given value is no number.
        """
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise SpecError(
                "space",
                expected=f"a Choice for {name}, which is {value!r}",
                received=repr(self),
                hint="Give a Choice.",
            )
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def others_than(self, value: float) -> list[float]:
        """Return the numbers half-way from a number to both ends.

        With `log` they are half-way by their order of magnitude.

        Args:
            value: That number.
        """
        ends = [end for end in (self.low, self.high) if end != value]
        middles = [math.sqrt(value * end) if self.log else (value + end) / 2 for end in ends]
        return [round(middle) if self.whole else middle for middle in middles]

    def suggest(self, trial: Trial, name: str) -> float:
        """Return the number that a trial takes.

        Args:
            trial: Optuna's trial.
            name: The field.
        """
        if self.whole:
            return trial.suggest_int(name, int(self.low), int(self.high), log=self.log)
        return trial.suggest_float(name, self.low, self.high, log=self.log)


# By name: a field of a network or a training, or a name of the user's for a bundle.
Space = Mapping[str, Choice | Range]


def _are_equal(given: object, value: object) -> bool:
    """Return whether a field of a spec, which holds tuples, has a value of the user's."""
    if isinstance(given, tuple) and isinstance(value, list):
        value = tuple(value)
    return bool(given == value)


def check_space(space: object, *, finetuned: bool = False) -> Space:
    """Return the user's space, or reject it.

    Args:
        space: By name, a `Choice`, a `Range`, a list of values, or fields by label.
        finetuned: Whether it is that of a fine-tuning.

    Raises:
        SpecError: It is no mapping, or names a field that does not exist or cannot be searched.

    Example:
        >>> check_space({"dropout": [0.0, 0.2]})
        {'dropout': Choice(values=[0.0, 0.2])}
    """
    if not isinstance(space, Mapping) or not space:
        raise SpecError(
            "space",
            expected="values by the name of a field",
            received=repr(space),
            hint="{'learning_rate': Range(1e-3, 1e-2, log=True), 'dropout': [0.0, 0.2]}",
        )
    checked = {
        name: each if isinstance(each, Choice | Range) else Choice(each)
        for name, each in space.items()
    }

    fields = (*NETWORK_FIELDS, *TRAINING_FIELDS, "context_length")
    if finetuned:
        fields = (*TRAINING_FIELDS, "freeze")
    known = [each for each in fields if each not in _FIXED]
    for field in searched_fields(checked):
        if field in _FIXED:
            raise SpecError(
                "space",
                expected="fields that members of an ensemble may have for themselves",
                received=repr(field),
                hint="Give it as an option of the forecaster, such as level or training.",
            )
        if field not in known:
            raise unknown_name("field of space", field, known)
    return checked


def searched_fields(space: Space) -> list[str]:
    """Return the fields that a space sets.

    Args:
        space: The space.
    """
    return [field for name, parameter in space.items() for field in parameter.names(name)]


def widened(space: Space, untuned: Setting) -> dict[str, Choice | Range]:
    """Return a space that holds the untuned setting, with which a search begins.

    Args:
        space: The space.
        untuned: The untuned setting.
    """
    given = untuned.values
    return {name: parameter.widened(name, given) for name, parameter in space.items()}


def neighbours(space: Space, untuned: Setting, seed: int) -> tuple[Parameters, list[Parameters]]:
    """Return the parameters of the untuned setting, and those of settings that differ in one.

    Good defaults are mostly near the best setting of a data set, so a search begins near them.

    Args:
        space: The space, which holds the untuned setting.
        untuned: The untuned setting.
        seed: Seed of their order.

    Example:
        >>> from seqcast import NetworkSpec, TrainingSpec
        >>> member = MemberSpec(NetworkSpec(), TrainingSpec())
        >>> neighbours({"cell": Choice(["gru", "lstm"])}, member, seed=0)
        ({'cell': 'gru'}, [{'cell': 'lstm'}])
    """
    given = untuned.values
    first: Parameters = {name: parameter.value_of(name, given) for name, parameter in space.items()}
    others = [
        {**first, name: value}
        for name, parameter in space.items()
        for value in parameter.others_than(first[name])
        if value != first[name]
    ]
    order = np.random.default_rng(seed).permutation(len(others))
    return first, [others[place] for place in order]


# Context lengths that are tried, over the untuned one.
CONTEXTS = (0.5, 1.5, 2.0, 3.0)
# Learning rates that are tried, over the untuned one.
RATES = (0.2, 5.0)
# Fewest and most steps an epoch of a fine-tuning, over the untuned ones.
STEPS = (0.25, 4.0)
# Submodules that a fine-tuning leaves as they are: with fewer weights to learn, little data says
# more about each.
FROZEN = ("encoder", "encoder-decoder", "decoder")


def _widths(*widths: tuple[int, ...]) -> Choice:
    """Return the choice of widths that encoder and decoder share."""
    by_label = {"-".join(map(str, units)): units for units in widths}
    return Choice(
        {
            label: {"encoder_units": units, "decoder_units": units}
            for label, units in by_label.items()
        }
    )


def default_space(
    untuned: Setting, sizes: Sizes, *, contexts: bool = True, covariates: bool = False
) -> dict[str, Choice | Range]:
    """Return the space that is searched unless the user gives one.

    Networks of segments and others have spaces of their own; both have widths, normalisation,
    residual, dropout, learning rate, batch size and context length. That of a fine-tuning has
    learning rate, batch size, number of steps and the submodules that stay as they are.

    Args:
        untuned: The untuned setting.
        sizes: Sizes of the data: `context_length` is that of the network, `windows` the rows of the
            longest series.
        contexts: Whether the context length is searched too.
        covariates: Whether a fine-tuning learns the effect of covariates, for which no submodule
            may stay as it is.

    Example:
        >>> from seqcast.specs import NetworkSpec, TrainingSpec
        >>> member = MemberSpec(NetworkSpec(), TrainingSpec(), context_length=24)
        >>> sizes = Sizes(windows=200, context_length=24, horizon=12, season_length=12)
        >>> sorted(default_space(member, sizes))[:4]
        ['batch_size', 'context_length', 'decoder', 'dropout']
    """
    low, high = (share * untuned.training.learning_rate for share in RATES)
    space: dict[str, Choice | Range] = {"learning_rate": Range(low, high, log=True)}
    if isinstance(untuned, FinetuneSpec):
        return space | _finetuning(untuned, freezable=not covariates)

    space["batch_size"] = Choice([64, 128, 256])
    if untuned.network.segment > 1:
        space |= _of_segments(untuned.network.segment, sizes)
    else:
        space |= _of_steps()

    if 1 < sizes.season_length <= sizes.context_length:
        space["residual"] = Choice(["none", "seasonal", "gated"])
    lengths = _context_lengths(untuned.network.segment, sizes)
    if contexts and len(lengths) > 1:
        space["context_length"] = Choice(lengths)
    return space


def _of_segments(segment: int, sizes: Sizes) -> dict[str, Choice | Range]:
    """Return the space of networks that read and write segments."""
    season = sizes.season_length
    longest = min(sizes.horizon, sizes.context_length // 2)
    others = {steps for steps in (season // 2, season, 2 * season) if 1 < steps <= longest}
    return {
        "units": _widths((64,), (128,), (64, 64), (128, 128)),
        "segment": Choice(sorted({segment, *others})),
        "normalise": Choice(["instance", "recent", "last"]),
        "dropout": Range(0.0, 0.5),
    }


def _of_steps() -> dict[str, Choice | Range]:
    """Return the space of networks that read and write single steps."""
    zeros = {"decoder_input": "zeros", "decoding": "recurrent"}
    parallel = {"decoder_input": "position", "decoding": "parallel"}
    return {
        "units": _widths((35, 35), (64,), (64, 64), (128,)),
        "decoder": Choice({"zeros": zeros, "parallel": parallel}),
        "normalise": Choice(["last", "recent", "instance"]),
        "dropout": Range(0.0, 0.4),
    }


def _context_lengths(segment: int, sizes: Sizes) -> list[int]:
    """Return the context lengths that are tried."""
    context = sizes.context_length
    longest = max(context, sizes.windows - sizes.horizon)
    least = max(2, segment)
    if sizes.season_length <= context:  # a residual needs a season in the context
        least = max(least, sizes.season_length)
    lengths = {context, *(round(share * context) for share in CONTEXTS)}
    return sorted(length for length in lengths if least <= length <= longest)


def _finetuning(untuned: FinetuneSpec, *, freezable: bool) -> dict[str, Choice | Range]:
    """Return the space of a fine-tuning but its learning rate.

    Args:
        untuned: The untuned fine-tuning.
        freezable: Whether submodules may stay as they are.
    """
    space: dict[str, Choice | Range] = {"batch_size": Choice([32, 64, 128])}
    steps = untuned.training.steps_per_epoch
    if steps is not None:
        least, most = (max(1, round(share * steps)) for share in STEPS)
        space["steps_per_epoch"] = Range(least, most, log=True, whole=True)
    if freezable:
        frozen = {name: {"freeze": tuple(name.split("-"))} for name in FROZEN}
        space["freeze"] = Choice({"none": {"freeze": ()}, **frozen})
    return space
