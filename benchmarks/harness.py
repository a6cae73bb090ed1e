"""The frame of all benchmarks: options, processes of their own, results in files, tables, the machine line, pages.

A program measures settings and seeds. Each result is a JSON file in a folder of `results/`. Its
name holds the setting, the seed and a digest of all that the result depends on, so an interrupted
program continues where it stopped. What is timed runs in a process of its own, whose last line is a
JSON object. This module needs the standard library alone, since programs in the environments of
other libraries import it too.
"""

import argparse
import functools
import hashlib
import io
import json
import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from importlib.metadata import version
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent
PEERS = HERE / "peers"
DOCS = ROOT / "docs"
RESULTS = ROOT / "results"
# Environments of the other frameworks and of the other libraries, which `make` builds.
RUNTIMES = ROOT / ".venv-peers"
LIBRARIES = ROOT / ".venv-peers-libraries"
ROUNDS = 5
SEQCAST = "seqcast"  # our side of each comparison


def options(description, results="", *, data=False, seeds=0, quick=""):
    """Return a parser of the options that programs share.

    Args:
        description: The program's documentation.
        results: Folder of the result files, in `results/`; none for a program without them.
        data: Whether the program reads the public data sets.
        seeds: Default number of seeds; 0 for a program without them.
        quick: What `--quick` does, where there is one.
    """
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    if data:  # FOLDER and --data FOLDER are the same
        parser.add_argument(
            "data",
            nargs="?",
            metavar="FOLDER",
            default=argparse.SUPPRESS,
            help="the public data sets",
        )
        parser.add_argument("--data", metavar="FOLDER", help="the same")
    if results:
        folder = RESULTS / results
        parser.add_argument(
            "--results", "--out", type=Path, default=folder, help=f"result files (default {folder})"
        )
        parser.add_argument(
            "--fresh", action="store_true", help="measure again what has been measured"
        )
    if seeds:
        parser.add_argument(
            "--seeds", type=int, default=seeds, help=f"number of seeds (default {seeds})"
        )
    if quick:
        parser.add_argument("--quick", action="store_true", help=f"{quick}: proves the path")
    return parser


def parse(parser, names=()):
    """Return the arguments of the command line; `--fresh` removes old results.

    Args:
        parser: A parser of `options`.
        names: What `--only` chooses from, names with commas between.
    """
    names = list(names)
    if names:
        parser.add_argument(
            "--only", help=f"measures, with commas: {', '.join(names)} (default all)"
        )
    arguments = parser.parse_args()
    if "data" in arguments:
        if arguments.data is None:
            parser.error("name the FOLDER of the public data sets")
        arguments.data = Path(arguments.data)
    if names:
        arguments.chosen = arguments.only.split(",") if arguments.only else names
        if unknown := set(arguments.chosen) - set(names):
            parser.error(f"--only: {', '.join(sorted(unknown))} is none of {', '.join(names)}")
    if vars(arguments).get("fresh"):
        shutil.rmtree(arguments.results, ignore_errors=True)
    return arguments


@functools.cache
def code(*files):
    """Return a digest of the code that results depend on: all of seqcast, and files of this folder.

    Args:
        files: Their paths in this folder.
    """
    paths = [*sorted((ROOT / "src").rglob("*.py")), *(HERE / name for name in files)]
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:10]


def kept_path(folder, label, seed, described):
    """Return the file of a result; arguments as for `kept`."""
    text = json.dumps({"setting": label, "seed": seed, **described}, sort_keys=True, default=repr)
    name = "-".join(re.findall("[a-z0-9]+", label.lower()))
    return folder / f"{name}-{seed}-{hashlib.sha256(text.encode()).hexdigest()[:10]}.json"


