"""Whom the server answers, and how much it reads of what they send."""

import asyncio
import json

import pytest

from seqcast.serve.app import create_app
from seqcast.serve.settings import ServerSettings

from .clients import Client, newer

BODY = {"rows": newer("a", 3)}


@pytest.fixture(scope="module")
def named(models):
    """A server of a name of its own, whose longest body is 100,000 bytes."""
    settings = ServerSettings(models=models[:1], allow_host=("forecasts.example",), max_body=100_000, watch=0)
    with Client(create_app(settings, bodies={"/files/": 300_000})) as client:
        yield client


def exchange(app, scope, parts=()):
    """What an application sends, with each part of the body that it took; what is not sent never comes."""
    sent, taken = [], []

    async def receive():
        if len(taken) < len(parts):
            taken.append(parts[len(taken)])
            return {"type": "http.request", "body": taken[-1], "more_body": True}
        if scope.get("type") != "websocket":
            await asyncio.Event().wait()
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    defaults = {"type": "http", "method": "POST", "query_string": b"", "path": "/v1/forecast", "headers": []}
    asyncio.run(asyncio.wait_for(app({**defaults, "raw_path": b"", **scope}, receive, send), 60))
    return sent, taken


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("evil.example", 403),
        ("evil.example:8000", 403),
        ("127.0.0.1.evil.example", 403),
        ("localhost.evil.example", 403),
        ("[evil]", 403),
        ("localhost:80@evil.example", 403),
        ("127.0.0.1:8000", 200),
        ("[::1]:8000", 200),
        ("192.168.1.5", 200),
        ("LOCALHOST:8000", 200),
        ("forecasts.example", 200),
        ("FORECASTS.example:443", 200),
        ("not.forecasts.example", 403),
    ],
)
def test_names_of_others_are_refused(named, host, status):
    for method, path, how in (
        ("GET", "/healthz", {}),
        ("GET", "/openapi.json", {}),
        ("GET", "/nothing", {}),
        ("POST", "/v1/forecast", {"json": BODY}),
    ):
        answer = named.request(method, path, headers={"Host": host}, **how)
        assert answer.status_code == (404 if status == 200 and path == "/nothing" else status), path
        if status == 403:
            assert answer.json()["detail"].startswith("Host: expected this server")


def test_an_open_server_has_any_name(models):
    with Client(create_app(ServerSettings(models=models[:1], allow_open=True, watch=0))) as client:
        assert client.get("/v1/models", headers={"Host": "any.example"}).status_code == 200


@pytest.mark.parametrize(
    ("origin", "host", "is_ours"),
    [
        ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
        ("https://forecasts.example", "127.0.0.1:8000", True),
        ("http://evil.example", "127.0.0.1:8000", False),
        ("http://127.0.0.1:9000", "127.0.0.1:8000", False),
        ("http://localhost:8000", "127.0.0.1:8000", False),
        ("http://127.0.0.1:8000.evil.example", "127.0.0.1:8000", False),
        ("null", "127.0.0.1:8000", False),
    ],
)
@pytest.mark.parametrize("open_to_all", [False, True])
def test_pages_of_others_are_refused(origin, host, is_ours, open_to_all):
    settings = ServerSettings(allow_host=("forecasts.example",), allow_open=open_to_all)
    app = create_app(settings)

    async def live(socket):
        await socket.accept()

    app.router.add_websocket_route("/live", live)
    headers = [(b"host", host.encode()), (b"origin", origin.encode())]
    sent, _ = exchange(app, {"path": "/healthz", "method": "GET", "headers": headers})
    assert sent[0]["status"] == (200 if is_ours else 403)
    scope = {"type": "websocket", "path": "/live", "headers": headers, "subprotocols": []}
    sent, _ = exchange(app, {**scope, "extensions": {"websocket.http.response": {}}})
    assert sent[0]["type"] == ("websocket.accept" if is_ours else "websocket.http.response.start")
    assert is_ours or sent[0]["status"] == 403


@pytest.mark.parametrize(
    "headers", [[(b"x", b"y")] * 10_000, [(b"x" * 1_000_000, b"y")], [(b"cookie", b"y" * 1_000_000)]]
)
def test_long_heads_are_refused(headers):
    sent, _ = exchange(create_app(), {"path": "/healthz", "method": "GET", "headers": headers})
    assert sent[0]["status"] == 431


@pytest.mark.parametrize("claimed", [None, b"5", b"99999", b"-1", b"1e9", b"9" * 5000])
@pytest.mark.parametrize(
    ("path", "most"), [("/v1/forecast", 100_000), ("/v1/nothing", 100_000), ("/files/x", 300_000), ("/other", 1 << 20)]
)
def test_bodies_are_counted_while_they_come(models, claimed, path, most):
    app = create_app(ServerSettings(models=models[:1], max_body=100_000, watch=0), bodies={"/files/": 300_000})
    app.state.service.shelf.ready.set()

    async def read(request):
        size = len(await request.body())
        raise AssertionError(size)

    for own in ("/files/x", "/other", "/v1/nothing"):
        app.router.add_route(own, read, methods=["POST"])
    headers = [] if claimed is None else [(b"content-length", claimed)]
    sent, taken = exchange(app, {"path": path, "headers": headers}, [b"x" * 10_000] * 1000)
    assert sent[0]["status"] == 413
    assert f"at most {most:,} bytes" in json.loads(sent[1]["body"])["detail"]
    assert most <= sum(map(len, taken)) <= most + 10_000
    assert len(sent) == 2


def test_bodies_that_are_open_share_the_memory(models):
    app = create_app(ServerSettings(models=models[:1], max_body=100_000, watch=0))
    app.state.service.shelf.ready.set()

    async def ask():
        done = asyncio.Event()
        statuses = []

        def request(size):
            parts = [b"x" * 10_000] * (size // 10_000)

            async def receive():
                if parts:
                    return {"type": "http.request", "body": parts.pop(), "more_body": True}
                await done.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                if message["type"] == "http.response.start":
                    statuses.append((message["status"], dict(message["headers"]).get(b"retry-after")))

            scope = {"type": "http", "method": "POST", "query_string": b"", "path": "/v1/forecast", "headers": []}
            return asyncio.create_task(app({**scope, "raw_path": b""}, receive, send))

        tasks = [request(100_000) for _ in range(20)]
        while len(statuses) < 12:
            await asyncio.sleep(0)
        small = request(50_000)  # one that needs little is read however many others are open
        for _ in range(100):
            await asyncio.sleep(0)
        assert len(statuses) == 12
        done.set()
        await asyncio.gather(*tasks, small, return_exceptions=True)
        assert set(statuses) == {(429, b"1")}
        statuses.clear()
        await request(100_000)  # all of it has been given back
        return statuses

    assert asyncio.run(asyncio.wait_for(ask(), 60)) == []
