"""Connections of a server: how many may be open, and for how long each may keep the server waiting.

A connection waits for its client until the client has sent a whole request, while the client takes
no answer, and between two requests. Such a connection costs a client nothing, so it gives way
first: to its own time limit, and to a newcomer when the server is full. The client address with the
most connections loses one first, so that one address cannot lock out others.
"""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from functools import partial
from typing import Any

import uvicorn
from httptools import HttpParserError
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from seqcast.serve.configuration import ServerSettings

# Most bytes that are neither a body nor a whole head: half a head, the ends of chunks, trailers.
_MOST_BARREN = 32 << 10
# Most headers of a request; each takes the event loop a few microseconds. Proxies and browsers send
# some thirty.
_MOST_HEADERS = 100
# Connections beyond the limit whose requests get a 503; further ones are closed at once.
_SPARE = 100
# An owner of IPv6 addresses has at least 2^64 of them.
_IPV6_PREFIX = 64


class OpenConnections:
    """The open connections of a server.

    Args:
        most: Most of them. Beyond it, those that wait for their clients are closed.
        timeout: Seconds that a connection may wait for its client.
    """

    def __init__(self, most: int, timeout: float) -> None:
        self.most = most
        self.timeout = timeout
        self._open: set[Held] = set()

    @property
    def are_too_many(self) -> bool:
        """Whether there are more connections than the limit, and none of them could be closed."""
        return len(self._open) > self.most

    def add(self, newcomer: Held) -> None:
        """Take a connection, and close another one, or this one, when there are too many.

        Args:
            newcomer: The connection.
        """
        self._open.add(newcomer)
        if not self.are_too_many:
            return
        self._open = {each for each in self._open if not each.is_gone}
        if not self.are_too_many:
            return
        victim = self._least_needed(newcomer)
        if victim is not None:
            victim.abort()
        elif len(self._open) > self.most + _SPARE:
            newcomer.abort()

    def remove(self, connection: Held) -> None:
        """Forget a connection.

        Args:
            connection: The connection; it may have been forgotten already.
        """
        self._open.discard(connection)

    def abort_all(self, kind: type[Held]) -> None:
        """Close all connections of a kind.

        Args:
            kind: Their class.
        """
        for each in tuple(self._open):
            if isinstance(each, kind):
                each.abort()

    def _least_needed(self, newcomer: Held) -> Held | None:
        """Return the connection that waits longest among those of the address that has the most.

        A WebSocket is closed only for the sake of an address with fewer connections, and after the
        connections of its own address that wait.
        """
        counts = Counter(each.owner for each in self._open)

        def may_go(each: Held) -> bool:
            if each.is_websocket:
                return counts[each.owner] > counts[newcomer.owner]
            return each.waits

        others = (each for each in self._open if each is not newcomer and may_go(each))
        return min(
            others,
            key=lambda each: (-counts[each.owner], each.is_websocket, each.since),
            default=None,
        )


class Held:
    """A connection among the open ones, with a time limit on its client.

    Args:
        connections: The open connections of the server.

    Attributes:
        owner: The client's address; of IPv6, its network.
        since: Time of the event loop at which the client was last heard, or at which the connection
            began to wait.
        is_websocket: Whether it has become a WebSocket.
    """

    owner = ""
    since = 0.0
    is_websocket = False
    _timer: asyncio.TimerHandle | None = None

    def __init__(self, connections: OpenConnections) -> None:
        self._connections = connections

    @property
    def waits(self) -> bool:
        """Whether the connection waits for its client."""
        return not self.is_websocket

    @property
    def is_gone(self) -> bool:
        """Whether it became a WebSocket that is closed, which only its own protocol was told."""
        return self.is_websocket and bool(self._held.is_closing())

    def hold(self, transport: Any) -> None:
        """Count the connection as an open one.

        Args:
            transport: Its transport.
        """
        self._held, self._clock = transport, asyncio.get_running_loop()
        self.owner = owner_of(transport.get_extra_info("peername"))
        self.heard()
        self._connections.add(self)
        self._timer = self._clock.call_later(self._connections.timeout, self._look)

    def heard(self) -> None:
        """Begin the time limit anew."""
        self.since = self._clock.time()

    def release(self) -> None:
        """Count the connection no longer."""
        self._connections.remove(self)
        if self._timer is not None:
            self._timer.cancel()

    def abort(self) -> None:
        """Close the connection at once, without what is still to be sent."""
        self.release()
        self._held.abort()

    def _look(self) -> None:
        """Close the connection if its client takes too long; otherwise look again later."""
        left = self._connections.timeout
        if self.waits:
            left += self.since - self._clock.time()
        if left <= 0 or self.is_gone:
            self.abort()
        else:
            self._timer = self._clock.call_later(left, self._look)


