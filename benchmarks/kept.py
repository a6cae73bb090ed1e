"""Results of benchmarks, one file a setting and seed, so that an interrupted run goes on where it stopped."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import seqcast


def kept(
    folder: Path, label: str, seed: int, described: Mapping[str, Any], make: Callable[[], Mapping[str, Any]]
) -> dict[str, Any]:
    """Return a result from its file, or make it and keep it there.

    Args:
        folder: Where the files are.
        label: What is measured, in words: the beginning of the file's name.
        seed: The seed.
        described: All that the result depends on; with the version it is the key, so other settings are other files.
        make: Measures.

    Returns:
        What describes the result, and the result.
    """
    whole = {"setting": label, "seed": seed, **described, "version": seqcast.__version__}
    text = json.dumps(whole, sort_keys=True, default=repr)
    key = hashlib.sha256(text.encode()).hexdigest()[:10]
    path = folder / f"{'-'.join(re.findall('[a-z0-9]+', label.lower()))}-{seed}-{key}.json"
    if not path.exists():
        print(f"{label}, seed {seed}", flush=True)
        folder.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps({**json.loads(text), **make()}, indent=1))
    found: dict[str, Any] = json.loads(path.read_text())
    return found
