"""A training goes on from each of its checkpoints and ends with the same bits; those of another one are rejected."""

import copy
import dataclasses
import math
import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from seqcast import Engine, Forecaster, NetworkSpec, Seq2SeqRegressor, TrainingSpec, WindowSpec
from seqcast.data.windows import ArrayWindows
from seqcast.errors import FileFormatError, SaveError, SeqcastWarning, SpecError
from seqcast.network import jax_training
from seqcast.runtime import to_payload
from seqcast.specs import CheckpointSpec
from seqcast.training import CheckpointFolder, Checkpoints, fingerprint
from tests.rejections import rejected

RNG = np.random.default_rng(0)
PAST = RNG.normal(size=(40, 6, 1))
FUTURE = RNG.normal(size=(40, 3, 1))
WINDOW = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
NETWORK = NetworkSpec(encoder_units=(3,), decoder_units=(3,))
TRAINING = TrainingSpec(epochs=3, learning_rate=0.05)
TWO_LAYERS = {"encoder_units": (5, 3), "decoder_units": (5, 3)}
AT_EACH_STEP = {"minutes": 1e-9, "keep": 10**6}
DATES = pd.date_range("2024-01-01", periods=80)
FRAME = pd.concat(
    [pd.DataFrame({"unique_id": name, "ds": DATES, "y": RNG.normal(size=80)}) for name in "ab"]
)


def train(network=NETWORK, training=TRAINING, validated=True, **options):
    """Return an engine and the history of its training of five steps an epoch."""
    engine = Engine(network, training, seed=0)
    windows = ArrayWindows(
        {"past": PAST}, FUTURE, batch_size=8, seed=0, teacher_forcing=network.uses_teacher_forcing
    )
    validation = ArrayWindows({"past": PAST[:9]}, FUTURE[:9], batch_size=16) if validated else None
    return engine, engine.fit(windows, window=WINDOW, validation=validation, verbose=0, **options)


def assert_equal(ours, theirs):
    for one, two in zip(ours[0].weights, theirs[0].weights, strict=True):
        np.testing.assert_array_equal(one, two)
    assert dataclasses.replace(ours[1], seconds=0.0) == dataclasses.replace(theirs[1], seconds=0.0)


def states(folder):
    return sorted((path for path in folder.glob("*.checkpoint")), key=lambda path: int(path.stem))


def left_at(folder, step):
    """Return a copy of a folder as a process would have left it after a step."""
    copied = shutil.copytree(folder, folder.with_name(f"{folder.name} {step}"))
    for path in states(copied):
        if path.stem != str(step):
            path.unlink()
    return copied


@pytest.fixture(autouse=True)
def ends_of_epochs(monkeypatch):
    """Write a state at the end of each epoch, also of one that takes next to nothing."""
    monkeypatch.setattr("seqcast.training.checkpoints.MOST_SHARE", math.inf)


TRAININGS = [  # in the first epoch, at its end, in the middle of another, at the end of the training
    (
        {"dropout": 0.3, **TWO_LAYERS},
        {"metrics": ("mae",), "early_stopping": 1, "epochs": 9},
        True,
        (1, 4, 7, -1),
    ),
    ({"decoder_input": "scheduled"}, {}, True, (7,)),
    (
        {"head": "normal"},
        {"optimizer": keras.optimizers.AdamW(0.01, use_ema=True, ema_momentum=0.8)},
        True,
        (9,),
    ),
    ({"cell": "lstm"}, {"optimizer": "muon", "micro_batches": 2}, False, (4, 7)),
]


@pytest.mark.parametrize(("network", "training", "validated", "places"), TRAININGS)
def test_from_each_checkpoint_it_ends_with_the_same_bits(
    network, training, validated, places, tmp_path
):
    specs = (
        dataclasses.replace(NETWORK, **network),
        dataclasses.replace(TRAINING, **training),
        validated,
    )
    unbroken = train(*specs)
    assert unbroken[1].stopped_early == ("early_stopping" in training)
    every = Checkpoints(tmp_path / "all", {"data": "these"}, **AT_EACH_STEP)
    assert_equal(train(*specs, checkpoints=every), unbroken)
    steps = [int(path.stem) for path in states(every.folder)]
    assert steps == list(range(1, 5 * len(unbroken[1]) + 1))
    for place in places:
        kept = Checkpoints(left_at(every.folder, steps[place]), every.fingerprint, resume=True)
        assert_equal(train(*specs, checkpoints=kept), unbroken)


