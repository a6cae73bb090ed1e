"""Connections as strangers open them, on loopback: silent, slow, endless, many."""

import asyncio
import contextlib
import socket
import threading

import pytest

from seqcast.serve import connections
from seqcast.serve.app import create_app
from seqcast.serve.run import listen, server_of
from seqcast.serve.settings import ServerSettings

from .clients import wait_until

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
POST = b"POST /v1/forecast HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


@contextlib.contextmanager
def running(settings=None, extend=lambda app: None):
    """The address of a server that runs in a thread, and its connections."""
    settings = settings or ServerSettings(time_limit=0.5)
    app = create_app(settings)
    extend(app)
    server = server_of(app, settings)
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    wait_until(lambda: server.started and app.state.service.is_ready)
    try:
        yield address, server.server_state.connections
    finally:
        server.should_exit = True
        thread.join()


def answer(connection):
    """What comes until the server closes a connection."""
    data = b""
    with contextlib.suppress(ConnectionError):
        while part := connection.recv(1 << 16):
            data += part
    return data


def is_alive(address):
    with socket.create_connection(address, timeout=30) as connection:
        connection.sendall(GET)
        return connection.recv(1 << 16).startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize(
    "begun",
    [b"", b"GET /healthz HTTP/1.1\r\nHost: 127", GET + b"G", POST + b"Content-Length: 10\r\n\r\n{", GET + GET[:-2]],
)
def test_silence_ends(monkeypatch, begun):
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with running() as (address, _), socket.create_connection(address, timeout=60) as silent:
        silent.sendall(begun)
        said = answer(silent)
    assert said.count(b"HTTP/1.1 200") == begun.count(b"\r\n\r\n" if begun.startswith(GET) else b"none")
    assert (b"HTTP/1.1 408" in said) == begun.startswith(POST)


def test_heads_that_come_slowly_end(monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.5)
    with running() as (address, _), socket.create_connection(address) as slow:
        slow.settimeout(0.05)
        with contextlib.suppress(ConnectionError):
            slow.sendall(b"GET /healthz HTTP/1.1\r\nx: ")
            for _ in range(1000):
                slow.sendall(b"y")
                with contextlib.suppress(TimeoutError):
                    assert slow.recv(1) == b""
                    return
            pytest.fail("it goes on")


@pytest.mark.parametrize(
    ("first", "again"),
    [
        (b"GET /healthz HTTP/1.1\r\nx: ", b"y" * 1000),
        (b"GET /healthz?", b"y" * 1000),
        (b"GET /healthz HTTP/1.1\r\n", b"x: y\r\n" * 1000),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n1", b";x=y" * 1000),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n0\r\n", b"x: y\r\n" * 1000),
    ],
)
def test_what_leads_to_nothing_is_not_read_for_ever(first, again):
    with running() as (address, _), socket.create_connection(address, timeout=60) as endless:
        sent = 0
        with contextlib.suppress(ConnectionError):
            endless.sendall(first)
            while sent < 50_000_000:
                endless.sendall(again)
                sent += len(again)
        assert sent < 50_000_000
        assert is_alive(address)


def test_a_thousand_requests_at_once_on_a_connection_are_refused():
    with running() as (address, _), socket.create_connection(address, timeout=60) as greedy:
        greedy.sendall(POST + b"Content-Length: 2\r\n\r\n{}" + GET * 1000)
        assert answer(greedy).count(b"HTTP/1.1 200") < 100
        assert is_alive(address)


@pytest.mark.parametrize("beginning", [b"GET /", b"POST /healthz HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"])
def test_silent_connections_lock_nobody_out(monkeypatch, beginning):
    monkeypatch.setattr(connections, "MOST_CONNECTIONS", 20)
    with running() as (address, open_now), contextlib.ExitStack() as stack:
        for _ in range(100):
            silent = stack.enter_context(socket.create_connection(address, timeout=60))
            silent.sendall(beginning)
        for _ in range(10):
            assert is_alive(address)
        assert len(open_now) <= 21


def test_an_answer_that_nobody_takes_ends(monkeypatch):
    monkeypatch.setattr(connections, "PATIENCE", 0.5)

    def extend(app):
        from starlette.responses import Response

        async def long(_):
            return Response(b"x" * 50_000_000)

        app.router.add_route("/long", long)

    with running(extend=extend) as (address, open_now), socket.socket() as idle:
        idle.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1000)
        idle.settimeout(60)
        idle.connect(address)
        idle.sendall(GET.replace(b"/healthz", b"/long"))
        wait_until(lambda: len(open_now) == 1)
        wait_until(lambda: not open_now)


def test_a_client_that_goes_is_not_computed_for(models):
    settings = ServerSettings(models=models[:1], batch_size=1, time_limit=60, watch=0)
    go, asked, app_of = threading.Event(), [], []
    with running(settings, app_of.append) as (address, _):
        service = app_of[0].state.service

        def run(queries):
            asked.extend(query.horizon for query in queries)
            go.wait(60)
            return [ZeroDivisionError()] * len(queries)

        service.short.run = run
        bodies = [b'{"series": ["a"], "horizon": %d}' % number for number in range(1, 6)]
        clients = [socket.create_connection(address, timeout=60) for _ in bodies]
        for number, (client, body) in enumerate(zip(clients, bodies, strict=True)):
            client.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(body) + body)
            wait_until(lambda number=number: len(asked) + service.short.waiting == number + 1)
        for client in clients[1:4]:
            client.close()
        wait_until(lambda: service.short.waiting == 1)
        go.set()
        for client in (clients[0], clients[4]):
            assert client.recv(1 << 16).startswith(b"HTTP/1.1 500")
            client.close()
        assert asked == [1, 5]
        wait_until(lambda: b'status="499"} 3.0' in service.metrics.written()[0])
