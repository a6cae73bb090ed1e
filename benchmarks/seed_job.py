"""The post's job: two sines, 15 steps in and 15 out, two GRU layers of 35 in encoder and decoder, 15 × 102,400 windows.

    python benchmarks/seed_job.py                  # all settings, three seeds
    python benchmarks/seed_job.py --only default   # one setting
    python benchmarks/seed_job.py --quick          # 2,048 windows, one epoch: proves the path in a few seconds

Compares the post's recipe with seqcast's defaults, and the decoder's inputs with one another. The data are drawn as the
post's published code draws them (`offset=(0, 0)`); the seed decides training data, initial weights and order alike, and
the 20,000 test windows are the same for all.
"""

import statistics
from functools import partial

import numpy as np

from harness import kept, machine, options, parse, spread, table
from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines

NETWORK = {"encoder_units": (35, 35), "decoder_units": (35, 35)}
ADAM = {**NETWORK, "optimizer": "adam", "learning_rate": 0.01}
SETTINGS = {
    "post": {
        **ADAM,
        "learning_rate_schedule": "constant",
        "clip_norm": "none",
        "batch_size": 512,
        "scale": "none",
    },
    "default": NETWORK,
    # The decoder's inputs are compared under the optimiser of the post, with our schedule, batches
    # and scaling.
    "adam": ADAM,
    "teacher": {**ADAM, "decoder_input": "teacher"},
    "scheduled": {**ADAM, "decoder_input": "scheduled"},
    "autoregressive": {**ADAM, "decoder_input": "autoregressive"},
}
TEST_SEED = 2000
LONGER = 20


def sines(count, future, seed):
    """Draw windows of 15 steps and what follows."""
    return random_sines(count, past=15, future=future, offset=(0, 0), seed=seed)


def job(setting, seed, windows, epochs, test):
    """Train with some options and one seed, and score the model on windows of another seed."""
    past, truth = sines(test, LONGER, TEST_SEED)
    given = {
        **setting,
        "epochs": epochs,
        "validation_fraction": 0.0,
        "random_state": seed,
        "verbose": 1,
    }
    model = Seq2SeqRegressor(**given).fit(*sines(windows, 15, 1969 + seed))
    by_step = ((model.predict(past, LONGER) - truth) ** 2).mean(axis=(0, 2))
    error = float(((model.predict(past) - truth[:, :15]) ** 2).mean())
    return {"mse_15": error, "mse_by_step": by_step.tolist(), "seconds": model.history_.seconds}


def main():
    """Train what has no result file yet, and print a table."""
    parser = options(__doc__, "seed_job", seeds=3, quick="2,048 windows, one epoch, one seed")
    arguments = parse(parser, SETTINGS)
    windows, epochs, test = (2_048, 1, 500) if arguments.quick else (102_400, 15, 20_000)
    rows = []
    for name in arguments.chosen:
        described = {"options": SETTINGS[name], "windows": windows, "epochs": epochs, "test": test}
        runs = [
            kept(
                arguments.results,
                name,
                seed,
                described,
                partial(job, SETTINGS[name], seed, windows, epochs, test),
            )
            for seed in range(1 if arguments.quick else arguments.seeds)
        ]
        steps = np.mean([run["mse_by_step"] for run in runs], axis=0)
        errors = spread([run["mse_15"] for run in runs], 4, statistics.fmean)
        by_step = (steps[0], steps[14], steps.mean(), steps[19])
        seconds = statistics.median(run["seconds"] for run in runs)
        rows.append([name, errors, *(f"{error:.4f}" for error in by_step), f"{seconds:.0f}"])
    print(
        table(
            [
                "setting",
                "MSE, steps 1-15",
                "step 1",
                "step 15",
                "steps 1-20",
                "step 20",
                "training, s",
            ],
            rows,
        )
    )
    print(
        f"forecasting zero: {(sines(test, 15, TEST_SEED)[1] ** 2).mean():.4f}", machine(), sep="\n"
    )


if __name__ == "__main__":
    main()
