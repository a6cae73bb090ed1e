"""Cached results: a file for each setting and seed, so that an interrupted study goes on where it stopped.

A result depends on its setting and seed, on the version of seqcast and on those of the libraries below it.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from importlib import metadata
from pathlib import Path
from typing import Any

from seqcast._version import __version__
from seqcast.runtime import write_beside


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
    """Return a result from its file, or measure it and write the file.

    Args:
        folder: Where the files are; created if missing.
        label: The setting in words.
        seed: The seed.
        described: Everything else on which the result depends.
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
