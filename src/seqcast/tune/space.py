"""The space of a search: fields of networks and trainings with their values, and the default space."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from seqcast.errors import SpecError, unknown_name
from seqcast.forecaster import Sizes
from seqcast.specs import NETWORK_FIELDS, TRAINING_FIELDS, FinetuneSpec, MemberSpec

# The members of an ensemble share these fields, or they define the forecast.
_FIXED = ("head", "quantiles", "validation_fraction", "metrics")

# The options that a trial tries.
Setting = MemberSpec | FinetuneSpec

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

    values: Sequence[Any] | Mapping[str, Mapping[str, Any]]

    def __post_init__(self) -> None:
        values = self.values
        if isinstance(values, str) or not isinstance(values, Sequence | Mapping) or not len(values):
            raise SpecError(
                "space",
                expected="a list of values",
                received=repr(values),
                hint="Give one or more.",
            )
        if isinstance(values, Mapping) and not all(
            isinstance(fields, Mapping) for fields in values.values()
        ):
            hint = "Choice({'wide': {'encoder_units': (64,), 'decoder_units': (64,)}}), or a list of values."
            raise SpecError(
                "space", expected="fields for each label", received=repr(values), hint=hint
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

    def fields_of(self, name: str, label: str) -> dict[str, Any]:
        """Return the fields that a label sets.

        Args:
            name: Its own name in the space.
            label: The label.
        """
        if isinstance(self.values, Mapping):
            return dict(self.values[label])
        return {name: self.values[self.labels.index(label)]}

    def value_of(self, name: str, given: Mapping[str, Any]) -> str | None:
        """Return the label whose fields are as they are given; `None` where there is none.

        Args:
            name: Its own name in the space.
            given: Fields, by name.
        """
        for label in self.labels:
            if all(
                _same(given.get(key), value) for key, value in self.fields_of(name, label).items()
            ):
                return label
        return None

    def widened(self, name: str, given: Mapping[str, Any]) -> Choice:
        """Return it with the given fields among its values.

        Args:
            name: Its own name in the space.
            given: Fields, by name.
        """
        if self.value_of(name, given) is not None:
            return self
        return Choice(
            {UNTUNED: {}, **self.values}
            if isinstance(self.values, Mapping)
            else [given[name], *self.values]
        )

    def others_than(self, label: Any) -> list[Any]:
        """Return the labels but one.

        Args:
            label: That one.
        """
        return [each for each in self.labels if each != label]

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the label that a trial takes.

        Args:
            trial: Optuna's trial.
            name: Its own name in the space.
        """
        return trial.suggest_categorical(name, self.labels)


