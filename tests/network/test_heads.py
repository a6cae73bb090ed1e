"""Every head through the same properties; losses against SciPy; what a tiny network learns of known distributions."""

import json

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from seqcast import Engine, NetworkSpec, TrainingSpec, WindowSpec
from seqcast.data.windows.batches import ArrayWindows
from seqcast.errors import SpecError
from seqcast.network.heads import HEADS
from seqcast.network.likelihoods import LOG_LIKELIHOODS
from seqcast.network.losses import HeadLoss, NegativeLogLikelihood, ObservedLoss, PinballLoss
from seqcast.runtime.backend import to_numpy as numpy
from seqcast.specs.network import CHOICES

from .networks import REFERENCES, log_density

PROBABILISTIC = CHOICES["head"][1:]
MULTIPLICATIVE = ("negative_binomial", "log_normal")
each_head = pytest.mark.parametrize("name", CHOICES["head"])
each_probabilistic = pytest.mark.parametrize("name", PROBABILISTIC)


def tensor(x):
    return keras.ops.convert_to_tensor(np.asarray(x, "float32"))


def gradient(loss, output):
    """Return the gradient of a loss of a tensor, on any backend."""
    output = tensor(output)
    backend = keras.backend.backend()
    if backend == "jax":
        import jax

        return numpy(jax.grad(loss)(output))
    if backend == "torch":
        output.requires_grad_(True)
        loss(output).backward()
        return numpy(output.grad)
    import tensorflow

    with tensorflow.GradientTape() as tape:
        tape.watch(output)
        value = loss(output)
    return numpy(tape.gradient(value, output))


# ---------------------------------------------------------------- layers


def head_of(name, targets=2, seed=0, **options):
    return HEADS[name](3, targets, seed=seed, **options)


def test_every_name_has_a_head():
    assert tuple(HEADS) == CHOICES["head"]
    assert set(LOG_LIKELIHOODS) == set(PROBABILISTIC) - {"quantile"}


# The least value of each parameter that has one.
LEAST = {
    "normal": {1: 0.0},
    "log_normal": {1: 0.0},
    "student_t": {0: 2.0, 2: 0.0},
    "negative_binomial": {0: 0.0, 1: 0.0},
}


@each_head
@settings(max_examples=20, deadline=None)
@given(
    seed=st.integers(0, 10_000),
    size=st.sampled_from([0.1, 1.0, 30.0, 1000.0]),
    unit=st.floats(-6, 6),
)
def test_parameters_are_possible_whatever_the_weights(name, seed, size, unit):
    head = head_of(name)
    rng = np.random.default_rng(seed)
    assert head.dense.kernel.shape == (3, 2 * head.size)
    head.set_weights([rng.normal(size=weight.shape) * size for weight in head.weights])
    output = head(tensor(rng.normal(size=(4, 5, 3))))
    parameters = numpy(output)
    point = numpy(head.point(output))
    assert parameters.shape == ((4, 5, 2) if name == "point" else (4, 5, 2, head.size))
    assert head.axes == parameters.ndim - 3
    assert point.shape == (4, 5, 2)
    assert np.isfinite(parameters).all()
    for place, least in LEAST.get(name, {}).items():
        assert parameters[..., place].min() >= least
    if name == "quantile":
        np.testing.assert_array_equal(point, parameters[..., 1])
        loc = rng.normal(size=(4, 1, 2)) * 100
        scale = np.full((4, 1, 2), 10.0**unit)
        in_units = numpy(head.in_units(output, tensor(loc), tensor(scale)))
        assert (np.diff(parameters, axis=-1) >= 0).all()
        assert (np.diff(in_units, axis=-1) >= 0).all()


@each_head
def test_what_the_normaliser_took_comes_back(name):
    """The distribution of `scale x + loc` has the quantiles of `x`, moved and stretched."""
    from seqcast.network.distributions import distribution_of

    head = head_of(name)
    rng = np.random.default_rng(0)
    parameters = head(tensor(rng.normal(size=(4, 5, 3))))
    scale = rng.uniform(0.1, 20.0, size=(4, 1, 2))
    loc = np.zeros((4, 1, 2)) if name in MULTIPLICATIVE else rng.normal(size=(4, 1, 2)) * 9
    moved = numpy(head.in_units(parameters, tensor(loc), tensor(scale)))
    parameters = numpy(parameters)
    if name == "point":
        np.testing.assert_allclose(moved, parameters * scale + loc, rtol=1e-4, atol=1e-4)
        return
    distribution = distribution_of(NetworkSpec(head=name))
    mean = distribution.mean(parameters) * scale + loc
    np.testing.assert_allclose(distribution.mean(moved), mean, rtol=1e-4, atol=1e-4)
    if name != "negative_binomial":  # counts have no other unit
        asked = (0.05, 0.5, 0.8)
        expected = distribution.quantile(parameters, asked) * scale[..., None] + loc[..., None]
        np.testing.assert_allclose(
            distribution.quantile(moved, asked), expected, rtol=1e-4, atol=1e-4
        )


