"""MLflow: a fit in a run, and a model that is logged, loaded and served with the same forecasts."""

import importlib
import json
import os

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast import Forecaster, NetworkSpec, Seq2SeqRegressor
from seqcast.baselines import LastValue
from seqcast.data.datasets import load
from seqcast.errors import DataError, NotFittedError, SeqcastWarning, SpecError
from seqcast.interop import mlflow as ours
from seqcast.runtime.executors import LokyExecutor
from tests.rejections import rejected

from .conftest import FUTURE, OPTIONS, PAST, SMALL

# What MLflow warns of itself, of SQLAlchemy and its own type hints; ours stay errors.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.filterwarnings("error::seqcast.errors.SeqcastWarning"),
]

SMALL = {**SMALL, "epochs": 2}


@pytest.fixture(scope="session")
def empty_store(tmp_path_factory):
    """The tables of a store, which take seconds to make."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
        mlflow = pytest.importorskip("mlflow")
        pytest.importorskip("alembic")
        path = tmp_path_factory.mktemp("mlflow") / "runs.db"
        mlflow.MlflowClient(tracking_uri=f"sqlite:///{path}").search_experiments()
    return path


@pytest.fixture
def mlflow(empty_store, tmp_path, monkeypatch):
    """MLflow with a store of its own, and nothing that goes out."""
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "runs.db").write_bytes(empty_store.read_bytes())
    package = pytest.importorskip("mlflow")
    package.set_tracking_uri(f"sqlite:///{tmp_path / 'runs.db'}")
    number = package.create_experiment("tests", artifact_location=str(tmp_path / "artifacts"))
    package.set_experiment(experiment_id=number)
    yield package
    while package.active_run():
        package.end_run()
    package.set_tracking_uri(None)


@pytest.fixture(scope="module")
def forecaster():
    return Forecaster(12, **OPTIONS).fit(load("elnino"))


def metrics(mlflow, run, name):
    return [
        (each.step, each.value)
        for each in mlflow.MlflowClient().get_metric_history(run.info.run_id, name)
    ]


def served(mlflow, uri, body):
    """The answer of MLflow's server to a request, and its status."""
    server = pytest.importorskip("mlflow.pyfunc.scoring_server")
    client = pytest.importorskip("fastapi.testclient")
    answer = client.TestClient(server.init(mlflow.pyfunc.load_model(uri))).post(
        "/invocations", json=body
    )
    return answer.status_code, answer.json()


def as_json(frame):
    return json.loads(frame.to_json(orient="split", date_format="iso", index=False))


# ---------------------------------------------------------------- a fit in a run


def test_a_run_holds_a_fit(mlflow):
    with mlflow.start_run() as run:
        model = ours.log_fit(Forecaster(12, **OPTIONS), load("elnino"), every_n_steps=2)
    for name in ("loss", "val_loss"):
        assert metrics(mlflow, run, name) == list(enumerate(model.history_[name], 1))
    assert [step for step, _ in metrics(mlflow, run, "step/loss")] == [2, 4, 6]
    assert len(metrics(mlflow, run, "learning_rate")) == 2
    data = mlflow.get_run(run.info.run_id).data
    assert data.params["horizon"] == "12"
    assert json.loads(data.params["preset"])["encoder_units"] == [4]
    assert (data.params["fit.freq"], data.params["fit.seed"]) == ("MS", "0")
    assert data.metrics["best_val_loss"] == min(model.history_["val_loss"])
    assert data.tags["seqcast.estimator"] == "Forecaster"
    figures = mlflow.MlflowClient().list_artifacts(run.info.run_id, "figures")
    assert [each.path for each in figures] == ["figures/forecast.png", "figures/learning_curve.png"]
    (logged,) = mlflow.search_logged_models(output_format="list")
    assert logged.source_run_id == run.info.run_id
    pd.testing.assert_frame_equal(ours.load_model(logged.model_uri).predict(), model.predict())


def test_without_a_run_there_is_a_new_one_that_ends(mlflow):
    model = ours.log_fit(Seq2SeqRegressor(**SMALL), PAST, FUTURE, model=False, figures=False)
    assert mlflow.active_run() is None
    with pytest.raises(DataError):
        ours.log_fit(Forecaster(12, **OPTIONS), pd.DataFrame({"y": [1.0]}))
    failed, run = mlflow.search_runs(output_format="list")
    assert (run.info.status, failed.info.status) == ("FINISHED", "FAILED")
    assert metrics(mlflow, run, "val_loss") == list(enumerate(model.history_["val_loss"], 1))
    assert mlflow.MlflowClient().list_artifacts(run.info.run_id, "figures") == []
    assert mlflow.search_logged_models(output_format="list") == []


