"""Processes that share each batch train as one does; they are plain ones, without Ray."""

import json
import socket
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest

pytestmark = [
    pytest.mark.ray,
    pytest.mark.skipif(keras.backend.backend() != "jax", reason="collectives of JAX"),
]

PROGRAM = Path(__file__).with_name("process.py")


def free_port():
    with socket.socket() as listening:
        listening.bind(("", 0))
        return listening.getsockname()[1]


def run(count, folder):
    """Run so many processes; return what each has found."""
    folder.mkdir()
    address = f"127.0.0.1:{free_port()}"
    running = [
        subprocess.Popen(
            [sys.executable, PROGRAM, str(rank), str(count), address, folder],
            stderr=subprocess.PIPE,
        )
        for rank in range(count)
    ]
    errors = [process.communicate(timeout=300)[1].decode() for process in running]
    assert [process.returncode for process in running] == [0] * count, errors
    found = [dict(np.load(folder / f"{rank}.npz")) for rank in range(count)]
    histories = [json.loads(str(each["history of weights"])) for each in found]
    return found, histories


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    found, histories = run(1, tmp_path_factory.mktemp("alone") / "1")
    return found[0], histories[0]


@pytest.fixture(scope="module", params=[2, 4])
def together(request, tmp_path_factory):
    return run(request.param, tmp_path_factory.mktemp("together") / str(request.param))


def of(found, training):
    return [values for name, values in found.items() if name.startswith(f"{training}/")]


@pytest.mark.parametrize(("training", "tolerance"), [("gradient", 1e-6), ("weights", 1e-4)])
def test_gradients_and_weights_after_twenty_steps_are_those_of_one_process(
    training, tolerance, alone, together
):
    """The gradient is what one step by it changes. All processes have the same bits."""
    first, *others = together[0]
    for ours, theirs in zip(of(first, training), of(alone[0], training), strict=True):
        np.testing.assert_allclose(ours, theirs, atol=tolerance, rtol=0)
    for other in others:
        for one, same in zip(of(first, training), of(other, training), strict=True):
            np.testing.assert_array_equal(one, same)


def test_losses_and_metrics_are_those_of_the_whole_batch(alone, together):
    theirs = alone[1]
    for ours in together[1]:
        assert ours["best_epoch"] == theirs["best_epoch"]
        assert ours["micro_batches"] == theirs["micro_batches"] == 4
        assert (
            ours["epochs"].keys()
            == theirs["epochs"].keys()
            == {"loss", "mae", "val_loss", "val_mae"}
        )
        for name in ours["epochs"]:
            np.testing.assert_allclose(ours["epochs"][name], theirs["epochs"][name], rtol=1e-4)
