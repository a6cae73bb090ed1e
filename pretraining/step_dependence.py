"""How the steps of the pretrained network's forecasts depend on each other.

    python pretraining/step_dependence.py --data FOLDER    # coverage of totals, before test parts

The two numbers of `seqcast.intervals.Dependence` are those under which sums of 2, 4, …, 64 normal
scores of the truth are likeliest. They are learned with a network, by `pretrain.py`; this program
shows how many totals over the whole horizon the intervals of 80 % hold, with these numbers and with
steps that are drawn one by one.
"""

import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

import numpy as np
from scipy import special

from harness import machine, options, parse, table
from held_back import SOURCES, all_windows, read_windows
from seqcast.forecaster.blend import PROBABILITIES
from seqcast.intervals import Dependence, likeliest, normal_scores
from seqcast.pretrained import load_pretrained
from synthetic_windows import SyntheticBatches

# Steps of the sums, at most.
STEPS = 64
# Batches that the numbers are learned from.
BATCHES = 60
# Their seed, which no training and no validation has.
SEED = 2 * 10**6
# Sample paths of a window.
PATHS = 200


def fitted_dependence(network, context_lengths, batch_size):
    """Return the two numbers of a network, from synthetic series that no training draws.

    Args:
        network: The network.
        context_lengths: Known steps of the windows, those of the training.
        batch_size: Windows of a batch.
    """
    size = {"horizons": (STEPS,), "batch_size": batch_size, "context_lengths": context_lengths}
    batches = SyntheticBatches(seed=SEED, **size)
    rng = np.random.default_rng(SEED)
    probabilities = np.array(network.engine.network.quantiles)

    scores = []
    for number in range(BATCHES):
        windows, future, _ = batches.windows(number)
        quantiles = network.engine.quantiles(windows.inputs, STEPS, list(probabilities))
        quantiles = np.asarray(quantiles)[:, :, 0]
        scores.append(normal_scores(windows.scaled(future), quantiles, probabilities, rng))
    return likeliest(np.concatenate(scores))


def coverages(network, tasks, dependences):
    """Return for each dependence the share of totals that intervals of 80 % hold.

    Totals are those of the steps of a window that are known.
    """
    hit = {name: [] for name in dependences}
    for task in tasks:
        future = np.stack([values[-task.horizon :] for values in task.series])
        is_known = ~np.isnan(future)
        truth = future.sum(axis=1, where=is_known)
        quantiles = network.forecast(
            read_windows(task, network.context_lengths[-1]), task.horizon, PROBABILITIES
        )

        for name, dependence in dependences.items():
            rng = np.random.default_rng(0)
            ranks = special.ndtr(dependence.scores(rng, (PATHS, task.horizon, len(truth))))
            places = np.searchsorted(PROBABILITIES, ranks).clip(0, len(PROBABILITIES) - 1)
            paths = np.take_along_axis(quantiles, places.transpose(2, 1, 0), axis=2)
            totals = paths.sum(axis=1, where=is_known[:, :, None])
            low, high = np.quantile(totals, (0.1, 0.9), axis=1)
            hit[name].append((low <= truth) & (truth <= high))
    return [float(np.concatenate(each).mean()) for each in hit.values()]


def main():
    """Show the share of totals in intervals of 80 %."""
    arguments = parse(options(__doc__, data=True))
    network = load_pretrained()
    shown = {"drawn one by one": Dependence(), "depending": network.dependence}

    rows = []
    for name, tasks in all_windows(arguments.data, list(SOURCES)).items():
        found = [f"{each:.2f}" for each in coverages(network, tasks, shown)]
        rows.append([name, sum(len(task.series) for task in tasks), tasks[0].horizon, *found])
    print(table(["task", "windows", "steps", *shown], rows))
    print(network.dependence, machine(), sep="\n")


if __name__ == "__main__":
    main()
