"""Every program of README and of the pages runs, in order, with small trainings; outputs and errors are as shown.

The post, the pages of *Coming from* and docs/serving.md have tests of their own.
"""

import contextlib
import importlib
import importlib.util
import re
import socket
import sys
import threading
import time
from pathlib import Path

import httpx
import numpy as np
import pytest
import uvicorn

from seqcast.serve import ServerSettings, create_app

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.append(str(Path(__file__).parent))
page_programs = importlib.import_module("page_programs")
page = page_programs.page
run = page_programs.run

TINY = "training={'epochs': 1, 'steps_per_epoch': 2}"
# Where a page leaves the choice of a network to the forecaster, and where it names one.
CHOSEN = {"random_state=0": f"random_state=0, preset='classic', {TINY}"}
NAMED = {"random_state=0": f"random_state=0, {TINY}"}
QUIET = {"random_state=0": f"random_state=0, verbose=0, {TINY}"}
COMMAND = {"--seed 0": "--seed 0 --preset classic --units 4 --epochs 1 --quiet"}
SEARCH = f"random_state=0, verbose=0, {TINY}, workers=1)"


def named(part):
    """Return the change of a call that names a network, before those of the other calls."""
    return {f"{part}random_state=0": f"{part}random_state=1, {TINY}"}


# Changes of pages, all of which runs and is compared.
WHOLE = {
    "start": {
        '"promotion"]], random_state=0': f'"promotion"]], random_state=0, preset="classic", {TINY}'
    },
    "how-to/covariates": CHOSEN | COMMAND,
    "how-to/custom-parts": {
        "epochs=5": "epochs=1",
        "2_000": "64",
        "    loss=too_little_hurts": "    epochs=1, loss=too_little_hurts",
    },
    "how-to/gaps": CHOSEN,
    "how-to/gpu": {},
    "how-to/intermittent-demand": named('preset=counts, point="mean", support="non-negative", ')
    | CHOSEN,
    "how-to/intervals": {
        '"random_state": 0': '"random_state": 0, "training": {"epochs": 1, "steps_per_epoch": 2}'
    }
    | NAMED,
    "how-to/keras-callbacks": {
        'preset="classic", random_state=0': f"preset='classic', random_state=0, {TINY.replace('1', '2')}",
        "epochs=3": "epochs=1",
    },
    "how-to/large-data": CHOSEN | COMMAND,
    "how-to/long-horizons": named('preset="classic", ') | CHOSEN,
    "how-to/many-series": CHOSEN,
    "how-to/hierarchies": {},
    "how-to/new-series": NAMED,
    "how-to/reproducibility": {
        "Forecaster(12, ": f"Forecaster(12, {TINY}, ",
        "n_windows=4": "n_windows=1",
    },
    "how-to/seasons": {},
    "how-to/small-data": {},
    "how-to/totals": {'{"epochs": 15}': '{"epochs": 1, "steps_per_epoch": 2}'},
}
# Changes of pages whose Python alone runs, sections that are left out, and what holds of the names
# and the folder.
PYTHON = {
    "index": ({}, (), lambda names, folder: len(names["forecast"]) == 12),
    "frames": (
        {**QUIET, '"5 s"': '"1 s"'},
        () if importlib.util.find_spec("sktime") else ("sktime",),
        lambda names, folder: len(names["forecast"]) == 3 * 14,
    ),
    "files": (
        {'effort="quick")': 'effort="quick", verbose=0)'},
        (),
        lambda names, folder: (
            names["table"].understood
            == "semicolons between columns, decimal comma, dates with the day first"
            and names["forecast"]["unique_id"].tolist() == ["sales"] * 3
        ),
    ),
    "inspection": (
        {**QUIET, "step_size=13)": "step_size=60)", "* 13 /": "* 60 /"},
        (),
        lambda names, folder: (
            {path.stem for path in folder.iterdir()}
            == {"states", "probes", "sensitivity", "memory"}
        ),
    ),
    "export": (QUIET, (), lambda names, folder: (folder / "model.onnx").stat().st_size > 0),
    "pretrained": (
        {},
        (),
        lambda names, folder: len(names["fortnight"]) == 14,
    ),
    "evaluation": (
        QUIET,
        (),
        lambda names, folder: np.allclose(names["inside"].mean((0, 1)), [0.8, 0.95], atol=0.02),
    ),
    "scale": (
        {},
        ("Several machines: Ray",),  # with the other tests of Ray
        lambda names, folder: (
            len(list((names["sales"].parent / "forecasts").glob("*.parquet"))) == 1
        ),
    ),
    "tuning": (
        {
            'time_limit="10 min", storage="study.db", random_state=0)': f'trials=2, storage="study.db", {SEARCH}',
            "TrainingSpec(epochs=3)": "TrainingSpec(epochs=1, steps_per_epoch=2)",
            "level=(), random_state=0).fit": "level=(), random_state=0, verbose=0).fit",
            'training={"epochs": 2}, trials=3, random_state=0)': f"trials=1, {SEARCH}",
            "trials=6, level=(), random_state=0)": f"trials=6, level=(), {SEARCH}",
        },
        (),
        lambda names, folder: (
            len(names["found"].trials) == 6
            and all(
                (folder / name).exists() for name in ("fit_best.py", "importance.png", "trials.png")
            )
            and names["grid"].best_score_ == max(names["grid"].cv_results_["mean_test_score"])
            and set(names["halving"].cv_results_["n_resources"]) >= {1, 2}
        ),
    ),
}


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Stand in an empty folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "80")
    return tmp_path


