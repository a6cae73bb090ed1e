"""Functions of a model as compiled programs, their derivatives and their scratch memory, on any backend."""

import ctypes
import functools
import os
import sys
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar
from typing import Any

from seqcast.runtime.backend import keras, platform
from seqcast.runtime.program_cache import cache_compilations
from seqcast.runtime.threads import threads

# Programs of a network in memory. One takes two or three megabytes, so a server with requests for
# every horizon would grow without end; one with few horizons compiles each of them once.
MOST_PROGRAMS = 64


def jax_jit(
    function: Callable[..., Any], *, one_thread: bool = False, donate: tuple[int, ...] = ()
) -> Any:
    """Compile a function with JAX, on a CPU for its widest vectors.

    LLVM uses vectors of 256 bits even where the machine has 512, because some processors of 2017
    slowed down under them; the loops over gates are up to five times faster with 512.

    Args:
        function: The function.
        one_thread: Whether XLA keeps its products on one core of a CPU, because the caller divides
            the work.
        donate: Positions of arguments whose memory the result may reuse.
    """
    import jax

    cache_compilations()
    options: dict[str, Any] = {}
    if platform() == "cpu":  # elsewhere XLA rejects options that are a CPU's
        divide = not one_thread and threads() > 1
        options = {"xla_cpu_prefer_vector_width": 512, "xla_cpu_multi_thread_eigen": divide}
    return jax.jit(function, donate_argnums=donate, compiler_options=options)


def derivatives(
    function: Callable[[dict[str, Any]], Any], inputs: dict[str, Any], size: int
) -> dict[str, Any]:
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
        gradients = [
            tape.gradient(column, inputs, unconnected_gradients="zero") for column in columns
        ]
        return {name: tensorflow.stack([each[name] for each in gradients]) for name in names}
    import torch

    with torch.enable_grad():
        leaves = {name: values.detach().requires_grad_() for name, values in inputs.items()}
        outputs = function(leaves)
        options: dict[str, Any] = {
            "retain_graph": True,
            "allow_unused": True,
            "materialize_grads": True,
        }
        gradients = [
            torch.autograd.grad(outputs[:, each].sum(), [*leaves.values()], **options)
            for each in range(size)
        ]
    return {
        name: torch.stack([each[place] for each in gradients]) for place, name in enumerate(names)
    }


def compile_call(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of a built model for prediction.

    `keras.Model.predict` takes a few hundred milliseconds a call; the compiled function takes one
    or less. Weights are passed at each call, so that later training is seen.

    Args:
        model: A built `keras.Model` or `keras.Layer`; `function` may read its variables.
        function: `function(inputs, **static)`; `inputs` is a nested structure of arrays, the
            keyword arguments are hashable, and each new combination of them is compiled.

    Returns:
        A function of the same form, from NumPy arrays to the backend's. On JAX it may return before
        they are computed.
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
    programs = Programs(
        lambda static, _: jax_stateless(variables, functools.partial(function, **dict(static)))
    )

    def call(inputs: Any, **static: Any) -> Any:
        kinds = tuple((leaf.shape, leaf.dtype) for leaf in keras.tree.flatten(inputs))
        return programs.find(tuple(sorted(static.items())), kinds)(
            [variable.value for variable in variables], inputs
        )

    return call


def jax_stateless(variables: Sequence[Any], function: Callable[[Any], Any]) -> Callable[..., Any]:
    """Compile a function with JAX that takes the values of variables as an argument.

    Args:
        variables: Keras variables that the function reads.
        function: From nested arrays to nested arrays.

    Returns:
        A function of `(values, inputs)`; `values` are those of the variables, in their order.
    """

    def run(values: list[Any], inputs: Any) -> Any:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(inputs)

    return jax_jit(run)  # type: ignore[no-any-return]


class CompilationNeededError(Exception):
    """A program is needed that is not compiled yet, within `compiling_nothing`."""


_may_compile: ContextVar[bool] = ContextVar("may compile", default=True)


@contextmanager
def compiling_nothing() -> Iterator[None]:
    """Raise `CompilationNeededError` in the block, and in its `in_threads`, where `Programs` would compile a program.

    A compilation takes seconds. So a thread that others wait for can leave the work that needs one
    to another thread.
    """
    token = _may_compile.set(False)
    try:
        yield
    finally:
        _may_compile.reset(token)


class Program:
    """A function that is compiled at its first call, by one thread; others that call it meanwhile wait.

    Args:
        function: The function.
        lock: Locked during the first call.

    Attributes:
        called: Whether the first call has ended.

    Example:
        >>> program = Program(abs, threading.RLock())
        >>> program(-1), program.called
        (1, True)
    """

    def __init__(self, function: Callable[..., Any], lock: AbstractContextManager[Any]) -> None:
        self.called = False
        self._function = function
        self._lock = lock

    def __call__(self, *arguments: Any) -> Any:
        """Call the function."""
        if self.called:
            return self._function(*arguments)
        with self._lock:
            result = self._function(*arguments)
            self.called = True
        return result


class Programs:
    """The programs of a model by key; those that were used last stay in memory.

    A program that made room for another is compiled once more when it is needed again. JAX holds
    compiled code as long as the function that it was compiled from, so each program is a function
    of its own.

    Args:
        make: From the components of a key to a function that is not yet compiled.
        most: Largest number in memory.
        lock: Locked during the first call of each; `None` is a lock of their own.

    Example:
        >>> programs = Programs(lambda factor: lambda value: factor * value, most=2)
        >>> programs.find(3)(5), programs.find(3) is programs.find(3), len(programs)
        (15, True, 1)
    """

    def __init__(
        self,
        make: Callable[..., Callable[..., Any]],
        most: int = MOST_PROGRAMS,
        lock: AbstractContextManager[Any] | None = None,
    ) -> None:
        self._make = make
        self._most = most
        # Tracing a network is not for several threads at once.
        self._first_call = lock or threading.RLock()
        # Two threads that ask for a new key at once get the same program.
        self._finding = threading.Lock()
        # The program that was used last comes last.
        self._programs: OrderedDict[tuple[Any, ...], Program] = OrderedDict()

    def __len__(self) -> int:
        return len(self._programs)

    def find(self, *key: Any) -> Program:
        """Return the program of a key.

        Args:
            *key: The components of the key, which are hashable.

        Raises:
            CompilationNeededError: It is not compiled yet, within `compiling_nothing`.
        """
        with self._finding:
            program = self._programs.get(key)
            if not _may_compile.get() and (program is None or not program.called):
                raise CompilationNeededError
            if program is None:
                program = self._programs[key] = Program(self._make(*key), self._first_call)
                if len(self._programs) > self._most:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(key)
            return program


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
    m_trim_threshold, m_top_pad, m_mmap_threshold = -1, -2, -3  # malloc.h
    mallopt(m_mmap_threshold, 1 << 30)
    mallopt(m_trim_threshold, (1 << 31) - 1)
    mallopt(m_top_pad, 64 << 20)


def free_gaps() -> None:
    """Give memory that dropped programs left free among others back to the system.

    Without it a process that compiles and drops programs for hours would grow slowly. With another
    C library than glibc this does nothing.
    """
    malloc_trim = _of_glibc("malloc_trim")
    if malloc_trim is not None:
        malloc_trim(0)


def _of_glibc(name: str) -> Any:
    """Return a function of glibc; `None` where musl or another system has none of this name."""
    try:
        return getattr(ctypes.CDLL(None), name) if sys.platform.startswith("linux") else None
    except (AttributeError, OSError):
        return None
