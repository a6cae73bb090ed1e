"""The page's process: what its own paths reject, who counts as a visitor, and what stays of those who have left."""

import asyncio
import json
import re
from urllib.parse import urlencode

import httpx
import pytest
from websockets.sync.client import connect

from seqcast.app.settings import AppSettings

pytestmark = pytest.mark.processes
SOCKET = "/_nicegui_ws/socket.io/"


@pytest.fixture
def visitor(served):
    with httpx.Client(base_url=served.url, timeout=60) as client:
        yield client


def form(size):
    """A form with a file of so many bytes, in pieces."""
    yield b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\nContent-Type: text/csv\r\n\r\n'
    for _ in range(size >> 20):
        yield b"x" * (1 << 20)
    yield b"\r\n--b--\r\n"


@pytest.mark.parametrize("is_claimed", [False, True])
def test_an_upload_is_counted_while_it_comes(visitor, is_claimed):
    client = re.search(r"client_id\W+([\w-]+)", visitor.get("/").text)[1]
    facts = {"client_id": client, "tab_id": client, "document_id": client, "next_message_id": "0"}
    how = {"EIO": "4", "transport": "websocket", "implicit_handshake": "true"}
    address = str(visitor.base_url).replace("http", "ws").rstrip("/") + SOCKET
    with connect(f"{address}?{urlencode({**how, **facts})}", max_size=None) as live:
        live.send("40")
        while (
            route := re.search(r"/_nicegui/client/[\w-]+/upload/\d+", str(live.recv(60)))
        ) is None:
            pass
        check_upload(visitor, route[0], is_claimed)


def check_upload(visitor, route, is_claimed):
    size = (AppSettings().max_upload + 3) << 20
    headers = {"Content-Type": "multipart/form-data; boundary=b"}
    if is_claimed:
        headers["Content-Length"] = str(sum(map(len, form(size))))
    try:
        answer = visitor.post(route, content=form(size), headers=headers)
        assert answer.status_code == 413
        assert answer.json()["expected"].startswith("at most")
    except (httpx.WriteError, httpx.ReadError):
        assert visitor.get("/healthz").status_code == 200


HEADERS = [
    ({}, 200),
    ({"Origin": "http://evil.example"}, 403),
    ({"Origin": "null"}, 403),
    ({"Host": "evil.example"}, 403),
    ({"Host": "evil.example", "Origin": "http://evil.example"}, 403),
]


@pytest.mark.parametrize(("headers", "status"), HEADERS)
def test_other_sites_get_nothing(visitor, headers, status):
    assert visitor.get("/", headers=headers).status_code == status
    assert visitor.get(
        SOCKET, params={"EIO": "4", "transport": "polling"}, headers=headers
    ).status_code in ((status,) if status == 403 else (200, 400))
    handshake = {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
    with visitor.stream(
        "GET",
        SOCKET,
        params={"EIO": "4", "transport": "websocket"},
        headers={**handshake, "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==", **headers},
    ) as answer:
        assert answer.status_code == (101 if status == 200 else 403)


def test_no_page_of_the_server_loads_a_foreign_script(visitor):
    assert visitor.get("/docs").status_code == 404
    assert not re.search(r"(?:src|href)=[\"']?(?:https?:)?//", visitor.get("/").text)
    assert "paths" in json.loads(visitor.get("/openapi.json").text)


# ---------------------------------------------------------------- visitors who come and go


def test_who_only_asks_for_the_page_takes_nobodys_place(visitors, counting):
    for _ in range(20):
        assert httpx.get(counting.url, timeout=60).status_code == 200
    assert counting.held()["sessions"] == 0
    # A visitor comes all the same: the count after the visit says that the table was read, and let
    # go.
    assert asyncio.run(visitors.visit(counting.url, 4, visitors.table(0.1)))[-1]["sessions"] == 0


def test_nothing_stays_of_visitors_who_have_left(visitors, counting):
    for counts in asyncio.run(visitors.visit(counting.url, 8, visitors.table(0.1))):
        assert counts["sessions"] == 0
        assert counts["frames"] == 0
