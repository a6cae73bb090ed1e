"""Guard of a server: limits on bodies of requests, checks of sites and keys, counters, the log.

Headers are read and written by Starlette and FastAPI. Their middleware (compared in Starlette 1.0.1
to 1.10.0, FastAPI 0.165.0) does a part of what the guard does:

- `TrustedHostMiddleware` compares names alone. All addresses of the machine would have to be
  listed, and it leaves `Origin` unread. It answers in plain text, and redirects to names with
  `www.`.
- `CORSMiddleware` says which pages may read an answer. Requests of other pages still reach the
  application, and so do their WebSockets.
- `RequestBodyLimitMiddleware`, which 1.0.1 does not have, counts one body at a time. It knows
  neither the other open bodies nor a limit by path.
- FastAPI's `Security` guards a route. Under `/v1/` unknown paths and those of other packages
  require a key as well, before any of their body is read.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from fastapi.security.utils import get_authorization_scheme_param
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from seqcast.serve.configuration import ServerSettings, hash_of
from seqcast.serve.monitoring import log_event
from seqcast.serve.problems import RequestError, problem_response, shown
from seqcast.serve.service import Service

# Most bytes of a body that is no table.
_SMALL_BODY = 1 << 20
# Most bytes of a body that is taken regardless of other open ones.
_ALWAYS_TAKEN = 64 << 10
# Most bodies of the greatest length that are open at a time.
_OPEN_BODIES = 8

# Prefixes of the paths that require a key, if there are keys; other packages guard their own paths.
_GUARDED = ("/v1/", "/metrics")
# Name of unknown paths and methods in the log and the metrics.
_OTHER = "other"
# Status in log and metrics of a request whose client has gone, as in nginx.
_CLIENT_GONE = 499
# A client's own name of its request, which goes into the log.
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


@dataclass
class _Bodies:
    """Bodies of the paths with a prefix: the most bytes of one, and the bytes of all open ones."""

    prefix: str
    most: int
    open: int = 0


class Guard:
    """An ASGI application around another: checks, counts and logs requests, and answers errors.

    Args:
        app: The application inside.
        service: The service, with its settings, keys and counters.
        routes: The paths that log and metrics name.
        bodies: Most bytes of a body, by the beginning of the path.
    """

    def __init__(
        self, app: ASGIApp, service: Service, routes: frozenset[str], bodies: Mapping[str, int]
    ) -> None:
        self.app = app
        self.keys = service.keys
        self.metrics = service.metrics
        self.routes = routes
        self.settings = settings = service.settings

        self._names = frozenset(name.lower() for name in settings.allow_host)
        self._own = self._names | {"", "localhost", settings.host.lower()}
        most_bytes = {**bodies, "/v1/": settings.max_body, "": _SMALL_BODY}
        self._bodies = [_Bodies(prefix, most) for prefix, most in most_bytes.items()]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or reject it."""
        if scope["type"] not in ("http", "websocket"):
            await self.app(scope, receive, send)
            return

        path = scope["path"]
        bodies = next(each for each in self._bodies if path.startswith(each.prefix))
        exchange = _Exchange(scope, receive, send, bodies, self.settings)
        is_guarded = path.startswith(_GUARDED)
        is_ours = scope["type"] == "http" and (path in self.routes or is_guarded)
        if is_ours:
            self.metrics.in_flight.inc()

        try:
            self._check_site(exchange.headers)
            if self.keys and is_guarded:
                exchange.facts["key"] = self._key_name(exchange.headers)
            await self.app(scope, exchange.receive, exchange.send)
        except Exception as error:
            if not await exchange.answers(error, is_ours=is_ours):
                raise
        finally:
            bodies.open -= exchange.size
            if is_ours:
                self._count(exchange, path if path in self.routes else _OTHER)

    def _check_site(self, headers: Headers) -> None:
        """Reject requests from pages of other sites.

        A site can point its own name to this machine (DNS rebinding), so names are compared;
        addresses are safe.
        """
        host = headers.get("host", "").lower()
        origin = headers.get("origin", "").lower()
        hint = "Whoever runs it can name others by --allow-host."

        if not self.settings.allow_open and _name_of(host) not in self._own:
            raise RequestError(403, "Host", "this server", shown(host), hint)

        site = origin.partition("://")[2]
        if origin and site != host and _name_of(site) not in self._names:
            raise RequestError(403, "Origin", "this server", shown(origin), hint)

    def _key_name(self, headers: Headers) -> str:
        """Return the name of the key of a request, and reject a request without a known one."""
        scheme, key = get_authorization_scheme_param(headers.get("authorization"))
        if scheme.lower() != "bearer":
            key = headers.get("x-api-key", "")
        if not key:
            hint = "Send it as Authorization: Bearer KEY, or as X-API-Key."
            raise RequestError(
                401, "Authorization", "an API key", "none", hint, WWW_Authenticate="Bearer"
            )

        name = self.keys.get(hash_of(key))
        if name is None:
            hint = "Ask whoever runs the server."
            raise RequestError(403, "Authorization", "a known key", "another", hint)
        return name

    def _count(self, exchange: _Exchange, route: str) -> None:
        """Count a request that has ended, and write its line."""
        seconds = time.perf_counter() - exchange.begun
        self.metrics.in_flight.dec()
        self.metrics.requests.labels(route, str(exchange.status)).inc()
        self.metrics.seconds.labels(route).observe(seconds)

        method = exchange.scope["method"]
        log_event(
            "request",
            method=method if method in ("GET", "POST", "HEAD") else _OTHER,
            route=route,
            status=exchange.status,
            ms=round(1e3 * seconds, 1),
            **exchange.facts,
        )


