"""Tourism, monthly: 366 series, 24 months ahead; MASE and MAPE.

python benchmarks/accuracy/tourism.py --data FOLDER              # the chosen settings, three seeds
python benchmarks/accuracy/tourism.py --data FOLDER --quick      # proves the path
python benchmarks/accuracy/tourism.py --data FOLDER --explore    # candidates on the last 24 training months
"""

from __future__ import annotations

from competitions import (
    AUTOREGRESSIVE,
    AVERAGED,
    BEST,
    DECAY,
    DECAYING,
    MEANS_OF_SEEDS,
    OUT_OF_THE_BOX,
    QUANTILES,
    SEGMENTS,
    ZEROS,
    run,
    width,
)
from yardsticks import read_tourism

PUBLISHED = {"(MASE, MAPE) N-BEATS, ensemble": "- / 19.47"}
BASE = SEGMENTS.changed(
    {**width(64), "segment": 12, "residual": "seasonal", "dropout": 0.1},
    context_length=36,
    season_length=12,
    scale="log1p",
    weighting="series",
)
LONG = BASE.changed(context_length=48)
WIDE = BASE.changed(width(128), {"epochs": 20}, context_length=48)
CANDIDATES = {
    "out of the box": OUT_OF_THE_BOX,
    "out of the box, best": BEST,
    "base": BASE,
    "no logarithm": BASE.changed(scale="standard"),
    "last": BASE.changed({"normalise": "last"}),
    "no residual": BASE.changed({"residual": "none"}),
    "48 months": BASE.changed(context_length=48),
    "24 months": BASE.changed(context_length=24),
    "rows alike": BASE.changed(weighting="windows"),
    "48 months, mean": BASE.changed(context_length=48, scale="mean"),
    "48 months, width 128": BASE.changed(width(128), context_length=48),
    "48 months, last, mean": BASE.changed({"normalise": "last"}, context_length=48, scale="mean"),
    "48 months, dropout .3": BASE.changed({"dropout": 0.3}, context_length=48),
    "60 months": BASE.changed(context_length=60),
    "48 months, segments of 6": BASE.changed({"segment": 6}, context_length=48),
    "48 months, 4,000 steps": BASE.changed(training={"epochs": 20}, context_length=48),
    "48 months, 5 members": BASE.changed(context_length=48, members=5),
    "48 months, decay": BASE.changed(training=DECAY, context_length=48),
    "wide": WIDE,
    "wide, quantiles": WIDE.changed(QUANTILES, {"loss": None}),
    "wide, recent": WIDE.changed({"normalise": "recent"}),
    "wide, no residual": WIDE.changed({"residual": "none"}),
    "wide, dropout .3": WIDE.changed({"dropout": 0.3}),
    "wide, 8,000 steps": WIDE.changed(training={"epochs": 40}),
    "width 256": WIDE.changed(width(256)),
    "wide, 5 members": WIDE.changed(members=5),
    "wide, gated": WIDE.changed({"residual": "gated"}),
    "wide, 84 months": WIDE.changed(context_length=84),
    "1,000 steps": BASE.changed(training={"epochs": 5}),
    "48 months, recurrent": LONG.changed({"decoding": "recurrent"}),
    "48 months, zeros": LONG.changed(ZEROS),
    "48 months, autoregressive": LONG.changed(AUTOREGRESSIVE),
    "48 months, single months": LONG.changed({"segment": 1}),
    "48 months, segments of 24": LONG.changed({"segment": 24}),
    "48 months, no calendar": LONG.changed(calendar="none"),
    "48 months, squared error": LONG.changed(training={"loss": "mse"}),
    "48 months, quantiles": LONG.changed(QUANTILES, {"loss": None}),
    "48 months, two layers": LONG.changed(width(64, 64)),
    "48 months, two layers, zeros": LONG.changed({**width(64, 64), **ZEROS}),
    "wide, two layers, zeros": WIDE.changed({**width(128, 128), **ZEROS}),
    "48 months, constant rate": LONG.changed(training={"learning_rate_schedule": "constant"}),
    "48 months, averaged weights": LONG.changed(training={**AVERAGED, "learning_rate_schedule": "constant"}),
    "48 months, 5 bags": LONG.changed(bags=5),
    "48 months, mixtures": LONG.changed(mixtures=1.0),
    "wide, near": WIDE.changed(training=DECAYING),
}
CHOSEN = {"one network": WIDE, "out of the box": OUT_OF_THE_BOX}
ENSEMBLES = {
    **MEANS_OF_SEEDS,
    "48 months, segments of 6, 12 and 24, their mean": (
        "48 months, segments of 6",
        "48 months",
        "48 months, segments of 24",
    ),
    "48 months, losses, their mean": ("48 months", "48 months, squared error", "48 months, quantiles"),
    "36, 48 and 60 months, their mean": ("base", "48 months", "60 months"),
}

if __name__ == "__main__":
    run(
        __doc__,
        "results/accuracy/tourism",
        read_tourism,
        candidates=CANDIDATES,
        chosen=CHOSEN,
        ensembles=ENSEMBLES,
        published=PUBLISHED,
        columns=("mase", "mape", "mape_low", "wql", "seconds", "peak_mib", "weights"),
    )
