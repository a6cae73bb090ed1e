"""What the README shows runs as it is written, with smaller numbers."""

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


@pytest.mark.documents
def test_the_page_about_frames_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    page = (ROOT / "docs" / "frames.md").read_text()
    if importlib.util.find_spec("sktime") is None:
        page = page[: page.index("\n## sktime\n")]
    code = "\n".join(re.findall(r"```python\n(.*?)```", page, flags=re.DOTALL))
    small = code.replace("random_state=0", "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2}")
    assert '"5 s"' in small
    small = small.replace('"5 s"', '"1 s"')
    names = {}
    exec(compile(small, "docs/frames.md", "exec"), names)
    assert len(names["forecast"]) == 3 * 14


@pytest.mark.documents
def test_the_page_about_looking_inside_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "inspection.md").read_text(), flags=re.DOTALL))
    small = code.replace("random_state=0", "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2}")
    small = small.replace("step_size=13)", "step_size=60)").replace("* 13 /", "* 60 /")
    assert small.count("60") == 2
    exec(compile(small, "docs/inspection.md", "exec"), {})
    assert {path.name for path in tmp_path.iterdir()} == {"states.png", "probes.png", "sensitivity.png", "memory.png"}


@pytest.mark.documents
def test_the_page_about_export_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "export.md").read_text(), flags=re.DOTALL)
    small = code.replace("random_state=0", "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2}")
    assert small != code
    exec(compile(small, "docs/export.md", "exec"), {})
    assert (tmp_path / "model.onnx").stat().st_size > 0


@pytest.mark.documents
def test_the_page_about_the_pretrained_network_runs():
    code = "\n".join(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "pretrained.md").read_text(), flags=re.DOTALL))
    names = {}
    exec(compile(code, "docs/pretrained.md", "exec"), names)
    assert len(names["forecast"]) == 52
    assert len(names["fortnight"]) == 14
    assert names["walks"].shape == (3, 100)


@pytest.mark.documents
def test_the_page_about_scale_runs():
    rows, shared = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "scale.md").read_text(), flags=re.DOTALL)
    names = {}
    exec(compile(rows, "docs/scale.md", "exec"), names)
    assert len(list((names["sales"].parent / "forecasts").glob("*.parquet"))) == 1
    assert (names["sales"].parent / "backtest" / "_seqcast.json").exists()
    # Its workers are tested with those of Ray; names and arguments are those that there are.
    compile(shared, "docs/scale.md", "exec")
    assert "fit(df, on=cluster)" in shared


@pytest.mark.documents
@pytest.mark.filterwarnings("ignore")  # MLflow's and W&B's own
def test_the_page_about_tracking_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MLFLOW_DISABLE_TELEMETRY", "true")
    monkeypatch.setenv("WANDB_SILENT", "true")
    page = (ROOT / "docs" / "tracking.md").read_text()
    missing = {
        heading: name
        for heading, name in (("TensorBoard", "tensorboard"), ("MLflow", "mlflow"), ("Weights & Biases", "wandb"))
        if importlib.util.find_spec(name) is None
    }
    sections = re.split(r"\n## ", page)
    code = "\n".join(
        block
        for section in sections
        if section.partition("\n")[0] not in missing
        for block in re.findall(r"```python\n(.*?)```", section, flags=re.DOTALL)
    )
    small = code.replace("random_state=0", "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 10}")
    small = small.replace("images_every=5", "images_every=1")
    if "MLflow" not in missing:
        import mlflow

        mlflow.set_tracking_uri(f"sqlite:///{tmp_path}/runs.db")
        number = mlflow.create_experiment("tracking", artifact_location=str(tmp_path / "artifacts"))
        mlflow.set_experiment(experiment_id=number)
    names = {}
    exec(compile(small, "docs/tracking.md", "exec"), names)
    assert [row["event"] for row in names["rows"]] == ["step", "epoch"]
    assert (tmp_path / "runs" / "README.md").read_text().startswith("---\nlibrary_name: seqcast")


@pytest.mark.documents
def test_the_page_about_evaluation_runs(capsys):
    first, second = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "evaluation.md").read_text(), flags=re.DOTALL)
    small = first.replace("random_state=0", "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2}")
    assert small != first
    names = {}
    exec(compile(small, "docs/evaluation.md", "exec"), names)
    assert {"grown", "seqcast"} < set(names["backtest"])
    exec(compile(second, "docs/evaluation.md", "exec"), names)
    assert "[0.8" in capsys.readouterr().out
    np.testing.assert_allclose(names["inside"].mean(axis=(0, 1)), [0.8, 0.95], atol=0.02)


@pytest.mark.documents
def test_the_first_page_runs():
    (code,) = re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "index.md").read_text(), flags=re.DOTALL)
    names = {}
    exec(compile(code, "docs/index.md", "exec"), names)
    assert len(names["forecast"]) == 12


def test_python_of_every_page_is_run():
    """Those that are not run here are by the tests of tuning, serving and the site."""
    here = {"evaluation", "export", "frames", "index", "inspection", "pretrained", "scale", "tracking"}
    elsewhere = {"gallery", "post", "serving", "start", "tuning"}
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
