"""`seqcast study`: answer the post's open questions."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from seqcast.cli.console import note, print_json, print_line
from seqcast.cli.options import Quiet, count_option
from seqcast.cli.outputs import AsJson


def study(
    name: Annotated[str, typer.Argument(metavar="NAME", help="A study, or `all`; `list` shows what there is.")],
    output: Annotated[Path, typer.Option("--output", "-o", help="Folder for results, pictures and findings.")] = Path(
        "runs/studies"
    ),
    quick: Annotated[bool, typer.Option("--quick", help="A small grid, to prove the path in seconds.")] = False,
    seeds: Annotated[int | None, count_option("--seeds", help="Number of seeds; 5 if absent, 1 with --quick.")] = None,
    workers: Annotated[
        int | None, count_option("--workers", help="Processes side by side; one a core if absent.")
    ] = None,
    as_json: AsJson = False,
    quiet: Quiet = False,
) -> None:
    """Answer one of the post's open questions: train what it takes, draw it, say what was found.

    Each run leaves a file, so that an interrupted study goes on where it stopped and a finished one draws at once. A
    training that was under way goes on from its last checkpoint.

    For example:

        seqcast study list

        seqcast study horizon --quick

        seqcast study all
    """
    from seqcast.studies import NAMES, find_study

    if name == "list":
        questions = {each: find_study(each).question for each in NAMES}
        if as_json:
            print_json(questions)
        else:
            for each, question in questions.items():
                print_line(f"{each:<10}{question}")
        return
    names = NAMES if name == "all" else (find_study(name).name,)
    from seqcast.studies import run_study

    say = (lambda _: None) if quiet else note
    done = []
    for each in names:
        outcome = run_study(each, output, quick=quick, seeds=seeds, workers=workers, say=say)
        if as_json:
            told = {"finding": outcome.finding, "seconds": outcome.seconds, "files": list(map(str, outcome.files))}
            done.append({"study": each, "question": find_study(each).question, **told})
            continue
        print_line(f"{find_study(each).question}\n\n{outcome.finding}\n")
        from_before = "" if outcome.new_runs else ", all kept from before"
        print_line(f"Runs of {outcome.seconds / 60:.1f} min in all{from_before}. Written:")
        for path in outcome.files:
            print_line(f"  {path}")
    if as_json:
        print_json(done)
    elif quick:
        print_line("The networks were trained for seconds only, to prove the path; the figures above say nothing.")
