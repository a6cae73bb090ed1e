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

from __future__ import annotations

import argparse
import contextlib
import json
import logging
import sys
import time
import warnings
from collections.abc import Callable
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from common import process_began

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "accuracy"))
from yardsticks import CLASSICS, Competition, read_classic, read_m4_hourly, read_nn5, read_tourism

READERS: dict[str, Callable[[Path], Competition]] = {
    "m4_hourly": read_m4_hourly,
    "nn5": read_nn5,
    "tourism": read_tourism,
    **{name: partial(read_classic, name=name) for name in CLASSICS},
}
CONTEXT = {"m4_hourly": 168, "nn5": 112, "tourism": 48}  # those of the chosen networks
SILENT = dict.fromkeys(("logger", "enable_checkpointing", "enable_progress_bar", "enable_model_summary"), False)
WIDTH, STEPS, BATCH = 128, 2_000, 256


def neuralforecast(competition: Competition, given: argparse.Namespace, kind: str, *, sensible: bool) -> pd.DataFrame:
    """Return the forecasts of one of neuralforecast's recurrent networks."""
    from neuralforecast import NeuralForecast, models
    from neuralforecast.losses.pytorch import MAE

    options: dict[str, Any] = {"h": competition.horizon, "random_seed": given.seed, "alias": "forecast", **SILENT}
    options |= {"accelerator": "cpu", "max_time": {"minutes": given.minutes}}
    # Without padding its networks refuse a frame with a series that is shorter than a window.
    options |= {"input_size": CONTEXT[given.yardstick] if sensible else -1, "start_padding_enabled": True}
    if sensible:
        options |= {"encoder_n_layers": 1, "encoder_hidden_size": WIDTH, "loss": MAE(), "max_steps": STEPS}
        options |= {"windows_batch_size": BATCH, "scaler_type": "standard", "learning_rate": 1e-3}
    if given.quick:
        options["max_steps"] = 2
    model = NeuralForecast(
        models=[getattr(models, kind)(**options)],
        freq=competition.freq,
        local_scaler_type="standard" if sensible else None,
    )
    model.fit(competition.frame())
    forecast = model.predict()
    return forecast.rename(columns={"forecast": "model"})


def darts(competition: Competition, given: argparse.Namespace, kind: str, *, sensible: bool) -> pd.DataFrame:
    """Return the forecasts of one of darts's recurrent networks; defaults that it does not have are its examples'."""
    import torch
    from darts import TimeSeries
    from darts.dataprocessing.transformers import Scaler
    from darts.models import BlockRNNModel, RNNModel
    from sklearn.preprocessing import StandardScaler

    frame = competition.frame()
    series = TimeSeries.from_group_dataframe(
        frame.assign(y=frame["y"].astype(np.float32)),
        group_cols="unique_id",
        time_col="ds",
        value_cols="y",
        freq=competition.freq,
        drop_group_cols="unique_id",
    )
    scaler = Scaler(StandardScaler())
    scaled = scaler.fit_transform(series)
    trainer = {"accelerator": "cpu", "max_time": {"minutes": given.minutes}, **SILENT}
    options: dict[str, Any] = {"model": kind, "random_state": given.seed, "pl_trainer_kwargs": trainer}
    horizon = competition.horizon
    # A window has to fit into the shortest series.
    longest = min(len(values) for values in competition.train.values()) - horizon - 1
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
    made = scaler.inverse_transform(model.predict(horizon, series=scaled, verbose=False, show_warnings=False))
    names = sorted(competition.train)  # the order of the groups
    parts = [
        pd.DataFrame({"unique_id": name, "ds": one.time_index, "model": one.values(copy=False)[:, 0]})
        for name, one in zip(names, made, strict=True)
    ]
    return pd.concat(parts)


def statsforecast(competition: Competition, given: argparse.Namespace, kind: str, *, sensible: bool) -> pd.DataFrame:
    """Return the forecasts of an automatic statistical model, series by series, on all cores."""
    from statsforecast import StatsForecast, models

    del sensible
    frame = competition.frame()
    if given.quick:
        frame = frame.groupby("unique_id").tail(6 * competition.season)
    model = getattr(models, kind)(season_length=competition.season, alias="model")
    return StatsForecast(models=[model], freq=competition.freq, n_jobs=-1).forecast(df=frame, h=competition.horizon)


LIBRARIES = {"neuralforecast": neuralforecast, "darts": darts, "statsforecast": statsforecast}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, required=True)
    parser.add_argument("--yardstick", choices=READERS, required=True)
    parser.add_argument("--model", required=True, help="library-model, perhaps with -sensible")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--minutes", type=int, default=3, help="longest training")
    parser.add_argument("--cutoffs", type=int, default=1, help="cutoffs, a horizon apart; trained anew at each")
    parser.add_argument("--quick", action="store_true")
    given = parser.parse_args()
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    library, kind, *sensible = given.model.split("-")
    parts = READERS[given.yardstick](given.data).cutoffs(given.cutoffs)
    began = time.perf_counter()
    with contextlib.redirect_stdout(sys.stderr):
        forecasts = [LIBRARIES[library](part, given, kind, sensible=bool(sensible)) for part in parts]
    ended = {"seconds": time.perf_counter() - began, "whole_s": time.time() - process_began()}
    scores = []
    for part, forecast in zip(parts, forecasts, strict=True):
        named = forecast.reset_index() if "unique_id" not in forecast else forecast
        scores.append(part.scores(part.matrix(named, "model")))
    means = {key: float(np.mean([one[key] for one in scores])) for key in scores[0]}
    seconds = {key: round(value, 1) for key, value in ended.items()}
    print(json.dumps({**means, **seconds, "version": version(library)}))


if __name__ == "__main__":
    main()
