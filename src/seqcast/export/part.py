"""The form of a part of a forecaster's file: what one candidate adds to the graph."""

from __future__ import annotations

from typing import Protocol

from seqcast.export.graph import Graph
from seqcast.export.network import NetworkInputs
from seqcast.export.scaling import Scaling
from seqcast.intervals import ForecastRequest
from seqcast.network import Seq2Seq


class PartWindows(Protocol):
    """The windows of a file, read and scaled.

    Attributes:
        graph: The graph.
        scaled: The scaled past, `[B, T, D]`.
        known: Which values are known.
        scaling: The scaling.
        horizon: Number of steps, or the input that says it.
        context_length: Steps of past that are read, `T`.
    """

    graph: Graph
    scaled: str
    known: str
    scaling: Scaling
    horizon: int | str

    @property
    def context_length(self) -> int:
        """Steps of past that are read, `T`."""

    def of(self, model: Seq2Seq) -> NetworkInputs:
        """Return what a network reads."""


class FilePart(Protocol):
    """What one candidate adds to a file."""

    def check(self, horizon: int | None) -> None:
        """Refuse what cannot be written, before anything is.

        Args:
            horizon: Number of steps; `None` is any.

        Raises:
            SpecError: There are no operators for it.
        """

    def add(self, windows: PartWindows, request: ForecastRequest) -> str:
        """Add the forecast of the candidate, and return its parts, scaled, `[B, H, D, parts]`.

        Args:
            windows: The windows of the file.
            request: Point and intervals.
        """
