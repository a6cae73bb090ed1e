"""NN5 daily: 111 cash machines, 56 days ahead; MASE and sMAPE.

python benchmarks/accuracy/nn5.py --data FOLDER              # the chosen settings, three seeds
python benchmarks/accuracy/nn5.py --data FOLDER --quick      # proves the path
python benchmarks/accuracy/nn5.py --data FOLDER --explore    # candidates on the last 56 training days
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
from yardsticks import read_nn5, same_weekdays

PUBLISHED = {"(MASE, sMAPE) mean of the last 8 same weekdays": ".887 / 21.09", "a published LSTM": ".944 / -"}
BASE = SEGMENTS.changed({**width(64), "segment": 7, "dropout": 0.2}, context_length=112, season_length=7)
CANDIDATES = {
    "out of the box": OUT_OF_THE_BOX,
    "out of the box, best": BEST,
    "base": BASE,
    "recent": BASE.changed({"normalise": "recent"}),
    "last": BASE.changed({"normalise": "last"}),
    "residual": BASE.changed({"residual": "seasonal"}),
    "gated": BASE.changed({"residual": "gated"}),
    "224 days": BASE.changed(context_length=224),
    "56 days": BASE.changed(context_length=56),
    "5 members": BASE.changed(members=5),
    "5 contexts": BASE.changed(members=5, context_length=(56, 84, 112, 168, 224)),
    "mean": BASE.changed(scale="mean"),
    "logarithms": BASE.changed(scale="log1p"),
    "decay": BASE.changed(training=DECAY),
    "day of the year": BASE.changed(calendar=("day_of_year",)),
    "dropout .5": BASE.changed({"dropout": 0.5}),
    "dropout .3": BASE.changed({"dropout": 0.3}),
    "width 128": BASE.changed(width(128)),
    "4,000 steps": BASE.changed(training={"epochs": 20}),
    "recurrent": BASE.changed({"decoding": "recurrent"}),
    "zeros": BASE.changed(ZEROS),
    "autoregressive": BASE.changed(AUTOREGRESSIVE),
    "single days": BASE.changed({"segment": 1}),
    "segments of 14": BASE.changed({"segment": 14}),
    "segments of 28": BASE.changed({"segment": 28}),
    "no calendar": BASE.changed(calendar="none"),
    "squared error": BASE.changed(training={"loss": "mse"}),
    "quantiles": BASE.changed(QUANTILES, {"loss": None}),
    "two layers": BASE.changed(width(64, 64)),
    "two layers, zeros": BASE.changed({**width(64, 64), **ZEROS}),
    "constant rate": BASE.changed(training={"learning_rate_schedule": "constant"}),
    "averaged weights": BASE.changed(training={**AVERAGED, "learning_rate_schedule": "constant"}),
    "5 bags": BASE.changed(bags=5),
    "mixtures": BASE.changed(mixtures=1.0),
    "near": BASE.changed(training=DECAYING),
}
CHOSEN = {"one network": BASE.changed(calendar="none"), "out of the box": OUT_OF_THE_BOX}
ENSEMBLES = {
    **MEANS_OF_SEEDS,
    "segments of 7, 14 and 28, their mean": ("base", "segments of 14", "segments of 28"),
    "losses, their mean": ("base", "squared error", "quantiles"),
}

if __name__ == "__main__":
    run(
        __doc__,
        "results/accuracy/nn5",
        read_nn5,
        candidates=CANDIDATES,
        chosen=CHOSEN,
        ensembles=ENSEMBLES,
        published=PUBLISHED,
        columns=("mase", "smape", "wql", "seconds", "peak_mib", "weights"),
        proof=lambda competition: {
            "seasonal naive": competition.seasonal_naive(),
            "mean of the last 8 same weekdays": same_weekdays(competition),
        },
    )
