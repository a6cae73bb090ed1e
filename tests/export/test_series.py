"""The file of a forecaster: from raw values, with gaps, to the forecast of `predict`."""

import sys
from dataclasses import replace

import numpy as np
import onnx
import pandas as pd
import pytest

import seqcast
from seqcast import Columns, Forecaster, NetworkSpec
from seqcast.data.windows.origins import Origins
from seqcast.errors import MissingPackageError, NotFittedError, SaveError, SpecError
from seqcast.forecaster.candidates.last_season import FittedLastSeason, naive_calibrations
from seqcast.forecaster.candidates.zero_shot import FittedZeroShot
from seqcast.forecaster.choice import Choice
from seqcast.intervals.quantiles import check_levels
from tests.rejections import rejected

HORIZON = 7
QUANTILES = (0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975)
SMALL = NetworkSpec(
    encoder_units=(4,), decoder_units=(4,), normalise="last", head="quantile", quantiles=QUANTILES
)
POINT = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")


def frame(ids, length, *, gaps=0.0, targets=1, seed=0, counts=False):
    """Weekly seasons with noise; the series swing the more the higher they stand."""
    rng = np.random.default_rng(seed)
    tables = []
    for place, name in enumerate(ids):
        season = np.sin(2 * np.pi * np.arange(length) / 7)
        level = 10.0 + 5 * place
        columns = {"unique_id": name, "ds": pd.date_range("2024-01-01", periods=length)}
        for target in ("y", "z")[:targets]:
            columns[target] = np.abs(level * (1 + 0.3 * season) + rng.normal(size=length))
            columns[target] = np.rint(columns[target]) if counts else columns[target]
            columns[target][rng.random(length) < gaps] = np.nan
        tables.append(pd.DataFrame(columns))
    return pd.concat(tables, ignore_index=True)


def fitted(df, preset=SMALL, **options):
    training = None if preset in ("auto", "pretrained") else {"epochs": 1, "steps_per_epoch": 2}
    options = {"calendar": "none", "verbose": 0, "random_state": 0, **options}
    return Forecaster(HORIZON, preset=preset, training=training, **options).fit(df)


def values(df, names=("y",)):
    """Return the raw past of each series, `[N, T]` or `[N, T, D]`."""
    past = np.stack([rows[list(names)].to_numpy(float) for _, rows in df.groupby("unique_id")])
    return past[:, :, 0] if len(names) == 1 else past


def check(session, forecaster, new, horizon=None):
    """Compare all outputs with `predict` of series that the forecaster does not know."""
    ours = forecaster.predict(horizon, df=new)
    feeds = {"horizon": np.array([horizon])} if "horizon" in session.inputs else {}
    found = session(past=values(new), **feeds)
    count = new["unique_id"].nunique()

    def column(name):
        return ours[name].to_numpy().reshape(count, -1)

    np.testing.assert_allclose(found["point"], column("seqcast"), rtol=1e-4, atol=1e-4)
    names = [each["name"] for each in session.metadata["outputs"]["quantiles"]]
    assert names == sorted(set(ours.columns) - {"unique_id", "ds", "seqcast"}, key=names.index)
    for place, name in enumerate(names):
        np.testing.assert_allclose(
            found["quantiles"][:, :, place], column(name), rtol=1e-4, atol=1e-4
        )


CASES = {
    "standard with gaps": {"gaps": 0.1, "scale": "standard"},
    "minmax with gaps": {"gaps": 0.1, "scale": "minmax"},
    "mean and counts": {"scale": "mean", "support": "counts", "level": (80,)},
    "log with gaps": {"gaps": 0.1, "scale": "log"},
    "the mean": {"scale": "standard", "point": "mean"},
    "none, a point": {"scale": "none", "preset": POINT},
    "calibrated": {"calibrate": True, "level": (50, 80), "scale": "robust"},
    "a calibrated point": {"calibrate": True, "level": (80,), "preset": POINT},
    "members and their median": {"members": 3, "scale": "log1p"},
    "members and their mean": {"members": 2, "combine": "mean"},
    "contexts of several lengths": {"members": 2, "context_length": (14, 21)},
    "segment with gaps": {"gaps": 0.1, "preset": "segment"},
}


