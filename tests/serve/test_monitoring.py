"""A line a request, of JSON, that holds nothing of what was sent."""

import asyncio
import io
import json
import logging
import threading
import warnings

from seqcast.serve import entry_of, new_key
from seqcast.serve.monitoring import log_event, logging_everything

from .clients import newer


def test_a_line_says_what_was_asked_and_how_it_ended(serving, tmp_path):
    written = io.StringIO()
    key = new_key()
    path = tmp_path / "keys"
    path.write_text(entry_of("shop", key))
    with logging_everything(written), serving(keys=path) as client:
        secret = [{**row, "unique_id": "secret-name", "y": 98765.4321} for row in newer("a", 20)]
        client.post(
            "/v1/forecast", json={"rows": secret}, headers={"X-API-Key": key, "X-Request-ID": "r1"}
        )
        client.post("/v1/forecast", json={"rows": newer("a") * 2}, headers={"X-API-Key": key})
        client.get("/v1/secret-path", headers={"X-API-Key": "secret-key"})
    lines = [json.loads(line) for line in written.getvalue().splitlines()]
    requests = [line for line in lines if line["event"] == "request"]
    said = {
        "id": "r1",
        "method": "POST",
        "route": "/v1/forecast",
        "status": 200,
        "model": "sales",
        "rows": 20,
    }
    assert (said | {"key": "shop"}).items() <= requests[0].items()
    assert requests[0]["ms"] > 0
    assert [line["status"] for line in requests] == [200, 422, 403]
    assert requests[1]["error"] == "DataError"
    assert requests[2]["route"] == "other"
    assert {line["event"] for line in lines} == {"request", "model", "ready", "stop"}
    for secret in ("secret", "98765", key, "seqcast-lo"):
        assert secret not in written.getvalue()


def test_without_a_stream_nothing_is_written(capfd):
    log_event("request", id="x")
    assert capfd.readouterr() == ("", "")


class Dropped:
    """Fails where Python drops what it raises."""

    def __del__(self):
        raise ValueError("secret")


def test_lines_of_others_are_json_and_hold_no_values():
    stream = io.StringIO()
    before = logging.getLogger().handlers[:]

    async def forgotten():
        asyncio.get_running_loop().call_exception_handler(
            {"message": "nobody looked", "exception": KeyError("secret")}
        )
        asyncio.get_running_loop().call_soon(lambda: 1 / 0)
        await asyncio.sleep(0)

    with logging_everything(stream):
        try:
            raise ValueError("secret")
        except ValueError:
            logging.getLogger("uvicorn.error").exception("Exception in ASGI application\nsecret")
        logging.getLogger("some.library").warning("strange value %s", "secret")
        logging.getLogger("some.library").error(ValueError("secret"))
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            warnings.warn("secret", RuntimeWarning, stacklevel=1)
        asyncio.run(forgotten())
        thread = threading.Thread(target=lambda: int("secret"))
        thread.start()
        thread.join()
        Dropped()
        log_event("stop")
    assert logging.getLogger().handlers == before
    lines = [json.loads(line) for line in stream.getvalue().splitlines()]
    assert "secret" not in stream.getvalue()
    assert [line.get("text") for line in lines[:2]] == [
        "Exception in ASGI application",
        "strange value %s",
    ]
    assert lines[0]["error"].startswith("ValueError at ")
    assert lines[3]["error"].endswith(": RuntimeWarning")
    assert [line["event"] for line in lines] == [
        *("log", "log", "log", "warning", "log", "log", "lost", "lost", "stop"),
    ]
    assert [line["error"].partition(" ")[0] for line in lines[4:8]] == [
        *("KeyError", "ZeroDivisionError", "ValueError", "ValueError"),
    ]