def test_worker_processes_log_to_the_same_run(mlflow, monkeypatch):
    monkeypatch.setattr(
        "seqcast.engine.training_jobs.choose_executor", lambda jobs: LokyExecutor(2)
    )
    with mlflow.start_run() as run:
        model = ours.log_fit(
            Forecaster(12, **OPTIONS, members=2), load("elnino"), model=False, figures=False
        )
    for number, history in enumerate(model.histories_, 1):
        assert metrics(mlflow, run, f"network-{number}/loss") == list(enumerate(history["loss"], 1))


def test_what_the_server_does_not_take_is_said_once(mlflow):
    log = ours.MlflowLog("0" * 32)  # there is no such run
    model = Seq2SeqRegressor(**SMALL)
    with pytest.warns(SeqcastWarning, match="training goes on without") as warned:
        model.fit(PAST, FUTURE, callbacks=[log])
    assert len([each for each in warned if each.category is SeqcastWarning]) == 1
    assert len(model.history_) == 2


# ---------------------------------------------------------------- log, load, serve: the same
# forecast


def test_a_forecaster_that_is_served_forecasts_the_same(mlflow, forecaster):
    uri = ours.log_model(forecaster, "elnino").model_uri
    model = mlflow.pyfunc.load_model(uri)
    frame = load("elnino")
    pd.testing.assert_frame_equal(model.predict(frame), forecaster.predict(df=frame))
    pd.testing.assert_frame_equal(
        model.predict(frame, params={"horizon": 5}), forecaster.predict(5, df=frame)
    )
    pd.testing.assert_frame_equal(model.predict(frame[:0]), forecaster.predict())
    newer = pd.DataFrame({"unique_id": "new", "ds": frame["ds"], "y": 2 * frame["y"]})
    status, answer = served(
        mlflow, uri, {"dataframe_split": as_json(newer), "params": {"horizon": 3}}
    )
    assert status == 200
    told = pd.DataFrame(answer["predictions"])
    assert told["seqcast"].tolist() == forecaster.predict(3, df=newer)["seqcast"].tolist()
    assert pd.to_datetime(told["ds"]).tolist() == forecaster.predict(3, df=newer)["ds"].tolist()


def test_levels(mlflow, tmp_path):
    normal = NetworkSpec(encoder_units=(4,), decoder_units=(4,), head="normal")
    forecaster = Forecaster(12, **{**OPTIONS, "preset": normal, "level": (80,)}).fit(load("elnino"))
    ours.save_model(forecaster, tmp_path / "model")
    model = mlflow.pyfunc.load_model(str(tmp_path / "model"))
    frame = load("elnino")
    pd.testing.assert_frame_equal(model.predict(frame), forecaster.predict(df=frame))
    told = model.predict(frame, params={"level": [50.0], "horizon": 2})
    pd.testing.assert_frame_equal(told, forecaster.predict(2, df=frame, level=[50]))


def test_future_covariates_are_rows_after_the_last_value(mlflow, tmp_path):
    days = pd.date_range("2024-01-01", periods=60, tz="Europe/Berlin")
    series = [
        pd.DataFrame({"unique_id": name, "ds": days, "price": np.sin(np.arange(60.0))})
        for name in "ab"
    ]
    frame = pd.concat(series, ignore_index=True)
    frame["y"] = 3 + 2 * frame["price"]
    ahead = frame["ds"] >= days[54]
    frame.loc[frame.index[10], "y"] = np.nan  # a gap is no future
    known = frame[~ahead]
    future = frame.loc[ahead, ["unique_id", "ds", "price"]]
    forecaster = Forecaster(6, **OPTIONS, future_covariates=["price"]).fit(known)
    ours.save_model(forecaster, tmp_path / "model")
    expected = forecaster.predict(df=known, future=future)
    asked = frame.assign(y=frame["y"].where(~ahead))
    pd.testing.assert_frame_equal(
        mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(asked), expected
    )
    status, answer = served(mlflow, str(tmp_path / "model"), {"dataframe_split": as_json(asked)})
    assert status == 200
    assert pd.DataFrame(answer["predictions"])["seqcast"].tolist() == expected["seqcast"].tolist()


