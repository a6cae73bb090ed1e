"""Batches of windows for Keras, of arrays or in any seeded order.

A batch is `(inputs, y, sample_weight)`; `inputs` is a dict with `past` `[B, T, F]` and, where there
are any, `observed` `[B, T, F]`, `static` `[B, S]`, `future` `[B, H, F']` and, for teacher forcing,
`target` `[B, H, D]`.
"""

from collections.abc import Hashable, Mapping
from typing import Any

import numpy as np
from typing_extensions import override

from seqcast.data.series import Scaler
from seqcast.data.windows.order import BatchOrder, ShardOrder
from seqcast.runtime import Array, keras

Batch = tuple[dict[str, Array], Array, Array]


class NamedWindows(keras.utils.PyDataset):
    """Batches whose windows and columns have names, for messages; here those of arrays."""

    def counted(self, number: int) -> tuple[Array, Batch]:
        """Return the numbers of the windows of a batch that count, and the batch of these alone.

        Args:
            number: Number of the batch, counted from the first one of the training.
        """
        raise NotImplementedError

    def describe(self, window: int) -> str:
        """Return the name of a window.

        Args:
            window: Number of the window.
        """
        return f"X[{window}]"

    def series(self, windows: Array) -> list[Hashable]:
        """Return the name of the series of each window; none for arrays.

        Args:
            windows: Numbers of the windows, `[B]`.
        """
        return []

    def columns(self, inputs: dict[str, Array], y: Array) -> dict[str, tuple[str, ...]]:
        """Return the name of each column of the inputs and, under `y`, of the targets.

        Args:
            inputs: The inputs of a batch.
            y: Its targets.
        """
        arguments = {
            "past": "X",
            "static": "static_covariates",
            "future": "future_covariates",
            "y": "y",
        }
        names = {}
        for array, values in {**inputs, "y": y}.items():
            if array in arguments:
                columns = range(values.shape[-1])
                names[array] = tuple(f"{arguments[array]}[..., {column}]" for column in columns)
        return names


class NumberedBatches(NamedWindows):
    """Batches that are numbered from the first one of a training on.

    So the position of a training is one number.

    Args:
        steps: Batches an epoch.
    """

    def __init__(self, steps: int) -> None:
        super().__init__(workers=1, use_multiprocessing=False)
        self.steps = steps
        # Number of the first batch of this epoch.
        self.position = 0

    def batch(self, number: int) -> Batch:
        """Return a batch by its number, from 0.

        Args:
            number: Number of the batch, from 0.
        """
        raise NotImplementedError

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, index: int) -> Batch:
        return self.batch(self.position + index)

    def on_epoch_end(self) -> None:
        """Move on to the batches of the next epoch."""
        self.position += len(self)


class Windows(NumberedBatches):
    """Batches of windows for Keras in a seeded order.

    Keras's own shuffling draws from global generators.

    Args:
        order: The windows of each batch.
        teacher_forcing: Whether the inputs hold `target`.
    """

    def __init__(self, order: BatchOrder | ShardOrder, *, teacher_forcing: bool = False) -> None:
        super().__init__(order.steps)
        self.order = order
        self.teacher_forcing = teacher_forcing

    @property
    def count(self) -> int:
        """Number of windows."""
        return self.order.count

    def batch(self, number: int) -> Batch:
        """Return a batch, filled up with copies of its windows that do not count.

        Args:
            number: Number of the batch, from 0.
        """
        windows, counts = self.order.batch(number)
        inputs, y, weight = self._with_targets(windows)
        return inputs, y, np.where(counts, weight, 0.0).astype(np.float32)

    @override
    def counted(self, number: int) -> tuple[Array, Batch]:
        windows, counts = self.order.whole_batch(number)
        return windows[counts], self._with_targets(windows[counts])

    def _with_targets(self, windows: Array) -> Batch:
        """Return windows as one batch, with targets to read under teacher forcing."""
        inputs, y, weight = self.gather(windows)
        if self.teacher_forcing:
            inputs["target"] = self.teacher_targets(inputs, y)
        return inputs, y, weight

    def teacher_targets(self, inputs: dict[str, Array], y: Array) -> Array:
        """Return the targets that a decoder reads under teacher forcing, without gaps.

        Args:
            inputs: The inputs of a batch.
            y: Its targets.
        """
        return np.nan_to_num(y)

    def gather(self, windows: Array) -> Batch:
        """Return the windows with these numbers as one batch.

        Args:
            windows: Numbers of the windows, `[B]`.
        """
        raise NotImplementedError


class ArrayWindows(Windows):
    """Windows of arrays, scaled batch by batch.

    Args:
        inputs: Arrays by name, first axis the windows.
        y: Targets, `[N, H, D]`; NaN is missing.
        sample_weight: Weights, `[N]`; their mean is taken to be 1.
        teacher_forcing: As for `Windows`.
        scalers: Scalers of the inputs and, under `y`, of the targets; they scale batch by batch,
            since scaling all at once would take as much memory again. `None` for arrays that are
            scaled already.
        **order: As for `BatchOrder`.

    Example:
        >>> windows = ArrayWindows({"past": np.zeros((5, 4, 1))}, np.zeros((5, 2, 1)), batch_size=2)
        >>> inputs, y, weight = windows[0]
        >>> len(windows), inputs["past"].shape, weight
        (3, (2, 4, 1), array([1., 0.], dtype=float32))
    """

    def __init__(
        self,
        inputs: dict[str, Array],
        y: Array,
        sample_weight: Array | None = None,
        *,
        teacher_forcing: bool = False,
        scalers: Mapping[str, Scaler] | None = None,
        **order: Any,
    ) -> None:
        super().__init__(BatchOrder(len(y), **order), teacher_forcing=teacher_forcing)
        self.inputs = inputs
        self.y = y
        self.scalers = scalers or {}
        if sample_weight is None:
            sample_weight = np.ones(len(y))
        self.sample_weight = np.asarray(sample_weight, dtype=float)

    @override
    def gather(self, windows: Array) -> Batch:
        inputs = {name: self._scaled(name, values, windows) for name, values in self.inputs.items()}
        return inputs, self._scaled("y", self.y, windows), self.sample_weight[windows]

    def _scaled(self, name: str, values: Array, windows: Array) -> Array:
        own = np.take(values, windows, axis=0)
        if name in self.scalers:
            own = self.scalers[name].transform(own)
        return own.astype(np.float32, copy=False)
