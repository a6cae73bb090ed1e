"""Streams of a user's batches, a `keras.utils.PyDataset` or a generator, for data that do not fit in memory."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import numpy.typing as npt

from seqcast.data.arrays.checks import as_array, check_finite, check_rows, check_targets
from seqcast.data.arrays.preparation import Preparation
from seqcast.data.windows import NamedWindows
from seqcast.errors import DataError, SpecError
from seqcast.runtime import keras
from seqcast.specs import WindowSpec

Array = npt.NDArray[Any]
Batch = tuple[dict[str, Array], Array, Array]

# Batches of a stream from which sizes and scaling are learnt.
_FIRST = 10


class StreamWindows(NamedWindows):
    """A user's batches, converted by a function, in the user's order.

    Args:
        stream: A `keras.utils.PyDataset` of batches.
        convert: Converts a user's batch to one for the network.
    """

    def __init__(self, stream: Any, convert: Callable[[Any], Batch]) -> None:
        super().__init__(workers=stream.workers, use_multiprocessing=False, max_queue_size=stream.max_queue_size)
        self.stream = stream
        self.convert = convert

    def __len__(self) -> int:
        return len(self.stream)

    def __getitem__(self, index: int) -> Batch:
        return self.convert(self.stream[index])

    def counted(self, number: int) -> tuple[Array, Batch]:
        """Return the rows of a batch, and the batch."""
        batch = self[number]
        return np.arange(len(batch[1])), batch

    def describe(self, window: int) -> str:
        """Return what a row of a batch is called."""
        return f"row {window} of the batch"

    def on_epoch_begin(self) -> None:
        """Pass the event on."""
        self.stream.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Pass the event on."""
        self.stream.on_epoch_end()


def is_stream(X: Any) -> bool:
    """Return whether X is a stream of batches rather than an array."""
    return isinstance(X, keras.utils.PyDataset) or hasattr(X, "__next__")


def check_in_batches(static: Any, future: Any, weight: Any) -> None:
    """Refuse arrays beside batches, which hold covariates and weights themselves.

    Example:
        >>> check_in_batches(None, None, np.ones(3))
        Traceback (most recent call last):
        seqcast.errors.DataError: sample_weight: expected nothing beside batches, received a list or array. ...
    """
    for name, values in (("static_covariates", static), ("future_covariates", future), ("sample_weight", weight)):
        if values is not None:
            raise DataError(
                name,
                expected="nothing beside batches",
                received="a list or array",
                hint="Let each batch hold its own: ({'past': ..., 'static': ..., 'future': ...}, y, weight).",
            )


def first_batches(stream: Any, steps_per_epoch: int | None) -> tuple[list[Batch], Any]:
    """Return the first batches and the whole stream, the first batches included.

    Args:
        stream: A `keras.utils.PyDataset` or a generator.
        steps_per_epoch: Needed for a generator, which does not say how long it is.

    Returns:
        The first batches, checked, and the whole stream.

    Raises:
        SpecError: A generator comes without `steps_per_epoch`.
        DataError: There is no batch, or a batch is wrong.
    """
    if isinstance(stream, keras.utils.PyDataset):
        first = [stream[i] for i in range(min(len(stream), _FIRST))]
    else:
        if steps_per_epoch is None:
            raise SpecError(
                "steps_per_epoch",
                expected="a whole number for a generator",
                received="None",
                hint="A generator does not say how long it is.",
            )
        first = list(itertools.islice(stream, _FIRST))
        stream = itertools.chain(first, stream)
    if not first:
        raise DataError("X", expected="at least one batch", received="none", hint="Look at the stream's length.")
    return [split_batch(batch) for batch in first], stream


def split_batch(batch: Any) -> Batch:
    """Check a user's batch and return a dict of inputs, y with three axes, and weights.

    Example:
        >>> inputs, y, weight = split_batch((np.zeros((2, 4, 1)), np.zeros((2, 3))))
        >>> sorted(inputs), y.shape, weight.tolist()
        (['past'], (2, 3, 1), [1.0, 1.0])
    """
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        raise DataError(
            "batch",
            expected="(past, y) or (past, y, weight)",
            received=type(batch).__name__,
            hint="Let each batch be a tuple.",
        )
    inputs = dict(batch[0]) if isinstance(batch[0], dict) else {"past": batch[0]}
    if set(inputs) - {"past", "static", "future"} or "past" not in inputs:
        raise DataError(
            "batch",
            expected="inputs 'past' and perhaps 'static' and 'future'",
            received=", ".join(inputs),
            hint="Rename or drop the others.",
        )
    ranks = {"past": 3, "static": 2, "future": 3}
    arrays = {name: as_array(f"batch, {name}", values, ranks=(ranks[name],)) for name, values in inputs.items()}
    for name, values in arrays.items():
        check_finite(f"batch, {name}", values)
    y, _ = check_targets(batch[1], len(arrays["past"]))
    return arrays, y, _weight(batch[2], len(y)) if len(batch) == 3 else np.ones(len(y), dtype=np.float32)


def _weight(values: Any, rows: int) -> Array:
    """Check a batch's weights; unlike those of a whole fit they are not scaled and may all be zero."""
    weight = as_array("batch, weight", values, ranks=(1,))
    check_rows("batch, weight", weight, rows)
    check_finite("batch, weight", weight)
    if (weight < 0).any():
        raise DataError(
            "batch, weight", expected="weights >= 0", received=f"{weight.min():g}", hint="Drop the windows."
        )
    return weight.astype(np.float32)


def _check_features(inputs: dict[str, Array], window: WindowSpec) -> None:
    """Refuse a batch with other inputs, or other numbers of features, than the first ones."""
    received = {name: values.shape[-1] for name, values in inputs.items()}
    expected = {"past": window.features, "static": window.static, "future": window.future}
    if received != {name: size for name, size in expected.items() if size}:
        raise DataError(
            "batch",
            expected="features of " + ", ".join(f"{name!r}: {size}" for name, size in expected.items() if size),
            received=", ".join(f"{name!r}: {size}" for name, size in received.items()),
            hint="Let all batches have the same inputs.",
        )


def scaled_stream(stream: Any, preparation: Preparation, *, teacher_forcing: bool) -> StreamWindows | Iterator[Batch]:
    """Return a stream whose batches are checked and scaled.

    Args:
        stream: A `keras.utils.PyDataset` or a generator of a user's batches.
        preparation: The preparation that a fit has learnt.
        teacher_forcing: Whether the decoder reads the true targets.

    Returns:
        The stream, of the same kind, of `(inputs, y, weight)`.
    """

    def convert(batch: Any) -> Batch:
        inputs, y, weight = split_batch(batch)
        _check_features(inputs, preparation.window)
        preparation.check_y(y)
        scaled = {name: values.astype(np.float32) for name, values in preparation.scaled(inputs).items()}
        y = preparation.scalers["y"].transform(y).astype(np.float32)
        if teacher_forcing:
            scaled["target"] = y
        return scaled, y, weight

    if isinstance(stream, keras.utils.PyDataset):
        return StreamWindows(stream, convert)
    return (convert(batch) for batch in stream)
