"""`seqcast demo`: the post's example and a real series, from data to pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from seqcast.cli.console import note, print_json, print_line, print_table
from seqcast.cli.options import Quiet, count_option
from seqcast.cli.outputs import AsJson


def demo(
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for tables, pictures and the model.")] = Path(
        "runs/demo"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A small job, to prove the path in seconds.")] = False,
    seed: Annotated[int, count_option("--seed", least=0, help="Seed of everything random.")] = 0,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Learn sums of two sines as in the post, then a real series; write tables and pictures.

    For example:

        seqcast demo --quick
    """
    from seqcast.studies import QUICK, DemoSize, run_demo

    try:
        metrics = run_demo(
            output, QUICK if quick else DemoSize(), seed=seed, verbose=int(not quiet and not as_json), say=note
        )
    except KeyboardInterrupt:
        note(f"The parts that were finished are in {output}.")
        raise
    if as_json:
        print_json({**metrics, "folder": str(output)})
        return
    _print_scores(metrics)
    if quick:
        print_line(
            "The networks were trained for seconds only, to prove the path; run it without --quick for the real thing."
        )
    print_line(f"Done in {metrics['seconds']:.0f} s. Written:")
    for path in metrics["files"]:
        print_line(f"  {output / path}")


def _print_scores(metrics: dict[str, Any]) -> None:
    numbers = {}
    for name, score in metrics["sines"]["scores"].items():
        steps = score["mse_by_step"]
        numbers[name] = [score["mse_15"], score["mse_20"], steps[0], steps[14], steps[19]]
    print_table(
        "Sums of two sines: mean squared error on test windows",
        ("forecast", "steps 1-15", "steps 1-20", "step 1", "step 15", "step 20"),
        [[_spoken(name), *(f"{number:.4f}" for number in row)] for name, row in numbers.items()],
    )
    series = metrics["series"]
    print_table(
        f"{series['title']}: backtest from {series['n_windows']} cutoffs, {series['horizon']} steps each",
        ("forecast", "mean absolute error", "root mean squared error"),
        [[_spoken(name), f"{score['mae']:.3f}", f"{score['rmse']:.3f}"] for name, score in series["scores"].items()],
    )


def _spoken(name: str) -> str:
    return name.replace("_", " ")
