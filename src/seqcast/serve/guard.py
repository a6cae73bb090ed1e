"""What no request may be, whoever answers it: of another site, with too long a head, or of too long or slow a body."""

from __future__ import annotations

import asyncio
import contextlib
import ipaddress
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from seqcast.serve.gate import Message, Receive, Send, problem_response
from seqcast.serve.problems import RequestError
from seqcast.serve.settings import ServerSettings

_MOST_HEADERS, _MOST_HEADER_BYTES = 100, 32 << 10
# Bytes of a body that is no table, and of one that is taken however many others are open.
_SMALL, _ALWAYS_TAKEN = 1 << 20, 64 << 10
# How many bodies of the greatest length may be open at a time.
_TOGETHER = 8
# A body has the time limit, and a second for so many bytes.
_BYTES_PER_SECOND = 32 << 10


@dataclass
class _Kind:
    """Bodies of some paths: what the paths begin with, the most bytes of one, and the bytes of those that are open."""

    prefix: str
    most: int
    open: int = 0


class Guard:
    """An ASGI application around another.

    Args:
        app: The application inside.
        settings: Whom the server is for, and its limits.
        bodies: Most bytes of a body, by what the path begins with.
    """

    def __init__(self, app: Any, *, settings: ServerSettings, bodies: Mapping[str, int]) -> None:
        self.app, self.settings = app, settings
        self._names = frozenset(name.lower() for name in settings.allow_host)
        self._own = self._names | {"", "localhost", settings.host.lower()}
        self._kinds = [_Kind(*each) for each in {**bodies, "/v1/": settings.max_body, "": _SMALL}.items()]

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it."""
        if scope["type"] == "lifespan":
            await self.app(scope, receive, send)
            return
        kind = next(each for each in self._kinds if scope["path"].startswith(each.prefix))
        exchange = _Exchange(scope, receive, send, kind, self.settings)
        try:
            self._check(scope["headers"])
            if scope["type"] == "websocket":
                await self.app(scope, receive, send)
            else:
                await self.app(scope, exchange.receive, exchange.send)
        except RequestError as error:
            await exchange.refuse(error)
        except Exception:
            if not exchange.is_refused:
                raise
        finally:
            kind.open -= exchange.size

    def _check(self, lines: Sequence[tuple[bytes, bytes]]) -> None:
        """Refuse long headers, and what a page of another site sends.

        A site can give its own name this machine's address (DNS rebinding), so names are compared; an address is none.
        """
        if len(lines) > _MOST_HEADERS or sum(len(name) + len(value) for name, value in lines) > _MOST_HEADER_BYTES:
            expected = f"at most {_MOST_HEADERS} of {_MOST_HEADER_BYTES:,} bytes"
            raise RequestError(431, "headers", expected=expected, received="more", hint="Send fewer.")
        headers = dict(lines)
        host, origin = (headers.get(name, b"").decode("latin-1").lower() for name in (b"host", b"origin"))
        if not self.settings.allow_open and _name_of(host) not in self._own:
            raise _another("Host", host)
        site = origin.partition("://")[2]
        if origin and site != host and _name_of(site) not in self._names:
            raise _another("Origin", origin)


class _Exchange:
    """A request and its answer; where it is refused, the application sees that the client is gone."""

    def __init__(self, scope: Any, receive: Receive, send: Send, kind: _Kind, settings: ServerSettings) -> None:
        self.scope, self._receive, self._send, self.kind, self.settings = scope, receive, send, kind, settings
        self.size, self.is_whole, self.is_refused, self._has_answer = 0, False, False, False
        self._begun = asyncio.get_running_loop().time()

    async def receive(self) -> Message:
        """Return the next part of the body."""
        if not self.is_refused:
            try:
                return await self._part()
            except RequestError as error:
                await self.refuse(error)
        return {"type": "http.disconnect"}

    async def send(self, message: Message) -> None:
        """Send a part of the answer."""
        if not self.is_refused:
            self._has_answer = True
            await self._send(message)

    async def refuse(self, error: RequestError) -> None:
        """Answer with an error, unless there is an answer already.

        Args:
            error: The error.
        """
        self.is_refused = True
        facts = self.scope.get("seqcast", {})
        facts["error"] = type(error).__name__
        if not self._has_answer:
            await problem_response(error, facts.get("id"))(self.scope, self._receive, self._send)

    async def _part(self) -> Message:
        limit = self.settings.time_limit
        until = self._begun + limit + self.size / _BYTES_PER_SECOND
        try:
            async with asyncio.timeout_at(None if self.is_whole else until):
                message = await self._receive()
        except TimeoutError:
            expected, hint = (
                f"a body within {limit:g} s, and 1 s for each {_BYTES_PER_SECOND >> 10} KiB",
                "Send less at a time.",
            )
            raise RequestError(408, "body", expected=expected, received="none", hint=hint) from None
        length = len(message.get("body", b""))
        self.is_whole = not message.get("more_body", False)
        self.size += length
        self.kind.open += length
        most = self.kind.most
        if self.size > most:
            expected, received = f"at most {most:,} bytes", f"{self.size:,} and more"
            raise RequestError(413, "body", expected=expected, received=received, hint="Send fewer rows.")
        if self.size > _ALWAYS_TAKEN and self.kind.open > _TOGETHER * most:
            expected, again = f"at most {_TOGETHER * most:,} bytes of all requests", self.settings.retry_after
            raise RequestError(429, "body", expected=expected, received="more", hint="Come again.", retry_after=again)
        return message


def _name_of(authority: str) -> str:
    """Return the name in `name:port`, nothing if it is an address."""
    try:
        name = urlsplit(f"//{authority}").hostname or ""
    except ValueError:
        return authority
    with contextlib.suppress(ValueError):
        return "" if ipaddress.ip_address(name) else name
    return name


def _another(header: str, value: str) -> RequestError:
    expected, hint = "this server", "Whoever runs it can name others by --allow-host."
    return RequestError(403, header, expected=expected, received=repr(value[:80]), hint=hint)