@pytest.mark.parametrize("name", CASES)
def test_it_forecasts_new_series_as_we_do(name, tmp_path, run_file):
    options = dict(CASES[name])
    gaps = options.pop("gaps", 0.0)
    how = {"gaps": gaps, "counts": options.get("support") == "counts"}
    forecaster = fitted(frame(("a", "b"), 120, **how), **options)
    forecaster.export(tmp_path / "model.onnx")
    session = run_file(tmp_path / "model.onnx")
    for length in (100, 30):
        check(session, forecaster, frame(("n1", "n2", "n3"), length, seed=length, **how))
    if gaps:
        check(session, forecaster, frame(("n1", "n2"), 9, seed=9))  # shorter than the context


def test_a_forecaster_of_files(tmp_path, run_file):
    pytest.importorskip("pyarrow")
    (tmp_path / "rows").mkdir()
    for name in "ab":
        frame((name,), 120, gaps=0.05).to_parquet(
            tmp_path / "rows" / f"{name}.parquet", index=False
        )
    forecaster = fitted(tmp_path / "rows")
    forecaster.export(tmp_path / "model.onnx")
    check(run_file(tmp_path / "model.onnx"), forecaster, frame(("n1", "n2"), 60, gaps=0.05, seed=3))


def test_any_horizon(tmp_path, run_file):
    forecaster = fitted(frame(("a", "b"), 120, gaps=0.1), calibrate=True, level=(80,))
    forecaster.export(tmp_path / "model.onnx", horizon="any")
    session = run_file(tmp_path / "model.onnx")
    new = frame(("n1",), 60, seed=1)
    assert session.metadata["horizon"] == "any"
    for horizon in (1, 7, 20):
        check(session, forecaster, new, horizon)


def test_a_longer_horizon_of_segments(tmp_path, run_file):
    segments = {
        "normalise": "instance",
        "segment": 3,
        "decoder_input": "position",
        "decoding": "parallel",
    }
    network = NetworkSpec(encoder_units=(6,), decoder_units=(6,), **segments)
    forecaster = fitted(frame(("a", "b"), 120, gaps=0.1), network)
    forecaster.export(tmp_path / "model.onnx", horizon=17)
    check(run_file(tmp_path / "model.onnx"), forecaster, frame(("n1",), 60, gaps=0.1, seed=1), 17)


def test_several_targets(tmp_path, run_file):
    df = frame(("a", "b"), 120, gaps=0.1, targets=2)
    forecaster = fitted(df, columns=Columns(y=("y", "z")))
    forecaster.export(tmp_path / "model.onnx")
    new = frame(("n1", "n2"), 50, gaps=0.1, targets=2, seed=1)
    session = run_file(tmp_path / "model.onnx")
    ours = (
        forecaster.predict(df=new)["seqcast"].to_numpy().reshape(2, 2, HORIZON).transpose(0, 2, 1)
    )
    found = session(past=values(new, ("y", "z")))
    np.testing.assert_allclose(found["point"], ours, rtol=1e-4, atol=1e-4)
    assert found["quantiles"].shape == (2, HORIZON, 2, 4)
    assert session.metadata["past"]["targets"] == ["y", "z"]


def test_known_series_by_their_own_scaling(tmp_path, run_file):
    df = frame(("a", "b"), 120)
    forecaster = fitted(df, scale="log")
    forecaster.export(tmp_path / "model.onnx", scaling="given")
    scaler = forecaster.series_state_.scaler
    feeds = {"loc": scaler.loc, "scale": scaler.scale, "unit": scaler.unit}
    found = run_file(tmp_path / "model.onnx")(past=values(df), **feeds)["point"]
    ours = forecaster.predict()["seqcast"].to_numpy().reshape(2, HORIZON)
    np.testing.assert_allclose(found, ours, rtol=1e-4, atol=1e-4)


