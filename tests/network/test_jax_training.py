"""Training steps that are divided among cores give what one core gives."""

import gc

import keras
import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, Seq2SeqRegressor, TrainingSpec, WindowSpec
from seqcast.data.windows.batches import ArrayWindows
from seqcast.data.windows.gaps import fill_gaps
from seqcast.engine import shared
from seqcast.errors import SpecError
from seqcast.network.seq2seq import Seq2Seq
from seqcast.runtime.threads import in_threads

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="steps of JAX")

if keras.backend.backend() == "jax":
    import jax

    from seqcast.network import jax_training
    from seqcast.network.jax_train_step import Batch

PLAIN = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
OBSERVED = WindowSpec(
    horizon=3, features=1, targets=1, target_features=(0,), observed=True, season_length=4
)
# 37 rows in batches of 16 at most make three of 13, padded to 16 rows, which three cores do not
# divide evenly.
ROWS = 37
BATCH = 16


def windows(*, teach, observed):
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(11) * 0.9 + rng.uniform(0, 6, (ROWS, 1)))[:, :, None]
    past = values[:, :8].copy()
    future = values[:, 8:].copy()
    inputs = {"past": past}
    if observed:
        past[rng.random(past.shape) < 0.2] = np.nan
        future[rng.random(future.shape) < 0.2] = np.nan
        future[20] = np.nan  # a row that counts for nothing
        inputs = dict(zip(("past", "observed"), fill_gaps(past), strict=True))
    return ArrayWindows(inputs, future, batch_size=BATCH, seed=1, teacher_forcing=teach)


@pytest.fixture
def on(monkeypatch):
    """Train on a number of cores, however small the batches are; return engine, history, sizes of micro-batches."""

    def train(cores, network, training, *, observed=False, callbacks=()):
        monkeypatch.setattr(jax_training, "threads", lambda: cores)
        monkeypatch.setattr(jax_training, "SMALLEST_MICRO_BATCH", 1)
        micro_batches = []

        def counted(function, rows, *how):
            micro_batches.append([len(part) for part in rows])
            return in_threads(function, rows, *how)

        with monkeypatch.context() as patch:
            patch.setattr(jax_training, "in_threads", counted)
            engine = Engine(network, training, seed=3)
            window = OBSERVED if observed else PLAIN
            batches = windows(teach=network.uses_teacher_forcing, observed=observed)
            history = engine.fit(batches, window=window, callbacks=callbacks, verbose=0)
        return engine, history, micro_batches

    return train


SMALL = {"encoder_units": (6,), "decoder_units": (5,)}
AHEAD = {
    "decoder_input": "position",
    "decoding": "parallel",
    "normalise": "last",
    "residual": "seasonal",
}
FED = {"decoder_input": "scheduled", "sampling_steps": 4}
ZEROS = NetworkSpec(**SMALL)
NETWORKS = {
    "dropout": NetworkSpec(encoder_units=(6, 4), decoder_units=(5, 3), dropout=0.4),
    "attention, regularised": NetworkSpec(
        **SMALL, attention="dot", cell="lstm", regularizer={"kernel": "l2"}
    ),
    "quantile, scheduled": NetworkSpec(**SMALL, **FED, head="quantile", quantiles=(0.1, 0.5)),
    "student_t": NetworkSpec(**SMALL, head="student_t"),
    "segments": NetworkSpec(
        encoder_units=(6,), decoder_units=(5, 4), segment=2, dropout=0.4, **AHEAD
    ),
}