def test_the_number_of_micro_batches_goes_along(monkeypatch, tmp_path):
    """A training that chose two on two cores has two of them on one core."""
    monkeypatch.setattr(jax_training, "SMALLEST_MICRO_BATCH", 1)
    monkeypatch.setattr(jax_training, "threads", lambda: 2)
    whole = train(checkpoints=Checkpoints(tmp_path / "all", {}, keep=9))
    monkeypatch.setattr(jax_training, "threads", lambda: 1)
    assert (whole[1].micro_batches, train()[1].micro_batches) == (2, 1)
    assert_equal(
        train(checkpoints=Checkpoints(left_at(tmp_path / "all", 5), {}, resume=True)), whole
    )


OTHERS = [
    {"network": dataclasses.replace(NETWORK, encoder_units=(4,))},
    {"network": dataclasses.replace(NETWORK, dropout=0.3)},
    {"training": dataclasses.replace(TRAINING, optimizer="sgd")},
    {"freeze": ("encoder",)},
]


@pytest.mark.parametrize("change", OTHERS)
def test_a_state_stays_as_it_is_and_is_for_one_training(tmp_path, change):
    train(checkpoints=Checkpoints(tmp_path, {}, keep=9))
    states(tmp_path)[-1].unlink()
    state = Checkpoints(tmp_path, {}, resume=True).newest()
    before = copy.deepcopy(state)
    train(state=state)
    assert state.history == before.history
    assert all(map(np.array_equal, to_payload(state)[1].values(), to_payload(before)[1].values()))
    with pytest.raises(
        SpecError, match=r"state: expected \d+ (trainable|non_trainable|optimizer) variables"
    ):
        train(state=state, **change)


def test_metrics_of_another_training_are_rejected(tmp_path):
    """They belong to an epoch that was interrupted in its middle."""
    training = dataclasses.replace(TRAINING, metrics=("mae",))
    checkpoints = Checkpoints(tmp_path / "all", {}, **AT_EACH_STEP)
    train(training=training, checkpoints=checkpoints)
    state = Checkpoints(left_at(checkpoints.folder, 7), {}, resume=True).newest()
    assert state.epoch_step
    train(training=training, state=state)
    first, *others = state.metrics
    for metrics in ([], others, [*state.metrics, first], [np.zeros(3, "float32"), *others]):
        with pytest.raises(
            SpecError,
            match=rf"state: expected {len(state.metrics)} metrics variables of the shapes",
        ):
            train(training=training, state=dataclasses.replace(state, metrics=metrics))


IMPOSSIBLE = [
    {"epoch": -1},
    {"step": 2**31},
    {"epoch_step": 2**31},
    {"epoch_step": 8},
    {"micro_batches": 10**30},
]


@pytest.mark.parametrize("counts", IMPOSSIBLE)
def test_counts_that_no_training_reaches_are_rejected(tmp_path, rewrite_archive, counts):
    checkpoints = Checkpoints(tmp_path / "all", {}, **AT_EACH_STEP)
    train(training=dataclasses.replace(TRAINING, epochs=2), checkpoints=checkpoints)
    folder = left_at(checkpoints.folder, 7)
    rewrite_archive(
        states(folder)[0], change_index=lambda content: content["header"]["state"].update(counts)
    )
    with pytest.raises(FileFormatError, match=r"a state of .* steps"):
        Checkpoints(folder, {}, resume=True).newest()


# ---------------------------------------------------------------- the entries


def forecaster(**options):
    training = {"epochs": 2, "batch_size": 32, "early_stopping": None}
    given = {
        "context_length": 6,
        "level": (),
        "preset": NETWORK,
        "training": training,
        "calendar": "none",
    }
    return Forecaster(4, **{**given, "scale": "standard", "verbose": 0, **options})


def regressor(**options):
    return Seq2SeqRegressor(encoder_units=3, epochs=2, batch_size=8, verbose=0, **options)


