"""A peer's forecasts of a public yardstick, scored: neuralforecast, darts and statsforecast.

    python benchmarks/peers/accuracy_peer.py --data FOLDER --yardstick nn5 --model neuralforecast-GRU
    python benchmarks/peers/accuracy_peer.py --data FOLDER --yardstick tourism --model darts-LSTM-sensible --quick
    python benchmarks/peers/accuracy_peer.py --data FOLDER --yardstick co2 --model statsforecast-AutoETS --cutoffs 4

`sensible` settings are those that a practitioner would take who knows the data as well as we do: series scaled one by
one, two to three horizons of context, the absolute error, a network as wide as ours and 2,000 gradient steps of Adam.
All others are the library's own. A model that would train for longer than --minutes is stopped there.

The last line of stdout is one JSON object: scores, means over the cutoffs; the seconds of the forecasts, and those
since the process began (`whole_s`); the library's version. All else goes to stderr.
"""

import contextlib
import json
import logging
import sys
import time
import warnings
from importlib.metadata import version
from pathlib import Path

import numpy as np
import pandas as pd
from frames_peer import SILENT, darts_series

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "accuracy"))
from zero_shot_tasks import COMPETITIONS, read_named

from harness import options, parse, process_began
from public_data import CLASSICS

CONTEXT = {"nn5": 112, "tourism": 48}  # those of the chosen networks
WIDTH = 128
STEPS = 2_000
BATCH = 256


def neuralforecast(task, given, kind, *, sensible):
    """Return the forecasts of one of neuralforecast's recurrent networks."""
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import MAE

    options = {"h": task.horizon, "random_seed": given.seed, "alias": "forecast", **SILENT}
    options |= {"accelerator": "cpu", "max_time": {"minutes": given.minutes}}
    # Without padding its networks reject a frame with a series that is shorter than a window.
    options |= {
        "input_size": CONTEXT[given.yardstick] if sensible else -1,
        "start_padding_enabled": True,
    }
    if sensible:
        options |= {
            "encoder_n_layers": 1,
            "encoder_hidden_size": WIDTH,
            "loss": MAE(),
            "max_steps": STEPS,
        }
        options |= {"windows_batch_size": BATCH, "scaler_type": "standard", "learning_rate": 1e-3}
    if given.quick:
        options["max_steps"] = 2
    model = NeuralForecast(
        models=[getattr(models, kind)(**options)],
        freq=task.freq,
        local_scaler_type="standard" if sensible else None,
    )
    model.fit(task.frame())
    forecast = model.predict()
    return forecast.rename(columns={"forecast": "model"})


def darts(task, given, kind, *, sensible):
    """Return the forecasts of one of darts's recurrent networks; defaults that it does not have are its examples'."""
    import torch
    from darts.models import BlockRNNModel, RNNModel

    scaled, scaler = darts_series(task.frame(), task.freq)
    trainer = {"accelerator": "cpu", "max_time": {"minutes": given.minutes}, **SILENT}
    options = {"model": kind, "random_state": given.seed, "pl_trainer_kwargs": trainer}
    horizon = task.horizon
    # A window has to fit into the shortest series.
    longest = min(map(len, task.past)) - horizon - 1
    context = min(CONTEXT[given.yardstick], longest)
    if given.quick:
        trainer["max_steps"] = 2
    if sensible:
        if not given.quick:
            trainer["max_steps"] = STEPS
        model = BlockRNNModel(
            input_chunk_length=context,
            output_chunk_length=horizon,
            hidden_dim=WIDTH,
            hidden_fc_sizes=[WIDTH],
            batch_size=BATCH,
            loss_fn=torch.nn.L1Loss(),
            use_reversible_instance_norm=True,
            n_epochs=1_000,
            **options,
        )
    else:
        chunk = min(2 * horizon, longest)
        model = RNNModel(input_chunk_length=chunk, training_length=chunk + horizon - 1, **options)
    model.fit(scaled, verbose=False)
    made = scaler.inverse_transform(
        model.predict(horizon, series=scaled, verbose=False, show_warnings=False)
    )
    names = sorted(task.ids)  # the order of the groups
    parts = [
        pd.DataFrame(
            {"unique_id": name, "ds": one.time_index, "model": one.values(copy=False)[:, 0]}
        )
        for name, one in zip(names, made, strict=True)
    ]
    return pd.concat(parts)


def statsforecast(task, given, kind, *, sensible):
    """Return the forecasts of an automatic statistical model, series by series, on all cores."""
    from statsforecast import StatsForecast, models

    del sensible
    frame = task.frame()
    if given.quick:
        frame = frame.groupby("unique_id").tail(6 * task.season)
    model = getattr(models, kind)(season_length=task.season, alias="model")
    return StatsForecast(models=[model], freq=task.freq, n_jobs=-1).forecast(
        df=frame, h=task.horizon
    )


LIBRARIES = {"neuralforecast": neuralforecast, "darts": darts, "statsforecast": statsforecast}


def main():
    """Fit, forecast, score, and print a JSON object."""
    parser = options(__doc__, data=True, quick="hardly any training")
    parser.add_argument("--yardstick", choices=[*COMPETITIONS, *CLASSICS], required=True)
    parser.add_argument("--model", required=True, help="library-model, perhaps with -sensible")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=int, default=3, help="longest training")
    parser.add_argument(
        "--cutoffs", type=int, default=1, help="cutoffs, a horizon apart; trained at each"
    )
    given = parse(parser)
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    library, kind, *sensible = given.model.split("-")
    task = read_named(given.data, given.yardstick)
    began = time.perf_counter()
    tasks = [task.held_back(back) for back in reversed(range(given.cutoffs))]
    with contextlib.redirect_stdout(sys.stderr):
        forecasts = [
            LIBRARIES[library](each, given, kind, sensible=bool(sensible)) for each in tasks
        ]
    ended = {"seconds": time.perf_counter() - began, "whole_s": time.time() - process_began()}
    scores = []
    for each, forecast in zip(tasks, forecasts, strict=True):
        named = forecast.reset_index() if "unique_id" not in forecast else forecast
        scores.append(each.point_scores(each.matrix(named, "model")))
    means = {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}
    seconds = {key: round(value, 1) for key, value in ended.items()}
    print(json.dumps({**means, **seconds, "version": version(library)}))


if __name__ == "__main__":
    main()
