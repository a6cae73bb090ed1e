"""Speed against the peers: training step, time to an accuracy, latency, throughput, start-up.

    make bench-speed                               # makes the peers' environment, then runs this
    python benchmarks/speed.py --only step,lstm    # some of it
    python benchmarks/speed.py --write             # also writes the tables into docs/benchmarks.md

Every figure is the median over whole processes that run in turn (ours, a peer, the next peer, and
again from the start); ratios are taken within a round, so that a machine that is slow for a minute
is slow for both. Each process leaves a result file, so that an interrupted run continues; `--fresh`
removes these. Leave the machine alone meanwhile.

The arithmetic limit of a training step is its products alone (three times those of the forward
pass) at the speed of the machine's own matrix product, measured in the same rounds with both NumPy
and JAX, of which the faster counts.
"""

import argparse
import json
import shutil
import statistics
import sys
import time
from operator import itemgetter
from pathlib import Path

import numpy as np

import harness

STEP = ["step", "--repeats", "3"]
POST = {"batch": 512, "context": 15, "horizon": 15, "width": 35, "depth": 2}
OURS = harness.Contestant(harness.SEQCAST, None, "seqcast_peer.py")
FRAMEWORKS = {
    "tf_keras": "tf_keras",
    "Keras 3 on JAX": "jax",
    "Keras 3 on TensorFlow": "tensorflow",
}
PEERS = [
    OURS,
    *(
        harness.Contestant(
            name, harness.RUNTIMES, "keras_peer.py", variables={"KERAS_BACKEND": backend}
        )
        for name, backend in FRAMEWORKS.items()
    ),
    harness.Contestant("torch", harness.RUNTIMES, "torch_peer.py"),
]
step_ms = itemgetter("step_ms")
# For data without noise: two epochs at a large rate, chosen on seeds 10 to 12, where the post's 15
# end at .0209.
LEARN = ["--batch", "128", "--learning-rate", "0.025", "--epochs", "2"]
WAITED = {"one window, p50 ms": itemgetter("p50_ms"), "p99 ms": itemgetter("p99_ms")}


def products(*, batch, context, horizon, width, depth, gates=3):
    """Return the floating-point operations of the products of a training step of the post's network."""
    recurrent = 2.0 * batch * gates * width * width
    first_input = 2.0 * batch * gates * width
    encoder = context * (depth * recurrent + first_input + (depth - 1) * recurrent)
    decoder = horizon * (depth * recurrent + (depth - 1) * recurrent + 2.0 * batch * width)
    return 3.0 * (encoder + decoder)


def gflops():
    """Return the speed of the machine's own product of two matrices, by NumPy or JAX, whichever is faster."""
    import jax

    a = np.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")

    def rate(product, a):
        seconds = []
        for _ in range(31):
            began = time.perf_counter()
            jax.block_until_ready(product(a))
            seconds.append(time.perf_counter() - began)
        return 2 * 1024**3 / sorted(seconds[1:])[15] / 1e9

    return max(rate(lambda a: a @ a, a), rate(jax.jit(lambda a: a @ a), jax.numpy.asarray(a)))


def measure_step(runner, report):
    """A training step of the post's job, and how far it is from the arithmetic."""
    results = runner.rounds("step", PEERS, STEP)
    speeds = runner.repeat("gflops", [sys.executable, __file__, "--gflops"])
    limits = [products(**POST) / one["gflops"] / 1e6 for one in speeds]
    for peer in [name for name in results if name != harness.SEQCAST]:
        report.figure(f"training step: {peer} / ours", harness.ratios(results, peer, step_ms))
    over = [
        step_ms(ours) / limit for ours, limit in zip(results[harness.SEQCAST], limits, strict=True)
    ]
    report.figure("training step: ours / arithmetic limit", over)
    compiled = [
        one["first_epoch_s"] - statistics.median(one["epochs_ms"]) / 1000
        for one in results[harness.SEQCAST]
    ]
    report.figure("building and compiling the network, seconds", compiled)
    columns = {
        "GRU step, ms": step_ms,
        "first epoch, s": itemgetter("first_epoch_s"),
        "peak MiB": itemgetter("peak_mb"),
    }
    report.detail("training step, GRU", results, columns)


def measure_lstm(runner, report):
    """The same with LSTM layers."""
    results = runner.rounds("lstm", PEERS, [*STEP, "--cell", "lstm"])
    peer = harness.best_peer(results, step_ms)
    report.figure(
        f"LSTM training step: best peer ({peer}) / ours", harness.ratios(results, peer, step_ms)
    )
    report.detail("training step, LSTM", results, {"LSTM step, ms": step_ms})


