"""Where JAX sees a GPU, nothing that is a CPU's is done, and what is done instead gives the same.

There is no GPU here: JAX is made to say that there is one, and computes on the CPU all the same.
"""

import types

import keras
import numpy as np
import pandas as pd
import pytest

from seqcast import Engine, Forecaster, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows.batches import ArrayWindows
from seqcast.engine.compiled import CompiledNetwork, programs_of
from seqcast.engine.shared import step_programs_of
from seqcast.network.recurrent import Scanned
from seqcast.network.seq2seq import Seq2Seq
from seqcast.runtime import executors
from seqcast.runtime.backend import platform
from seqcast.runtime.executors import SerialExecutor, choose_executor, worker_count
from seqcast.runtime.threads import in_threads

pytestmark = [
    pytest.mark.backends,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="devices of JAX"),
]

if keras.backend.backend() == "jax":
    import jax
    import jax.export

    from seqcast.network import jax_training
    from seqcast.network.jax_loops import FeaturesMajor

WINDOW = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
SMALL = {"encoder_units": (6,), "decoder_units": (5,)}
NETWORKS = {
    "gru": NetworkSpec(encoder_units=(6, 4), decoder_units=(5, 3)),
    "lstm, attention, both directions": NetworkSpec(
        **SMALL, cell="lstm", attention="dot", bidirectional=True
    ),
    "simple rnn, quantiles": NetworkSpec(
        **SMALL, cell="simple_rnn", head="quantile", quantiles=(0.1, 0.5)
    ),
    "segments, parallel": NetworkSpec(
        **SMALL, segment=2, decoder_input="position", decoding="parallel"
    ),
    "autoregression": NetworkSpec(**SMALL, decoder_input="autoregressive", head="student_t"),
}
VALUES = np.sin(np.arange(11) * 0.9 + np.linspace(0, 6, 40)[:, None])[:, :, None].astype("float32")
PAST = VALUES[:, :8]
FUTURE = VALUES[:, 8:]
QUESTIONS = {
    "encode": {},
    "predict": {"horizon": 5},
    "trace_encoder": {},
    "trace_decoder": {"horizon": 3},
    "sensitivity": {"horizon": 3},
}


def trained(name, **options):
    """Return an engine that was trained for two epochs, and its history."""
    engine = Engine(
        NETWORKS[name], TrainingSpec(epochs=2, batch_size=16, optimizer="sgd", **options), seed=3
    )
    return engine, engine.fit(
        ArrayWindows({"past": PAST}, FUTURE, batch_size=16, seed=1), window=WINDOW, verbose=0
    )


@pytest.fixture(autouse=True)
def own_programs():
    """Share no program with another test: each is to be compiled in the test that records it."""
    shared = step_programs_of, programs_of
    for cache in shared:
        cache.cache_clear()
    yield
    for cache in shared:
        cache.cache_clear()


@pytest.fixture
def seen(monkeypatch):
    """Record what reaches the compiler and the threads."""
    found = types.SimpleNamespace(options=[], threads=[])
    jit = jax.jit

    def recorded(function, **options):
        if "compiler_options" in options:
            found.options.append(options["compiler_options"])
        return jit(function, **options)

    def counted(function, items, count=None, pool=None):
        found.threads.append(len(items) if count is None else count)
        return in_threads(function, items, count, pool)

    monkeypatch.setattr(jax, "jit", recorded)
    for module in ("seqcast.network.jax_training", "seqcast.engine.compiled"):
        monkeypatch.setattr(f"{module}.in_threads", counted)
    monkeypatch.setattr(jax_training, "threads", lambda: 4)
    monkeypatch.setattr(jax_training, "SMALLEST_MICRO_BATCH", 1)
    return found


@pytest.fixture
def see_gpu(monkeypatch):
    """Return what makes JAX see a GPU from now on."""
    return lambda name="gpu": monkeypatch.setattr(jax, "default_backend", lambda: name)


@pytest.mark.parametrize("name", NETWORKS)
def test_the_same_weights_forecast_the_same(see_gpu, seen, name):
    past = np.concatenate([PAST] * 8)  # ten blocks of rows, the first of which compiles

    def answers():
        network = CompiledNetwork(Seq2Seq(WINDOW, NETWORKS[name], seed=2))
        given = [
            keras.tree.flatten(getattr(network, what)({"past": past}, **static))
            for what, static in QUESTIONS.items()
        ]
        return network.model.encoder.stack.loop_backend, given

    loops, on_cpu = answers()
    assert isinstance(loops, FeaturesMajor)
    assert set(seen.threads) == {9}
    assert all("xla_cpu_prefer_vector_width" in options for options in seen.options)
    assert seen.options
    seen.options = []
    seen.threads = []
    see_gpu()
    loops, on_gpu = answers()
    assert isinstance(loops, Scanned)
    assert seen.threads == []
    assert seen.options == [{}] * len(on_gpu)
    for ours, theirs in zip(keras.tree.flatten(on_gpu), keras.tree.flatten(on_cpu), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-5, rtol=1e-5)


