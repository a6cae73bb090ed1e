"""Named networks, ensembles and fine-tunings, as values."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.errors import SpecError
from seqcast.network import Seq2Seq
from seqcast.specs.network import NetworkSpec, WindowSpec
from seqcast.specs.presets import (
    PRESETS,
    SUBMODULES,
    EnsembleSpec,
    FinetuneSpec,
    MemberSpec,
    preset,
    segment_rule,
)
from seqcast.specs.training import TrainingSpec
from tests.rejections import rejections

ONE = MemberSpec(NetworkSpec(encoder_units=(3,)), TrainingSpec(epochs=1), context_length=8)
OTHER = MemberSpec(NetworkSpec(cell="lstm", dropout=0.2), TrainingSpec(optimizer="adamw"))
UNSURE = MemberSpec(NetworkSpec(head="normal"), TrainingSpec())
LONGER = MemberSpec(NetworkSpec(), TrainingSpec(validation_fraction=0.2))


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_built(name):
    chosen = preset(name).fitted_to(season_length=12, context_length=24, horizon=6)
    window = WindowSpec(
        horizon=6, features=1, targets=1, target_features=(0,), context_length=24, season_length=12
    )
    assert Seq2Seq(window, chosen.network, seed=0).weights


@given(st.integers(1, 400), st.integers(1, 700), st.integers(1, 100))
def test_a_segment_is_the_largest_part_of_a_season_that_leaves_four_tokens(
    season, context, horizon
):
    fits = [
        s for s in range(1, season + 1) if season % s == 0 and s <= horizon and 4 * s <= context
    ]
    assert segment_rule(season, context, horizon) == max([1, *fits])


def test_only_presets_with_segments_are_fitted_to_the_data():
    data = {"season_length": 24, "context_length": 336, "horizon": 24}
    assert preset("classic").fitted_to(**data) == preset("classic")
    fitted = preset("segment").fitted_to(**data)
    assert fitted.network.segment == 24
    assert (fitted.network.decoding, fitted.network.residual) == ("parallel", "gated")
    assert fitted.network.encoder_units == (64,)
    for windows, units in (
        (9_999, (64,)),
        (10_000, (64, 64)),
        (99_999, (64, 64)),
        (100_000, (128, 128)),
    ):
        network = preset("segment").fitted_to(**data, windows=windows).network
        assert network.encoder_units == network.decoder_units == units
    assert (
        preset("segment")
        .fitted_to(season_length=24, context_length=23, horizon=24)
        .network.residual
        == "none"
    )
    assert fitted.training == preset("segment").training


def test_members_are_counted_around_and_the_judge_comes_last():
    ensemble = EnsembleSpec([ONE, OTHER])
    assert [ensemble.member(place) for place in range(3)] == [ONE, OTHER, ONE]
    assert list(ensemble.specs) == [(ONE.network, ONE.training), (OTHER.network, OTHER.training)]
    assert EnsembleSpec([ONE], proxy=OTHER).trained == (ONE, OTHER)


SPECS = [
    EnsembleSpec([ONE, OTHER], alone=True),
    EnsembleSpec([ONE], finetuning={"epochs": 2}, proxy=OTHER),
    FinetuneSpec(TrainingSpec(epochs=2), freeze=["encoder"]),
]


@pytest.mark.parametrize("spec", SPECS)
def test_round_trip_through_json(spec):
    assert type(spec).from_dict(json.loads(json.dumps(spec.to_dict()))) == spec


HEAD = FinetuneSpec(TrainingSpec(), ("head",))
CHANGED = [(ONE, {"dropout": 0.3, "epochs": 4}), (HEAD, {"batch_size": 9, "freeze": ()})]


@pytest.mark.parametrize(("spec", "changes"), CHANGED)
def test_what_changes_is_what_is_named(spec, changes):
    changed = spec.changed(changes)
    assert {name for name in spec.values if spec.values[name] != changed.values[name]} == set(
        changes
    )
    assert spec.changed({}) == spec


REJECTED = [
    (lambda: MemberSpec({}, TrainingSpec()), "network: expected a NetworkSpec, received {}"),
    (lambda: MemberSpec(NetworkSpec(), None), "training: expected a TrainingSpec, received None"),
    (
        lambda: MemberSpec(NetworkSpec(), TrainingSpec(), 0),
        "context_length: expected a whole number >= 1",
    ),
    (lambda: EnsembleSpec([]), "members: expected one MemberSpec or more"),
    (lambda: EnsembleSpec([NetworkSpec()]), "members: expected one MemberSpec or more"),
    (lambda: EnsembleSpec([ONE], alone=1), "alone: expected"),
    (lambda: EnsembleSpec([ONE], finetuning={"epoch": 1}), "epoch"),
    (lambda: EnsembleSpec([ONE], proxy=NetworkSpec()), "proxy: expected a MemberSpec"),
    (lambda: EnsembleSpec([ONE], alone=True, proxy=OTHER), "proxy: expected None with alone=True"),
    (lambda: EnsembleSpec([ONE], proxy=UNSURE), "head: expected the same of all members"),
    (lambda: EnsembleSpec([ONE, UNSURE]), "head: expected the same of all members"),
    (
        lambda: EnsembleSpec([ONE, LONGER]),
        "validation_fraction: expected the same of all members, received 0.1 and",
    ),
    (
        lambda: EnsembleSpec.from_dict({"alone": True}),
        "EnsembleSpec field 'members': expected a value",
    ),
    (
        lambda: EnsembleSpec.from_dict({"members": [{"network": {}}]}),
        "'training': expected a value",
    ),
    (lambda: MemberSpec.from_dict([]), "MemberSpec: expected its fields, by name"),
    (lambda: FinetuneSpec(TrainingSpec(), "encoder"), "freeze: expected a tuple of names"),
    (lambda: FinetuneSpec(TrainingSpec(), ["neck"]), "freeze: .*neck"),
    (
        lambda: FinetuneSpec(TrainingSpec(), SUBMODULES),
        "freeze: expected a submodule left to train",
    ),
    (
        lambda: preset("segments"),
        "preset: expected one of 'classic', 'segment', received 'segments'",
    ),
    (lambda: segment_rule(0, 24, 6), "season_length: expected a whole number >= 1, received 0"),
]
test_what_is_rejected = rejections((call, SpecError, message) for call, message in REJECTED)
