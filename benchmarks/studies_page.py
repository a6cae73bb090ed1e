"""Put what `seqcast study` found into docs/studies.md, and its pictures into docs/images/.

    make studies                           # runs what is missing of all studies, then this
    python benchmarks/studies_page.py --results runs/studies

Nothing is trained here. Between the marks of a study on the page stand its numbers; the text around
them is written by hand.
"""

import json
import shutil
from pathlib import Path

from harness import DOCS, machine, options, write_section
from seqcast.studies import NAMES


def main():
    """Write all sections."""
    parser = options(__doc__)
    parser.add_argument(
        "--results", type=Path, default=Path("runs/studies"), help="what `seqcast study` wrote"
    )
    folder = parser.parse_args().results
    costs = []
    for name in NAMES:
        path = folder / name / f"{name}.json"
        if not path.exists():
            parser.error(f"there is no {path}: run seqcast study {name}")
        found = json.loads(path.read_text())
        pictures = []
        for picture in sorted((folder / name).glob("*.png")):
            shutil.copy(picture, DOCS / "images" / f"study_{picture.name}")
            pictures.append(f"![{picture.stem.replace('_', ', ')}](images/study_{picture.name})")
        cost = f"`seqcast study {name}`: {len(found['results'])} runs, {found['seconds'] / 60:.0f} minutes of one core."
        write_section(name, "\n\n".join([found["finding"], *pictures, cost]), "studies.md")
        costs.append(found["seconds"])
    write_section(
        "machine",
        f"{machine()}. All of them: {sum(costs) / 3600:.1f} hours of one core.",
        "studies.md",
    )


if __name__ == "__main__":
    main()