def kept(folder, label, seed, described, measure):
    """Return a result from its file, or measure it and write the file.

    Args:
        folder: Folder of the files; it is made.
        label: The setting in words, with which the file's name begins.
        seed: The seed, or the number of the round.
        described: Everything else on which the result depends, JSON types; the record has it too.
        measure: Measures, and returns JSON types.
    """
    path = kept_path(folder, label, seed, described)
    if not path.exists():
        print(f"{label}, {seed}", file=sys.stderr, flush=True)
        record = {"setting": label, "seed": seed, **described, **measure()}
        folder.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part")
        beside.write_text(json.dumps(record, indent=1, default=repr))
        beside.rename(path)
    return json.loads(path.read_text())


def run_process(command, variables=None):
    """Run a command and return the JSON object of its last line, with the seconds of the process, `process_s`.

    The process reads in `BENCH_BEGAN` when it was started.

    Args:
        command: The command.
        variables: Variables that its environment adds.
    """
    # No cache of compiled programs unless a program names one: compilation counts.
    environment = {
        **os.environ,
        "SEQCAST_CACHE_DIR": "",
        **(variables or {}),
        "BENCH_BEGAN": str(time.time()),
    }
    began = time.perf_counter()
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    seconds = time.perf_counter() - began
    if done.returncode:
        raise SystemExit(f"{' '.join(command)}\n{done.stderr[-4000:]}")
    lines = done.stdout.strip().splitlines()
    outcome = json.loads(lines[-1]) if lines and lines[-1].startswith("{") else {}
    return {**outcome, "process_s": seconds}


def first_run(command):
    """Run a command as if for the first time, without compiled programs, and return what it printed last."""
    with tempfile.TemporaryDirectory() as cache:
        return run_process(command, {"SEQCAST_CACHE_DIR": cache})


def process_began():
    """Return when the parent started this process (`BENCH_BEGAN`) or the kernel did, in seconds since the epoch."""
    if "BENCH_BEGAN" in os.environ:
        return float(os.environ["BENCH_BEGAN"])
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return time.time() - time.clock_gettime(time.CLOCK_BOOTTIME) + ticks / os.sysconf("SC_CLK_TCK")


def run_peer(folder, task, model, *further):
    """Run a model of another library in its own environment and return its scores.

    Args:
        folder: Folder of the public data sets.
        task: What it is scored on.
        model: Library and model, as `peers/accuracy_peer.py` names them.
        further: Further arguments for that program.
    """
    python = str(LIBRARIES / "bin" / "python")
    program = str(PEERS / "accuracy_peer.py")
    return run_process(
        [python, program, "--data", str(folder), "--yardstick", task, "--model", model, *further]
    )


def check_environments(*environments):
    """Refuse to start when an environment of other libraries has not been made."""
    for environment in environments:
        if not (environment / "bin" / "python").exists():
            raise SystemExit(f"make {environment.name}/.installed first")


def peak_mib():
    """Return the largest memory of this process, in MiB."""
    import resource  # Windows has no such module

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)


def memory(name):
    """Return a figure of this process's memory, such as `VmRSS` or `VmHWM` (the peak), in MiB."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(name)) / 1024


def reset_peak():
    """Count `VmHWM` from here."""
    Path("/proc/self/clear_refs").write_text("5")


def machine(packages=("keras", "jax", "numpy")):
    """Return processor, cores and versions."""
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    model = next(
        (line.partition(":")[2].strip() for line in lines if line.startswith("model name")), ""
    )
    versions = ", ".join(f"{name} {version(name)}" for name in packages)
    return f"{model or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, {versions}"


def table(headings, rows):
    """Return a table in Markdown."""
    lines = [f"| {' | '.join(map(str, headings))} |", "|---" * len(headings) + "|"]
    return "\n".join([*lines, *(f"| {' | '.join(map(str, row))} |" for row in rows)])


def spread(values, digits=2, middle=statistics.median):
    """Return the median (or another `middle`) of values and, in brackets, the smallest and largest of several."""
    values = list(values)
    shown = [f"{value:,.{digits}f}" for value in (middle(values), min(values), max(values))]
    return shown[0] if len(values) == 1 else f"{shown[0]} ({shown[1]}-{shown[2]})"


def small_picture(content, colours=128):
    """Return a picture as a PNG in few colours, so that the repository stays small."""
    from PIL import Image

    packed = io.BytesIO()
    with Image.open(io.BytesIO(content)) as image:
        image.convert("RGB").quantize(colours, dither=Image.Dither.NONE).save(
            packed, format="PNG", optimize=True
        )
    return packed.getvalue()


def write_section(name, text, page="benchmarks.md"):
    """Put text between the marks of a section of a page in docs/."""
    path = DOCS / page
    opening = f"<!-- {name} -->\n"
    closing = f"<!-- /{name} -->"
    before, mark, rest = path.read_text().partition(opening)
    _, end, after = rest.partition(closing)
    if not mark or not end:
        raise SystemExit(f"{path}: the marks {opening.strip()} and {closing} are gone")
    path.write_text(f"{before}{mark}{text}\n{end}{after}")


@dataclass(frozen=True)
class Contestant:
    """One side of a comparison: an interpreter, a script and variables of its environment."""

    name: str
    environment: Path | None
    script: str
    arguments: tuple[str, ...] = ()
    variables: dict[str, str] = field(default_factory=dict)

    def command(self, task):
        """Return the command of a task; the interpreter is this one's, or that of the environment."""
        python = (
            sys.executable if self.environment is None else str(self.environment / "bin" / "python")
        )
        return [python, str(PEERS / self.script), *task, *self.arguments]