@each_probabilistic
def test_only_a_point_takes_another_loss(name):
    with pytest.raises(SpecError, match=f"loss: expected None with head='{name}', received 'mae'"):
        head_of(name).loss("mae")
    assert isinstance(head_of(name).loss(), HeadLoss)
    assert isinstance(head_of("point").loss("mae"), ObservedLoss)
    with pytest.raises(SpecError, match=f"loss: expected None with head='{name}'"):
        Engine(NetworkSpec(head=name), TrainingSpec(loss="mse"), seed=0)


# ---------------------------------------------------------------- losses


def batch(name, seed=0, rows=6, big=1.0):
    """Return targets that a head's distribution has, [B, H, D], and its parameters for them."""
    rng = np.random.default_rng(seed)
    head = head_of(name)
    parameters = numpy(head(tensor(rng.normal(size=(rows, 4, 3)))))
    y = (
        rng.poisson(3.0, size=(rows, 4, 2))
        if name == "negative_binomial"
        else rng.lognormal(size=(rows, 4, 2))
    )
    return y.astype(float) * big, parameters, head


def reference_values(name, y, parameters):
    if name == "point":
        return (y - parameters) ** 2
    if name == "quantile":
        error = y[..., None] - parameters
        p = np.array([0.1, 0.5, 0.9])
        return np.where(error > 0, p * error, (p - 1) * error).mean(-1)
    return -log_density(REFERENCES[name][0](*np.moveaxis(parameters.astype(float), -1, 0)), y)


each_decay = pytest.mark.parametrize("decay", [0.0, 0.5, 2.0])


@each_head
@each_decay
def test_the_loss_is_the_weighted_mean_over_what_is_there(name, decay):
    y, parameters, head = batch(name)
    rows = np.array([1.0, 2.0, 0.0, 0.5, 1.0, 1.0])
    weight = rows[:, None, None] * (np.arange(1, y.shape[1] + 1) ** -decay)[:, None]
    missing = np.random.default_rng(1).random(y.shape) < 0.3
    values = np.where(missing, 0.0, reference_values(name, y, parameters))
    expected = (weight * values).sum() / (weight * ~missing).sum()
    loss = head.loss(horizon_decay=decay)(
        tensor(np.where(missing, np.nan, y)), tensor(parameters), tensor(rows)
    )
    assert float(loss) == pytest.approx(expected, rel=1e-4)


def test_steps_cannot_decay_in_a_loss_that_has_none():
    loss = ObservedLoss(
        lambda y_true, y_pred: keras.ops.mean((y_true - y_pred) ** 2, axis=(1, 2)),
        horizon_decay=0.5,
    )
    with pytest.raises(
        SpecError, match="horizon_decay: expected 0 with a loss that returns one value an example"
    ):
        loss(tensor(np.ones((3, 2, 1))), tensor(np.ones((3, 2, 1))))


@each_head
@each_decay
def test_losses_of_parts_add_up_to_that_of_the_whole(name, decay):
    y, parameters, head = batch(name)
    y[np.random.default_rng(2).random(y.shape) < 0.4] = np.nan
    y[1] = np.nan
    loss = head.loss(horizon_decay=decay)
    weight = np.linspace(0.0, 2.0, len(y))
    micro_batches = [slice(0, 2), slice(2, 5), slice(5, 6)]
    losses = [
        float(loss(tensor(y[rows]), tensor(parameters[rows]), tensor(weight[rows])))
        for rows in micro_batches
    ]
    shares = [float(loss.share(tensor(y[rows]), tensor(weight[rows]))) for rows in micro_batches]
    whole = float(loss(tensor(y), tensor(parameters), tensor(weight)))
    assert np.dot(losses, shares) / sum(shares) == pytest.approx(whole, rel=1e-5)
    assert float(loss(tensor(np.full_like(y, np.nan)), tensor(parameters))) == 0.0


