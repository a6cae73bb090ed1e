"""Programs of a model in memory: each is compiled once, and those that were used last stay."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from contextlib import AbstractContextManager, contextmanager
from contextvars import ContextVar

from seqcast.runtime.backend import Tree

# Programs of a network in memory. One takes two or three megabytes, so a server with requests for
# every horizon would grow without end; one with few horizons compiles each of them once.
MOST_PROGRAMS = 64

_may_compile: ContextVar[bool] = ContextVar("may compile", default=True)


class CompilationNeededError(Exception):
    """A program is needed that is not compiled yet, within `compiling_nothing`."""


@contextmanager
def compiling_nothing() -> Iterator[None]:
    """Raise `CompilationNeededError` where `Programs` would compile a program in the block.

    This holds for calls of `in_threads` in the block, too. A compilation takes seconds. So a thread
    that others wait for can leave the work that needs one to another thread.
    """
    token = _may_compile.set(False)
    try:
        yield
    finally:
        _may_compile.reset(token)


class Program:
    """A function that one thread compiles by its first call, while other calls wait.

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

    def __init__(self, function: Callable[..., Tree], lock: AbstractContextManager[object]) -> None:
        self.called = False
        self._function = function
        self._lock = lock

    def __call__(self, *arguments: object) -> Tree:
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
        make: Callable[..., Callable[..., Tree]],
        most: int = MOST_PROGRAMS,
        lock: AbstractContextManager[object] | None = None,
    ) -> None:
        self._make = make
        self._most = most
        # Tracing a network is not for several threads at once.
        self._first_call = lock or threading.RLock()
        # Two threads that ask for a new key at once get the same program.
        self._finding = threading.Lock()
        # The program that was used last comes last.
        self._programs: OrderedDict[tuple[Hashable, ...], Program] = OrderedDict()

    def __len__(self) -> int:
        return len(self._programs)

    def find(self, *key: Hashable) -> Program:
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
                program = Program(self._make(*key), self._first_call)
                self._programs[key] = program
                if len(self._programs) > self._most:
                    self._programs.popitem(last=False)
            self._programs.move_to_end(key)
            return program
