"""Connections that cost their clients nothing end in time, and give way to others."""

import contextlib
import os
import shutil
import socket
import ssl
import subprocess
import threading

import pytest

from seqcast.serve import ServerSettings

from .clients import running

GET = b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
BODY = b"POST /v1/other HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 5000\r\n\r\nx"
LIVE = (
    b"GET /live HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n"
)
MOST = int(os.environ.get("SEQCAST_TEST_CONNECTIONS", "20"))
# More than the buffers of two sockets take.
PIECES = 50
ENDED = threading.Event()


def add_routes(app):
    from starlette.responses import PlainTextResponse, StreamingResponse

    async def other(request):
        return PlainTextResponse(str(len(await request.body())))

    async def large(_):
        async def pieces():
            try:
                for _ in range(PIECES):
                    yield b"x" * 1_000_000
            finally:
                ENDED.set()

        return StreamingResponse(pieces())

    async def live(connection):
        await connection.accept()
        with contextlib.suppress(RuntimeError):
            while True:
                await connection.receive()

    app.router.add_route("/v1/other", other, methods=["POST"])
    app.router.add_route("/large", large, methods=["GET"])
    app.router.add_websocket_route("/live", live)


def connected(address, first=b"", source="127.0.0.1"):
    connection = socket.create_connection(address, timeout=60, source_address=(source, 0))
    connection.sendall(first)
    return connection


def ends(connection):
    """Read until the other side closes the connection."""
    with contextlib.suppress(ConnectionError):
        while connection.recv(1 << 20):
            pass
    return True


def answer(address, source="127.0.0.1"):
    with connected(address, GET, source) as connection:
        return connection.recv(1 << 16).split(b"\r\n")[0]


@pytest.fixture(scope="module")
def crowded():
    """The address of a server that takes few connections, and is patient with them."""
    with running(ServerSettings(connections=MOST, client_timeout=600), add_routes) as (address, _):
        yield address


SILENT = {"nothing": b"", "half a head": GET[:-2], "half a body": BODY, "no second request": GET}


@pytest.mark.parametrize("sent", SILENT.values(), ids=SILENT)
@pytest.mark.parametrize("source", ["127.0.0.1", "127.0.0.2"])
def test_silent_connections_lock_nobody_out(crowded, sent, source):
    with contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(crowded, sent)) for _ in range(MOST + MOST // 2)]
        assert answer(crowded, source) == b"HTTP/1.1 200 OK"
        assert ends(silent[0])


def test_those_who_have_fewer_connections_keep_them(crowded):
    with contextlib.ExitStack() as stack:
        own = stack.enter_context(connected(crowded, BODY, "127.0.0.2"))
        for _ in range(2 * MOST):
            stack.enter_context(connected(crowded))
        own.sendall(b"x" * 4999)
        assert own.recv(1 << 16).startswith(b"HTTP/1.1 200")


def test_websockets_give_way_to_other_addresses(crowded):
    with contextlib.ExitStack() as stack:
        for _ in range(MOST):
            live = stack.enter_context(connected(crowded, LIVE))
            assert live.recv(1 << 16).startswith(b"HTTP/1.1 101")
        assert answer(crowded) == b"HTTP/1.1 503 Service Unavailable"
        assert answer(crowded, "127.0.0.2") == b"HTTP/1.1 200 OK"


@pytest.fixture(scope="module")
def hasty():
    """The address of a server that waits for its clients a fifth of a second."""
    with running(ServerSettings(client_timeout=0.2), add_routes) as (address, _):
        yield address


@pytest.mark.parametrize(
    "sent", [b"", GET[:-2], BODY], ids=["nothing", "half a head", "half a body"]
)
def test_silence_ends_a_connection(hasty, sent):
    with connected(hasty, sent) as connection:
        assert ends(connection)
    assert answer(hasty) == b"HTTP/1.1 200 OK"


def test_many_headers_are_rejected(hasty):
    def reply(count):
        with connected(
            hasty, b"GET /healthz HTTP/1.1\r\n" + b"x: y\r\n" * count + b"\r\n"
        ) as connection:
            return connection.recv(1 << 16).split(b"\r\n")

    assert reply(100)[0] == b"HTTP/1.1 200 OK"
    for count in (101, 5000):
        lines = reply(count)
        assert lines[0] == b"HTTP/1.1 400 Bad Request"
        assert lines[-1] == b"Expected at most 100 headers."


def test_a_head_that_comes_slowly_ends_its_connection(hasty):
    with connected(hasty, b"GET /healthz HTTP/1.1\r\n") as connection:
        connection.settimeout(0.02)
        for _ in range(1000):
            try:
                connection.sendall(b"a")
                if not connection.recv(1):
                    return
            except TimeoutError:
                continue
            except ConnectionError:
                return
    raise AssertionError("it was read for ever")


def test_an_answer_that_nobody_takes_ends_its_connection(hasty):
    with connected(hasty, GET.replace(b"/healthz", b"/large")):
        assert ENDED.wait(30)


def test_a_websocket_may_be_silent(hasty):
    with connected(hasty, LIVE) as live, connected(hasty) as silent:
        assert live.recv(1 << 16).startswith(b"HTTP/1.1 101")
        assert ends(silent)
        with connected(hasty) as another:
            assert ends(another)
        live.settimeout(0.01)
        with pytest.raises(TimeoutError):
            live.recv(1)


# ---------------------------------------------------------------- TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    folder = tmp_path_factory.mktemp("tls")
    files = {"private_key": folder / "key.pem", "certificate": folder / "cert.pem"}
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    more = ["-keyout", str(files["private_key"]), "-out", str(files["certificate"])]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    return files


def secure_answer(address):
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    with context.wrap_socket(connected(address)) as connection:
        connection.sendall(GET)
        return connection.recv(1 << 16).split(b"\r\n")[0]


def test_a_handshake_that_stalls_ends_its_connection(certificate):
    with running(ServerSettings(client_timeout=0.3, **certificate)) as (address, _):
        for first in (b"", b"\x16\x03\x01"):
            with connected(address, first) as connection:
                assert ends(connection)
        assert secure_answer(address) == b"HTTP/1.1 200 OK"


def test_handshakes_that_stall_lock_nobody_out(certificate):
    settings = ServerSettings(connections=MOST, client_timeout=600, **certificate)
    with running(settings) as (address, _), contextlib.ExitStack() as stack:
        silent = [stack.enter_context(connected(address)) for _ in range(MOST + MOST // 2)]
        assert secure_answer(address) == b"HTTP/1.1 200 OK"
        assert ends(silent[0])
