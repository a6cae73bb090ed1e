"""What the README and the pages show runs as it is written, with smaller numbers."""

import importlib.util
import pkgutil
import re
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).parent.parent
BLOCKS = re.findall(r"```python\n(.*?)```", (ROOT / "README.md").read_text(), flags=re.DOTALL)
SMALLER = {
    "100_000": "200",
    'load("elnino"), 12)': 'load("elnino"), 12, verbose=0)',
    "epochs=10": "epochs=1, verbose=0",
    "Forecaster(horizon=52, random_state=0)": (
        "Forecaster(horizon=52, random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2})"
    ),
    "np.random.rand(256, 12, 1))": "np.random.rand(256, 12, 1), verbose=0)",
}
SHORT = {"random_state=0": "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2}"}


# What is looked into is the forecaster of the block before.
_last = next(place for place, block in enumerate(BLOCKS) if "seqcast.inspect" in block)
BLOCKS[_last - 1 : _last + 1] = [BLOCKS[_last - 1] + BLOCKS[_last].replace("step_size=13", "step_size=200")]


@pytest.mark.documents
@pytest.mark.parametrize("number", range(len(BLOCKS)))
def test_blocks_run(number, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = BLOCKS[number]
    changed = [text for text in SMALLER if text in code]
    assert changed, "a block that trains at full size"
    for text in changed:
        code = code.replace(text, SMALLER[text])
    exec(compile(code, f"README.md, block {number}", "exec"), {})


def blocks_of(page, *, without=()):
    """Return the blocks of Python of a page, but for those of some sections."""
    sections = re.split(r"^## ", (ROOT / "docs" / f"{page}.md").read_text(), flags=re.MULTILINE)
    left = (section for section in sections if section.partition("\n")[0] not in without)
    return [block for section in left for block in re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)]


@pytest.fixture
def run_blocks(tmp_path, monkeypatch):
    """Return a function that runs blocks of a page in an empty folder, some texts changed, and returns the names."""
    monkeypatch.chdir(tmp_path)

    def run(page, blocks, changes=(), names=None):
        code, names = "\n".join(blocks), {} if names is None else names
        for text, other in dict(changes).items():
            assert text in code
            code = code.replace(text, other)
        exec(compile(code, f"docs/{page}.md", "exec"), names)
        return names

    return run


PAGES_THAT_RUN = {
    "index": ({}, lambda names, folder: len(names["forecast"]) == 12),
    "frames": ({**SHORT, '"5 s"': '"1 s"'}, lambda names, folder: len(names["forecast"]) == 3 * 14),
    "inspection": (
        {**SHORT, "step_size=13)": "step_size=60)", "* 13 /": "* 60 /"},
        lambda names, folder: {path.stem for path in folder.iterdir()} == {"states", "probes", "sensitivity", "memory"},
    ),
    "export": (SHORT, lambda names, folder: (folder / "model.onnx").stat().st_size > 0),
    "pretrained": (
        {},
        lambda names, folder: (
            (len(names["forecast"]), len(names["fortnight"]), names["walks"].shape) == (52, 14, (3, 100))
        ),
    ),
}


@pytest.mark.documents
@pytest.mark.parametrize("page", PAGES_THAT_RUN)
def test_a_page_runs(run_blocks, page, tmp_path):
    changes, holds = PAGES_THAT_RUN[page]
    without = () if importlib.util.find_spec("sktime") else ("sktime",)
    assert holds(run_blocks(page, blocks_of(page, without=without), changes), tmp_path)


@pytest.mark.documents
def test_the_page_about_scale_runs(run_blocks):
    rows, shared = blocks_of("scale")
    names = run_blocks("scale", [rows])
    assert len(list((names["sales"].parent / "forecasts").glob("*.parquet"))) == 1
    assert (names["sales"].parent / "backtest" / "_seqcast.json").exists()
    # Its workers are tested with those of Ray; names and arguments are those that there are.
    compile(shared, "docs/scale.md", "exec")
    assert "fit(df, on=cluster)" in shared


@pytest.mark.documents
@pytest.mark.filterwarnings("ignore")  # MLflow's and W&B's own
def test_the_page_about_tracking_runs(run_blocks, tmp_path, monkeypatch):
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_SILENT", "true")
    packages = {"TensorBoard": "tensorboard", "MLflow": "mlflow", "Weights & Biases": "wandb"}
    missing = [heading for heading, name in packages.items() if importlib.util.find_spec(name) is None]
    if "MLflow" not in missing:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
        number = mlflow.create_experiment("tracking", artifact_location=str(tmp_path / "artifacts"))
        mlflow.set_experiment(experiment_id=number)
    few = {"random_state=0": SHORT["random_state=0"].replace("'steps_per_epoch': 2", "'steps_per_epoch': 10")}
    names = run_blocks("tracking", blocks_of("tracking", without=missing), few)
    assert [row["event"] for row in names["rows"]] == ["step", "epoch"]
    assert (tmp_path / "runs" / "README.md").read_text().startswith("---\nlibrary_name: seqcast")


@pytest.mark.documents
def test_the_page_about_evaluation_runs(run_blocks, capsys):
    first, second = blocks_of("evaluation")
    names = run_blocks("evaluation", [first], SHORT)
    assert {"grown", "seqcast"} < set(names["backtest"])
    run_blocks("evaluation", [second], names=names)
    assert "[0.8" in capsys.readouterr().out
    np.testing.assert_allclose(names["inside"].mean(axis=(0, 1)), [0.8, 0.95], atol=0.02)


def test_python_of_every_page_is_run():
    """Those that are not run here are by the tests of tuning, serving and the site."""
    here, elsewhere = (
        {*PAGES_THAT_RUN, "evaluation", "scale", "tracking"},
        {"gallery", "post", "serving", "start", "tuning"},
    )
    pages = {page.stem for page in (ROOT / "docs").glob("*.md") if "```python\n" in page.read_text()}
    assert pages == here | elsewhere


PAGES = [*ROOT.glob("*.md"), ROOT / "examples" / "README.md", *(ROOT / "docs").glob("*.md")]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_modules_and_what_is_in_them_are_there(page):
    for name in set(re.findall(r"`(seqcast(?:\.[A-Za-z_]\w*)+)", page.read_text())):
        pkgutil.resolve_name(name)


def test_links_and_pictures_are_there():
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
