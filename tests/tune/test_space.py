"""Spaces: what they reject, that they hold the untuned setting, and that a setting changes what it names alone."""

import pytest

from seqcast.errors import SpecError
from seqcast.forecaster.defaults import Sizes
from seqcast.specs.network import NetworkSpec
from seqcast.specs.presets import FinetuneSpec, MemberSpec, preset
from seqcast.specs.training import TrainingSpec
from seqcast.tune.space import Choice, Range, check_space, default_space, neighbours, widened
from tests.rejections import rejected

CLASSIC = MemberSpec(NetworkSpec(normalise="last"), TrainingSpec(), context_length=24)
SEGMENTS = MemberSpec(
    preset("segment").fitted_to(season_length=12, context_length=48, horizon=24).network,
    preset("segment").training,
    context_length=48,
)
FINETUNING = FinetuneSpec(TrainingSpec(learning_rate=5e-4, batch_size=64, steps_per_epoch=8))
SETTINGS = [CLASSIC, SEGMENTS, FINETUNING]


def sizes(untuned):
    return Sizes(200, untuned.values.get("context_length", 1), 24, 12)


class Recorded:
    """A trial of Optuna's that takes the first or the last of what may be."""

    def __init__(self, last):
        self.suggest_categorical = lambda name, labels: labels[-1 if last else 0]
        self.suggest_int = self.suggest_float = lambda name, low, high, log=False: (
            high if last else low
        )


REJECTED = [
    ({}, "space: expected values by the name of a field"),
    ({"drop": [0.1]}, "field of space: expected one of .*received 'drop'. Did you mean 'dropout'"),
    (
        {"head": ["normal"]},
        "fields that members of an ensemble may have for themselves, received 'head'",
    ),
    ({"mine": {"a": {"quantiles": (0.5,)}}}, "received 'quantiles'"),
    ({"mine": {"a": 3}}, "expected fields for each label"),
    ({"dropout": []}, "expected a list of values"),
]


@pytest.mark.parametrize(("space", "message"), REJECTED)
def test_spaces_that_are_rejected(space, message):
    rejected(SpecError, message, check_space, space)


def test_ranges_that_are_rejected():
    for low, high, log in ((2, 1, False), (0.0, 1.0, True), (float("nan"), 1.0, False)):
        rejected(SpecError, "the smaller first", Range, low, high, log=log)
    rejected(
        SpecError,
        "expected a Choice for normalise, which is 'last'",
        widened,
        {"normalise": Range(0, 1)},
        CLASSIC,
    )
    assert (
        Choice({"35": {"encoder_units": [35, 35]}}).value_of("units", CLASSIC.values) == "35"
    )  # lists are tuples


@pytest.mark.parametrize("untuned", SETTINGS)
def test_a_space_holds_the_untuned_setting(untuned):
    spaces = [
        default_space(untuned, sizes(untuned)),
        {
            "warmup": Range(0.7, 0.8),
            "optimizer": Choice(["sgd"]),
            "w": Choice({"9": {"batch_size": 9, "epochs": 2}}),
        },
    ]
    given = untuned.values
    for space in spaces:
        chosen = {}
        for name, parameter in widened(space, untuned).items():
            value = parameter.value_of(name, given)
            assert value is not None
            chosen |= parameter.fields_of(name, value)
        assert untuned.changed(chosen) == untuned


@pytest.mark.parametrize("untuned", SETTINGS)
def test_the_ends_of_the_default_space_can_be_built(untuned):
    space = widened(default_space(untuned, sizes(untuned)), untuned)
    before = untuned.values
    for last in (False, True):
        chosen = {}
        for name, parameter in space.items():
            chosen |= parameter.fields_of(name, parameter.suggest(Recorded(last), name))
        after = untuned.changed(chosen).values
        differing = {name for name in before if before[name] != after[name]}
        assert set() < differing <= set(chosen)


def test_short_series_get_no_contexts_that_they_cannot_fill():
    lengths = default_space(CLASSIC, Sizes(40, 24, 12, 12))["context_length"].values
    assert max(lengths) <= 28
    assert min(default_space(CLASSIC, Sizes(200, 24, 12, 24))["context_length"].values) == 24
    assert "context_length" not in default_space(CLASSIC, Sizes(40, 24, 12, 12), contexts=False)
    assert "residual" not in default_space(CLASSIC, Sizes(200, 24, 12, 1))


@pytest.mark.parametrize("untuned", SETTINGS)
def test_neighbours_differ_from_the_untuned_setting_in_one_parameter(untuned):
    space = widened(default_space(untuned, sizes(untuned)), untuned)
    first, others = neighbours(space, untuned, seed=0)
    assert {sum(other[name] != first[name] for name in first) for other in others} == {1}
    assert {name for other in others for name in first if other[name] != first[name]} == set(space)
    for other in others:
        for name, parameter in space.items():
            if isinstance(parameter, Range):
                assert parameter.low <= other[name] <= parameter.high
    again = neighbours(space, untuned, seed=1)[1]
    assert again != others
    assert sorted(map(str, again)) == sorted(map(str, others))


def test_a_fine_tuning_that_learns_covariates_freezes_nothing():
    assert "freeze" in default_space(FINETUNING, sizes(FINETUNING))
    assert "freeze" not in default_space(FINETUNING, sizes(FINETUNING), covariates=True)
    check_space({"freeze": [(), ("encoder",)]}, finetuned=True)
    rejected(
        SpecError,
        "encoder_units",
        check_space,
        {"size": {"small": {"encoder_units": (9,)}}},
        finetuned=True,
    )
