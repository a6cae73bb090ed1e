"""Run a study, or all: train what is missing, draw the results and print the finding.

    python studies/run.py list                # what there is
    python studies/run.py horizon --quick     # one of them, as a small grid
    python studies/run.py all

Each run leaves a file, so that an interrupted study continues and a finished one draws at once. A
training that was under way continues from its last checkpoint.
"""

import argparse
from pathlib import Path

from runner import SEEDS, run_study
from study_base import NAMES, find_study


def parser():
    """Return the parser of the options."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("name", choices=["list", "all", *NAMES], help="a study, all of them, list")
    parser.add_argument(
        "-o",
        "--output",
        type=Path,
        default=Path("runs/studies"),
        help="folder for results, pictures and findings (default runs/studies)",
    )
    parser.add_argument("--quick", action="store_true", help="a small grid, to try the program")
    parser.add_argument(
        "--seeds", type=int, help=f"number of seeds (default {SEEDS}, 1 with --quick)"
    )
    parser.add_argument(
        "--workers", type=int, help="processes side by side (default one a core, 1 with --quick)"
    )
    return parser


def main(argv=None):
    """Run one study or all of them."""
    given = parser().parse_args(argv)
    if given.name == "list":
        for name in NAMES:
            print(f"{name:<10}{find_study(name).question}")
        return

    for name in NAMES if given.name == "all" else (given.name,):
        outcome = run_study(
            name, given.output, quick=given.quick, seeds=given.seeds, workers=given.workers
        )
        print(f"{find_study(name).question}\n\n{outcome.finding}\n")
        computed = "" if outcome.new_runs else ", all from before"
        print(f"Runs of {outcome.seconds / 60:.1f} min in all{computed}. Written:")
        for path in outcome.files:
            print(f"  {path}")

    if given.quick:
        print("The networks were trained for seconds only: the figures above say nothing.")


if __name__ == "__main__":
    main()
