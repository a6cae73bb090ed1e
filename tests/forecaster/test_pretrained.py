"""`preset="pretrained"`: a forecaster that is never trained, and otherwise is one like any other."""

import copy
import json
import pickle
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from seqcast import Columns, Forecaster
from seqcast.data import Season
from seqcast.data.series import InMemoryStore, SeriesScaler
from seqcast.data.windows import WindowReader
from seqcast.engine import Outcome
from seqcast.errors import FileFormatError, SpecError
from seqcast.pretrained import CovariateSizes, FinetuneOptions, ZeroShotWindows, load_pretrained
from seqcast.training import CheckpointFolder, History
from tests.rejections import rejected

H = 6


def how(**changes):
    """Return how a network is fine-tuned."""
    return FinetuneOptions(**{"season_length": 4, "horizon": 8, "seeds": (0, 0), **changes})


def series(rows=60, ids="ab"):
    stamps = pd.date_range("2015-01-01", periods=rows, freq="MS")
    wave = np.sin(2 * np.pi * np.arange(rows) / 12)
    tables = []
    for place, name in enumerate(ids):
        noise = np.random.default_rng([0, place]).normal(0, 0.3, rows)
        tables.append(
            pd.DataFrame(
                {"unique_id": name, "ds": stamps, "y": (place + 1) * (10 + 3 * wave) + noise}
            )
        )
    return pd.concat(tables, ignore_index=True)


def pretrained(horizon=H, **options):
    return Forecaster(horizon, preset="pretrained", verbose=0, **options)


@pytest.fixture(scope="module")
def fitted():
    return pretrained().fit(series())


def values(forecast):
    return forecast.drop(columns=["unique_id", "ds"]).to_numpy()


def test_a_season_is_continued_without_training(fitted, capsys):
    forecast = fitted.predict(12)
    truth = series(72)[lambda frame: frame["ds"] >= forecast["ds"].min()]["y"].to_numpy()
    last_value = np.repeat(series().groupby("unique_id")["y"].last().to_numpy(), 12)
    assert np.abs(forecast["seqcast"] - truth).mean() < 0.4 * np.abs(last_value - truth).mean()
    assert fitted.histories_[0].epochs == {}
    assert fitted.engine_ is load_pretrained().engine
    Forecaster(H, preset="pretrained").fit(series())
    assert (
        f"the pretrained network, version {load_pretrained().version}; nothing is trained"
        in capsys.readouterr().out
    )
    assert pretrained().describe(series()).settings["preset"] == "pretrained"


def test_intervals_hold_each_other_and_any_level_can_be_had(fitted):
    forecast = fitted.predict(level=(20, 50, 80, 95, 98))
    bounds = [*(f"seqcast-lo-{level}" for level in (98, 95, 80, 50, 20)), "seqcast"]
    bounds += [f"seqcast-hi-{level}" for level in (20, 50, 80, 95, 98)]
    assert (np.diff(forecast[bounds].to_numpy(), axis=1) >= 0).all()
    half = pretrained(level=(50,)).fit(series()).predict()
    np.testing.assert_allclose(half["seqcast-hi-50"], forecast["seqcast-hi-50"], rtol=1e-6)
    with pytest.raises(
        SpecError, match="level: expected levels up to 98, the widest that the pretrained network"
    ):
        fitted.predict(level=(80, 98.5))


def test_any_horizon_and_gaps_and_few_rows():
    frame = series(9)
    frame.loc[[3, 12], "y"] = np.nan
    model = pretrained(horizon=70).fit(frame)
    assert np.isfinite(values(model.predict())).all()
    assert len(model.predict(130)) == 260
    one = pd.DataFrame({"unique_id": "a", "ds": [1], "y": [5.0]})
    np.testing.assert_allclose(
        pretrained(horizon=2, freq=1).fit(one).predict()["seqcast"], 5.0, atol=5.0
    )


def test_several_targets_are_forecast_one_by_one():
    frame = series().rename(columns={"y": "open"}).assign(close=lambda rows: rows["open"] * 2)
    model = pretrained(columns=Columns(y=["open", "close"])).fit(frame)
    forecast = model.predict()
    opened, closed = (
        forecast.loc[forecast["target"] == name, "seqcast"].to_numpy() for name in ("open", "close")
    )
    np.testing.assert_allclose(closed, 2 * opened, rtol=1e-2)
    assert model.encode().shape[0] == 2
    rejected(SpecError, "model_inputs: expected one target", model.model_inputs)


