"""What each request passes: a name, the key, counters, the line in the log, and errors as problem documents."""

from __future__ import annotations

import json
import re
import secrets
import time
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from seqcast.serve.keys import ApiKeys
from seqcast.serve.logs import log_event
from seqcast.serve.metrics import Metrics
from seqcast.serve.problems import MEDIA_TYPE, RequestError, problem_of

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

# What the paths begin with that take a key where there are keys; those of other packages are their own affair.
GUARDED = ("/v1/", "/metrics")

# Of paths that are none of ours neither log nor metrics say more than this.
_OTHER = "other"
# Status in log and metrics of a request whose client went, as nginx has it.
_CLIENT_GONE = 499
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")


class Gate:
    """An ASGI application around another.

    Args:
        app: The application inside.
        keys: The keys that are taken.
        metrics: Counters.
        routes: The paths that log and metrics name.
    """

    def __init__(self, app: Any, *, keys: ApiKeys, metrics: Metrics, routes: frozenset[str]) -> None:
        from starlette.requests import ClientDisconnect

        self.app, self.keys, self.metrics, self.routes, self._gone = app, keys, metrics, routes, ClientDisconnect

    async def __call__(self, scope: Any, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        path = scope.get("path", "")
        if scope["type"] != "http" or not (path in self.routes or path.startswith(GUARDED)):
            await self.app(scope, receive, send)
            return
        route = path if path in self.routes else _OTHER
        headers = dict(scope["headers"])
        given = headers.get(b"x-request-id", b"").decode("latin-1")
        name = given if _REQUEST_ID.fullmatch(given) else secrets.token_hex(8)
        told: dict[str, str] = {"id": name}
        scope["seqcast"] = told
        status, begun, started = 500, time.perf_counter(), False

        async def answer(message: Message) -> None:
            nonlocal status, started
            if message["type"] == "http.response.start":
                status, started = message["status"], True
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", name.encode())]
            await send(message)

        self.metrics.in_flight.inc()
        try:
            if self.keys and path.startswith(GUARDED):
                told["key"] = self._key(headers.get(b"authorization"), headers.get(b"x-api-key"))
            await self.app(scope, receive, answer)
        except self._gone:
            status, told["error"] = _CLIENT_GONE, "ClientDisconnect"
        except Exception as error:
            if started:
                raise
            told["error"] = type(error).__name__
            await problem_response(error, name)(scope, receive, answer)
        finally:
            seconds = time.perf_counter() - begun
            self.metrics.in_flight.dec()
            self.metrics.requests.labels(route, str(status)).inc()
            self.metrics.seconds.labels(route).observe(seconds)
            method = scope["method"] if scope["method"] in ("GET", "POST", "HEAD") else _OTHER
            log_event("request", method=method, route=route, status=status, ms=round(1e3 * seconds, 1), **told)

    def _key(self, authorization: bytes | None, plain: bytes | None) -> str:
        """Return the name of the key of a request.

        Raises:
            RequestError: There is none, or it is not known.
        """
        scheme, _, bearer = (authorization or b"").decode("latin-1").partition(" ")
        key = bearer.strip() if scheme.lower() == "bearer" else (plain or b"").decode("latin-1")
        if not key:
            hint = "Send it as Authorization: Bearer KEY, or as X-API-Key."
            raise RequestError(401, "Authorization", expected="an API key", received="none", hint=hint)
        name = self.keys.name_of(key)
        if name is None:
            hint = "Ask whoever runs the server for one."
            raise RequestError(403, "Authorization", expected="a key that is known", received="another", hint=hint)
        return name


def problem_response(error: BaseException, request_id: str | None = None) -> Any:
    """Return the answer to a request that failed: a problem document.

    Args:
        error: The error.
        request_id: The name of the request.
    """
    from starlette.responses import Response

    status, document = problem_of(error)
    if request_id is not None:
        document["request_id"] = request_id
    headers = {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    retry_after = getattr(error, "retry_after", None)
    if retry_after:
        headers["Retry-After"] = str(retry_after)
    return Response(json.dumps(document), status, headers, MEDIA_TYPE)
