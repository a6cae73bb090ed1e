"""Training steps that are divided among cores give what one core gives."""

import keras
import numpy as np
import pytest

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows.arrays import ArrayWindows

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="steps of JAX")

if keras.backend.backend() == "jax":
    from seqcast.network import jax_steps as steps_jax

OBSERVED = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,), observed=True, season_length=4)
# 37 rows in batches of 16 at most make three of 13, which neither two nor three cores divide evenly.
ROWS, BATCH = 37, 16


def windows(*, teach, observed):
    rng = np.random.default_rng(0)
    values = np.sin(np.arange(11) * 0.9 + rng.uniform(0, 6, (ROWS, 1)))[:, :, None]
    past, future = values[:, :8].copy(), values[:, 8:].copy()
    if observed:
        past[rng.random(past.shape) < 0.2] = np.nan
        future[rng.random(future.shape) < 0.2] = np.nan
        future[20] = np.nan  # a row that counts for nothing
    return ArrayWindows({"past": past}, future, batch_size=BATCH, seed=1, observed=observed, teacher_forcing=teach)


@pytest.fixture
def on(monkeypatch):
    """Train on so many cores, however small the batches are; return the engine, its history and the parts' sizes."""

    def train(cores, network, training, *, observed=False, callbacks=()):
        monkeypatch.setattr(steps_jax, "threads", lambda: cores)
        monkeypatch.setattr(steps_jax, "SMALLEST_PART", 1)
        parts = []
        whole = steps_jax._Divided.__call__

        def counted(self, state, batch):
            result = whole(self, state, batch)
            parts.append([len(rows) for rows in self.plans[steps_jax._kind(batch)].parts])
            return result

        with monkeypatch.context() as patch:
            patch.setattr(steps_jax._Divided, "__call__", counted)
            engine = Engine(network, training, seed=3)
            window = OBSERVED if observed else WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
            fed = windows(teach=network.uses_teacher_forcing, observed=observed)
            history = engine.fit(fed, window=window, callbacks=callbacks, verbose=0)
        return engine, history, parts

    return train


