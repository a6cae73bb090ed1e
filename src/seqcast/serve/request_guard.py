"""The guard of a server: limits on bodies of requests, checks of sites and keys, counters and the log."""

from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import ClientDisconnect

from seqcast.serve.configuration import ServerSettings, hash_of
from seqcast.serve.monitoring import log_event
from seqcast.serve.problems import RequestError, problem_response, shown
from seqcast.serve.service import Service

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# Most bytes of a body that is no table, and of one that is taken regardless of other open ones.
_SMALL = 1 << 20
_ALWAYS_TAKEN = 64 << 10
# Most bodies of the greatest length that are open at a time.
_TOGETHER = 8

# Prefixes of the paths that require a key, if there are keys; other packages guard their own paths.
_GUARDED = ("/v1/", "/metrics")
# Name of unknown paths and methods in the log and the metrics.
_OTHER = "other"
# Status in log and metrics of a request whose client has gone, as in nginx.
_CLIENT_GONE = 499
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass
class _Bodies:
    """Bodies of some paths: the prefix of the paths, the most bytes of a body, and the bytes of open ones."""

    prefix: str
    most: int
    open: int = 0


class Guard:
    """An ASGI application around another: it checks who asks, counts bodies, logs, and answers errors as documents.

    Args:
        app: The application inside.
        service: The service, with its settings, keys and counters.
        routes: The paths that log and metrics name.
        bodies: Most bytes of a body, by the beginning of the path.
    """

    def __init__(
        self, app: Any, service: Service, routes: frozenset[str], bodies: Mapping[str, int]
    ) -> None:
        self.app = app
        self.keys = service.keys
        self.metrics = service.metrics
        self.routes = routes
        self.settings = settings = service.settings
        self._names = frozenset(name.lower() for name in settings.allow_host)
        self._own = self._names | {"", "localhost", settings.host.lower()}
        self._bodies = [
            _Bodies(*each) for each in {**bodies, "/v1/": settings.max_body, "": _SMALL}.items()
        ]

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return
        path = scope["path"]
        bodies = next(each for each in self._bodies if path.startswith(each.prefix))
        exchange = _Exchange(scope, receive, send, bodies, self.settings)
        is_ours = scope["type"] == "http" and (path in self.routes or path.startswith(_GUARDED))
        if is_ours:
            self.metrics.in_flight.inc()
        try:
            self._check_site(exchange.headers)
            if self.keys and path.startswith(_GUARDED):
                exchange.facts["key"] = self._key_name(exchange.headers)
            await self.app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if exchange.is_rejected:
                pass
            elif is_ours and isinstance(error, ClientDisconnect):
                exchange.status = _CLIENT_GONE
                exchange.facts["error"] = "ClientDisconnect"
            elif exchange.has_answer or not (is_ours or isinstance(error, RequestError)):
                raise
            else:
                await exchange.reject(error)
        finally:
            bodies.open -= exchange.size
            if is_ours:
                self._count(exchange, path if path in self.routes else _OTHER)

    def _check_site(self, headers: Mapping[bytes, bytes]) -> None:
        """Reject requests from pages of other sites.

        A site can point its own name to this machine (DNS rebinding), so names are compared;
        addresses are safe.
        """
        host, origin = (
            headers.get(name, b"").decode("latin-1").lower() for name in (b"host", b"origin")
        )
        site = origin.partition("://")[2]
        is_host_known = self.settings.allow_open or _name_of(host) in self._own
        if is_host_known and (not origin or site == host or _name_of(site) in self._names):
            return
        header, value = ("Origin", origin) if is_host_known else ("Host", host)
        hint = "Whoever runs it can name others by --allow-host."
        raise RequestError(403, header, "this server", shown(value), hint)

    def _key_name(self, headers: Mapping[bytes, bytes]) -> str:
        """Return the name of the key of a request, and reject a request without a known one."""
        scheme, _, bearer = headers.get(b"authorization", b"").decode("latin-1").partition(" ")
        key = (
            bearer.strip()
            if scheme.lower() == "bearer"
            else headers.get(b"x-api-key", b"").decode("latin-1")
        )
        if not key:
            hint = "Send it as Authorization: Bearer KEY, or as X-API-Key."
            raise RequestError(
                401, "Authorization", "an API key", "none", hint, WWW_Authenticate="Bearer"
            )
        name = self.keys.get(hash_of(key))
        if name is None:
            raise RequestError(
                403, "Authorization", "a known key", "another", "Ask whoever runs the server."
            )
        return name

    def _count(self, exchange: _Exchange, route: str) -> None:
        """Count a request that has ended, and write its line."""
        seconds = time.perf_counter() - exchange.begun
        method = exchange.scope["method"]
        self.metrics.in_flight.dec()
        self.metrics.requests.labels(route, str(exchange.status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)
        method = method if method in ("GET", "POST", "HEAD") else _OTHER
        milliseconds = round(1e3 * seconds, 1)
        log_event(
            "request",
            method=method,
            route=route,
            status=exchange.status,
            ms=milliseconds,
            **exchange.facts,
        )


class _Exchange:
    """A request and its answer; `facts` are the fields of its line in the log."""

    def __init__(
        self, scope: Any, receive: Receive, send: Send, bodies: _Bodies, settings: ServerSettings
    ) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.bodies = bodies
        self.settings = settings
        self.headers: dict[bytes, bytes] = dict(scope["headers"])
        given = self.headers.get(b"x-request-id", b"").decode("latin-1")
        self.facts = {"id": given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)}
        scope["seqcast"] = self.facts
        self.begun = time.perf_counter()
        self.status = 500
        self.size = 0
        self.has_answer = self.is_rejected = False

    async def receive(self) -> Message:
        """Return the next piece of the body; after too many bytes, a message that the client has gone."""
        message = await self._receive()
        length = len(message.get("body", b""))
        self.size += length
        self.bodies.open += length
        most = self.bodies.most
        together = _TOGETHER * self.bodies.most
        if self.size > most:
            received = f"{self.size:,} and more"
            return await self.reject(
                RequestError(413, "body", f"at most {most:,} bytes", received, "Send fewer rows.")
            )
        if self.size > _ALWAYS_TAKEN and self.bodies.open > together:
            expected = f"at most {together:,} bytes of all requests"
            again = self.settings.retry_after
            return await self.reject(
                RequestError(429, "body", expected, "more", "Come again.", retry_after=again)
            )
        return message

    async def reject(self, error: Exception) -> Message:
        """Answer with an error, unless there is an answer already; drop all that the application sends afterwards."""
        self.facts["error"] = type(error).__name__
        if not self.has_answer:
            await problem_response(error, self.facts["id"])(self.scope, self._receive, self.send)
        self.is_rejected = True
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a piece of the answer."""
        if self.is_rejected:
            return
        if message["type"] == "http.response.start":
            self.status = message["status"]
            self.has_answer = True
            message["headers"] = [
                *message.get("headers", ()),
                (b"x-request-id", self.facts["id"].encode()),
            ]
        await self._send(message)


def _name_of(authority: str) -> str:
    """Return the name in `name:port`; empty for an address."""
    try:
        name = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return authority
    with contextlib.suppress(ValueError):
        return "" if ipaddress.ip_address(name) else name
    return name
