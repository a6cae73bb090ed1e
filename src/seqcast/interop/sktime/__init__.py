"""`Forecaster` with sktime's interface: `forecaster`, `translation`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from seqcast.interop.sktime.forecaster import SeqcastForecaster as SeqcastForecaster

__all__ = ["SeqcastForecaster"]


def __getattr__(name: str) -> Any:
    # sktime is an extra, and the other modules of this package do without it.
    if name == "SeqcastForecaster":
        from seqcast.interop.sktime.forecaster import SeqcastForecaster

        return SeqcastForecaster
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
