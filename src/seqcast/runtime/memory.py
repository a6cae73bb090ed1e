"""Memory of a process: scratch memory that stays mapped, and compiled programs that are kept on disk.

Both change the whole process, so only what needs them calls them: a training, and the first compilation.
"""

from __future__ import annotations

import contextlib
import ctypes
import functools
import os
import stat
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from seqcast.runtime.caution import warn_user

__all__ = ["cache_compilations", "keep_scratch_memory"]

SECONDS_BETWEEN_HALVES = 5.0


def keep_scratch_memory() -> None:
    """Ask glibc to keep freed memory mapped.

    Each call of a compiled JAX function gets its scratch memory from malloc. Above glibc's mmap threshold that memory
    is mapped, faulted in page by page and unmapped again at every training step, which costs more than the
    arithmetic. The price is that a process keeps its largest scratch memory until it ends. With another C library than
    glibc this does nothing; `SEQCAST_KEEP_MEMORY=0` switches it off.
    """
    if not sys.platform.startswith("linux") or os.environ.get("SEQCAST_KEEP_MEMORY") == "0":
        return
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3  # malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # musl and others have no mallopt
        return
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, (1 << 31) - 1)
    mallopt(m_top_pad, 64 << 20)


@functools.cache
def cache_compilations() -> None:
    """Keep JAX's compiled programs in the folder `SEQCAST_CACHE_DIR`, when that is set and can be written to.

    The command line sets it to the user's cache folder, so that a second `seqcast fit` of the same shape does not
    compile again. The folder holds 512 MiB; the programs that have not been used for longest make room for new ones.
    Programs are machine code that is run: a new folder is its owner's alone, and one that anybody may write to is left
    alone, with a warning.
    """
    folder = os.environ.get("SEQCAST_CACHE_DIR")
    if not folder:
        return
    try:
        Path(folder).mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK):
        return
    programs = Path(folder) / "programs"
    for each in (Path(folder), programs):
        if each.exists() and each.stat().st_mode & stat.S_IWOTH:
            warn_user(f"{each} can be written by anybody, who could leave a program to be run: none are kept there")
            return
    import jax

    _remove_halves(programs)
    update: Callable[[str, Any], None] = jax.config.update
    update("jax_compilation_cache_dir", str(programs))
    update("jax_persistent_cache_min_compile_time_secs", 0.2)
    update("jax_compilation_cache_max_size", 512 << 20)


def _remove_halves(programs: Path) -> None:
    """Remove programs without their time of last use.

    JAX writes the one and then the other; where a process was ended between the two, it would warn at every new
    program. Young ones may be those of a process that is about to write the second half.
    """
    with contextlib.suppress(OSError):
        for program in programs.glob("*-cache"):
            used = program.with_name(program.name.removesuffix("-cache") + "-atime")
            if not used.exists() and time.time() - program.stat().st_mtime > SECONDS_BETWEEN_HALVES:
                program.unlink()