def test_paths_have_the_quantiles_and_are_the_same_again(fitted):
    paths = fitted.predict(samples=400)
    forecast = fitted.predict()
    pd.testing.assert_frame_equal(paths, fitted.predict(samples=400))
    median = paths.groupby(["unique_id", "ds"])["seqcast"].median().to_numpy()
    width = (forecast["seqcast-hi-80"] - forecast["seqcast-lo-80"]).to_numpy()
    assert (np.abs(median - forecast["seqcast"].to_numpy()) < 0.2 * width).all()


def test_files_and_copies_bring_the_same_numbers(fitted, tmp_path):
    fitted.save(tmp_path / "m.seqcast")
    for copied in (
        Forecaster.load(tmp_path / "m.seqcast"),
        copy.deepcopy(fitted),
        pickle.loads(pickle.dumps(fitted)),
    ):
        np.testing.assert_array_equal(values(copied.predict(80)), values(fitted.predict(80)))


@pytest.mark.processes
def test_a_file_holds_the_weights_and_needs_no_package_data(fitted, run_python, tmp_path):
    fitted.save(tmp_path / "m.seqcast")
    printed = run_python(
        "import seqcast.pretrained as room\n"
        "from seqcast import Forecaster\n"
        f"model = Forecaster.load({str(tmp_path / 'm.seqcast')!r})\n"
        "room.load_pretrained = None\n"
        "print(model.predict()['seqcast'].sum())"
    )
    assert float(printed) == pytest.approx(fitted.predict()["seqcast"].sum(), rel=1e-6)


def test_newer_rows_go_on_and_the_past_is_forecast(fitted):
    model = copy.deepcopy(fitted)
    newer = series(66)[lambda frame: frame["ds"] > series()["ds"].max()]
    model.update(newer)
    np.testing.assert_allclose(
        values(model.predict()), values(pretrained().fit(series(66)).predict()), rtol=1e-6
    )
    once, each = (
        pretrained().backtest(series(), n_windows=2, refit=refit) for refit in (False, True)
    )
    np.testing.assert_allclose(once["seqcast"], each["seqcast"], rtol=1e-6)
    assert (once["seqcast"] - once["y"]).abs().mean() < (
        once["last_value"] - once["y"]
    ).abs().mean()
    refitted = copy.deepcopy(fitted).refit(series(66))
    np.testing.assert_allclose(values(refitted.predict()), values(model.predict()), rtol=1e-6)


def test_the_past_of_a_long_series_is_forecast_from_two_seasons_on():
    """The network reads up to 2,048 rows and needs no more than two seasons."""
    rows = np.arange(560)
    noise = np.random.default_rng(0).normal(
        0, 0.1, 560
    )  # where there is none, most rows are thought unusual
    frame = pd.DataFrame(
        {"unique_id": "a", "ds": rows, "y": 10 + np.sin(2 * np.pi * rows / 12) + noise}
    )
    model = pretrained(48, season_length=12, freq=1).fit(frame)
    assert model.context_length_ == 2048
    first = 24 + (560 - 24) % 48
    assert (
        model.anomalies()["ds"].min() == model.predict_insample(step_size=48)["ds"].min() == first
    )


def test_a_fine_tuned_network_has_weights_of_its_own(tmp_path):
    frame = series()
    frame["y"] += 4.0 * (np.arange(len(frame)) % 7 == 0)  # what no season tells
    model = pretrained().fit(frame)
    before = values(model.predict())
    model.finetune(frame, training={"epochs": 4, "steps_per_epoch": 6})
    assert model.choice_.shares == {"finetuned": 1.0}
    assert model.engine_ is not load_pretrained().engine
    assert not np.allclose(values(model.predict()), before)
    model.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    np.testing.assert_array_equal(values(loaded.predict()), values(model.predict()))
    assert loaded.choice_ == model.choice_


def priced(rows=150, count=24):
    """Return series that a price moves, and the rows after them."""
    rng = np.random.default_rng(5)
    steps = np.arange(rows)
    tables = []
    for place in range(count):
        price = rng.choice([0.0, 1.0], rows)
        wave = 10 + 3 * np.sin(2 * np.pi * (steps + place) / 12) - 4 * price
        kind = "small" if place < count / 2 else "large"
        y = (place + 1) * (wave + rng.normal(0, 0.3, rows))
        tables.append(
            pd.DataFrame({"unique_id": place, "ds": steps, "y": y, "price": price, "kind": kind})
        )
    frame = pd.concat(tables, ignore_index=True)
    return frame[frame["ds"] < rows - H], frame[frame["ds"] >= rows - H]


