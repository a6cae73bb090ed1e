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
from collections.abc import Iterable
from pathlib import Path

import platformdirs

from seqcast.runtime.backend import JaxConfig, jax_config
from seqcast.runtime.log import warn_user

# The environment variable that names the folder.
VARIABLE = "SEQCAST_CACHE_DIR"
# JAX's variable for its folder of programs.
_JAX_VARIABLE = "JAX_COMPILATION_CACHE_DIR"
# Seconds within which a process writes both files of a program.
SECONDS_BETWEEN_HALVES = 5.0
# On some processors jaxlib before it prints two errors for each program that it reads, and then
# runs the program: it takes preferences of its compiler for features that the machine lacks
# (jax-ml/jax#38445).
QUIET_JAXLIB = (0, 10, 2)
# Settings of JAX: its default and our value. A size makes JAX remove the least recently used
# programs, and lock the folder while it reads and writes, by the package filelock. It does not
# count the files that XLA would add there for GPUs, so these are switched off.
SETTINGS: dict[str, tuple[object, object]] = {
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
    """Return environment variables with which another process has the same cache of programs.

    Its environment alone is not enough: this process may have set JAX in Python, and a relative
    folder depends on the working directory.

    Returns:
        Variables of seqcast and JAX, by name.
    """
    programs = cache_compilations()
    config = jax_config()
    names = ("jax_enable_compilation_cache", *SETTINGS)
    variables = {name.upper(): str(getattr(config, name)) for name in names}

    folder = config.jax_compilation_cache_dir
    if folder is None:
        variables[VARIABLE] = "off"
    elif programs is not None and folder == str(programs):
        variables[VARIABLE] = str(programs.parent)
    else:
        variables[_JAX_VARIABLE] = folder
    return variables


@functools.cache
def _choose_folder() -> Path | None:
    config = jax_config()
    if _is_set_by_user(config):
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


def _is_set_by_user(config: JaxConfig) -> bool:
    """Return whether the user has given JAX a folder or switched its cache off."""
    has_folder = config.jax_compilation_cache_dir is not None or _JAX_VARIABLE in os.environ
    is_off = not config.jax_enable_compilation_cache or config.jax_compilation_cache_max_size == 0
    return has_folder or is_off


def _writable_programs() -> Path | None:
    """Return the folder of the programs, which is made where it is missing.

    It is `None` where the user wants none, or where it cannot be written to or trusted.
    """
    named = os.environ.get(VARIABLE)
    if named is not None and named.strip().lower() in ("", "off"):
        return None
    try:
        folder = _users_folder() if named is None else _made(Path(named).absolute())
        if folder is None:
            return None
        programs = folder / "programs"
        if _can_be_written_by_anybody((folder, programs)):
            return None
        programs.mkdir(mode=0o700, exist_ok=True)
        return programs if os.access(programs, os.W_OK | os.X_OK) else None
    except (OSError, RuntimeError):  # platformdirs raises the latter where a user has no home
        return None


def _users_folder() -> Path | None:
    """Return the folder of this user's cache, if there is one of their own."""
    folder = Path(platformdirs.user_cache_dir("seqcast"))
    if not folder.is_absolute():
        return None  # a user without a home
    _made(folder)
    # sudo may keep its caller's home: root should not run that user's programs.
    is_foreign = hasattr(os, "getuid") and folder.stat().st_uid != os.getuid()
    return None if is_foreign else folder


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    return folder


def _can_be_written_by_anybody(folders: Iterable[Path]) -> bool:
    """Warn of the first folder that anybody can write to, and return whether there is one."""
    if os.name != "posix":  # Windows shows every folder as if anybody could write to it
        return False
    for folder in folders:
        if folder.exists() and folder.stat().st_mode & stat.S_IWOTH:
            warn_user(
                f"{folder} can be written by anybody, who could leave a program to be run: "
                "it is not used as a cache"
            )
            return True
    return False


def _silence_reading(config: JaxConfig) -> None:
    """Stop XLA's log of an old jaxlib, unless the user has chosen what it shows.

    Errors of programs are still raised. JAX's own loggers stay as they are: the second update
    restores them, and leaves XLA's log as the first has set it.
    """
    import jaxlib.version

    level = config.jax_logging_level
    # JAX sets the variable to 1 itself.
    is_default = level == "NOTSET" and os.environ.get("TF_CPP_MIN_LOG_LEVEL", "1") == "1"
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
