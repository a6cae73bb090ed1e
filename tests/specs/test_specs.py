"""Specs are plain data: they go to JSON and back, never change, and hold nothing impossible."""

import dataclasses
import json
import math
from dataclasses import replace

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from seqcast.errors import SeqcastError, SpecError
from seqcast.specs import network as config
from seqcast.specs.base import check_writable, unwritable_fields
from seqcast.specs.columns import Columns, Covariates
from seqcast.specs.network import NetworkSpec, WindowSpec
from seqcast.specs.presets import EnsembleSpec, MemberSpec
from seqcast.specs.training import TrainingSpec
from tests.rejections import rejected

SIZES = {"horizon": 3, "features": 2, "targets": 1}

widths = st.lists(st.integers(1, 500), min_size=1, max_size=4)
names = st.text(min_size=1, max_size=5)
SPECS = {
    "columns": st.lists(names, min_size=3, max_size=5, unique=True)
    .filter(lambda some: "y" not in some[:2])
    .map(
        lambda some: Columns(
            *some[:2], some[2:], "%Y" * (len(some) % 2) or None, (None, "UTC")[len(some[0]) % 2]
        )
    ),
    "covariates": st.lists(names, min_size=3, max_size=5, unique=True).map(
        lambda some: Covariates(some[:1], some[1], some[2:])
    ),
    "window": st.builds(
        WindowSpec,
        horizon=st.integers(1, 50),
        features=st.integers(3, 9),
        targets=st.just(2),
        static=st.integers(0, 5),
        future=st.integers(0, 5),
        target_features=st.none() | st.permutations(range(3)).map(lambda order: order[:2]),
        context_length=st.none() | st.integers(1, 500),
        observed=st.booleans(),
        season_length=st.none() | st.integers(1, 500),
    ),
    "network": st.builds(
        NetworkSpec,
        cell=st.sampled_from(config.CHOICES["cell"]),
        encoder_units=widths,
        decoder_units=widths | st.integers(1, 9),
        bidirectional=st.booleans(),
        normalise=st.sampled_from(config.CHOICES["normalise"]),
        static_input=st.sampled_from(config.CHOICES["static_input"]),
        segment=st.integers(1, 50),
        decoder_input=st.sampled_from(config.CHOICES["decoder_input"]),
        residual=st.sampled_from(config.CHOICES["residual"]),
        sampling_schedule=st.sampled_from(config.CHOICES["sampling_schedule"]),
        sampling_steps=st.none() | st.integers(1, 10**6),
        attention=st.sampled_from(config.CHOICES["attention"]),
        dropout=st.floats(0, 0.95),
        regularizer=st.sampled_from(
            [None, "l2", {"bias": "l1"}, {"kernel": None, "recurrent": "l1"}]
        ),
        head=st.sampled_from(("point", "normal", "student_t")),
    )
    | st.builds(
        NetworkSpec,
        head=st.just("quantile"),
        quantiles=st.none()
        | st.sets(st.floats(0.01, 0.49), min_size=1).map(lambda low: [*sorted(low), 0.5]),
    )
    | st.builds(
        NetworkSpec,
        head=st.sampled_from(config.MULTIPLICATIVE_HEADS),
        normalise=st.sampled_from(("none", "scale")),
    ),
    "training": st.builds(
        TrainingSpec,
        loss=st.sampled_from([None, "mse", "mae", "huber"]),
        horizon_decay=st.floats(0, 10),
        optimizer=st.sampled_from(["adam", "sgd"]),
        learning_rate=st.floats(1e-9, 10),
        learning_rate_schedule=st.sampled_from(["cosine", "constant"]),
        warmup=st.floats(0, 1),
        clip_norm=st.none() | st.floats(1e-3, 10),
        batch_size=st.integers(1, 10**5),
        epochs=st.integers(1, 10**4),
        steps_per_epoch=st.none() | st.integers(1, 10**4),
        validation_fraction=st.floats(0, 0.9),
        early_stopping=st.none() | st.integers(1, 100),
        metrics=st.sampled_from([(), ["mae"], ("mae", "mse")]),
        micro_batches=st.none() | st.integers(1, 64),
    ),
}
DEFAULTS = {
    "columns": Columns(),
    "covariates": Covariates(),
    "window": WindowSpec(**SIZES),
    "network": NetworkSpec(),
    "training": TrainingSpec(),
}
each_spec = pytest.mark.parametrize("name", SPECS)


