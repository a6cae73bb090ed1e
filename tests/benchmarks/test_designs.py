"""What networks of different designs read is the same forecast, told around another zero, or without some of it."""

import numpy as np
import pytest

from designs import DESIGNS, LAST_SEASON, LEFT_OUT, PHASES, DesignedNetwork, of_phases, read
from seqcast.pretrained.inputs import FUTURE, PAST, STATIC, seasonal_inputs
from seqcast.pretrained.seasonal_base import BASE_FORECASTS

OF_MODELS = [FUTURE.index(name) for name in BASE_FORECASTS]
RNG = np.random.default_rng(0)
SEASON, LONGER = np.array([1, 7, 7, 12]), np.array([0, 0, 14, 0])
PAST_VALUES = RNG.normal(size=(4, 60)).cumsum(axis=1) + 20
PAST_VALUES[1, :30] = np.nan


@pytest.fixture(scope="module")
def found():
    return {design: read(design, PAST_VALUES, SEASON, LONGER, 9) for design in DESIGNS}


@pytest.mark.parametrize("design", DESIGNS)
def test_all_designs_have_the_same_shapes(found, design):
    inputs, window = found[design].inputs, DesignedNetwork.window(9)
    assert inputs["past"].shape == (4, 60, len(PAST))
    assert inputs["future"].shape == (4, 9, window.future)
    assert inputs["static"].shape == (4, len(STATIC))
    assert all(np.isfinite(values).all() for values in inputs.values())


def test_the_corrected_base_is_what_the_network_of_the_package_reads(found):
    usual = seasonal_inputs(PAST_VALUES, SEASON, LONGER, 9)
    np.testing.assert_array_equal(found["corrected"].base, usual.base)
    for name, values in usual.inputs.items():
        np.testing.assert_array_equal(found["corrected"].inputs[name][..., : values.shape[-1]], values)
    assert not found["corrected"].inputs["future"][:, :, len(FUTURE) :].any()


def test_around_the_last_season_all_forecasts_are_where_they_were(found):
    usual, other = found["corrected"], found["input"]
    of_some = ("longer", "recent", "lowest")
    for place in [place for place in OF_MODELS if not any(word in FUTURE[place] for word in of_some)]:
        mine, theirs = (each.in_units(each.inputs["future"][:, :, place].astype(float)) for each in (usual, other))
        near = np.abs(usual.inputs["future"][:, :, place]) < 19
        np.testing.assert_allclose(mine[near], theirs[near], rtol=1e-4)
    base = other.in_units(other.inputs["future"][:, :, LAST_SEASON].astype(float))
    np.testing.assert_allclose(base, usual.base, rtol=1e-4)
    np.testing.assert_allclose(other.base[0], PAST_VALUES[0, -1])
    np.testing.assert_allclose(other.base[3], PAST_VALUES[3, -12:-3])


def test_the_zero_is_the_last_season_also_far_from_the_base():
    trend = np.arange(60.0)[None] * 10
    zero = read("input", trend, np.array([1]), np.array([0]), 40)
    np.testing.assert_allclose(zero.base, 590)
    np.testing.assert_allclose(
        zero.scaled(trend[:, -1:] + 10.0 * np.arange(1, 41)) * zero.unit, 10.0 * np.arange(1, 41)[None]
    )


def test_without_models_nothing_is_known_of_the_base(found):
    inputs = found["phases"].inputs
    assert not inputs["future"][:, :, OF_MODELS].any()
    assert not inputs["future"][:, :, LAST_SEASON].any()
    assert not inputs["past"][:, :, PAST.index("value less the base one step ahead")].any()
    errors = [place for place, name in enumerate(STATIC) if "error of" in name or "are checked" in name]
    assert not inputs["static"][:, errors].any()
    assert found["corrected-phases"].inputs["future"][:, :, OF_MODELS].any()
    assert (found["input"].base == found["phases"].base).all()


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


def test_in_units_of_seasons_all_forecasts_are_where_they_were(found):
    usual, other = found["corrected"], found["season-unit"]
    np.testing.assert_array_equal(other.base, usual.base)
    season_before = PAST_VALUES[3, 12:] - PAST_VALUES[3, :-12]
    assert other.unit[3, 0] == pytest.approx(np.abs(season_before).mean(), rel=1e-5)
    for place in OF_MODELS:
        mine, theirs = (each.in_units(each.inputs["future"][:, :, place].astype(float)) for each in (usual, other))
        near = np.maximum(*(np.abs(each.inputs["future"][:, :, place]) for each in (usual, other))) < 19
        np.testing.assert_allclose(mine[near], theirs[near], rtol=1e-4)


def test_means_by_phase():
    values = np.arange(14.0)[None]
    zero, unit, seasons = np.zeros((1, 5)), np.ones((1, 1)), (np.array([4]), np.array([0]))
    phases = of_phases(values, zero, unit, seasons, 5)
    assert phases.shape == (1, 5, len(PHASES))
    # The step after the last one has the phase of places 2, 6 and 10.
    np.testing.assert_allclose(phases[0, :, 0], [6, 7, 6, 7, 6])
    np.testing.assert_allclose(phases[0, 0, 1], np.mean([4, 0, 4]))
    np.testing.assert_allclose(phases[0, :, 2], np.log1p([3, 4, 3, 4, 3]) / 3, atol=0.2)
    assert not phases[:, :, 3:].any()
