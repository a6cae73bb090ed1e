"""What users send and get: JSON, CSV; newer rows, new series, known futures, zero-shot, backtests."""

import io

import numpy as np
import pandas as pd
import pytest

from seqcast.forecaster.estimator import Forecaster
from seqcast.serve.app import create_app
from seqcast.serve.bodies import CSV
from seqcast.serve.openapi import EXAMPLES

from .clients import DAYS, Client, newer, panel, rows_of


def frame_of(response):
    assert response.status_code == 200, response.text
    return pd.DataFrame(response.json()["rows"])


def same(answer, expected):
    assert list(answer.columns) == list(expected.columns)
    assert answer.iloc[:, 0].tolist() == expected.iloc[:, 0].tolist()
    assert pd.to_datetime(answer.iloc[:, 1]).tolist() == expected.iloc[:, 1].tolist()
    np.testing.assert_allclose(answer.iloc[:, 2:], expected.iloc[:, 2:], rtol=1e-6)


# ---------------------------------------------------------------- forecasts


def test_newer_rows_go_behind_those_remembered(client, forecasters):
    rows = newer("b")
    answer = frame_of(client.post("/v1/forecast", json={"model": "sales", "rows": rows}))
    df = pd.DataFrame(rows).assign(ds=lambda frame: pd.to_datetime(frame["ds"]))
    same(answer, forecasters["sales"].predict(df=df))
    alone = Forecaster.predict(forecasters["sales"], df=df.assign(unique_id="new"))
    assert not np.allclose(alone["seqcast"], answer["seqcast"])


def test_new_series_and_columns_as_lists(client, forecasters):
    frame = panel(["z"], DAYS[:20])
    columns = {name: [row[name] for row in rows_of(frame)] for name in frame.columns}
    answer = frame_of(
        client.post("/v1/forecast", json={"model": "sales", "horizon": 9, "level": [50], "rows": columns})
    )
    same(answer, forecasters["sales"].predict(9, frame, level=50))


@pytest.mark.parametrize("series", [["c", "a"], None])
def test_remembered_series(client, forecasters, series):
    body = {"model": "sales", **({} if series is None else {"series": series})}
    expected = forecasters["sales"].predict()
    if series:
        expected = expected[expected["unique_id"].isin(series)]
    same(frame_of(client.post("/v1/forecast", json=body)), expected)
    address = "/v1/forecast?model=sales" + "".join(f"&series={name}" for name in series or ())
    same(frame_of(client.post(address)), expected)


def test_known_future_whole_ids_and_names_of_columns(client, forecasters):
    ahead = panel([3, 5], pd.date_range(DAYS[-1] + pd.Timedelta("1D"), periods=4), price=lambda place: place % 2)
    ahead = ahead.rename(columns={"unique_id": "shop", "ds": "day"}).drop(columns="y")
    ahead["shop"] = ahead["shop"].astype("int64")
    expected = forecasters["store"].predict(future=ahead)
    same(frame_of(client.post("/v1/forecast", json={"model": "store", "future": rows_of(ahead)})), expected)
    one = {"model": "store", "future": rows_of(ahead), "series": [5]}
    same(frame_of(client.post("/v1/forecast", json=one)), expected[expected["shop"] == 5])


def test_rows_with_a_future(client, forecasters):
    days = pd.date_range(DAYS[-1] + pd.Timedelta("1D"), periods=6)
    frame = panel([3], days, price=lambda place: place % 2, kind=lambda place: np.where(place % 3, "1", "2"))
    frame = frame.rename(columns={"unique_id": "shop", "ds": "day", "y": "sold"})
    frame["shop"] = frame["shop"].astype("int64")
    rows, ahead = frame.iloc[:2], frame.iloc[2:].drop(columns=["sold", "kind"])
    body = {"model": "store", "rows": rows_of(rows), "future": rows_of(ahead)}
    same(frame_of(client.post("/v1/forecast", json=body)), forecasters["store"].predict(df=rows, future=ahead))


def test_stamps_without_a_step(client, forecasters):
    ahead = pd.DataFrame({"unique_id": "x", "ds": DAYS[-3:] + pd.Timedelta("30D")})
    answer = frame_of(client.post("/v1/forecast", json={"model": "events", "future": rows_of(ahead)}))
    same(answer, forecasters["events"].predict(future=ahead))


@pytest.mark.parametrize("zone", ["Z", "+00:00", "mixed"])
def test_times_with_a_zone_for_the_pretrained_network(client, zone):
    stamps = DAYS[:28].strftime("%Y-%m-%dT%H:%M:%S")
    if zone == "mixed":
        text = [f"{stamp}{'Z' if place % 2 else '+00:00'}" for place, stamp in enumerate(stamps)]
    else:
        text = [stamp + zone for stamp in stamps]
    body = {"model": "pretrained", "horizon": 7, "rows": {"ds": text, "y": [float(p % 7) for p in range(28)]}}
    answer = client.post("/v1/forecast", json=body).json()
    assert answer["rows"][0]["ds"] == "2024-01-29T00:00:00+00:00"
    assert answer["frequency"] == "D"


def test_what_is_missing_is_null_and_comes_back_as_null(client):
    rows = newer("a")
    rows[1]["y"] = None
    assert client.post("/v1/forecast", json={"model": "sales", "rows": rows}).status_code == 200
    backtest = {"model": "pretrained", "horizon": 7, "rows": rows_of(panel(["a"], DAYS[:28]))}
    backtest["rows"][-1]["y"] = None
    answer = client.post("/v1/backtest", json=backtest)
    assert answer.status_code == 200, answer.text
    assert "NaN" not in answer.text


