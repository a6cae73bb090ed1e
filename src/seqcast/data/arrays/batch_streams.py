"""Streams of a user's batches, for data that do not fit in memory: `PyDataset` or generator."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
from typing_extensions import override

from seqcast.data.arrays.array_checks import as_array, as_weights, check_targets
from seqcast.data.arrays.preparation import Preparation
from seqcast.data.windows import Batch, NumberedBatches
from seqcast.errors import DataError, SpecError
from seqcast.runtime import Array, keras
from seqcast.specs import WindowSpec, check_int

# Batches of a stream from which sizes and scaling are learned.
_FIRST_BATCHES = 10

# A batch of a user: `(past, y)` or `(past, y, weight)`.
UserBatch = Any
# A `keras.utils.PyDataset` or a generator of such batches; Keras has no types.
UserStream = Any


class StreamWindows(NumberedBatches):
    """A user's batches, converted by a function, in the user's order.

    An epoch of fewer or more steps than the stream has batches ends within a pass over it. The next
    epoch continues after the last batch that was read, and the first batch follows the last one of
    the stream, so that every epoch has the same number of steps.

    Args:
        stream: A `keras.utils.PyDataset` of batches.
        convert: Converts a user's batch to one for the network.
        steps: Batches an epoch; `None` is one pass over the stream.

    Raises:
        SpecError: The stream has no end, and there are no steps.
    """

    def __init__(
        self, stream: UserStream, convert: Callable[[UserBatch], Batch], steps: int | None = None
    ) -> None:
        count = batch_count(stream)
        super().__init__(check_steps(count if steps is None else steps))
        self.workers = stream.workers
        self.max_queue_size = stream.max_queue_size
        self.stream = stream
        self.convert = convert
        self.count = count

    def batch(self, number: int) -> Batch:
        """Return a batch.

        Args:
            number: Number of the batch, counted from the first one of the training.
        """
        return self.convert(self.stream[number if self.count is None else number % self.count])

    def counted(self, number: int) -> tuple[Array, Batch]:
        """Return the rows of a batch, and the batch.

        Args:
            number: Number of the batch.
        """
        batch = self.batch(number)
        return np.arange(len(batch[1])), batch

    @override
    def describe(self, window: int) -> str:
        return f"row {window} of the batch"

    def on_epoch_begin(self) -> None:
        """Pass the event on."""
        self.stream.on_epoch_begin()

    @override
    def on_epoch_end(self) -> None:
        super().on_epoch_end()
        self.stream.on_epoch_end()


def is_stream(X: Any) -> bool:
    """Return whether X is a stream of batches rather than an array.

    Args:
        X: The user's data.
    """
    return isinstance(X, keras.utils.PyDataset) or hasattr(X, "__next__")


def batch_count(stream: UserStream) -> int | None:
    """Return the number of batches of a stream; `None` where it is unknown, or there is no end.

    Args:
        stream: A `keras.utils.PyDataset`, of `num_batches` or a length, or a generator.

    Raises:
        SpecError: The number is none.

    Example:
        >>> batch_count(iter([]))
    """
    try:
        count = getattr(stream, "num_batches", None)
    except NotImplementedError:
        # A PyDataset with neither.
        return None
    return None if count is None else check_int("num_batches", count, at_least=0)


def check_steps(steps: int | None) -> int:
    """Return the steps of an epoch, which batches without an end need.

    Args:
        steps: The option `steps_per_epoch`.

    Raises:
        SpecError: There are none.
    """
    if steps is None:
        raise SpecError(
            "steps_per_epoch",
            expected="a whole number for a generator, or a PyDataset without num_batches",
            received="None",
            hint="It does not say how long it is.",
        )
    return steps


def check_in_batches(static: Any, future: Any, weight: Any) -> None:
    """Reject separate covariates and weights, which a stream's batches have to contain.

    Args:
        static: Static covariates.
        future: Future covariates.
        weight: Weights of windows.

    Example:
        >>> check_in_batches(None, None, np.ones(3))
        Traceback (most recent call last):
        seqcast.errors.DataError: sample_weight: expected none, since the batches have their ...
    """
    given = {"static_covariates": static, "future_covariates": future, "sample_weight": weight}
    for name, values in given.items():
        if values is not None:
            batch = "({'past': ..., 'static': ..., 'future': ...}, y, weight)"
            raise DataError(
                name,
                expected="none, since the batches have their own",
                received="a list or array",
                hint=f"Let each batch hold its own: {batch}.",
            )


def first_batches(
    stream: UserStream, steps_per_epoch: int | None
) -> tuple[list[Batch], UserStream]:
    """Return the first batches and the whole stream, the first batches included.

    Args:
        stream: A `keras.utils.PyDataset` or a generator.
        steps_per_epoch: Needed for a generator, or a `PyDataset` without an end.

    Returns:
        The first batches, checked, and the whole stream.

    Raises:
        SpecError: A stream without an end comes without `steps_per_epoch`.
        DataError: There is no batch, or a batch is wrong.
    """
    count = batch_count(stream)
    if count is None:
        check_steps(steps_per_epoch)

    if isinstance(stream, keras.utils.PyDataset):
        most = _FIRST_BATCHES if count is None else min(count, _FIRST_BATCHES)
        first = [stream[number] for number in range(most)]
    else:
        first = list(itertools.islice(stream, _FIRST_BATCHES))
        stream = itertools.chain(first, stream)

    if not first:
        raise DataError(
            "X", expected="at least one batch", received="none", hint="Look at the stream's length."
        )

    return [split_batch(batch) for batch in first], stream


def split_batch(batch: UserBatch) -> Batch:
    """Check a user's batch and return a dict of inputs, y with three axes, and weights.

    Args:
        batch: `(past, y)` or `(past, y, weight)`; the past may be a dict of inputs.

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

    ranks = {"past": (3,), "static": (2,), "future": (3,)}
    arrays = {
        name: as_array(f"batch, {name}", each, ranks[name], finite=True)
        for name, each in inputs.items()
    }

    y, _ = check_targets(batch[1], len(arrays["past"]))
    # Unlike those of a whole fit, the weights of a batch are not scaled and may all be zero.
    given = batch[2] if len(batch) == 3 else np.ones(len(y))
    weight = as_weights("batch, weight", given, len(y), "weights >= 0", zeros=True)
    return arrays, y, weight.astype(np.float32)


