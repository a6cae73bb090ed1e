"""The programs and tables of docs/coming-from, in each peer and here.

    python benchmarks/peers/coming_from.py                 # all pages
    python benchmarks/peers/coming_from.py darts prophet   # some of them

Each page has programs, which run in its order in an empty folder (the first line of a block is the
name of its file), after the one of `index.md` that makes the data where the page refers to it:
`with_PEER.py` in the peer's environment, all others in this one. The last line that `with_PEER.py`
and `with_seqcast.py` print is the shape of their result, which has to be the same. Names in the
first column of the page's table have to be in the peer, those in the second column in seqcast:
classes, functions, methods, arguments. It prints a table, and exits with 1 if anything is wrong.
The standard library is enough, since this file looks up the names in each peer's environment, too:
`--names MODULES` reads a JSON list of expressions, such as `GRU(h=14, loss=MQLoss())`, whose first
names are looked for in the modules, and prints a JSON list of what is wrong.
"""

import ast
import importlib
import inspect
import json
import os
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ROOT / "docs" / "coming-from"
LIBRARIES = ".venv-peers-libraries"
OTHERS = ".venv-peers-docs"
# What Keras runs on there.
BACKENDS = {LIBRARIES: "torch", OTHERS: "jax"}
# Where a peer is installed, and the modules in which the names of its table are looked for.
PEERS = {
    "neuralforecast": (
        LIBRARIES,
        "neuralforecast neuralforecast.models neuralforecast.losses.pytorch neuralforecast.auto neuralforecast.utils",
    ),
    "darts": (
        LIBRARIES,
        "darts darts.models darts.utils.likelihood_models darts.dataprocessing.transformers",
    ),
    "sktime": (
        OTHERS,
        "sktime.forecasting.base sktime.forecasting.model_selection sktime.forecasting.model_evaluation sktime.split "
        "sktime.forecasting.compose sktime.base",
    ),
    "gluonts": (
        LIBRARIES,
        "gluonts.torch gluonts.torch.distributions gluonts.torch.model.predictor gluonts.dataset.pandas "
        "gluonts.dataset.split gluonts.model gluonts.model.forecast",
    ),
    "prophet": (OTHERS, "prophet prophet.diagnostics prophet.serialize prophet.plot"),
    "skforecast": (
        LIBRARIES,
        "skforecast.deep_learning skforecast.recursive skforecast.model_selection skforecast.preprocessing "
        "skforecast.utils",
    ),
    "keras": (OTHERS, "keras keras.layers keras.callbacks keras.optimizers"),
}
OURS = (
    "seqcast.tune seqcast.network seqcast.interop.sktime seqcast.evaluation seqcast.inspect seqcast"
)


def programs_of(peer):
    """Return the programs of a page by the names of their files, in order, after those that make its data."""
    text = (PAGES / f"{peer}.md").read_text()
    if "(index.md#the-data)" in text:
        text = (PAGES / "index.md").read_text() + text
    programs = {}
    for block in re.findall(r"^```python\n(.*?)^```", text, flags=re.DOTALL | re.M):
        name = re.match(r"# (\w+\.py)\n", block)
        if name is None:
            raise ValueError(
                f"{peer}.md: a program that does not begin with the name of its file:\n{block}"
            )
        programs[name[1]] = block
    return programs


def names_of(peer):
    """Return the names of both columns of the table of a page: theirs and ours."""
    table = (PAGES / f"{peer}.md").read_text().split("## Names\n")[1].split("\n## ")[0]
    rows = [
        re.split(r"(?<!\\)\|", line.strip())[1:-1]
        for line in table.splitlines()
        if line.startswith("|")
    ][2:]
    return [
        [name for row in rows for name in re.findall(r"`([^`]+)`", row[place])] for place in (0, 1)
    ]


def wrong(expression, modules):
    """Return what is wrong with an expression, or None; a text, which names a column, is not looked at."""
    try:
        check(ast.parse(expression, mode="eval").body, tuple(modules))
    except (SyntaxError, ImportError, AttributeError, TypeError) as error:
        return f"{expression}: {error}"
    return None


