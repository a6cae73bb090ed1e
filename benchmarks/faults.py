"""Thirty faults, planted one at a time in a copy of a commit: which of them do the tests see?

    python benchmarks/faults.py                    # in HEAD; hours on two cores, continues where it was interrupted
    python benchmarks/faults.py COMMIT --only conformal,gru

Each fault is one line of another module: a pattern that matches once in all of src/seqcast, wherever the line stands,
and what replaces it. The tests of its folders run until the first failure. A fault whose pattern matches no line, or
more than one, cannot be planted. Every result is a file in results/faults, of its fault and commit.
"""

import re
import subprocess
import sys
import tempfile
from functools import partial
from pathlib import Path

from commits import Side, check_out, full_name, remove
from harness import kept, machine, options, parse, table

MARKS = "not browser and not documents and not processes and not ray and not backends"
# A pattern (regular expression), what takes its place, and folders of tests that may see it.
FAULTS = {
    "numerals": (r"if len\(tail\) != 3 or", "if len(tail) == 3 or", "data/frames"),
    "frequency": (r"steps\[np\.argmax\(counts\)\]", "steps[np.argmin(counts)]", "data/frames"),
    "gaps": (
        r"newest\[:, np\.arange\(horizon\) % season\]",
        "newest[:, np.arange(horizon) % 1]",
        "data/windows forecaster",
    ),
    "splits": (
        r"np\.where\(starts >= context_length",
        "np.where(starts > context_length",
        "data/windows forecaster",
    ),
    "cutoffs": (
        r"known = length - horizon - step",
        "known = length - step",
        "data/windows evaluation",
    ),
    "scalers": (r"moments\.deviation <= rounding", "moments.deviation < rounding", "data/series"),
    "calendar": (
        r"3600\.0 \* stamps\.hour \+ 60\.0",
        "3600.0 * stamps.hour + 6.0",
        "data/features",
    ),
    "gru": (r"g \+ z \* \(states\[0\] - g\)", "g + z * (g - states[0])", "network"),
    "attention": (r"ops\.softmax\(scores, axis=-1\)", "ops.softmax(scores, axis=1)", "network"),
    "normalise": (
        r"\(past - ops\.expand_dims\(locs, 1\)\)",
        "(past + ops.expand_dims(locs, 1))",
        "network",
    ),
    "pinball": (r"\(probabilities - 1\.0\) \* error", "(probabilities + 1.0) * error", "network"),
    "segment": (r"\+ segment - 1\) % segment", "+ segment) % segment", "network"),
    "draws": (r"shape\) - 1\.0 / 3\.0", "shape) - 2.0 / 3.0", "network"),
    "early stopping": (
        r"best_epoch or 0\) >= self\.patience",
        "best_epoch or 0) > self.patience",
        "training engine",
    ),
    "warm-up": (r"round\(spec\.warmup \* steps\)", "round(spec.warmup + steps)", "training"),
    "deadline": (
        r"return self\.ends - time\.time\(\)",
        "return self.began - time.time()",
        "training",
    ),
    "checkpoints": (r"\._files\(\)\[self\.keep :\]", "._files()[: self.keep]", "training"),
    "conformal": (
        r"\(windows\[:, None\] \+ 1\) \*",
        "(windows[:, None] - 1) *",
        "intervals forecaster",
    ),
    "anomalies": (
        r"share \* \(1 - len\(real\) / len",
        "share * (len(real) / len",
        "intervals forecaster",
    ),
    "choice": (r"windows \* best \+ CAUTIOUS", "windows * best - CAUTIOUS", "forecaster"),
    "metrics": (r'Metric\("rmse", scale="rmsse"\)', 'Metric("rmse", scale="mase")', "evaluation"),
    "significance": (r"2 \* stdtr\(freedom,", "1 * stdtr(freedom,", "evaluation"),
    "smoothing": (r"damped \+ beta \* error", "damped - beta * error", "pretrained"),
    "principal components": (r"\(values - self\.loc\) @", "(values + self.loc) @", "inspect"),
    "request limit": (r"if self\.size > most:", "if self.size < most:", "serve"),
    "output": (
        r"None if value != value else value\.iso",
        "None if value is None else value.iso",
        "cli",
    ),
    "tuning": (r"self\.log else \(value \+ end\) / 2", "self.log else (value - end) / 2", "tune"),
    "shared training": (r"% count == 0\)", "% count >= 0)", "distributed"),
    "curves": (r"(?<=\+ 1\))(?=, \w+, name, style\.model_style)", " - 1", "plots"),
    "export": (r'\{"linear_before_reset": 1\}', '{"linear_before_reset": 0}', "export"),
}


def planted(tree, pattern):
    """Return the file in which a pattern matches once, if it matches nowhere else."""
    places = [
        path
        for path in (tree / "src" / "seqcast").rglob("*.py")
        for _ in re.finditer(pattern, path.read_text())
    ]
    return places[0] if len(places) == 1 else None


def measure(side, fault):
    """Plant a fault, run the tests, and take it out; return whether they saw it."""
    pattern, new, folders = FAULTS[fault]
    path = planted(side.tree, pattern)
    if path is None:
        return {"outcome": "not plantable", "module": ""}
    text = path.read_text()
    tests = [f"tests/{name}" for name in folders.split()]
    path.write_text(re.sub(pattern, lambda _: new, text))
    command = [sys.executable, "-m", "pytest", "-x", "-q", "-p", "no:cacheprovider", "-m", MARKS]
    tests = [name for name in tests if (side.tree / name).exists()]
    done = subprocess.run(
        [*command, *tests], cwd=side.tree, env=side.environment(), capture_output=True, text=True
    )
    path.write_text(text)
    # 1: a test failed; 2: one could not be read.
    outcome = {0: "UNSEEN", 1: "seen", 2: "seen"}.get(
        done.returncode, f"pytest ended with {done.returncode}"
    )
    module = path.relative_to(side.tree / "src").as_posix()
    return {"outcome": outcome, "module": module, "said": done.stdout.strip().splitlines()[-1:]}


def main():
    """Plant what has no result file yet, and print a table."""
    parser = options(__doc__, "faults")
    parser.add_argument("commit", nargs="?", default="HEAD", help="(default HEAD)")
    arguments = parse(parser, FAULTS)
    sha = full_name(arguments.commit)
    rows = []
    with tempfile.TemporaryDirectory() as folder:
        side = Side("faults", sha[:10], Path(folder).resolve() / "tree")
        check_out(sha, side.tree)
        try:
            for fault in arguments.chosen:
                found = kept(
                    arguments.results,
                    fault,
                    0,
                    {"commit": sha, "is": FAULTS[fault]},
                    partial(measure, side, fault),
                )
                rows.append([fault, found["module"], found["outcome"]])
                print(*rows[-1], sep=": ", flush=True)
        finally:
            remove(side.tree)
    print(table(["fault", "module", sha[:10]], rows))
    print(f"{sum(row[2] == 'UNSEEN' for row in rows)} of {len(rows)} unseen. {machine()}")


if __name__ == "__main__":
    main()