def _check_features(inputs: dict[str, Array], window: WindowSpec) -> None:
    """Reject a batch with other inputs, or other numbers of features, than the first ones."""
    sizes = {"past": window.features, "static": window.static, "future": window.future}
    expected = _sizes_text(sizes)
    received = _sizes_text({name: inputs[name].shape[-1] for name in sizes if name in inputs})
    if received != expected:
        raise DataError(
            "batch",
            expected=f"features of {expected}",
            received=received,
            hint="Let all batches have the same inputs.",
        )


def _sizes_text(sizes: dict[str, int]) -> str:
    return ", ".join(f"{name!r}: {size}" for name, size in sizes.items() if size)


def scaled_stream(
    stream: UserStream, preparation: Preparation, *, teacher_forcing: bool, steps: int | None = None
) -> StreamWindows | Iterator[Batch]:
    """Return a stream whose batches are checked and scaled.

    Args:
        stream: A `keras.utils.PyDataset` or a generator of a user's batches.
        preparation: The preparation that a fit has learned.
        teacher_forcing: Whether the decoder reads the true targets.
        steps: Batches an epoch of a `PyDataset`; `None` is one pass.

    Returns:
        The stream, of the same kind, of `(inputs, y, weight)`.
    """

    def convert(batch: UserBatch) -> Batch:
        inputs, y, weight = split_batch(batch)
        _check_features(inputs, preparation.window)
        preparation.check_y(y)
        scaled = {
            name: values.astype(np.float32) for name, values in preparation.scaled(inputs).items()
        }

        y = preparation.scalers["y"].transform(y).astype(np.float32)
        if teacher_forcing:
            scaled["target"] = y
        return scaled, y, weight

    if isinstance(stream, keras.utils.PyDataset):
        return StreamWindows(stream, convert, steps)
    return (convert(batch) for batch in stream)
