"""The programs and tables of docs/coming-from, in each peer and here.

    python benchmarks/peers/coming_from.py                 # all pages
    python benchmarks/peers/coming_from.py darts prophet   # some of them

Each page has programs, which run in its order in an empty folder (the first line of a block is the name of its file):
`with_PEER.py` in the peer's environment, all others in this one. The last line that `with_PEER.py` and
`with_seqcast.py` print is the shape of their result, which has to be the same. Names in the first column of the page's
table have to be in the peer, those in the second column in seqcast. It prints a table, and exits with 1 if anything is
wrong.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
PAGES = ROOT / "docs" / "coming-from"


@dataclass(frozen=True)
class Peer:
    """Where a peer is installed, and the modules in which the names of its table are looked for."""

    environment: str
    modules: str


LIBRARIES, OTHERS = ".venv-peers-libraries", ".venv-peers-docs"
# What Keras runs on there.
BACKENDS = {LIBRARIES: "torch", OTHERS: "jax"}
PEERS = {
    "neuralforecast": Peer(
        LIBRARIES,
        "neuralforecast neuralforecast.models neuralforecast.losses.pytorch neuralforecast.auto neuralforecast.utils",
    ),
    "darts": Peer(
        LIBRARIES,
        "darts darts.models darts.utils.likelihood_models darts.dataprocessing.transformers",
    ),
    "sktime": Peer(
        OTHERS,
        "sktime.forecasting.base sktime.forecasting.model_selection sktime.forecasting.model_evaluation sktime.split "
        "sktime.forecasting.compose sktime.base",
    ),
    "gluonts": Peer(
        LIBRARIES,
        "gluonts.torch gluonts.torch.distributions gluonts.torch.model.predictor gluonts.dataset.pandas "
        "gluonts.dataset.split gluonts.model gluonts.model.forecast",
    ),
    "prophet": Peer(OTHERS, "prophet prophet.diagnostics prophet.serialize prophet.plot"),
    "skforecast": Peer(
        LIBRARIES,
        "skforecast.deep_learning skforecast.recursive skforecast.model_selection skforecast.preprocessing "
        "skforecast.utils",
    ),
    "keras": Peer(OTHERS, "keras keras.layers keras.callbacks keras.optimizers"),
}
OURS = "seqcast.tune seqcast.network seqcast.interop.sktime seqcast.evaluation seqcast.inspect seqcast"


@dataclass(frozen=True)
class Page:
    """A page: its programs by the names of their files, in order, and the two columns of its table of names."""

    programs: dict[str, str]
    theirs: tuple[str, ...]
    ours: tuple[str, ...]


def read_page(peer: str) -> Page:
    """Return what is to be checked of a page."""
    text = (PAGES / f"{peer}.md").read_text()
    programs = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.MULTILINE):
        name = re.match(r"# (\w+\.py)\n", block)
        if name is None:
            raise ValueError(f"{peer}.md: a program that does not begin with the name of its file:\n{block}")
        programs[name[1]] = block
    table = text.split("## Names\n")[1].split("\n## ")[0]
    rows = [re.split(r"(?<!\\)\|", line.strip())[1:-1] for line in table.splitlines() if line.startswith("|")][2:]
    columns = [tuple(name for row in rows for name in re.findall(r"`([^`]+)`", row[place])) for place in (0, 1)]
    return Page(programs, *columns)


def run(environment: str | None, command: list[str], folder: Path, stdin: str = "") -> str:
    """Run Python in a peer's environment, or in this one, and return what it printed.

    One thread is enough for networks as small as these, and takes less time than several that wait for each other.
    """
    python = sys.executable if environment is None else str(ROOT / environment / "bin" / "python")
    changes = {"OMP_NUM_THREADS": "1", "KERAS_BACKEND": "jax"}
    if environment is not None:
        changes |= {"KERAS_BACKEND": BACKENDS[environment], "PYTHONPATH": "", "PYTHONWARNINGS": "ignore"}
    done = subprocess.run(
        [python, *command], cwd=folder, env=os.environ | changes, input=stdin, capture_output=True, text=True
    )
    if done.returncode:
        raise RuntimeError(f"{python} {' '.join(command)}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}")
    return done.stdout.strip()


def shapes(peer: str, page: Page) -> dict[str, str]:
    """Run the programs of a page, and return the last line of each."""
    printed = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, code in page.programs.items():
            Path(folder, name).write_text(code)
            environment = PEERS[peer].environment if name == f"with_{peer}.py" else None
            lines = run(environment, [name], Path(folder)).splitlines()
            printed[name] = lines[-1] if lines else ""
    return printed


def wrong_names(environment: str | None, names: tuple[str, ...], modules: str) -> list[str]:
    """Return what is wrong with the names of a column, as an environment sees it."""
    command = [str(HERE / "table_names.py"), *modules.split()]
    return json.loads(run(environment, command, ROOT, json.dumps(names)).splitlines()[-1])


def version_of(peer: str) -> str:
    """Return the version of a peer in its environment."""
    code = f"import importlib.metadata; print(importlib.metadata.version('{peer}'))"
    return run(PEERS[peer].environment, ["-c", code], ROOT)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("peers", nargs="*", metavar="PEER", help=f"some of {', '.join(PEERS)}; all without")
    chosen = parser.parse_args().peers or list(PEERS)
    if unknown := set(chosen) - set(PEERS):
        parser.error(f"no page about {', '.join(sorted(unknown))}")
    errors = []
    titles = ("page", "version", "names there", "names here", "shape there", "shape here", "seconds")
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for peer in chosen:
        began, page = time.monotonic(), read_page(peer)
        theirs = wrong_names(PEERS[peer].environment, page.theirs, PEERS[peer].modules)
        ours = wrong_names(None, page.ours, OURS)
        printed = shapes(peer, page)
        there, here = printed[f"with_{peer}.py"], printed["with_seqcast.py"]
        errors += [f"{peer}: {error}" for error in (*theirs, *ours)]
        if there != here or not re.fullmatch(r"\(\d+(, \d+)+\)", there):
            errors.append(f"{peer}: the results have the shapes {there} and {here}")
        counts = [
            f"{len(names) - len(bad)} of {len(names)}" for names, bad in ((page.theirs, theirs), (page.ours, ours))
        ]
        row = (peer, version_of(peer), *counts, there, here, f"{time.monotonic() - began:.0f}")
        print(f"| {' | '.join(row)} |", flush=True)
    for error in errors:
        print(error, file=sys.stderr)
    sys.exit(bool(errors))


if __name__ == "__main__":
    main()
