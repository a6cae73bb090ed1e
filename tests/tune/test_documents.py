"""What the page about tuning shows runs as it is written, with less training; searches of scikit-learn's too."""

import re
from pathlib import Path

import pytest

BLOCKS = re.findall(
    r"```python\n(.*?)```", (Path(__file__).parents[2] / "docs" / "tuning.md").read_text(), flags=re.DOTALL
)
ARRAYS = next(block for block in BLOCKS if "HalvingRandomSearchCV" in block)


@pytest.mark.filterwarnings("ignore:.*max_resources.*:UserWarning")
def test_searches_of_arrays_find_the_better_setting():
    names = {}
    exec(compile(ARRAYS, "docs/tuning.md", "exec"), names)
    assert names["past"].shape == (385, 12, 1)
    grid, halving = names["grid"], names["halving"]
    assert set(grid.cv_results_["param_cell"]) == {"gru", "lstm"}
    assert grid.best_score_ == max(grid.cv_results_["mean_test_score"])
    assert halving.n_iterations_ > 1
    assert set(halving.cv_results_["n_resources"]) >= {1, 2}
    for train, test in names["apart"].split(names["past"]):
        assert test[0] - train[-1] > 12 + 4


@pytest.mark.documents
@pytest.mark.filterwarnings("default::seqcast.forecaster.candidates.last_season.FallbackWarning")
def test_the_page_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = "\n".join(block for block in BLOCKS if block is not ARRAYS)
    quick = "random_state=0, verbose=0, training={'epochs': 1, 'steps_per_epoch': 2}, workers=1"
    small = code.replace('time_limit="10 min", storage', "trials=2, ensemble=2, storage")
    finetuning = 'training={"epochs": 2}, trials=3, '
    assert finetuning in small
    small = small.replace(finetuning, "trials=1, ").replace("random_state=0)\n", f"{quick})\n")
    small = small.replace(f"level=(), {quick}).fit", "level=(), random_state=0, verbose=0).fit")
    small = small.replace("random_state=0).fit", "random_state=0, verbose=0).fit")
    small = small.replace("TrainingSpec(epochs=3)", "TrainingSpec(epochs=1, steps_per_epoch=2)")
    names = {}
    exec(compile(small, "docs/tuning.md", "exec"), names)
    assert (tmp_path / "fit_best.py").read_text().startswith('"""Fit the forecaster')
    assert (tmp_path / "importance.png").exists()
    assert (tmp_path / "trials.png").exists()
    assert len(names["found"].trials) == 6