def assert_close(ours, theirs):
    """Compare the weights of two engines, as they are up to the order of sums."""
    for one, other in zip(ours.model.weights, theirs.model.weights, strict=True):
        np.testing.assert_allclose(one.numpy(), other.numpy(), atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_cores_gives_the_same_weights(on, name):
    """Three cores do not divide the rows evenly; two, which do, are asked of one network."""
    training = TrainingSpec(epochs=2, batch_size=BATCH, metrics=["mae"])
    alone, alone_history, none = on(1, NETWORKS[name], training, observed=True)
    assert none == []
    assert np.isfinite([alone_history["loss"], alone_history["mae"]]).all()
    assert alone_history.micro_batches == 1
    for cores, sizes in [(3, [6, 6, 6])] + [(2, [8, 8])] * (name == "dropout"):
        together, history, micro_batches = on(cores, NETWORKS[name], training, observed=True)
        assert micro_batches == [sizes] * 6
        assert history.micro_batches == together.micro_batches == cores
        for metric in ("loss", "mae"):
            np.testing.assert_allclose(history[metric], alone_history[metric], rtol=1e-5)
        assert_close(together, alone)


CORES = [
    ("dropout", 1, [], (2,)),
    ("dropout", 3, [6, 6, 6], (2, 3)),
    ("dropout", 99, [1] * 16, (3,)),
    ("quantile, scheduled", 2, [8, 8], (2, 3)),
    ("quantile, scheduled", 5, [4] * 4, (3,)),
]


@pytest.mark.parametrize(("name", "micro_batches", "sizes", "other_cores"), CORES)
def test_the_same_parts_give_the_same_bits_on_any_number_of_cores(
    on, name, micro_batches, sizes, other_cores
):
    training = TrainingSpec(
        epochs=2, batch_size=BATCH, metrics=["mae"], micro_batches=micro_batches
    )
    alone, alone_history, seen = on(1, NETWORKS[name], training, observed=True)
    assert seen == [sizes] * (6 if sizes else 0)
    assert alone_history.micro_batches == max(1, len(sizes))
    for cores in other_cores:
        together, history, _ = on(cores, NETWORKS[name], training, observed=True)
        assert history.epochs == alone_history.epochs
        assert all(map(np.array_equal, together.weights, alone.weights))


UNCOMPILED = "on 'jax', or in steps that are not compiled one by one"
UNDIVIDED = "with a scaled loss, or an overridden step"
UNEQUAL = [
    ({"run_eagerly": True}, UNCOMPILED),
    ({"optimizer": keras.optimizers.Adam(loss_scale_factor=2.0)}, UNDIVIDED),
    ({"optimizer": keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam())}, UNDIVIDED),
    ({"loss": "mse"}, UNDIVIDED),
]


@pytest.mark.parametrize(("options", "words"), UNEQUAL)
def test_parts_that_do_not_add_up_to_the_whole_are_rejected(options, words):
    model = Seq2Seq(PLAIN, ZEROS, seed=0)
    model.compile(**{"optimizer": "adam", "loss": model.decoder.head.loss(), **options})
    model.micro_batches = 2
    with pytest.raises(SpecError, match=f"micro_batches: expected None or 1 {words}"):
        model.make_train_function()
    model.micro_batches = 1
    model.make_train_function()


def test_callbacks_of_keras_are_called_and_heeded(on):
    seen = []

    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, sorted(logs)))
            self.model.stop_training = len(seen) == 4

    training = TrainingSpec(epochs=5, batch_size=BATCH, metrics=["mae"])
    _, history, micro_batches = on(2, ZEROS, training, callbacks=[Stops()])
    assert seen == [(batch, ["loss", "mae"]) for batch in (0, 1, 2, 0)]
    assert len(micro_batches) == 4
    assert len(history) == 2


def test_small_batches_are_left_whole(monkeypatch):
    engine = Engine(ZEROS, TrainingSpec(epochs=1, batch_size=BATCH), seed=0)
    engine.fit(windows(teach=False, observed=False), window=PLAIN, verbose=0)
    monkeypatch.setattr(jax_training, "threads", lambda: 2)
    step = jax_training.TrainFunction(engine.model, jax_training.StepPrograms(engine.model))
    assert step.fewest_rows * engine.weight_count >= jax_training.SMALLEST_MICRO_BATCH
    rows = np.zeros((2 * step.fewest_rows, 8, 1), "float32")
    assert step.divides(Batch({"past": rows}, rows, None))
    assert not step.divides(Batch({"past": rows[1:]}, rows[1:], None))


