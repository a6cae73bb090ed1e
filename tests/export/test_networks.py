"""Many small networks of random parts and sizes: operators forecast what the network does."""

import os

import numpy as np
import pytest

from seqcast.data.windows.gaps import fill_gaps
from seqcast.errors import SpecError
from seqcast.export.decoding import ForecastColumns
from seqcast.export.network_file import WRITTEN, NetworkInputs, add_network, check_network
from seqcast.export.onnx_file import OnnxFile
from seqcast.export.operators import ndx
from seqcast.network import Seq2Seq
from seqcast.network.distributions import distribution_of
from seqcast.runtime.backend import keras
from seqcast.specs.network import CHOICES, NetworkSpec, WindowSpec

COUNT = int(os.environ.get("SEQCAST_EXPORTED", "24"))
HEADS = ("point", "point", "quantile", "normal", "log_normal")


def drawn(rng):
    """Draw a network and the sizes of its windows, that can be built and written."""
    while True:
        options = {
            **{name: CHOICES[name] for name in ("cell", "normalise", "static_input", "decoding")},
            "decoder_input": [name for name in CHOICES["decoder_input"] if name != "scheduled"],
            "residual": ("none", *CHOICES["residual"]),
            "attention": ("none", *CHOICES["attention"]),
            "head": HEADS,
        }
        spec = {name: str(rng.choice(values)) for name, values in options.items()}
        widths = [
            tuple(2 * int(n) for n in rng.integers(1, 4, rng.integers(1, 3))) for _ in range(2)
        ]
        spec |= {"encoder_units": widths[0], "decoder_units": widths[int(rng.random() < 0.6)]}
        spec |= {
            "segment": int(rng.integers(1, 4)),
            "bidirectional": bool(rng.random() < 0.3),
            "attention_heads": 2,
        }
        targets = int(rng.integers(1, 3))
        features = targets + int(rng.integers(0, 3))
        steps = int(rng.integers(3, 12))
        sizes = {"static": int(rng.integers(0, 3)), "future": int(rng.integers(0, 3))}
        sizes |= {
            "observed": bool(rng.integers(0, 2)),
            "season_length": int(rng.integers(1, steps + 1)),
        }
        places = tuple(int(place) for place in rng.permutation(features)[:targets])
        try:
            network = NetworkSpec(**spec)
            window = WindowSpec(
                int(rng.integers(1, 7)), features, targets, target_features=places, **sizes
            )
            network.check_window(window)
            check_network(network, window, window.horizon)
        except SpecError:
            continue
        return network, window, steps


def windows(rng, network, window, steps, horizon):
    """Draw what a network reads."""
    rows = int(rng.integers(1, 5))
    past = rng.normal(size=(rows, steps, window.features)).astype(np.float32)
    past = np.abs(past) if network.head == "log_normal" or network.normalise == "scale" else past
    inputs = {"past": past}
    if window.observed:
        past[rng.random(past.shape) < 0.3] = np.nan
        for row in past:
            row[: rng.integers(0, steps)] = np.nan
        if rng.random() < 0.3:
            past[0] = np.nan  # nothing is known
        inputs = dict(zip(("past", "observed"), fill_gaps(past), strict=True))
    if window.static:
        inputs["static"] = rng.normal(size=(rows, window.static)).astype(np.float32)
    if window.future:
        inputs["future"] = rng.normal(size=(rows, horizon, window.future)).astype(np.float32)
    return inputs


def forecast(model, inputs, horizon, columns):
    """Return what the network forecasts: the parts, `[B, H, D, columns]`."""
    tensors = {name: keras.ops.convert_to_tensor(values) for name, values in inputs.items()}
    future = tensors.pop("future", None)
    written, _ = model.unroll(
        model.encoder(tensors, training=False), horizon=horizon, future=future
    )
    written = keras.ops.convert_to_numpy(written)
    if not model.network.is_probabilistic:
        return written[..., None]
    distribution = distribution_of(model.network)
    point = distribution.mean(written) if columns.point == "mean" else distribution.median(written)
    return np.concatenate(
        [point[..., None], distribution.quantile(written, columns.probabilities)], axis=-1
    )