@each_spec
@settings(max_examples=40, deadline=None)
@given(data=st.data())
def test_round_trip_through_json(name, data):
    spec = data.draw(SPECS[name])
    text = json.dumps(spec.to_dict(), allow_nan=False)
    assert type(spec).from_dict(json.loads(text)) == spec


@each_spec
def test_any_part_of_a_dict_is_enough_and_nothing_is_changed(name):
    spec = DEFAULTS[name]
    required = SIZES if name == "window" else {}
    for item in dataclasses.fields(spec):
        assert type(spec).from_dict({**required, item.name: spec.to_dict()[item.name]}) == spec
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(spec, item.name, getattr(spec, item.name))


OF_NUMPY = [
    ("window", {"horizon": np.int64(4), "target_features": np.int32(1)}),
    (
        "network",
        {"encoder_units": [np.int64(4)], "decoder_units": np.int32(4), "dropout": np.float32(0.5)},
    ),
    (
        "training",
        {"epochs": np.int64(4), "learning_rate": np.float32(0.5), "clip_norm": np.int64(1)},
    ),
]


@pytest.mark.parametrize(("name", "changes"), OF_NUMPY)
def test_numpy_numbers_become_plain_ones(name, changes):
    spec = replace(DEFAULTS[name], **changes)
    assert type(spec).from_dict(json.loads(json.dumps(spec.to_dict()))) == spec
    for field in changes:
        assert {type(one) for one in np.ravel(np.array(getattr(spec, field), object))} <= {
            int,
            float,
        }


KERAS_OBJECTS = {
    "loss": ("training", keras.losses.Huber(name="mine"), '"name": "mine"'),
    "optimizer": ("training", keras.optimizers.SGD(0.125, momentum=0.75), '"momentum": 0.75'),
    "learning_rate_schedule": (
        "training",
        keras.optimizers.schedules.ExponentialDecay(0.5, decay_steps=7, decay_rate=0.25),
        '"decay_rate": 0.25',
    ),
    "metrics": (
        "training",
        (keras.metrics.MeanAbsoluteError(name="deviation"), "mse"),
        '"name": "deviation"',
    ),
    "regularizer": ("network", {"kernel": keras.regularizers.L1(0.5), "bias": "l2"}, '"l1": 0.5'),
}


@pytest.mark.parametrize("field", KERAS_OBJECTS)
def test_keras_objects_are_written_as_their_configuration(field):
    name, made, option = KERAS_OBJECTS[field]
    spec = replace(DEFAULTS[name], **{field: made})
    text = json.dumps(spec.to_dict())
    assert option in text
    assert json.dumps(type(spec).from_dict(json.loads(text)).to_dict()) == text


def test_one_regularizer_stands_for_the_products_weights():
    assert NetworkSpec(regularizer="l2").regularizer == {"kernel": "l2", "recurrent": "l2"}
    assert NetworkSpec(regularizer={"bias": None}).regularizer == {}


def test_what_the_spec_asks_of_the_data():
    assert not NetworkSpec().needs_target_past
    assert not NetworkSpec().feeds_back
    assert NetworkSpec(normalise="last").needs_target_past
    for decoder_input in ("teacher", "scheduled", "autoregressive"):
        spec = NetworkSpec(decoder_input=decoder_input)
        assert (spec.feeds_back, spec.needs_target_past, spec.in_blocks) == (True, True, False)
    position = NetworkSpec(decoder_input="position", decoding="parallel", residual="seasonal")
    assert (position.feeds_back, position.in_blocks) == (False, True)
    assert position.readers_of_target_past == ["decoder_input='position'", "residual='seasonal'"]


def test_a_spec_does_not_share_the_users_containers():
    units = [4, 4]
    regularizer = {"kernel": "l2"}
    spec = NetworkSpec(encoder_units=units, regularizer=regularizer)
    units.append(5)
    regularizer["bias"] = "l1"
    assert spec.encoder_units == (4, 4)
    assert spec.regularizer == {"kernel": "l2"}


UNKNOWN = [
    ("columns", "unique_ids", "unique_id"),
    ("covariates", "futures", "future"),
    ("window", "context_len", "context_length"),
    ("network", "atention", "attention"),
    ("training", "early_stoping", "early_stopping"),
]


