"""Speed against the peers: training step, time to an accuracy, latency, throughput, start-up, memory, growth.

    make bench-speed                               # makes the peers' environment, then runs this
    python benchmarks/speed.py --only step,lstm    # some of it
    python benchmarks/speed.py --all               # also the forecasting libraries
    python benchmarks/speed.py --write             # also writes the tables into docs/benchmarks.md and the picture

Every figure is the median over whole processes that run in turn (ours, a peer, the next peer, and again from the
start); ratios are taken within a round, so that a machine that is slow for a minute is slow for both. Each process
leaves a result file, so that an interrupted run goes on where it stopped; `--fresh` begins anew. Leave the machine
alone meanwhile.

The arithmetic limit of a training step is its products alone (three times those of the forward pass) at the speed of
the machine's own matrix product, measured in the same rounds with both NumPy and JAX, of which the faster counts.
"""

from __future__ import annotations

import json
import math
import shutil
import statistics
import sys
from pathlib import Path
from typing import Any

from rounds import (
    DOCS,
    HERE,
    Contestant,
    Report,
    Runner,
    best_peer,
    check_environments,
    log_axes,
    machine,
    options,
    parse,
    ratios,
    write_section,
)

RUNTIMES, LIBRARIES = HERE.parent / ".venv-peers", HERE.parent / ".venv-peers-libraries"
# What our own fit is given to reach the accuracy that tf_keras ends with: the defaults, but a larger rate, for data
# without noise, and as few epochs as will do. Chosen on windows of another seed (docs/benchmarks.md).
LEARN = ["--recipe", "ours", "--batch", "128", "--learning-rate", "0.02", "--epochs", "3"]
SGEMM = """
import json, time, numpy, jax
def best(product, a):
    product(a).block_until_ready() if hasattr(product(a), "block_until_ready") else None
    seconds = []
    for _ in range(30):
        start = time.perf_counter(); b = product(a)
        b.block_until_ready() if hasattr(b, "block_until_ready") else None
        seconds.append(time.perf_counter() - start)
    return 2 * 1024**3 / sorted(seconds)[len(seconds) // 2] / 1e9
a = numpy.random.default_rng(0).normal(size=(1024, 1024)).astype("float32")
print(json.dumps({"gflops": max(best(lambda a: a @ a, a), best(jax.jit(lambda a: a @ a), jax.numpy.asarray(a)))}))
"""

OURS = Contestant("seqcast", None, "seqcast_peer.py")
TF_KERAS = Contestant("tf_keras", RUNTIMES, "tf_keras_peer.py")
PEER_RUNTIMES = [
    TF_KERAS,
    Contestant("Keras 3 on JAX", RUNTIMES, "keras_peer.py", variables={"KERAS_BACKEND": "jax"}),
    Contestant("Keras 3 on TensorFlow", RUNTIMES, "keras_peer.py", variables={"KERAS_BACKEND": "tensorflow"}),
    Contestant("torch", RUNTIMES, "torch_peer.py"),
]
PEER_LIBRARIES = [
    Contestant(name, LIBRARIES, "libraries_peer.py", ("--library", name))
    for name in ("neuralforecast", "darts", "skforecast", "gluonts")
]


def products(*, batch: int, context: int, horizon: int, width: int, depth: int, gates: int = 3) -> float:
    """Return the floating-point operations of the products of a training step of the post's network."""
    recurrent = 2.0 * batch * gates * width * width
    first_input = 2.0 * batch * gates * width
    encoder = context * (depth * recurrent + first_input + (depth - 1) * recurrent)
    decoder = horizon * (depth * recurrent + (depth - 1) * recurrent + 2.0 * batch * width)
    return 3.0 * (encoder + decoder)


POST = {"batch": 512, "context": 15, "horizon": 15, "width": 35, "depth": 2}
GROWTH = {
    "batch": [16, 32, 64, 128, 256, 512, 768, 1024, 1536, 2048],
    "context": [5, 10, 15, 20, 30, 45, 60, 90, 120, 150],
    "horizon": [5, 10, 15, 20, 30, 45, 60, 90, 120, 150],
    "width": [8, 16, 24, 35, 48, 64, 96, 128, 192, 256],
    "depth": [1, 2, 3, 4, 5, 6, 7, 8, 9, 10],
}