class Connection(Held, HttpToolsProtocol):
    """One connection, with limits on the length and the time of what leads to no request.

    Args:
        connections: The open connections of the server.
        settings: Arguments of uvicorn's protocol.
    """

    _barren = 0

    def __init__(self, connections: OpenConnections, **settings: Any) -> None:
        Held.__init__(self, connections)
        HttpToolsProtocol.__init__(self, **settings)
        self.headers: list[tuple[bytes, bytes]] = []

    @property
    def waits(self) -> bool:
        """Whether the connection waits for the client: for a head, a body, or to read an answer."""
        if self.is_websocket:
            return False
        if self.cycle is None or self.cycle.response_complete or self.flow.write_paused:
            return True
        return self.cycle.more_body and not self.flow.read_paused

    def connection_made(self, transport: Any) -> None:
        """Begin a connection.

        Args:
            transport: Its transport.
        """
        super().connection_made(transport)
        self.hold(transport)

    def connection_lost(self, exc: Exception | None) -> None:
        """End a connection.

        Args:
            exc: What ended it.
        """
        self.release()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Read some bytes, and reject too many without a whole head or a body.

        Args:
            data: The bytes.
        """
        self._barren += len(data)
        super().data_received(data)
        if self._barren > _MOST_BARREN and not self.transport.is_closing():
            self.send_400_response("The head of the request is too long.")

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header, and reject too many.

        Args:
            name: Its name.
            value: Its value.

        Raises:
            HttpParserError: The request has too many headers; the client gets a 400.
        """
        super().on_header(name, value)
        if len(self.headers) > _MOST_HEADERS:
            raise HttpParserError

    def send_400_response(self, msg: str) -> None:
        """Reject a request and close the connection.

        Args:
            msg: The reason.
        """
        if len(self.headers) > _MOST_HEADERS:
            msg = f"Expected at most {_MOST_HEADERS} headers."
        super().send_400_response(msg)

    def handle_websocket_upgrade(self) -> None:
        """Become a WebSocket, unless the server is full."""
        if self._connections.are_too_many:
            self.abort()
            return
        self.is_websocket = True
        super().handle_websocket_upgrade()

    def on_headers_complete(self) -> None:
        """Begin a request."""
        self._barren = 0
        self.heard()
        # uvicorn answers with a 503 above its limit; it would count connections that are being
        # closed.
        self.limit_concurrency = 0 if self._connections.are_too_many else None
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body.

        Args:
            body: The piece.
        """
        self._barren = 0
        if self.cycle is not None and not self.cycle.response_complete:
            self.heard()
        super().on_body(body)

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self.heard()
        super().on_response_complete()

    def pause_writing(self) -> None:
        """Wait for the client to take the answer."""
        self.heard()
        super().pause_writing()


class Handshake(Held, asyncio.Protocol):
    """The TLS handshake of a connection, which counts as open meanwhile.

    Args:
        connections: The open connections of the server.
        context: The server's certificate.
        make: Returns the protocol of the encrypted connection.
    """

    def __init__(
        self,
        connections: OpenConnections,
        context: ssl.SSLContext,
        make: Callable[[], asyncio.Protocol],
    ) -> None:
        super().__init__(connections)
        self._context = context
        self._make = make
        self._early: list[bytes] = []

    def connection_made(self, transport: Any) -> None:
        """Begin the handshake.

        Args:
            transport: The transport without encryption.
        """
        self.hold(transport)
        if not transport.is_closing():  # the server may be too full for it
            self._task = self._clock.create_task(self._shake())

    def data_received(self, data: bytes) -> None:
        """Keep what the client sends together with the end of its handshake.

        Args:
            data: The bytes.
        """
        self._early.append(data)

    async def _shake(self) -> None:
        """Encrypt the connection, and hand it over."""
        timeout = self._connections.timeout
        secured = None
        with contextlib.suppress(OSError):  # a client without TLS, a wrong one, or a silent one
            secured = await self._clock.start_tls(
                self._held, self, self._context, server_side=True, ssl_handshake_timeout=timeout
            )
        self.release()
        if secured is None or secured.is_closing():
            return
        protocol = self._make()
        secured.set_protocol(protocol)
        protocol.connection_made(secured)
        for data in self._early:
            protocol.data_received(data)


class Server(uvicorn.Server):
    """A uvicorn server whose connections are bounded.

    Args:
        config: Its configuration.
        settings: Its limits.
    """

    def __init__(self, config: uvicorn.Config, settings: ServerSettings) -> None:
        super().__init__(config)
        self.open = OpenConnections(settings.connections, settings.client_timeout)

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start the application, and take connections.

        Args:
            sockets: The sockets that listen.
        """
        await super().startup(sockets=[])
        config = self.config
        loop = asyncio.get_running_loop()
        make: Callable[[], asyncio.Protocol] = partial(
            Connection,
            self.open,
            config=config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
        )
        if config.ssl is not None:
            make = partial(Handshake, self.open, config.ssl, make)
        for each in sockets or ():
            self.servers.append(await loop.create_server(make, sock=each, backlog=config.backlog))

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Finish the open requests.

        Args:
            sockets: The sockets that listen.
        """
        self.open.abort_all(Handshake)
        await super().shutdown(sockets)


def owner_of(peer: Any) -> str:
    """Return whom a client's address belongs to: the address; of IPv6, its network of 64 bits.

    Args:
        peer: The address and port of a socket; `None` where it has none.

    Example:
        >>> owner_of(("203.0.113.5", 4000)), owner_of(("::ffff:203.0.113.5", 4000, 0, 0))
        ('203.0.113.5', '203.0.113.5')
        >>> owner_of(("2001:db8:1:2:3::4", 4000, 0, 0))
        '2001:db8:1:2::/64'
    """
    if not isinstance(peer, tuple):
        return ""
    host = str(peer[0])
    if ":" not in host:
        return host
    address = ipaddress.IPv6Address(host)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.IPv6Network((int(address), _IPV6_PREFIX), strict=False))
