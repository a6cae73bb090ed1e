"""Peak memory of training on windows that fill a gibibyte, over the windows themselves.

    python benchmarks/memory.py                         # 1 GiB of single-precision windows
    SEQCAST_KEEP_MEMORY=0 python benchmarks/memory.py   # with memory given back after each step

Trains the post's network in batches of 512 for some steps; checks and statistics read all windows. The peak is the
kernel's own count (Linux). The last line is JSON.
"""

from __future__ import annotations

import argparse
import json
import os
import time

import numpy as np

from rounds import count_peak_anew, memory
from seqcast import Seq2SeqRegressor

CONTEXT = HORIZON = 15
MIB = 2**20


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--gib", type=float, default=1.0, help="size of the windows (default 1)")
    parser.add_argument("--steps", type=int, default=300, help="training steps (default 300)")
    arguments = parser.parse_args()
    count = int(arguments.gib * 2**30 / 4 / (CONTEXT + HORIZON))
    generator = np.random.default_rng(0)
    past = generator.standard_normal((count, CONTEXT, 1), dtype=np.float32)
    future = generator.standard_normal((count, HORIZON, 1), dtype=np.float32)
    data, before = (past.nbytes + future.nbytes) / MIB, memory("VmRSS")
    count_peak_anew()
    model = Seq2SeqRegressor(
        encoder_units=(35, 35), batch_size=512, epochs=1, steps_per_epoch=arguments.steps, random_state=0, verbose=0
    )
    began = time.perf_counter()
    model.fit(past, future)
    peak = memory("VmHWM")
    outcome = {
        "data_mib": round(data),
        "before_mib": round(before),
        "peak_mib": round(peak),
        "over_data_mib": round(peak - data),
        "seconds": round(time.perf_counter() - began, 1),
        "keep_memory": os.environ.get("SEQCAST_KEEP_MEMORY", "1"),
    }
    print(json.dumps(outcome))


if __name__ == "__main__":
    main()
