"""`seqcast demo`: the post's example, and a real series."""

from pathlib import Path
from typing import Any

from seqcast.cli.console import note, print_json, print_line, print_table


def demo(
    output: Path = Path("runs/demo"),
    quick: bool = False,
    seed: int = 0,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Learn sums of two sines as in the post, then a real series.

    It writes tables and pictures.

    For example:

        seqcast demo --quick

    Args:
        output: Folder for tables, pictures and the model.
        quick: A small job, to try the command in seconds.
        seed: Seed of everything random.
        as_json: Print the result as one JSON document.
        quiet: Show no progress.
    """
    from seqcast.cli.demo import QUICK, DemoSize, run_demo

    size = QUICK if quick else DemoSize()
    shown = not (quiet or as_json)
    try:
        metrics = run_demo(output, size, seed=seed, verbose=int(shown), say=note)
    except KeyboardInterrupt:
        note(f"The finished files are in {output}.")
        raise

    if as_json:
        print_json({**metrics, "folder": str(output)})
        return

    _print_scores(metrics)
    if quick:
        print_line(
            "The networks were trained for seconds only, to try the command; "
            "without --quick they learn."
        )
    print_line(f"Done in {metrics['seconds']:.0f} s. Written:")
    for path in metrics["files"]:
        print_line(f"  {output / path}")


def _print_scores(metrics: dict[str, Any]) -> None:
    from seqcast.plots import spoken

    rows = []
    for name, score in metrics["sines"]["scores"].items():
        steps = score["mse_by_step"]
        numbers = (score["mse_15"], score["mse_20"], steps[0], steps[14], steps[19])
        rows.append([spoken(name), *(f"{number:.4f}" for number in numbers)])
    print_table(
        "Sums of two sines: mean squared error on test windows",
        ("forecast", "steps 1-15", "steps 1-20", "step 1", "step 15", "step 20"),
        rows,
    )

    series = metrics["series"]
    print_table(
        f"{series['title']}: backtest from {series['n_windows']} cutoffs, "
        f"{series['horizon']} steps each",
        ("forecast", "mean absolute error", "root mean squared error"),
        [
            [spoken(name), f"{score['mae']:.3f}", f"{score['rmse']:.3f}"]
            for name, score in series["scores"].items()
        ],
    )