@pytest.mark.filterwarnings("ignore::seqcast.forecaster.candidates.last_season.FallbackWarning")
@pytest.mark.parametrize("gaps", [0.0, 0.2])
def test_the_last_season_and_blends(gaps, tmp_path, run_file):
    """What evidence may choose: the last season alone, or in shares with networks."""
    forecaster = fitted(frame(("a", "b"), 120, gaps=gaps), level=(80, 95))
    state = forecaster.fitted_
    reader = state.series.reader(state.series.frame, Origins.at_ends(state.series.frame, HORIZON))
    naive = naive_calibrations(
        reader, season_length=7, horizon=HORIZON, level=check_levels((80, 95))
    )
    new = frame(("n1", "n2"), 40, gaps=gaps, seed=4)
    candidates = (FittedLastSeason(7, naive), *state.candidates)
    for shares in ({"seasonal_naive": 1.0}, {"seasonal_naive": 0.3, "trained": 0.7}):
        among = tuple(each for each in candidates if each.name in shares)
        forecaster = forecaster.with_fitted(replace(state, choice=Choice(shares), candidates=among))
        forecaster.export(tmp_path / "model.onnx")
        check(run_file(tmp_path / "model.onnx"), forecaster, new)


def test_covariates_are_inputs(tmp_path, run_file):
    df = frame(("a", "b"), 120, gaps=0.05)
    rng = np.random.default_rng(0)
    df["price"], df["visits"] = rng.random(len(df)), rng.random(len(df))
    df["size"] = df["unique_id"].map({"a": 1.0, "b": 2.0})
    columns = {
        "static_covariates": ["size"],
        "past_covariates": ["visits"],
        "future_covariates": ["price"],
    }
    forecaster = fitted(df, **columns)
    forecaster.export(tmp_path / "model.onnx")
    session = run_file(tmp_path / "model.onnx")
    told = session.metadata
    assert (told["past"]["features"], told["future"], told["static"]) == (
        ["visits", "price"],
        ["price"],
        ["size"],
    )
    future = df[df["ds"] < df["ds"].min() + pd.Timedelta(days=HORIZON)].copy()
    future["ds"] += pd.Timedelta(days=120)
    series = forecaster.series_state_
    steps = forecaster.fitted_.steps_ahead(series.frame, future)
    inputs = steps.reader.inputs(
        steps.origins.series, steps.origins.stops, HORIZON, future=steps.origins.future
    )
    raw = series.frame.source.values[:, :1].reshape(2, -1)
    ours = forecaster.predict(future=future)
    forecaster.export(tmp_path / "given.onnx", scaling="given")
    found = run_file(tmp_path / "given.onnx")(
        past=raw[:, -series.context_length :],
        past_features=inputs["past"][:, :, 1:],
        static=inputs["static"].astype(np.float32),
        future=inputs["future"].astype(np.float32),
        loc=series.scaler.loc,
        scale=series.scaler.scale,
    )
    np.testing.assert_allclose(
        found["point"], ours["seqcast"].to_numpy().reshape(2, HORIZON), rtol=1e-4, atol=1e-4
    )


@pytest.mark.parametrize("gaps", [0.0, 0.1])
def test_the_calendar_is_computed_from_stamps(gaps, tmp_path, run_file):
    names = ("day_of_week", "day_of_year")
    df = frame(("a", "b"), 120, gaps=gaps)
    forecaster = fitted(df, calendar=names)
    forecaster.export(tmp_path / "model.onnx")
    session = run_file(tmp_path / "model.onnx")
    assert session.inputs["stamps"] == ["batch", "time"]
    assert session.metadata["past"]["calendar"] == list(names)
    for length in (60, 9 if gaps else 50):
        new = frame(("n1", "n2"), length, gaps=gaps, seed=length)
        stamps = pd.date_range("2024-01-01", periods=length + HORIZON)
        seconds = np.tile((stamps - pd.Timestamp(0)) / pd.Timedelta(seconds=1), (2, 1)).astype(
            float
        )
        feeds = {"stamps": seconds[:, :length], "future_stamps": seconds[:, length:]}
        found = session(past=values(new), **feeds)["point"]
        ours = forecaster.predict(df=new)["seqcast"].to_numpy().reshape(2, HORIZON)
        np.testing.assert_allclose(found, ours, rtol=1e-4, atol=1e-4)


