"""Put the findings of studies into docs/studies.md, and their pictures into docs/images/.

    make studies                        # runs what is missing of all studies, then this
    python studies/studies_page.py --results runs/studies

Nothing is trained here. Between the marks of a study on the page stand its numbers; the text around
them is written by hand.
"""

import json
import shutil
import sys
from pathlib import Path

sys.path.append(str(Path(__file__).resolve().parents[1] / "benchmarks"))

from harness import DOCS, machine, options, write_section
from study_base import NAMES


def main():
    """Write all sections."""
    parser = options(__doc__)
    parser.add_argument(
        "--results", type=Path, default=Path("runs/studies"), help="what studies/run.py wrote"
    )
    folder = parser.parse_args().results

    costs = []
    for name in NAMES:
        path = folder / name / f"{name}.json"
        if not path.exists():
            parser.error(f"there is no {path}: run python studies/run.py {name}")
        found = json.loads(path.read_text())

        pictures = []
        for picture in sorted((folder / name).glob("*.png")):
            shutil.copy(picture, DOCS / "images" / f"study_{picture.name}")
            pictures.append(f"![{picture.stem.replace('_', ', ')}](images/study_{picture.name})")

        cost = (
            f"`python studies/run.py {name}`: {len(found['results'])} runs, "
            f"{found['seconds'] / 60:.0f} minutes of one core."
        )
        write_section(name, "\n\n".join([found["finding"], *pictures, cost]), "studies.md")
        costs.append(found["seconds"])

    write_section(
        "machine",
        f"{machine()}. All of them: {sum(costs) / 3600:.1f} hours of one core.",
        "studies.md",
    )


if __name__ == "__main__":
    main()
