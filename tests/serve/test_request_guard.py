"""Whom the server answers, and how much it reads of what they send."""

import asyncio
import contextlib
import json
import socket
import threading

import pytest

from seqcast.serve import ServerSettings, create_app

from .clients import Client, newer, running, wait_until

BODY = {"rows": newer("a", 3)}
GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = b"POST /v1/forecast HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def named(models):
    """A server of a name of its own, whose longest body is 100,000 bytes; others have paths there, too."""
    settings = ServerSettings(
        models=models[:1], allow_host=("forecasts.example",), max_body=100_000, watch=0
    )
    app = create_app(settings, bodies={"/files/": 300_000})

    async def read(request):
        size = len(await request.body())
        raise AssertionError(size)

    for own in ("/files/x", "/other", "/v1/nothing"):
        app.router.add_route(own, read, methods=["POST"])
    with Client(app) as client:
        yield client


HOST = (b"host", b"127.0.0.1")


def scope_of(**scope):
    defaults = {
        "type": "http",
        "method": "POST",
        "query_string": b"",
        "path": "/v1/forecast",
        "headers": [],
    }
    return {**defaults, "raw_path": b"", **scope}


def exchange(app, scope, chunks=()):
    """What an application sends, with each chunk of the body that it took; what is not sent never comes."""
    sent = []
    taken = []

    async def receive():
        if len(taken) < len(chunks):
            taken.append(chunks[len(taken)])
            return {"type": "http.request", "body": taken[-1], "more_body": True}
        if scope.get("type") != "websocket":
            await asyncio.Event().wait()
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    asyncio.run(asyncio.wait_for(app(scope_of(**scope), receive, send), 60))
    return sent, taken


OURS = [
    "127.0.0.1:8000",
    "[::1]:8000",
    "192.168.1.5",
    "LOCALHOST:8000",
    "forecasts.example",
    "FORECASTS.example:443",
]
OTHERS = (
    "evil.example 127.0.0.1.evil.example localhost.evil.example [evil] "
    "localhost:80@evil.example not.forecasts.example"
)


@pytest.mark.parametrize("host", [*OURS, *OTHERS.split()])
def test_names_of_others_are_rejected(named, host):
    for method, path, how in (
        ("GET", "/healthz", {}),
        ("GET", "/nothing", {}),
        ("POST", "/v1/forecast", {"json": BODY}),
    ):
        answer = named.request(method, path, headers={"Host": host}, **how)
        if host in OURS:
            assert answer.status_code == (404 if path == "/nothing" else 200), path
        else:
            assert answer.status_code == 403
            assert answer.json()["detail"].startswith("Host: expected this server")


def test_an_open_server_has_any_name(serving):
    with serving(allow_open=True) as client:
        assert client.get("/v1/models", headers={"Host": "any.example"}).status_code == 200


ORIGINS = [
    ("http://127.0.0.1:8000", "127.0.0.1:8000", True),
    ("https://forecasts.example", "127.0.0.1:8000", True),
    ("http://evil.example", "127.0.0.1:8000", False),
    ("http://127.0.0.1:9000", "127.0.0.1:8000", False),
    ("http://localhost:8000", "127.0.0.1:8000", False),
    ("http://127.0.0.1:8000.evil.example", "127.0.0.1:8000", False),
    ("null", "127.0.0.1:8000", False),
]


@pytest.mark.parametrize(("origin", "host", "is_ours"), ORIGINS)
@pytest.mark.parametrize("open_to_all", [False, True])
def test_pages_of_others_are_rejected(origin, host, is_ours, open_to_all):
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


LIMITS = [
    ("/v1/forecast", 100_000),
    ("/v1/nothing", 100_000),
    ("/files/x", 300_000),
    ("/other", 1 << 20),
]


@pytest.mark.parametrize("claimed", [None, b"5", b"99999", b"-1", b"1e9", b"9" * 5000])
@pytest.mark.parametrize(("path", "most"), LIMITS)
def test_bodies_are_counted_while_they_come(named, claimed, path, most):
    headers = [HOST] if claimed is None else [HOST, (b"content-length", claimed)]
    sent, taken = exchange(named.app, {"path": path, "headers": headers}, [b"x" * 10_000] * 1000)
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
            chunks = [b"x" * 10_000] * (size // 10_000)

            async def receive():
                if chunks:
                    return {"type": "http.request", "body": chunks.pop(), "more_body": True}
                await done.wait()
                return {"type": "http.disconnect"}

            async def send(message):
                if message["type"] == "http.response.start":
                    statuses.append(
                        (message["status"], dict(message["headers"]).get(b"retry-after"))
                    )

            return asyncio.create_task(app(scope_of(), receive, send))

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


# ---------------------------------------------------------------- connections


@pytest.fixture(scope="module")
def address():
    with running(ServerSettings(time_limit=0.5)) as (address, _):
        yield address


ENDLESS = [
    (b"GET /healthz HTTP/1.1\r\nx: ", b"y" * 1000),
    (b"GET /healthz?", b"y" * 1000),
    (b"GET /healthz HTTP/1.1\r\n", b"x: y\r\n" * 1000),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n1", b";x=y" * 1000),
    (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x: y\r\n" * 1000),
]


@pytest.mark.parametrize(("first", "again"), ENDLESS)
def test_what_leads_to_nothing_is_not_read_for_ever(address, first, again):
    with socket.create_connection(address, timeout=60) as endless:
        sent = 0
        with contextlib.suppress(ConnectionError):
            endless.sendall(first)
            while sent < 50_000_000:
                endless.sendall(again)
                sent += len(again)
        assert sent < 50_000_000
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(GET)
        assert connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_a_client_that_goes_is_not_computed_for(models):
    settings = ServerSettings(models=models[:1], batch_size=1, time_limit=60, watch=0)
    go = threading.Event()
    asked = []
    with running(settings) as (address, service):

        def run(queries):
            asked.extend(query.horizon for query in queries)
            go.wait(60)
            return [ZeroDivisionError()] * len(queries)

        service.short.run = run
        bodies = [b'{"series": ["a"], "horizon": %d}' % number for number in range(1, 6)]
        clients = [socket.create_connection(address, timeout=60) for _ in bodies]
        for number, (client, body) in enumerate(zip(clients, bodies, strict=True)):
            client.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_until(lambda number=number: len(asked) + len(service.short.queue) == number + 1)
        for client in clients[1:4]:
            client.close()
        wait_until(lambda: len(service.short.queue) == 1)
        go.set()
        for client in (clients[0], clients[4]):
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 500")
            client.close()
        assert asked == [1, 5]
        wait_until(lambda: b'status="499"} 3.0' in service.metrics.text()[0])
