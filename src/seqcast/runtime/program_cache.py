"""The cache of compiled programs: the folder in which JAX keeps them for the next process.

Compiling takes most of the time of a first fit. The cache is JAX's, for the whole process. So it is
set just before the first program is compiled, not at import, and only where the user has not set
it.
"""

import contextlib
import functools
import os
import stat
import threading
import time
import warnings
from pathlib import Path
from typing import Any

import platformdirs

from seqcast.runtime.log import warn_user

VARIABLE = "SEQCAST_CACHE_DIR"
SECONDS_BETWEEN_HALVES = 5.0
# On some processors jaxlib before it prints two errors for each program that it reads, and then
# runs the program: it takes preferences of its compiler for features that the machine lacks
# (jax-ml/jax#38445).
QUIET_JAXLIB = (0, 10, 2)
# Settings of JAX: its default and our value. A size makes JAX remove the least recently used
# programs, and lock the folder while it reads and writes, by the package filelock. It does not
# count the files that XLA would add there for GPUs, so these are switched off.
SETTINGS: dict[str, tuple[Any, Any]] = {
    "jax_compilation_cache_max_size": (-1, 512 << 20),
    "jax_persistent_cache_min_compile_time_secs": (1.0, 0.2),
    "jax_persistent_cache_enable_xla_caches": ("xla_gpu_per_fusion_autotune_cache_dir", "none"),
}

_setting = threading.Lock()


def cache_compilations() -> Path | None:
    """Let JAX keep compiled programs for the next process; calls after the first change nothing.

    They go to the folder that the environment variable `SEQCAST_CACHE_DIR` names, or else to the
    user's cache folder; empty or `off` switches it off. It has at most 512 MiB. The user's settings
    of JAX come first. Where they name a folder, or switch JAX's cache off, nothing is set; sizes
    and times of the user stay. A folder that cannot be written to is passed over silently.

    Programs are machine code that is run. So a new folder is its owner's alone, and the user's
    cache folder is used if it belongs to this user. A folder that anybody may write to is not used,
    with a warning.

    Returns:
        The folder of the programs; `None` if seqcast keeps none.
    """
    with _setting:
        return _choose_folder()


def cache_variables() -> dict[str, str]:
    """Return environment variables with which another process keeps compiled programs as this one does.

    Its environment alone is not enough: this process may have set JAX in Python, and a relative
    folder depends on the working directory.

    Returns:
        Variables of seqcast and JAX, by name.
    """
    programs = cache_compilations()
    import jax

    config: Any = jax.config
    names = ("jax_enable_compilation_cache", *SETTINGS)
    variables = {name.upper(): str(getattr(config, name)) for name in names}
    folder = config.jax_compilation_cache_dir
    if folder is None:
        return {**variables, VARIABLE: "off"}
    if programs is not None and folder == str(programs):
        return {**variables, VARIABLE: str(programs.parent)}
    return {**variables, "JAX_COMPILATION_CACHE_DIR": folder}


@functools.cache
def _choose_folder() -> Path | None:
    import jax

    config: Any = jax.config
    if not _is_ours_to_set(config):
        return None
    programs = _writable_programs()
    if programs is None:
        return None
    _remove_halves(programs)
    _silence_reading(config)
    for name, (default, value) in SETTINGS.items():
        if name.upper() not in os.environ and getattr(config, name) == default:
            config.update(name, value)
    # Last: a compilation of another thread would meanwhile open the folder without a bound.
    config.update("jax_compilation_cache_dir", str(programs))
    # Nobody needs to know of a full disk, or of a folder that goes away: JAX compiles the program
    # and goes on.
    warnings.filterwarnings(
        "ignore", "Error (reading|writing) persistent compilation cache entry", UserWarning
    )
    return programs


def _is_ours_to_set(config: Any) -> bool:
    """Return whether the user has neither given JAX a folder nor switched its cache off."""
    return (
        config.jax_enable_compilation_cache
        and config.jax_compilation_cache_dir is None
        and "JAX_COMPILATION_CACHE_DIR" not in os.environ
        and config.jax_compilation_cache_max_size != 0
    )


def _writable_programs() -> Path | None:
    """Return the folder of the programs, made if need be; `None` if there is to be none, or it cannot be written."""
    named = os.environ.get(VARIABLE)
    if named is not None and named.strip().lower() in ("", "off"):
        return None
    try:
        folder = Path(platformdirs.user_cache_dir("seqcast") if named is None else named)
        if named is None and not folder.is_absolute():
            return None  # a user without a home
        folder = folder.absolute()
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if named is None and hasattr(os, "getuid") and folder.stat().st_uid != os.getuid():
            return None  # sudo may keep its caller's home: root should not run that user's programs
        programs = folder / "programs"
        for each in (folder, programs):
            # Windows shows every folder as if anybody could write to it.
            if os.name == "posix" and each.exists() and each.stat().st_mode & stat.S_IWOTH:
                warn_user(
                    f"{each} can be written by anybody, who could leave a program to be run: it is not used as a cache"
                )
                return None
        programs.mkdir(mode=0o700, exist_ok=True)
        return programs if os.access(programs, os.W_OK | os.X_OK) else None
    except (OSError, RuntimeError):  # platformdirs raises the latter where a user has no home
        return None


def _silence_reading(config: Any) -> None:
    """Stop XLA's log of an old jaxlib, unless the user has chosen what it shows; errors of programs are still raised.

    JAX's own loggers stay as they are: the second update restores them, and leaves XLA's log as the
    first has set it.
    """
    import jaxlib.version

    level = config.jax_logging_level
    is_default = (
        level == "NOTSET" and os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1"
    )  # JAX sets it to 1 itself
    if is_default and jaxlib.version.__version_info__ < QUIET_JAXLIB:
        config.update("jax_logging_level", "CRITICAL")
        config.update("jax_logging_level", level)


def _remove_halves(programs: Path) -> None:
    """Remove programs without their time of last use.

    JAX writes the one and then the other; if a process ended between the two, no new program could
    be written. Young ones may be those of a process that is about to write the second half.
    """
    with contextlib.suppress(OSError):
        for program in programs.glob("*-cache"):
            used = program.with_name(program.name.removesuffix("-cache") + "-atime")
            # A time in the future is that of a clock which has been set back since.
            seconds = abs(time.time() - program.stat().st_mtime)
            if not used.exists() and seconds > SECONDS_BETWEEN_HALVES:
                program.unlink()
