"""A fit is one frozen value: published at once, never changed, read by many threads."""

import copy
import dataclasses
import pickle
import random

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec
from seqcast.errors import DataError, NotFittedError, TrainingError
from seqcast.forecaster import backtest

from . import panels
from .panels import TINY, waves

ONE_EPOCH = {"epochs": 1, "steps_per_epoch": 2, "batch_size": 16}


def series(unit=1.0, rows=40, names="ab"):
    return waves(names, rows, level=2.0, spacing=1.0, noise=0.0).assign(
        y=lambda frame: unit * frame["y"]
    )


def tiny(**options):
    return panels.tiny(3, **{"training": ONE_EPOCH, "context_length": 7, **options})


@pytest.fixture(scope="module")
def fitted():
    return tiny().fit(series())


FITTED = (
    "engines_",
    "engine_",
    "histories_",
    "history_",
    "series_state_",
    "freq_",
    "season_length_",
)
FITTED += ("context_length_", "calibrations_", "short_series_", "seed_")


def test_fitted_attributes_are_there_after_fit_only_and_read_only(fitted):
    unfitted = tiny()
    for name in FITTED:
        assert not hasattr(unfitted, name)
        with pytest.raises(NotFittedError):
            getattr(unfitted, name)
        getattr(fitted, name)
        with pytest.raises(AttributeError):
            setattr(fitted, name, None)
    with pytest.raises(dataclasses.FrozenInstanceError):
        fitted.fitted_.candidates = ()
    for copied in (copy.deepcopy(fitted), pickle.loads(pickle.dumps(fitted))):
        pd.testing.assert_frame_equal(copied.predict(), fitted.predict())


def test_a_fit_that_fails_leaves_the_old_one_whole(fitted):
    model = copy.deepcopy(fitted)
    before = model.predict()
    model.set_params(
        training={
            **ONE_EPOCH,
            "learning_rate": 1e30,
            "optimizer": "sgd",
            "clip_norm": None,
            "epochs": 3,
        }
    )
    with pytest.raises(TrainingError) as caught:
        model.fit(series(1e4))
    assert np.isfinite(caught.value.best.predict()[list(before)[2:]]).all().all()
    pd.testing.assert_frame_equal(model.predict(), before)


def test_the_series_and_the_column_that_made_a_training_diverge_are_named():
    frame = series()
    frame.loc[frame["unique_id"] == "b", "y"] = 0.0
    frame.loc[frame.index[frame["unique_id"] == "b"][10], "y"] = 1e30
    model = tiny(scale="none", preset=dataclasses.replace(TINY, head="normal"), level=())
    with pytest.raises(TrainingError) as caught:
        model.fit(frame)
    error = caught.value
    assert (error.series, error.columns) == (("b",), ("y",))
    assert "in series 'b', rows " in error.received
    assert error.received.endswith(" in y (scaled)")


def test_later_trainings_derive_theirs_from_that_of_the_fit():
    model = tiny(training={**ONE_EPOCH, "learning_rate": 0.01}).fit(series())
    later = series(rows=46)
    for _ in range(2):
        model.finetune(later)
        assert model.engine_.training.learning_rate == pytest.approx(0.001)
    model.refit(later)
    assert model.engine_.training.learning_rate == pytest.approx(0.01)


def test_a_later_training_says_how_many_rows_it_needs(fitted):
    """Its network has read whole contexts only."""
    model = copy.deepcopy(fitted)
    with pytest.raises(
        DataError, match=r"df \(series 'n'\): expected at least 7 \+ 3 rows, .* received 9 rows"
    ):
        model.finetune(series(rows=9, names="n"))
    model.finetune(series(rows=12, names="n"))


def test_a_drawn_seed_repeats_the_fit(tmp_path):
    """And no global generator is drawn from."""
    before = random.getstate(), np.random.get_state()[1].tolist()
    model = tiny(random_state=None).fit(series())
    assert (random.getstate(), np.random.get_state()[1].tolist()) == before
    again = tiny(random_state=model.seed_).fit(series())
    other = tiny(random_state=None).fit(series())
    pd.testing.assert_frame_equal(model.predict(), again.predict())
    assert other.seed_ != model.seed_
    assert not np.allclose(other.predict()["seqcast"], model.predict()["seqcast"])
    model.save(tmp_path / "model.seqcast")
    assert Forecaster.load(tmp_path / "model.seqcast").seed_ == model.seed_
    model.report(tmp_path / "page.html", n_windows=0)
    assert f"{model.seed_} (drawn)" in (tmp_path / "page.html").read_text()


