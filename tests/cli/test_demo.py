"""The demo, as small as can be: what it writes, and that a seed fixes it."""

import json

import numpy as np
import pytest

from seqcast.cli.demo import FILES, DemoSize, run_demo
from seqcast.regressor import Seq2SeqRegressor

pytestmark = pytest.mark.documents

TINY = DemoSize(
    32,
    batch_size=16,
    epochs=2,
    baseline_epochs=1,
    test=8,
    series_epochs=1,
    series_horizon=2,
    n_windows=1,
)


@pytest.fixture(scope="module")
def demos(tmp_path_factory):
    """The same demo twice: folders, results, and the lines of the first."""
    folders = [tmp_path_factory.mktemp("demo") / "deep" / "down" for _ in range(2)]
    lines = []
    results = [run_demo(folder, TINY, seed=3, verbose=0, say=lines.append) for folder in folders]
    return folders, results, lines


def test_files(demos):
    for folder in demos[0]:
        assert sorted(path.name for path in folder.iterdir()) == sorted(FILES)
        assert all(path.stat().st_size > 500 for path in folder.iterdir())
        for name in FILES:
            if name.endswith(".png"):
                assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert Seq2SeqRegressor.load(demos[0][0] / "sines.seqcast").predict(
        np.zeros((1, 15, 1)), 3
    ).shape == (1, 3, 1)


def test_metrics(demos):
    metrics = json.loads((demos[0][0] / "metrics.json").read_text())
    first, second = demos[1]
    assert metrics == first
    # A seed fixes everything.
    same = [
        (each["sines"]["scores"], each["sines"]["training_loss"], each["series"])
        for each in (first, second)
    ]
    assert same[0] == same[1]
    lines = demos[2][: len(demos[2]) // 2]
    assert lines[0] == "Sums of two sines: 15 steps in, 15 out, 32 training windows, 2 epochs"
    assert lines[-1].startswith("A real series: Carbon dioxide")
    assert set(metrics) == {"seed", "sines", "series", "files", "seconds"}
    assert metrics["seed"] == 3
    assert len(metrics["sines"]["training_loss"]) == 2
    assert metrics["sines"]["weights"] == 23_031
    assert list(metrics["sines"]["scores"]) == [
        "seqcast",
        "many-to-one network",
        "last value",
        "zero",
    ]
    for score in metrics["sines"]["scores"].values():
        steps = score["mse_by_step"]
        assert len(steps) == 20
        assert sum(steps) / 20 == pytest.approx(score["mse_20"])
        assert sum(steps[:15]) / 15 == pytest.approx(score["mse_15"])
    series = metrics["series"]
    assert (series["name"], series["horizon"], series["n_windows"]) == ("co2", 2, 1)
    assert set(series["scores"]) == {"seqcast", "seasonal_naive", "last_value"}
    assert all(set(score) == {"mae", "rmse"} for score in series["scores"].values())
