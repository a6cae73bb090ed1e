"""The state of the series in a forecaster's file."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.features import FeatureBuilder
from seqcast.data.frames import FrameSchema, Frequency, LongFrame, plain_stamps
from seqcast.data.series import SERIES_SCALES, InMemoryStore, SeriesScaler
from seqcast.errors import SeqcastError
from seqcast.forecaster.series_state import SeriesState
from seqcast.intervals import SUPPORTS
from seqcast.runtime import Parts, from_parts, to_parts
from seqcast.specs import Covariates, check_choice, check_int

Array = npt.NDArray[Any]


# Kinds of NumPy's types that an array may have.
_DTYPES = {"ids": "Uiu", "ends": "i", "stamps": "Miu", "last_seen": "Miu", "trained_until": "Miu"}

# Fields of the state that are in the header as they are.
_AS_THEY_ARE = ("builder", "scale", "context_length", "observed", "fill", "support")


@dataclass(frozen=True)
class _Header:
    """What a file holds of the series beside arrays, see `SeriesState`."""

    freq: str | int | None
    schema: FrameSchema
    covariates: Covariates
    builder: FeatureBuilder
    scale: str
    context_length: int
    observed: bool
    fill: bool
    support: tuple[str, ...]

    def check(self) -> None:
        """Refuse options of the series that are none, or that do not go with the columns."""
        builder, covariates, targets = self.builder, self.covariates, self.schema.columns.targets
        builder.check()
        check_choice("scale", self.scale, SERIES_SCALES)
        check_int("context_length", self.context_length)
        for support in self.support:
            check_choice("support", support, SUPPORTS)
        names = (builder.past.names, builder.future.names, builder.static.names)
        if (
            names != (covariates.past, covariates.future, covariates.static)
            or not builder.targets == len(self.support) == len(targets)
            or (builder.median_gap is None) != (self.freq is not None)
            or self.schema.kind not in ("pandas", "polars")
        ):
            raise ValueError("features of other columns than the frame has")


@dataclass(frozen=True)
class StoredSeries:
    """The state of the series as JSON types and arrays.

    Args:
        state: The state.
    """

    state: SeriesState

    def to_parts(self) -> Parts:
        """Return JSON types and arrays that hold the state."""
        state, source, scaler = self.state, self.state.frame.source, self.state.scaler
        header = _Header(
            freq=None if state.frequency is None else state.frequency.name,
            schema=state.schema,
            covariates=state.frame.covariates,
            **{name: getattr(state, name) for name in _AS_THEY_ARE},
        )
        arrays = {
            "ids": np.array(state.ids),
            "ends": source.ends,
            "values": source.values,
            "stamps": plain_stamps(state.frame.stamps),
            "static": state.frame.static,
            "loc": scaler.loc,
            "scale": scaler.scale,
            **({} if scaler.unit is None else {"unit": scaler.unit}),
            "last_seen": plain_stamps(state.last_seen),
            "trained_until": plain_stamps(state.trained_until),
        }
        return to_parts(header)[0], arrays

    @classmethod
    def from_parts(cls, described: Any, stored: Mapping[str, Any]) -> Self:
        """Build the state from the result of `to_parts`, and refuse what does not fit together."""
        header: _Header = from_parts(_Header, described, {}, "series")
        arrays = _checked_arrays(header, stored)
        header.check()
        schema, builder = header.schema, header.builder
        frame = LongFrame(
            InMemoryStore(tuple(arrays["ids"].tolist()), arrays["values"], arrays["ends"]),
            stamps=schema.stamps(arrays["stamps"]),
            frequency=None if header.freq is None else Frequency(header.freq),
            schema=schema,
            covariates=header.covariates,
            kinds=(*builder.past.kinds, *builder.future.kinds),
            static=arrays["static"],
            static_kinds=builder.static.kinds,
            rows=np.full(len(arrays["values"]), -1),
        )
        _check_stamps(frame)
        state = SeriesState(
            frame=frame,
            scaler=SeriesScaler(arrays["loc"], arrays["scale"], arrays.get("unit")),
            last_seen=schema.stamps(arrays["last_seen"]),
            trained_until=schema.stamps(arrays["trained_until"]),
            **{name: getattr(header, name) for name in _AS_THEY_ARE},
        )
        return cls(state)


def _checked_arrays(header: _Header, stored: Mapping[str, Array]) -> dict[str, Array]:
    """Read the arrays of the series' state, and refuse shapes that do not fit together."""
    builder, targets = header.builder, len(header.schema.columns.targets)
    series, rows = len(stored["ends"]), len(stored["stamps"])
    columns = targets + len(builder.past.kinds) + len(builder.future.kinds)
    shapes = {
        "ids": (series,),
        "ends": (series,),
        "values": (rows, columns),
        "stamps": (rows,),
        "static": (series, len(builder.static.kinds)),
        "loc": (series, targets),
        "scale": (series, targets),
        "unit": (series, targets),
        "last_seen": (1,),
        "trained_until": (series,),
    }
    for name, values in stored.items():
        if values.shape != shapes[name]:
            raise ValueError(f"{name!r} of shape {values.shape}, where {series} series have {shapes[name]}")
        if values.dtype.kind not in _DTYPES.get(name, "f"):
            raise ValueError(f"{name!r} of type {values.dtype}")
    if not series <= rows <= series * header.context_length:
        raise ValueError(f"{rows} rows of {series} series, of which a context has {header.context_length}")
    ends = np.asarray(stored["ends"])
    if int(ends[-1]) != rows or (np.diff(ends, prepend=0) < 1).any():
        raise ValueError(f"series that do not end where {rows} rows do")
    arrays = {name: ends if name == "ends" else np.asarray(values) for name, values in stored.items()}
    for name in ("loc", "scale", *(["unit"] if "unit" in arrays else [])):
        if not np.isfinite(arrays[name]).all() or (name != "loc" and not (arrays[name] > 0).all()):
            raise ValueError(f"{name!r} that no scaling has")
    ids = arrays["ids"].tolist()
    if ids != sorted(set(ids)):
        raise ValueError("ids that are not sorted, or stand twice")
    return arrays


def _check_stamps(frame: LongFrame) -> None:
    """Refuse stamps that do not rise within a series, or that a frame of the schema's kind cannot hold."""
    stamps, source = frame.stamps, frame.source
    rises = np.asarray(stamps[1:] > stamps[:-1])
    rises[source.starts[1:] - 1] = True
    if stamps.hasnans or not rises.all():
        raise ValueError("stamps that do not rise")
    last = frame.last_stamps[:1]
    try:
        ahead = last if frame.frequency is None else frame.frequency.after(last, 1)
        frame.schema.build(np.asarray(source.ids[:1], dtype=object), {frame.schema.columns.ds: ahead}, {})
    except SeqcastError:
        raise
    except Exception as error:  # whatever pandas and Polars say of types that they do not have
        raise ValueError(f"forecasts of another type than a frame has ({error})") from error