# ---------------------------------------------------------------- formats


def test_csv_in_and_out(client, forecasters):
    frame = pd.DataFrame(newer("b"))
    text = frame.to_csv(index=False)
    response = client.post(
        "/v1/forecast?model=sales&horizon=3&level=80", content=text, headers={"Content-Type": CSV, "Accept": CSV}
    )
    assert response.headers["content-type"].startswith(CSV)
    answer = pd.read_csv(io.StringIO(response.text))
    same(answer, forecasters["sales"].predict(3, frame.assign(ds=pd.to_datetime(frame["ds"])), level=80))


def test_csv_ids_that_look_like_numbers_stay_text(client):
    text = "unique_id,ds,y\n" + "".join(f"007,{day:%Y-%m-%d},{place}\n" for place, day in enumerate(DAYS))
    response = client.post("/v1/forecast?model=sales", content=text, headers={"Content-Type": CSV})
    assert {row["unique_id"] for row in response.json()["rows"]} == {"007"}


def test_csv_for_a_model_with_whole_ids_and_text_that_looks_like_a_number(client):
    text = "shop,day,sold,price,kind\n3,2024-03-01,5,1.5,1\n"
    response = client.post("/v1/forecast?model=store", content=text, headers={"Content-Type": CSV})
    assert response.status_code == 422
    assert response.json()["option"] == "future"  # the rows were taken; the steps ahead are what is missing


# ---------------------------------------------------------------- without a model, and backtests


@pytest.mark.parametrize("path", EXAMPLES)
def test_examples_of_the_description_run(client, path):
    shown = client.get("/openapi.json").json()["paths"][path]["post"]["requestBody"]["content"]
    examples = shown["application/json"]["examples"]
    assert set(examples) == set(EXAMPLES[path])
    answers = [client.post(path, json=example["value"]) for example in examples.values()]
    answers.append(
        client.post(f"{path}?model=pretrained&horizon=7", content=shown[CSV]["example"], headers={"Content-Type": CSV})
    )
    assert [answer.status_code for answer in answers] == [200] * len(answers)
    weeks = [len(answer.json()["rows"]) for answer in answers]
    assert weeks == ([7, 7, 7] if path == "/v1/forecast" else [14, 7])


def test_no_model_at_all():
    frame = panel(["a", "b"], DAYS[:28])
    with Client(create_app()) as client:
        answer = frame_of(client.post("/v1/forecast", json={"horizon": 7, "season_length": 7, "rows": rows_of(frame)}))
    expected = Forecaster(7, preset="pretrained", season_length=7, random_state=0, verbose=0).fit(frame).predict()
    same(answer, expected)


def test_backtest_of_a_model_is_that_of_its_own_network(client, forecasters):
    frame = panel(["a", "b", "c"], pd.date_range("2024-01-01", periods=80))
    answer = frame_of(client.post("/v1/backtest", json={"model": "sales", "n_windows": 2, "rows": rows_of(frame)}))
    expected = forecasters["sales"].backtest(frame, n_windows=2, refit="never")
    same(answer.drop(columns="cutoff"), expected.drop(columns="cutoff"))


# ---------------------------------------------------------------- what is told


def test_models(client):
    told = client.get("/v1/models").json()
    by_name = {model["name"]: model for model in told["models"]}
    assert set(by_name) == {"sales", "store", "events"}
    assert by_name["sales"]["levels"] == [80.0, 95.0]
    assert by_name["store"]["columns"] == {"unique_id": "shop", "ds": "day", "y": ["sold"]}
    assert by_name["store"]["covariates"]["future"] == ["price"]
    assert by_name["events"]["frequency"] is None
    assert len(by_name["sales"]["sha256"]) == 64
    assert told["limits"]["max_rows"] == 500


def test_health_readiness_and_metrics(client):
    assert client.get("/healthz").json() == {"status": "alive"}
    assert client.get("/readyz").json()["status"] == "ready"
    client.post("/v1/forecast", json={"model": "sales", "rows": newer("a")})
    text = client.get("/metrics").text
    for line in (
        'seqcast_requests_total{route="/v1/forecast",status="200"}',
        'seqcast_request_seconds_bucket{le="0.1",route="/v1/forecast"}',
        'seqcast_model_loads_total{model="sales",outcome="loaded"} 1.0',
        "seqcast_batch_size_count",
        "seqcast_queue_length 0.0",
        "seqcast_requests_in_flight 1.0",
        'seqcast_rows_total{model="sales"}',
    ):
        assert line in text


def test_not_ready_before_the_models_are(models, monkeypatch):
    from seqcast.serve.models import ModelShelf
    from seqcast.serve.settings import ServerSettings

    monkeypatch.setattr(ModelShelf, "warm_up", lambda self: None)
    with Client(create_app(ServerSettings(models=models[:1], watch=0)), ready=False) as client:
        for answer in (client.get("/readyz"), client.post("/v1/forecast", json={"rows": newer("a")})):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "2"
        assert client.get("/healthz").status_code == 200


def test_request_id(client):
    assert client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    assert client.get("/healthz", headers={"X-Request-ID": 'a" b'}).headers["x-request-id"] != 'a" b'