def test_a_forecaster_with_members_and_a_drawn_seed_goes_on(tmp_path):
    whole = forecaster(members=2).fit(
        FRAME, checkpoint=CheckpointSpec(tmp_path / "all", **AT_EACH_STEP)
    )
    # One of the two had finished, the other had not begun an epoch.
    shutil.copytree(tmp_path / "all", tmp_path / "killed")
    for path in states(tmp_path / "killed" / "network-2")[1:]:
        path.unlink()
    again = forecaster(members=2).fit(FRAME, checkpoint=tmp_path / "killed", resume=True)
    assert again.seed_ == whole.seed_
    pd.testing.assert_frame_equal(again.predict(), whole.predict())
    assert [history.epochs for history in again.histories_] == [
        history.epochs for history in whole.histories_
    ]
    # Two remain unless another number is given.
    assert len(states(tmp_path / "killed" / "network-2")) <= 3


def test_a_backtest_with_refits_goes_on(tmp_path):
    model = forecaster(random_state=0)
    expected = model.backtest(FRAME, n_windows=2, refit=True)
    spec = CheckpointSpec(tmp_path, **AT_EACH_STEP)
    pd.testing.assert_frame_equal(
        model.backtest(FRAME, n_windows=2, refit=True, checkpoint=spec), expected
    )
    shutil.rmtree(tmp_path / "training-2-network-1")
    for path in states(tmp_path / "training-1-network-1")[2:]:
        path.unlink()
    found = model.backtest(FRAME, n_windows=2, refit=True, checkpoint=tmp_path, resume=True)
    pd.testing.assert_frame_equal(found, expected)


def test_a_regressor_goes_on(tmp_path):
    spec = CheckpointSpec(tmp_path / "all", **AT_EACH_STEP)
    whole = regressor().fit(PAST, FUTURE, checkpoint=spec)
    again = regressor().fit(PAST, FUTURE, checkpoint=left_at(tmp_path / "all", 3), resume=True)
    assert again.seed_ == whole.seed_
    np.testing.assert_array_equal(again.predict(PAST), whole.predict(PAST))
    for options, future, what in (
        ({}, FUTURE + 1, "other data"),
        ({"dropout": 0.5}, FUTURE, "other network: dropout="),
    ):
        with pytest.raises(
            SpecError, match=f"resume: expected a checkpoint of this training; .* has {what}"
        ):
            regressor(**options).fit(PAST, future, checkpoint=spec, resume=True)


# ---------------------------------------------------------------- what is rejected


def test_of_another_training_it_says_what_differs(tmp_path):
    forecaster(random_state=0).fit(FRAME, checkpoint=tmp_path)
    longer = {"training": {"epochs": 3, "batch_size": 32, "early_stopping": None}}
    for what, moved, options in (
        ("data", 1e-9, {}),
        ("seeds", 0.0, {"random_state": 1}),
        ("training: epochs=2, received training with epochs=3", 0.0, longer),
        ("windows: weighting='windows'", 0.0, {"weighting": "series"}),
    ):
        model = forecaster(**{"random_state": 0, **options})
        with pytest.raises(SpecError, match=f"has other {what}"):
            model.fit(FRAME.assign(y=FRAME["y"] + moved), checkpoint=tmp_path, resume=True)


def test_of_other_versions_too(tmp_path, rewrite_archive):
    def age(content):
        content["header"]["fingerprint"]["versions"]["keras"] = "3.0.0"
        content["header"]["state"]["another"] = "field that states of that version had"

    kept = Checkpoints(tmp_path, fingerprint([PAST], NETWORK, TRAINING), resume=True)
    train(checkpoints=kept)
    for path in states(tmp_path):
        rewrite_archive(path, change_index=age)
    rejected(SpecError, r"has other versions: keras='3\.0\.0'", kept.newest)


@pytest.mark.parametrize("value", [None, np.nan, np.inf])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(tmp_path, rewrite_archive, value):
    expected = train(checkpoints=Checkpoints(tmp_path, {}, **AT_EACH_STEP))
    resumed = Checkpoints(tmp_path, {}, resume=True)
    *_, before, newest = states(tmp_path)
    if value is None:
        newest.write_bytes(newest.read_bytes()[:-100])
    else:
        rewrite_archive(newest, first={"state/trainable/0": value})
    with pytest.warns(
        SeqcastWarning, match=f"{newest.name} is damaged, so training goes on from {before.name}"
    ):
        assert_equal(train(checkpoints=resumed), expected)
    for path in states(tmp_path):
        path.write_bytes(b"PK")
    rejected(FileFormatError, "damaged", resumed.newest)


