"""Run a study: its runs in parallel, a file each; then its figures, its results and its finding."""

import contextlib
import hashlib
import json
import re
import shutil
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any

from seqcast import __version__
from seqcast.errors import counted
from seqcast.plots import save_figure
from seqcast.runtime import Executor, choose_executor, keras, make_folder, threads, write_atomically
from study_base import Results, Run, Setting, Study, find_study

# Seeds of a study, unless it is quick.
SEEDS = 5
# A run: the study, the folder of its results, setting, seed, versions of libraries.
Job = tuple[str, str, Setting, int, dict[str, str]]
# Hexadecimal digits of the key of a result.
KEY_DIGITS = 10


@dataclass(frozen=True)
class Outcome:
    """The outcome of a study.

    Args:
        finding: The finding, as Markdown.
        files: The files that were written.
        new_runs: Number of runs that were computed; the others were cached.
        seconds: Seconds of all its runs together.
    """

    finding: str
    files: tuple[Path, ...]
    new_runs: int
    seconds: float


def run_study(
    name: str,
    folder: Path,
    *,
    quick: bool = False,
    seeds: int | None = None,
    workers: int | None = None,
    executor: Executor | None = None,
    say: Callable[[str], None] = print,
) -> Outcome:
    """Compute the missing runs of a study and write its figures and its finding.

    Args:
        name: Its name.
        folder: Where the files go, in a folder of the study's name; created if missing.
        quick: Whether to run a small grid with one seed.
        seeds: Number of seeds; `None` is 5, or 1 with `quick`.
        workers: Number of processes; `None` is one a core, or with `quick` this one alone.
        executor: The executor, in place of processes of this machine.
        say: Called with a line of progress.

    Returns:
        The outcome. `NAME.json` holds all results, `NAME.png` and `NAME_….png` the pictures,
        `NAME.md` the question and the finding.

    Raises:
        SaveError: The folder takes no files.
    """
    study = find_study(name)
    if seeds is None:
        seeds = 1 if quick else SEEDS
    if quick and workers is None:
        workers = 1

    target = folder / (f"{name}-quick" if quick else name)
    runs = target / "runs"
    make_folder(runs)
    libraries = library_versions()
    jobs = [
        (name, str(runs), setting, seed, libraries)
        for seed in range(seeds)
        for setting in study.grid(quick)
    ]
    missing = [job for job in jobs if not result_path(runs, *job[2:]).exists()]
    say(
        f"{study.title}: {len(jobs)} runs ({counted(seeds, 'seed')}), {len(missing)} of them to "
        "compute"
    )

    if executor is None:
        executor = choose_executor(len(missing), workers=workers)
    executor.map(make_run, missing, finished=_progress(missing, say))

    # All are in their files now.
    results = Results([make_run(*job) for job in jobs])
    finding = study.finding(results)
    seconds = float(sum(row["seconds"] for row in results.rows))
    table = {
        "study": name,
        "quick": quick,
        "seeds": seeds,
        "seconds": seconds,
        "libraries": libraries,
        "cores": threads(),
        "finding": finding,
        "results": results.rows,
    }
    return Outcome(finding, _write(study, results, table, target), len(missing), seconds)


def _progress(missing: list[Job], say: Callable[[str], None]) -> Callable[[int, Any], None]:
    """Return what an executor calls when a run ends; it says how long the others may take."""
    began = time.perf_counter()
    done = 0

    def finished(place: int, _: Any) -> None:
        nonlocal done
        done += 1
        _, _, setting, seed, _ = missing[place]
        remaining = (time.perf_counter() - began) / done * (len(missing) - done)
        say(
            f"  {done} of {len(missing)}: {label(setting)}, seed {seed}; about "
            f"{remaining / 60:.0f} min to go"
        )

    return finished


def make_run(
    name: str, folder: str, setting: Setting, seed: int, libraries: dict[str, str]
) -> dict[str, Any]:
    """Return the result of a run, from its file or by computing it; called in a worker.

    The states of its trainings are in `checkpoints/`, next to the folder of the results, until the
    run ends: a run that was killed goes on from them. They are of the same versions, as is the
    result's name.

    Args:
        name: The study.
        folder: Where the results go.
        setting: The setting.
        seed: The seed.
        libraries: Versions of the libraries.
    """
    path = result_path(Path(folder), setting, seed, libraries)
    checkpoints = path.parent.parent / "checkpoints" / path.stem

    if not path.exists():
        began = time.perf_counter()
        outcome = find_study(name).measure(Run(setting, seed, checkpoints))
        seconds = round(time.perf_counter() - began, 2)
        record = {
            "setting": setting,
            "seed": seed,
            "libraries": libraries,
            **outcome,
            "seconds": seconds,
        }
        text = json.dumps(record, indent=1, default=repr)
        make_folder(path.parent)
        write_atomically(path, lambda file: file.write(text.encode()))

    result: dict[str, Any] = json.loads(path.read_text("utf-8"))
    shutil.rmtree(checkpoints, ignore_errors=True)
    with contextlib.suppress(OSError):  # other runs have theirs in it
        checkpoints.parent.rmdir()
    return result


def label(setting: Setting) -> str:
    """Return a setting in words.

    Args:
        setting: The setting.

    Example:
        >>> label({"context": 15, "decoder_input": "zeros"})
        'context 15, decoder_input zeros'
    """
    return ", ".join(f"{name} {value}" for name, value in setting.items())


def result_path(folder: Path, setting: Setting, seed: int, libraries: dict[str, str]) -> Path:
    """Return the file of a run's result, which other versions of seqcast or a library do not share.

    Args:
        folder: Where the results are.
        setting: The setting.
        seed: The seed.
        libraries: Versions of the libraries.

    Example:
        >>> result_path(Path("runs"), {"epochs": 3}, 0, {}).name
        'epochs-3-0-aabaaa566d.json'
    """
    depends_on = {"setting": setting, "seed": seed, "libraries": libraries, "version": __version__}
    text = json.dumps(depends_on, sort_keys=True, default=repr)
    key = hashlib.sha256(text.encode()).hexdigest()[:KEY_DIGITS]
    words = "-".join(re.findall("[a-z0-9]+", label(setting).lower()))
    return folder / f"{words}-{seed}-{key}.json"


def library_versions() -> dict[str, str]:
    """Return the versions of what results depend on: Keras, its backend and numerical libraries.

    Example:
        >>> list(library_versions())
        ['keras', 'jax', 'numpy', 'scikit-learn', 'scipy']
    """
    names = ("keras", keras.config.backend(), "numpy", "scikit-learn", "scipy")
    return {name: metadata.version(name) for name in names}


def _write(study: Study, results: Results, table: dict[str, Any], folder: Path) -> tuple[Path, ...]:
    name = table["study"]
    files = []
    for suffix, figure in study.figures(results).items():
        stem = f"{name}_{suffix}" if suffix else name
        files.append(folder / f"{stem}.png")
        save_figure(figure, files[-1], dpi=110)

    page = f"# {study.title}\n\n{study.question}\n\n{table['finding']}\n"
    for suffix, text in {"json": json.dumps(table, indent=1), "md": page}.items():
        files.append(folder / f"{name}.{suffix}")
        write_atomically(files[-1], lambda file, text=text: file.write(text.encode()))
    return tuple(files)
