"""Cached results: a file for each setting and seed, so that an interrupted study goes on where it stopped.

A result depends on its setting and seed, on the code that a run can execute and on the libraries below it. The code
is found from the imports of the study's module, so that a module that moves, or a new one, is never left out.
"""

from __future__ import annotations

import ast
import hashlib
import importlib.util
import json
import re
from collections.abc import Callable, Iterator, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from seqcast._version import __version__
from seqcast.errors import MissingFileError
from seqcast.runtime import write_beside

_PACKAGE = Path(__file__).resolve().parents[1]
# Functions that only read results do not change them.
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


def code_key(module: str, package: Path = _PACKAGE) -> str:
    """Return a key of the code that a run of a study can execute: other code is another result.

    Comments, documentation and what is done with results afterwards (`figures`, `finding`) do not count.

    Args:
        module: The study's module, such as `seqcast.studies.horizon`.
        package: Folder of the package within which imports are followed.

    Raises:
        MissingFileError: The module, or one that is imported, is not in the package.
    """
    files = source_files(module, package)
    text = "\n".join(f"{name}\n{ast.dump(_executed(path))}" for name, path in sorted(files.items()))
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def source_files(module: str, package: Path = _PACKAGE) -> dict[str, Path]:
    """Return the files that a module executes by importing, its own included, by the modules' names.

    Imports are followed from file to file, those inside functions too, but not those for type checkers. A package's
    `__init__` is executed by any import from within it.

    Args:
        module: Where to begin.
        package: Folder of the package within which imports are followed.

    Raises:
        MissingFileError: The module, or one that is imported, is not in the package.

    Example:
        >>> files = source_files("seqcast.studies.horizon")
        >>> "seqcast.network.decoder" in files, "seqcast.studies.noise" in files
        (True, False)
    """
    files: dict[str, Path] = {}
    to_read = [(module, "the study")]
    while to_read:
        name, importer = to_read.pop()
        if name in files:
            continue
        path = _file(name, package)
        if path is None:
            raise MissingFileError(
                f"{name}, imported by {importer}",
                expected=f"a module in {package}",
                received="none",
                hint="Correct the import: results would be kept whatever that module does.",
            )
        files[name] = path
        parent = name.rpartition(".")[0]
        to_read += [(each, name) for each in (*_imported(name, path, package), *([parent] if parent else []))]
    return files


def _file(name: str, package: Path) -> Path | None:
    """Return the file of a module of the package, if there is one."""
    stem = package.parent.joinpath(*name.split("."))
    return next((path for path in (stem / "__init__.py", stem.with_suffix(".py")) if path.is_file()), None)


def _imported(name: str, path: Path, package: Path) -> Iterator[str]:
    """Yield the modules of the package that a module imports."""
    root = package.name
    own_package = name if path.name == "__init__.py" else name.rpartition(".")[0]
    for node in ast.walk(_executed(path)):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == root)
        elif isinstance(node, ast.ImportFrom):
            origin = importlib.util.resolve_name("." * node.level + (node.module or ""), own_package)
            if origin.split(".")[0] == root:
                yield origin
                for alias in node.names:
                    yield from _providers(origin, alias.name, package)


def _providers(origin: str, name: str, package: Path) -> Iterator[str]:
    """Yield the modules that a name of a package comes from: a submodule, or what the stub of a door says."""
    if _file(f"{origin}.{name}", package) is not None:
        yield f"{origin}.{name}"
    stub = package.parent.joinpath(*origin.split("."), "__init__.pyi")
    for node in ast.parse(stub.read_text("utf-8")).body if stub.is_file() else ():
        if isinstance(node, ast.ImportFrom) and any(alias.name == name for alias in node.names):
            source = importlib.util.resolve_name("." * node.level + (node.module or ""), origin)
            yield source
            yield from _providers(source, name, package)


def _executed(path: Path) -> ast.Module:
    """Return a module's syntax tree without parts that change no result: documentation, imports for types, figures."""
    tree = ast.parse(path.read_text("utf-8"), str(path))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            node.body = [part for part in body if not _changes_nothing(part)]  # type: ignore[attr-defined]
    return tree


def _changes_nothing(node: ast.stmt) -> bool:
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)  # documentation, or an ellipsis
    if isinstance(node, ast.If):
        return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING" and not node.orelse
    return isinstance(node, ast.FunctionDef) and node.name in _AFTERWARDS
