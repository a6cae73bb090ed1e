"""Connections as strangers open them: their number, the bytes before a request, and silence are bounded.

uvicorn ends a connection that is silent after an answer, no other: one that sends half a request, or does not read its
answer, would stay.
"""

from __future__ import annotations

import signal
import threading
from typing import TYPE_CHECKING, Any

from seqcast.runtime import require

if TYPE_CHECKING:
    import uvicorn
    from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol
else:
    uvicorn = require("uvicorn", extra="serve")
    HttpToolsProtocol = require("uvicorn.protocols.http.httptools_impl", extra="serve").HttpToolsProtocol

# Seconds in which the head of a request has to come, and a part of an answer has to be taken.
PATIENCE = 20.0
# Bytes that are neither a body nor a whole head: half a head, the ends of chunks, what follows the last of them.
_MOST_BARREN = 64 << 10
# Requests that wait on a connection for the one that is being answered.
_MOST_PIPELINED = 32
# A process may have a thousand files open on most systems.
MOST_CONNECTIONS = 500


class Connection(HttpToolsProtocol):
    """One connection, until it becomes a WebSocket."""

    since = 0.0
    _barren = _unsent = 0

    @property
    def is_waiting(self) -> bool:
        """Whether it is the client's turn to send a request."""
        return self.cycle is None or bool(self.cycle.response_complete)

    def connection_made(self, transport: Any) -> None:
        """Take the connection; where there are too many, the one that lets the server wait for longest goes."""
        super().connection_made(transport)
        self.since = self.loop.time()
        if len(self.connections) > MOST_CONNECTIONS:
            others = [each for each in self.connections if isinstance(each, Connection) and each is not self]
            waiting = [each for each in others if each.is_waiting] or [each for each in others if each.cycle.more_body]
            oldest = min(waiting or [self], key=lambda each: each.since)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def data_received(self, data: bytes) -> None:
        """Read some bytes, and refuse more of those that lead to nothing."""
        self._barren += len(data)
        super().data_received(data)
        if self._barren > _MOST_BARREN and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._barren, self.since = 0, self.loop.time()
        if len(self.pipeline) >= _MOST_PIPELINED:
            raise ValueError("too many requests at once")  # httptools makes a 400 of it
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a part of a body."""
        self._barren, self.since = 0, self.loop.time()
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.since = self.loop.time()
        super().on_response_complete()

    def look(self, now: float) -> None:
        """End the connection if its client lets it wait for too long.

        Args:
            now: The time of the event loop.
        """
        unsent = self.transport.get_write_buffer_size()
        if unsent != self._unsent:
            self._unsent, self.since = unsent, now
        elif (unsent or self.is_waiting) and now - self.since > PATIENCE:
            self.transport.abort()


class WatchedServer(uvicorn.Server):
    """uvicorn's server, which looks at its connections each second."""

    def run(self, sockets: Any = None) -> None:
        """Serve until the process is to end; SIGHUP is SIGTERM, unless nohup has the process outlive its terminal."""
        is_main = threading.current_thread() is threading.main_thread()  # others can set no handler
        if is_main and hasattr(signal, "SIGHUP") and signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:
            signal.signal(signal.SIGHUP, lambda *_: signal.raise_signal(signal.SIGTERM))
        super().run(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look at them, and say whether the server ends."""
        if counter % 10 == 0:
            for each in tuple(self.server_state.connections):
                if isinstance(each, Connection):
                    each.look(each.loop.time())
        return await super().on_tick(counter)