@pytest.mark.parametrize(("name", "written", "meant"), UNKNOWN)
def test_unknown_field_is_rejected_with_the_nearest_one(name, written, meant):
    spec = DEFAULTS[name]
    with pytest.raises(SpecError) as caught:
        spec.from_dict({**spec.to_dict(), written: 1})
    error = caught.value
    assert (error.where, error.received) == (f"{type(spec).__name__} field", repr(written))
    assert all(repr(item.name) in error.expected for item in dataclasses.fields(spec))
    assert error.hint == f"Did you mean {meant!r}?"


def test_fields_that_are_missing_or_no_fields_are_named():
    for missing in SIZES:
        with pytest.raises(
            SpecError, match=f"WindowSpec field '{missing}': expected a value, received nothing"
        ):
            WindowSpec.from_dict({name: size for name, size in SIZES.items() if name != missing})
    for values in (None, 3, "x", [1]):
        rejected(
            SpecError, "NetworkSpec: expected its fields, by name", NetworkSpec.from_dict, values
        )


def each(field, values, expected, where=None):
    """Return rows of wrong values: the field, the value, what the message is about, and what it expects."""
    return [(field, value, where or field, expected) for value in values]


def whole(*fields, at_least=1):
    values = [at_least - 1, -3, 1.0, 2.5, "2", None, True, math.nan, [1]]
    return [row for field in fields for row in each(field, values, f"a whole number >= {at_least}")]


def without_none(rows):
    return [row for row in rows if row[1] is not None]


def number(field, bounds, *outside):
    values = [*outside, math.nan, math.inf, "0.1", None, True, 10**400, 1j]
    return each(field, values, f"a number in {bounds}")


def choice(field, known):
    wrong = ["", known[0].upper(), "grru", None, 1, [known[0]], (known[0],)]
    return each(field, wrong, "one of " + ", ".join(map(repr, known)))


def column(field, values, expected):
    return each(field, values, expected, f"columns.{field}")


def units(field):
    none = each(
        field,
        ((), [], "35", None, 3.5, True, {35}, {"a": 1}, np.array([3, 4])),
        "one width a layer, such as",
    )
    wrong = (0, -1, (35, 0), (35, 2.0), (35, "35"), (35, None), [[35]])
    return [*none, *each(field, wrong, "a whole number >= 1")]


