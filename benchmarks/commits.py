"""A commit beside the checkout: a worktree of it with an environment of its own, for programs that compare the two.

    python benchmarks/commits.py COMMIT           # make it, or find it, and say where its interpreter is
    python benchmarks/commits.py COMMIT --remove  # remove it, its environment and its registration with git

It lies in results/commits/<sha>, which git ignores, and is used again: its environment takes a minute to make and 1.5
gigabytes. When the folder has been deleted by other means (`make clean`), the next call forgets its registration.
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from filelock import FileLock

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "results" / "commits"
ASKED = "import seqcast; print(seqcast.__file__)"


@dataclass(frozen=True)
class Side:
    """One state of the code and the interpreter that runs it.

    Args:
        name: `old` or `new`.
        label: What it is called in tables.
        tree: The folder that holds `src`.
        python: The interpreter in whose environment that is installed.
    """

    name: str
    label: str
    tree: Path
    python: Path

    @property
    def program(self) -> Path:
        """The command line's program."""
        return self.python.with_name("seqcast")

    def environment(self, **changes: str) -> dict[str, str]:
        """Return the environment of this side's processes: ours without what would lead them to other packages."""
        inherited = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
        return {**inherited, **changes}

    def check(self) -> None:
        """Refuse an interpreter that imports seqcast from elsewhere, which would compare a state with itself."""
        # Elsewhere than in the checkout, whose files would be found before those that are installed.
        command = [str(self.python), "-c", ASKED]
        done = subprocess.run(command, capture_output=True, text=True, cwd=self.python.parent, env=self.environment())
        found = done.stdout.strip()
        if done.returncode or self.tree / "src" not in Path(found).resolve().parents:
            raise SystemExit(f"{self.python}: seqcast comes from {found or done.stderr}, not from {self.tree}/src")


def git(*arguments: str, at: Path = ROOT, check: bool = True) -> str:
    """Return what git prints, or nothing if it fails and may; a failure that may not be ends the program."""
    done = subprocess.run(["git", "-C", str(at), *arguments], capture_output=True, text=True)
    if done.returncode and check:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return "" if done.returncode else done.stdout.strip()


def full_name(commit: str) -> str:
    """Return the whole name of a commit."""
    return git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False) or _unknown(commit)


def _unknown(commit: str) -> str:
    raise SystemExit(f"{commit}: there is no such commit in {ROOT}")


def old_side(commit: str, folder: Path = FOLDER) -> Side:
    """Return a commit with an environment of its own, both made if they are not there.

    Args:
        commit: Any name that git knows.
        folder: Where worktrees lie.
    """
    sha = full_name(commit)
    tree = folder.resolve() / sha
    tree.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(tree.with_suffix(".lock")):
        _check_out(sha, tree)
        _install(tree)
    side = Side("old", sha[:10], tree, tree / ".venv" / "bin" / "python")
    side.check()
    return side


def new_side() -> Side:
    """Return the checkout that this file lies in, as it is, run by this interpreter."""
    changed = " and changes" if git("status", "--porcelain", "--", "src") else ""
    side = Side("new", f"{git('rev-parse', 'HEAD')[:10]}{changed}", ROOT, Path(sys.executable))
    side.check()
    return side


def _check_out(sha: str, tree: Path) -> None:
    """Make the worktree, or check that the one that is there is still that commit."""
    git("worktree", "prune")  # forgets worktrees whose folders are gone
    if git("rev-parse", "--show-toplevel", at=tree, check=False) == str(tree):
        if git("rev-parse", "HEAD", at=tree) != sha or git("status", "--porcelain", "-uno", at=tree):
            raise SystemExit(f"{tree} was changed by hand: python {Path(__file__).name} {sha[:10]} --remove")
        return
    shutil.rmtree(tree, ignore_errors=True)  # half-made
    print(f"{sha[:10]}: making a worktree in {tree}", file=sys.stderr, flush=True)
    git("worktree", "add", "--quiet", "--force", "--detach", str(tree), sha)


def _install(tree: Path) -> None:
    """Make the environment as the Makefile does, from the commit's own requirements."""
    place, done = tree / ".venv", tree / ".venv" / ".installed"
    if done.exists():
        return
    print(f"{tree.name[:10]}: making its environment (a minute or more)", file=sys.stderr, flush=True)
    shutil.rmtree(place, ignore_errors=True)
    subprocess.run([sys.executable, "-m", "venv", str(place)], check=True)
    pip = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run([*pip, "--constraint", "requirements.lock", "--editable", ".[dev]"], check=True, cwd=tree)
    done.touch()


def remove(commit: str, folder: Path = FOLDER) -> None:
    """Remove a commit's worktree, its environment and its registration."""
    tree = folder.resolve() / full_name(commit)
    # A locked or half-made one too; twice --force is git's word for that.
    git("worktree", "remove", "--force", "--force", str(tree), check=False)
    shutil.rmtree(tree, ignore_errors=True)
    tree.with_suffix(".lock").unlink(missing_ok=True)
    git("worktree", "prune")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("commit", help="any name that git knows")
    parser.add_argument("--folder", type=Path, default=FOLDER, help="where worktrees lie (default results/commits)")
    parser.add_argument("--remove", action="store_true", help="remove it")
    arguments = parser.parse_args()
    if arguments.remove:
        remove(arguments.commit, arguments.folder)
    else:
        print(old_side(arguments.commit, arguments.folder).python)


if __name__ == "__main__":
    main()
