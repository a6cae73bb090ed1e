"""What seqcast runs on: versions, backend, devices, threads, the cache of programs, optional packages."""

from __future__ import annotations

import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Self

from packaging.requirements import Requirement

# Extras that are for work on seqcast itself.
INTERNAL_EXTRAS = ("dev",)


@dataclass(frozen=True)
class Environment:
    """What seqcast runs on.

    Args:
        system: Operating system and processor.
        python: Version of Python.
        packages: Installed version of each package that seqcast needs, by name; `None` is missing.
        unfit: Packages of another version than seqcast needs, with that requirement.
        extras: The same as `packages` for each extra.
        backend: Keras's backend; empty where it cannot be imported.
        devices: Devices that it sees.
        cores: Cores of this process.
        threads: Threads of a fit.
        cache: Folder of compiled programs; `None` where none are kept.
        programs: Number of programs in it.
        program_bytes: Their size, in bytes.
        variables: Environment variables that change how seqcast runs, those that are set.
    """

    system: str
    python: str
    packages: Mapping[str, str | None]
    unfit: Mapping[str, str]
    extras: Mapping[str, Mapping[str, str | None]]
    backend: str
    devices: tuple[str, ...]
    cores: int
    threads: int
    cache: str | None
    programs: int
    program_bytes: int
    variables: Mapping[str, str]

    @classmethod
    def current(cls) -> Self:
        """Look at this process and what is installed."""
        # Before the import of the backend, which sets one of them.
        variables = {name: value for name, value in sorted(os.environ.items()) if _MATTERS.fullmatch(name)}
        from seqcast.runtime.threads import cores, threads

        needed = list(_requirements())
        backend, devices, folder = _backend()
        programs = list(folder.glob("*-cache")) if folder is not None else []
        extras: dict[str, dict[str, str | None]] = {}
        for extra, requirement in needed:
            if extra is not None and extra not in INTERNAL_EXTRAS:
                extras.setdefault(extra, {})[requirement.name] = _installed(requirement.name)
        return cls(
            system=f"{platform.system()} {platform.release()}, {platform.machine()}",
            python=platform.python_version(),
            packages={each.name: _installed(each.name) for extra, each in needed if extra is None},
            unfit=dict(_unfit(needed)),
            extras=extras,
            backend=backend,
            devices=devices,
            cores=cores(),
            threads=threads(),
            cache=str(folder) if folder is not None else None,
            programs=len(programs),
            program_bytes=sum(_size(program) for program in programs),
            variables=variables,
        )

    @property
    def problems(self) -> list[str]:
        """What keeps seqcast from running as it should, each with how to mend it."""
        missing = [
            f"{name} is not installed. Install it: pip install {name}"
            for name, found in self.packages.items()
            if not found
        ]
        unfit = [
            f"{name} is too old or too new: seqcast needs {requirement}. Install it: pip install '{requirement}'"
            for name, requirement in self.unfit.items()
        ]
        backend = (
            [] if self.backend else ["the backend of Keras cannot be imported. Set KERAS_BACKEND=jax, or install it."]
        )
        return [*missing, *unfit, *backend]

    @property
    def missing_extras(self) -> list[str]:
        """Extras of which a package is not installed."""
        return [extra for extra, packages in self.extras.items() if not all(packages.values())]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types, with `problems`."""
        return {**asdict(self), "devices": list(self.devices), "problems": self.problems}


# Variables that change how seqcast, its backend and its threads work.
_MATTERS = re.compile(
    r"SEQCAST_(THREADS|KEEP_MEMORY|CACHE_DIR)|KERAS_BACKEND|JAX_\w+|XLA_FLAGS|OMP_NUM_THREADS|CUDA_VISIBLE_DEVICES|NO_COLOR"
)
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def _requirements() -> Iterator[tuple[str | None, Requirement]]:
    """Yield what seqcast needs in this environment, with the extra that needs it."""
    try:
        lines = metadata.requires("seqcast") or ()
    except metadata.PackageNotFoundError:  # a source tree that was not installed
        lines = ()
    for line in lines:
        requirement = Requirement(line)
        extra = _EXTRA.search(str(requirement.marker or ""))
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra[1] if extra else ""}):
            yield (extra[1] if extra else None), requirement


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


def _unfit(needed: list[tuple[str | None, Requirement]]) -> Iterator[tuple[str, str]]:
    """Yield names and requirements of packages that seqcast needs and that are installed in another version."""
    for extra, requirement in needed:
        version = _installed(requirement.name)
        if extra is None and version and not requirement.specifier.contains(version, prereleases=True):
            yield requirement.name, f"{requirement.name}{requirement.specifier}"


def _backend() -> tuple[str, tuple[str, ...], Path | None]:
    """Return Keras's backend, its devices, and the folder of its programs."""
    try:
        from seqcast.runtime.backend import keras
    except ImportError:
        return "", (), None
    from seqcast.runtime.program_cache import cache_compilations

    name = str(keras.config.backend())
    try:
        devices = tuple(map(str, keras.distribution.list_devices()))
    except AttributeError:  # Keras's backend for torch lists none
        devices = ()
    return name, devices, cache_compilations() if name == "jax" else None


def _size(path: Path) -> int:
    """Return a file's size, 0 where another process has just removed it."""
    try:
        return path.stat().st_size
    except OSError:
        return 0
