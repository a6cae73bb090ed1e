"""ETTh1 and ETTh2 from 96 hours: every test window of four horizons, mean squared and mean absolute error.

    python benchmarks/accuracy/etth.py FOLDER              # both, three seeds
    python benchmarks/accuracy/etth.py FOLDER --quick      # proves the path

Each column is a series of its own, which a static covariate names; forecasts go through
`Forecaster.backtest` with the fitted weights, stride 1. Training rows end where validation rows
begin; the best epoch is chosen on these. Repeating the last 24 hours is scored first, and has the
published errors.
"""

import dataclasses
import time
from functools import partial

import numpy as np
from competitions import OUT_OF_THE_BOX, QUICK, Setting

from harness import code, kept, kept_path, machine, options, parse, peak_mib, table
from public_data import ETT_CONTEXT, ETT_TEST, ETT_TRAIN, ETT_VALIDATION, read_ett
from seqcast import Forecaster, NetworkSpec

SETS = ("ETTh1", "ETTh2")
HORIZONS = (96, 192, 336, 720)
# MSE and MAE, average over the four horizons.
PUBLISHED = {
    "ETTh1": {
        "SegRNN": (0.417, 0.428),
        "CycleNet-Linear": (0.433, 0.428),
        "iTransformer": (0.454, 0.448),
    },
    "ETTh2": {
        "SegRNN": (0.373, 0.404),
        "CycleNet-Linear": (0.409, 0.415),
        "iTransformer": (0.383, 0.407),
    },
}
WINDOWS_AT_ONCE = 50_000  # rows of a backtest's frame, over a series' horizon
FILES = ("public_data.py", "accuracy/competitions.py", "accuracy/etth.py")


def one_network(width, normalise, rate):
    """Return a chosen network and its training; near steps count more in the loss."""
    network = {
        "normalise": normalise,
        "segment": 24,
        "decoder_input": "position",
        "decoding": "parallel",
    }
    network |= {"encoder_units": (width,), "decoder_units": (width,), "dropout": 0.5}
    training = {
        "optimizer": "adam",
        "learning_rate": rate,
        "batch_size": 256,
        "epochs": 12,
        "early_stopping": 3,
    }
    training |= {"steps_per_epoch": 100, "loss": "mae", "horizon_decay": 0.5}
    return Setting(
        network, training, {"static_covariates": ("channel",), "scale": "none", "calendar": "none"}
    )


ONE_NETWORK = {"ETTh1": one_network(256, "level", 5e-4), "ETTh2": one_network(128, "recent", 1e-3)}


def truth_of(frame, horizon):
    """Return the truth of every test window, `[windows, H, 7]`."""
    wide = frame.pivot(index="ds", columns="unique_id", values="y").to_numpy()[
        ETT_VALIDATION:ETT_TEST
    ]
    return np.lib.stride_tricks.sliding_window_view(wide, horizon, axis=0).transpose(0, 2, 1)


def mse_mae(forecast, truth):
    """Return the mean squared and the mean absolute error over windows, steps and columns."""
    error = forecast - truth
    return float(np.mean(np.square(error))), float(np.mean(np.abs(error)))


def naive_errors(frame):
    """Return MSE and MAE of repeating the last 24 hours, by horizon."""
    wide = frame.pivot(index="ds", columns="unique_id", values="y").to_numpy()
    scores = {}
    for horizon in HORIZONS:
        starts = np.arange(ETT_VALIDATION, ETT_TEST - horizon + 1)
        scores[horizon] = mse_mae(
            wide[starts[:, None] - 24 + np.arange(horizon) % 24], truth_of(frame, horizon)
        )
    return scores


def between(frame, first, last):
    """Return the rows of each series from one number to another."""
    return frame[frame["ds"].isin(frame["ds"].drop_duplicates().iloc[first:last])]


def trained(frame, setting, horizon, seed, *, quick):
    """Return a forecaster that is trained on the training rows."""
    given = {"context_length": ETT_CONTEXT, **setting.options}
    if setting.network:
        given |= {"preset": NetworkSpec(**setting.network), "level": ()}
    training = {**setting.training, **(QUICK if quick else {})}
    model = Forecaster(horizon, training=training or None, random_state=seed, verbose=0, **given)
    return model.fit(
        between(frame, 0, ETT_TRAIN), validation=between(frame, ETT_TRAIN, ETT_VALIDATION)
    )


