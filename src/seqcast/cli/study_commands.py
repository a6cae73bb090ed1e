"""`seqcast demo` and `study`: the post's example, and its open questions."""

from pathlib import Path
from typing import Any

from seqcast import studies
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
    try:
        size = studies.QUICK if quick else studies.DemoSize()
        shown = not (quiet or as_json)
        metrics = studies.run_demo(output, size, seed=seed, verbose=int(shown), say=note)
    except KeyboardInterrupt:
        note(f"The finished files are in {output}.")
        raise
    if as_json:
        print_json({**metrics, "folder": str(output)})
        return
    _print_scores(metrics)
    if quick:
        print_line(
            "The networks were trained for seconds only, to try the command; without --quick they learn."
        )
    print_line(f"Done in {metrics['seconds']:.0f} s. Written:")
    for path in metrics["files"]:
        print_line(f"  {output / path}")


def _print_scores(metrics: dict[str, Any]) -> None:
    from seqcast.plots import spoken

    numbers = {}
    for name, score in metrics["sines"]["scores"].items():
        steps = score["mse_by_step"]
        numbers[name] = [score["mse_15"], score["mse_20"], steps[0], steps[14], steps[19]]
    print_table(
        "Sums of two sines: mean squared error on test windows",
        ("forecast", "steps 1-15", "steps 1-20", "step 1", "step 15", "step 20"),
        [[spoken(name), *(f"{number:.4f}" for number in row)] for name, row in numbers.items()],
    )
    series = metrics["series"]
    print_table(
        f"{series['title']}: backtest from {series['n_windows']} cutoffs, {series['horizon']} steps each",
        ("forecast", "mean absolute error", "root mean squared error"),
        [
            [spoken(name), f"{score['mae']:.3f}", f"{score['rmse']:.3f}"]
            for name, score in series["scores"].items()
        ],
    )


def study(
    name: str,
    output: Path = Path("runs/studies"),
    quick: bool = False,
    seeds: int | None = None,
    workers: int | None = None,
    as_json: bool = False,
    quiet: bool = False,
) -> None:
    """Answer one of the post's open questions.

    Networks are trained, their results are drawn, and the finding is printed. Each run leaves a
    file, so that an interrupted study goes on where it stopped and a finished one draws at once. A
    training that was under way goes on from its last checkpoint.

    For example:

        seqcast study list

        seqcast study horizon --quick

        seqcast study all

    Args:
        name: A study, or `all`; `list` shows them.
        output: Folder for results, pictures and findings.
        quick: A small grid, to try the command in seconds.
        seeds: Number of seeds; 5 if absent, 1 with --quick.
        workers: Processes side by side; one a core if absent.
        as_json: Print the result as one JSON document.
        quiet: Show no progress.
    """
    if name == "list":
        questions = {each: studies.find_study(each).question for each in studies.NAMES}
        if as_json:
            print_json(questions)
        else:
            for each, question in questions.items():
                print_line(f"{each:<10}{question}")
        return
    if name != "all":
        studies.find_study(name)  # rejects a name that there is not
    say = (lambda _: None) if quiet else note
    done = []
    for each in studies.NAMES if name == "all" else (name,):
        outcome = studies.run_study(
            each, output, quick=quick, seeds=seeds, workers=workers, say=say
        )
        if as_json:
            facts = {
                "finding": outcome.finding,
                "seconds": outcome.seconds,
                "files": list(map(str, outcome.files)),
            }
            done.append({"study": each, "question": studies.find_study(each).question, **facts})
            continue
        print_line(f"{studies.find_study(each).question}\n\n{outcome.finding}\n")
        from_before = "" if outcome.new_runs else ", all from before"
        print_line(f"Runs of {outcome.seconds / 60:.1f} min in all{from_before}. Written:")
        for path in outcome.files:
            print_line(f"  {path}")
    if as_json:
        print_json(done)
    elif quick:
        print_line(
            "The networks were trained for seconds only, to prove the path; the figures above say nothing."
        )
