"""The one place where Keras is imported and its backend chosen.

Keras decides on a backend while it is imported and falls back to TensorFlow, which seqcast does not install; so the
choice comes first. The user has chosen if `KERAS_BACKEND` is set or if Keras is imported already; otherwise it is
JAX. (`~/.keras/keras.json` does not count: Keras writes that file by itself.)

Every other module says `from seqcast._backend import keras`.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from pathlib import Path
from typing import Any

__all__ = ["compile_call", "derivatives", "in_threads", "jax_jit", "keras", "threads", "to_numpy", "weights_of"]


def _choose_backend() -> None:
    if "keras" not in sys.modules and not os.environ.get("KERAS_BACKEND"):
        os.environ["KERAS_BACKEND"] = "jax"


def _keep_scratch_memory() -> None:
    """Ask glibc to keep freed memory mapped.

    Each call of a compiled JAX function gets its scratch memory from malloc. Above glibc's mmap threshold that memory
    is mapped, faulted in page by page and unmapped again at every training step, which costs more than the
    arithmetic. The price is that a process keeps its largest scratch memory until it ends. Elsewhere than on glibc
    this does nothing; `SEQCAST_KEEP_MEMORY=0` switches it off.
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


def _cache_compilations() -> None:
    """Keep JAX's compiled programs in the folder `SEQCAST_CACHE_DIR`, when that is set and can be written to.

    The command line sets it to the user's cache folder, so that a second `seqcast fit` of the same shape does not
    compile again. What has not been used for longest goes when the folder is full.
    """
    folder = os.environ.get("SEQCAST_CACHE_DIR")
    if not folder:
        return
    try:
        Path(folder).mkdir(parents=True, exist_ok=True)
    except OSError:
        return
    if not os.access(folder, os.W_OK):
        return
    import jax

    update: Callable[[str, Any], None] = jax.config.update
    update("jax_compilation_cache_dir", str(Path(folder) / "programs"))
    update("jax_persistent_cache_min_compile_time_secs", 0.2)
    update("jax_compilation_cache_max_size", 512 << 20)


_choose_backend()
_keep_scratch_memory()

import keras  # noqa: E402  (the choice above comes first)

if keras.backend.backend() == "jax":
    _cache_compilations()


def to_numpy(tree: Any) -> Any:
    """Turn every tensor in a nested structure into a NumPy array."""
    return keras.tree.map_structure(keras.ops.convert_to_numpy, tree)


def weights_of(model: Any) -> list[Any]:
    """Return a copy of all weights as NumPy arrays, in the order of `set_weights`."""
    # Model.get_weights goes through Variable.__array__, which warns under NumPy 2.
    return [keras.ops.convert_to_numpy(weight.value).copy() for weight in model.weights]


def threads() -> int:
    """Return how many cores a fit may use: `SEQCAST_THREADS`, or `OMP_NUM_THREADS`, or all that the process has."""
    asked = os.environ.get("SEQCAST_THREADS")
    if asked:
        return max(1, int(asked))
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    # joblib sets it in its workers, so that GridSearchCV(n_jobs=2) on two cores does not run two threads in each
    # worker. OpenMP also takes a list, the outermost level first.
    level = os.environ.get("OMP_NUM_THREADS", "").partition(",")[0].strip()
    return min(cores, max(1, int(level))) if level.isdecimal() else cores


