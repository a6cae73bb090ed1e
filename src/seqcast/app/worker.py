"""A worker process: it runs one function after another, tells how far they are, and stops one when it is told to.

It is spawned, never forked: JAX's threads would not survive a fork. A stop is a message; it raises `KeyboardInterrupt`
in the function, as Ctrl-C does, so that a training keeps the best weights so far.
"""

from __future__ import annotations

import _thread
import atexit
import contextlib
import itertools
import multiprocessing
import os
import pickle
import queue
import signal
import threading
from collections.abc import Callable, Sequence
from multiprocessing.connection import Connection
from typing import Any, Protocol

from seqcast.errors import WorkerDiedError
from seqcast.runtime import ALL_MEMORY, end_with_parent, kill_workers

# So long a worker is waited for when it is closed.
CLOSING_SECONDS = 5.0


class Tell(Protocol):
    """Tells whoever waits for a job how far it is."""

    def __call__(self, event: Any) -> None:
        """Tell it; the event is pickled."""


def _ignore(*_: Any) -> None:
    """Drop what nobody waits for."""


class Worker:
    """A process that runs functions; started by the first job, and anew after it has died.

    A function is called as `function(tell, *arguments)`. It is imported by its name, and its arguments, events and
    result are pickled.

    Args:
        name: Name of the process.

    Example:
        >>> Worker("example").is_running
        False
    """

    def __init__(self, name: str) -> None:
        self.name = name
        self._numbers = itertools.count()
        self._waiting: dict[int, tuple[Callable[[Any], None], Callable[[Any, BaseException | None], None]]] = {}
        self._lock = threading.Lock()
        self._process: Any = None
        self._connection: Connection | None = None

    @property
    def is_running(self) -> bool:
        """Whether there is a process."""
        return self._process is not None and self._process.is_alive()

    def run(
        self,
        function: Callable[..., Any],
        arguments: Sequence[Any],
        hear: Callable[[Any], None] = _ignore,
        ended: Callable[[Any, BaseException | None], None] = _ignore,
    ) -> int:
        """Send a job; it runs when those before it are done.

        Args:
            function: A function of a module.
            arguments: Its arguments, after the first, which tells.
            hear: Called with each event, in a thread of this object's.
            ended: Called once with the result, or `None` and the error; in that thread.

        Returns:
            The job's number, for `stop`.
        """
        job = pickle.dumps((function, tuple(arguments)))
        with self._lock:
            if not self.is_running:
                self._start()
            number = next(self._numbers)
            self._waiting[number] = hear, ended
            assert self._connection is not None
            connection = self._connection
        try:
            connection.send(("run", number, job))
        except OSError:
            self._fail(connection)
        return number

    def stop(self, number: int) -> None:
        """Ask a job to stop: one that runs is interrupted, one that waits is dropped.

        Args:
            number: What `run` returned.
        """
        with self._lock, contextlib.suppress(OSError):
            if self._connection is not None and number in self._waiting:
                self._connection.send(("stop", number))

    def close(self) -> None:
        """End the process; what waits fails."""
        with self._lock:
            process, self._process = self._process, None
            connection, self._connection = self._connection, None
            waiting, self._waiting = self._waiting, {}
        for _, ended in waiting.values():
            ended(None, WorkerDiedError.with_advice("the end of the server"))
        if process is None or connection is None:
            return
        with contextlib.suppress(OSError):
            connection.send(("close", -1))
        process.join(CLOSING_SECONDS)
        if process.is_alive():
            process.kill()
            process.join()

    def _start(self) -> None:
        context = multiprocessing.get_context("spawn")
        self._connection, theirs = context.Pipe()
        self._process = context.Process(target=serve, args=(theirs, os.getpid()), name=self.name, daemon=False)
        self._process.start()
        atexit.unregister(self.close)
        atexit.register(self.close)  # Python would wait for the process for ever
        theirs.close()
        threading.Thread(target=self._read, args=(self._connection,), name=f"{self.name}-reader", daemon=True).start()

    def _read(self, connection: Connection) -> None:
        """Hand on what the process tells, until it ends."""
        while True:
            try:
                message = connection.recv()
            except (EOFError, OSError):
                self._fail(connection)
                return
            self._hand_on(*message)
            del message  # it may hold a visitor's table

    def _hand_on(self, kind: str, number: int, told: bytes) -> None:
        try:
            value = pickle.loads(told)
        except Exception as error:  # an exception whose arguments pickle does not know, for instance
            kind, value = "failed", RuntimeError(f"what the job told could not be read: {error}")
        hear, ended = self._waiting.get(number, (_ignore, _ignore))
        if kind == "event":
            hear(value)
            return
        self._waiting.pop(number, None)
        ended(value, None) if kind == "done" else ended(None, value)

    def _fail(self, connection: Connection) -> None:
        """Let all jobs fail whose process has ended."""
        with self._lock:
            if self._connection is not connection:
                return  # it was closed, or another process has been started since
            # The process may not have ended wholly yet; the next job begins another one.
            self._connection = self._process = None
            waiting, self._waiting = self._waiting, {}
        for _, ended in waiting.values():
            ended(None, WorkerDiedError.with_advice())