def measure_step(runner: Runner, report: Report, contestants: list[Contestant]) -> None:
    """A training step of the post's job, and how far it is from the arithmetic."""
    results = runner.rounds("step", contestants, ["step", "--repeats", "3"])
    limits = [
        products(**POST) / runner.run("sgemm", number, [sys.executable, "-c", SGEMM])["gflops"] / 1e6
        for number in range(runner.count)
    ]

    def value(outcome: Any) -> float:
        return float(outcome["step_ms"])

    wanted = {"tf_keras": "≥ 1.4, then 1.8", "Keras 3 on JAX": "≥ 2, then 2.5", "torch": "≥ 1.8, then 2.2"}
    for peer in results:
        if peer != "seqcast":
            report.figure(f"training step: {peer} / ours", ratios(results, peer, value), want=wanted.get(peer, ""))
    over = [value(ours) / limit for ours, limit in zip(results["seqcast"], limits, strict=True)]
    report.figure("training step: ours / arithmetic limit", over, want="≤ 3, then 2.2")
    compiled = [one["first_epoch_s"] - statistics.median(one["epochs_ms"]) / 1000 for one in results["seqcast"]]
    report.figure("building and compiling the network, seconds", compiled, want="< 3")
    columns = {
        "ms a step": value,
        "first epoch, s": lambda one: one["first_epoch_s"],
        "peak MiB": lambda one: one["peak_mb"],
    }
    report.detail("training step, GRU", results, columns)
    report.data["limit_ms"] = limits


def measure_libraries(runner: Runner, report: Report, _: list[Contestant]) -> None:
    """A training step and a warm forecast in forecasting libraries, by their networks nearest to the post's."""
    contestants = [OURS, *PEER_LIBRARIES]
    results = runner.rounds("step", contestants, ["step", "--repeats", "3"])

    def value(outcome: Any) -> float:
        return float(outcome["step_ms"])

    for peer in results:
        if peer != "seqcast":
            report.figure(f"training step: {peer} / ours", ratios(results, peer, value), want="")
    columns = {"ms a step": value, "peak MiB": lambda one: one["peak_mb"]}
    report.detail("training step", results, columns)
    warm = runner.rounds("latency", contestants, ["latency"])
    columns = {"p50 ms": lambda one: one["p50_ms"], "p99 ms": lambda one: one["p99_ms"]}
    report.detail("one window, by the public predict", warm, columns)


def measure_lstm(runner: Runner, report: Report, contestants: list[Contestant]) -> None:
    """The same with LSTM layers."""
    results = runner.rounds("lstm", contestants, ["step", "--repeats", "3", "--cell", "lstm"])

    def value(outcome: Any) -> float:
        return float(outcome["step_ms"])

    peer = best_peer(results, value)
    report.figure(
        f"LSTM training step: best peer ({peer}) / ours", ratios(results, peer, value), want="≥ 1.4, then 1.8"
    )
    report.detail("training step, LSTM", results, {"ms a step": value})


def measure_learn(runner: Runner, report: Report, contestants: list[Contestant]) -> None:
    """Seconds until the error that tf_keras ends with, from the start of the process."""
    import numpy as np

    from seqcast.data.signals import random_sines

    for name, count, seed in (("train", 102_400, 1969), ("validation", 20_000, 4000)):
        past, future = random_sines(count, past=15, future=15, offset=(0, 0), seed=seed)
        arrays = {"past": past.astype("float32"), "future": future.astype("float32")}
        np.savez(runner.folder / f"{name}.npz", **arrays)
    files = ["--data", str(runner.folder / "train.npz"), "--validation", str(runner.folder / "validation.npz")]
    chosen = [one for one in contestants if one.name in ("seqcast", "tf_keras")]
    results = runner.rounds("learn", chosen, ["learn", *files], ours=LEARN)
    target = statistics.median(one["final"] for one in results["tf_keras"])

    def reached(outcome: Any) -> float:
        return min((seconds for seconds, _, mse in outcome["curve"] if mse <= target), default=math.inf)

    # A run of tf_keras that never falls below the median of the last errors counts with its whole time.
    theirs = [min(reached(one), one["curve"][-1][0]) for one in results["tf_keras"]]
    ours = [reached(one) for one in results["seqcast"]]
    name = f"seconds to MSE {target:.4f}, everything included: tf_keras / ours"
    report.figure(name, [a / b for a, b in zip(theirs, ours, strict=True)], want="≥ 4, then 8")
    columns = {
        "seconds to the target": lambda one: min(reached(one), one["curve"][-1][0]),
        "seconds of all epochs": lambda one: one["curve"][-1][0],
        "last MSE × 1000": lambda one: one["final"] * 1000,
    }
    report.detail("time to accuracy", results, columns)


