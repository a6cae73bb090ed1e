"""Memory that programs need for a moment, and memory that they leave behind, under glibc."""

import ctypes
import os
import sys
from collections.abc import Callable

# Numbers of settings in glibc's malloc.h.
_TRIM_THRESHOLD = -1
_TOP_PAD = -2
_MMAP_THRESHOLD = -3


def keep_scratch_memory() -> None:
    """Ask glibc to keep freed memory mapped, in the whole process.

    Each call of a compiled JAX function gets its scratch memory from malloc. Above glibc's mmap
    threshold that memory is mapped, faulted in page by page and unmapped at every training step.
    This costs more than the arithmetic. The price is that a process keeps its largest scratch
    memory until `free_gaps`. With another C library than glibc this does nothing;
    `SEQCAST_KEEP_MEMORY=0` switches it off.
    """
    mallopt = _of_glibc("mallopt")
    if mallopt is None or os.environ.get("SEQCAST_KEEP_MEMORY") == "0":
        return
    mallopt(_MMAP_THRESHOLD, 1 << 30)
    mallopt(_TRIM_THRESHOLD, (1 << 31) - 1)
    mallopt(_TOP_PAD, 64 << 20)


def free_gaps() -> None:
    """Give memory that dropped programs left free among others back to the system.

    Without it a process that compiles and drops programs for hours would grow slowly. With another
    C library than glibc this does nothing.
    """
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _of_glibc(name: str) -> Callable[..., int] | None:
    """Return a function of glibc; `None` where musl or another system has none of this name."""
    if not sys.platform.startswith("linux"):
        return None
    try:
        function: Callable[..., int] = getattr(ctypes.CDLL(None), name)
    except (AttributeError, OSError):
        return None
    return function
