"""The environment of seqcast: versions, backend, devices, threads, the cache of programs, optional packages."""

import importlib
import os
import platform
import re
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from types import ModuleType
from typing import Any

from seqcast.errors import MissingPackageError

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
        hint = f"Install it in the clone of seqcast: {install_command(extra)}"
        raise MissingPackageError(
            f"the optional package {package!r} is needed for this", hint=hint
        ) from error


def install_command(extra: str) -> str:
    """Return the command that installs an extra, in the folder of the clone.

    Args:
        extra: The extra.
    """
    return f"pip install '.[{extra}]'"


def current_environment() -> dict[str, Any]:
    """Return the environment of seqcast, as JSON types.

    Returns:
        `system`: operating system and processor.
        `python`: version of Python.
        `packages`: installed version of each package that seqcast needs, by name; `None` is
            missing.
        `extras`: the same for each extra.
        `backend`: Keras's backend; empty where it cannot be imported.
        `devices`: devices that it sees.
        `cores`, `threads`: cores of this process, threads of a fit.
        `cache`: folder of compiled programs; `None` where there is no cache.
        `programs`, `program_bytes`: number of programs in it, and their size.
        `variables`: environment variables that are set and change how seqcast runs.
        `problems`: obstacles to running seqcast, each with its remedy.
    """
    # Before the import of the backend, which sets one of them.
    variables = {
        name: value for name, value in sorted(os.environ.items()) if _MATTERS.fullmatch(name)
    }
    from seqcast.runtime.threads import cores, threads

    packages: dict[str, dict[str, str | None]] = {"": {}}
    problems = []
    for extra, name, version, requirement, fits in _requirements():
        packages.setdefault(extra, {})[name] = version
        if extra == "" and version is None:
            problems.append(f"{name} is not installed. Install it: pip install {name}")
        elif extra == "" and not fits:
            remedy = f"seqcast needs {requirement}. Install it: pip install '{requirement}'"
            problems.append(f"{name} is too old or too new: {remedy}")
    backend, devices, folder = _backend()
    if not backend:
        problems.append(
            "the backend of Keras cannot be imported. Set KERAS_BACKEND=jax, or install it."
        )
    # Another process may just have removed one.
    programs = (
        []
        if folder is None
        else [program for program in folder.glob("*-cache") if program.exists()]
    )
    return {
        "system": f"{platform.system()} {platform.release()}, {platform.machine()}",
        "python": platform.python_version(),
        "packages": packages.pop(""),
        "extras": {
            extra: each for extra, each in packages.items() if extra != "dev"
        },  # for work on seqcast itself
        "backend": backend,
        "devices": devices,
        "cores": cores(),
        "threads": threads(),
        "cache": None if folder is None else str(folder),
        "programs": len(programs),
        "program_bytes": sum(program.stat().st_size for program in programs),
        "variables": variables,
        "problems": problems,
    }


def _requirements() -> Iterator[tuple[str, str, str | None, str, bool]]:
    """Yield extra or "", package, installed version, and requirement of all that seqcast needs, and whether it fits."""
    from packaging.requirements import Requirement

    try:
        lines = metadata.requires("seqcast") or ()
    except metadata.PackageNotFoundError:  # a source tree that was not installed
        lines = ()
    for line in lines:
        requirement = Requirement(line)
        name = requirement.name
        versions = requirement.specifier
        marker = requirement.marker
        match = _EXTRA.search(str(marker or ""))
        extra = match[1] if match else ""
        if marker is None or marker.evaluate({"extra": extra}):
            installed = _installed(name)
            fits = installed is None or versions.contains(installed, prereleases=True)
            yield extra, name, installed, f"{name}{versions}", fits


def _installed(name: str) -> str | None:
    try:
        return metadata.version(name)
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