def measure_latency(runner: Runner, report: Report, contestants: list[Contestant]) -> None:
    """Warm forecasts of one window."""
    results = runner.rounds("latency", contestants, ["latency"])
    report.figure("one window, ms, median call", [one["p50_ms"] for one in results["seqcast"]], want="≤ 0.6, then 0.3")
    report.figure("one window, ms, 99th percentile", [one["p99_ms"] for one in results["seqcast"]], want="≤ 2")
    columns = {"p50 ms": lambda one: one["p50_ms"], "p99 ms": lambda one: one["p99_ms"]}
    report.detail("one window, by hand (ours: the public predict)", results, columns)


def measure_throughput(runner: Runner, report: Report, contestants: list[Contestant]) -> None:
    """Windows forecast a second."""
    results = runner.rounds("throughput", contestants, ["throughput"])
    for count, want in ((1_000, "≥ 1.5, then 2"), (100_000, "")):
        name = f"windows_per_s_{count}"
        able = {peer: outcomes for peer, outcomes in results.items() if outcomes[0][name] is not None}

        def value(outcome: Any, name: str = name) -> float:
            return 1.0 / float(outcome[name])

        peer = best_peer(able, value)
        label = f"windows a second, {count:,} at once: ours / best peer ({peer})"
        report.figure(label, ratios(able, peer, value), want=want)
    columns = {"thousand windows/s, 1,000 at once": lambda one: one["windows_per_s_1000"] / 1000}
    report.detail("throughput, by hand (ours: the public predict)", results, columns)


def measure_start(runner: Runner, report: Report, _: list[Contestant]) -> None:
    """Start of the package and of the command line; a cold forecast; a second fit of the same shape."""
    program = str(Path(sys.executable).with_name("seqcast"))

    def seconds(label: str, command: list[str], variables: dict[str, str] | None = None) -> list[float]:
        return [runner.run(label, number, command, variables)["process_s"] for number in range(runner.count)]

    bare = seconds("bare python", [sys.executable, "-c", "pass"])
    imported = seconds("import", [sys.executable, "-c", "import seqcast"])
    report.figure("`import seqcast`, s", [b - a for a, b in zip(bare, imported, strict=True)], want="< 0.3")
    report.figure("`seqcast --help`, s", seconds("help", [program, "--help"]), want="< 0.5")
    folder = runner.folder / "start"
    folder.mkdir(exist_ok=True)
    model, rows = str(folder / "co2.seqcast"), str(folder / "co2.csv")
    load_co2().to_csv(rows, index=False)
    fit = [program, "fit", rows, "--horizon", "12", "--epochs", "1", "--output", model, "--quiet"]
    first, second = [], []
    for number in range(runner.count):
        cache = folder / f"cache-{number}"
        variables = {"SEQCAST_CACHE_DIR": str(cache)}
        first.append(runner.run("first fit", number, fit, variables)["process_s"])
        second.append(runner.run("second fit", number, fit, variables)["process_s"])
        shutil.rmtree(cache, ignore_errors=True)
    report.figure("`seqcast fit`, one epoch, first time, s", first, want="")
    report.figure("`seqcast fit`, one epoch, second time, s", second, want="nothing compiled again")
    cold = seconds("predict", [program, "predict", model], {"SEQCAST_CACHE_DIR": str(folder / "cache")})
    report.figure("cold `seqcast predict`, s", cold, want="")