def months(**options):
    return pretrained(freq=1, season_length=12, random_state=0, **options)


@pytest.fixture(scope="module")
def with_price():
    known, _ = priced()
    model = months(future_covariates=["price"], static_covariates=["kind"])
    # Without hold-out windows the fine-tuned network is taken, though a regression on the price is
    # as good.
    return model.finetune(
        known, training={"epochs": 4, "steps_per_epoch": 30, "validation_fraction": 0.0}
    )


def test_covariates_are_learned_in_a_fine_tuning(with_price, tmp_path):
    known, later = priced()
    assert with_price.choice_.shares == {"finetuned": 1.0}
    forecast = with_price.predict(future=later)
    alone = months().fit(known[["unique_id", "ds", "y"]]).predict()
    truth = later["y"].to_numpy()
    errors = [np.abs(found["seqcast"].to_numpy() / truth - 1).mean() for found in (forecast, alone)]
    assert errors[0] < 0.8 * errors[1]
    # The price is what is read, not only what is remembered.
    other = with_price.predict(future=later.assign(price=1.0 - later["price"]))
    moved = (other["seqcast"] - forecast["seqcast"]).to_numpy() * np.where(
        later["price"] == 1.0, 1, -1
    )
    assert np.mean(moved > 0) > 0.9
    with_price.save(tmp_path / "m.seqcast")
    loaded = Forecaster.load(tmp_path / "m.seqcast")
    np.testing.assert_array_equal(values(loaded.predict(future=later)), values(forecast))
    assert loaded.backtest(pd.concat([known, later]), refit="never")["seqcast"].notna().all()


def test_longer_horizons_read_their_own_covariates(with_price):
    known, _ = priced()
    steps = known["ds"].max() + 1 + np.arange(70)
    low = pd.concat(
        [pd.DataFrame({"unique_id": place, "ds": steps, "price": 0.0}) for place in range(24)]
    )
    forecast = with_price.predict(70, future=low)
    late = with_price.predict(70, future=low.assign(price=1.0 * (low["ds"] > steps[65])))
    moved = (forecast["seqcast"] - late["seqcast"]).to_numpy().reshape(24, 70)
    np.testing.assert_allclose(moved[:, :64], 0.0, atol=1e-3)
    assert np.mean(moved[:, 66:] > 0) > 0.9


def test_what_reads_covariates_is_looked_into_reported_and_trained_again(with_price, tmp_path):
    known, later = priced()
    inputs = with_price.model_inputs(step_size=20)
    assert inputs.features[-1] == inputs.known_future[-1] == "price"
    assert inputs.inputs["past"].shape[2] == len(inputs.features)
    assert inputs.inputs["future"].shape[2] == len(inputs.known_future)
    model = copy.deepcopy(with_price)
    after = later.assign(ds=later["ds"] + H)
    assert np.isfinite(
        model.backtest(pd.concat([known, later]), n_windows=1, refit="never")["seqcast"]
    ).all()
    model.report(tmp_path / "report.html", known[known["unique_id"] < 2], n_windows=1)
    assert "fine-tuned" in (tmp_path / "report.html").read_text()
    assert len(model.encode()) == 24
    assert len(model.anomalies(known, level=80)) > 1000
    with pytest.raises(
        SpecError,
        match="covariate_importance: expected a network that was trained on this data alone",
    ):
        model.covariate_importance()
    model.update(later)
    assert np.isfinite(values(model.predict(future=after))).all()
    brief = {"epochs": 1, "steps_per_epoch": 1}
    again = copy.deepcopy(with_price).finetune(
        pd.concat([known, later]), freeze=("encoder",), training=brief
    )
    assert np.isfinite(values(again.predict(future=after))).all()
    # Submodules that hold new weights cannot be frozen.
    with pytest.raises(SpecError, match=r"freeze: expected \(\) where covariates are learned"):
        months(future_covariates=["price"]).finetune(known, freeze=("encoder",))


