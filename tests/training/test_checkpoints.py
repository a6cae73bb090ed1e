"""A training goes on from each of its checkpoints and ends with the same bits; those of another one are refused."""

import shutil

import keras
import numpy as np
import pandas as pd
import pytest
from filelock import FileLock

from seqcast import Forecaster, Seq2SeqRegressor
from seqcast.data.windows.batches import ArrayWindows
from seqcast.engine.engine import Engine
from seqcast.errors import FileFormatError, SaveError, SeqcastWarning, SpecError
from seqcast.specs.network import NetworkSpec, WindowSpec
from seqcast.specs.training import CheckpointSpec, TrainingSpec
from seqcast.training.checkpoints import CheckpointFolder, Checkpoints

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="in the middle of an epoch on JAX only")

RNG = np.random.default_rng(0)
PAST, FUTURE = RNG.normal(size=(40, 6, 1)), RNG.normal(size=(40, 3, 1))
WINDOW = WindowSpec(horizon=3, features=1, targets=1, target_features=(0,))
ALL = 10**6
AT_EACH_STEP = 1e-9
DATES = pd.date_range("2024-01-01", periods=80)
FRAME = pd.concat([pd.DataFrame({"unique_id": name, "ds": DATES, "y": RNG.normal(size=80)}) for name in "ab"])


def windows(**changes):
    return ArrayWindows({"past": PAST}, FUTURE, batch_size=8, seed=0, **changes)


def train(network, training, checkpoints=None):
    engine = Engine(network, training, seed=0)
    validation = ArrayWindows({"past": PAST[:9]}, FUTURE[:9], batch_size=16)
    history = engine.fit(
        windows(teacher_forcing=network.uses_teacher_forcing),
        window=WINDOW,
        validation=validation,
        verbose=0,
        checkpoints=checkpoints,
    )
    return engine, history


def states(folder):
    return sorted((path for path in folder.glob("*.checkpoint")), key=lambda path: int(path.stem))


def only(folder, target, *kept):
    """Copy a folder with some of its checkpoints, as a process would have left it."""
    shutil.copytree(
        folder, target, ignore=lambda _, names: [n for n in names if n.endswith(".checkpoint") and n not in kept]
    )


@pytest.mark.parametrize(
    ("network", "training", "numbers"),
    [  # in the first epoch, at its end, in the middle of another, at the end
        (
            NetworkSpec(encoder_units=(3,), decoder_units=(3,), dropout=0.3),
            {"metrics": ("mae",), "early_stopping": 1},
            (2, 5, 8, -1),
        ),
        (NetworkSpec(encoder_units=(3,), decoder_units=(3,), decoder_input="scheduled"), {"optimizer": "adamw"}, (8,)),
        (NetworkSpec(encoder_units=(3,), decoder_units=(3,)), {"optimizer": "muon", "parts": 2}, (5, 8)),
    ],
    ids=["dropout", "scheduled", "parts"],
)
def test_from_each_checkpoint_it_ends_with_the_same_bits(network, training, numbers, tmp_path, monkeypatch):
    # Else the end of an epoch that takes next to nothing is left out.
    monkeypatch.setattr("seqcast.training.checkpoints.MOST_SHARE", 1e9)
    spec = TrainingSpec(epochs=3, learning_rate=0.05, **training)
    fingerprint = {"data": "these"}
    unbroken, history = train(network, spec)
    whole, _ = train(network, spec, Checkpoints(tmp_path / "all", fingerprint, minutes=AT_EACH_STEP, keep=ALL))
    assert all(map(np.array_equal, unbroken.weights, whole.weights))
    written = states(tmp_path / "all")
    steps = [int(path.stem) for path in written]
    assert steps == list(range(1, 5 * len(history) + 1))
    for number in (steps[place - 1] if place > 0 else steps[place] for place in numbers):
        folder = tmp_path / f"until {number}"
        only(tmp_path / "all", folder, f"{number}.checkpoint")
        resumed, recorded = train(network, spec, Checkpoints(folder, fingerprint, resume=True))
        assert all(map(np.array_equal, unbroken.weights, resumed.weights)), number
        assert recorded.epochs == history.epochs
        assert (recorded.best_epoch, recorded.stopped_early) == (history.best_epoch, history.stopped_early)


def fit_all(folder, model=None, **options):
    model = model or forecaster()
    return model.fit(FRAME, checkpoint=CheckpointSpec(folder, minutes=AT_EACH_STEP, keep=ALL), **options)


def forecaster(**options):
    network = NetworkSpec(encoder_units=(3,), decoder_units=(3,))
    training = {"epochs": 2, "batch_size": 32, "early_stopping": None}
    return Forecaster(
        4, context_length=6, level=(), preset=network, training=training, calendar="none", scale="standard", verbose=0,
        **options,
    )  # fmt: skip


