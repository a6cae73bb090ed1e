"""NN5 daily: 111 cash machines, 56 days ahead; MASE and sMAPE.

python benchmarks/accuracy/nn5.py --data FOLDER              # the chosen settings, three seeds
python benchmarks/accuracy/nn5.py --data FOLDER --quick      # proves the path
python benchmarks/accuracy/nn5.py --data FOLDER --explore    # candidates on the last 56 training days
"""

from __future__ import annotations

from competitions import DECAY, OUT_OF_THE_BOX, SEGMENTS, run, width
from yardsticks import read_nn5, same_weekdays

PUBLISHED = {"(MASE, sMAPE) mean of the last 8 same weekdays": ".887 / 21.09", "a published LSTM": ".944 / -"}
BASE = SEGMENTS.changed({**width(64), "segment": 7, "dropout": 0.2}, context_length=112, season_length=7)
CANDIDATES = {
    "out of the box": OUT_OF_THE_BOX,
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
    "width 128": BASE.changed(width(128)),
    "4,000 steps": BASE.changed(training={"epochs": 20}),
}
CHOSEN = {"one network": BASE.changed(calendar="none"), "out of the box": OUT_OF_THE_BOX}
ENSEMBLES = {"mean of seeds, one network": ("one network",), "mean of seeds, out of the box": ("out of the box",)}

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
