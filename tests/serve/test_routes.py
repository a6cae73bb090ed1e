"""What users send and get, and what the description and `docs/serving.md` promise: `make fuzz-serve` asks thousands."""

import asyncio
import io
import os
import re
import time
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import schemathesis
import typer.main
from hypothesis import HealthCheck, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi import checks

from seqcast.cli.main import app
from seqcast.forecaster.estimator import Forecaster
from seqcast.serve import ServerSettings, create_app
from seqcast.serve.models import ModelShelf
from seqcast.serve.problems import MEDIA_TYPE
from seqcast.serve.request_bodies import CSV
from seqcast.serve.routes import EXAMPLES, ROUTES

from .clients import DAYS, newer, panel, rows_of

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()
FUZZ = int(os.environ.get("SEQCAST_FUZZ_SERVE", 8))
CONFORMANCE = (
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
)
CHECKS = [not_a_server_error, *CONFORMANCE, checks.unsupported_method]


def frame_of(response):
    assert response.status_code == 200, response.text
    return pd.DataFrame(response.json()["rows"])


def same(answer, expected):
    assert list(answer.columns) == list(expected.columns)
    assert answer.iloc[:, 0].tolist() == expected.iloc[:, 0].tolist()
    assert pd.to_datetime(answer.iloc[:, 1]).tolist() == expected.iloc[:, 1].tolist()
    np.testing.assert_allclose(answer.iloc[:, 2:], expected.iloc[:, 2:], rtol=1e-6)


# ---------------------------------------------------------------- forecasts


def forecast(client, address="", **body):
    """Post a body, and return the frame that comes back."""
    return frame_of(client.post(f"/v1/forecast{address}", json=body or None))


def shops(ids, days):
    """Rows for the model `store`."""
    frame = panel(
        ids, days, price=lambda place: place % 2, kind=lambda place: np.where(place % 3, "1", "2")
    )
    frame = frame.rename(columns={"unique_id": "shop", "ds": "day", "y": "sold"})
    return frame.astype({"shop": "int64"})


def test_newer_rows_go_behind_those_remembered(client, forecasters):
    rows = newer("b")
    answer = forecast(client, model="sales", rows=rows)
    df = pd.DataFrame(rows).assign(ds=lambda frame: pd.to_datetime(frame["ds"]))
    same(answer, forecasters["sales"].predict(df=df))
    alone = forecasters["sales"].predict(df=df.assign(unique_id="new"))
    assert not np.allclose(alone["seqcast"], answer["seqcast"])
    rows[1]["y"] = None  # what is missing
    assert len(forecast(client, model="sales", rows=rows)) == len(answer)


def test_new_series_and_columns_as_lists(client, forecasters):
    frame = panel(["z"], DAYS[:20])
    columns = {name: [row[name] for row in rows_of(frame)] for name in frame.columns}
    answer = forecast(client, model="sales", horizon=9, level=[50], rows=columns)
    same(answer, forecasters["sales"].predict(9, frame, level=50))


@pytest.mark.parametrize("series", [["c", "a"], None])
def test_remembered_series(client, forecasters, series):
    expected = forecasters["sales"].predict()
    if series:
        expected = expected[expected["unique_id"].isin(series)]
    same(forecast(client, model="sales", **({"series": series} if series else {})), expected)
    same(
        forecast(client, "?model=sales" + "".join(f"&series={name}" for name in series or ())),
        expected,
    )


def test_known_future_whole_ids_and_names_of_columns(client, forecasters):
    days = pd.date_range(DAYS[-1] + pd.Timedelta("1D"), periods=6)
    ahead = shops([3, 5], days[:4]).drop(columns=["sold", "kind"])
    expected = forecasters["store"].predict(future=ahead)
    same(forecast(client, model="store", future=rows_of(ahead)), expected)
    same(
        forecast(client, model="store", future=rows_of(ahead), series=[5]),
        expected[expected["shop"] == 5],
    )
    rows = shops([3], days)
    rows, ahead = rows.iloc[:2], rows.iloc[2:].drop(columns=["sold", "kind"])
    answer = forecast(client, model="store", rows=rows_of(rows), future=rows_of(ahead))
    same(answer, forecasters["store"].predict(df=rows, future=ahead))


