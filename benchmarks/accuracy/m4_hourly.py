"""M4 Hourly: 414 series, 48 hours ahead; sMAPE, MASE, OWA and the weighted quantile loss.

python benchmarks/accuracy/m4_hourly.py --data FOLDER              # the chosen settings, three seeds
python benchmarks/accuracy/m4_hourly.py --data FOLDER --quick      # proves the path
python benchmarks/accuracy/m4_hourly.py --data FOLDER --explore    # candidates on the last 48 training hours
"""

from __future__ import annotations

from competitions import OUT_OF_THE_BOX, SEGMENTS, run
from yardsticks import owa, read_m4_hourly

PUBLISHED = {
    "(sMAPE, MASE, OWA) Doornik, best of the competition": "8.913 / .801 / .410",
    "ES-RNN, ensemble": "9.328 / .893 / .440",
    "FFORMA": "11.506 / .819 / .484",
}
BASE = SEGMENTS.changed(
    {"encoder_units": (128,), "decoder_units": (128,), "segment": 24, "residual": "seasonal"},
    {"learning_rate": 2e-3, "epochs": 15},
    context_length=168,
    season_length=168,
    weighting="series",
)
CANDIDATES = {
    "out of the box": OUT_OF_THE_BOX,
    "base": BASE,
    "scale": BASE.changed({"normalise": "scale"}),
    "last": BASE.changed({"normalise": "last"}),
    "day residual": BASE.changed(season_length=24),
    "no residual": BASE.changed({"residual": "none"}),
    "336 hours": BASE.changed(context_length=336),
    "rows alike": BASE.changed(weighting="rows"),
    "8,000 steps": BASE.changed(training={"epochs": 40}),
    "dropout": BASE.changed({"dropout": 0.2}),
}
CHOSEN = {"out of the box": OUT_OF_THE_BOX, "one network": BASE}

if __name__ == "__main__":
    run(
        __doc__,
        "results/accuracy/m4_hourly",
        read_m4_hourly,
        candidates=CANDIDATES,
        chosen=CHOSEN,
        published=PUBLISHED,
        columns=("smape", "mase", "owa", "wql", "seconds"),
        more=lambda scores: {"owa": owa(scores)},
    )