@each_head
@pytest.mark.parametrize("big", [1.0, 0.0, 1e12])
def test_gradients_are_finite(name, big):
    y, parameters, head = batch(name, big=big)
    y[0] = np.nan
    y[1, 0] = np.nan
    if name == "log_normal" and not big:
        y = np.where(np.isnan(y), y, 1e-30)
    loss = head.loss()
    found = gradient(lambda output: loss(tensor(y), output), parameters)
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(found[0], 0.0)
    assert np.abs(found[2:]).max() > 0


@pytest.fixture(params=["mixed_bfloat16", "mixed_float16"])
def half_precision(request):
    """Compute in half precision; after the test the policy is the one from before."""
    before = keras.config.dtype_policy()
    keras.config.set_dtype_policy(request.param)
    yield request.param
    keras.config.set_dtype_policy(before)


@each_head
def test_losses_are_computed_in_single_precision(name, half_precision):
    """16 bits have three digits: differences, sums of many rows and weights would lose all of them."""
    head = head_of(name)
    rows = 700
    parameters = head(tensor(np.random.default_rng(0).normal(size=(rows, 4, 3))))
    assert keras.backend.standardize_dtype(parameters.dtype) == "float32"
    y = np.full((rows, 4, 2), 257.0) + (0.0 if name == "negative_binomial" else 0.125)
    expected = reference_values(name, y, numpy(parameters)).mean()
    assert numpy(head.loss()(tensor(y), parameters)) == pytest.approx(expected, rel=1e-4)
    half = keras.ops.cast(parameters, half_precision.removeprefix("mixed_"))
    assert keras.backend.standardize_dtype(head.loss()(tensor(y), half).dtype) == "float32"
    assert float(head.loss().share(tensor(y))) == rows


LOSSES = [
    PinballLoss((0.2, 0.5), horizon_decay=0.5),
    NegativeLogLikelihood("student_t"),
    ObservedLoss("mae"),
]


@pytest.mark.parametrize("loss", LOSSES)
def test_losses_are_written_as_json_and_read(loss):
    written = json.loads(json.dumps(keras.saving.serialize_keras_object(loss)))
    read = keras.saving.deserialize_keras_object(written)
    assert type(read) is type(loss)
    assert read.get_config() == loss.get_config()


# ---------------------------------------------------------------- networks


TINY = {"encoder_units": (4,), "decoder_units": (4,)}


# What is drawn, and what a network has to find out of the draws: some of the parameters, and how
# closely.
DRAWN = {
    "quantile": (
        lambda rng, shape: rng.exponential(2.0, shape),
        stats.expon(scale=2.0).ppf((0.1, 0.5, 0.9)),
        0.25,
    ),
    "normal": (lambda rng, shape: rng.normal(3.0, 0.5, shape), (3.0, 0.5), 0.1),
    "student_t": (
        lambda rng, shape: 1.0 + 0.5 * rng.standard_t(4.0, shape),
        (4.0, 1.0, 0.5),
        (2.0, 0.1, 0.1),
    ),
    "negative_binomial": (
        lambda rng, shape: rng.negative_binomial(2.0, 0.25, shape),
        (6.0, 0.5),
        (0.5, 0.15),
    ),
    "log_normal": (lambda rng, shape: rng.lognormal(1.0, 0.4, shape), (1.0, 0.4), 0.1),
}


@each_probabilistic
def test_a_network_finds_the_parameters_of_what_it_sees(name):
    """The past says nothing; what is left to learn is the distribution itself."""
    draw, truth, tolerance = DRAWN[name]
    rng = np.random.default_rng(0)
    y = draw(rng, (1500, 4, 1))
    training = TrainingSpec(epochs=40, batch_size=250, learning_rate=0.03, validation_fraction=0.0)
    engine = Engine(NetworkSpec(**TINY, head=name), training, seed=0)
    past = np.ones((1500, 2, 1))
    windows = ArrayWindows({"past": past}, y, batch_size=250, seed=1)
    engine.fit(windows, window=WindowSpec(horizon=4, features=1, targets=1), verbose=0)
    found = engine.distribution({"past": past[:1]}, 4).parameters[0].mean((0, 1))
    assert (np.abs(found - truth) < tolerance).all(), found