def test_a_forecaster_of_polars_frames_is_served_too(mlflow, tmp_path):
    frame = load("elnino")
    forecaster = Forecaster(12, **OPTIONS).fit(pl.from_pandas(frame))
    ours.save_model(forecaster, tmp_path / "model")
    made = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict(frame)
    assert (
        made["seqcast"].tolist()
        == forecaster.predict(df=pl.from_pandas(frame))["seqcast"].to_list()
    )


def test_a_regressor_that_is_served_forecasts_the_same(mlflow, tmp_path):
    regressor = Seq2SeqRegressor(**SMALL).fit(PAST, FUTURE)
    uri = ours.log_model(regressor).model_uri
    model = mlflow.pyfunc.load_model(uri)
    assert (model.predict(PAST) == regressor.predict(PAST)).all()
    assert (
        model.predict({"past": PAST}, params={"horizon": 7}) == regressor.predict(PAST, 7)
    ).all()
    assert isinstance(ours.load_model(uri), Seq2SeqRegressor)
    status, answer = served(mlflow, uri, {"inputs": PAST[:2].tolist()})
    assert status == 200
    assert np.array(answer["predictions"]) == pytest.approx(regressor.predict(PAST[:2]), rel=1e-6)
    covariates = {"static_covariates": np.ones((64, 2)), "future_covariates": np.zeros((64, 3, 1))}
    regressor = Seq2SeqRegressor(**SMALL).fit(PAST, FUTURE, **covariates)
    ours.save_model(regressor, tmp_path / "model")
    given = {name.removesuffix("_covariates"): values for name, values in covariates.items()}
    told = mlflow.pyfunc.load_model(str(tmp_path / "model")).predict({"past": PAST, **given})
    assert (told == regressor.predict(PAST, **covariates)).all()


# ---------------------------------------------------------------- the model's folder


def test_a_model_holds_no_pickle_and_names_its_versions(mlflow, forecaster, tmp_path):
    import seqcast

    ours.save_model(forecaster, tmp_path / "model", metadata={"owner": "sales"})
    files = {
        path.relative_to(tmp_path / "model").as_posix()
        for path in (tmp_path / "model").rglob("*.*")
    }
    assert "data/forecaster.seqcast" in files
    assert not [name for name in files if name.endswith((".pkl", ".py"))]
    assert (
        f"seqcast=={seqcast.__version__}" in (tmp_path / "model" / "requirements.txt").read_text()
    )
    described = mlflow.models.Model.load(str(tmp_path / "model"))
    assert set(described.flavors) == {"seqcast", "python_function"}
    assert described.metadata == {"owner": "sales"}


# ---------------------------------------------------------------- what is rejected


def test_what_is_no_model(mlflow, tmp_path):
    with pytest.raises(SpecError, match="model: expected a fitted Forecaster or Seq2SeqRegressor"):
        ours.save_model(LastValue(), tmp_path / "model")
    with pytest.raises(SpecError, match="estimator: expected a Forecaster or a Seq2SeqRegressor"):
        ours.log_fit(LastValue(), PAST, FUTURE)
    mlflow.pyfunc.save_model(
        str(tmp_path / "other"), python_model=lambda rows: rows, pip_requirements=[]
    )
    rejected(
        SpecError,
        "model_uri: expected a model that seqcast has saved",
        ours.load_model,
        str(tmp_path / "other"),
    )
    with pytest.raises(NotFittedError):
        ours.save_model(Forecaster(12), tmp_path / "model")
    rejected(SpecError, "run_id: expected an active run", ours.MlflowLog)
    assert not (tmp_path / "model").exists()


def test_usage_data_is_switched_off_unless_the_user_says_so(monkeypatch):
    for given, expected in (("false", "false"), (None, "true")):
        monkeypatch.delenv("MLFLOW_DISABLE_TELEMETRY", raising=False)
        if given:
            monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", given)
        importlib.reload(ours)
        assert os.environ["MLFLOW_DISABLE_TELEMETRY"] == expected
    assert pytest.importorskip("mlflow.telemetry.utils").is_telemetry_disabled()