def test_what_cannot_be_written_does_not_stop_the_training(tmp_path):
    (tmp_path / "f").write_text("a file where the folder should be")
    with pytest.warns(
        SeqcastWarning, match="a checkpoint could not be written, training goes on without it"
    ) as told:
        trained = train(checkpoints=Checkpoints(tmp_path / "f", {}, **AT_EACH_STEP))
    assert len(told) == 1
    assert_equal(trained, train())
    rejected(
        SaveError,
        "expected a folder to write to",
        regressor().fit,
        PAST,
        FUTURE,
        checkpoint=tmp_path / "f",
    )


def test_a_folder_is_for_one_fit_and_one_process(tmp_path):
    spec = CheckpointSpec(tmp_path / "f", max_size=1000)
    first = regressor(random_state=0).fit(PAST, FUTURE, checkpoint=spec)
    assert not (tmp_path / "f" / "fit.json").exists()  # only a seed that was drawn is written
    with pytest.raises(
        SpecError, match=r"checkpoint: expected a folder without a training, or resume=True"
    ):
        regressor(random_state=0).fit(PAST, FUTURE, checkpoint=spec)
    with (
        FileLock(tmp_path / "f" / ".lock"),
        pytest.raises(SpecError, match="a folder that no other training uses"),
    ):
        regressor(random_state=0).fit(PAST, FUTURE, checkpoint=spec, resume=True)
    (network,) = (tmp_path / "f").glob("*/")
    (network / ".0123.part").write_bytes(b"half a checkpoint")
    with CheckpointFolder.opened(spec, resume=True):
        assert not (network / ".0123.part").exists()
    with pytest.raises(
        FileFormatError, match=r"expected at most 0.001 MB, received .* allow more: max_size='8GB'"
    ):
        regressor(random_state=0).fit(PAST, FUTURE, checkpoint=spec, resume=True)
    # Where there is nothing yet, resume begins the training.
    again = regressor(random_state=0).fit(PAST, FUTURE, checkpoint=tmp_path / "new", resume=True)
    np.testing.assert_array_equal(again.predict(PAST), first.predict(PAST))


def test_what_cannot_be_resumed_is_rejected(tmp_path):
    stop = keras.callbacks.TerminateOnNaN()
    windows = ArrayWindows({"past": PAST}, FUTURE, batch_size=8)
    arrays = (PAST, FUTURE)
    path = tmp_path / "f"
    for fit, match in (
        (
            lambda: regressor().fit(*arrays, callbacks=[stop], checkpoint=path),
            "observers only with checkpoint",
        ),
        (lambda: regressor().fit(windows, checkpoint=path), "None with batches of one's own in X"),
        (lambda: regressor().fit(*arrays, validation=windows, checkpoint=path), "in validation"),
        (
            lambda: regressor(loss=lambda y, z: y - z).fit(*arrays, checkpoint=path),
            "training that can be written",
        ),
        (
            lambda: forecaster().fit(FRAME, checkpoint=7),
            "checkpoint: expected the path of a folder",
        ),
        (lambda: forecaster().fit(FRAME, resume=True), "resume: expected False without checkpoint"),
        (lambda: CheckpointSpec(path, minutes=0), "minutes"),
        (lambda: CheckpointSpec(path, max_size="much"), "max_size: expected a size"),
    ):
        rejected(SpecError, match, fit)


WRONG_SEEDS = [f'{{"seed": {seed}}}' for seed in ('"7"', "-1", "1e400", "true")]
TOO_LONG = '{"seed": 7}' + " " * 5000


@pytest.mark.parametrize(
    "text", ["", "[" * 2000 + "]" * 2000, "null", "[]", "{}", TOO_LONG, *WRONG_SEEDS]
)
def test_a_seed_that_cannot_be_read_is_drawn_again(tmp_path, text):
    (tmp_path / "fit.json").write_text(text)
    with CheckpointFolder.opened(tmp_path, resume=True) as folder:
        assert folder.seed(5) == 5
        assert folder.seed(6) == 5  # it was written down