class _Exchange:
    """A request and its answer; `facts` are the fields of its line in the log."""

    def __init__(
        self, scope: Scope, receive: Receive, send: Send, bodies: _Bodies, settings: ServerSettings
    ) -> None:
        self.scope = scope
        self._receive = receive
        self._send = send
        self.bodies = bodies
        self.settings = settings

        self.headers = Headers(scope=scope)
        given = self.headers.get("x-request-id", "")
        self.facts = {"id": given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)}
        scope["seqcast"] = self.facts

        self.begun = time.perf_counter()
        self.status = 500
        self.size = 0
        self.has_answer = False
        self.is_rejected = False

    async def receive(self) -> Message:
        """Return the next piece of the body, or after too many bytes that the client has gone."""
        message = await self._receive()
        length = len(message.get("body", b""))
        self.size += length
        self.bodies.open += length

        most = self.bodies.most
        if self.size > most:
            received = f"{self.size:,} and more"
            return await self.reject(
                RequestError(413, "body", f"at most {most:,} bytes", received, "Send fewer rows.")
            )

        together = _OPEN_BODIES * most
        if self.size > _ALWAYS_TAKEN and self.bodies.open > together:
            expected = f"at most {together:,} bytes of all requests"
            again = self.settings.retry_after
            hint = f"Retry in {again} s."
            return await self.reject(
                RequestError(429, "body", expected, "more", hint, retry_after=again)
            )

        return message

    async def answers(self, error: Exception, *, is_ours: bool) -> bool:
        """Answer an error of the application, and return whether that was possible."""
        if self.is_rejected:  # the application has met the end of its rejected request
            return True
        if is_ours and isinstance(error, ClientDisconnect):
            self.status = _CLIENT_GONE
            self.facts["error"] = "ClientDisconnect"
            return True
        if self.has_answer or not (is_ours or isinstance(error, RequestError)):
            return False

        await self.reject(error)
        return True

    async def reject(self, error: Exception) -> Message:
        """Answer with an error, unless there is an answer; then drop what the application sends."""
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
            message.setdefault("headers", [])
            MutableHeaders(scope=message).append("x-request-id", self.facts["id"])
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
