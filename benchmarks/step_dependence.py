"""How the steps of the pretrained network's forecasts depend on each other, learnt from synthetic series.

    python benchmarks/step_dependence.py --data FOLDER    # coverage of totals on windows before test parts

The two numbers of `seqcast.intervals.Dependence` are those under which sums of 2, 4, …, 64 normal scores of what came
are likeliest. They are learnt with a network, by `pretrain.py`; this program shows how many totals over the whole
horizon the intervals of 80 % hold, with these numbers and with steps that are drawn one by one.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).with_name("accuracy")))

import numpy as np
from held_back import SOURCES, all_windows, read_windows
from scipy import optimize, special

from harness import machine, options, parse, table
from seqcast.forecaster.candidates.candidate import DRAWN_QUANTILES
from seqcast.intervals import Dependence
from seqcast.pretrained import load_pretrained
from synthetic_windows import SyntheticBatches

SUMMED, BATCHES, SEED = (2, 4, 8, 16, 32, 64), 60, 2 * 10**6
PATHS = 200
# Ranks further out are as far as these.
LEAST_RANK = 0.001


def learnt_dependence(network, context_lengths, batch_size):
    """Return the numbers that the forecasts of a network have on synthetic series that no training draws.

    Args:
        network: The network.
        context_lengths: Known steps of the windows, those of the training.
        batch_size: Windows of a batch.
    """
    size = {"horizons": (max(SUMMED),), "batch_size": batch_size, "context_lengths": context_lengths}
    batches, rng, scores = SyntheticBatches(seed=SEED, **size), np.random.default_rng(SEED), []
    probabilities = np.array(network.engine.network.quantiles)
    for number in range(BATCHES):
        windows, future, _ = batches.windows(number)
        quantiles = np.asarray(network.engine.quantiles(windows.inputs, max(SUMMED), list(probabilities)))[:, :, 0]
        scores.append(normal_scores(windows.scaled(future), quantiles, probabilities, rng))
    return likeliest(np.concatenate(scores))


def normal_scores(truth, quantiles, probabilities, rng):
    """Return what came as normal scores of its forecast, `[B, H]`; where quantiles are equal, one of theirs by chance.

    Args:
        truth: What came, `[B, H]`.
        quantiles: The forecast, `[B, H, Q]`.
        probabilities: The probability of each quantile, `Q`.
        rng: The generator.
    """
    ranks, values = np.concatenate([[0.0], probabilities, [1.0]]), truth[..., None]
    below, up_to = (quantiles < values).sum(axis=-1), (quantiles <= values).sum(axis=-1)
    # Between two quantiles, or of those that are equal to it the first and the last.
    low = np.where(below == up_to, ranks[below], ranks[below + 1])
    high = np.where(below == up_to, ranks[below + 1], ranks[up_to])
    around = [
        np.take_along_axis(quantiles, np.clip(place, 0, len(probabilities) - 1)[..., None], axis=-1)[..., 0]
        for place in (below - 1, below)
    ]
    width = np.where(around[1] > around[0], around[1] - around[0], np.inf)
    is_between = (below == up_to) & (below > 0) & (below < len(probabilities))
    share = np.where(is_between, (truth - around[0]) / width, rng.random(truth.shape))
    return np.asarray(special.ndtri(np.clip(low + share * (high - low), LEAST_RANK, 1 - LEAST_RANK)))


def variance_of_sum(dependence, steps):
    """Return the variance of the sum of the normal scores of so many steps."""
    apart = np.arange(1, steps)
    of_rest = steps + 2 * float(np.sum((steps - apart) * dependence.persistence**apart))
    return dependence.shared * steps**2 + (1 - dependence.shared) * of_rest


def likeliest(scores):
    """Return the dependence under which sums of normal scores, `[B, H]`, are likeliest; all lengths count alike."""
    squares = {
        steps: float(np.mean(scores.reshape(len(scores), -1, steps).sum(axis=2) ** 2))
        for steps in SUMMED
        if scores.shape[1] % steps == 0
    }

    def unlikeliness(numbers):
        variances = {steps: variance_of_sum(Dependence(*numbers), steps) for steps in squares}
        return sum(squares[steps] / variance + np.log(variance) for steps, variance in variances.items())

    exact = {"xatol": 1e-4, "fatol": 1e-9}
    found = optimize.minimize(unlikeliness, [0.5, 0.5], bounds=[(0.0, 0.99)] * 2, method="Nelder-Mead", options=exact)
    shared, persistence = found.x.round(3).tolist()
    return Dependence(shared, persistence)


def coverages(network, tasks, dependences):
    """Return for each dependence the share of totals over the known steps that intervals of 80 % hold."""
    hit = {name: [] for name in dependences}
    for task in tasks:
        future = np.stack([values[-task.horizon :] for values in task.series])
        is_known = ~np.isnan(future)
        truth = future.sum(axis=1, where=is_known)
        quantiles = network.forecast(read_windows(task, network.context_lengths[-1]), task.horizon, DRAWN_QUANTILES)
        for name, dependence in dependences.items():
            rng = np.random.default_rng(0)
            ranks = dependence.ranks(rng, (PATHS, task.horizon, len(truth)))
            places = np.clip(np.searchsorted(DRAWN_QUANTILES, ranks), 0, len(DRAWN_QUANTILES) - 1).transpose(2, 1, 0)
            totals = np.take_along_axis(quantiles, places, axis=2).sum(axis=1, where=is_known[:, :, None])
            low, high = np.quantile(totals, (0.1, 0.9), axis=1)
            hit[name].append((low <= truth) & (truth <= high))
    return [float(np.concatenate(each).mean()) for each in hit.values()]


def main():
    """Show the share of totals in intervals of 80 %."""
    network, rows = load_pretrained(), []
    shown = {"drawn one by one": Dependence(), "depending": network.dependence}
    for name, tasks in all_windows(parse(options(__doc__, data=True)).data, list(SOURCES)).items():
        found = [f"{each:.2f}" for each in coverages(network, tasks, shown)]
        rows.append([name, sum(len(task.series) for task in tasks), tasks[0].horizon, *found])
    print(table(["task", "windows", "steps", *shown], rows))
    print(network.dependence, machine(), sep="\n")


if __name__ == "__main__":
    main()
