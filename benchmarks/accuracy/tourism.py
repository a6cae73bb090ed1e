"""Tourism, monthly: 366 series, 24 months ahead; MASE and MAPE.

python benchmarks/accuracy/tourism.py --data FOLDER              # the chosen settings, three seeds
python benchmarks/accuracy/tourism.py --data FOLDER --quick      # proves the path
python benchmarks/accuracy/tourism.py --data FOLDER --explore    # candidates on the last 24 training months
"""

from __future__ import annotations

from competitions import OUT_OF_THE_BOX, SEGMENTS, run
from yardsticks import read_tourism

PUBLISHED = {"(MASE, MAPE) N-BEATS, ensemble": "- / 19.47"}
BASE = SEGMENTS.changed(
    {"encoder_units": (64,), "decoder_units": (64,), "segment": 12, "residual": "seasonal", "dropout": 0.1},
    context_length=36,
    season_length=12,
    scale="log1p",
    weighting="series",
)
CANDIDATES = {
    "out of the box": OUT_OF_THE_BOX.changed(season_length=12),
    "base": BASE,
    "no logarithm": BASE.changed(scale="standard"),
    "last": BASE.changed({"normalise": "last"}),
    "no residual": BASE.changed({"residual": "none"}),
    "48 months": BASE.changed(context_length=48),
    "24 months": BASE.changed(context_length=24),
    "rows alike": BASE.changed(weighting="rows"),
    "1,000 steps": BASE.changed(training={"epochs": 5}),
}
CHOSEN = {"out of the box": OUT_OF_THE_BOX.changed(season_length=12), "one network": BASE}

if __name__ == "__main__":
    run(
        __doc__,
        "results/accuracy/tourism",
        read_tourism,
        candidates=CANDIDATES,
        chosen=CHOSEN,
        published=PUBLISHED,
        columns=("mase", "mape", "wql", "seconds"),
    )