@pytest.mark.documents
def test_readme_runs(folder):
    changes = {
        "100_000": "200",
        'load("elnino"), 12)': 'load("elnino"), 12, verbose=0)',
        "epochs=10": "epochs=1, verbose=0",
        "horizon=52, random_state=0": f"horizon=52, random_state=0, verbose=0, {TINY}",
        "step_size=13": "step_size=200",
        "np.random.rand(256, 12, 1))": "np.random.rand(256, 12, 1), verbose=0)",
    }
    first, sines, frame, inside, network = page(ROOT / "README.md", changes, language="python")
    # What is looked into is the forecaster of the block before; the others stand alone.
    for programs in ([first], [sines], [frame, inside], [network]):
        run(programs, "README.md")


@pytest.mark.documents
@pytest.mark.parametrize("name", WHOLE)
def test_a_page_runs_and_prints_what_it_shows(name, folder):
    # What installs is run by the newcomer's walk alone.
    installs = (
        ("python3 -m venv .venv", ". .venv/bin/activate", "pip install ./seqcast")
        if name == "start"
        else ()
    )
    if name == "how-to/hierarchies":
        pytest.importorskip("hierarchicalforecast")
    programs = page(DOCS / f"{name}.md", WHOLE[name])
    names = run(
        programs,
        f"{name}.md",
        shell=lambda program: page_programs.run_in_process(program, installs),
    )
    if name == "start":
        assert (len(names["forecast"]), len(names["informed"])) == (12, 14)
        for picture in ("forecast.png", "years.png"):
            assert f"images/start_{picture}" in (DOCS / "start.md").read_text()
            assert (folder / picture).exists()


@pytest.mark.documents
@pytest.mark.filterwarnings("default::seqcast.forecaster.candidates.last_season.FallbackWarning")
@pytest.mark.filterwarnings("ignore:.*max_resources.*:UserWarning")
@pytest.mark.parametrize("name", PYTHON)
def test_python_of_a_page_runs(name, folder):
    changes, without, holds = PYTHON[name]
    assert holds(
        run(page(DOCS / f"{name}.md", changes, language="python", without=without), f"{name}.md"),
        folder,
    )


@pytest.mark.documents
def test_the_gallery_draws_what_it_shows(folder):
    (folder / "images" / "gallery").mkdir(parents=True)
    changes = {
        "random_state=0)": f"random_state=0, verbose=0, {TINY})",
        "n_windows=10, step_size=12": "n_windows=2, step_size=12",
        "step_size=1)": "step_size=24)",
        "windows[::6]": "windows[:6]",
        'preset="pretrained")': 'preset="pretrained", verbose=0)',
    }
    run(page(DOCS / "gallery.md", changes, language="python"), "gallery.md")
    drawn = {path.relative_to(folder).as_posix() for path in folder.rglob("*.png")}
    assert drawn == set(re.findall(r"\((images/gallery/\S+)\)", (DOCS / "gallery.md").read_text()))


@pytest.mark.documents
@pytest.mark.filterwarnings("ignore")  # MLflow's and W&B's own
def test_the_page_about_tracking_runs(folder, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_SILENT", "true")
    packages = {"TensorBoard": "tensorboard", "MLflow": "mlflow", "Weights & Biases": "wandb"}
    missing = [
        heading for heading, name in packages.items() if importlib.util.find_spec(name) is None
    ]
    if "MLflow" not in missing:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{folder}/runs.db")
        number = mlflow.create_experiment("tracking", artifact_location=str(folder / "artifacts"))
        mlflow.set_experiment(experiment_id=number)
    few = {
        "random_state=0": QUIET["random_state=0"].replace(
            "'steps_per_epoch': 2", "'steps_per_epoch': 10"
        )
    }
    names = run(page(DOCS / "tracking.md", few, language="python", without=missing), "tracking.md")
    assert [row["event"] for row in names["rows"]] == ["step", "epoch"]
    assert (folder / "runs" / "README.md").read_text().startswith("---\nlibrary_name: seqcast")


@pytest.mark.documents
def test_serving_runs(folder):
    """The server is real, but a thread of this process, at a port that is free."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as listener:
        port = listener.getsockname()[1]
        servers = []

        def shell(program):
            if program.code != "seqcast serve sea.seqcast\n":
                return page_programs.run_in_process(program)
            server = uvicorn.Server(
                uvicorn.Config(create_app(ServerSettings(models=(("sea", Path("sea.seqcast")),))))
            )
            servers.append(
                (server, threading.Thread(target=server.run, kwargs={"sockets": [listener]}))
            )
            servers[-1][1].start()
            wait_until_ready(port)
            return ""

        try:
            run(
                page(DOCS / "how-to" / "serving.md", CHOSEN | {"8000": str(port)}),
                "serving.md",
                shell=shell,
            )
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


@pytest.mark.ray
def test_several_machines_runs(folder):
    names = run(page(DOCS / "how-to" / "several-machines.md", NAMED), "several-machines.md")
    assert len(names["forecast"]) == 12
    assert names["backtest"]["cutoff"].nunique() == 4


def test_python_of_every_page_is_run():
    elsewhere = {
        "post",
        "serving",
        "tracking",
        "gallery",
        "how-to/serving",
        "how-to/several-machines",
    }
    pages = [*DOCS.glob("*.md"), *(DOCS / "how-to").glob("*.md")]
    found = {
        path.relative_to(DOCS).with_suffix("").as_posix()
        for path in pages
        if "```python\n" in path.read_text()
    }
    assert found | {"how-to/gpu"} == elsewhere | set(WHOLE) | set(
        PYTHON
    )  # which has commands alone
    listed = re.findall(
        r"^- \[[^]]+\]\(([a-z-]+)\.md\)", (DOCS / "how-to" / "index.md").read_text(), re.MULTILINE
    )
    assert sorted(listed) == sorted(
        path.stem for path in (DOCS / "how-to").glob("*.md") if path.stem != "index"
    )
