"""Memory of a process: scratch memory that stays mapped.

It changes the whole process, so only what needs it calls it: a training.
"""

from __future__ import annotations

import ctypes
import os
import sys


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