def test_extreme_series(tmp_path, run_file):
    forecaster = fitted(frame(("a", "b"), 120, gaps=0.1), scale="standard")
    forecaster.export(tmp_path / "model.onnx")
    session = run_file(tmp_path / "model.onnx")
    new = frame(("n1", "n2", "n3", "n4"), 40)
    new.loc[new["unique_id"] == "n1", "y"] = 5.0
    new.loc[new["unique_id"] == "n2", "y"] = 0.0
    new.loc[new["unique_id"] == "n3", "y"] *= 1e9
    new.loc[new["unique_id"] == "n4", "y"] += 1e9
    ours = forecaster.predict(df=new)["seqcast"].to_numpy().reshape(4, HORIZON)
    np.testing.assert_allclose(session(past=values(new))["point"], ours, rtol=1e-5, atol=1e-4)
    assert np.isfinite(session(past=np.full((1, 5), np.nan))["point"]).all()


# ---------------------------------------------------------------- the file itself


@pytest.fixture(scope="module")
def forecaster():
    return fitted(frame(("a", "b"), 120))


def test_it_tells_what_it_is(forecaster, tmp_path, run_file):
    forecaster.export(tmp_path / "model.onnx")
    model = onnx.load(tmp_path / "model.onnx")
    onnx.checker.check_model(model, full_check=True)
    assert model.producer_name == "seqcast"
    assert [each.version for each in model.opset_import] == [21]
    forecaster.save(tmp_path / "model.seqcast")
    Forecaster.load(tmp_path / "model.seqcast").export(tmp_path / "loaded.onnx")
    assert (tmp_path / "loaded.onnx").read_bytes() == (tmp_path / "model.onnx").read_bytes()
    session = run_file(tmp_path / "model.onnx")
    assert session.inputs == {"past": ["batch", "time"]}
    told = session.metadata
    assert (told["format"], told["seqcast"]) == (1, seqcast.__version__)
    assert told["horizon"] == HORIZON
    kind = {
        "name": "seqcast",
        "kind": "Forecaster",
        "frequency": "D",
        "season_length": 7,
        "missing": "fill",
    }
    assert told["model"] == kind
    assert told["past"] == {
        "targets": ["y"],
        "context_length": forecaster.context_length_,
        "features": [],
        "calendar": [],
        "scaling": "past",
        "scale": forecaster.series_state_.scale,
    }
    probabilities = [each["probability"] for each in told["outputs"]["quantiles"]]
    assert probabilities == [0.025, 0.1, 0.9, 0.975]


WRONG = [
    ({"horizon": 0}, "horizon: expected a whole number >= 1, received 0"),
    ({"horizon": "all"}, "horizon: .*'any'"),
    ({"scaling": "window"}, "scaling: .*'past'"),
]


@pytest.mark.parametrize(("options", "message"), WRONG)
def test_what_is_in_the_way(forecaster, options, message, tmp_path, monkeypatch):
    rejected(SpecError, message, forecaster.export, tmp_path / "model.onnx", **options)
    with pytest.raises(NotFittedError):
        Forecaster(3).export(tmp_path / "model.onnx")
    with pytest.raises(SaveError):
        forecaster.export(tmp_path / "nowhere" / "model.onnx")
    monkeypatch.setitem(sys.modules, "onnx", None)
    rejected(MissingPackageError, r"\[onnx\]'$", forecaster.export, tmp_path / "model.onnx")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("preset", ["pretrained", "auto"])
def test_the_pretrained_network_has_no_operators(preset, tmp_path):
    forecaster = fitted(frame(("a",), 60), preset)
    state = forecaster.fitted_
    zero_shot = [each for each in state.candidates if isinstance(each, FittedZeroShot)]
    forecaster = forecaster.with_fitted(
        replace(state, choice=Choice({zero_shot[0].name: 1.0}), candidates=zero_shot)
    )
    with pytest.raises(
        SpecError, match=r"export: expected networks that were tr.*received a share of 'pretrained'"
    ):
        forecaster.export(tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())