NAME = "a column's name"
NONSENSE = {"class_name": "nonsense", "config": {}}
NO_REGULARIZERS = ("l3", 3, {"bias": "l3"}, {"kernel": {"class_name": "L3"}})
NO_SCHEDULES = (None, 0.5, keras.optimizers.SGD, {"class_name": "nonsense"})
NO_COLUMNS = ((), (2,), (0, 1), 2, 1.0, {0}, np.array([0]))
BELOW_0 = ((-1,), ("0",), "0", -1)
WRONG = {
    "columns": [
        *column("unique_id", ("", None, 3, [3]), NAME),
        *column("ds", ("", None, 3, [3]), NAME),
        *column("y", ("", None, 3, [3], (), ("a", "")), NAME),
        *each("y", (("a", "a"), ("a", "ds")), "different names", "columns"),
        *each("y", ("unique_id",), "different names", "columns"),
        *each("ds", ("y",), "different names", "columns"),
        *column("ds_format", ("", "date", 3, ["%Y"]), "a format such as '%Y%m%d'"),
        *column("tz", ("", "+01:00", "Berlin", 3, ["UTC"]), "the name of a time zone"),
        *column("weight", ("", 3, [3]), NAME),
        *each("weight", ("y", "ds"), "different names", "columns"),
    ],
    "window": [
        *whole("horizon", "features", "targets"),
        *whole("static", "future", at_least=0),
        *without_none(whole("context_length", "season_length")),
        *each(
            "target_features", NO_COLUMNS, "1 different column(s) of X below 2, one for each target"
        ),
        *each("target_features", BELOW_0, "a whole number >= 0"),
        *each("observed", (None, 1, "yes"), "True or False"),
    ],
    "network": [
        *choice("cell", config.CHOICES["cell"]),
        *choice("normalise", config.CHOICES["normalise"]),
        *choice("static_input", config.CHOICES["static_input"]),
        *choice("decoder_input", config.CHOICES["decoder_input"]),
        *choice("decoding", config.CHOICES["decoding"]),
        *each("decoding", ("parallel",), "decoder_input='position' with 'parallel'"),
        *choice("residual", config.CHOICES["residual"]),
        *choice("sampling_schedule", config.CHOICES["sampling_schedule"]),
        *choice("attention", config.CHOICES["attention"]),
        *units("encoder_units"),
        *units("decoder_units"),
        *each("bidirectional", (None, 1, "True", np.True_), "True or False"),
        *number("dropout", "[0, 0.95]", -0.1, 0.96, 1),
        *without_none(whole("sampling_steps")),
        *whole("segment", "attention_heads"),
        *each("regularizer", ({"kernal": "l2"},), "one of 'kernel', 'recurrent', 'bias'"),
        *each("regularizer", NO_REGULARIZERS, "a Keras regularizer: name, config or object"),
        *choice("head", config.CHOICES["head"]),
        *each("quantiles", ((0.1, 0.5),), "nothing with head='point'"),
    ],
    "training": [
        *each("loss", ("nonsense", 3, NONSENSE), "a Keras loss: name, config or object"),
        *each(
            "optimizer",
            ("nonsense", None, 3, NONSENSE),
            "a Keras optimizer: name, config or object",
        ),
        *number("learning_rate", "(0, inf]", 0, -1e-9),
        *each("learning_rate_schedule", ("", "Cosine", "linear"), "one of 'cosine', 'constant'"),
        *each("learning_rate_schedule", NO_SCHEDULES, "a Keras learning_rate_schedule"),
        *number("horizon_decay", "[0, inf]", -0.1),
        *number("warmup", "[0, 1]", -0.1, 1.1),
        *without_none(number("clip_norm", "(0, inf]", 0, -1)),
        *whole("batch_size", "epochs"),
        *without_none(whole("steps_per_epoch", "early_stopping", "micro_batches")),
        *number("validation_fraction", "[0, 0.9]", -0.1, 0.91, 1),
        *each("metrics", ("mae", None, 3, {"mae"}), "a sequence of Keras metrics"),
        *each("metrics", (("mae", "nonsense"), [None], [3]), "a Keras metrics"),
    ],
}
OPTIONS = [
    pytest.param(name, *row, id=f"{name}-{row[0]}-{str(row[1])[:20]}")
    for name, rows in WRONG.items()
    for row in rows
]


@pytest.mark.parametrize(("name", "field", "value", "where", "expected"), OPTIONS)
def test_wrong_option(name, field, value, where, expected):
    with pytest.raises(SpecError) as caught:
        replace(DEFAULTS[name], **{field: value})
    error = caught.value
    assert isinstance(error, (SeqcastError, ValueError))
    assert error.where == where
    assert expected in error.expected
    assert (
        str(error) == f"{where}: expected {error.expected}, received {error.received}. {error.hint}"
    )


def test_no_field_is_left_unchecked():
    for name, rows in WRONG.items():
        assert {row[0] for row in rows} == {
            item.name for item in dataclasses.fields(DEFAULTS[name])
        }


@pytest.mark.parametrize("heads", [2, 4, 10])
def test_heads_divide_the_last_decoder_width(heads):
    with pytest.raises(
        SpecError, match=rf"attention_heads: expected a divisor .* width, 35, received {heads}\."
    ):
        NetworkSpec(attention="multi_head", attention_heads=heads)
    assert (
        NetworkSpec(
            attention="multi_head", attention_heads=heads, decoder_units=(3, 20)
        ).attention_heads
        == heads
    )
    assert NetworkSpec(attention="dot", attention_heads=heads).attention_heads == heads


@pytest.mark.parametrize("indices", [(0, 0), (0,), (0, 1, 2), (0, 3)])
def test_each_target_has_a_column_of_its_own(indices):
    with pytest.raises(
        SpecError, match=r"expected 2 different column\(s\) of X below 3, one for each target"
    ):
        WindowSpec(horizon=1, features=3, targets=2, target_features=indices)


NO_PROBABILITIES = [
    (),
    (0.0, 0.5),
    (0.5, 1.0),
    ("0.1", 0.5),
    5,
    (None, 0.5),
    (0.5, np.nan),
    {0.5, 0.9},
    "0.5",
]
NOT_RISING = [(0.5,), 0.5, (0.1, 0.9), (0.9, 0.5), (0.1, 0.5, 0.5), np.array([0.1, 0.3])]