def test_a_forecaster_with_members_and_a_drawn_seed_goes_on(tmp_path):
    whole = fit_all(tmp_path / "all", forecaster(members=2))
    expected = whole.predict()
    # One of the two had finished, the other had not begun an epoch.
    shutil.copytree(tmp_path / "all", tmp_path / "killed")
    for path in states(tmp_path / "killed" / "network-2")[1:]:
        path.unlink()
    again = forecaster(members=2).fit(FRAME, checkpoint=tmp_path / "killed", resume=True)
    assert again.seed_ == whole.seed_
    pd.testing.assert_frame_equal(again.predict(), expected)
    assert [history.epochs for history in again.histories_] == [history.epochs for history in whole.histories_]
    # Two are kept unless it is said otherwise.
    assert len(states(tmp_path / "killed" / "network-2")) <= 3


def test_a_backtest_with_refits_goes_on(tmp_path):
    model = forecaster(random_state=0)
    expected = model.backtest(FRAME, n_windows=2, refit=True)
    spec = CheckpointSpec(tmp_path / "all", minutes=AT_EACH_STEP, keep=ALL)
    pd.testing.assert_frame_equal(model.backtest(FRAME, n_windows=2, refit=True, checkpoint=spec), expected)
    shutil.rmtree(tmp_path / "all" / "training-2-network-1")
    for path in states(tmp_path / "all" / "training-1-network-1")[2:]:
        path.unlink()
    found = model.backtest(FRAME, n_windows=2, refit=True, checkpoint=tmp_path / "all", resume=True)
    pd.testing.assert_frame_equal(found, expected)


def test_a_regressor_goes_on(tmp_path):
    def regressor(**options):
        return Seq2SeqRegressor(encoder_units=3, epochs=2, batch_size=8, verbose=0, **options)

    spec = CheckpointSpec(tmp_path / "all", minutes=AT_EACH_STEP, keep=ALL)
    whole = regressor().fit(PAST, FUTURE, checkpoint=spec)
    only(tmp_path / "all", tmp_path / "killed", "3.checkpoint")
    again = regressor().fit(PAST, FUTURE, checkpoint=tmp_path / "killed", resume=True)
    assert again.seed_ == whole.seed_
    np.testing.assert_array_equal(again.predict(PAST), whole.predict(PAST))
    for changed, what in (
        (lambda: regressor().fit(PAST, FUTURE + 1, checkpoint=spec, resume=True), "other data"),
        (lambda: regressor(dropout=0.5).fit(PAST, FUTURE, checkpoint=spec, resume=True), "other network: dropout=0.0"),
    ):
        with pytest.raises(SpecError, match=f"resume: expected a checkpoint of this training; .* has {what}"):
            changed()


def test_of_another_training_it_says_what_differs(tmp_path):
    fit_all(tmp_path / "f", forecaster(random_state=0))
    cases = {
        "other data": (forecaster(random_state=0), FRAME.assign(y=FRAME["y"] + 1e-9)),
        "other seeds": (forecaster(random_state=1), FRAME),
        "other training: epochs=2, received training with epochs=3": (
            forecaster(random_state=0).set_params(training={"epochs": 3, "batch_size": 32, "early_stopping": None}),
            FRAME,
        ),
        "other windows: weighting='windows'": (forecaster(random_state=0, weighting="series"), FRAME),
    }
    for what, (model, frame) in cases.items():
        with pytest.raises(SpecError, match=what):
            model.fit(frame, checkpoint=tmp_path / "f", resume=True)


def test_of_other_versions_too(tmp_path):
    fit_all(tmp_path / "f", forecaster(random_state=0))
    folder = tmp_path / "f" / "network-1"
    from seqcast.runtime.model_files import open_archive, write_archive

    for path in states(folder):
        with open_archive(path, "Checkpoint") as archive:
            header, arrays = archive.header, {name: np.asarray(values) for name, values in archive.arrays.items()}
        header["fingerprint"]["versions"]["keras"] = "3.0.0"
        header["state"]["another"] = "field that states of that version had"
        write_archive(path, "Checkpoint", header, arrays)
    with pytest.raises(SpecError, match=r"has other versions: keras='3\.0\.0'"):
        forecaster(random_state=0).fit(FRAME, checkpoint=tmp_path / "f", resume=True)


@pytest.mark.parametrize("value", [None, np.nan, np.inf])
def test_of_a_damaged_checkpoint_the_one_before_is_taken(tmp_path, rewrite_archive, value):
    expected = fit_all(tmp_path / "f", forecaster(random_state=0)).predict()
    *_, before, newest = states(tmp_path / "f" / "network-1")
    if value is None:
        newest.write_bytes(newest.read_bytes()[:-100])
    else:
        rewrite_archive(newest, first={"state/trainable/0": value})
    with pytest.warns(SeqcastWarning, match=f"{newest.name} is damaged, so training goes on from {before.name}"):
        again = forecaster(random_state=0).fit(FRAME, checkpoint=tmp_path / "f", resume=True)
    pd.testing.assert_frame_equal(again.predict(), expected)
    for path in states(tmp_path / "f" / "network-1"):
        path.write_bytes(b"PK")
    with pytest.raises(FileFormatError, match="damaged"):
        forecaster(random_state=0).fit(FRAME, checkpoint=tmp_path / "f", resume=True)


