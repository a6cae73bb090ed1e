"""The environment of seqcast: versions, backend, devices, threads, programs, optional packages."""

from __future__ import annotations

import importlib
import os
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypedDict

from seqcast.errors import MissingPackageError

if TYPE_CHECKING:
    from packaging.requirements import Requirement

# Variables that change how seqcast, its backend and its threads work.
_MATTERS = re.compile(
    r"SEQCAST_(THREADS|KEEP_MEMORY|CACHE_DIR)|KERAS_BACKEND|JAX_\w+|XLA_FLAGS|OMP_NUM_THREADS"
    r"|CUDA_VISIBLE_DEVICES|NO_COLOR"
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
            hint=f"Install it in the clone of seqcast: {install_command(extra)}",
        ) from error


def install_command(extra: str) -> str:
    """Return the command that installs an extra, in the folder of the clone.

    Args:
        extra: The extra.
    """
    return f"pip install '.[{extra}]'"


class Environment(TypedDict):
    """The environment of seqcast, as JSON types.

    Attributes:
        system: Operating system and processor.
        python: Version of Python.
        packages: Installed version of each package that seqcast needs, by name; `None` is missing.
        extras: The same for each extra.
        backend: Keras's backend; empty where it cannot be imported.
        devices: Devices that it sees.
        cores: Cores of this process.
        threads: Threads of a fit.
        cache: Folder of compiled programs; `None` where there is no cache.
        programs: Number of programs in it.
        program_bytes: Their size.
        variables: Environment variables that are set and change how seqcast runs.
        problems: Obstacles to running seqcast, each with its remedy.
    """

    system: str
    python: str
    packages: dict[str, str | None]
    extras: dict[str, dict[str, str | None]]
    backend: str
    devices: list[str]
    cores: int
    threads: int
    cache: str | None
    programs: int
    program_bytes: int
    variables: dict[str, str]
    problems: list[str]


def current_environment() -> Environment:
    """Return the environment of seqcast."""
    # Before the import of the backend, which sets one of them.
    variables = {
        name: value for name, value in sorted(os.environ.items()) if _MATTERS.fullmatch(name)
    }
    from seqcast.runtime.threads import cores, threads

    backend, devices, folder = _backend()
    needed: list[Requirement] = []
    extras: dict[str, dict[str, str | None]] = {}
    for extra, requirement in _requirements():
        if extra == "":
            needed.append(requirement)
        elif extra != "dev":  # for work on seqcast itself
            extras.setdefault(extra, {})[requirement.name] = _installed(requirement)

    problems = [problem for each in needed if (problem := _problem_with(each))]
    if not backend:
        problems.append(
            "the backend of Keras cannot be imported. Set KERAS_BACKEND=jax, or install it."
        )
    sizes = [] if folder is None else _program_sizes(folder)
    return {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "packages": {each.name: _installed(each) for each in needed},
        "extras": extras,
        "backend": backend,
        "devices": devices,
        "cores": cores(),
        "threads": threads(),
        "cache": None if folder is None else str(folder),
        "programs": len(sizes),
        "program_bytes": sum(sizes),
        "variables": variables,
        "problems": problems,
    }


def _requirements() -> Iterator[tuple[str, Requirement]]:
    """Yield the requirements of seqcast that hold here, each with its extra or an empty text."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("seqcast") or ()
    except metadata.PackageNotFoundError:  # a source tree that was not installed
        lines = ()
    for line in lines:
        requirement = Requirement(line)
        match = _EXTRA.search(str(requirement.marker or ""))
        extra = match[1] if match else ""
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            yield extra, requirement


def _problem_with(requirement: Requirement) -> str | None:
    """Return what is wrong with a package that seqcast needs, with the remedy."""
    installed = _installed(requirement)
    name = requirement.name
    if installed is None:
        return f"{name} is not installed. Install it: pip install {name}"
    if requirement.specifier.contains(installed, prereleases=True):
        return None
    needed = f"{name}{requirement.specifier}"
    return (
        f"{name} is too old or too new: seqcast needs {needed}. Install it: pip install '{needed}'"
    )


def _installed(requirement: Requirement) -> str | None:
    try:
        return metadata.version(requirement.name)
    except metadata.PackageNotFoundError:
        return None


def _backend() -> tuple[str, list[str], Path | None]:
    """Return Keras's backend, its devices, and the folder of its programs."""
    try:
        from seqcast.runtime.backend import keras
    except ImportError:
        return "", [], None
    from seqcast.runtime.program_cache import cache_compilations

    name = str(keras.config.backend())
    try:
        devices = list(map(str, keras.distribution.list_devices()))
    except AttributeError:  # Keras's backend for torch lists none
        devices = []
    return name, devices, cache_compilations() if name == "jax" else None


def _program_sizes(folder: Path) -> list[int]:
    # Another process may just have removed one.
    return [program.stat().st_size for program in folder.glob("*-cache") if program.exists()]