def test_parts_are_halved_until_their_scratch_memory_is_small(on, monkeypatch):
    training = TrainingSpec(epochs=2, batch_size=BATCH)
    alone, _, _ = on(1, ZEROS, training)
    monkeypatch.setattr(jax_training, "FEWEST_ROWS", 2)
    for limit, micro_batches in (
        (1 << 30, [8, 8]),
        (1, [2] * 8),
    ):  # micro_batches of four rows are halved, of two not
        monkeypatch.setattr(jax_training, "LARGEST_SCRATCH", limit)
        shared.step_programs_of.cache_clear()
        together, _, seen = on(2, ZEROS, training)
        assert seen == [micro_batches] * 6
        assert_close(together, alone)


@pytest.fixture
def set_policy():
    """Keras's function that sets the policy of types; after the test it is the one from before."""
    before = keras.config.dtype_policy()
    yield keras.config.set_dtype_policy
    keras.config.set_dtype_policy(before)


POLICIES = [
    ("mixed_bfloat16", {"attention": "dot", "dropout": 0.1}),
    ("mixed_float16", {"decoder_input": "autoregressive", "cell": "lstm"}),
]


@pytest.mark.parametrize(("policy", "options"), POLICIES)
def test_mixed_precision(set_policy, policy, options):
    set_policy(policy)
    waves = np.sin(np.arange(17) * 0.5 + np.linspace(0, 6, 64)[:, None])[:, :, None]
    recipe = {
        "optimizer": "adam",
        "learning_rate": 0.01,
        "epochs": 12,
        "random_state": 0,
        "verbose": 0,
    }
    model = Seq2SeqRegressor(encoder_units=8, **recipe, **options).fit(waves[:, :12], waves[:, 12:])
    loss = model.history_["loss"]
    network = model.engine_.model
    assert np.isfinite(model.predict(waves[:3, :12])).all()
    assert loss[-1] < 0.9 * loss[0]
    assert network.compute_dtype == policy.removeprefix("mixed_")
    assert {weight.dtype for weight in network.trainable_weights} == {"float32"}


def test_weights_of_half_precision_are_rejected(set_policy):
    set_policy("bfloat16")
    with pytest.raises(SpecError, match="'mixed_bfloat16' keeps the weights in float32"):
        Seq2SeqRegressor(verbose=0).fit(np.zeros((4, 3, 1)), np.zeros((4, 2, 1)))


@pytest.mark.parametrize("cores", [1, 2])
def test_programs_of_ever_new_batches_are_let_go(cores, monkeypatch):
    """Whole steps on one core, micro_batches on two; with all programs kept, the weights are the same."""
    monkeypatch.setattr(jax_training, "threads", lambda: cores)
    monkeypatch.setattr(jax_training, "SMALLEST_MICRO_BATCH", 1)
    weights = []
    live = []
    for most in (99, 2):
        monkeypatch.setattr(jax_training, "MOST_KINDS", most)
        engine = Engine(ZEROS, TrainingSpec(), seed=0)
        for rows in (2, 9, 17, 2, 25, 9):  # each is filled up to a multiple of eight
            batches = ArrayWindows(
                {"past": np.ones((rows, 8, 1))}, np.ones((rows, 3, 1)), batch_size=rows, seed=0
            )
            engine.continue_fit(batches, window=PLAIN)
            live.append(len(jax.devices()[0].client.live_executables()))
        weights.append(engine.weights)
        del engine
        gc.collect()  # a network that goes on training holds its steps, and they hold it
    unbounded = live[:6]
    bounded = live[6:]
    assert unbounded[-1] >= unbounded[0] + 3 * cores
    assert max(bounded) <= bounded[0] + cores
    assert all(map(np.array_equal, *weights))
