"""Cached results: a file for each setting and seed, so that an interrupted study goes on where it stopped.

A result depends on its setting and seed, on the code that a run can execute and on the libraries below it. That code is
all of seqcast but the rooms that show what others compute, so that a new module is never left out.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from seqcast._version import __version__
from seqcast.runtime import write_beside

_PACKAGE = Path(__file__).resolve().parents[1]
# Rooms that show, write or send what others compute, and functions that read results, do not change them.
_SHOWING = frozenset({"app", "cli", "distributed", "export", "interop", "plots", "report", "serve"})
_AFTERWARDS = frozenset({"figures", "finding"})


def cached_path(folder: Path, label: str, seed: int, described: Mapping[str, Any]) -> Path:
    """Return the file of a result.

    Args:
        folder: Where the files are.
        label: The setting in words, with which the file's name begins.
        seed: The seed.
        described: Everything else on which the result depends; another description is another file.

    Example:
        >>> cached_path(Path("runs"), "Two sines", 0, {"epochs": 3}).name
        'two-sines-0-dc8f2c7579.json'
    """
    key_parts = {"setting": label, "seed": seed, **described, "version": __version__}
    text = json.dumps(key_parts, sort_keys=True, default=repr)
    key = hashlib.sha256(text.encode()).hexdigest()[:10]
    return folder / f"{'-'.join(re.findall('[a-z0-9]+', label.lower()))}-{seed}-{key}.json"


def cached(
    folder: Path,
    label: str,
    seed: int,
    described: Mapping[str, Any],
    measure: Callable[[], Mapping[str, Any]],
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return a result from its file, or measure it and write the file; arguments as for `cached_path`.

    Args:
        folder: Where the files are; it is made.
        label: The setting in words.
        seed: The seed.
        described: Everything on which the result depends.
        measure: Measures, and returns JSON types.
        say: Called with a line before that.

    Returns:
        The description of the result, and the result.
    """
    path = cached_path(folder, label, seed, described)
    if not path.exists():
        if say is not None:
            say(f"{label}, seed {seed}")
        folder.mkdir(parents=True, exist_ok=True)
        record = {"setting": label, "seed": seed, **described, **measure()}
        text = json.dumps(record, indent=1, default=repr)
        write_beside(path, lambda file: file.write(text.encode()))
    result: dict[str, Any] = json.loads(path.read_text())
    return result


def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that results depend on: Keras, its backend, and those of numbers.

    Example:
        >>> list(library_versions())
        ['keras', 'jax', 'numpy', 'scikit-learn', 'scipy']
    """
    from seqcast.runtime import keras

    names = ("keras", keras.config.backend(), "numpy", "scikit-learn", "scipy")
    return {name: metadata.version(name) for name in names}


def code_key(study: str = "", package: Path = _PACKAGE) -> str:
    """Return a key of the code on which results depend: other code is another result.

    It is that of seqcast, without rooms that show what others compute, and without other studies. Comments,
    documentation and what is done with results afterwards (`figures`, `finding`) do not count.

    Args:
        study: Name of the study whose results they are; none for results of no study.
        package: Folder of the package.

    Example:
        >>> code_key("horizon") == code_key("noise")
        False
    """
    from seqcast.studies import NAMES

    digest = hashlib.sha256()
    for path in sorted(package.rglob("*.py")):
        room, *inner = path.relative_to(package).parts
        if room not in _SHOWING and not (room == "studies" and path.stem in {*NAMES} - {study}):
            digest.update(f"{'/'.join((room, *inner))}\n{ast.dump(_executed(path))}\n".encode())
    return digest.hexdigest()[:12]


def _executed(path: Path) -> ast.Module:
    """Return a module's syntax tree without parts that change no result: documentation and figures."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _changes_nothing(part)]  # type: ignore[attr-defined]
    return tree


def _changes_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # documentation, or an ellipsis
    return isinstance(node, ast.FunctionDef) and node.name in _AFTERWARDS