@pytest.mark.filterwarnings(
    "ignore:.*You are using a softmax:UserWarning"
)  # of Keras, over a past of one token
@pytest.mark.parametrize("seed", range(COUNT))
def test_operators_forecast_what_the_network_does(seed, run_file):
    rng = np.random.default_rng(seed)
    network, window, steps = drawn(rng)
    model = Seq2Seq(window, network, seed=seed)
    for weight in model.trainable_weights:
        weight.assign(
            keras.ops.convert_to_numpy(weight.value) + 0.3 * rng.normal(size=weight.shape)
        )
    horizon = int(rng.integers(1, 2 * window.horizon + 2))
    if network.in_blocks and (network.is_probabilistic or network.bidirectional):
        horizon = min(horizon, window.horizon)
    columns = (
        ForecastColumns(str(rng.choice(["median", "mean"])), (0.025, 0.1, 0.3, 0.9))
        if network.is_probabilistic
        else ForecastColumns()
    )
    inputs = windows(rng, network, window, steps, horizon)
    any_horizon = not network.in_blocks and rng.random() < 0.5
    known_steps = rng.random() < 0.5

    file = OnnxFile()
    values = {}
    for name, array in inputs.items():
        shape = ["batch", *array.shape[1:]]
        if name == "future":
            shape[1] = "horizon" if any_horizon else horizon
        elif name != "static" and not known_steps:
            shape[1] = "time"
        values[name] = file.read(name, ndx.float32, tuple(shape), name)
    count = file.read_horizon(None if any_horizon else horizon)
    written = add_network(model, NetworkInputs(**values), count, columns)
    file.write(
        "forecast",
        written,
        ("batch", "steps", window.targets, 1 + len(columns.probabilities)),
        "forecast",
    )
    feeds = {**inputs, "horizon": np.array([horizon])} if any_horizon else inputs
    found = run_file(file.model({}).SerializeToString())(**feeds)["forecast"]

    expected = forecast(model, inputs, horizon, columns)
    assert found.shape == expected.shape
    np.testing.assert_allclose(found, expected, rtol=1e-4, atol=1e-4)


UNWRITABLE = [
    ({"head": "student_t"}, 3, "head: expected one of 'point', .*, received 'student_t'"),
    ({"head": "normal", "decoder_input": "teacher"}, 3, "decoder_input: .*received 'teacher'"),
    (
        {"head": "normal", "decoder_input": "position"},
        4,
        "horizon: expected at most the trained one, 3, rec",
    ),
    (
        {"bidirectional": True, "decoder_input": "position"},
        4,
        "horizon: expected at most the trained one, 3",
    ),
    (
        {"decoder_input": "position"},
        None,
        "horizon: expected a number with decoder_input='position'",
    ),
]


@pytest.mark.parametrize(("network", "horizon", "message"), UNWRITABLE)
def test_what_cannot_be_written(network, horizon, message):
    window = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
    with pytest.raises(SpecError, match=message):
        check_network(NetworkSpec(**network), window, horizon)


def test_every_part_of_a_spec_is_written_and_those_of_ones_own_are_rejected_by_name(monkeypatch):
    window = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
    for name, known in WRITTEN.items():
        others = set(CHOICES[name]) - set(known)
        assert others == ({"student_t", "negative_binomial"} if name == "head" else set())
    for part in ("cell", "normalise", "attention"):
        with monkeypatch.context() as patch:
            patch.setitem(CHOICES, part, (*CHOICES[part], "own"))
            with pytest.raises(SpecError, match=f"{part}: expected one of .*, received 'own'"):
                check_network(NetworkSpec(**{part: "own"}), window, 3)
