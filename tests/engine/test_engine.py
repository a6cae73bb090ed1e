"""The engine: gaps, streams, blocks of rows, threads, parts."""

import dataclasses
import functools
import json
import pickle
import time
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

import keras
import numpy as np
import pytest
from scipy import special

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows.batches import ArrayWindows
from seqcast.data.windows.gaps import fill_gaps
from seqcast.engine import compiled
from seqcast.engine.compiled import BUCKETS
from seqcast.errors import DataError, NotFittedError, SpecError
from seqcast.network import Parametric, Sampled

NETWORK = NetworkSpec(encoder_units=(6,), decoder_units=(5,))
TRAINING = TrainingSpec(epochs=2, batch_size=16)
PLAIN = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
GAPPY = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,), observed=True)


def series(rows=40, seed=0):
    rng = np.random.default_rng(seed)
    values = np.sin(np.arange(11) * 0.9 + rng.uniform(0, 6, (rows, 1)))[:, :, None]
    return values[:, :8], values[:, 8:]


def fitted(window=PLAIN, network=NETWORK, past=None, future=None, training=TRAINING, **sizes):
    window = dataclasses.replace(window, **sizes)
    given = series()
    past, future = given[0] if past is None else past, given[1] if future is None else future
    engine = Engine(network, training, seed=3)
    windows = ArrayWindows(
        {"past": past}, future, batch_size=16, seed=1, observed=window.observed, teacher_forcing=network.feeds_back
    )
    engine.fit(windows, window=window, verbose=0)
    return engine


def numpy(tensor):
    return keras.ops.convert_to_numpy(tensor)


@functools.cache
def trained():
    """Return an engine for tests that leave it as it is."""
    return fitted()


def test_gaps_in_past_and_future_are_taken():
    past, future = series()
    rng = np.random.default_rng(1)
    past, future = past.copy(), future.copy()
    past[rng.random(past.shape) < 0.3] = np.nan
    future[rng.random(future.shape) < 0.3] = np.nan
    engine = fitted(GAPPY, past=past, future=future)
    assert np.isfinite(engine.predict({"past": past}, horizon=5)).all()