def test_refits_of_a_backtest_share_a_drawn_seed(monkeypatch):
    seeds = []
    train = backtest.fit_plans

    def noting(plans, run):
        seeds.extend(next(iter(plan.by_place.values())).seeds for plan in plans)
        return train(plans, run)

    monkeypatch.setattr(backtest, "fit_plans", noting)
    tiny(random_state=None).backtest(series(), n_windows=2, refit=True)
    assert len(seeds) == 2
    assert seeds[0] == seeds[1]


def test_threads_that_predict_see_whole_states(read_beside):
    """Levels differ by a factor of 1000, so that old scaling with new weights or rows would show."""
    model = tiny(training={**ONE_EPOCH, "learning_rate": 0.1})
    known = []
    frames = [series(unit) for unit in (1.0, 1000.0)]
    rows = frames[1].assign(ds=frames[1]["ds"] + pd.Timedelta(days=40))
    changes = [
        lambda: model.fit(frames[0]),
        lambda: model.fit(frames[1]),
        lambda: model.update(rows),
    ]
    for change in changes:  # what each state answers is known before any thread predicts
        change()
        known.append(model.predict()["seqcast"].to_numpy())

    def fit_in_turn():
        for change in changes * 6:
            change()

    answers = read_beside(fit_in_turn, {"predict": lambda: model.predict()["seqcast"].to_numpy()})[
        "predict"
    ]
    assert len(answers) >= 200
    assert all(any(np.array_equal(answer, one) for one in known) for answer in answers)


# ---------------------------------------------------------------- several askers in one call


DAYS = pd.date_range("2024-01-01", periods=50)
NETWORK = NetworkSpec(encoder_units=(4,), decoder_units=(4,), head="normal")


def rows(name, days, shift=0.0):
    return pd.DataFrame({"unique_id": name, "ds": days, "y": shift + np.arange(len(days)) % 7.0})


@pytest.fixture(scope="module", params=["text", "numbers"])
def asked(request):
    names = ["b", "a"] if request.param == "text" else [9, 4]
    frame = pd.concat([rows(name, DAYS, place) for place, name in enumerate(names)])
    return panels.tiny(5, preset=NETWORK, context_length=14, level=80).fit(frame), names


def check(forecaster, tables, **how):
    owners = np.repeat(np.arange(len(tables)), [len(own) for own in tables])
    table, of = forecaster.fitted_.for_owners(pd.concat(tables, ignore_index=True), owners, **how)
    assert (np.diff(of) >= 0).all()
    for owner, own in enumerate(tables):
        alone = forecaster.predict(df=own, **how)
        mine = table[of == owner].reset_index(drop=True)
        assert mine.iloc[:, :2].to_numpy().tolist() == alone.iloc[:, :2].to_numpy().tolist()
        np.testing.assert_allclose(mine.iloc[:, 2:], alone.iloc[:, 2:], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("how", [{}, {"horizon": 9, "level": (50, 99)}])
def test_known_and_new_series_of_the_same_names(asked, how):
    forecaster, names = asked
    new = "q" if isinstance(names[0], str) else 77
    later = DAYS[-1] + pd.to_timedelta([1, 2, 3], unit="D")
    tables = [
        rows(names[0], later),
        rows(names[0], later[:1], 30.0),
        pd.concat([rows(new, DAYS[:20]), rows(names[1], later)]),
        rows(new, DAYS[5:9], -4.0),
    ]
    check(forecaster, tables, **how)
    check(forecaster, tables[3:], **how)  # none that is known


def test_remembered_series(asked):
    forecaster, names = asked
    asked = pd.DataFrame({"unique_id": [names[0], names[1], names[0]]})
    table, owners = forecaster.fitted_.for_owners(asked, np.array([0, 0, 1]), remembered=True)
    both = forecaster.predict()
    assert owners.tolist() == [0] * 10 + [1] * 5
    np.testing.assert_allclose(table["seqcast"][:10], both["seqcast"], rtol=1e-6)
    np.testing.assert_allclose(
        table["seqcast"][10:], both[both["unique_id"] == names[0]]["seqcast"], rtol=1e-6
    )
    assert table["unique_id"].tolist() == [min(names)] * 5 + [max(names)] * 5 + [names[0]] * 5


def test_ids_of_another_type_are_rejected_and_the_forecaster_stays_as_it_is(asked):
    forecaster, names = asked
    before = forecaster.predict()
    forecaster.fitted_.for_owners(
        rows(names[0], DAYS[-1:] + pd.Timedelta("1D"), 99.0), np.array([0])
    )
    pd.testing.assert_frame_equal(forecaster.predict(), before)
    other = rows(3 if isinstance(names[0], str) else "a", DAYS[:20])
    with pytest.raises(DataError, match="expected ids of type"):
        forecaster.fitted_.for_owners(other, np.zeros(20, dtype=int))
