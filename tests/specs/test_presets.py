"""Named networks, and the segment that suits a season."""

import pytest

from seqcast.errors import SpecError
from seqcast.network import Seq2Seq
from seqcast.specs.network import NetworkSpec
from seqcast.specs.presets import PRESETS, preset, segment_rule
from seqcast.specs.window import WindowSpec


@pytest.mark.parametrize("name", PRESETS)
def test_every_preset_can_be_built(name):
    chosen = preset(name).fitted_to(season_length=12, context_length=24, horizon=6)
    window = WindowSpec(horizon=6, features=1, targets=1, target_features=(0,), context_length=24, season_length=12)
    assert Seq2Seq(window, chosen.network, seed=0).weights


@pytest.mark.parametrize("season", [1, 4, 7, 12, 24, 52, 168])
@pytest.mark.parametrize("context", [1, 8, 24, 100, 336])
@pytest.mark.parametrize("horizon", [1, 6, 24, 60])
def test_a_segment_is_the_largest_part_of_a_season_that_leaves_four_tokens(season, context, horizon):
    segment = segment_rule(season, context, horizon)
    fits = [s for s in range(1, season + 1) if season % s == 0 and s <= horizon and 4 * s <= context]
    assert segment == max([1, *fits])


def test_only_presets_with_segments_are_fitted_to_the_data():
    data = {"season_length": 24, "context_length": 336, "horizon": 24}
    assert preset("classic").fitted_to(**data) == preset("classic")
    fitted = preset("segment").fitted_to(**data)
    assert fitted.network.segment == 24
    assert (fitted.network.decoding, fitted.network.residual) == ("parallel", "gated")
    assert fitted.network.encoder_units == (64,)
    for windows, units in ((9_999, (64,)), (10_000, (64, 64)), (99_999, (64, 64)), (100_000, (128, 128))):
        network = preset("segment").fitted_to(**data, windows=windows).network
        assert network.encoder_units == network.decoder_units == units
    assert preset("segment").fitted_to(season_length=24, context_length=23, horizon=24).network.residual == "none"
    assert fitted.training == preset("segment").training
    assert isinstance(fitted.network, NetworkSpec)


def test_wrong_names_and_sizes():
    with pytest.raises(SpecError, match="preset: expected one of 'classic', 'segment', received 'segments'"):
        preset("segments")
    with pytest.raises(SpecError, match="season_length: expected a whole number >= 1, received 0"):
        segment_rule(0, 24, 6)
