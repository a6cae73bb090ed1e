"""A newcomer's walk: from an empty folder through *Start* and pages of *Coming from*, as they are written.

    python3 tests/docs/newcomer.py docs/coming-from/prophet.md

A clone of this repository and nothing else stands in the folder. The pages' own lines make an
environment, with the versions of requirements.lock, and install; what is compiled is kept in the
folder, which is empty at first. Then each program runs in that environment, and prints what its
page shows. A program that begins with its file's name, as those of *Coming from* do, is a script;
that of the other library runs where the library is. It takes several minutes, and says for each
step how long it took.
"""

import argparse
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.append(str(Path(__file__).parent))
import page_programs

ROOT = Path(__file__).resolve().parents[2]
START = ROOT / "docs" / "start.md"


def told(program, seconds, printed=""):
    """Print how long a step took."""
    del printed
    name = (script_of(program) or program.code.strip().splitlines()[0])[:80]
    print(f"{seconds:7.1f} s   line {program.line:<4} {name}", flush=True)


def script_of(program):
    """Return the name of the file that a program begins with, if it does."""
    named = re.match(r"# (\w+\.py)\n", program.code)
    return named.group(1) if named and program.language == "python" else None


def installing(programs):
    """Return the programs that install, those before the first one in Python, and the others."""
    first = next(place for place, program in enumerate(programs) if program.language == "python")
    return programs[:first], programs[first:]


def run_scripts(path):
    """Run the scripts of a page, each in a process of its own; that of a library that is not here is left out."""
    text = path.read_text(encoding="utf-8")
    if "(index.md#the-data)" in text:
        text = path.with_name("index.md").read_text(encoding="utf-8") + text
    for program in page_programs.programs_of(text):
        name = script_of(program)
        began = time.perf_counter()
        assert name, f"{path.name}, line {program.line}: no script"
        if name == f"with_{path.stem}.py" and importlib.util.find_spec(path.stem) is None:
            print(f"   not run   line {program.line:<4} {name}: no {path.stem} here")
            continue
        Path(name).write_text(program.code, encoding="utf-8")
        done = subprocess.run([sys.executable, name], capture_output=True, text=True, check=False)
        assert not done.returncode, f"{path.name}: {name}: {done.stderr}"
        said = re.findall(r"^print\(.*\)  # (.+)$", program.code, flags=re.MULTILINE)
        assert said == done.stdout.splitlines()[len(done.stdout.splitlines()) - len(said) :], (
            f"{name}: {done.stdout}"
        )
        told(program, time.perf_counter() - began)


def walk(path):
    """Run the programs of a page, after those that install, in a folder of its own; the environment is this one."""
    print(path.relative_to(ROOT))
    if path == START:
        _, programs = installing(page_programs.programs_of(path.read_text(encoding="utf-8")))
        page_programs.run(programs, path.name, shell=page_programs.run_in_shell, told=told)
        return
    Path(path.stem).mkdir()
    os.chdir(path.stem)
    run_scripts(path)


def environment(folder):
    """Return the environment of somebody who has set nothing, with the locked versions."""
    ours = "PYTHONPATH PYTHONHOME VIRTUAL_ENV KERAS_BACKEND XLA_FLAGS COLUMNS MAKEFLAGS MAKELEVEL"
    python = Path(sys.executable).resolve().parent
    return {
        **{name: value for name, value in os.environ.items() if name not in ours.split()},
        "PATH": f"{python}{os.pathsep}{os.environ['PATH']}",
        "PIP_CONSTRAINT": str(ROOT / "requirements.lock"),
        "SEQCAST_CACHE_DIR": str(folder / "cache"),
        "MPLBACKEND": "Agg",
    }


def main():
    """Walk through *Start* and the pages that are named."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("pages", nargs="*", type=Path, help="pages of Coming from")
    parser.add_argument(
        "--extras", default="", help="extras that they need, with commas, such as sktime"
    )
    parser.add_argument("--walk", type=Path, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.walk is not None:
        walk(arguments.walk)
        return
    began = time.perf_counter()
    with tempfile.TemporaryDirectory(prefix="newcomer-") as name:
        folder = Path(name)
        os.chdir(folder)
        os.environ.update(kept := environment(folder))
        for variable in set(os.environ) - set(kept):
            del os.environ[variable]
        subprocess.run(["git", "clone", "--quiet", str(ROOT), "seqcast"], check=True)
        print(f"{START.relative_to(ROOT)}, installing")
        for program in installing(page_programs.programs_of(START.read_text(encoding="utf-8")))[0]:
            since = time.perf_counter()
            page_programs.run_in_shell(program)
            told(program, time.perf_counter() - since)
        python = folder / ".venv" / "bin" / "python"
        if arguments.extras:
            subprocess.run(
                [python, "-m", "pip", "install", "-q", f"./seqcast[{arguments.extras}]"], check=True
            )
        os.environ["PATH"] = f"{python.parent}{os.pathsep}{os.environ['PATH']}"
        for page in (START, *arguments.pages):
            subprocess.run([python, __file__, "--walk", (ROOT / page).resolve()], check=True)
        os.chdir(ROOT)
    print(f"{(time.perf_counter() - began) / 60:.1f} minutes in all")


if __name__ == "__main__":
    main()
