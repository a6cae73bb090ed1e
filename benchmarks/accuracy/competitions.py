"""Three competitions: NN5 daily (56 days), tourism by months (24 months) and M4 Hourly (48 hours).

    python benchmarks/accuracy/competitions.py FOLDER                      # all, three seeds: about an hour and a half
    python benchmarks/accuracy/competitions.py FOLDER --quick              # proves the path
    python benchmarks/accuracy/competitions.py FOLDER --only nn5 --settings 'out of the box' best
    python benchmarks/accuracy/competitions.py FOLDER --peers --seeds 1    # beside other libraries: about an hour

Each setting is trained on all training values and scored on the test values. Settings were chosen on the last horizon
of each series' training values. Naive forecasts are scored too; their numbers are the published ones. "Mean of seeds"
is the mean of the seeds' forecasts, with all of their seconds and weights.

With `--peers`, which needs `make .venv-peers-libraries/.installed`, models of other libraries are trained and scored
too, each in a process of its own. Defaults are those of each library, `sensible` settings those of
`peers/accuracy_peer.py`. A training that takes longer than --minutes is stopped there; ours is not.
"""

import dataclasses
import time
from functools import partial
from typing import Any

import numpy as np
from zero_shot_tasks import DECILE_LEVELS, read_named

import harness
from seqcast import Forecaster, NetworkSpec

FILES = (
    "public_data.py",
    "accuracy/zero_shot_tasks.py",
    "accuracy/competitions.py",
    "peers/accuracy_peer.py",
)
QUICK = {"epochs": 1, "steps_per_epoch": 3}
COSTS = ("seconds", "peak_mib", "weights")
PEERS = (
    *(
        "neuralforecast-GRU",
        "neuralforecast-GRU-sensible",
        "darts-RNN",
        "darts-LSTM",
        "darts-GRU-sensible",
    ),
    *("statsforecast-AutoETS", "statsforecast-AutoTheta"),
)
M4_NAIVE2 = {"smape": 18.383, "mase": 2.395}
PLACES = {"seconds": 0, "peak_mib": 0, "weights": 0, "smape": 2, "mape": 2, "mape_low": 2, "wql": 4}


@dataclasses.dataclass(frozen=True)
class Setting:
    """Options of a forecaster.

    Args:
        network: Fields of its network; none for the preset that the forecaster chooses.
        training: Fields of its training.
        options: Other arguments.
    """

    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)


OUT_OF_THE_BOX = {"out of the box": Setting(), "best": Setting(options={"effort": "best"})}


def segments(width, segment, rate, epochs, residual="none", dropout=0.0):
    """Return network and training of the chosen networks: segments side by side, in windows of their own units."""
    network = {
        "normalise": "instance",
        "decoder_input": "position",
        "decoding": "parallel",
        "segment": segment,
    }
    network |= {
        "encoder_units": (width,),
        "decoder_units": (width,),
        "residual": residual,
        "dropout": dropout,
    }
    training = {"optimizer": "adamw", "learning_rate": rate, "batch_size": 256, "epochs": epochs}
    return network, {**training, "steps_per_epoch": 200, "loss": "mae", "validation_fraction": 0.0}


ONE_NETWORK = {
    "nn5": Setting(
        *segments(64, 7, 1e-3, 10, dropout=0.2),
        {"scale": "standard", "context_length": 112, "season_length": 7, "calendar": "none"},
    ),
    "tourism": Setting(
        *segments(128, 12, 1e-3, 20, "seasonal", 0.1),
        {"scale": "log1p", "context_length": 48, "season_length": 12, "weighting": "series"},
    ),
    "m4_hourly": Setting(
        *segments(256, 24, 2e-3, 30, "seasonal"),
        {"scale": "log1p", "context_length": 336, "season_length": 24, "weighting": "series"},
    ),
}
COLUMNS = {
    "nn5": ("mase", "smape", "wql"),
    "tourism": ("mase", "smape", "mape", "mape_low", "wql"),
    "m4_hourly": ("smape", "mase", "owa", "wql"),
}
PUBLISHED = {
    "nn5": "(MASE, sMAPE) mean of the last 8 same weekdays .887 / 21.09, a published LSTM .944 / -",
    "tourism": "(MASE, MAPE) N-BEATS, ensemble - / 19.47",
    "m4_hourly": "(sMAPE, MASE, OWA) Doornik, best of the competition, 8.913 / .801 / .410; ES-RNN, ensemble, "
    "9.328 / .893 / .440; FFORMA 11.506 / .819 / .484",
}


def settings_of(name):
    """Return the settings of a competition by their names."""
    return {"one network": ONE_NETWORK[name], **OUT_OF_THE_BOX}


