"""Wrong requests: each gets a status of its own and a document that names the fault, never a 5xx."""

import asyncio
import json
import threading
import time

import pytest

from seqcast.errors import DataError, Fix, Option, Phrase
from seqcast.serve import routes as routes_module
from seqcast.serve.problems import MEDIA_TYPE, problem_of
from seqcast.serve.request_bodies import CSV, JSON

from .clients import newer

ROW = {"unique_id": "a", "ds": "2024-03-01", "y": 1.0}


def rows(**changes):
    return {"model": "sales", "rows": [{**ROW, **changes}]}


NEW = {"model": "pretrained", "horizon": 3, "rows": newer("a", 30)}
# A body and what the document says, by its status.
WRONG = {
    400: [
        (rows(unique_id="\ud800"), "body: expected JSON in UTF-8, received unexpected end of hex")
    ],
    404: [({**rows(), "model": "salse"}, "one of 'sales', 'store', 'events', 'pretrained'")],
    413: [
        ({"model": "sales", "rows": [ROW] * 501}, "rows: expected at most 500 rows"),
        (
            {
                "model": "sales",
                "horizon": 50,
                "rows": [{**ROW, "unique_id": str(n)} for n in range(11)],
            },
            "an answer of at most 500 rows",
        ),
    ],
    422: [
        ({"rows": [ROW]}, "model: expected one of"),
        ({**rows(), "model": 3}, "model: expected a valid string, received 3. A name"),
        ({**rows(), "model": "x" * 90_000}, "at most 64 characters, received 'xxx"),
        ({**rows(), "horizn": 3}, "Did you mean 'horizon'?"),
        ({**rows(), "horizon": 0}, "horizon: expected a number greater than or equal to 1"),
        ({**rows(), "horizon": "x"}, "horizon: expected a valid integer, unable to parse"),
        ({**rows(), "horizon": 51}, "horizon: expected at most 50, received 51"),
        ({**rows(), "level": [100]}, "level: expected levels above 1 and below 100 per cent"),
        ({**rows(), "level": [0.8]}, "Levels are per cent: 80, not 0.8."),
        ({**rows(), "level": [95, 80]}, "ascending"),
        ({**rows(), "level": 10**400}, "level"),
        ({"model": "sales", "rows": []}, "rows: expected at least one row, received none"),
        ({"model": "sales", "rows": [ROW, [1]]}, "rows, row 1: expected an object"),
        ({"model": "sales", "rows": {"ds": ["2024-03-01"], "y": [1, 2]}}, "1 in 'ds', 2 in 'y'"),
        ({"model": "sales", "rows": {"y": 1}}, "received no list in 'y'"),
        (rows() | {"rows": [{"unique_id": "a", "ds": "x", "z": 1}]}, "expected a column 'y'"),
        (
            {"model": "sales", "rows": [ROW, {**ROW, "ds": "2024-03-02", "y": "much"}]},
            "y, row 1 (series 'a'): expected numbers, received 'much' in 1 row. Send a number, or null",
        ),
        (rows(y=[1]), "y, row 0: expected a number, text"),
        (rows(y=10**400), "y: expected numbers of 64 bits"),
        (rows(unique_id=3), "unique_id: expected ids of type str"),
        (rows(ds=None), "ds, row 0 (series 'a'): expected a time stamp, received none"),
        (rows(ds="2024-13-01"), "ds, row 0: expected a time as ISO 8601 writes it"),
        (rows(ds="now"), "all or none with a zone, received 'now'"),
        (rows(ds="2024-03-01T00:00:00Z"), "ds: expected time stamps without a zone"),
        ({"model": "sales", "series": ["q"]}, "series: expected series that the model"),
        ({**rows(), "series": ["a"]}, "series: expected none with rows"),
        ({"model": "store", "series": [2**64]}, "series"),
        ({**rows(), "future": [ROW]}, "future: expected none"),
        ({**rows(), "freq": "h"}, "freq: expected none: a model has its own"),
        ({"model": "pretrained", "rows": [ROW]}, "horizon: expected a number of steps"),
        ({"model": "pretrained", "horizon": 3}, "rows: expected rows to forecast from"),
        ({**NEW, "future": [{"unique_id": "a", "ds": "2024-04-01"}]}, "future: expected none"),
        *[
            ({**NEW, "freq": freq}, "freq: expected a pandas offset alias")
            for freq in ("often", "99999999999999999h", "999999999999YE")
        ],
    ],
}


