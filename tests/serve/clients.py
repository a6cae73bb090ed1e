"""A client of an application in this process, and tables for it to send."""

import asyncio
import contextlib
import threading
import time
from functools import partial

import httpx
import numpy as np
import pandas as pd
from anyio.from_thread import start_blocking_portal

from seqcast.serve import create_app, listen, server_of

DAYS = pd.date_range("2024-01-01", periods=60)


class Client(contextlib.ExitStack):
    """Asks an application that runs in a thread with an event loop of its own, as uvicorn runs it."""

    def __init__(self, app, *, ready=True):
        super().__init__()
        self.app = app
        self._ready = ready

    def __enter__(self):
        portal = self.enter_context(start_blocking_portal())
        self.run = portal.call
        self.enter_context(
            portal.wrap_async_context_manager(self.app.router.lifespan_context(self.app))
        )
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60)
        self.client = self.enter_context(portal.wrap_async_context_manager(client))
        assert not self._ready or self.app.state.service.shelf.ready.wait(60)
        return self

    def request(self, method, path, **how):
        return self.run(partial(self.client.request, method, path, **how))

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, **how):
        return self.request("POST", path, **how)

    def all(self, bodies):
        """Post JSON bodies at once."""

        async def ask():
            return await asyncio.gather(
                *(self.client.post("/v1/forecast", json=body) for body in bodies)
            )

        return self.run(ask)


def panel(ids, days=DAYS, **columns):
    frame = pd.DataFrame(
        {"unique_id": np.repeat(np.asarray(ids, object), len(days)), "ds": np.tile(days, len(ids))}
    )
    place = np.arange(len(frame))
    return frame.assign(
        y=10 + place % 7 + 0.01 * place, **{name: make(place) for name, make in columns.items()}
    )


def rows_of(frame):
    """A frame as JSON rows."""
    frame = frame.assign(
        **{name: frame[name].dt.strftime("%Y-%m-%d") for name in frame.select_dtypes("datetime")}
    )
    return [
        {name: None if value != value else value for name, value in row.items()}
        for row in frame.to_dict("records")
    ]


def newer(name, count=5, offset=0.0, start=DAYS[-1]):
    """JSON rows that follow those that the models remember."""
    days = pd.date_range(start + pd.Timedelta("1D"), periods=count).strftime("%Y-%m-%d")
    return [
        {"unique_id": name, "ds": day, "y": 10.0 + offset + place % 7}
        for place, day in enumerate(days)
    ]


def wait_until(condition, seconds=60):
    """Ask until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)


@contextlib.contextmanager
def running(settings, extend=lambda app: None):
    """The address of a server that runs in a thread, and its service; `extend` gets its application first."""
    app = create_app(settings)
    extend(app)
    server = server_of(app, settings)
    listener = listen("127.0.0.1", 0)
    address = listener.getsockname()
    thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
    thread.start()
    wait_until(lambda: server.started and app.state.service.shelf.ready.is_set())
    try:
        yield address, app.state.service
    finally:
        server.should_exit = True
        thread.join()