@dataclass(frozen=True)
class Range:
    """A number between two others; its methods are those of `Choice`, with a number in place of a label.

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
            expected = f"numbers{' above 0' if self.log else ''}, the smaller first"
            raise SpecError("space", expected=expected, received=repr(self), hint="Range(a, b)")

    def names(self, name: str) -> set[str]:
        """Return the field that it sets.

        Args:
            name: That field.
        """
        return {name}

    def fields_of(self, name: str, value: float) -> dict[str, Any]:
        """Return the field that a number sets.

        Args:
            name: The field.
            value: The number.
        """
        return {name: value}

    def value_of(self, name: str, given: Mapping[str, Any]) -> Any:
        """Return the number that is given.

        Args:
            name: The field.
            given: Fields, by name.
        """
        return given[name]

    def widened(self, name: str, given: Mapping[str, Any]) -> Range:
        """Return it with the given number in it.

        Args:
            name: The field.
            given: Fields, by name.

        Raises:
            SpecError: The given value is no number.
        """
        value = given[name]
        if isinstance(value, bool) or not isinstance(value, int | float):
            expected = f"a Choice for {name}, which is {value!r}"
            raise SpecError("space", expected=expected, received=repr(self), hint="Give a Choice.")
        return replace(self, low=min(self.low, value), high=max(self.high, value))

    def others_than(self, value: Any) -> list[Any]:
        """Return the numbers half-way from a number to both ends, by their order of magnitude if `log`.

        Args:
            value: That number.
        """
        ends = [end for end in (self.low, self.high) if end != value]
        middles = [math.sqrt(value * end) if self.log else (value + end) / 2 for end in ends]
        return [round(middle) if self.whole else middle for middle in middles]

    def suggest(self, trial: Any, name: str) -> Any:
        """Return the number that a trial takes.

        Args:
            trial: Optuna's trial.
            name: The field.
        """
        suggest = trial.suggest_int if self.whole else trial.suggest_float
        return suggest(name, self.low, self.high, log=self.log)


# By name: a field of a network or a training, or a name of the user's for a bundle.
Space = Mapping[str, Choice | Range]


def _same(one: Any, other: Any) -> bool:
    return bool(
        one == (tuple(other) if isinstance(other, list) and isinstance(one, tuple) else other)
    )


def check_space(space: Any, *, finetuned: bool = False) -> Space:
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
        hint = "{'learning_rate': Range(1e-3, 1e-2, log=True), 'dropout': [0.0, 0.2]}"
        raise SpecError(
            "space", expected="values by the name of a field", received=repr(space), hint=hint
        )
    fields = (
        (*TRAINING_FIELDS, "freeze")
        if finetuned
        else (*NETWORK_FIELDS, *TRAINING_FIELDS, "context_length")
    )
    known = [each for each in fields if each not in _FIXED]
    checked = {
        name: each if isinstance(each, Choice | Range) else Choice(each)
        for name, each in space.items()
    }
    for each in (field for name, parameter in checked.items() for field in parameter.names(name)):
        if each in _FIXED:
            expected = "fields that members of an ensemble may have for themselves"
            hint = "Give it as an option of the forecaster, such as level or training."
            raise SpecError("space", expected=expected, received=repr(each), hint=hint)
        if each not in known:
            raise unknown_name("field of space", each, known)
    return checked


def widened(space: Space, untuned: Setting) -> dict[str, Choice | Range]:
    """Return a space that holds the untuned setting, with which a search begins.

    Args:
        space: The space.
        untuned: The untuned setting.
    """
    given = untuned.values
    return {name: parameter.widened(name, given) for name, parameter in space.items()}


def neighbours(
    space: Space, untuned: Setting, seed: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Return the parameters of the untuned setting, and those of settings that differ from it in one of them.

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
    first = {name: parameter.value_of(name, given) for name, parameter in space.items()}
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
    return Choice(
        {
            "-".join(map(str, each)): {"encoder_units": each, "decoder_units": each}
            for each in widths
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
        >>> from seqcast.specs.network import NetworkSpec
        >>> from seqcast.specs.training import TrainingSpec
        >>> member = MemberSpec(NetworkSpec(), TrainingSpec(), context_length=24)
        >>> sorted(default_space(member, Sizes(windows=200, context_length=24, horizon=12, season_length=12)))[:4]
        ['batch_size', 'context_length', 'decoder', 'dropout']
    """
    rate = untuned.training.learning_rate
    space: dict[str, Choice | Range] = {
        "learning_rate": Range(RATES[0] * rate, RATES[1] * rate, log=True)
    }
    if isinstance(untuned, FinetuneSpec):
        return space | _finetuning(untuned, freezable=not covariates)
    context = sizes.context_length
    season = sizes.season_length
    segment = untuned.network.segment
    space["batch_size"] = Choice([64, 128, 256])
    if segment > 1:
        tokens = (
            steps
            for steps in {season, 2 * season, season // 2}
            if 1 < steps <= min(sizes.horizon, context // 2)
        )
        space["units"] = _widths((64,), (128,), (64, 64), (128, 128))
        space["segment"] = Choice(sorted({segment, *tokens}))
        space["normalise"] = Choice(["instance", "recent", "last"])
    else:
        zeros = {"decoder_input": "zeros", "decoding": "recurrent"}
        parallel = {"decoder_input": "position", "decoding": "parallel"}
        space["units"] = _widths((35, 35), (64,), (64, 64), (128,))
        space["decoder"] = Choice({"zeros": zeros, "parallel": parallel})
        space["normalise"] = Choice(["last", "recent", "instance"])
    space["dropout"] = Range(0.0, 0.5 if segment > 1 else 0.4)
    if 1 < season <= context:
        space["residual"] = Choice(["none", "seasonal", "gated"])
    longest = max(context, sizes.windows - sizes.horizon)
    lengths = {context, *(round(share * context) for share in CONTEXTS)}
    # A residual needs a season in the context.
    least = max(2, segment, season if season <= context else 2)
    lengths = {length for length in lengths if least <= length <= longest}
    if contexts and len(lengths) > 1:
        space["context_length"] = Choice(sorted(lengths))
    return space


def _finetuning(untuned: FinetuneSpec, *, freezable: bool) -> dict[str, Choice | Range]:
    """Return the space of a fine-tuning but its rate; `freezable` says whether submodules may stay as they are."""
    space: dict[str, Choice | Range] = {"batch_size": Choice([32, 64, 128])}
    steps = untuned.training.steps_per_epoch
    if steps is not None:
        least, most = (max(1, round(share * steps)) for share in STEPS)
        space["steps_per_epoch"] = Range(least, most, log=True, whole=True)
    if freezable:
        frozen = {name: {"freeze": tuple(name.split("-"))} for name in FROZEN}
        space["freeze"] = Choice({"none": {"freeze": ()}, **frozen})
    return space
