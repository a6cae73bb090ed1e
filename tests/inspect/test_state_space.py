"""Trajectories and what is computed from states: components, neighbours, gates."""

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.engine.labelled_inputs import ArrayLabels
from seqcast.errors import DataError, SpecError
from seqcast.inspect import gate_statistics, nearest, principal_components, states, trajectories
from seqcast.inspect.state_space import Trajectories
from tests.rejections import rejected

PAST, FUTURE = random_sines(128, past=12, future=6, seed=1)


def fitted(**options):
    given = {
        "encoder_units": (6, 5),
        "decoder_units": (6, 5),
        "epochs": 1,
        "random_state": 0,
        "verbose": 0,
        **options,
    }
    return Seq2SeqRegressor(**given).fit(PAST, FUTURE)


@pytest.fixture(scope="module")
def model_inputs():
    return fitted().model_inputs(PAST[:20], FUTURE[:20])


@pytest.fixture(scope="module")
def lstm():
    return fitted(cell="lstm", encoder_units=(4,), decoder_units=(4,)).model_inputs(PAST[:9])


def test_trajectories_end_where_states_are(model_inputs, lstm):
    traced = trajectories(model_inputs)
    for layer in (1, 2):
        np.testing.assert_allclose(
            traced.states("encoder", layer)[:, -1], states(model_inputs, layer), atol=1e-6
        )
    assert trajectories(lstm).states("encoder", 1).shape == (9, 12, 8)  # output and cell
    np.testing.assert_allclose(
        trajectories(lstm).states("encoder", 1)[:, -1], states(lstm), atol=1e-6
    )


def test_a_frame_has_a_row_a_window_and_token(model_inputs):
    frame = trajectories(model_inputs, horizon=9).frame("decoder", 2)
    assert list(frame.columns) == ["window", "step", *(f"state_{k}" for k in range(1, 6))]
    assert frame["step"].tolist() == [*range(1, 10)] * 20
    assert trajectories(model_inputs).frame("encoder", 1)["step"].tolist() == [*range(-11, 1)] * 20
    for submodule, layer, match in (
        ("middle", 1, "submodule"),
        ("encoder", 3, "1 to 2"),
        ("decoder", 0, "1 to 2"),
    ):
        rejected(SpecError, match, trajectories(model_inputs).states, submodule, layer)


def test_tokens_of_segments_stand_at_their_last_step():
    model = fitted(segment=3, decoder_input="position", decoding="parallel", normalise="last")
    traced = trajectories(model.model_inputs(PAST[:4]))
    assert traced.tokens("encoder").tolist() == [-9, -6, -3, 0]
    assert traced.tokens("decoder").tolist() == [3, 6]
    rejected(
        SpecError,
        "at most the trained one, 6",
        trajectories,
        model.model_inputs(PAST[:4], horizon=7),
    )


def test_tokens_that_were_padded_are_left_out():
    stamps = pd.date_range("2024-01-01", periods=40, freq="D")
    long = pd.DataFrame({"unique_id": "long", "ds": stamps, "y": np.arange(40.0) % 7})
    both = pd.concat([long, long.tail(5).assign(unique_id="short")])
    preset = NetworkSpec(encoder_units=(4,), decoder_units=(4,))
    options = {
        "context_length": 10,
        "preset": preset,
        "training": {"epochs": 1},
        "random_state": 0,
        "verbose": 0,
    }
    frame = trajectories(Forecaster(3, **options).fit(both).model_inputs()).frame("encoder", 1)
    assert frame.groupby("unique_id")["step"].min().to_dict() == {"long": -9, "short": -4}


# ---------------------------------------------------------------- gates


def planted(gate, values, valid=None):
    layer = {"states": (values,), "gates": {gate: values}}
    return Trajectories(
        {"encoder": (layer,), "decoder": (layer,)}, ArrayLabels(np.arange(len(values))), 1, valid
    )


@pytest.mark.parametrize("gate", ["update", "forget"])
def test_memory_is_the_time_in_which_a_state_shrinks_to_a_third(gate):
    table = gate_statistics(planted(gate, np.full((2, 5, 3), np.exp(-1 / 7))))
    np.testing.assert_allclose(table["memory"], 7.0)
    values = np.stack([np.zeros((4, 10)), np.ones((4, 10)), np.tile([0.0, 1.0], (4, 5))], axis=2)
    table = gate_statistics(planted(gate, values)).query("submodule == 'encoder'")
    assert table["shut"].tolist() == [1.0, 0.0, 0.5]
    assert table["open"].tolist() == [0.0, 1.0, 0.5]
    # Padded tokens say nothing.
    table = gate_statistics(planted(gate, np.array([[[0.0], [0.5]]]), np.array([[False, True]])))
    assert table.set_index("submodule")["mean"].to_dict() == {"encoder": 0.5, "decoder": 0.25}


def test_only_keeping_gates_have_a_memory(model_inputs, lstm):
    gru = gate_statistics(trajectories(model_inputs))
    other = gate_statistics(trajectories(lstm))
    for table, keeping in ((gru, "update"), (other, "forget")):
        assert set(table.loc[table["memory"].notna(), "gate"]) == {keeping}
        assert set(table.loc[table["open"].isna(), "gate"]) == {"candidate"}
    assert len(gru) == 2 * 3 * (6 + 5)


# ---------------------------------------------------------------- components and neighbours


def test_components_are_those_of_the_singular_value_decomposition():
    values = np.random.default_rng(0).normal(size=(30, 6)) * np.arange(1, 7)
    found = principal_components(values, 3)
    _, singular, rows = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    np.testing.assert_allclose(found.explained, np.square(singular[:3]) / np.square(singular).sum())
    np.testing.assert_allclose(np.abs(found.directions), np.abs(rows[:3]), atol=1e-8)
    np.testing.assert_allclose(found.project(values), found.points, atol=1e-10)
    assert (found.directions[np.arange(3), np.abs(found.directions).argmax(axis=1)] > 0).all()
    rejected(DataError, "at least 7 windows and 7 units", principal_components, values, 7)


def test_the_nearest_window_is_the_one_that_was_given_twice():
    model = fitted()
    past = np.concatenate([PAST[:10], PAST[3:5] + 1e-4])
    frame = nearest(model.model_inputs(past), k=2)
    first = frame[frame["rank"] == 1].set_index("window")["near_window"]
    assert first[[3, 4, 10, 11]].tolist() == [10, 11, 3, 4]
    assert (frame["window"] != frame["near_window"]).all()
    assert frame.groupby("window")["distance"].apply(lambda d: d.is_monotonic_increasing).all()
    alike = nearest(model.model_inputs(np.repeat(PAST[:2], 4, axis=0)), k=3)
    assert (alike["window"] != alike["near_window"]).all()


def test_distances_are_those_of_standardised_states(model_inputs):
    values = states(model_inputs, 2)
    values = values / values.std(axis=0)
    frame = nearest(model_inputs, k=1, query=[4], layer=2)
    distances = np.sqrt(np.square(values - values[4]).mean(axis=1))
    distances[4] = np.inf
    assert frame["near_window"].item() == distances.argmin()
    assert frame["distance"].item() == pytest.approx(distances.min(), rel=1e-4)
    rejected(DataError, "more than 20 windows", nearest, model_inputs, k=20)
