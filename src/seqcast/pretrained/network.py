"""A network that forecasts series it never saw: told the season, it reads any unit and any length without training."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any, Self, TypedDict

import numpy as np
import numpy.typing as npt

from seqcast.engine import Engine
from seqcast.pretrained.covariates import CovariateSizes, SeasonalCovariates
from seqcast.pretrained.far_horizons import BLOCKS, Hold, base_after, widened
from seqcast.pretrained.inputs import FUTURE, PAST, STATIC, SeasonalInputs, seasonal_inputs
from seqcast.runtime import check_json, in_threads, open_archive, threads, write_archive
from seqcast.specs import WindowSpec

Array = npt.NDArray[Any]

KIND = "Pretrained"

# Windows that are forecast at once: at least so many, copies included, and at most.
FEW_ROWS, MOST_ROWS = 64, 512


class _Sizes(TypedDict):
    past: int
    future: int
    static: int


class _Header(TypedDict):
    version: str
    context_lengths: list[int]
    covariates: _Sizes
    engine: dict[str, Any]


@dataclass(frozen=True)
class PretrainedNetwork:
    """A trained network and how it is to be told of series.

    Args:
        engine: The engine of the network, with quantiles.
        version: Version of its weights.
        context_lengths: Context lengths that it was trained on, the shortest first; a series is read with the
            shortest one that holds it, or its last steps with the longest.
        covariates: How many covariates it reads, which it has learnt about in a fine-tuning.
    """

    engine: Engine
    version: str
    context_lengths: tuple[int, ...]
    covariates: CovariateSizes = field(default_factory=CovariateSizes)

    @staticmethod
    def window(horizon: int, covariates: CovariateSizes | None = None) -> WindowSpec:
        """Return the sizes of the windows that such a network reads, trained for so many steps."""
        more = covariates or CovariateSizes()
        return WindowSpec(
            horizon=horizon,
            features=len(PAST) + more.past,
            targets=1,
            static=len(STATIC) + more.static,
            future=len(FUTURE) + more.future,
        )

    @property
    def horizon(self) -> int:
        """Steps that it forecasts at once, `H`; more are written in blocks, see `quantiles`."""
        return self.engine.built.window.horizon

    @property
    def segment(self) -> int:
        """Steps that it writes as one; horizons are rounded up to whole ones."""
        return self.engine.network.segment

    def steps(self, horizon: int) -> int:
        """Return how many steps it writes at once for a horizon: whole segments, and a block at most."""
        return min(self.horizon, -(-horizon // self.segment) * self.segment)

    def context(self, length: int) -> int:
        """Return the context length that series of so many known steps are read with."""
        return next((context for context in self.context_lengths if context >= length), self.context_lengths[-1])

    def with_weights(self, weights: Sequence[Array], version: str) -> Self:
        """Return the network with other weights, in the half precision of its file, and a version that names them."""
        engine = self.engine.copy()
        engine.built.model.set_weights([each.astype(np.float16).astype(each.dtype) for each in weights])
        return replace(self, engine=engine, version=version)

    def with_covariates(self, covariates: CovariateSizes) -> Self:
        """Return the network with inputs for covariates, whose weights are zero: it forecasts the same.

        Args:
            covariates: How many; a network that reads as many already is returned as it is.

        Raises:
            ValueError: It reads others already.
        """
        if covariates == self.covariates:
            return self
        if self.covariates:
            raise ValueError(f"a network that reads {self.covariates}, not {covariates}")
        old = self.engine.built.model
        engine = Engine(self.engine.network, self.engine.training, seed=self.engine.seed)
        engine.build(self.window(self.horizon, covariates), steps=1)
        # Steps come in segments; static features meet the encoder's state in the bridge.
        steps = (1 if weight.path.startswith("bridge/") else self.segment for weight in old.weights)
        model = engine.built.model
        pairs = zip(old.get_weights(), model.get_weights(), steps, strict=True)
        model.set_weights([_widened(weight, like.shape, count) for weight, like, count in pairs])
        return replace(self, engine=engine, covariates=covariates)

    def quantiles(
        self,
        past: Array,
        season: Array,
        longer: Array,
        horizon: int,
        probabilities: Sequence[float],
        covariates: SeasonalCovariates | None = None,
    ) -> Array:
        """Forecast quantiles.

        A block after the first one reads the medians before it as if they were known, and is held to them (see
        `seqcast.pretrained.far_horizons.Hold`). How far its quantiles are from its median is added, as independent
        errors are, to how far those of the step before it were. After three blocks the median is what the base says,
        held too, and widths go on as in the third. With covariates of the future the network writes all blocks.

        Args:
            past: The known values of each window, `[B, T]`, in the data's units; NaN is missing.
            season: Steps of the season of each, `[B]`; 1 is none.
            longer: Steps of a season that contains it, `[B]`; 0 is none.
            horizon: Number of steps.
            probabilities: Probabilities of the quantiles, `Qs`.
            covariates: Covariates, for a network that reads some.

        Returns:
            The quantiles, `[B, horizon, Qs]`.
        """
        result = np.empty((len(past), horizon, len(probabilities)))

        def forecast(part: tuple[Array, int]) -> None:
            rows, context = part
            further = None if covariates is None else covariates.take(rows)
            of_rows = (past[rows, -context:], season[rows], longer[rows])
            result[rows] = self._in_blocks(*of_rows, horizon, probabilities, further)

        parts = list(self._by_context(past))
        # What a part reads is worked out while the network forecasts another.
        in_threads(forecast, parts, min(len(parts), threads()))
        return result

    def read(
        self,
        past: Array,
        season: Array,
        longer: Array,
        horizon: int,
        covariates: SeasonalCovariates | None = None,
    ) -> SeasonalInputs:
        """Return what the network reads of windows, all with the context length that the longest one needs.

        Args:
            past: The known values, `[B, T]`.
            season: Steps of the season of each, `[B]`.
            longer: Steps of a season that contains it, `[B]`.
            horizon: Number of steps.
            covariates: Covariates, for a network that reads some.
        """
        context = self.context(max(1, int(_known_lengths(past).max(initial=1))))
        windows = seasonal_inputs(_fitted(past, context), season, longer, horizon)
        return windows if covariates is None else replace(windows, inputs=covariates.beside(windows.inputs))

    def _by_context(self, past: Array) -> Iterator[tuple[Array, int]]:
        """Yield rows that need the same context length, at most as many as are forecast at once, and that length."""
        needed = np.array([self.context(length) for length in _known_lengths(past)])
        for context in np.unique(needed):
            rows = np.flatnonzero(needed == context)
            for first in range(0, len(rows), MOST_ROWS):
                yield rows[first : first + MOST_ROWS], int(context)

    def _in_blocks(
        self,
        past: Array,
        season: Array,
        longer: Array,
        horizon: int,
        probabilities: Sequence[float],
        covariates: SeasonalCovariates | None,
    ) -> Array:
        context = self.context(past.shape[1])
        known, blocks, hold = _fitted(past, context), list[Array](), None
        asked = (*probabilities, 0.5)
        before = np.zeros((len(past), 1, len(asked)))
        # What covariates of the future mean the network alone can tell.
        near = horizon if self.covariates.future else min(horizon, BLOCKS * self.horizon)
        for first in range(0, near, self.horizon):
            steps = self.steps(near - first)
            windows = seasonal_inputs(known[:, -context:], season, longer, steps)
            inputs = dict(windows.inputs)
            if covariates is not None:
                inputs = covariates.after(first).beside(inputs)
            block = windows.in_units(self._forecast(inputs, steps, asked))
            median = block[:, :, -1:]
            own = block - median
            distance = widened(own, before, steps)
            before = distance[:, -1:]
            if first:
                # The season before had other covariates of the future.
                hold = hold or Hold.of(known, season, repeats=not self.covariates.future)
                median = hold(median[:, :, 0], known)[:, :, None]
            blocks.append(median + distance)
            # The next block's seasons begin where this one's go on.
            known = np.concatenate([known, median[:, :, 0]], axis=1)
        if near < horizon:
            assert hold is not None
            rest = base_after(known[:, -self.context_lengths[-1] :], season, longer, horizon - near, context)
            blocks.append(hold(rest, known)[:, :, None] + widened(own, before, horizon - near))
        return np.concatenate(blocks, axis=1)[:, :horizon, :-1]

    def _forecast(self, inputs: Mapping[str, Array], steps: int, asked: Sequence[float]) -> Array:
        """Return quantiles in the windows' units, `[B, steps, Qs]`.

        Few windows are filled up with copies, so that data of any size share two compiled programs.
        """
        count = len(inputs["past"])
        rows = np.resize(np.arange(count), max(count, FEW_ROWS))
        filled = {name: values[rows] for name, values in inputs.items()}
        return np.asarray(self.engine.quantiles(filled, steps, asked)[:count, :, 0])

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold the network, its weights in half precision."""
        header, weights = self.engine.to_parts()
        half = {name: values.astype(np.float16) for name, values in weights.items()}
        sizes = asdict(self.covariates)
        known = {"version": self.version, "context_lengths": list(self.context_lengths), "covariates": sizes}
        return {**known, "engine": header}, half

    @classmethod
    def from_parts(cls, header: Mapping[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Build the network from the result of `to_parts`; arrays in an open file are read once their shapes fit.

        Raises:
            ValueError: They are no parts of one.
        """
        checked: Any = check_json(dict(header), _Header, "pretrained")
        engine = Engine.from_parts(checked["engine"], arrays)
        window, contexts = engine.window, tuple(checked["context_lengths"])
        covariates = CovariateSizes(**checked["covariates"])
        if min(asdict(covariates).values()) < 0:
            raise ValueError(f"covariates {covariates}")
        if window is None or window != cls.window(window.horizon, covariates) or engine.network.head != "quantile":
            raise ValueError("a network that is not told of seasons")
        if not contexts or min(contexts) < 1 or list(contexts) != sorted(set(contexts)):
            raise ValueError(f"context lengths {contexts}")
        return cls(engine, checked["version"], contexts, covariates)

    def save(self, path: str | os.PathLike[str], log: dict[str, Any]) -> None:
        """Write the network.

        Args:
            path: The file.
            log: What is known about its training, JSON types.
        """
        header, arrays = self.to_parts()
        write_archive(path, KIND, {"network": header, "log": log}, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network that `save` wrote.

        Raises:
            FileFormatError: It is no such file, or damaged.
        """
        with open_archive(path, KIND) as archive:
            return cls.from_parts(archive.header["network"], archive.arrays)


def read_log(path: str | os.PathLike[str]) -> dict[str, Any]:
    """Return what `PretrainedNetwork.save` was told about the training.

    Raises:
        FileFormatError: It is no such file, or damaged.
    """
    with open_archive(path, KIND) as archive:
        return dict(archive.header["log"])


def _widened(weight: Array, shape: tuple[int, ...], steps: int) -> Array:
    """Return a weight with zeros for further inputs, which come at the end of each of a token's steps.

    Args:
        weight: The weight; its first axis is what is read.
        shape: Its shape when more is read.
        steps: Steps of a token.
    """
    if weight.shape == shape:
        return weight
    by_step = weight.reshape(steps, -1, *shape[1:])
    zeros = np.zeros((steps, shape[0] // steps - by_step.shape[1], *shape[1:]), weight.dtype)
    return np.concatenate([by_step, zeros], axis=1).reshape(shape)


def _known_lengths(past: Array) -> Array:
    """Return how many steps each window has from its first known value on, `[B]`; 1 at least."""
    known = ~np.isnan(past)
    return np.where(known.any(axis=1), past.shape[1] - np.argmax(known, axis=1), 1)


def _fitted(past: Array, context: int) -> Array:
    """Return windows cut to a context length, or lengthened on the left by missing values."""
    missing = np.full((len(past), max(0, context - past.shape[1])), np.nan)
    return np.concatenate([missing, past[:, -context:]], axis=1)