@dataclass
class Runner:
    """Runs commands, each in several rounds, and keeps what they print last.

    Args:
        folder: Folder of the result files.
        count: Number of rounds.
    """

    folder: Path
    count: int = ROUNDS

    def run(self, label, number, command, variables=None):
        """Return the JSON that a command printed last, from its file if that exists."""
        # Interpreters lie in different places on different machines; they do not belong to the key.
        described = {"command": list(command[1:]), "variables": variables}
        return kept(self.folder, label, number, described, lambda: run_process(command, variables))

    def repeat(self, label, command):
        """Run a command of ours once a round, each with a seed of its own."""
        return [
            self.run(label, number, [*command, "--seed", str(number)])
            for number in range(self.count)
        ]

    def rounds(self, label, contestants, task, ours=()):
        """Run all contestants in turn, round after round; return each one's results by name.

        Args:
            label: Name of the measure.
            contestants: Who runs.
            task: Task and options; each round adds a seed of its own.
            ours: Options for seqcast alone.
        """
        results = {contestant.name: [] for contestant in contestants}
        for number in range(self.count):
            for one in contestants:
                command = one.command(
                    [*task, "--seed", str(number), *(ours if one.name == SEQCAST else ())]
                )
                results[one.name].append(
                    self.run(f"{label} {one.name}", number, command, one.variables)
                )
        return results


def ratios(results, peer, value):
    """Return the peer's value over ours, round by round."""
    return [
        value(theirs) / value(ours)
        for theirs, ours in zip(results[peer], results[SEQCAST], strict=True)
    ]


def best_peer(results, value):
    """Return the peer with the smallest median."""
    peers = [name for name in results if name != SEQCAST]
    return min(peers, key=lambda name: statistics.median(map(value, results[name])))


class Report:
    """Measured figures as lines of a table, and all results as JSON."""

    def __init__(self, job=""):
        self.job = job
        self.rows = []
        self.columns = {}
        self.data = {}

    def figure(self, name, values, digits=2):
        """Add a figure."""
        self.rows.append([name, spread(values, digits)])

    def detail(self, title, results, columns):
        """Add columns to the table of all contestants' medians and keep all results."""
        self.data[title] = results
        for column, one in columns.items():
            self.columns[column] = {
                name: spread(map(one, found)) for name, found in results.items()
            }

    def text(self, heading):
        """Return the tables below a heading."""
        names = dict.fromkeys(name for column in self.columns.values() for name in column)
        rows = [
            [name, *(column.get(name, "") for column in self.columns.values())] for name in names
        ]
        details = ["", table([self.job, *self.columns], rows)] if rows else []
        return "\n".join([heading, "", table(["figure", "measured"], self.rows), *details])