def check(answer, status):
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == MEDIA_TYPE
    document = answer.json()
    assert document["status"] == status
    assert document["detail"] or status == 500
    assert document["error"]
    assert document["request_id"] == answer.headers["x-request-id"]
    return document


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        pytest.param(status, *case, id=case[1][:40])
        for status, cases in WRONG.items()
        for case in cases
    ],
)
def test_wrong_bodies(client, status, body, said):
    document = check(
        client.post("/v1/forecast", content=json.dumps(body), headers={"Content-Type": JSON}),
        status,
    )
    assert said in document["detail"]


def test_fields_of_the_error_are_in_the_document(client):
    body = {"model": "sales", "rows": [*newer("a"), {**ROW, "ds": "2024-03-09T07:00:00"}]}
    document = check(client.post("/v1/forecast", json=body), 422)
    assert document["column"] == "ds"
    assert document["row"] == 5
    assert document["series"] == "a"
    assert document["expected"].startswith("2024-03-06")
    assert document["received"] == "2024-03-09 07:00:00"
    assert document["hint"]


WRITTEN = [
    (b"{", JSON, 400, "body: expected JSON"),
    (
        b'{"rows": [' + b"{}," * 20_000 + b"{}]}",
        JSON,
        413,
        "at most 3,000 lists and objects, received 20,003",
    ),
    (
        b'{"rows": {"y": [' + b"1," * 20_000 + b"1]}}",
        JSON,
        413,
        "at most 11,000 values, received 20,000",
    ),
    (b'{"a": ' + b"[" * 90_000, JSON, 413, "at most 3,000 lists and objects"),
    (b"unique_id,ds,y\n" + b"," * 20_000, CSV, 413, "at most 11,000 values, received 20,002"),
    (b"unique_id,ds,y\na,2024-03-01," + b"9" * 90_000 + b"x\n", CSV, 422, "y: expected numbers"),
    (b"unique_id,ds,y\na,2024-03-01,nan\n", CSV, 422, "y: expected numbers"),
    (b"unique_id,ds,y\na,2024-03-01,1_0\n", CSV, 422, "y: expected numbers"),
    (
        b"unique_id,ds,y\na,2024-03-01,1e999\n",
        CSV,
        422,
        "y, row 0 (series 'a'): expected a finite number",
    ),
    (b"[1]", JSON, 400, "body: expected an object, received [1]"),
    (b'{"rows": NaN}', JSON, 400, "null stands for a missing value"),
    (b'{"a": ' + b"[" * 2_500, JSON, 400, "recursion limit exceeded"),
    (b"\xff\xfe", JSON, 400, "expected value at line 1 column 1"),
    (b'{"horizon": ' + b"9" * 5000 + b"}", JSON, 400, "body: expected JSON"),
    (b"{}", "text/html", 415, "Content-Type: expected application/json"),
    ("ü".encode("latin-1"), "application/json; charset=latin-1", 400, "JSON in UTF-8"),
    (b"unique_id,ds,y\na,2024-03-01\n", CSV, 422, "row 0: expected 3 values"),
    (b"unique_id,ds,ds\na,b,c\n", CSV, 422, "'ds' twice"),
    (b'unique_id,ds,y\n"a,2024-03-01,1\n', CSV, 400, "body: expected CSV"),
    (b"unique_id,ds,y\n", CSV, 422, "at least one row"),
    (b"", CSV, 422, ""),
    (b"unique_id,ds,y\na,1.3.2024,1\n", CSV, 422, "ISO 8601"),
    (b"unique_id,ds,y\na,2024-03-01,much\n", CSV, 422, "y: expected numbers"),
    (
        b"nonsense",
        "application/vnd.apache.arrow.stream",
        415,
        "expected application/json or text/csv",
    ),
    (b"x" * 100_001, JSON, 413, "body: expected at most 100,000 bytes"),
]


@pytest.mark.parametrize(("data", "kind", "status", "said"), WRITTEN)
def test_wrongly_written(client, data, kind, status, said):
    address = "/v1/forecast" + ("" if kind.startswith(JSON) else "?model=sales")
    assert (
        said
        in check(client.post(address, content=data, headers={"Content-Type": kind}), status)[
            "detail"
        ]
    )