@pytest.mark.parametrize("rows", [1, BUCKETS[0], BUCKETS[0] + 1, BUCKETS[1] + 1, 2 * BUCKETS[-1] + 3])
def test_blocks_of_any_size_give_what_the_network_gives(rows):
    engine = trained()
    past = np.tile(series()[0], (rows // 40 + 1, 1, 1))[:rows].astype("float32")
    forecast = engine.predict({"past": past}, horizon=3)
    assert forecast.shape == (rows, 3, 1)
    np.testing.assert_allclose(forecast, np.asarray(engine.model(past)), atol=1e-6)


def test_decoding_states_is_predicting():
    engine = trained()
    past, _ = series()
    states = engine.encode({"past": past})
    np.testing.assert_allclose(engine.decode(states, 7), engine.predict({"past": past}, horizon=7), atol=1e-6)
    some = engine.decode(states[10:15], 7)
    np.testing.assert_allclose(some, engine.predict({"past": past[10:15]}, horizon=7), atol=1e-6)


def questions(engine):
    """Return calls of all kinds by name; programs are shared by some of them only."""
    past = counts()[0]
    calls = {("predict", horizon): functools.partial(engine.predict, {"past": past}, horizon) for horizon in (2, 3, 5)}
    calls |= {("quantiles", horizon): functools.partial(engine.quantiles, {"past": past}, horizon, (0.1, 0.9))
              for horizon in (2, 4)}  # fmt: skip
    calls["paths", 3] = functools.partial(engine.paths, {"past": past[:9]}, 3, paths=20)
    calls["encode", 0] = lambda: engine.encode({"past": past}).layers[0][0]
    return calls


@pytest.fixture
def count_programs(monkeypatch):
    """Return the names of functions in the order in which JAX traces them: once a program."""
    names = []
    for name, function in compiled.FUNCTIONS.items():

        def counted(model, inputs, *, _name=name, _function=function, **static):
            names.append((_name, *static.values(), keras.tree.flatten(inputs)[0].shape))
            time.sleep(0.02)  # time for another thread to come in between
            return _function(model, inputs, **static)

        monkeypatch.setitem(compiled.FUNCTIONS, name, counted)
    return names


def test_threads_may_call_a_fresh_engine_at_once(count_programs):
    """Eight threads, fifty calls each, on an engine that has compiled nothing: as one after another, compiled once."""
    serial = {name: call() for name, call in questions(probabilistic("normal", "autoregressive")).items()}
    count_programs.clear()
    engine = Engine.from_parts(*probabilistic("normal", "autoregressive").to_parts())
    calls, barrier = questions(engine), Barrier(8)

    def ask(thread):
        barrier.wait()
        order = np.random.default_rng(thread).integers(len(calls), size=50)
        return [(name, calls[name]()) for name in (list(calls)[place] for place in order)]

    with ThreadPoolExecutor(8) as pool:
        answers = [answer for answers in pool.map(ask, range(8)) for answer in answers]
    assert len(answers) == 400
    for name, answer in answers:
        np.testing.assert_array_equal(answer, serial[name])
    if keras.backend.backend() == "jax":
        assert len(count_programs) == len(set(count_programs)) > 0


def test_a_copy_has_weights_of_its_own_and_compiles_nothing_again(count_programs):
    past, future = series()
    engine = fitted()
    before = engine.predict({"past": past}, 5)
    count_programs.clear()
    copy = engine.copy()
    np.testing.assert_array_equal(copy.predict({"past": past}, 5), before)
    assert count_programs == [] or keras.backend.backend() != "jax"
    assert (copy.network, copy.training, copy.seed, copy.window) == (NETWORK, TRAINING, 3, engine.window)
    engine.continue_fit(ArrayWindows({"past": past}, future, batch_size=16, seed=1), window=PLAIN)
    assert np.abs(engine.predict({"past": past}, 5) - before).max() > 0
    np.testing.assert_array_equal(copy.predict({"past": past}, 5), before)
    # Nor does what the copy learns come back, and a copy of a copy is one too.
    learnt = engine.predict({"past": past}, 5)
    copy.continue_fit(ArrayWindows({"past": past}, -future, batch_size=16, seed=1), window=PLAIN)
    again = copy.copy()
    np.testing.assert_array_equal(engine.predict({"past": past}, 5), learnt)
    np.testing.assert_array_equal(again.predict({"past": past}, 5), copy.predict({"past": past}, 5))
    assert count_programs == [] or keras.backend.backend() != "jax"


def test_a_snapshot_leads_back_to_its_engine_once():
    past, future = series()
    windows = ArrayWindows({"past": past}, future, batch_size=16, seed=1)
    engine = fitted()
    snapshot = engine.snapshot()
    before, twin = snapshot.predict({"past": past}, 5), pickle.loads(pickle.dumps(snapshot))
    assert snapshot.trainer() is engine
    engine.continue_fit(windows, window=PLAIN)
    np.testing.assert_array_equal(snapshot.predict({"past": past}, 5), before)
    # Afterwards the engine has other weights: what goes on from the snapshot is a copy of it, as of a pickled one.
    for other in (snapshot.trainer(), twin.trainer(), engine.copy().trainer()):
        assert other not in (engine, snapshot, twin)
    np.testing.assert_array_equal(snapshot.trainer().predict({"past": past}, 5), before)
    np.testing.assert_array_equal(twin.trainer().predict({"past": past}, 5), before)


def test_a_fit_leaves_the_published_network_alone_until_it_is_over():
    """Forecasts from within a second fit are those of the first, also where it begins with weights of its own."""
    past, future = series()
    engine, seen = fitted(), []
    before, model, weights = engine.predict({"past": past}, 3), engine.model, engine.weights

    class Ask(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append(engine.predict({"past": past}, 3))

    for first in (None, weights):
        windows = ArrayWindows({"past": past}, future, batch_size=16, seed=1)
        engine.fit(windows, window=PLAIN, weights=first, callbacks=[Ask()], verbose=0)
        assert engine.model is not model
        np.testing.assert_array_equal(seen, np.broadcast_to(before, (6, *before.shape)))
        for ours, theirs in zip(model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(ours, theirs)
        seen.clear()
        before, model, weights = engine.predict({"past": past}, 3), engine.model, engine.weights


def test_parts_are_kept_and_shown():
    engine = fitted(training=dataclasses.replace(TRAINING, parts=1))
    assert engine.parts == 1
    assert Engine.from_parts(*json.loads(json.dumps([engine.to_parts()[0]])), engine.to_parts()[1]).parts == 1
    assert pickle.loads(pickle.dumps(engine)).parts == engine.copy().parts == 1
    assert repr(engine).endswith("seed=3, parts=1)")
    assert Engine(NETWORK, TRAINING, seed=0).parts is None


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="compiled for JAX")
@pytest.mark.parametrize("decoder_input", ["zeros", "autoregressive"])
def test_a_program_serves_all_sizes_of_a_bucket(monkeypatch, decoder_input):
    """A function of JAX runs its Python once a program: so the programs are counted."""
    programs = []
    predict = compiled.FUNCTIONS["predict"]

    def counted(model, inputs, *, horizon):
        programs.append((inputs["past"].shape[0], horizon))
        return predict(model, inputs, horizon=horizon)

    monkeypatch.setitem(compiled.FUNCTIONS, "predict", counted)
    engine = fitted(network=dataclasses.replace(NETWORK, decoder_input=decoder_input))
    past = np.tile(series()[0], (20, 1, 1))
    for rows in (1, 2, 8, 1, 5, 9, 64, 40, 600, 300, 800):
        assert engine.predict({"past": past[:rows]}, horizon=4).shape == (rows, 4, 1)
    assert programs == [(1, 4), (8, 4), (64, 4), (128, 4)]
    engine.predict({"past": past[:3]}, horizon=5)
    assert programs[4:] == [(8, 5)]


def test_no_rows_are_no_forecasts():
    assert trained().predict({"past": np.zeros((0, 8, 1))}, horizon=3).shape == (0, 3, 1)


def test_parts_are_json_and_arrays_and_hold_everything():
    engine = fitted(network=NetworkSpec(encoder_units=(6,), decoder_units=(5,), decoder_input="scheduled"))
    header, arrays = engine.to_parts()
    rebuilt = Engine.from_parts(json.loads(json.dumps(header)), arrays)
    past, _ = series()
    np.testing.assert_array_equal(rebuilt.predict({"past": past}, 5), engine.predict({"past": past}, 5))
    assert rebuilt.model.network.sampling_steps == engine.model.network.sampling_steps
    assert rebuilt.weight_count == engine.weight_count > 0
    unfitted = Engine.from_parts(*Engine(NETWORK, TRAINING, seed=0).to_parts())
    assert unfitted.model is None
    assert unfitted.weight_count == 0


def test_scheduled_sampling_ends_half_way_by_default():
    engine = fitted(network=NetworkSpec(encoder_units=(6,), decoder_units=(5,), decoder_input="scheduled"))
    steps = TRAINING.epochs * 3  # 40 windows in batches of at most 16
    assert engine.model.network.sampling_steps == steps // 2
    assert float(engine.model.decoder.teacher_steps) == steps


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
    network = dataclasses.replace(NETWORK, head=head, decoder_input=decoder_input, normalise="scale")
    past, future = counts()
    return fitted(window, network, past=past, future=future)


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
    paths = engine.paths(inputs, 5, paths=30)
    assert paths.shape == (40, 30, 5, 1)
    if head == "negative_binomial":
        np.testing.assert_array_equal(paths, np.floor(paths))
    states = engine.encode(inputs)
    np.testing.assert_allclose(engine.decode(states, 5), engine.predict(inputs, 5), rtol=1e-5, atol=1e-6)
    rebuilt = Engine.from_parts(*json.loads(json.dumps([engine.to_parts()[0]])), engine.to_parts()[1])
    np.testing.assert_array_equal(rebuilt.quantiles(inputs, 5, PROBABILITIES), quantiles)


@each_head
def test_paths_of_independent_steps_have_each_steps_distribution(head):
    engine = probabilistic(head)
    inputs = {"past": counts()[0][:3]}
    paths = engine.paths(inputs, 3, paths=4000)
    forecast = engine.distribution(inputs, 3)
    for probability in (0.1, 0.5, 0.9):
        y = forecast.quantile((probability,))[..., 0]
        np.testing.assert_allclose((paths <= y[:, None]).mean(1), forecast.cdf(y), atol=0.03)


def test_paths_are_the_rows_own():
    engine = probabilistic("student_t", "autoregressive")
    past = np.tile(counts()[0], (4, 1, 1))
    whole = engine.paths({"past": past}, 4)
    order = np.random.default_rng(0).permutation(len(past))
    np.testing.assert_allclose(engine.paths({"past": past[order]}, 4), whole[order], rtol=1e-4, atol=1e-4)
    for rows in (1, 7, 70):
        np.testing.assert_allclose(engine.paths({"past": past[:rows]}, 4), whole[:rows], rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(engine.paths({"past": past}, 2), whole[:, :, :2], rtol=1e-4, atol=1e-4)
    assert engine.paths({"past": past[:0]}, 4).shape == (0, 100, 4, 1)


@pytest.mark.parametrize("head", ["normal", "negative_binomial"])
def test_seeds_of_rows_make_rows_independent(head):
    engine = probabilistic(head, "autoregressive")
    past = np.tile(counts()[0][:1], (70, 1, 1))
    same = engine.paths({"past": past}, 2, seed=5)
    np.testing.assert_allclose(same - same[:1], 0.0, atol=1e-4)
    own = engine.paths({"past": past}, 2, seed=np.arange(70))
    np.testing.assert_allclose(own[5], same[0], atol=1e-4)
    correlation = np.corrcoef(own[:, :, 0, 0]) - np.eye(70)
    assert np.abs(correlation).max() < 0.6
    assert abs(correlation.mean()) < 0.02
    np.testing.assert_allclose(engine.paths({"past": past[:9]}, 2, seed=np.arange(9)), own[:9], atol=1e-4)


def test_many_paths_go_in_small_blocks(monkeypatch):
    engine = probabilistic("normal", "autoregressive")
    seen = []
    paths = compiled.FUNCTIONS["paths"]

    def counted(model, inputs, **sizes):
        seen.append(inputs["past"].shape[0] * sizes["paths"])
        return paths(model, inputs, **sizes)

    monkeypatch.setitem(compiled.FUNCTIONS, "paths", counted)
    engine = Engine.from_parts(*engine.to_parts())
    past = np.tile(counts()[0], (8, 1, 1))
    for number in (100, 1000, 9000):
        assert engine.paths({"past": past[:300] if number == 100 else past[:9]}, 2, paths=number).shape[1] == number
    assert max(seen) == 9000  # one row is the least
    assert sorted(set(seen))[:-1] == [6400, 8000]


@pytest.mark.parametrize("segment", [1, 2])
def test_spread_of_paths_grows_as_that_of_the_process(segment):
    """A random walk: the deviation grows as the root of the number of steps, also beyond the trained horizon."""
    rng = np.random.default_rng(0)
    walks = np.cumsum(rng.normal(size=(600, 14, 1)), axis=1)
    network = NetworkSpec(
        encoder_units=(6,),
        decoder_units=(6,),
        head="normal",
        decoder_input="teacher",
        normalise="last",
        segment=segment,
    )
    training = TrainingSpec(epochs=25, batch_size=100, learning_rate=0.03)
    engine = Engine(network, training, seed=0)
    window = WindowSpec(horizon=4, features=1, targets=1, target_features=(0,))
    windows = ArrayWindows({"past": walks[:, :10]}, walks[:, 10:], batch_size=100, seed=1, teacher_forcing=True)
    engine.fit(windows, window=window, verbose=0)
    paths = engine.paths({"past": walks[:50, :10]}, 8, paths=200)
    deviation = (paths - walks[:50, None, 9:10]).std(axis=(0, 1))[:, 0]
    np.testing.assert_allclose(deviation[[0, 3, 7]], np.sqrt([1, 4, 8]), rtol=0.3)
    assert (deviation[4:] > deviation[:4]).all()
    if segment == 1:  # the steps of a token are drawn one by one
        increments = np.diff(paths[:, :, :, 0], axis=2)
        assert abs(np.corrcoef(increments[..., 0].ravel(), increments[..., 1].ravel())[0, 1]) < 0.2


RICH = WindowSpec(horizon=3, features=2, targets=2, static=1, future=1, target_features=(1, 0), observed=True)


@pytest.mark.parametrize("attention", ["none", "additive", "multi_head"])
def test_paths_with_everything_around_them(attention):
    """A path that reads draws of no spread is the network's own forecast, whatever goes into it."""
    network = NetworkSpec(
        encoder_units=(5,), decoder_units=(4,), cell="lstm", head="normal", decoder_input="autoregressive",
        normalise="instance", attention=attention,
    )  # fmt: skip
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
    paths = engine.paths(inputs, 5, paths=20)
    filled, observed = fill_gaps(past)
    states = engine.model.encode({"past": filled, "observed": observed, "static": inputs["static"]})
    alone = numpy(engine.model.decode(states, 5, inputs["future"]))[..., 0]
    assert paths.shape == (9, 20, 5, 2)
    np.testing.assert_allclose(paths, np.broadcast_to(alone[:, None], paths.shape), atol=2e-3)


WRONG = [
    (lambda engine, x: engine.quantiles(x, 3, (0.1, 1.0)), "probabilities: expected numbers between 0 and 1"),
    (lambda engine, x: engine.quantiles(x, 3, ()), "probabilities: expected numbers between 0 and 1"),
    (lambda engine, x: engine.quantiles(x, 3, (0.5,), paths=99), "paths: expected a whole number >= 100, received 99"),
    (lambda engine, x: engine.paths(x, 3, paths=0), "paths: expected a whole number >= 1, received 0"),
    (lambda engine, x: engine.paths(x, 3, seed=-1), "seed: expected a whole number >= 0, or one for each of the"),
    (lambda engine, x: engine.paths(x, 3, seed=[1, 2]), "seed: expected a whole number >= 0, or one for each of the"),
    (lambda engine, x: engine.paths(x, 3, seed=1.5), "seed: expected a whole number >= 0, or one for each of the"),
]


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_questions_are_refused(call, message):
    with pytest.raises(SpecError) as caught:
        call(probabilistic("normal", "autoregressive"), {"past": counts()[0]})
    assert str(caught.value).startswith(message)


@pytest.mark.parametrize("call", ["quantiles", "distribution", "paths"])
def test_a_point_is_no_distribution(call):
    engine = fitted()
    arguments = ((0.5,),) if call == "quantiles" else ()
    with pytest.raises(SpecError, match="head: expected one that forecasts a distribution, received 'point'"):
        getattr(engine, call)({"past": series()[0]}, 3, *arguments)
    np.testing.assert_array_equal(engine.mean({"past": series()[0]}, 3), engine.predict({"past": series()[0]}, 3))


# ---------------------------------------------------------------- blocks and updates

SEGMENTS = NetworkSpec(
    encoder_units=(6,), decoder_units=(5,), segment=2, decoder_input="position", decoding="parallel", normalise="last"
)


def test_longer_horizons_are_written_block_by_block():
    engine = fitted(network=SEGMENTS)
    past, _ = series()
    longer = engine.predict({"past": past}, 11)
    assert longer.shape == (40, 11, 1)
    np.testing.assert_allclose(longer[:, :3], engine.predict({"past": past}, 3), atol=1e-6)
    np.testing.assert_allclose(engine.decode(engine.encode({"past": past}), 11), longer, atol=1e-6)
    whole = engine.model.decode(engine.model.encode(past), 11)
    np.testing.assert_allclose(longer, keras.ops.convert_to_numpy(whole), atol=1e-5)
    assert engine.predict({"past": past[:0]}, 11).shape == (0, 11, 1)


@pytest.mark.skipif(keras.backend.backend() != "jax", reason="compiled for JAX")
def test_any_number_of_blocks_takes_the_same_programs(monkeypatch):
    """So does a last block that is shorter than the others."""
    programs = []
    for name in ("block", "append"):
        function = compiled.FUNCTIONS[name]

        def counted(model, inputs, *, _function=function, _name=name, **static):
            programs.append((_name, *static.values()))
            return _function(model, inputs, **static)

        monkeypatch.setitem(compiled.FUNCTIONS, name, counted)
    engine = fitted(network=SEGMENTS)
    past, _ = series()
    for horizon in (21, 40, 31):
        engine.predict({"past": past}, horizon)
    assert programs == [("block", 3), ("append",)]


def test_wrong_updates_are_refused():
    engine = fitted(network=SEGMENTS)
    past, _ = series()
    states = engine.encode({"past": past})
    with pytest.raises(DataError, match="past: expected new steps for each of the 40 rows of the states, received 3"):
        engine.update(states, {"past": past[:3, :2]})
    with pytest.raises(DataError, match=r"whole segments of 2, received 3 steps"):
        engine.update(states, {"past": past[:, :3]})


# ---------------------------------------------------------------- heads and blocks


@functools.cache
def unsure(**options):
    network = dataclasses.replace(SEGMENTS, **{"head": "normal", **options})
    return fitted(network=network, season_length=4)


@pytest.mark.parametrize("head", ["quantile", "normal"])
def test_a_distribution_beyond_the_trained_horizon_is_that_of_paths(head):
    engine = unsure(head=head, residual="seasonal")
    inputs = {"past": series()[0]}
    near, far = engine.distribution(inputs, 3), engine.distribution(inputs, 8, paths=400)
    assert isinstance(near, Parametric)
    assert isinstance(far, Sampled)
    assert far.paths.shape == (40, 400, 8, 1)
    # Up to the trained horizon paths know nothing of each other's steps: they are drawn from the parameters.
    spread = np.diff(near.quantile((0.1, 0.9)), axis=-1).max()
    for probability in (0.1, 0.5, 0.9):
        ours, exact = (forecast.quantile((probability,))[:, :3] for forecast in (far, near))
        np.testing.assert_allclose(ours, exact, atol=0.05 * spread)
    quantiles = engine.quantiles(inputs, 8, PROBABILITIES)
    assert (np.diff(quantiles, axis=-1) >= 0).all()
    np.testing.assert_allclose(engine.predict(inputs, 8), quantiles[..., 1], rtol=1e-6)
    np.testing.assert_allclose(engine.decode(engine.encode(inputs), 8), engine.predict(inputs, 8), atol=1e-5)
    whole = engine.model.decode(engine.model.encode(inputs["past"]), 8)
    assert tuple(whole.shape) == (40, 8, 1, engine.model.decoder.head.size)


def test_each_path_goes_on_from_its_own_draws():
    engine = unsure()
    past = np.tile(series()[0], (3, 1, 1))
    whole = engine.paths({"past": past}, 8)
    order = np.random.default_rng(0).permutation(len(past))
    np.testing.assert_allclose(engine.paths({"past": past[order]}, 8), whole[order], atol=1e-4)
    np.testing.assert_allclose(engine.paths({"past": past[:7]}, 8), whole[:7], atol=1e-4)
    np.testing.assert_allclose(engine.paths({"past": past[:7]}, 5), whole[:7, :, :5], atol=1e-4)
    assert engine.paths({"past": past[:0]}, 8).shape == (0, 100, 8, 1)
    own = engine.paths({"past": past[:90]}, 8, seed=np.arange(90))  # more rows than go at once
    np.testing.assert_allclose(engine.paths({"past": past[85:86]}, 8, seed=85), own[85:86], atol=1e-4)


def test_a_later_block_has_read_the_draws_of_its_path():
    engine = unsure()
    past = series()[0][:1]
    paths = engine.paths({"past": past}, 4)[0]
    # The second block begins after a segment of two steps; the first forecast of step 3 stands.
    states = engine.update(engine.encode({"past": np.repeat(past, 100, axis=0)}), {"past": paths[:, :2]})
    location, scale = np.moveaxis(engine.distribution({"states": states}, 3).parameters[:, 1, 0], -1, 0)
    assert np.ptp(location) > 1e-3
    places = np.sort(special.ndtr((paths[:, 3, 0] - location) / scale) * 100)
    np.testing.assert_allclose(places, np.arange(100) + 0.5, atol=0.51)  # one draw in each hundredth