def check(node, modules):
    """Raise an error unless the names in an expression are there."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str):
        return
    if not isinstance(node, ast.Call):
        found(node, modules)
        return
    function = found(node.func, modules)
    known = arguments(function)
    for keyword in node.keywords:
        if keyword.arg not in known and not documented(function, str(keyword.arg)):
            raise TypeError(f"{function.__name__} has no argument {keyword.arg}")
    if len(node.args) > len(known):
        raise TypeError(f"{function.__name__} takes fewer arguments")
    for value in (*node.args, *(keyword.value for keyword in node.keywords)):
        for inner in ast.walk(value):
            if isinstance(inner, ast.Call):
                check(inner, modules)


def found(node, modules):
    """Return what a name, or one with dots, stands for."""
    if isinstance(node, ast.Name):
        for name in modules:
            module = importlib.import_module(name)
            if hasattr(module, node.id):
                return getattr(module, node.id)
        return importlib.import_module(node.id)
    if not isinstance(node, ast.Attribute):
        raise TypeError("neither a name nor a call")
    owner = found(node.value, modules)
    if inspect.ismodule(owner) and not hasattr(owner, node.attr):
        return importlib.import_module(f"{owner.__name__}.{node.attr}")
    return getattr(owner, node.attr)


def takes_any(function):
    """Whether a function takes any keyword."""
    return any(
        one.kind is inspect.Parameter.VAR_KEYWORD
        for one in inspect.signature(function).parameters.values()
    )


def arguments(function):
    """Return the names of a function's arguments, with those that a class hands on to its bases."""
    names = {*inspect.signature(function).parameters}
    if inspect.isclass(function) and takes_any(function):
        names |= {
            name
            for base in function.__mro__[1:-1]
            for name in inspect.signature(base.__init__).parameters
        }
    return names - {"self", "args", "kwargs"}


def documented(function, name):
    """Return whether a function that takes any keyword has a paragraph of its docstring about this one."""
    text = f"{function.__doc__}\n{function.__init__.__doc__ if inspect.isclass(function) else ''}"
    return (
        takes_any(function)
        and re.search(rf"^\s*{name}\b\s*(:.*)?$", text, flags=re.MULTILINE) is not None
    )


def run(environment, command, folder, stdin=""):
    """Run Python in a peer's environment, or in this one, and return the last line that it printed.

    One thread is enough for networks as small as these, and takes less time than several that wait
    for each other.
    """
    python = str(ROOT / environment / "bin" / "python") if environment else sys.executable
    given = {"cwd": folder, "input": stdin, "capture_output": True, "text": True}
    changes = {"OMP_NUM_THREADS": "1", "KERAS_BACKEND": BACKENDS.get(environment, "jax")}
    changes |= {"PYTHONPATH": "", "PYTHONWARNINGS": "ignore"} if environment else {}
    done = subprocess.run([python, *command], env=os.environ | changes, **given)
    if done.returncode:
        raise RuntimeError(
            f"{python} {' '.join(command)}\n{done.stdout[-1000:]}\n{done.stderr[-3000:]}"
        )
    return (done.stdout.strip().splitlines() or [""])[-1]


def look_at(peer):
    """Check a page; return its row of the table, and what is wrong."""
    began = time.monotonic()
    (environment, modules) = PEERS[peer]
    version = f"import importlib.metadata; print(importlib.metadata.version('{peer}'))"
    row = [peer, run(environment, ["-c", version], ROOT)]
    errors = []
    for place, names, where in zip(
        (environment, None), names_of(peer), (modules, OURS), strict=True
    ):
        bad = json.loads(run(place, [__file__, "--names", *where.split()], ROOT, json.dumps(names)))
        errors += bad
        row.append(f"{len(names) - len(bad)} of {len(names)}")
    shapes = {}
    with tempfile.TemporaryDirectory() as folder:
        for name, code in programs_of(peer).items():
            Path(folder, name).write_text(code)
            shapes[name] = run(
                environment if name == f"with_{peer}.py" else None, [name], Path(folder)
            )
    there = shapes[f"with_{peer}.py"]
    here = shapes["with_seqcast.py"]
    if there != here or not re.fullmatch(r"\(\d+(, \d+)+\)", there):
        errors.append(f"the results have the shapes {there} and {here}")
    return [*row, there, here, f"{time.monotonic() - began:.0f}"], errors


def main():
    """Check the pages that the command line names, or names in this environment."""
    if sys.argv[1:2] == ["--names"]:
        print(
            json.dumps(
                [
                    error
                    for text in json.load(sys.stdin)
                    if (error := wrong(text, sys.argv[2:])) is not None
                ]
            )
        )
        return
    chosen = sys.argv[1:] or list(PEERS)
    wrongs = []
    if unknown := set(chosen) - set(PEERS):
        sys.exit(f"no page about {', '.join(sorted(unknown))}: there are {', '.join(PEERS)}")
    titles = (
        "page",
        "version",
        "names there",
        "names here",
        "shape there",
        "shape here",
        "seconds",
    )
    print(f"| {' | '.join(titles)} |\n{'|---' * len(titles)}|")
    for peer in chosen:
        row, errors = look_at(peer)
        wrongs += [f"{peer}: {error}" for error in errors]
        print(f"| {' | '.join(row)} |", flush=True)
    sys.exit("\n".join(wrongs) or None)


if __name__ == "__main__":
    main()