def test_wrong_addresses_and_headers(client):
    for address, status, said in (
        ("/v1/forecast?horizon=x", 422, "as an integer, received 'x'"),
        ("/v1/forecast?model=sales&horizon=1&horizon=2", 422, "horizon: expected one value"),
        ("/v1/forecast?modle=sales", 422, "Did you mean 'model'?"),
        ("/v1/nothing", 404, "path"),
    ):
        assert said in check(client.post(address), status)["detail"]
    answer = client.get("/v1/forecast")
    assert check(answer, 405)["expected"] == answer.headers["allow"] == "POST"
    check(client.post("/v1/forecast", json=rows(), headers={"Accept": "image/png"}), 406)
    check(client.post("/v1/forecast", json=rows(), headers={"Content-Encoding": "gzip"}), 415)
    both = client.post("/v1/forecast?horizon=2", json={**rows(), "horizon": 2})
    assert "horizon: expected one value" in check(both, 422)["detail"]


def test_an_answer_that_takes_too_long(serving):
    with serving(time_limit=0.05) as client:
        client.app.state.service.short.run = lambda queries: time.sleep(0.5)
        assert (
            "an answer within 0.05 s"
            in check(client.post("/v1/forecast", json={"rows": [ROW]}), 504)["detail"]
        )


def test_a_body_that_comes_too_slowly(serving):
    async def drops():
        yield b"{"
        await asyncio.sleep(5)

    with serving(time_limit=0.05) as client:
        answer = client.post("/v1/forecast", content=drops(), headers={"Content-Type": JSON})
        assert "a body within 0.05 s" in check(answer, 408)["detail"]


def test_a_queue_that_is_full(serving):
    go = threading.Event()
    with serving(queue=2, time_limit=60, batch_size=1) as client:
        lane = client.app.state.service.short
        run = lane.run
        lane.run = lambda queries: (go.wait(30), run(queries))[1]
        timer = threading.Timer(0.5, go.set)
        timer.start()
        answers = client.all([{"rows": [ROW]}] * 8)
        timer.join()
    rejected = [answer for answer in answers if answer.status_code == 429]
    assert len(rejected) >= 5
    assert {answer.headers["Retry-After"] for answer in rejected} == {"2"}
    assert {answer.status_code for answer in answers} == {200, 429}


def test_an_error_of_ours_says_nothing_of_what_was_sent(serving):
    with serving() as client:
        client.app.state.service.short.run = lambda queries: 1 / 0
        document = check(client.post("/v1/forecast", json={"rows": [ROW]}), 500)
    assert document.pop("request_id")
    title = {"type": "about:blank", "title": "Internal Server Error", "status": 500}
    assert document == {**title, "error": "InternalError", "detail": ""}


def test_long_bodies_are_decoded_one_after_another(serving, monkeypatch):
    inside = []
    most = []
    read = routes_module.read_body

    def watched(*arguments, **options):
        inside.append(1)
        most.append(len(inside))
        time.sleep(0.02)
        inside.pop()
        return read(*arguments, **options)

    monkeypatch.setattr(routes_module, "read_body", watched)
    with serving(time_limit=60) as client:
        answers = client.all([{"rows": [ROW], "model": "sales", "x": "y" * 300_000}] * 6)
    assert {answer.status_code for answer in answers} == {422}
    assert most == [1] * 6


def test_clients_are_told_no_python(client):
    body = {"model": "sales", "rows": [{"unique_id": "a", "ds": "2024-03-01", "volume": 1.0}]}
    document = check(client.post("/v1/forecast", json=body), 422)
    assert "Columns(" not in document["detail"]
    error = DataError(
        "df", expected="a column", hint=Phrase("Name ", Option("columns.y", ...), ".")
    )
    assert problem_of(error)[1]["hint"] == "Name y."
    error = DataError("df", expected="rows in order", hint="df.sort_values()", fix=Fix.SORT)
    hint = "Send the rows of a series in the order of their times."
    assert problem_of(error)[1]["hint"] == hint
    assert problem_of(error)[1]["detail"] == f"rows: expected rows in order. {hint}"
