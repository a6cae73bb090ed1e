"""A commit beside the checkout: a worktree of it, run by this interpreter, for programs that compare the two.

    python benchmarks/commits.py COMMIT           # make it, or find it, and say where it is
    python benchmarks/commits.py COMMIT --remove  # remove it and its registration with git

It lies in results/commits/<sha>, which git ignores, and is used again. When the folder has been
deleted by other means (`make clean`), the next call forgets its registration. Both sides have the
same packages.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from harness import RESULTS, ROOT, options

FOLDER = RESULTS / "commits"


@dataclass(frozen=True)
class Side:
    """One state of the code.

    Args:
        name: `old` or `new`.
        label: What it is called in tables.
        tree: The folder that holds `src`.
    """

    name: str
    label: str
    tree: Path

    def environment(self, **changes):
        """Return the environment of this side's processes, in which they import its package."""
        inherited = {name: value for name, value in os.environ.items() if name != "PYTHONHOME"}
        return {**inherited, "PYTHONPATH": str(self.tree / "src"), **changes}

    def check(self):
        """Refuse to import seqcast from elsewhere, which would compare a state with itself."""
        command = [sys.executable, "-P", "-c", "import seqcast; print(seqcast.__file__)"]
        done = subprocess.run(command, capture_output=True, text=True, env=self.environment())
        found = done.stdout.strip()
        if done.returncode or self.tree / "src" not in Path(found).resolve().parents:
            raise SystemExit(f"seqcast comes from {found or done.stderr}, not from {self.tree}/src")
        return self


def git(*arguments, at=ROOT, check=True):
    """Return what git prints, or nothing if it fails and may; a failure that may not be ends the program."""
    done = subprocess.run(["git", "-C", str(at), *arguments], capture_output=True, text=True)
    if done.returncode and check:
        raise SystemExit(f"git {' '.join(arguments)}: {done.stderr.strip()}")
    return "" if done.returncode else done.stdout.strip()


def full_name(commit):
    """Return the whole name of a commit."""
    found = git("rev-parse", "--verify", "--quiet", f"{commit}^{{commit}}", check=False)
    if not found:
        raise SystemExit(f"{commit}: there is no such commit in {ROOT}")
    return found


def check_out(commit, tree):
    """Make a worktree of a commit, or check that the one that is there is still that commit."""
    sha = full_name(commit)
    git("worktree", "prune")  # forgets worktrees whose folders are gone
    if git("rev-parse", "--show-toplevel", at=tree, check=False) == str(tree):
        if git("rev-parse", "HEAD", at=tree) != sha or git(
            "status", "--porcelain", "-uno", at=tree
        ):
            raise SystemExit(
                f"{tree} was changed by hand: python {Path(__file__).name} {sha[:10]} --remove"
            )
        return
    shutil.rmtree(tree, ignore_errors=True)  # half-made
    print(f"{sha[:10]}: making a worktree in {tree}", file=sys.stderr, flush=True)
    git("worktree", "add", "--quiet", "--force", "--detach", str(tree), sha)


def old_side(commit):
    """Return a commit, whose worktree is made if it is not there."""
    sha = full_name(commit)
    check_out(sha, FOLDER / sha)
    return Side("old", sha[:10], FOLDER / sha).check()


def new_side():
    """Return the checkout that this file lies in, as it is."""
    changed = " and changes" if git("status", "--porcelain", "--", "src") else ""
    return Side("new", f"{git('rev-parse', 'HEAD')[:10]}{changed}", ROOT).check()


def remove(tree):
    """Remove a worktree and its registration."""
    # A locked or half-made one too; twice --force is git's word for that.
    git("worktree", "remove", "--force", "--force", str(tree), check=False)
    shutil.rmtree(tree, ignore_errors=True)
    git("worktree", "prune")


def main():
    """Make or remove the worktree of a commit."""
    parser = options(__doc__)
    parser.add_argument("commit", help="any name that git knows")
    parser.add_argument("--remove", action="store_true", help="remove it")
    arguments = parser.parse_args()
    if arguments.remove:
        remove(FOLDER / full_name(arguments.commit))
    else:
        print(old_side(arguments.commit).tree)


if __name__ == "__main__":
    main()
