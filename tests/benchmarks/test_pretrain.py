"""The training of the pretrained network: its learning rate, and budgets that branch off one training."""

import numpy as np
import pytest

import pretrain
from pretrain import StableRate
from seqcast.pretrained import PretrainedNetwork


def test_the_rate_rises_stays_and_falls():
    rate = StableRate(0.1, 10, 50, 20)
    found = np.array([float(rate(step)) for step in range(75)])
    np.testing.assert_allclose(found[:10], 0.01 * np.arange(1, 11), rtol=1e-6)
    np.testing.assert_allclose(found[9:51], 0.1, rtol=1e-6)
    np.testing.assert_allclose(found[50:70], 0.1 * np.arange(20, 0, -1) / 20, rtol=1e-5)
    assert not found[70:].any()
    assert StableRate.from_config(rate.get_config()).get_config() == rate.get_config()


@pytest.fixture
def train(tmp_path, monkeypatch):
    """Return a function that trains a tiny network for some steps; epochs have two."""
    monkeypatch.setattr(pretrain, "STEPS_AN_EPOCH", 2)
    monkeypatch.setattr(pretrain, "CONTEXTS", (16,))
    monkeypatch.setattr(pretrain, "DRAWN_CONTEXTS", (16,))
    monkeypatch.setattr(pretrain, "VALIDATION_BATCHES", 1)

    def run(name, steps, *more):
        options = ["--steps", str(steps), "--width", "8", "--batch-size", "8", "--out", str(tmp_path / name), *more]
        arguments = pretrain.parser().parse_args(options)
        arguments.out.mkdir(exist_ok=True)
        return pretrain.train(arguments, window=PretrainedNetwork.window(max(pretrain.HORIZONS)))

    return run


def test_a_budget_that_branches_off_is_the_one_that_was_trained_at_once(train, tmp_path):
    train("stable", 4, "--decay", "0")
    branch, log = train("branch", 6, "--decay", "0.34", "--branch", str(tmp_path / "stable"))
    whole, _ = train("whole", 6, "--decay", "0.34")
    assert len(log["epochs"]["loss"]) == 3
    for ours, theirs in zip(branch.weights, whole.weights, strict=True):
        np.testing.assert_array_equal(ours, theirs)
    longer, _ = train("stable", 8, "--decay", "0")
    assert any((ours != theirs).any() for ours, theirs in zip(longer.weights, whole.weights, strict=True))
    with pytest.raises(SystemExit, match="no state without decay of at most 4 steps"):
        train("late", 6, "--decay", "0.34", "--branch", str(tmp_path / "stable"))
    with pytest.raises(SystemExit, match="another learning rate"):
        train("whole", 8, "--decay", "0.34")
