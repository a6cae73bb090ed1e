"""Networks of different designs read the same forecasts, around the base or around one without some models."""

import numpy as np
import pytest

from designs import DESIGNS, LEFT_OUT, read
from seqcast.pretrained.seasonal_base import BASE_FORECASTS
from seqcast.pretrained.seasonal_inputs import FUTURE, PAST, STATIC, seasonal_inputs

OF_MODELS = [FUTURE.index(name) for name in BASE_FORECASTS]
SEASON, LONGER = np.array([1, 7, 7, 12]), np.array([0, 0, 14, 0])
PAST_VALUES = np.random.default_rng(0).normal(size=(4, 60)).cumsum(axis=1) + 20
PAST_VALUES[1, :30] = np.nan


@pytest.fixture(scope="module")
def found():
    return {design: read(design, PAST_VALUES, SEASON, LONGER, 9) for design in DESIGNS}


def test_the_corrected_base_is_what_the_network_of_the_package_reads(found):
    usual = seasonal_inputs(PAST_VALUES, SEASON, LONGER, 9)
    np.testing.assert_array_equal(found["corrected"].base, usual.base)
    for design in DESIGNS:
        inputs = found[design].inputs
        assert [inputs[name].shape[-1] for name in ("past", "future", "static")] == [
            len(PAST),
            len(FUTURE),
            len(STATIC),
        ]
        assert all(np.isfinite(values).all() for values in inputs.values())
    for name, values in usual.inputs.items():
        np.testing.assert_array_equal(found["corrected"].inputs[name], values)


@pytest.mark.parametrize("design", LEFT_OUT)
def test_without_some_models_the_base_is_another_and_they_say_nothing(found, design):
    usual, other = found["corrected"], found[design]
    without = [place for place, name in enumerate(FUTURE) if LEFT_OUT[design] in name]
    others = [place for place in OF_MODELS if place not in without]
    said = [each.in_units(each.inputs["future"][:, :, others[0]].astype(float)) for each in (usual, other)]
    np.testing.assert_allclose(*said, rtol=1e-4)
    assert usual.inputs["future"][:, :, without].any()
    assert not other.inputs["future"][:, :, without].any()
    assert (other.base != usual.base).any()
