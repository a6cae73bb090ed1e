"""A client of an application in this process, and tables for it to send."""

import asyncio
import threading
import time

import httpx
import numpy as np
import pandas as pd

DAYS = pd.date_range("2024-01-01", periods=60)


class Client:
    """Asks an application that runs in a thread with an event loop of its own, as uvicorn runs it."""

    def __init__(self, app, *, ready=True):
        self.app, self._ready = app, ready

    def __enter__(self):
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._thread.start()
        self._lifespan = self.app.router.lifespan_context(self.app)
        self.run(self._lifespan.__aenter__())
        transport = httpx.ASGITransport(self.app, raise_app_exceptions=False)
        self._client = httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1", timeout=60)
        if self._ready:
            assert self.app.state.service.shelf.ready.wait(60)
        return self

    def __exit__(self, *_):
        self.run(self._client.aclose())
        self.run(self._lifespan.__aexit__(None, None, None))
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def run(self, awaitable):
        return asyncio.run_coroutine_threadsafe(awaitable, self._loop).result(120)

    def request(self, method, path, **how):
        return self.run(self._client.request(method, path, **how))

    def get(self, path, **how):
        return self.request("GET", path, **how)

    def post(self, path, **how):
        return self.request("POST", path, **how)

    def all(self, bodies, path="/v1/forecast", **how):
        """Post JSON bodies at once."""

        async def ask():
            return await asyncio.gather(*(self._client.post(path, json=body, **how) for body in bodies))

        return self.run(ask())


def panel(ids, days=DAYS, **columns):
    frame = pd.DataFrame({"unique_id": np.repeat(np.asarray(ids, object), len(days)), "ds": np.tile(days, len(ids))})
    place = np.arange(len(frame))
    return frame.assign(y=10 + place % 7 + 0.01 * place, **{name: make(place) for name, make in columns.items()})


def rows_of(frame):
    """A frame as JSON rows."""
    frame = frame.assign(**{name: frame[name].dt.strftime("%Y-%m-%d") for name in frame.select_dtypes("datetime")})
    return [
        {name: None if value != value else value for name, value in row.items()} for row in frame.to_dict("records")
    ]


def newer(name, count=5, offset=0.0, start=DAYS[-1]):
    """JSON rows that follow those that the models remember."""
    days = pd.date_range(start + pd.Timedelta("1D"), periods=count).strftime("%Y-%m-%d")
    return [{"unique_id": name, "ds": day, "y": 10.0 + offset + place % 7} for place, day in enumerate(days)]


def wait_until(condition, seconds=60):
    """Ask until something is so."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.01)
