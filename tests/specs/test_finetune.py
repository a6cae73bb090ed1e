"""Fine-tunings, as a value."""

import json

import pytest

from seqcast.errors import SpecError
from seqcast.specs.ensemble import PARTS, FinetuneSpec
from seqcast.specs.training import TrainingSpec

ONE = FinetuneSpec(TrainingSpec(epochs=2), freeze=["encoder"])


def test_round_trip_through_json():
    assert FinetuneSpec.from_dict(json.loads(json.dumps(ONE.to_dict()))) == ONE


def test_what_changes_is_what_is_named():
    changed = ONE.changed({"batch_size": 9, "freeze": ()})
    assert {name for name in ONE.values if ONE.values[name] != changed.values[name]} == {"batch_size", "freeze"}
    assert ONE.changed({}) == ONE


@pytest.mark.parametrize(
    ("freeze", "message"),
    [("encoder", "a tuple of parts"), (["neck"], "neck"), (PARTS, "a part that is left to train")],
)
def test_parts_that_cannot_be_frozen(freeze, message):
    with pytest.raises(SpecError, match=message):
        FinetuneSpec(TrainingSpec(), freeze)