def test_stamps_without_a_step(client, forecasters):
    ahead = pd.DataFrame({"unique_id": "x", "ds": DAYS[-3:] + pd.Timedelta("30D")})
    same(
        forecast(client, model="events", future=rows_of(ahead)),
        forecasters["events"].predict(future=ahead),
    )


@pytest.mark.parametrize("zones", [("Z", "Z"), ("+00:00", "+00:00"), ("+00:00", "Z")])
def test_times_with_a_zone_for_the_pretrained_network(client, zones):
    stamps = DAYS[:28].strftime("%Y-%m-%dT%H:%M:%S")
    text = [stamp + zones[place % 2] for place, stamp in enumerate(stamps)]
    body = {
        "model": "pretrained",
        "horizon": 7,
        "rows": {"ds": text, "y": [float(p % 7) for p in range(28)]},
    }
    answer = client.post("/v1/forecast", json=body).json()
    assert answer["rows"][0]["ds"] == "2024-01-29T00:00:00+00:00"
    assert answer["frequency"] == "D"


# ---------------------------------------------------------------- formats


def post_csv(client, address, text, **headers):
    return client.post(
        f"/v1/forecast?model={address}", content=text, headers={"Content-Type": CSV, **headers}
    )


def test_csv_in_and_out(client, forecasters):
    frame = pd.DataFrame(newer("b"))
    response = post_csv(client, "sales&horizon=3&level=80", frame.to_csv(index=False), Accept=CSV)
    assert response.headers["content-type"].startswith(CSV)
    answer = pd.read_csv(io.StringIO(response.text))
    same(
        answer,
        forecasters["sales"].predict(3, frame.assign(ds=pd.to_datetime(frame["ds"])), level=80),
    )


def test_text_of_csv_that_looks_like_numbers_is_what_the_model_has(client):
    text = "unique_id,ds,y\n" + "".join(
        f"007,{day:%Y-%m-%d},{place}\n" for place, day in enumerate(DAYS)
    )
    assert {row["unique_id"] for row in post_csv(client, "sales", text).json()["rows"]} == {"007"}
    # Of a model with whole ids and a column of text.
    response = post_csv(client, "store", "shop,day,sold,price,kind\n3,2024-03-01,5,1.5,1\n")
    assert response.status_code == 422
    assert (
        response.json()["option"] == "future"
    )  # the rows were taken; the steps ahead are what is missing


# ---------------------------------------------------------------- without a model


UNNAMED = "day,sold\n" + "".join(f"2024-01-{day:02d},{day % 7}\n" for day in range(1, 29))


def guess(client, body=UNNAMED):
    return client.post(
        "/v1/forecast?model=pretrained&horizon=2", content=body, headers={"Content-Type": CSV}
    )


def slow_to_guess(rows=2000):
    """A table within the limits that takes some seconds to guess."""
    cells = [",".join(f"{column}a{row}" for column in range(50)) for row in range(rows)]
    return "\n".join([",".join(f"c{column}" for column in range(50)), *cells])


@pytest.mark.timing
def test_a_guess_delays_no_other_request(serving):
    async def ask(client):
        address = "/v1/forecast?model=pretrained&horizon=2"
        sent = client.post(address, content=slow_to_guess(), headers={"Content-Type": CSV})
        guessing = asyncio.create_task(sent)
        start = time.perf_counter()
        times = []
        while not guessing.done():
            begun = time.perf_counter()
            assert (await client.get("/healthz")).status_code == 200
            times.append(time.perf_counter() - begun)
            await asyncio.sleep(0.005)  # as a client that looks now and then
        return times, time.perf_counter() - start, guessing.result().status_code

    with serving(models=(), guess_limit=60) as client:
        assert guess(client).status_code == 200
        times, seconds, status = client.run(ask, client.client)
    assert status == 422
    assert len(times) > 10
    assert max(times) < seconds / 2


