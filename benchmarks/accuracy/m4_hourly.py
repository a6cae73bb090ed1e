"""M4 Hourly: 414 series, 48 hours ahead; sMAPE, MASE, OWA and the weighted quantile loss.

python benchmarks/accuracy/m4_hourly.py --data FOLDER              # the chosen settings, three seeds
python benchmarks/accuracy/m4_hourly.py --data FOLDER --quick      # proves the path
python benchmarks/accuracy/m4_hourly.py --data FOLDER --explore    # candidates on the last 48 training hours
"""

from __future__ import annotations

from competitions import (
    AUTOREGRESSIVE,
    AVERAGED,
    BEST,
    DECAY,
    MEANS_OF_SEEDS,
    OUT_OF_THE_BOX,
    QUANTILES,
    SEGMENTS,
    ZEROS,
    run,
    width,
)
from yardsticks import owa, read_m4_hourly

PUBLISHED = {
    "(sMAPE, MASE, OWA) Doornik, best of the competition": "8.913 / .801 / .410",
    "ES-RNN, ensemble": "9.328 / .893 / .440",
    "FFORMA": "11.506 / .819 / .484",
}
BASE = SEGMENTS.changed(
    {**width(128), "segment": 24, "residual": "seasonal"},
    {"learning_rate": 2e-3, "epochs": 15},
    context_length=168,
    season_length=168,
    weighting="series",
)
LOGS = BASE.changed(scale="log1p")
DAY = LOGS.changed(season_length=24)
CANDIDATES = {
    "out of the box": OUT_OF_THE_BOX,
    "out of the box, best": BEST,
    "base": BASE,
    "scale": BASE.changed({"normalise": "scale"}),
    "last": BASE.changed({"normalise": "last"}),
    "day residual": BASE.changed(season_length=24),
    "no residual": BASE.changed({"residual": "none"}),
    "336 hours": BASE.changed(context_length=336),
    "rows alike": BASE.changed(weighting="windows"),
    "8,000 steps": BASE.changed(training={"epochs": 40}),
    "mean": BASE.changed(scale="mean"),
    "mean, last": BASE.changed({"normalise": "last"}, scale="mean"),
    "logarithms": BASE.changed(scale="log1p"),
    "logs, level": LOGS.changed({"normalise": "level"}),
    "logs, recent": LOGS.changed({"normalise": "recent"}),
    "logs, day residual": LOGS.changed(season_length=24),
    "logs, no residual": LOGS.changed({"residual": "none"}),
    "day, gated": DAY.changed({"residual": "gated"}),
    "day, 8,000 steps": DAY.changed(training={"epochs": 40}),
    "day, quantiles": DAY.changed(QUANTILES, {"loss": None}),
    "day, width 256": DAY.changed(width(256)),
    "day, 336 hours": DAY.changed(context_length=336),
    "day, 96 hours": DAY.changed(context_length=96),
    "day, 256, 336 hours, 6,000 steps": DAY.changed(width(256), {"epochs": 30}, context_length=336),
    "day, two layers, 336 hours, 6,000 steps": DAY.changed(width(128, 128), {"epochs": 30}, context_length=336),
    "day, quantiles, 8,000 steps": DAY.changed(QUANTILES, {"loss": None, "epochs": 40}, context_length=336),
    "day, dropout": DAY.changed({"dropout": 0.2}),
    "day, recent": DAY.changed({"normalise": "recent"}),
    "day, rows alike": DAY.changed(weighting="windows"),
    "decay": BASE.changed(training=DECAY),
    "dropout": BASE.changed({"dropout": 0.2}),
    "day, recurrent": DAY.changed({"decoding": "recurrent"}),
    "day, zeros": DAY.changed(ZEROS),
    "day, autoregressive": DAY.changed(AUTOREGRESSIVE),
    "day, segments of 12": DAY.changed({"segment": 12}),
    "day, segments of 48": DAY.changed({"segment": 48}),
    "day, squared error": DAY.changed(training={"loss": "mse"}),
    "day, two layers": DAY.changed(width(128, 128)),
    "day, constant rate": DAY.changed(training={"learning_rate_schedule": "constant"}),
    "day, averaged weights": DAY.changed(training={**AVERAGED, "learning_rate_schedule": "constant"}),
    "day, 5 bags": DAY.changed(bags=5),
    "day, 5 members": DAY.changed(members=5),
    "day, rate .001": DAY.changed(training={"learning_rate": 1e-3}),
    "day, rate .001, dropout .3": DAY.changed({"dropout": 0.3}, {"learning_rate": 1e-3}),
    "day, two layers, zeros": DAY.changed({**width(128, 128), **ZEROS}),
    "day, mixtures": DAY.changed(mixtures=1.0),
}
CHOSEN = {
    "one network": CANDIDATES["day, 256, 336 hours, 6,000 steps"],
    "out of the box": OUT_OF_THE_BOX,
}
ENSEMBLES = {
    **MEANS_OF_SEEDS,
    "day, segments of 12, 24 and 48, their mean": ("day, segments of 12", "logs, day residual", "day, segments of 48"),
    "day, losses, their mean": ("logs, day residual", "day, squared error", "day, quantiles"),
}

if __name__ == "__main__":
    run(
        __doc__,
        "results/accuracy/m4_hourly",
        read_m4_hourly,
        candidates=CANDIDATES,
        chosen=CHOSEN,
        ensembles=ENSEMBLES,
        published=PUBLISHED,
        columns=("smape", "mase", "owa", "wql", "seconds", "peak_mib", "weights"),
        more=lambda scores: {"owa": owa(scores)},
    )
