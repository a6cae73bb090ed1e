"""What seqcast runs on: versions, backend, devices, threads, the cache of programs, optional packages."""

from __future__ import annotations

import importlib
import os
import platform
import re
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any, Self

from seqcast.errors import MissingPackageError

# Extras that are for work on seqcast itself.
INTERNAL_EXTRAS = ("dev",)
# Variables that change how seqcast, its backend and its threads work.
_MATTERS = re.compile(
    r"SEQCAST_(THREADS|KEEP_MEMORY|CACHE_DIR)|KERAS_BACKEND|JAX_\w+|XLA_FLAGS|OMP_NUM_THREADS|CUDA_VISIBLE_DEVICES|NO_COLOR"
)
_EXTRA = re.compile(r"""extra\s*==\s*['"]([\w-]+)['"]""")


def require(package: str, *, extra: str) -> ModuleType:
    """Import an optional package.

    Args:
        package: The module's name.
        extra: The extra of seqcast that brings it.

    Returns:
        The module.

    Raises:
        MissingPackageError: The package is not installed.

    Example:
        >>> require("json", extra="none").dumps([1])
        '[1]'
    """
    try:
        return importlib.import_module(package)
    except ImportError as error:
        raise MissingPackageError(
            f"the optional package {package!r} is needed for this",
            hint=f"Install it: pip install 'seqcast[{extra}]'",
        ) from error


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
        cache: Folder of compiled programs; `None` where there is no cache.
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

        packages: dict[str | None, dict[str, str | None]] = {None: {}}
        unfit = {}
        for extra, name, requirement, fits in _requirements():
            packages.setdefault(extra, {})[name] = _installed(name)
            if extra is None and not fits:
                unfit[name] = requirement
        backend, devices, folder = _backend()
        sizes = [_size(program) for program in folder.glob("*-cache")] if folder is not None else []
        return cls(
            system=f"{platform.system()} {platform.release()}, {platform.machine()}",
            python=platform.python_version(),
            packages=packages.pop(None),
            unfit=unfit,
            extras={str(extra): each for extra, each in packages.items() if extra not in INTERNAL_EXTRAS},
            backend=backend,
            devices=devices,
            cores=cores(),
            threads=threads(),
            cache=str(folder) if folder is not None else None,
            programs=len(sizes),
            program_bytes=sum(sizes),
            variables=variables,
        )

    @property
    def problems(self) -> list[str]:
        """What keeps seqcast from running as it should, each with how to mend it."""
        missing = (name for name, version in self.packages.items() if version is None)
        problems = [f"{name} is not installed. Install it: pip install {name}" for name in missing]
        problems += [
            f"{name} is too old or too new: seqcast needs {requirement}. Install it: pip install '{requirement}'"
            for name, requirement in self.unfit.items()
        ]
        if not self.backend:
            problems.append("the backend of Keras cannot be imported. Set KERAS_BACKEND=jax, or install it.")
        return problems

    @property
    def missing_extras(self) -> list[str]:
        """Extras of which a package is not installed."""
        return [extra for extra, packages in self.extras.items() if not all(packages.values())]

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types, with `problems`."""
        return {**asdict(self), "devices": list(self.devices), "problems": self.problems}


def _requirements() -> Iterator[tuple[str | None, str, str, bool]]:
    """Yield what seqcast needs here: the extra, the package, the requirement, whether the installed version fits."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("seqcast") or ()
    except metadata.PackageNotFoundError:  # a source tree that was not installed
        lines = ()
    for line in lines:
        requirement = Requirement(line)
        name, versions, marker = requirement.name, requirement.specifier, requirement.marker
        found = _EXTRA.search(str(marker or ""))
        extra = found[1] if found else None
        if marker is None or marker.evaluate({"extra": extra or ""}):
            installed = _installed(name)
            fits = installed is None or versions.contains(installed, prereleases=True)
            yield extra, name, f"{name}{versions}", fits


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return None


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