@pytest.mark.processes
def test_a_guess_ends_in_time_and_the_next_one_succeeds(serving):
    with serving(models=(), guess_limit=2) as client:
        assert guess(client).json()["read"] == "time: day, value: sold"
        answer = guess(client, slow_to_guess(6000))
        assert answer.status_code == 413
        assert answer.json()["expected"] == "a table whose columns are guessed in 2 s"
        assert guess(client).status_code == 200


@pytest.mark.processes
def test_few_guesses_wait(serving):
    with serving(models=()) as client:

        async def ask():
            address = "/v1/forecast?model=pretrained&horizon=2"
            asked = (
                client.client.post(address, content=UNNAMED, headers={"Content-Type": CSV})
                for _ in range(12)
            )
            return [answer.status_code for answer in await asyncio.gather(*asked)]

        assert sorted(client.run(ask)) == [200] * 8 + [429] * 4
        assert guess(client).status_code == 200


def test_long_answers_are_the_same_as_short_ones(serving):
    """A long one is written piece by piece."""
    rows = rows_of(panel([f"s{n}" for n in range(60)], DAYS[:14]))
    with serving(max_rows=5000, max_horizon=100) as client:
        for accept in ("application/json", CSV):
            body = {"rows": rows, "horizon": 50}
            answer = client.post("/v1/forecast", json=body, headers={"Accept": accept})
            assert "content-length" not in answer.headers
            short = client.post(
                "/v1/forecast", json={"rows": rows[:28], "horizon": 50}, headers={"Accept": accept}
            )
            assert "content-length" in short.headers
            table, first = (
                frame_of(each) if accept != CSV else pd.read_csv(io.StringIO(each.text))
                for each in (answer, short)
            )
            assert len(table) == 60 * 50
            pd.testing.assert_frame_equal(table[:100], first, rtol=1e-6)