@pytest.mark.parametrize("quantiles", [*NO_PROBABILITIES, *NOT_RISING])
def test_quantiles_rise_around_the_median(quantiles):
    with pytest.raises(SpecError) as caught:
        NetworkSpec(head="quantile", quantiles=quantiles)
    assert caught.value.where == "quantiles"
    is_rising = not any(quantiles is one for one in NOT_RISING)
    rising = "rising numbers, 0.5 and at least one other among them"
    between = "numbers between 0 and 1, both excluded"
    assert caught.value.expected == (between if is_rising else rising)


def test_quantiles_by_default_and_as_arrays():
    assert NetworkSpec(head="quantile").quantiles == config.DEFAULT_QUANTILES
    assert NetworkSpec(head="quantile", quantiles=np.array([0.25, 0.5])).quantiles == (0.25, 0.5)
    assert NetworkSpec(head="normal").quantiles is None
    assert NetworkSpec(head="normal").is_probabilistic
    assert not NetworkSpec().is_probabilistic


@pytest.mark.parametrize("head", config.MULTIPLICATIVE_HEADS)
def test_positive_data_are_not_shifted(head):
    for normalise in ("last", "instance"):
        with pytest.raises(
            SpecError, match=f"normalise: expected 'none' or 'scale' with head='{head}'"
        ):
            NetworkSpec(head=head, normalise=normalise)
    with pytest.raises(
        SpecError, match=f"residual: expected 'none' with head='{head}', received 'seasonal'"
    ):
        NetworkSpec(head=head, residual="seasonal")
    assert NetworkSpec(head=head, normalise="scale").needs_target_past


# ---------------------------------------------------------------- configs of Keras, which may come
# from a file


LOOKUP = {
    "module": "keras.layers",
    "class_name": "StringLookup",
    "config": {"vocabulary": "/etc/passwd"},
}
OTHERS = "expected objects of keras.losses, .* received "
CONFIGS = [
    (LOOKUP, OTHERS + "keras.layers.StringLookup"),
    # Keras would build this one, and so read the file.
    (
        {"class_name": "Adam", "config": {"learning_rate": LOOKUP}},
        OTHERS + "keras.layers.StringLookup",
    ),
    (
        {"module": "keras.optimizers", "class_name": "Adam", "config": {"a": [LOOKUP]}},
        OTHERS + "keras.layers",
    ),
    (
        {"module": "os", "class_name": "function", "config": "system", "registered_name": None},
        OTHERS + "os.func",
    ),
    ({"module": "keras.optimizers_", "class_name": "x"}, OTHERS + "keras.optimizers_.x"),
    ({"class_name": "__lambda__", "config": {"value": "4wEAAAA="}}, "expected"),
    ({"config": {}}, "expected"),
    ({"class_name": [], "config": 3}, "expected"),
    (
        json.loads('{"config": ' * 200 + "{}" + "}" * 200),
        "expected a Keras config, .* too many levels",
    ),
]


@pytest.mark.parametrize("field", ["optimizer", "loss", "learning_rate_schedule"])
@pytest.mark.parametrize(("config", "said"), CONFIGS)
def test_configs_name_no_objects_of_other_kinds(field, config, said):
    rejected(SpecError, f"{field}: {said}", TrainingSpec, **{field: config})


# ---------------------------------------------------------------- what files can hold


@keras.saving.register_keras_serializable("tests.specs")
def registered(y_true, y_pred):
    return abs(y_true - y_pred)


def unregistered(y_true, y_pred):
    return abs(y_true - y_pred)


def test_fields_that_a_file_cannot_hold_are_named():
    good = TrainingSpec(
        loss=registered, optimizer=keras.optimizers.Adam(), metrics=["mae", registered]
    )
    bad = TrainingSpec(loss=unregistered, metrics=["mae", unregistered])
    network = NetworkSpec(regularizer={"kernel": keras.regularizers.L2(0.1)})
    assert unwritable_fields([good, network]) == {}
    check_writable([good, network], where="training", expected="a training for a file")
    # Whichever of several specs it is in, also within another one.
    for specs in (
        [good, bad],
        [bad, good],
        [EnsembleSpec([MemberSpec(network, good), MemberSpec(network, bad)])],
    ):
        assert unwritable_fields(specs)
        with pytest.raises(
            SpecError, match=r"training: expected a training for a file, received .*unregistered"
        ):
            check_writable(specs, where="training", expected="a training for a file")
    assert set(unwritable_fields([good, bad])) == {"loss", "metrics"}