def test_a_fine_tuning_that_does_not_help_leaves_the_forecasts_as_they_were():
    known, later = priced(count=4)
    training = {"epochs": 1, "steps_per_epoch": 1, "learning_rate": 10.0}
    model = months(future_covariates=["price"]).finetune(known, training=training)
    assert model.choice_.shares == {"pretrained": 1.0}
    before = months(future_covariates=["price"]).fit(known).predict(future=later)
    # Effects of the price are learned from all rows but the hold-out rows, which are more where
    # nothing is trained.
    np.testing.assert_allclose(values(model.predict(future=later)), values(before), rtol=1e-3)


def test_validation_rows_hold_in_place_of_fit_too():
    known, _ = priced(count=1)
    training = {"epochs": 1, "steps_per_epoch": 2}
    model = months(future_covariates=["price"], calibrate=True, level=(95,))
    model.finetune(known, validation=60, training=training)
    assert len(model.calibrations_) == 1


def reader_of(*lengths):
    store = InMemoryStore.of(
        {place: np.arange(1.0 * rows)[:, None] for place, rows in enumerate(lengths)}
    )
    unscaled = SeriesScaler(np.zeros((len(lengths), 1)), np.ones((len(lengths), 1)))
    return WindowReader(store, None, unscaled, context_length=512)


WINDOWS = [
    # As long as leaves many windows.
    ((5_000, 300), {"season_length": 12}, 512),
    ((300,), {"season_length": 12}, 128),
    # Hardly more than a forecast may read.
    *(
        ((5_000,), {"most_rows": most}, context)
        for most, context in ((512, 512), (96, 128), (64, 64), (7, 16))
    ),
]


@pytest.mark.parametrize(("lengths", "options", "context"), WINDOWS)
def test_how_long_the_windows_of_a_fine_tuning_are(lengths, options, context):
    starts = np.array(lengths) - np.array([100, 10])[: len(lengths)]
    job = load_pretrained().finetuning(reader_of(*lengths), starts, how(**options))
    assert job.reader.context_length == context


def test_a_checkpoint_is_of_one_season_and_horizon(tmp_path):
    with CheckpointFolder.opened(tmp_path, resume=False) as folder:

        def written(**options):
            job = load_pretrained().finetuning(reader_of(100), np.array([90]), how(**options))
            return json.dumps(
                job.with_checkpoints(folder, "a").checkpoints.fingerprint, default=str
            )

        assert written() == written()
        assert len({written(), written(season_length=5), written(horizon=3)}) == 3


@pytest.mark.parametrize("share", [0.0, 0.5, 1.0])
def test_a_fine_tuned_network_may_retain_some_of_its_first_weights(share):
    network = load_pretrained()
    first = network.engine.weights
    engine = network.engine.copy()
    job = network.finetuning(reader_of(100), np.array([90]), how())
    engine.built.model.set_weights([weight + 1.0 for weight in first])
    found = network.finetuned(Outcome(engine, History(), replace(job, share=share)))
    for before, after in zip(first, found.engine.weights, strict=True):
        np.testing.assert_allclose(after, before + share, rtol=1e-3, atol=1e-3)
    assert found.version == f"{network.version}, fine-tuned"


def test_files_whose_network_reads_other_covariates_are_rejected(with_price, tmp_path):
    other = load_pretrained().with_covariates(CovariateSizes(5, 5, 5))
    fitted = with_price.fitted_
    (zero_shot,) = fitted.candidates
    model = with_price.with_fitted(replace(fitted, candidates=(replace(zero_shot, model=other),)))
    model.save(tmp_path / "m.seqcast")
    rejected(FileFormatError, "a network that reads", Forecaster.load, tmp_path / "m.seqcast")


def test_the_network_reads_zeros_as_zeros():
    """Scaling in single precision and back would move them, and the share of zeros is one of its inputs."""
    rng = np.random.default_rng(0)
    sold = (rng.random((4, 60)) < 0.3) * rng.integers(1, 4, (4, 60)) + 0.0
    days = pd.date_range("2024-01-01", periods=60)
    df = pd.concat(
        [pd.DataFrame({"unique_id": str(k), "ds": days, "y": row}) for k, row in enumerate(sold)]
    )
    model = Forecaster(
        7, preset="pretrained", scale="standard", support="real", level=80, verbose=0
    ).fit(df)
    windows = ZeroShotWindows(sold, np.full(4, 7), np.full(4, Season.of(7).longer or 0))
    expected = load_pretrained().forecast(windows, 7, (0.5, 0.1, 0.9)).reshape(28, 3)
    found = model.predict()[["seqcast", "seqcast-lo-80", "seqcast-hi-80"]]
    np.testing.assert_allclose(found, expected, atol=1e-5)
