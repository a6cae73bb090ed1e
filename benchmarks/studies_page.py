"""Put what `seqcast study` found into docs/studies.md, and its pictures into docs/images/.

    make studies                           # runs what is missing of all studies, then this
    python benchmarks/studies_page.py --results runs/studies

Nothing is trained here. Between the marks of a study on the page stand its numbers; what is said of them beside is
written by hand.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path

from rounds import DOCS, machine, write_section
from seqcast.studies import NAMES


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=Path("runs/studies"), help="what `seqcast study` wrote")
    folder = parser.parse_args().results
    costs = []
    for name in NAMES:
        path = folder / name / f"{name}.json"
        if not path.exists():
            parser.error(f"there is no {path}: run seqcast study {name}")
        table = json.loads(path.read_text())
        pictures = []
        for picture in sorted((folder / name).glob("*.png")):
            shutil.copy(picture, DOCS / "images" / f"study_{picture.name}")
            pictures.append(f"![{picture.stem.replace('_', ', ')}](images/study_{picture.name})")
        cost = f"`seqcast study {name}`: {len(table['results'])} runs, {table['seconds'] / 60:.0f} minutes of one core."
        write_section(name, "\n\n".join([table["finding"], *pictures, cost]), "studies.md")
        costs.append(table["seconds"])
    write_section("machine", f"{machine()}. All of them: {sum(costs) / 3600:.1f} hours of one core.", "studies.md")


if __name__ == "__main__":
    main()
