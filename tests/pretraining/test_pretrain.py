"""The training of the pretrained network: batches, budgets."""

import numpy as np
import pytest

import pretrain
from seqcast.pretrained import PretrainedNetwork
from synthetic_windows import SyntheticBatches


def drawn(seed=0, **options):
    usual = {"horizons": (8, 12), "batch_size": 32, "context_lengths": (16, 32)}
    return SyntheticBatches(seed=seed, **{**usual, **options})


def test_a_batch_depends_on_its_number_alone_and_its_future_follows_its_past():
    one = drawn(gaps=0.0, borrowed=0.0)
    other = drawn(gaps=0.0, borrowed=0.0)
    one.batch(2)
    (inputs, y, weight), (same, same_y, same_weight) = one.batch(5), other.batch(5)
    for mine, theirs in zip(
        (*inputs.values(), y, weight), (*same.values(), same_y, same_weight), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)
    assert (drawn(1).batch(5)[1][:, :8] != y[:, :8]).any()
    window, future, _ = one.windows(5)
    near = np.abs(y[..., 0]) < 19
    tolerance = 1e-3 * window.unit.max()
    np.testing.assert_allclose(
        window.in_units(y[..., 0].astype(float))[near], future[near], rtol=1e-3, atol=tolerance
    )


def test_a_budget_that_branches_off_is_the_one_that_was_trained_at_once(tmp_path, monkeypatch):
    sizes = {
        "STEPS_AN_EPOCH": 2,
        "CONTEXTS": (16,),
        "DRAWN_CONTEXTS": (16,),
        "VALIDATION_BATCHES": 1,
    }
    for name, few in sizes.items():
        monkeypatch.setattr(pretrain, name, few)

    def train(name, steps, *more):
        options = [
            "--steps",
            str(steps),
            "--width",
            "8",
            "--batch-size",
            "8",
            "--out",
            str(tmp_path / name),
            *more,
        ]
        arguments = pretrain.parser().parse_args(options)
        arguments.out.mkdir(exist_ok=True)
        return pretrain.train(arguments, window=PretrainedNetwork.window(max(pretrain.HORIZONS)))[
            0
        ].weights

    train("stable", 4, "--decay", "0")
    branch = train("branch", 6, "--decay", "0.34", "--branch", str(tmp_path / "stable"))
    for ours, theirs in zip(branch, train("whole", 6, "--decay", "0.34"), strict=True):
        np.testing.assert_array_equal(ours, theirs)
    with pytest.raises(SystemExit, match="another learning rate"):
        train("whole", 8, "--decay", "0.34")