def forecasts(model, frame, *, quick):
    """Forecast every test window, `[windows, H, 7]`, some at a time."""
    horizon = model.horizon
    ends = np.arange(ETT_TEST - 20 if quick else ETT_VALIDATION + horizon - 1, ETT_TEST)
    blocks = []
    for some in np.array_split(ends, max(1, len(ends) * horizon // WINDOWS_AT_ONCE)):
        known = between(frame, some[0] + 1 - horizon - model.context_length_, some[-1] + 1)
        rows = model.backtest(known, n_windows=len(some), step_size=1, refit="never")
        ordered = rows.sort_values(["unique_id", "cutoff", "ds"], kind="stable")
        values = ordered["seqcast"].to_numpy().reshape(ordered["unique_id"].nunique(), -1, horizon)
        blocks.append(values.transpose(1, 2, 0))
    return np.concatenate(blocks)


def result(arguments, label, name, horizon, seed):
    """Return a result from its file, or measure it; forecasts are in a file beside it."""
    setting = ONE_NETWORK[name] if label == "one network" else OUT_OF_THE_BOX[label]
    described = {
        "given": dataclasses.asdict(setting),
        "quick": arguments.quick,
        "code": code(*FILES),
    }
    key = (arguments.results, f"{label}, {name}, {horizon}", seed, described)
    beside = kept_path(*key).with_suffix(".npy")

    def measure():
        frame = read_ett(arguments.data, name)
        frame = frame.assign(channel=frame["unique_id"])
        began = time.perf_counter()
        model = trained(frame, setting, horizon, seed, quick=arguments.quick)
        found = forecasts(model, frame, quick=arguments.quick)
        seconds = round(time.perf_counter() - began, 1)
        beside.parent.mkdir(parents=True, exist_ok=True)
        np.save(beside, found.astype(np.float32))
        test = mse_mae(found, truth_of(frame, horizon)[-len(found) :])
        weights = sum(engine.weight_count for engine in model.engines_)
        return {
            "test": test,
            "weights": weights,
            "seconds": seconds,
            "peak_mib": peak_mib(),
            "forecasts": str(beside),
        }

    return kept(*key, measure)


def summary(errors):
    """Return MSE and MAE over horizons, mean over seeds and spread, and MSE by horizon."""
    means = errors.mean(axis=1)
    cells = [f"{m.mean():.3f} ({m.min():.3f}-{m.max():.3f})" for m in means.T]
    return [*cells, " ".join(f"{value:.3f}" for value in errors[:, :, 0].mean(axis=0))]


def main():
    """Train, score and print a table."""
    parser = options(
        __doc__, "accuracy/etth", data=True, seeds=3, quick="hardly any training, few windows"
    )
    names = ["one network", *OUT_OF_THE_BOX]
    parser.add_argument(
        "--settings", nargs="+", choices=names, default=names[:2], help="(default the first two)"
    )
    parser.add_argument("--horizons", type=int, nargs="+", choices=HORIZONS, default=HORIZONS)
    arguments = parse(parser, SETS)
    rows = []
    for name in arguments.chosen:
        frame = read_ett(arguments.data, name)
        print(f"{name}, repeating the last 24 hours:", naive_errors(frame))
        for label in arguments.settings:
            own = partial(result, arguments, label, name)
            found = [
                [own(horizon, seed) for horizon in arguments.horizons]
                for seed in range(arguments.seeds)
            ]
            every = [one for seed in found for one in seed]
            costs = [
                f"{max(one[key] for one in every):,.0f}"
                for key in ("seconds", "peak_mib", "weights")
            ]
            rows.append(
                [
                    label,
                    name,
                    *summary(np.array([[one["test"] for one in seed] for seed in found])),
                    *costs,
                ]
            )
            if len(found) > 1:
                means = [
                    np.mean([np.load(one["forecasts"]) for one in each], axis=0)
                    for each in zip(*found, strict=True)
                ]
                errors = [mse_mae(m, truth_of(frame, m.shape[1])[-len(m) :]) for m in means]
                rows.append(
                    [f"{label}, mean of seeds", name, *summary(np.array([errors])), "", "", ""]
                )
        rows += [
            [f"published: {method}", name, *scores, "", "", "", ""]
            for method, scores in PUBLISHED[name].items()
        ]
    print(
        table(
            ["setting", "data", "MSE", "MAE", "by horizon", "longest, s", "peak MiB", "weights"],
            rows,
        )
    )
    print(machine())


if __name__ == "__main__":
    main()