def in_threads(function: Callable[[Any], Any], items: Sequence[Any], pool: Executor, count: int) -> list[Any]:
    """Call a function of each item in `count` threads, the caller's own and others of a pool; return all results.

    JAX runs programs that are started from different threads side by side, those from one thread one after another.
    """

    def share(thread: int) -> list[Any]:
        return [function(item) for item in items[thread::count]]

    others = [pool.submit(share, thread) for thread in range(1, count)]
    shares = [share(0), *(other.result() for other in others)]
    return [shares[place % count][place // count] for place in range(len(items))]


def jax_jit(function: Callable[..., Any], *, one_thread: bool = False, donate: tuple[int, ...] = ()) -> Any:
    """Compile a function with JAX, for a CPU with its widest vectors.

    LLVM keeps to vectors of 256 bits even where the machine has 512, because some processors of 2017 slowed down under
    them; the loops over gates are up to five times faster with 512.

    Args:
        function: The function.
        one_thread: Whether XLA shall not divide its products among cores, because the caller does so.
        donate: Positions of arguments whose memory the result may take.
    """
    import jax

    options: dict[str, Any] = {}
    if jax.default_backend() == "cpu":
        divide = not one_thread and threads() > 1
        options = {"xla_cpu_prefer_vector_width": 512, "xla_cpu_multi_thread_eigen": divide}
    return jax.jit(function, donate_argnums=donate, compiler_options=options)


def derivatives(function: Callable[[dict[str, Any]], Any], inputs: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the derivatives of each output of a function, whose rows are independent of each other.

    Args:
        function: From tensors `[B, ...]` by name to outputs `[B, size]`.
        inputs: The tensors.
        size: Number of outputs of a row.

    Returns:
        For each input the derivatives of the outputs by it, `[size, B, ...]`.
    """
    backend = keras.backend.backend()
    names = list(inputs)
    if backend == "jax":
        import jax

        outputs, pull = jax.vjp(function, inputs)

        def by_inputs(place: Any) -> Any:
            # A sum over rows, of which each depends on its own inputs only.
            return pull(jax.numpy.zeros_like(outputs).at[:, place].set(1.0))[0]

        # One output after another: all at once would hold the gradients of all steps of each.
        return jax.lax.map(by_inputs, jax.numpy.arange(size))  # type: ignore[no-any-return]
    if backend == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape(persistent=True) as tape:
            tape.watch(inputs)
            outputs = function(inputs)
            columns = [outputs[:, place] for place in range(size)]
        found = [tape.gradient(column, inputs, unconnected_gradients="zero") for column in columns]
        return {name: tensorflow.stack([one[name] for one in found]) for name in names}
    import torch

    with torch.enable_grad():
        leaves = {name: values.detach().requires_grad_() for name, values in inputs.items()}
        outputs = function(leaves)
        options: dict[str, Any] = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
        found = [torch.autograd.grad(outputs[:, place].sum(), [*leaves.values()], **options) for place in range(size)]
    return {name: torch.stack([one[place] for one in found]) for place, name in enumerate(names)}


def compile_call(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of a built model for prediction.

    `keras.Model.predict` takes a few hundred milliseconds a call; the compiled function takes one or less. Weights
    are passed at each call, so that later training is seen.

    Args:
        model: A built `keras.Model` or `keras.Layer`; `function` may read its variables.
        function: `function(inputs, **static)`; `inputs` is a nested structure of arrays, the keyword arguments are
            hashable and each new combination of them compiles anew.

    Returns:
        A function of the same form, from NumPy arrays to the backend's. On JAX it may return before they are computed.
    """
    if keras.backend.backend() == "jax":
        return _compile_jax(model, function)

    def call(inputs: Any, **static: Any) -> Any:
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
        if keras.backend.backend() == "torch":
            import torch

            with torch.no_grad():
                return function(tensors, **static)
        return function(tensors, **static)

    return call


def _compile_jax(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    variables = list(model.variables)
    compiled: dict[tuple[tuple[str, Any], ...], Callable[..., Any]] = {}

    def specialise(static: dict[str, Any]) -> Callable[..., Any]:
        def run(values: list[Any], inputs: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(inputs, **static)

        return jax_jit(run)  # type: ignore[no-any-return]

    def call(inputs: Any, **static: Any) -> Any:
        key = tuple(sorted(static.items()))
        if key not in compiled:
            compiled[key] = specialise(static)
        return compiled[key]([variable.value for variable in variables], inputs)

    return call
