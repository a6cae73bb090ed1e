"""The engine: gaps, streams, blocks of rows, threads, micro_batches."""

import dataclasses
import functools
import gc
import json
import os
import pickle
import weakref

import keras
import numpy as np
import pytest
from scipy import special

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows import ArrayWindows, fill_gaps
from seqcast.engine import built, compiled
from seqcast.engine.compiled import BUCKETS
from seqcast.errors import DataError, NotFittedError, SpecError
from seqcast.network import Parametric, Sampled
from seqcast.runtime import to_numpy
from seqcast.runtime.jit import compile_call
from seqcast.runtime.programs import Programs
from tests.network.networks import NETWORKS, batch, untrained
from tests.rejections import rejected

NETWORK = NetworkSpec(encoder_units=(6,), decoder_units=(5,))
TRAINING = TrainingSpec(epochs=2, batch_size=16)
PLAIN = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))


def series(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    values = np.sin(np.arange(11) * 0.9 + rng.uniform(0, 6, (rows, 1)))[:, :, None]
    return values[:, :8], values[:, 8:]


def batches(past, future, **options):
    return ArrayWindows({"past": past}, future, batch_size=16, seed=1, **options)


def fitted(window=PLAIN, network=NETWORK, data=None, training=TRAINING):
    engine = Engine(network, training, seed=3)
    windows = batches(*(data or series()), teacher_forcing=network.feeds_back)
    engine.fit(windows, window=window, verbose=0)
    return engine


@functools.cache
def trained():
    """Return an engine for tests that leave it as it is."""
    return fitted()


@pytest.mark.parametrize(
    "rows", [1, BUCKETS[0], BUCKETS[0] + 1, BUCKETS[1] + 1, 2 * BUCKETS[-1] + 3]
)
def test_blocks_of_any_size_give_what_the_network_gives(rows):
    engine = trained()
    past = np.tile(series()[0], (rows // 40 + 1, 1, 1))[:rows].astype("float32")
    forecast = engine.predict({"past": past}, horizon=3)
    assert forecast.shape == (rows, 3, 1)
    np.testing.assert_allclose(forecast, np.asarray(engine.model(past)), atol=1e-6)


@pytest.fixture
def programs(monkeypatch):
    """Return what JAX traces, in order: the name of a function, its sizes and the number of rows.

    A function of JAX runs its Python once a program, so the programs are counted.
    """
    traced = []
    compiled.programs_of.cache_clear()
    for name in ("encode", "update", "append", "predict", "block", "sample_paths", "sensitivity"):
        function = getattr(compiled, name)

        def counted(model, inputs, *, _name=name, _function=function, **sizes):
            rows = len(inputs["past"] if "past" in inputs else keras.tree.flatten(inputs)[0])
            traced.append((_name, sizes, rows))
            return _function(model, inputs, **sizes)

        monkeypatch.setattr(compiled, name, counted)
    yield traced
    compiled.programs_of.cache_clear()


def test_a_copy_has_weights_of_its_own_and_compiles_nothing_again(programs):
    past, future = series()
    engine = fitted()
    before = engine.predict({"past": past}, 5)
    programs.clear()
    copy = engine.copy()
    np.testing.assert_array_equal(copy.predict({"past": past}, 5), before)
    assert (copy.network, copy.training, copy.seed, copy.window) == (
        NETWORK,
        TRAINING,
        3,
        engine.window,
    )
    engine.continue_fit(batches(past, future), window=PLAIN)
    learned = engine.predict({"past": past}, 5)
    assert np.abs(learned - before).max() > 0
    np.testing.assert_array_equal(copy.predict({"past": past}, 5), before)
    # Nor does what the copy learns come back, and a copy of a copy is one too.
    copy.continue_fit(batches(past, -future), window=PLAIN)
    np.testing.assert_array_equal(engine.predict({"past": past}, 5), learned)
    np.testing.assert_array_equal(
        copy.copy().predict({"past": past}, 5), copy.predict({"past": past}, 5)
    )
    assert programs == []


@pytest.mark.parametrize("decoder_input", ["zeros", "autoregressive"])
def test_a_program_serves_all_sizes_of_a_bucket(programs, decoder_input):
    engine = fitted(network=dataclasses.replace(NETWORK, decoder_input=decoder_input))
    past = np.tile(series()[0], (20, 1, 1))
    for rows in (1, 2, 8, 0, 1, 5, 9, 64, 40, 600, 300, 800):
        assert engine.predict({"past": past[:rows]}, horizon=3).shape == (rows, 3, 1)
    engine.predict({"past": past[:3]}, horizon=5)
    traced = [(sizes["horizon"], rows) for _, sizes, rows in programs]
    assert traced == [(3, 1), (3, 8), (3, 32), (3, 128), (24, 8)]


def test_the_programs_that_were_used_last_stay(programs, monkeypatch):
    monkeypatch.setattr(compiled, "Programs", functools.partial(Programs, most=2))
    engine = through_json(trained())
    inputs = {"past": series()[0]}
    first = [engine.predict(inputs, horizon) for horizon in (2, 4, 30)]
    np.testing.assert_array_equal(engine.predict(inputs, 3)[:, :2], first[0])
    engine.predict(inputs, 40)
    assert [sizes["horizon"] for _, sizes, _ in programs] == [3, 24, 48, 3]


def test_networks_that_are_dropped_do_not_pile_up():
    """Keras's layers hold themselves: without a search, which Python makes rarely, all of them would stay."""
    models = []
    tiny = NetworkSpec(encoder_units=(2,), decoder_units=(2,))
    gc.disable()
    try:
        for seed in range(2 * built.BETWEEN_SEARCHES + 1):
            models.append(weakref.ref(built.BuiltNetwork.build(PLAIN, tiny, seed=seed).model))
        assert sum(model() is not None for model in models) <= built.BETWEEN_SEARCHES
    finally:
        gc.enable()


def through_json(engine):
    header, arrays = engine.to_payload()
    return Engine.from_payload(json.loads(json.dumps(header)), arrays)


def test_an_engine_is_json_and_arrays_which_hold_everything():
    scheduled = dataclasses.replace(NETWORK, decoder_input="scheduled")
    engine = fitted(network=scheduled, training=dataclasses.replace(TRAINING, micro_batches=1))
    steps = TRAINING.epochs * 3  # 40 windows in batches of at most 16
    assert float(engine.model.decoder.teacher_steps) == steps
    past, _ = series()
    for other in (through_json(engine), pickle.loads(pickle.dumps(engine)), engine.copy()):
        np.testing.assert_array_equal(
            other.predict({"past": past}, 5), engine.predict({"past": past}, 5)
        )
        assert other.model.network.sampling_steps == steps // 2  # it ends half way by default
        assert other.weight_count == engine.weight_count > 0
        assert repr(other).endswith("seed=3, micro_batches=1)")
    unfitted = through_json(Engine(NETWORK, TRAINING, seed=0))
    assert (unfitted.model, unfitted.weight_count, unfitted.micro_batches) == (None, 0, None)


def test_nothing_is_predicted_before_fit():
    with pytest.raises(NotFittedError, match="Call fit first"):
        Engine(NETWORK, TRAINING, seed=0).predict({"past": np.zeros((1, 4, 1))}, horizon=2)


# ---------------------------------------------------------------- distributions


HEADS = ("quantile", "normal", "student_t", "negative_binomial", "log_normal")
PROBABILITIES = (0.05, 0.5, 0.9)
each_head = pytest.mark.parametrize("head", HEADS)
each_kind = pytest.mark.parametrize("decoder_input", ["zeros", "autoregressive"])


def counts(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.poisson(6.0, size=(rows, 11, 1)).astype(float) + 1
    return values[:, :8], values[:, 8:]


@functools.cache
def probabilistic(head, decoder_input="zeros", window=PLAIN):
    network = dataclasses.replace(
        NETWORK, head=head, decoder_input=decoder_input, normalise="scale"
    )
    return fitted(window, network, counts())


def paths_of(engine, inputs, horizon, paths=100):
    return engine.distribution(inputs, horizon, paths=paths).paths


@each_head
@each_kind
def test_whatever_the_head_and_decoder_the_same_is_asked(head, decoder_input):
    engine = probabilistic(head, decoder_input)
    inputs = {"past": counts()[0]}
    assert engine.mean(inputs, 5).shape == (40, 5, 1)
    quantiles = engine.quantiles(inputs, 5, PROBABILITIES)
    assert quantiles.shape == (40, 5, 1, 3)
    assert np.isfinite(quantiles).all()
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(engine.predict(inputs, 5), quantiles[..., 1], rtol=1e-6)
    if head == "negative_binomial":
        np.testing.assert_array_equal(quantiles, np.floor(quantiles))
    states = engine.encode(inputs)
    medians = engine.predict(inputs, 5)
    np.testing.assert_allclose(engine.decode(states, 5), medians, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        engine.decode(states[10:15], 5), medians[10:15], rtol=1e-5, atol=1e-6
    )
    np.testing.assert_array_equal(
        through_json(engine).quantiles(inputs, 5, PROBABILITIES), quantiles
    )


@pytest.mark.parametrize("in_blocks", [False, True])
def test_paths_are_the_rows_own(in_blocks):
    """Each goes on from its own draws, beyond the trained horizon too, whatever the other rows are."""
    engine = unsure() if in_blocks else probabilistic("student_t", "autoregressive")
    past = np.tile((series() if in_blocks else counts())[0], (3, 1, 1))
    whole = paths_of(engine, {"past": past}, 8)
    close = {"rtol": 1e-4, "atol": 1e-4}
    order = np.random.default_rng(0).permutation(len(past))
    np.testing.assert_allclose(paths_of(engine, {"past": past[order]}, 8), whole[order], **close)
    for rows in (1, 7, 70):
        np.testing.assert_allclose(
            paths_of(engine, {"past": past[:rows]}, 8), whole[:rows], **close
        )
    np.testing.assert_allclose(paths_of(engine, {"past": past[:7]}, 5), whole[:7, :, :5], **close)
    assert paths_of(engine, {"past": past[:0]}, 8).shape == (0, 100, 8, 1)
    assert np.abs(whole[0, 0, 0] - whole[0, 1, 0]) > 1e-3


def test_many_paths_go_in_small_blocks(programs):
    engine = through_json(probabilistic("normal", "autoregressive"))
    past = np.tile(counts()[0], (8, 1, 1))
    for number in (100, 1000, 9000):
        assert (
            paths_of(
                engine, {"past": past[:300] if number == 100 else past[:9]}, 2, paths=number
            ).shape[1]
            == number
        )
    seen = {rows * sizes["paths"] for _, sizes, rows in programs}
    assert seen == {3200, 8000, 9000}  # one row is the least


@pytest.mark.parametrize("segment", [1, 2])
def test_spread_of_paths_grows_as_that_of_the_process(segment):
    """A random walk: the deviation grows as the root of the number of steps, also beyond the trained horizon."""
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(size=(600, 14, 1)), axis=1)
    around = {"head": "normal", "decoder_input": "teacher", "normalise": "last", "segment": segment}
    network = dataclasses.replace(NETWORK, decoder_units=(6,), **around)
    training = TrainingSpec(epochs=25, batch_size=100, learning_rate=0.03)
    engine = Engine(network, training, seed=0)
    window = dataclasses.replace(PLAIN, horizon=4)
    windows = ArrayWindows(
        {"past": walks[:, :10]}, walks[:, 10:], batch_size=100, seed=1, teacher_forcing=True
    )
    engine.fit(windows, window=window, verbose=0)
    paths = paths_of(engine, {"past": walks[:50, :10]}, 8, paths=200)
    deviation = (paths - walks[:50, None, 9:10]).std(axis=(0, 1))[:, 0]
    np.testing.assert_allclose(deviation[[0, 3, 7]], np.sqrt([1, 4, 8]), rtol=0.3)
    assert (deviation[4:] > deviation[:4]).all()
    if segment == 1:  # the steps of a token are drawn one by one
        increments = np.diff(paths[:, :, :, 0], axis=2)
        assert abs(np.corrcoef(increments[..., 0].ravel(), increments[..., 1].ravel())[0, 1]) < 0.2


RICH = WindowSpec(
    horizon=3, features=2, targets=2, static=1, future=1, target_features=(1, 0), observed=True
)


@pytest.mark.parametrize("attention", ["none", "additive", "multi_head"])
def test_paths_with_everything_around_them(attention):
    """A path that reads draws of no spread is the network's own forecast, whatever goes into it."""
    around = {
        "cell": "lstm",
        "head": "normal",
        "decoder_input": "autoregressive",
        "normalise": "instance",
    }
    network = dataclasses.replace(NETWORK, decoder_units=(4,), attention=attention, **around)
    engine = Engine(network, TRAINING, seed=0)
    engine.build(RICH, steps=1)
    head = engine.model.decoder.head
    kernel, bias = (weight.copy() for weight in head.dense.get_weights())
    kernel[:, 2:], bias[2:] = 0.0, -50.0  # scales as small as they get
    head.dense.set_weights([kernel, bias])
    rng = np.random.default_rng(0)
    past = rng.normal(size=(9, 6, 2)) * 0.05 + 3
    past[0, :2] = np.nan
    inputs = {"past": past, "static": rng.normal(size=(9, 1)), "future": rng.normal(size=(9, 5, 1))}
    paths = paths_of(engine, inputs, 5)
    filled, observed = fill_gaps(past)
    states = engine.model.encode({"past": filled, "observed": observed, "static": inputs["static"]})
    alone = to_numpy(engine.model.decode(states, 5, inputs["future"]))[..., 0]
    assert paths.shape == (9, 100, 5, 2)
    np.testing.assert_allclose(paths, np.broadcast_to(alone[:, None], paths.shape), atol=2e-3)


WRONG = [
    (
        lambda engine, x: engine.quantiles(x, 3, (0.1, 1.0)),
        "probabilities: expected numbers between 0 and 1",
    ),
    (
        lambda engine, x: engine.quantiles(x, 3, ()),
        "probabilities: expected numbers between 0 and 1",
    ),
    (
        lambda engine, x: engine.distribution(x, 3, paths=99),
        "paths: expected a whole number >= 100, received 99",
    ),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_questions_are_rejected(call, message):
    with pytest.raises(SpecError) as caught:
        call(probabilistic("normal", "autoregressive"), {"past": counts()[0]})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(("call", "more"), [("quantiles", ((0.5,),)), ("distribution", ())])
def test_a_point_is_no_distribution(call, more):
    engine = trained()
    inputs = {"past": series()[0]}
    with pytest.raises(
        SpecError, match="head: expected a head that forecasts a distribution, received 'point'"
    ):
        getattr(engine, call)(inputs, 3, *more)
    np.testing.assert_array_equal(engine.mean(inputs, 3), engine.predict(inputs, 3))


# ---------------------------------------------------------------- any horizon by few programs


def numbers_of(engine, inputs, horizon):
    """Return all numbers of a forecast, `[N, H, ...]`."""
    if not engine.network.is_probabilistic:
        return engine.predict(inputs, horizon)
    distribution = engine.distribution(inputs, horizon)
    return (
        distribution.parameters
        if isinstance(distribution, Parametric)
        else distribution.paths.swapaxes(1, 2)
    )


@pytest.mark.parametrize("name", NETWORKS)
def test_a_longer_program_changes_no_step_of_a_forecast(name, monkeypatch):
    """The forecast is that of a program for exactly this horizon, however many steps are written."""
    network = untrained(name)
    window = network.window
    options = network.network
    engine = Engine(options, TRAINING, seed=5)
    engine.build(window, steps=10)
    engine.model.set_weights(network.get_weights())
    inputs, _ = batch(network, rows=3, horizon=window.horizon + 2)
    read = dict(inputs)
    if window.observed:
        inputs["past"] = np.where(inputs.pop("observed") > 0, inputs["past"], np.nan)
    horizons = (window.horizon - 2, window.horizon + 2)
    given = {
        each: {**inputs, **({"future": inputs["future"][:, :each]} if window.future else {})}
        for each in horizons
    }
    by_few = {each: numbers_of(engine, given[each], each) for each in horizons}
    assert [numbers.shape[1] for numbers in by_few.values()] == list(horizons)

    if options.is_probabilistic and options.feeds_back:
        monkeypatch.setattr(built, "written_steps", lambda horizon, _: horizon)
        exact = {each: numbers_of(engine, given[each], each) for each in horizons}
    else:

        def decoded(values):
            states = network.encode({key: each for key, each in values.items() if key != "future"})
            return [
                network.decode(states, each, values["future"][:, :each] if window.future else None)
                for each in horizons
            ]

        exact = dict(zip(horizons, to_numpy(compile_call(network, decoded)(read)), strict=True))
    compared = horizons[:1] if options.in_blocks and options.is_probabilistic else horizons
    for each in compared:
        np.testing.assert_allclose(by_few[each], exact[each], rtol=1e-5, atol=1e-6)


EVERY_HORIZON = int(os.environ.get("SEQCAST_HORIZONS", "60"))
ENDLESS = {
    "recurrent": {},
    "stepwise": {"decoder_input": "autoregressive"},
    "paths": {"decoder_input": "autoregressive", "head": "normal"},
    "blocks, attention": {"decoder_input": "position", "attention": "dot", "normalise": "last"},
}


@pytest.mark.parametrize("name", ENDLESS)
def test_all_horizons_take_few_programs(programs, name):
    engine = Engine(dataclasses.replace(NETWORK, **ENDLESS[name]), TRAINING, seed=0)
    engine.build(PLAIN, steps=1)
    past = series()[0][:1]
    for horizon in np.random.default_rng(0).permutation(EVERY_HORIZON) + 1:
        assert engine.predict({"past": past}, int(horizon)).shape == (1, horizon, 1)
    assert len(programs) <= 10


# ---------------------------------------------------------------- blocks and updates

SEGMENTS = dataclasses.replace(
    NETWORK, segment=2, decoder_input="position", decoding="parallel", normalise="last"
)


def test_longer_horizons_are_written_block_by_block():
    engine = fitted(network=SEGMENTS)
    past, _ = series()
    longer = engine.predict({"past": past}, 11)
    assert longer.shape == (40, 11, 1)
    np.testing.assert_allclose(longer[:, :3], engine.predict({"past": past}, 3), atol=1e-6)
    np.testing.assert_allclose(engine.decode(engine.encode({"past": past}), 11), longer, atol=1e-6)
    whole = engine.model.decode(engine.model.encode(past), 11)
    np.testing.assert_allclose(longer, to_numpy(whole), atol=1e-5)
    assert engine.predict({"past": past[:0]}, 11).shape == (0, 11, 1)


def test_any_number_of_blocks_takes_the_same_programs(programs):
    """So does a last block that is shorter than the others."""
    engine = fitted(network=SEGMENTS)
    for horizon in (21, 40, 31):
        engine.predict({"past": series()[0]}, horizon)
    assert [name for name, *_ in programs if name in ("block", "append")] == ["block", "append"]


def test_wrong_updates_are_rejected():
    engine = fitted(network=SEGMENTS)
    past, _ = series()
    states = engine.encode({"past": past})
    with pytest.raises(
        DataError,
        match="past: expected new steps for each of the 40 rows of the states, received 3",
    ):
        engine.update(states, {"past": past[:3, :2]})
    with pytest.raises(DataError, match=r"whole segments of 2, received 3 steps"):
        engine.update(states, {"past": past[:, :3]})


def test_every_reader_rejects_states_of_the_weights_before_a_training():
    """Also after a training that was interrupted."""
    engine = fitted(network=dataclasses.replace(NETWORK, head="normal", attention="dot"))
    past, future = series()
    states = engine.encode({"past": past})
    readers = (engine.predict, engine.distribution, engine.attention)
    for read in readers:
        read({"states": states}, 3)

    def interrupt(batch, logs):
        raise KeyboardInterrupt

    stop = keras.callbacks.LambdaCallback(on_train_batch_end=interrupt)
    with pytest.raises(KeyboardInterrupt):
        engine.continue_fit(batches(past, future), window=PLAIN, callbacks=[stop])
    for read in readers:
        rejected(DataError, "received states of other weights", read, {"states": states}, 3)
    rejected(DataError, "received states of other weights", engine.update, states, {"past": past})


# ---------------------------------------------------------------- heads and blocks


@functools.cache
def unsure(**options):
    network = dataclasses.replace(SEGMENTS, **{"head": "normal", **options})
    return fitted(dataclasses.replace(PLAIN, season_length=4), network)


@pytest.mark.parametrize("head", ["quantile", "normal"])
def test_a_distribution_beyond_the_trained_horizon_is_that_of_paths(head):
    engine = unsure(head=head, residual="seasonal")
    inputs = {"past": series()[0]}
    near = engine.distribution(inputs, 3)
    far = engine.distribution(inputs, 8, paths=400)
    assert isinstance(near, Parametric)
    assert isinstance(far, Sampled)
    assert far.paths.shape == (40, 400, 8, 1)
    # Up to the trained horizon paths know nothing of each other's steps: they are drawn from the
    # parameters.
    spread = np.diff(near.quantile((0.1, 0.9)), axis=-1).max()
    for probability in (0.1, 0.5, 0.9):
        ours, exact = (forecast.quantile((probability,))[:, :3] for forecast in (far, near))
        np.testing.assert_allclose(ours, exact, atol=0.05 * spread)
    quantiles = engine.quantiles(inputs, 8, PROBABILITIES)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(engine.predict(inputs, 8), quantiles[..., 1], rtol=1e-6)
    np.testing.assert_allclose(
        engine.decode(engine.encode(inputs), 8), engine.predict(inputs, 8), atol=1e-5
    )
    whole = engine.model.decode(engine.model.encode(inputs["past"]), 8)
    assert tuple(whole.shape) == (40, 8, 1, engine.model.decoder.head.size)


def test_a_later_block_has_read_the_draws_of_its_path():
    engine = unsure()
    past = series()[0][:1]
    paths = paths_of(engine, {"past": past}, 4)[0]
    # The second block begins after a segment of two steps; the first forecast of step 3 stands.
    states = engine.update(
        engine.encode({"past": np.repeat(past, 100, axis=0)}), {"past": paths[:, :2]}
    )
    location, scale = np.moveaxis(
        engine.distribution({"states": states}, 3).parameters[:, 1, 0], -1, 0
    )
    assert np.ptp(location) > 1e-3
    places = np.sort(special.ndtr((paths[:, 3, 0] - location) / scale) * 100)
    np.testing.assert_allclose(
        places, np.arange(100) + 0.5, atol=0.51
    )  # one draw in each hundredth
