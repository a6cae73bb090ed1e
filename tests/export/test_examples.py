"""The examples: forecasts with onnxruntime and NumPy alone, and in a browser without network."""

import runpy
import shutil
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from seqcast import Forecaster, NetworkSpec

FOLDER = Path(__file__).parents[2] / "examples" / "export"
# `make test-app` fetches the npm package.
WEB = Path(__file__).parents[2] / ".cache" / "onnxruntime-web" / "package" / "dist"
WEB_FILES = ("ort.wasm.min.js", "ort-wasm-simd-threaded.mjs", "ort-wasm-simd-threaded.wasm")
HORIZON = 5


SMALL = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last", head="quantile")


@pytest.fixture(scope="module", params=[SMALL, "segment"], ids=["own", "segment"])
def forecaster(request):
    y = 10 + np.sin(np.arange(90.0)) + 0.1 * np.random.default_rng(0).normal(size=90)
    y[[20, 50, 51]] = np.nan
    df = pd.DataFrame({"unique_id": "a", "ds": pd.date_range("2024-01-01", periods=90), "y": y})
    training = {"epochs": 1, "steps_per_epoch": 2}
    options = {"level": (80,), "calendar": "none", "verbose": 0, "random_state": 0}
    return Forecaster(HORIZON, preset=request.param, training=training, **options).fit(df)


@pytest.fixture(scope="module")
def new():
    y = 20 + 3 * np.sin(np.arange(60.0))
    y[[10, 41]] = np.nan
    return pd.DataFrame({"unique_id": "new", "ds": pd.date_range("2024-01-01", periods=60), "y": y})


def test_numpy_and_onnxruntime_alone(forecaster, new, tmp_path, capsys, monkeypatch):
    forecaster.export(tmp_path / "model.onnx")
    (tmp_path / "values.txt").write_text("\n".join(map(str, new["y"])))
    script = FOLDER / "forecast.py"
    assert len(script.read_text().splitlines()) <= 25
    assert "seqcast" not in [
        line.split()[1] for line in script.read_text().splitlines() if line.startswith("import")
    ]
    monkeypatch.setattr(
        sys, "argv", [str(script), str(tmp_path / "model.onnx"), str(tmp_path / "values.txt")]
    )
    runpy.run_path(str(script), run_name="__main__")
    head, *rows = (line.split() for line in capsys.readouterr().out.splitlines())
    assert head == ["step", "seqcast", "seqcast-lo-80", "seqcast-hi-80"]
    ours = forecaster.predict(df=new)[head[1:]].to_numpy()
    np.testing.assert_allclose(np.array(rows, dtype=float)[:, 1:], ours, rtol=1e-4)


@pytest.fixture
def served(forecaster, tmp_path, serve_folder):
    """Serve the page and what lies beside it; return its address."""
    if not WEB.is_dir():
        pytest.fail(f"there is no {WEB}: make test-app fetches it")
    forecaster.export(tmp_path / "model.onnx")
    for path in (FOLDER / "forecast.html", *(WEB / name for name in WEB_FILES)):
        shutil.copy(path, tmp_path)
    return serve_folder(tmp_path)


@pytest.mark.browser
def test_in_a_browser_without_network(forecaster, new, served, chromium):
    assert len((FOLDER / "forecast.html").read_text().splitlines()) <= 60
    asked = []
    with chromium.new_page() as page:
        page.on("request", lambda request: asked.append(request.url))
        page.goto(f"{served}forecast.html")
        page.get_by_text("ready").wait_for()
        page.get_by_role("textbox").fill(" ".join(map(str, new["y"])))
        page.get_by_role("button", name="Forecast").click()
        page.get_by_text("done").wait_for()
        cells = page.locator("td").all_inner_texts()
        drawn = page.locator("polyline").count()
    assert all(url.startswith((served, "blob:", "data:")) for url in asked)
    assert drawn == 2
    ours = forecaster.predict(df=new)[["seqcast-lo-80", "seqcast", "seqcast-hi-80"]].to_numpy()
    np.testing.assert_allclose(np.array(cells, dtype=float).reshape(-1, 4)[:, 1:], ours, rtol=1e-4)