ZEROS = NetworkSpec(encoder_units=(6,), decoder_units=(5,))
NETWORKS = {
    "dropout": NetworkSpec(encoder_units=(6, 4), decoder_units=(5, 3), dropout=0.4),
    "attention, regularised": NetworkSpec(
        encoder_units=(6,), decoder_units=(5,), attention="dot", cell="lstm", regularizer={"kernel": "l2"}
    ),
    "quantile, scheduled": NetworkSpec(
        encoder_units=(6,),
        decoder_units=(5,),
        head="quantile",
        quantiles=(0.1, 0.5),
        decoder_input="scheduled",
        sampling_steps=4,
    ),
    "student_t": NetworkSpec(encoder_units=(6,), decoder_units=(5,), head="student_t"),
    "segments": NetworkSpec(
        encoder_units=(6,),
        decoder_units=(5, 4),
        segment=2,
        decoder_input="position",
        decoding="parallel",
        normalise="last",
        residual="seasonal",
        dropout=0.4,
    ),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_any_number_of_cores_gives_the_same_weights(on, name):
    training = TrainingSpec(epochs=2, batch_size=BATCH, metrics=["mae"])
    alone, alone_history, none = on(1, NETWORKS[name], training, observed=True)
    assert none == []
    for cores, sizes in ((2, [7, 7]), (3, [5, 5, 5])):
        together, history, parts = on(cores, NETWORKS[name], training, observed=True)
        assert parts == [sizes] * 6
        for metric in ("loss", "mae"):
            np.testing.assert_allclose(history[metric], alone_history[metric], rtol=1e-5)
        for ours, theirs in zip(together.model.weights, alone.model.weights, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5, rtol=0)


def test_callbacks_of_keras_are_called_and_heeded(on):
    seen = []

    class Stops(keras.callbacks.Callback):
        def on_train_batch_end(self, batch, logs=None):
            seen.append((batch, sorted(logs)))
            self.model.stop_training = len(seen) == 4

    training = TrainingSpec(epochs=5, batch_size=BATCH, metrics=["mae"])
    _, history, parts = on(2, ZEROS, training, callbacks=[Stops()])
    assert seen == [(batch, ["loss", "mae"]) for batch in (0, 1, 2, 0)]
    assert len(parts) == 4
    assert len(history) == 2


def test_small_batches_are_left_whole():
    engine = Engine(ZEROS, TrainingSpec(epochs=1, batch_size=BATCH), seed=0)
    window = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
    engine.fit(windows(teach=False, observed=False), window=window, verbose=0)
    divided = steps_jax._Divided(engine.model, 2)
    assert divided.fewest_rows * engine.weight_count >= steps_jax.SMALLEST_PART
    rows = np.zeros((2 * divided.fewest_rows, 8, 1), "float32")
    assert divided.pays(({"past": rows}, rows, None))
    assert not divided.pays(({"past": rows[1:]}, rows[1:], None))


def test_parts_are_halved_until_their_scratch_memory_is_small(on, monkeypatch):
    training = TrainingSpec(epochs=2, batch_size=BATCH)
    alone, _, _ = on(1, ZEROS, training)
    monkeypatch.setattr(steps_jax, "FEWEST_ROWS", 2)
    for limit, parts in ((1 << 30, [7, 7]), (1, [2] * 8)):  # parts of four rows are halved, of two not
        monkeypatch.setattr(steps_jax, "LARGEST_SCRATCH", limit)
        together, _, seen = on(2, ZEROS, training)
        assert seen == [parts] * 6
        for ours, theirs in zip(together.model.weights, alone.model.weights, strict=True):
            np.testing.assert_allclose(ours.numpy(), theirs.numpy(), atol=1e-5, rtol=0)


def test_a_step_that_is_not_keras_s_is_not_divided(on):
    """A loss that is scaled, a step or a loss of a subclass: parts would not add up to the whole."""
    engine, _, _ = on(2, ZEROS, TrainingSpec(epochs=1, batch_size=BATCH))
    assert steps_jax._can_be_divided(engine.model)
    engine.model.compile(optimizer=keras.optimizers.Adam(loss_scale_factor=2.0), loss=engine.model.loss)
    assert not steps_jax._can_be_divided(engine.model)
    engine.model.compile(optimizer=keras.optimizers.LossScaleOptimizer(keras.optimizers.Adam()), loss=engine.model.loss)
    assert not steps_jax._can_be_divided(engine.model)
    engine.model.compile(optimizer="adam", loss="mse")
    assert not steps_jax._can_be_divided(engine.model)


PRECISION = """
import keras, numpy as np
keras.config.set_dtype_policy({policy!r})
from seqcast import Seq2SeqRegressor
waves = np.sin(np.arange(17) * 0.5 + np.linspace(0, 6, 64)[:, None])[:, :, None]
for options in ({{}}, dict(decoder_input="autoregressive", cell="lstm"), dict(attention="dot", dropout=0.1)):
    recipe = dict(optimizer="adam", learning_rate=0.01, epochs=12)
    model = Seq2SeqRegressor(encoder_units=8, random_state=0, verbose=0, **recipe, **options)
    model.fit(waves[:, :12], waves[:, 12:])
    loss = model.history_["loss"]
    assert np.isfinite(model.predict(waves[:3, :12])).all() and loss[-1] < 0.9 * loss[0], (options, loss)
print(model.engine_.model.compute_dtype, *{{weight.dtype for weight in model.engine_.model.trainable_weights}})
"""


@pytest.mark.parametrize("policy", ["mixed_bfloat16", "mixed_float16"])
def test_mixed_precision(run_python, policy):
    assert run_python(PRECISION.format(policy=policy)) == f"{policy.removeprefix('mixed_')} float32"


HALF = """
import keras, numpy as np
keras.config.set_floatx("bfloat16")
from seqcast import Seq2SeqRegressor
from seqcast.errors import SpecError
try:
    Seq2SeqRegressor(verbose=0).fit(np.zeros((4, 3, 1)), np.zeros((4, 2, 1)))
except SpecError as error:
    print(error)
"""


def test_weights_of_half_precision_are_refused(run_python):
    assert "'mixed_bfloat16' keeps the weights in float32" in run_python(HALF)