def test_what_cannot_be_written_does_not_stop_the_training(tmp_path):
    expected = forecaster(random_state=0).fit(FRAME).predict()
    (tmp_path / "f").mkdir()
    (tmp_path / "f" / "network-1").write_text("a file where the folder should be")
    with pytest.warns(SeqcastWarning, match="a checkpoint could not be written, training goes on without it") as told:
        model = fit_all(tmp_path / "f", forecaster(random_state=0))
    assert len(told) == 1
    pd.testing.assert_frame_equal(model.predict(), expected)
    with pytest.raises(SaveError, match="expected a folder to write to"):
        forecaster().fit(FRAME, checkpoint=tmp_path / "f" / "network-1")


def test_a_folder_is_for_one_fit_and_one_process(tmp_path):
    spec = CheckpointSpec(tmp_path / "f")
    first = forecaster(random_state=0).fit(FRAME, checkpoint=spec)
    assert not (tmp_path / "f" / "fit.json").exists()  # only a seed that was drawn is written
    with pytest.raises(SpecError, match=r"checkpoint: expected a folder without a training, or resume=True"):
        forecaster(random_state=0).fit(FRAME, checkpoint=spec)
    with FileLock(tmp_path / "f" / ".lock"), pytest.raises(SpecError, match="a folder that no other training uses"):
        forecaster(random_state=0).fit(FRAME, checkpoint=spec, resume=True)
    left = tmp_path / "f" / "network-1" / ".0123.part"
    left.write_bytes(b"half a checkpoint")
    with CheckpointFolder.opened(spec, resume=True):
        assert not left.exists()
    # Where there is nothing yet, resume begins anew.
    again = forecaster(random_state=0).fit(FRAME, checkpoint=tmp_path / "new", resume=True)
    pd.testing.assert_frame_equal(again.predict(), first.predict())


def test_what_cannot_be_resumed_is_refused(tmp_path):
    def regressor(**options):
        return Seq2SeqRegressor(encoder_units=3, epochs=1, verbose=0, **options)

    stop = keras.callbacks.TerminateOnNaN()
    for fit, match in (
        (lambda f: regressor().fit(PAST, FUTURE, callbacks=[stop], checkpoint=f), "observers only with checkpoint"),
        (lambda f: regressor().fit(windows(), checkpoint=f), "None with batches of one's own in X"),
        (lambda f: regressor().fit(PAST, FUTURE, validation=windows(), checkpoint=f), "in validation"),
        (
            lambda f: regressor(loss=lambda y, z: y - z).fit(PAST, FUTURE, checkpoint=f),
            "a training that can be written",
        ),
        (lambda f: forecaster().fit(FRAME, checkpoint=7), "checkpoint: expected the path of a folder"),
    ):
        with pytest.raises(SpecError, match=match):
            fit(tmp_path / "f")
    with pytest.raises(SpecError, match="resume: expected False without checkpoint"):
        forecaster().fit(FRAME, resume=True)
    with pytest.raises(SpecError, match="minutes"):
        CheckpointSpec(tmp_path, minutes=0)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[" * 2000 + "]" * 2000,
        "null",
        "[]",
        '{"seed": "7"}',
        '{"seed": -1}',
        '{"seed": 1e400}',
        '{"seed": true}',
        "{}",
        '{"seed": 7}' + " " * 5000,
    ],
)
def test_a_seed_that_cannot_be_read_is_drawn_anew(tmp_path, text):
    (tmp_path / "fit.json").write_text(text)
    with CheckpointFolder.opened(tmp_path, resume=True) as folder:
        assert folder.seed(5) == 5
        assert folder.seed(6) == 5  # it was written down


def test_a_state_may_unpack_to_what_the_user_allows(tmp_path):
    forecaster(random_state=0).fit(FRAME, checkpoint=tmp_path)
    with pytest.raises(FileFormatError, match=r"expected at most 0.001 MB, received .* allow more: max_size='8GB'"):
        forecaster(random_state=0).fit(FRAME, checkpoint=CheckpointSpec(tmp_path, max_size=1000), resume=True)
    forecaster(random_state=0).fit(FRAME, checkpoint=CheckpointSpec(tmp_path, max_size="10 MB"), resume=True)
    with pytest.raises(SpecError, match="max_size: expected a size"):
        CheckpointSpec(tmp_path, max_size="much")
