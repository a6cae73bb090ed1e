"""Results that are kept: one file a setting and seed, so that what was interrupted goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from seqcast._version import __version__
from seqcast.runtime.files import write_beside

__all__ = ["kept", "kept_path"]


def kept_path(folder: Path, label: str, seed: int, described: Mapping[str, Any]) -> Path:
    """Return where a result is kept.

    Args:
        folder: Where the files are.
        label: What is measured, in words: the beginning of the file's name.
        seed: The seed.
        described: All that the result depends on, beside seqcast's version: another description is another file.

    Example:
        >>> kept_path(Path("runs"), "Two sines", 0, {"epochs": 3}).name
        'two-sines-0-dc8f2c7579.json'
    """
    whole = {"setting": label, "seed": seed, **described, "version": __version__}
    text = json.dumps(whole, sort_keys=True, default=repr)
    key = hashlib.sha256(text.encode()).hexdigest()[:10]
    return folder / f"{'-'.join(re.findall('[a-z0-9]+', label.lower()))}-{seed}-{key}.json"


def kept(
    folder: Path,
    label: str,
    seed: int,
    described: Mapping[str, Any],
    make: Callable[[], Mapping[str, Any]],
    say: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Return a result from its file, or make it and keep it there; arguments as for `kept_path`.

    Args:
        folder: Where the files are; it is made.
        label: What is measured.
        seed: The seed.
        described: All that the result depends on.
        make: Measures, and returns JSON types.
        say: Called with a line before that.

    Returns:
        What describes the result, and the result.
    """
    path = kept_path(folder, label, seed, described)
    if not path.exists():
        if say is not None:
            say(f"{label}, seed {seed}")
        folder.mkdir(parents=True, exist_ok=True)
        whole = {"setting": label, "seed": seed, **described, **make()}
        text = json.dumps(whole, indent=1, default=repr)
        write_beside(path, lambda file: file.write(text.encode()))
    found: dict[str, Any] = json.loads(path.read_text())
    return found
