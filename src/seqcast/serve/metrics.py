"""What Prometheus is told of a server, in a registry of its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcast.runtime import require

_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
_SIZES = (1, 2, 4, 8, 16, 32, 64, 128)


class Metrics:
    """Counters of a server.

    Args:
        waiting: Returns the number of queries that wait.
    """

    def __init__(self, waiting: Callable[[], int]) -> None:
        client: Any = require("prometheus_client", extra="serve")
        self._client = client
        self._registry = registry = client.CollectorRegistry()
        labels = ("route", "status")
        self.requests = client.Counter("seqcast_requests", "Requests by route and status", labels, registry=registry)
        self.seconds = client.Histogram(
            "seqcast_request_seconds", "Time of a request", ("route",), buckets=_SECONDS, registry=registry
        )
        self.in_flight = client.Gauge("seqcast_requests_in_flight", "Requests being answered", registry=registry)
        self.batch = client.Histogram(
            "seqcast_batch_size", "Requests forecast in one call", buckets=_SIZES, registry=registry
        )
        self.loads = client.Counter("seqcast_model_loads", "Model files read", ("model", "outcome"), registry=registry)
        self.rows = client.Counter("seqcast_rows", "Rows received", ("model",), registry=registry)
        queue = client.Gauge("seqcast_queue_length", "Requests that wait", registry=registry)
        queue.set_function(waiting)

    def written(self) -> tuple[bytes, str]:
        """Return all metrics as Prometheus reads them, and their media type."""
        return bytes(self._client.generate_latest(self._registry)), str(self._client.CONTENT_TYPE_LATEST)
