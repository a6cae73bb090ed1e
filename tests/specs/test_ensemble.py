"""Ensembles of networks of different shapes, as a value."""

import json

import pytest

from seqcast.errors import SpecError
from seqcast.specs.ensemble import EnsembleSpec, MemberSpec
from seqcast.specs.network import NetworkSpec
from seqcast.specs.training import TrainingSpec

ONE = MemberSpec(NetworkSpec(encoder_units=(3,)), TrainingSpec(epochs=1), context_length=8)
OTHER = MemberSpec(NetworkSpec(cell="lstm", dropout=0.2), TrainingSpec(optimizer="adamw"))


def test_members_are_counted_around():
    ensemble = EnsembleSpec([ONE, OTHER])
    assert [ensemble.member(place) for place in range(3)] == [ONE, OTHER, ONE]
    assert list(ensemble.specs) == [(ONE.network, ONE.training), (OTHER.network, OTHER.training)]


@pytest.mark.parametrize(
    "ensemble",
    [
        EnsembleSpec([ONE, OTHER], alone=True),
        EnsembleSpec([ONE], finetuning={"epochs": 2}, judge=OTHER),
    ],
)
def test_round_trip_through_json(ensemble):
    assert EnsembleSpec.from_dict(json.loads(json.dumps(ensemble.to_dict()))) == ensemble


def test_the_judge_is_trained_after_the_members():
    assert EnsembleSpec([ONE], judge=OTHER).trained == (ONE, OTHER)
    assert EnsembleSpec([ONE]).trained == (ONE,)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MemberSpec({}, TrainingSpec()), "network: expected a NetworkSpec, received {}"),
        (lambda: MemberSpec(NetworkSpec(), None), "training: expected a TrainingSpec, received None"),
        (lambda: MemberSpec(NetworkSpec(), TrainingSpec(), 0), "context_length: expected a whole number >= 1"),
        (lambda: EnsembleSpec([]), "members: expected one MemberSpec or more"),
        (lambda: EnsembleSpec([NetworkSpec()]), "members: expected one MemberSpec or more"),
        (lambda: EnsembleSpec([ONE], alone=1), "alone: expected"),
        (lambda: EnsembleSpec([ONE], finetuning={"epoch": 1}), "epoch"),
        (lambda: EnsembleSpec([ONE], judge=NetworkSpec()), "judge: expected a MemberSpec"),
        (lambda: EnsembleSpec([ONE], alone=True, judge=OTHER), "judge: expected None with alone=True"),
        (
            lambda: EnsembleSpec([ONE], judge=MemberSpec(NetworkSpec(head="normal"), TrainingSpec())),
            "head: expected the same of all members",
        ),
        (
            lambda: EnsembleSpec([ONE, MemberSpec(NetworkSpec(head="normal"), TrainingSpec())]),
            "head: expected the same of all members",
        ),
        (
            lambda: EnsembleSpec([ONE, MemberSpec(NetworkSpec(), TrainingSpec(validation_fraction=0.2))]),
            "validation_fraction: expected the same of all members, received 0.1 and 0.2",
        ),
        (lambda: EnsembleSpec.from_dict({"alone": True}), "EnsembleSpec field 'members': expected a value"),
        (lambda: EnsembleSpec.from_dict({"members": [{"network": {}}]}), "'training': expected a value"),
        (lambda: MemberSpec.from_dict([]), "MemberSpec: expected its fields, by name"),
    ],
)
def test_what_is_refused(make, message):
    with pytest.raises(SpecError, match=message):
        make()
