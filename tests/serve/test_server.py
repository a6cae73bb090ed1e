"""A process of its own on loopback: clients in other languages, TLS, files that are replaced, an end in order."""

import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import urllib.request
from pathlib import Path

import httpx
import pytest

from .clients import newer, wait_until

CLIENTS = Path(__file__).parents[2] / "examples" / "clients"
SERVE = [sys.executable, "-c", "from seqcast.cli.start import main; main()", "serve"]
pytestmark = [
    pytest.mark.processes,
    pytest.mark.skipif(
        not sys.platform.startswith("linux"), reason="signals and TLS as Linux has them"
    ),
]


class Server:
    """`seqcast serve`, whose log is read line by line."""

    def __init__(self, *arguments):
        command = [*SERVE, *map(str, arguments), "--port", "0"]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
        self.lines = []
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self.process.stderr:
            self.lines.append(line)

    def events(self, event, **fields):
        """Return the lines of an event."""
        lines = [json.loads(line) for line in tuple(self.lines) if line.startswith("{")]
        return [one for one in lines if one["event"] == event and fields.items() <= one.items()]

    def wait_for(self, event, count=1, **fields):
        """Return the line of an event."""
        wait_until(
            lambda: len(self.events(event, **fields)) >= count or not self._reader.is_alive(), 120
        )
        assert len(self.events(event, **fields)) >= count, self.lines
        return self.events(event, **fields)[count - 1]

    def __enter__(self):
        self.address = self.wait_for("start")["address"]
        self.wait_for("ready")
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self._reader.join()
        self.process.stderr.close()


@pytest.fixture(scope="module")
def server():
    with Server() as running:
        yield running


PROGRAMS = [
    ("sh", "forecast.sh", ["curl", "--version"]),
    (sys.executable, "forecast.py", [sys.executable, "--version"]),
    ("node", "forecast.mjs", ["node", "--version"]),
    ("Rscript", "forecast.R", ["Rscript", "-e", "library(httr2)"]),
]


@pytest.mark.parametrize(("program", "file", "needs"), PROGRAMS)
def test_clients(server, program, file, needs):
    if shutil.which(needs[0]) is None or subprocess.run(needs, capture_output=True).returncode:
        pytest.skip(f"{' '.join(needs)} does not run on this machine")
    environment = {**os.environ, "URL": server.address}
    done = subprocess.run(
        [program, file], cwd=CLIENTS, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert len(set(re.findall(r"2024-0[12]-(?:29|30|31|01|02|03|04)", done.stdout))) == 7
    if file == "forecast.py":
        assert done.stdout.splitlines()[-1].startswith("422 y ")


def test_an_end_in_order(models):
    model = dict(models)["sales"]
    with Server(f"m={model}", "--batch-wait", "0") as server:
        answers = []

        def ask():
            with httpx.Client(base_url=server.address, timeout=60) as client:
                for place in range(400):
                    try:
                        answers.append(
                            client.post(
                                "/v1/forecast", json={"rows": newer("a", 3, place)}
                            ).status_code
                        )
                    except (
                        httpx.ConnectError,
                        httpx.RemoteProtocolError,
                        httpx.ReadError,
                        httpx.WriteError,
                    ):
                        return  # it no longer listens, or closed a connection on which nothing had come

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        server.wait_for("request", count=20)
        server.process.send_signal(signal.SIGTERM)
        for thread in threads:
            thread.join(60)
        assert server.process.wait(60) == 128 + signal.SIGTERM
        server.wait_for("stop")
        taken = [json.loads(line) for line in server.lines if line]
    # What the server had taken was answered, and its answer came.
    assert [one["status"] for one in taken if one["event"] == "request"] == answers
    assert set(answers) == {200}
    assert len(answers) < 1600


def test_a_replaced_file_loses_no_request(models, forecasters, tmp_path):
    path = tmp_path / "m.seqcast"
    shutil.copy(dict(models)["sales"], path)
    with (
        Server(path, "--watch", "0.1") as server,
        httpx.Client(base_url=server.address, timeout=60) as client,
    ):
        versions = []
        first = client.get("/v1/models").json()["models"][0]["version"]
        forecasters["sales"].set_params(alias="another").save(tmp_path / "new")
        forecasters["sales"].set_params(alias="seqcast")
        os.replace(tmp_path / "new", path)
        for place in range(2000):
            answer = client.post("/v1/forecast", json={"rows": newer("a", 3, place)})
            assert answer.status_code == 200, answer.text
            assert ("another" in answer.json()["rows"][0]) == (answer.json()["version"] != first)
            versions.append(answer.json()["version"])
            if versions[-1] != first:
                break
        assert versions[-1] != first
        server.wait_for("model", count=2, model="m")


def test_what_is_no_request_is_a_line_of_the_log(server):
    assert httpx.get(f"{server.address}/docs", timeout=60).status_code == 404
    with socket.create_connection(server.address.removeprefix("http://").rsplit(":", 1)) as hostile:
        hostile.sendall(b"secret\r\n\r\n")
        assert hostile.recv(100).startswith(b"HTTP/1.1 400")
    server.wait_for("log")
    assert all(line.startswith("{") and "secret" not in line for line in server.lines)


def test_tls(tmp_path):
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not on this machine")
    key = tmp_path / "key.pem"
    certificate = tmp_path / "cert.pem"
    command = "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=localhost"
    more = ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run([*command.split(), *more], check=True, capture_output=True)
    with Server("--certificate", certificate, "--private-key", key) as server:
        assert server.address.startswith("https://")
        context = ssl.create_default_context(cafile=str(certificate))
        with urllib.request.urlopen(
            f"{server.address}/readyz", context=context, timeout=30
        ) as answer:
            assert answer.status == 200
        with pytest.raises(httpx.HTTPError):
            httpx.get(server.address.replace("https", "http") + "/readyz")


def test_what_keeps_a_server_from_starting(tmp_path):
    def error(*arguments):
        environment = {
            name: value for name, value in os.environ.items() if name != "SEQCAST_API_KEYS"
        }
        how = {"capture_output": True, "text": True, "env": environment, "timeout": 120}
        done = subprocess.run([*SERVE, *arguments], **how)
        assert done.returncode == 1, done.stderr
        return done.stderr

    assert "--host: expected 127.0.0.1, or keys, received 0.0.0.0 without keys" in error(
        "--host", "0.0.0.0"
    )
    (tmp_path / "no.pem").write_text("nothing")
    files = ["--certificate", str(tmp_path / "no.pem"), "--private-key", str(tmp_path / "no.pem")]
    assert "expected PEM files of a certificate and its key" in error(*files, "--port", "0")
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        assert (
            f"expected an address of this machine that is free, received 127.0.0.1:{port}"
            in error("--port", port)
        )
