"""The files of `examples/deploy` are looked at, not built: their forms, and that what they call is there."""

import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
import typer.main
import yaml

from seqcast.cli.main import app

FOLDER = Path(__file__).parents[2] / "examples" / "deploy"


def options():
    command = typer.main.get_command(app).commands["serve"]
    return {
        name for parameter in command.params for name in parameter.opts if name.startswith("--")
    }


def test_the_dockerfile_has_what_a_server_needs():
    text = (FOLDER / "Dockerfile").read_text()
    lines = [
        line
        for line in re.sub(r"\\\n", " ", text).splitlines()
        if line and not line.startswith("#")
    ]
    words = [line.split(None, 1) for line in lines]
    known = {
        "FROM",
        "WORKDIR",
        "COPY",
        "RUN",
        "ENV",
        "USER",
        "VOLUME",
        "EXPOSE",
        "STOPSIGNAL",
        "HEALTHCHECK",
    }
    assert {word for word, _ in words} <= known | {"ENTRYPOINT", "CMD"}
    assert words[0][0] == "FROM"
    assert all(":" in rest and ":latest" not in rest for word, rest in words if word == "FROM")
    last = dict(words)
    assert last["USER"] == "seqcast"
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert ".[serve]" in text
    assert set(re.findall(r"--[a-z-]+", last["ENTRYPOINT"])) <= options()
    for word, rest in words:
        if word == "COPY" and "--from" not in rest:
            for source in rest.split()[:-1]:
                assert (FOLDER.parents[1] / source).exists(), source


def test_compose_and_prometheus():
    compose = yaml.safe_load((FOLDER / "compose.yaml").read_text())
    server = compose["services"]["seqcast"]
    prometheus = compose["services"]["prometheus"]
    assert (FOLDER / server["build"]["context"] / server["build"]["dockerfile"]).resolve().exists()
    assert set(re.findall(r"--[a-z-]+", " ".join(server["command"]))) <= options()
    assert set(server["secrets"]) | set(prometheus["secrets"]) == set(compose["secrets"])
    assert all(
        port.startswith("127.0.0.1:") for each in (server, prometheus) for port in each["ports"]
    )
    mounts = [mount.split(":")[0] for each in (server, prometheus) for mount in each["volumes"]]
    assert {mount for mount in mounts if not mount.startswith(".")} == set(compose["volumes"])
    scrape = yaml.safe_load((FOLDER / "prometheus.yml").read_text())["scrape_configs"][0]
    assert scrape["metrics_path"] == "/metrics"
    assert scrape["static_configs"][0]["targets"] == ["seqcast:8000"]
    assert Path(scrape["authorization"]["credentials_file"]).name in prometheus["secrets"]


def test_the_unit(tmp_path):
    text = (FOLDER / "seqcast.service").read_text()
    start = re.search(r"^ExecStart=(.*)$", text, flags=re.MULTILINE)[1]
    words = shlex.split(start)
    assert words[1] == "serve"
    assert {word for word in words if word.startswith("--")} <= options()
    analyse = shutil.which("systemd-analyze")
    if analyse is None:
        pytest.skip("systemd-analyze is not on this machine")
    unit = tmp_path / "seqcast.service"
    unit.write_text(text.replace("/opt/seqcast/bin/seqcast", "/bin/true"))
    done = subprocess.run(
        [analyse, "verify", str(unit)], capture_output=True, text=True, timeout=60
    )
    assert str(unit) not in done.stderr, done.stderr
    assert "seqcast.service" not in done.stderr, done.stderr