def test_open_answers_share_a_memory(serving):
    with serving() as client:
        service = client.app.state.service
        body = {"model": "sales", "rows": newer("a")}
        assert client.post("/v1/forecast", json=body).status_code == 200
        most = 4 * service.settings.max_answer
        long = {**body, "horizon": 1000, "level": [80, 81, 82, 83]}
        releases = [service.reserve(SimpleNamespace(answer_bytes=most // 4)) for _ in range(4)]
        assert (
            client.post("/v1/forecast", json=body).status_code == 200
        )  # short ones need no reserve
        rejected = client.post("/v1/forecast", json=long)
        assert (rejected.status_code, rejected.headers["retry-after"]) == (429, "1")
        for release in (releases[0], *releases):
            release()  # a second time has no effect
        assert client.post("/v1/forecast", json=long).status_code == 200
        assert service.reserve(SimpleNamespace(answer_bytes=most))  # all of it is free again


def test_no_model_at_all(serving):
    frame = panel(["a", "b"], DAYS[:28])
    with serving(models=()) as client:
        answer = forecast(client, horizon=7, season_length=7, rows=rows_of(frame))
    expected = (
        Forecaster(7, preset="pretrained", season_length=7, random_state=0, verbose=0)
        .fit(frame)
        .predict()
    )
    same(answer, expected)


# ---------------------------------------------------------------- models, health, metrics


def test_models(client):
    listed = client.get("/v1/models").json()
    by_name = {model["name"]: model for model in listed["models"]}
    assert set(by_name) == {"sales", "store", "events"}
    assert by_name["sales"]["levels"] == [80.0, 95.0]
    assert by_name["store"]["columns"] == {"unique_id": "shop", "ds": "day", "y": ["sold"]}
    assert by_name["store"]["covariates"]["future"] == ["price"]
    assert by_name["events"]["frequency"] is None
    assert len(by_name["sales"]["sha256"]) == 64
    assert listed["limits"]["max_rows"] == 500


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


def test_not_ready_before_the_models_are(serving, monkeypatch):
    monkeypatch.setattr(ModelShelf, "warm_up", lambda self: None)
    with serving(ready=False) as client:
        for answer in (
            client.get("/readyz"),
            client.post("/v1/forecast", json={"rows": newer("a")}),
        ):
            assert answer.status_code == 503
            assert answer.headers["Retry-After"] == "2"
        assert client.get("/healthz").status_code == 200


def test_request_id(client):
    assert (
        client.get("/healthz", headers={"X-Request-ID": "abc-1"}).headers["x-request-id"] == "abc-1"
    )
    assert (
        client.get("/healthz", headers={"X-Request-ID": 'a" b'}).headers["x-request-id"] != 'a" b'
    )


# ---------------------------------------------------------------- the description, and the page


def test_examples_of_the_description_run(client):
    shown = client.get("/openapi.json").json()["paths"]["/v1/forecast"]["post"]["requestBody"][
        "content"
    ]
    assert shown["application/json"]["schema"]["examples"] == EXAMPLES
    answers = [client.post("/v1/forecast", json=example) for example in EXAMPLES]
    address = "/v1/forecast?model=pretrained&horizon=7&level=80"
    answers.append(
        client.post(address, content=shown[CSV]["example"], headers={"Content-Type": CSV})
    )
    assert [len(answer.json()["rows"]) for answer in answers] == [7] * 3
    assert answers[0].json() == answers[1].json() == answers[2].json()


@pytest.fixture(scope="module")
def one(serving):
    """A server with one model, so that bodies without a name reach it."""
    with serving(max_rows=200, time_limit=300) as client:
        yield client


@schemathesis.openapi.from_dict(create_app().openapi()).parametrize()
@settings(
    max_examples=FUZZ, suppress_health_check=list(HealthCheck), derandomize=FUZZ == 8, database=None
)
def test_requests_made_from_the_description(case, one):
    how = case.as_transport_kwargs(base_url="http://127.0.0.1")
    method = how.pop("method")
    url = how.pop("url")
    for name in (
        "cookies",
        "auth",
        "timeout",
        "verify",
        "cert",
        "proxies",
        "allow_redirects",
        "stream",
        "hooks",
    ):
        how.pop(name, None)
    if isinstance(how.get("data"), bytes | str):
        how["content"] = how.pop("data")
    response = one.request(method, url, **how)
    case.validate_response(schemathesis.Response.from_httpx(response, verify=False), checks=CHECKS)


def test_every_route_is_described_and_every_problem_too(tmp_path, monkeypatch):
    monkeypatch.setenv("SEQCAST_API_KEYS", "shop:" + "0" * 64)
    paths = create_app().openapi()["paths"]
    assert set(paths) == ROUTES == set(re.findall(r"/(?:v1/\w+|healthz|readyz|metrics)\b", PAGE))
    operations = {
        path: operation for path, methods in paths.items() for operation in methods.values()
    }
    for operation in operations.values():
        for status, answer in operation["responses"].items():
            assert (MEDIA_TYPE in answer["content"]) == (status != "200")
    guarded = {path for path, operation in operations.items() if "security" in operation}
    assert guarded == {"/v1/forecast", "/v1/models", "/metrics"}


@pytest.mark.documents
def test_the_code_of_the_page_runs():
    names = {}
    code = "\n".join(re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL))
    exec(compile(code, "docs/serving.md", "exec"), names)
    assert "/about" in names["app"].openapi()["paths"]


def test_options_defaults_and_metrics_of_the_page_are_there(client):
    command = typer.main.get_command(app).commands["serve"]
    options = {name for parameter in command.params for name in parameter.opts}
    assert (
        set(re.findall(r"(?<=[`( ])--[a-z][a-z-]+", PAGE.partition("## Figures")[0]))
        - {"--data-binary"}
        <= options
    )
    defaults = {field.name: field.default for field in fields(ServerSettings)}
    for name, text in {
        "max_body": "16 MiB",
        "max_rows": "100,000",
        "max_horizon": "1,000",
        "queue": "256",
    }.items():
        assert f"| `--{name.replace('_', '-')}` | {text} |" in PAGE
        number, _, unit = text.partition(" ")
        assert int(number.replace(",", "")) * (2**20 if unit else 1) == defaults[name]
    assert f"| `--time-limit` | {defaults['time_limit']:g} s |" in PAGE
    counted = client.get("/metrics").text
    for name in re.findall(r"`(seqcast_\w+)", PAGE):
        assert name in counted
