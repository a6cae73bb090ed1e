"""Optional packages: imported where they are needed, with the line that installs them when they are missing."""

from __future__ import annotations

import importlib
from types import ModuleType

from seqcast.errors import MissingPackageError


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
