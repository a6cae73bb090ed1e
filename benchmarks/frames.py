"""Frames of many series: way to the first batch, memory, backtests, growth, and libraries on the same frame.

    make bench-frames                                  # makes the libraries' environment, then runs this
    python benchmarks/frames.py --only batch,backtest  # some of it
    python benchmarks/frames.py --quick                # tiny sizes: proves the path
    python benchmarks/frames.py --write                # also writes tables and picture into the documentation

The frame has 10,000 series of 200 days: trend, week and noise. The network is one GRU layer of 64 that reads 28 days
and forecasts 14.

    batch      rows a second from the frame to the first batch of windows
    memory     peak memory of a fit over the process that holds the frame
    backtest   `backtest(refit="never")` of five windows against one `predict` of the same frame
    growth     both against the number of series and the number of rows
    libraries  process start to forecasts of all series: seqcast, neuralforecast, darts (peers/frames_peer.py)

Whole processes run in turn, and each leaves a result file, so that an interrupted run goes on where it stopped;
`--fresh` begins anew. Leave the machine alone meanwhile.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from peers.frame_job import Job
from rounds import (
    DOCS,
    HERE,
    ROUNDS,
    SEQCAST,
    Contestant,
    Report,
    Runner,
    check_environments,
    log_axes,
    machine,
    options,
    parse,
    ratios,
    write_section,
)

LIBRARIES = HERE.parent / ".venv-peers-libraries"
LIBRARY_ROUNDS = 3  # each is a minute or more
CONTESTANTS = [
    Contestant(name, None if name == SEQCAST else LIBRARIES, "frames_peer.py", ("--library", name))
    for name in (SEQCAST, "neuralforecast", "darts")
]
PICTURE = "frames_growth.png"


@dataclass(frozen=True)
class Sizes:
    """Sizes of everything that is measured.

    Args:
        series: Number of series.
        rows: Rows of each.
        steps: Gradient steps of a fit that is compared.
        few_steps: Gradient steps of a fit whose memory is taken.
        growing_series: Numbers of series, of `rows` rows.
        growing_rows: Numbers of rows, of `fixed_series` series.
        fixed_series: Number of series while rows grow.
    """

    series: int
    rows: int
    steps: int
    few_steps: int
    growing_series: Sequence[int]
    growing_rows: Sequence[int]
    fixed_series: int

    def task(self, steps: int) -> list[str]:
        """Return the options of the frame and of a fit of so many steps."""
        return _options(series=self.series, rows=self.rows, steps=steps)


FULL = Sizes(
    series=10_000,
    rows=200,
    steps=500,
    few_steps=20,
    growing_series=(100, 170, 280, 460, 770, 1_300, 2_200, 3_600, 6_000, 10_000),
    growing_rows=(50, 75, 110, 170, 260, 390, 580, 870, 1_300, 2_000),
    fixed_series=1_000,
)
QUICK = Sizes(
    series=40, rows=120, steps=10, few_steps=3, growing_series=(20, 40), growing_rows=(60, 120), fixed_series=20
)


def _options(**values: int) -> list[str]:
    return [part for name, value in values.items() for part in (f"--{name}", str(value))]


def _task(name: str, given: Sequence[str]) -> list[str]:
    return [sys.executable, str(HERE / "frame_tasks.py"), name, *given]


def measure_batch(runner: Runner, report: Report, sizes: Sizes) -> None:
    """Rows a second from the frame to the first batch."""
    outcomes = runner.repeat("batch", _task("batch", sizes.task(1)))
    report.figure("frame to first batch, million rows/s", [one["rows_per_s"] / 1e6 for one in outcomes], want="")
    report.figure("frame to first batch, s", [one["seconds"] for one in outcomes], want="")
    report.data["batch"] = outcomes


def measure_memory(runner: Runner, report: Report, sizes: Sizes) -> None:
    """Peak memory of a fit over the process that holds the frame."""
    outcomes = runner.repeat("memory", _task("memory", sizes.task(sizes.few_steps)))
    frame = outcomes[0]["frame_mib"]
    name = f"fit: peak over the process with its frame of {frame:.0f} MiB, MiB"
    report.figure(name, [one["over_mib"] for one in outcomes], want="", digits=0)
    report.data["memory"] = outcomes


def measure_backtest(runner: Runner, report: Report, sizes: Sizes) -> None:
    """A backtest of five windows by fitted networks against one forecast."""
    outcomes = runner.repeat("backtest", _task("backtest", sizes.task(sizes.few_steps)))
    name = '`backtest(refit="never")` of 5 windows / `predict(df=...)`'
    report.figure(name, [one["ratio"] for one in outcomes], want="≤ 6")
    report.figure("`predict(df=...)` of all series, s", [one["predict_s"] for one in outcomes], want="")
    report.data["backtest"] = outcomes


def measure_growth(runner: Runner, report: Report, sizes: Sizes) -> None:
    """Way to the first batch and forecast against series and rows, one process a point."""
    axes: dict[str, tuple[Sequence[int], Mapping[str, int]]] = {
        "series": (sizes.growing_series, {"rows": sizes.rows}),
        "rows": (sizes.growing_rows, {"series": sizes.fixed_series}),
    }
    curves: dict[str, list[list[float]]] = {}
    for axis, (grown, fixed) in axes.items():
        curves[axis] = []
        for size in grown:
            task = _task("growth", _options(**{axis: size}, **fixed, steps=1))
            outcome = runner.run(f"growth {axis} {size}", 0, task)
            curves[axis].append([size, outcome["batch_s"], outcome["predict_s"]])
        for column, name in enumerate(("frame to first batch", "`predict(df=...)`"), start=1):
            exponent = [growth_exponent(curves[axis], column)]
            report.figure(f"{name}: exponent of growth with {axis}, upper half", exponent, want="1 (linear)")
    report.data["growth"] = curves


def growth_exponent(points: Sequence[Sequence[float]], column: int) -> float:
    """Return the slope of logarithms over the larger half of the sizes, where fixed costs no longer show."""
    upper = np.log(np.array(points)[len(points) // 2 - 1 :])
    return float(np.polyfit(upper[:, 0], upper[:, column], 1)[0])


def measure_libraries(runner: Runner, report: Report, sizes: Sizes) -> None:
    """Process start to forecasts of all series."""
    check_environments(CONTESTANTS, "bench-frames")
    results = runner.rounds("libraries", CONTESTANTS, sizes.task(sizes.steps))

    def whole(outcome: Any) -> float:
        return float(outcome["whole_s"])

    for peer in CONTESTANTS[1:]:
        name = f"process start to forecasts of all series: {peer.name} / ours"
        report.figure(name, ratios(results, peer.name, whole), want="≥ 3")
    jobs = [Job(series=sizes.series, rows=sizes.rows, seed=number) for number in range(runner.count)]
    naive = [job.naive_errors() for job in jobs]
    for repeated in naive[0]:
        errors = [one[repeated] for one in naive]
        report.figure(f"error of repeating {repeated}, in standard deviations", errors, want="")
    shown = {f"{name} {outcomes[0]['version']}": outcomes for name, outcomes in results.items()}
    columns: dict[str, Callable[[Any], float]] = {
        "whole, s": whole,
        "to the frame": lambda one: one["frame_s"],
        "import and fit": lambda one: one["fit_s"],
        "predict": lambda one: one["predict_s"],
        "peak MiB": lambda one: one["peak_mb"],
        "error": lambda one: one["error"],
    }
    report.detail(f"{sizes.series:,} series × {sizes.rows} rows, {sizes.steps} steps", shown, columns)


MEASURES = {
    "batch": measure_batch,
    "memory": measure_memory,
    "backtest": measure_backtest,
    "growth": measure_growth,
    "libraries": measure_libraries,
}


def draw_growth(curves: Mapping[str, Any], sizes: Sizes, path: Path) -> None:
    """Draw both costs against each size, with straight lines through the largest sizes."""
    import matplotlib

    from seqcast.plots.style import PAST, STYLE, finish, line, model_style, new_figure, save_figure

    names = {"series": f"series of {sizes.rows} rows", "rows": f"rows of each of {sizes.fixed_series:,} series"}
    with matplotlib.rc_context(STYLE):
        figure = new_figure(9.0, 3.6)
        for ax, (axis, points) in zip(figure.subplots(1, 2), curves.items(), strict=True):
            size, *costs = np.array(points).T
            for number, (name, cost) in enumerate(zip(("frame to first batch", "predict(df=...)"), costs, strict=True)):
                line(ax, size, cost[-1] * size / size[-1], "in proportion to the size", (PAST, "none", "-"))
                line(ax, size, cost, name, model_style(number))
            log_axes(ax, size, names[axis], "seconds")
        finish(figure, "Cost of a frame when it grows")
        save_figure(figure, path)


def main() -> None:
    parser = options(__doc__, MEASURES, "results/frames")
    parser.add_argument("--quick", action="store_true", help="tiny sizes, one round: proves the path")
    parser.add_argument("--rounds", type=int, help=f"rounds (default {ROUNDS}, and {LIBRARY_ROUNDS} of libraries)")
    arguments, chosen = parse(parser, MEASURES)
    if arguments.quick and arguments.write:
        parser.error("--quick proves the path and measures nothing: leave out --write")
    sizes, usual = (QUICK, (1, 1)) if arguments.quick else (FULL, (ROUNDS, LIBRARY_ROUNDS))
    several, few = (arguments.rounds or count for count in usual)
    report = Report()
    for name in chosen:
        MEASURES[name](Runner(arguments.results, few if name == "libraries" else several), report, sizes)
    lines = report.lines(
        f"{machine(('keras', 'jax', 'numpy', 'pandas'))}. Medians of {several} rounds, of {few} for libraries, in "
        "brackets the smallest and largest; growth once a size."
    )
    if "growth" in report.data:
        folder = DOCS / "images" if arguments.write else arguments.results
        draw_growth(report.data["growth"], sizes, folder / PICTURE)
        lines += ["", f"![Cost of a frame when it grows](images/{PICTURE})"]
    print("\n".join(lines))
    if arguments.write:
        write_section("frames", "\n".join(lines))
    print(json.dumps(report.data))


if __name__ == "__main__":
    main()