@pytest.mark.parametrize("name", NETWORKS)
def test_a_training_takes_whole_batches_and_gives_the_same(see_gpu, seen, name):
    theirs, on_cpu = trained(name, metrics=["mae"])
    assert theirs.micro_batches == 4
    seen.options = []
    seen.threads = []
    see_gpu()
    ours, on_gpu = trained(name, metrics=["mae"])
    assert ours.micro_batches == 1
    assert seen.threads == []
    assert seen.options
    assert not any(seen.options)
    for metric in ("loss", "mae"):
        np.testing.assert_allclose(on_gpu[metric], on_cpu[metric], rtol=1e-4)
    for weight, other in zip(ours.weights, theirs.weights, strict=True):
        np.testing.assert_allclose(weight, other, atol=1e-5, rtol=1e-4)
    if name == "gru":  # those that are asked for are taken one after another
        assert trained(name, micro_batches=2)[0].micro_batches == 2
        assert set(seen.threads) == {1}


@pytest.mark.parametrize("name", NETWORKS)
def test_all_programs_can_be_lowered_for_cuda(see_gpu, monkeypatch, name):
    """Nothing in them is a CPU's alone: JAX lowers a program for a device that is not here."""
    jit = jax.jit
    lowered = []

    def recorded(function, **options):
        compiled = jit(function, **options)
        if "compiler_options" not in options:
            return compiled

        def call(*arguments):
            exported = jax.export.export(compiled, platforms=["cuda"])(*arguments)
            lowered.append((exported.fun_name, exported.platforms))
            return compiled(*arguments)

        return call

    see_gpu()
    monkeypatch.setattr(jax, "jit", recorded)
    CompiledNetwork(Seq2Seq(WINDOW, NETWORKS[name], seed=2)).predict({"past": PAST}, horizon=5)
    trained(name)
    assert set(lowered) == {("run", ("cuda",)), ("train_step", ("cuda",))}


@pytest.mark.usefixtures("seen")
def test_a_forecaster_trains_its_members_here_and_reads_files_of_a_cpu(
    see_gpu, monkeypatch, tmp_path
):
    stamps = pd.date_range("2024-01-01", periods=60)
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": stamps, "y": 10 + np.sin(np.arange(60) * 2 * np.pi / 7)}
    )
    options = {"preset": "classic", "training": {"epochs": 1}, "random_state": 0, "verbose": 0}
    alone = Forecaster(3, **options).fit(frame)
    alone.save(tmp_path / "a.seqcast")
    monkeypatch.setattr(executors, "threads", lambda: 4)
    assert worker_count() == 4
    see_gpu("cuda")
    assert (worker_count(), worker_count(3)) == (1, 1)
    assert isinstance(choose_executor(5, workers=3), SerialExecutor)
    monkeypatch.setattr(
        "seqcast.engine.engine.keep_scratch_memory", lambda: pytest.fail("a CPU's memory")
    )
    loaded = Forecaster.load(tmp_path / "a.seqcast")
    names = [name for name in alone.predict() if name.startswith("seqcast")]
    np.testing.assert_allclose(loaded.predict()[names], alone.predict()[names], rtol=1e-5)
    members = Forecaster(3, members=2, **options).fit(frame)
    assert len(members.engines_) == 2
    assert np.isfinite(members.predict()[names]).all(axis=None)


def test_workers_that_somebody_wants_all_the_same_share_the_memory(see_gpu, monkeypatch):
    monkeypatch.delenv(executors.ALL_MEMORY, raising=False)
    monkeypatch.setenv("XLA_FLAGS", "")
    on_cpu = executors.worker_environment()
    assert "xla_cpu" in on_cpu["XLA_FLAGS"]
    assert executors.ALL_MEMORY not in on_cpu
    see_gpu()
    assert executors.worker_environment()[executors.ALL_MEMORY] == "false"
    assert "XLA_FLAGS" not in executors.worker_environment()
    monkeypatch.setenv(executors.ALL_MEMORY, "true")
    assert executors.ALL_MEMORY not in executors.worker_environment()


@pytest.mark.parametrize(
    ("name", "kind"), [("tpu", "tpu"), ("gpu", "gpu"), ("cuda", "gpu"), ("rocm", "gpu")]
)
def test_names_of_devices_and_the_one_that_jax_is_told_to_take(see_gpu, name, kind):
    see_gpu(name)
    assert platform() == kind
    for device in ("cpu", jax.devices("cpu")[0]):
        with jax.default_device(device):
            assert platform() == "cpu"