def measure_learn(runner, report):
    """Whole processes, ours until it is as accurate as tf_keras after the post's 15 epochs."""
    both = [one for one in PEERS if one.name in ("tf_keras", harness.SEQCAST)]
    results = runner.rounds("learn", both, ["learn"], LEARN)
    late = sum(ratio < 1 for ratio in harness.ratios(results, "tf_keras", itemgetter("mse")))
    label = f"seconds to the error of tf_keras after 15 epochs (missed in {late} rounds): tf_keras / ours"
    report.figure(label, harness.ratios(results, "tf_keras", itemgetter("learn_s")))
    columns = {"learning, s": itemgetter("learn_s"), "error × 1000": lambda one: 1000 * one["mse"]}
    report.detail("time to an accuracy", results, columns)


def measure_latency(runner, report):
    """Warm forecasts of one window."""
    results = runner.rounds("latency", PEERS, ["latency"])
    report.detail("one window", results, WAITED)


def measure_throughput(runner, report):
    """Windows forecast a second."""
    results = runner.rounds("throughput", PEERS, ["throughput"])
    for count in (1_000, 100_000):
        name = f"windows_per_s_{count}"

        def value(outcome, name=name):
            return 1.0 / float(outcome[name])

        peer = harness.best_peer(results, value)
        label = f"windows a second, {count:,} at once: ours / best peer ({peer})"
        report.figure(label, harness.ratios(results, peer, value))
    columns = {"thousand windows/s, 1,000 at once": lambda one: one["windows_per_s_1000"] / 1000}
    report.detail("throughput", results, columns)


def measure_start(runner, report):
    """Start of the package and of the command line; a cold forecast; a second fit of the same shape."""
    from seqcast.data.datasets import load

    program = str(Path(sys.executable).with_name("seqcast"))
    folder = runner.folder / "start"

    def seconds(label, command, cache=None):
        variables = {"SEQCAST_CACHE_DIR": str(cache)} if cache else None
        return [
            runner.run(label, number, command, variables)["process_s"]
            for number in range(runner.count)
        ]

    bare = seconds("bare python", [sys.executable, "-c", "pass"])
    imported = seconds("import", [sys.executable, "-c", "import seqcast"])
    report.figure("`import seqcast`, s", [b - a for a, b in zip(bare, imported, strict=True)])
    report.figure("`seqcast --help`, s", seconds("help", [program, "--help"]))
    folder.mkdir(parents=True, exist_ok=True)
    model = str(folder / "co2.seqcast")
    rows = str(folder / "co2.csv")
    load("co2").to_csv(rows, index=False)
    fit = [program, "fit", rows, "--horizon", "12", "--epochs", "1", "--output", model, "--quiet"]
    first = []
    second = []
    for number in range(runner.count):
        variables = {"SEQCAST_CACHE_DIR": str(folder / f"cache-{number}")}
        first.append(runner.run("first fit", number, fit, variables)["process_s"])
        second.append(runner.run("second fit", number, fit, variables)["process_s"])
        shutil.rmtree(folder / f"cache-{number}", ignore_errors=True)
    report.figure("`seqcast fit`, one epoch, first time, s", first)
    report.figure("`seqcast fit`, one epoch, second time, s", second)
    report.figure(
        "cold `seqcast predict`, s",
        seconds("predict", [program, "predict", model], folder / "cache"),
    )


MEASURES = {
    "step": measure_step,
    "lstm": measure_lstm,
    "learn": measure_learn,
    "latency": measure_latency,
    "throughput": measure_throughput,
    "start": measure_start,
}


def main():
    """Measure, print tables, and write them into the page if that is asked for."""
    parser = harness.options(__doc__, "speed")
    parser.add_argument(
        "--write", action="store_true", help="write the tables into docs/benchmarks.md"
    )
    parser.add_argument("--gflops", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--seed", help=argparse.SUPPRESS)
    arguments = harness.parse(parser, MEASURES)
    if arguments.gflops:
        print(json.dumps({"gflops": gflops()}))
        return
    harness.check_environments(harness.RUNTIMES)
    runner = harness.Runner(arguments.results)
    report = harness.Report()
    for name in arguments.chosen:
        MEASURES[name](runner, report)
    text = report.text(
        f"{harness.machine()}. Medians of {runner.count} rounds, in brackets the smallest and largest."
    )
    print(text)
    if arguments.write:
        harness.write_section("speed", text)
    print(json.dumps(report.data))


if __name__ == "__main__":
    main()