def measure_memory(runner: Runner, report: Report, _: list[Contestant]) -> None:
    """Peak memory of training on a gibibyte of windows, with and without memory kept mapped."""
    for keep, want in (("1", "≤ 1024"), ("0", "")):
        command = [sys.executable, str(HERE / "memory.py")]
        outcome = runner.run("memory", int(keep), command, {"SEQCAST_KEEP_MEMORY": keep})
        label = "kept mapped" if keep == "1" else "given back each step"
        name = f"training on 1 GiB of windows, scratch memory {label}: peak over the data, MiB"
        report.figure(name, [outcome["over_data_mib"]], want=want, digits=0)


def measure_growth(runner: Runner, report: Report, _: list[Contestant]) -> None:
    """How the step's time grows with each size, beside the arithmetic limit."""
    gflops = statistics.median(
        runner.run("sgemm", number, [sys.executable, "-c", SGEMM])["gflops"] for number in range(runner.count)
    )
    curves: dict[str, Any] = {}
    for axis, sizes in GROWTH.items():
        points = []
        for size in sizes:
            chosen = {**POST, axis: size}
            steps = max(4, min(60, int(60 * products(**POST) / products(**chosen))))
            task = ["step", "--steps", str(steps), "--repeats", "3"]
            task += [part for name, value in chosen.items() for part in (f"--{name}", str(value))]
            outcome = runner.run(f"growth {axis}", size, OURS.command(task))
            points.append([size, outcome["step_ms"], products(**chosen) / gflops / 1e6])
        curves[axis] = points
    report.data["growth"] = curves


MEASURES = {
    "step": measure_step,
    "lstm": measure_lstm,
    "learn": measure_learn,
    "latency": measure_latency,
    "throughput": measure_throughput,
    "start": measure_start,
    "memory": measure_memory,
    "growth": measure_growth,
    "libraries": measure_libraries,
}


def load_co2() -> Any:
    """Return the weekly series that ships."""
    from seqcast.data.datasets import load

    return load("co2")


def draw_growth(curves: dict[str, Any], path: Path) -> None:
    """Draw a step's time against each size, with the arithmetic limit."""
    import matplotlib
    import numpy as np

    from seqcast.plots.style import MODELS, STYLE, TRUTH_LINE, finish, line, new_figure, save_figure

    names = {
        "batch": "windows a batch",
        "context": "steps of past, T",
        "horizon": "steps forecast, H",
        "width": "units a layer",
        "depth": "layers of encoder and decoder",
    }
    with matplotlib.rc_context(STYLE):
        figure = new_figure(9.0, 5.2)
        axes = figure.subplots(2, 3)
        axes.flat[-1].remove()
        for ax, (axis, points) in zip(axes.flat, curves.items(), strict=False):
            size, step, limit = np.array(points).T
            line(ax, size, step, "a training step", (MODELS[0], "^", "--"))
            line(ax, size, limit, "its products alone, on both cores", TRUTH_LINE)
            log_axes(ax, size, names[axis], "milliseconds")
        finish(figure, "A training step of the post's network when one size grows")
        save_figure(figure, path)


def main() -> None:
    parser = options(__doc__, MEASURES, "results/speed")
    parser.add_argument("--all", action="store_true", help="also the forecasting libraries")
    arguments, chosen = parse(parser, MEASURES)
    if not (arguments.all or arguments.only):
        chosen.remove("libraries")
    contestants = [OURS, *PEER_RUNTIMES]
    libraries = PEER_LIBRARIES if "libraries" in chosen else []
    check_environments([*contestants, *libraries], f"bench-speed{'-all' if libraries else ''}")
    runner, report, beside = Runner(arguments.results), Report(), Report()
    for name in chosen:
        MEASURES[name](runner, beside if name == "libraries" else report, contestants)
    heading = f"{machine()}. Medians of {runner.count} rounds, in brackets the smallest and largest."
    # The libraries' table has a place of its own, so that either may be measured without the other.
    for section, part in (("speed", report), ("speed-libraries", beside)):
        if part.rows:
            lines = part.lines(heading)
            print("\n".join(lines))
            if arguments.write:
                write_section(section, "\n".join(lines))
    if arguments.write and "growth" in report.data:
        draw_growth(report.data["growth"], DOCS / "images" / "speed_growth.png")
    print(json.dumps({**report.data, "libraries": beside.data}))


if __name__ == "__main__":
    main()