def serve(connection: Connection, parent: int) -> None:
    """Run jobs until the parent closes the connection; the main function of the process.

    Args:
        connection: Where jobs come from and results go.
        parent: Process id of the parent, without which this one ends.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # The page's workers share a GPU, where there is one; JAX reads this when it starts.
    os.environ.setdefault(ALL_MEMORY, "false")
    server = _Server(connection)
    end_with_parent(parent)
    threading.Thread(target=server.listen, name="seqcast-messages", daemon=True).start()
    server.work()


def _interrupt() -> None:
    """Raise `KeyboardInterrupt` in the main thread.

    Where it waits for other processes, only a signal that is sent to that very thread wakes it.
    """
    main = threading.main_thread().ident
    if hasattr(signal, "pthread_kill") and main is not None:
        signal.pthread_kill(main, signal.SIGINT)
    else:  # Windows
        _thread.interrupt_main()


class _Server:
    """The jobs of a worker process."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection
        self.jobs: queue.Queue[Any] = queue.Queue()
        self.stopped: set[int] = set()
        self.running: int | None = None
        self.lock = threading.Lock()
        self.sending = threading.Lock()

    def listen(self) -> None:
        """Take messages, in a thread."""
        while True:
            try:
                message = self.connection.recv()
            except (EOFError, OSError):
                message = ("close", -1)
            if message[0] == "run":
                self.jobs.put(message[1:])
            elif message[0] == "stop":
                with self.lock:
                    self.stopped.add(message[1])
                    if self.running == message[1]:
                        _interrupt()
            else:
                kill_workers()
                os._exit(0)

    def work(self) -> None:
        """Run the jobs, in the main thread."""
        while True:
            with contextlib.suppress(KeyboardInterrupt):  # a stop that came as the job ended
                self._run(*self.jobs.get())

    def _run(self, number: int, job: bytes) -> None:
        with self.lock:
            stopped = number in self.stopped
            self.running = None if stopped else number
        kind = "failed"
        value: Any = KeyboardInterrupt()
        try:
            if not stopped:
                function, arguments = pickle.loads(job)
                value = function(lambda event: self._send("event", number, event), *arguments)
                kind = "done"
        except BaseException as error:
            value = error
        with self.lock:
            self.running = None
            self.stopped.discard(number)
        self._send(kind, number, value)

    def _send(self, kind: str, number: int, value: Any) -> None:
        if isinstance(value, KeyboardInterrupt):
            value = KeyboardInterrupt()  # what a training has kept until then stays here
        try:
            told = pickle.dumps(value)
        except Exception as error:
            kind, told = "failed", pickle.dumps(RuntimeError(f"{type(value).__name__}: {value} ({error})"))
        with self.sending, contextlib.suppress(OSError):  # the parent may have gone
            self.connection.send((kind, number, told))
