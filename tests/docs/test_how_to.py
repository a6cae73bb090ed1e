"""Every program of every how-to page runs, in order, with small trainings; outputs and errors are as shown."""

import contextlib
import importlib
import pkgutil
import re
import socket
import sys
import threading
import time
from pathlib import Path

import httpx
import pytest
import uvicorn

from seqcast.serve import ServerSettings, create_app

FOLDER = Path(__file__).parents[2] / "docs" / "how-to"
PAGES = sorted(FOLDER.glob("*.md"))
sys.path.append(str(Path(__file__).parent))
page_programs = importlib.import_module("page_programs")

TINY = "training={'epochs': 1, 'steps_per_epoch': 2}"
# Where a page leaves the choice of a network to the forecaster, and where it names one.
CHOSEN = {"random_state=0": f"random_state=0, preset='classic', {TINY}"}
NAMED = {"random_state=0": f"random_state=0, {TINY}"}
COMMAND = {"--seed 0": "--seed 0 --preset classic --units 4 --epochs 1 --quiet"}


def named(part):
    """Return the change of a call that names a network, before those of the other calls."""
    return {f"{part}random_state=0": f"{part}random_state=1, {TINY}"}


SMALLER = {
    "covariates": CHOSEN | COMMAND,
    "custom-parts": {"epochs=5": "epochs=1", "2_000": "64", "TrainingSpec(loss": "TrainingSpec(epochs=1, loss"},
    "gaps": CHOSEN,
    "gpu": {},
    "intermittent-demand": named('preset=counts, point="mean", support="non-negative", ') | CHOSEN,
    "intervals": {'"random_state": 0': '"random_state": 0, "training": {"epochs": 1, "steps_per_epoch": 2}'} | NAMED,
    "keras-callbacks": {
        'preset="classic", random_state=0': f"preset='classic', random_state=0, {TINY.replace('1', '2')}",
        "epochs=3": "epochs=1",
    },
    "large-data": CHOSEN | COMMAND,
    "long-horizons": named('preset="classic", ') | CHOSEN,
    "many-series": CHOSEN,
    "new-series": NAMED,
    "reproducibility": {
        "Forecaster(12, ": f"Forecaster(12, {TINY}, ",
        "n_windows=4": "n_windows=1",
    },
    "small-data": {},
}


def programs(name, changes):
    return page_programs.changed(page_programs.programs_of((FOLDER / f"{name}.md").read_text()), changes)


@pytest.mark.documents
@pytest.mark.parametrize("name", SMALLER)
def test_programs_run(name, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    page_programs.run(programs(name, SMALLER[name]), f"{name}.md")


@pytest.mark.documents
def test_serving_runs(tmp_path, monkeypatch):
    """The server is real, but a thread of this process, at a port that is free."""
    monkeypatch.chdir(tmp_path)
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        servers = []

        def shell(program):
            if program.code != "seqcast serve sea.seqcast\n":
                return page_programs.run_in_process(program)
            server = uvicorn.Server(uvicorn.Config(create_app(ServerSettings(models=(("sea", Path("sea.seqcast")),)))))
            servers.append((server, threading.Thread(target=server.run, kwargs={"sockets": [listener]})))
            servers[-1][1].start()
            wait_until_ready(port)
            return ""

        try:
            page_programs.run(programs("serving", CHOSEN | {"8000": str(port)}), "serving.md", shell=shell)
        finally:
            for server, thread in servers:
                server.should_exit = True
                thread.join(30)


def wait_until_ready(port):
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx.TransportError):
            if httpx.get(f"http://127.0.0.1:{port}/readyz", timeout=5).status_code == 200:
                return
        time.sleep(0.05)
    raise AssertionError("the server is not ready")


def small_cluster_programs():
    return programs("several-machines", NAMED)


@pytest.mark.documents
def test_several_machines_says_what_there_is(tmp_path, monkeypatch):
    """What needs no worker runs here; `test_several_machines_runs` starts them, with the other tests of Ray."""
    monkeypatch.chdir(tmp_path)
    with_workers, *others = small_cluster_programs()
    compile(with_workers.code, "several-machines.md", "exec")
    names = {}
    exec(
        "".join(line for line in with_workers.code.splitlines(keepends=True) if line.startswith(("from", "frame"))),
        names,
    )
    for program in others:
        page_programs.check_output(
            program, page_programs.run_python(program, names, "several-machines.md"), "several-machines.md"
        )


@pytest.mark.ray
def test_several_machines_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = page_programs.run(small_cluster_programs(), "several-machines.md")
    assert len(names["forecast"]) == 12
    assert names["backtest"]["cutoff"].nunique() == 4


def test_each_page_is_run_and_listed():
    told = {*SMALLER, "serving", "several-machines"}
    assert {page.stem for page in PAGES} == {*told, "index"}
    listed = re.findall(r"^- \[[^]]+\]\(([a-z-]+)\.md\)", (FOLDER / "index.md").read_text(), flags=re.MULTILINE)
    assert sorted(listed) == sorted(told)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_keras_is_imported_after_seqcast(page):
    """Before it, it would look for TensorFlow where nobody has set `KERAS_BACKEND`."""
    lines = page.read_text().splitlines()
    for place, line in enumerate(lines):
        if re.match(r"(import|from) keras", line):
            assert any(re.match(r"from seqcast import .*(Forecaster|Seq2Seq)", before) for before in lines[:place])


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_names_and_links_are_there(page):
    text = page.read_text()
    for name in set(re.findall(r"`(seqcast(?:\.[A-Za-z_]\w*)+)", text)):
        pkgutil.resolve_name(name)
    for target, anchor in re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", text):
        linked = (page.parent / target) if target else page
        assert linked.exists(), target
        if anchor:
            assert anchor in anchors(linked.read_text()), f"{target}#{anchor}"


def anchors(text):
    """Return the names that headings of a page have in links."""
    headings = re.findall(r"^#+ (.+)$", text, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