def score(task, setting, seed, *, quick):
    """Train on a competition's training values and score the forecasts of what follows."""
    training = {**setting.training, **(QUICK if quick else {})}
    given = {"level": DECILE_LEVELS, **setting.options}
    if setting.network:
        given |= {"preset": NetworkSpec(**setting.network), "level": ()}
    frame = task.frame()
    began = time.perf_counter()
    model = Forecaster(
        task.horizon, training=training or None, random_state=seed, verbose=0, **given
    ).fit(frame)
    forecast = model.predict(df=frame)
    cube = (
        task.deciles(forecast) if given["level"] else task.matrix(forecast, "seqcast")[:, :, None]
    )
    return {
        **scores(task, cube),
        "weights": sum(engine.weight_count for engine in model.engines_),
        "seconds": round(time.perf_counter() - began, 1),
        "peak_mib": harness.peak_mib(),
        "forecast": np.round(cube, 6).tolist(),
    }


def scores(task, cube):
    """Return the scores of deciles, `[series, H, 9]`, or of a point, `[series, H, 1]`.

    Of deciles there is the relative error of the .4 quantile too: the best forecast by it lies
    below the median.
    """
    found = task.point_scores(cube[:, :, cube.shape[2] // 2])
    if cube.shape[2] > 1:
        found |= {"wql": task.scores(cube)[1], "mape_low": task.point_scores(cube[:, :, 3])["mape"]}
    if task.name == "m4_hourly":
        found["owa"] = sum(found[key] / naive for key, naive in M4_NAIVE2.items()) / 2
    return found


def mean_of_seeds(task, members):
    """Return the scores of the mean of the seeds' forecasts."""
    cube = np.mean([np.asarray(member["forecast"]) for member in members], axis=0)
    whole = {key: sum(member[key] for member in members) for key in ("seconds", "weights")}
    return {
        **scores(task, cube),
        **whole,
        "peak_mib": max(member["peak_mib"] for member in members),
    }


def same_weekdays(task, weeks=8):
    """Return the mean of the last same weekdays, `[series, H]`."""
    season = task.season
    means = [values[-season * weeks :].reshape(weeks, season).mean(axis=0) for values in task.past]
    return np.stack(means)[:, np.arange(task.horizon) % season]


def measured(arguments, task, name, seed):
    """Return the result of a setting of ours or of a peer."""
    if name not in PEERS:
        return score(task, settings_of(task.name)[name], seed, quick=arguments.quick)
    further = [
        "--seed",
        str(seed),
        "--minutes",
        str(arguments.minutes),
        *["--quick"] * arguments.quick,
    ]
    return harness.run_peer(arguments.data, task.name, name, *further)


def rows_of(arguments, task, name):
    """Return the row of a setting or of a peer, and that of the mean of its seeds' forecasts."""
    described = {"task": task.name, "quick": arguments.quick, "code": harness.code(*FILES)}
    described["given"] = (
        arguments.minutes if name in PEERS else dataclasses.asdict(settings_of(task.name)[name])
    )
    seeds = range(1 if name.startswith("statsforecast") else arguments.seeds)
    key = (arguments.results, f"{task.name} {name}")
    found = [
        harness.kept(*key, seed, described, partial(measured, arguments, task, name, seed))
        for seed in seeds
    ]
    columns = (*COLUMNS[task.name], *COSTS)
    rows = [[name, *(cell(key, found) for key in columns)]]
    if len(found) > 1 and name not in PEERS:
        mean = mean_of_seeds(task, found)
        rows.append([f"{name}, mean of seeds", *(cell(key, [mean]) for key in columns)])
    return rows


def cell(key, found):
    """Return the mean of a figure over seeds, with the smallest and largest; nothing where there is none."""
    values = [one[key] for one in found if key in one]
    return harness.spread(values, PLACES.get(key, 3), np.mean) if values else ""


def main():
    """Train, score and print tables."""
    parser = harness.options(
        __doc__, "accuracy/competitions", data=True, seeds=3, quick="hardly any training"
    )
    names = ["one network", *OUT_OF_THE_BOX]
    parser.add_argument(
        "--settings", nargs="+", choices=[*names, *PEERS], default=names[:2], help="(default ours)"
    )
    parser.add_argument(
        "--peers", action="store_true", help="NN5 and tourism beside all other libraries"
    )
    parser.add_argument(
        "--minutes", type=int, default=3, help="after which a peer's training is stopped"
    )
    arguments = harness.parse(parser, ONE_NETWORK)
    if arguments.peers:
        harness.check_environments(harness.LIBRARIES)
        arguments.chosen = ["nn5", "tourism"]
        arguments.settings = [*names[:2], *PEERS]
    for name in arguments.chosen:
        task = read_named(arguments.data, name)
        rows = [row for setting in arguments.settings for row in rows_of(arguments, task, setting)]
        naive = {"seasonal naive": task.seasonal_naive()}
        naive |= {"mean of the last 8 same weekdays": same_weekdays(task)} if name == "nn5" else {}
        for label, forecast in naive.items():
            rows.append(
                [
                    label,
                    *(
                        cell(key, [scores(task, forecast[:, :, None])])
                        for key in (*COLUMNS[name], *COSTS)
                    ),
                ]
            )
        print(
            harness.table([name, *COLUMNS[name], *COSTS], rows),
            f"published: {PUBLISHED[name]}\n",
            sep="\n",
            flush=True,
        )
    print(harness.machine())


if __name__ == "__main__":
    main()
