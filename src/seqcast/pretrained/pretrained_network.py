"""The pretrained network, which reads any unit, length and season; the table of such models."""

from __future__ import annotations

import functools
import hashlib
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from importlib import resources
from typing import Any, ClassVar, Self, TypeGuard

import numpy as np

from seqcast.data import Season
from seqcast.data.windows import WindowReader
from seqcast.engine import Engine, Labels, ModelInputs, Outcome, TrainingJob
from seqcast.errors import SpecError
from seqcast.intervals import Dependence
from seqcast.pretrained.finetuning import (
    ROBUST_SHARE,
    SEASONS_READ,
    finetune_training,
    window_options,
)
from seqcast.pretrained.seasonal_inputs import (
    FUTURE,
    PAST,
    STATIC,
    CovariateSizes,
    SeasonalInputs,
    add_covariates,
    column_names,
    last_steps,
    seasonal_inputs,
    seasonal_reader,
    shared_inputs,
)
from seqcast.pretrained.zero_shot import FinetuneOptions, ZeroShotModel, ZeroShotWindows
from seqcast.runtime import (
    Array,
    Payload,
    check_fields,
    in_threads,
    one_blas_thread,
    open_archive,
    write_archive,
)
from seqcast.specs import WindowSpec

# Returns the inputs of windows: their past, seasons and longer seasons, and the horizon.
InputsOf = Callable[[Array, Array, Array, int], SeasonalInputs]

KIND = "Pretrained"

WEIGHTS = resources.files("seqcast.pretrained") / "weights.seqcast"

SHA256 = "164e7d5c54c4172cb1cba100347d4823d9e8280e9edca1383ef7178ab307fdf9"
"""Digest of the file of weights that comes with this version of the package."""

# Fewest windows that are forecast at once, copies included.
FEW_ROWS = 32
# Most windows that are forecast at once.
MOST_ROWS = 512
# Suffix of the version of fine-tuned weights.
FINETUNED = ", fine-tuned"


@dataclass(frozen=True)
class PretrainedNetwork(ZeroShotModel):
    """A network that has learned from synthetic series alone, or is fine-tuned on data.

    Args:
        engine: The engine of the network, with quantiles.
        version: Version of its weights.
        context_lengths: Context lengths that it was trained on, the shortest first; a series is
            read with the shortest one that contains it, or its last steps with the longest.
        covariates: Numbers of the covariates that it has learned to read in a fine-tuning.
        dependence: The dependence between steps of its sample paths, learned from synthetic series
            too.

    Example:
        >>> network = PretrainedNetwork.shipped()
        >>> past = np.tile([1.0, 5.0, 3.0], (1, 8))
        >>> windows = ZeroShotWindows(past, season=np.array([3]), longer=np.array([0]))
        >>> network.forecast(windows, 3, (0.5,)).round().ravel().tolist()
        [1.0, 5.0, 3.0]
    """

    key: ClassVar[str] = "pretrained"
    # Required, though other models have defaults for them.
    engine: Engine = field()
    version: str = field()
    context_lengths: tuple[int, ...] = field()
    covariates: CovariateSizes = field(default_factory=CovariateSizes)
    dependence: Dependence = field(default_factory=Dependence)

    @classmethod
    def shipped(cls) -> PretrainedNetwork:
        """Return the network with the weights that come with the package."""
        return load_pretrained()

    @staticmethod
    def window(horizon: int, covariates: CovariateSizes | None = None) -> WindowSpec:
        """Return the sizes of the windows that such a network reads for a trained horizon."""
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
        """Steps that it was trained to write, `H`; it writes any number."""
        return self.engine.built.window.horizon

    @property
    def segment(self) -> int:
        """Steps that it writes as one; horizons are rounded up to whole segments."""
        # Of the network that was built: in a file, its weights were compared with it.
        return self.engine.built.model.network.segment

    def steps(self, horizon: int) -> int:
        """Return the number of steps that it writes for a horizon: whole segments."""
        return -(-horizon // self.segment) * self.segment

    def context(self, length: int) -> int:
        """Return the context length that series of a number of known steps are read with."""
        return next(
            (context for context in self.context_lengths if context >= length),
            self.context_lengths[-1],
        )

    def with_weights(self, weights: Sequence[Array], version: str) -> Self:
        """Return the network with other weights, in half precision, and their version."""
        engine = self.engine.copy()
        engine.built.model.set_weights(
            [each.astype(np.float16).astype(each.dtype) for each in weights]
        )
        return replace(self, engine=engine, version=version)

    def with_covariates(self, covariates: CovariateSizes) -> Self:
        """Return the network with inputs for covariates, whose weights are zero.

        It forecasts the same.

        Args:
            covariates: Their numbers; a network that already reads them is returned unchanged.

        Raises:
            ValueError: It already reads others.
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
        model.set_weights(
            [_with_more_inputs(weight, like.shape, count) for weight, like, count in pairs]
        )

        return replace(self, engine=engine, covariates=covariates)

    # Forecasts

    def forecast(
        self, windows: ZeroShotWindows, horizon: int, probabilities: Sequence[float]
    ) -> Array:
        """Return quantiles in the data's units, `[B, horizon, Q]`.

        The decoder writes all steps at once, also more than it was trained to.

        Args:
            windows: The windows.
            horizon: Number of steps.
            probabilities: The probability of each quantile, `Q`.
        """
        result = np.empty((len(windows.past), horizon, len(probabilities)))
        inputs_of = shared_inputs()

        def write(piece: tuple[Array, int]) -> None:
            rows, context = piece
            own = windows.take(rows)
            past = last_steps(own.past, context, np.nan)
            read = self._read(own, past, self.steps(horizon), inputs_of)
            result[rows] = self._quantiles(read, probabilities)[:, :horizon]

        pieces = list(self._by_context(windows.past))
        # The inputs of a piece are computed while the network forecasts another one.
        with one_blas_thread():
            in_threads(write, pieces)
        return result

    def _by_context(self, past: Array) -> Iterator[tuple[Array, int]]:
        """Yield rows that need the same context length, not too many at once, and that length."""
        needed = np.array([self.context(length) for length in _known_lengths(past)])
        for context in np.unique(needed):
            rows = np.flatnonzero(needed == context)
            for first in range(0, len(rows), MOST_ROWS):
                yield rows[first : first + MOST_ROWS], int(context)

    def _read(
        self,
        windows: ZeroShotWindows,
        past: Array,
        horizon: int,
        inputs_of: InputsOf = seasonal_inputs,
    ) -> SeasonalInputs:
        """Return the inputs of windows with this past."""
        read = inputs_of(past, windows.season, windows.longer, horizon)
        if not windows.covariates:
            return read
        return replace(read, inputs=add_covariates(read.inputs, windows.covariates))

    def _quantiles(self, read: SeasonalInputs, probabilities: Sequence[float]) -> Array:
        """Return quantiles in the data's units, `[B, steps, Q]`.

        Few windows are filled up with copies, so that data of any size share two compiled programs.
        """
        count, steps = read.base.shape
        rows = np.resize(np.arange(count), max(count, FEW_ROWS))
        filled = {name: values[rows] for name, values in read.inputs.items()}
        return read.in_units(
            np.asarray(self.engine.quantiles(filled, steps, probabilities)[:count, :, 0])
        )

    # Inspection

    def states(self, windows: ZeroShotWindows) -> Array:
        """Return the states of the encoder after the past of each window, `[B, width]`."""
        read = self._read_together(windows, 1)
        states = self.engine.encode({name: read.inputs[name] for name in ("past", "static")})
        return np.asarray(states.vector())

    def model_inputs(
        self, windows: ZeroShotWindows, horizon: int, labels: Labels, *, truth: Array | None
    ) -> ModelInputs:
        """Return the inputs of the network for some windows, in its own units."""
        read = self._read_together(windows, horizon)
        names = column_names(windows.names)
        return ModelInputs(
            self.engine,
            dict(read.inputs),
            horizon,
            labels,
            features=names["past"],
            targets=names["y"],
            known_future=names["future"],
            truth=None if truth is None else read.scaled(truth)[:, :, None],
            static=names["static"],
        )

    def _read_together(self, windows: ZeroShotWindows, horizon: int) -> SeasonalInputs:
        """Return the inputs of windows, all with the context length that the longest one needs."""
        context = self.context(int(_known_lengths(windows.past).max(initial=1)))
        return self._read(windows, last_steps(windows.past, context, np.nan), horizon)

    # Fine-tuning

    def finetuning(
        self, reader: WindowReader, starts: Array, options: FinetuneOptions
    ) -> TrainingJob:
        """Return the training from its present weights.

        Longer horizons than its own are cut to it. If another network learns from the data too, the
        new weights are mixed half and half with the present ones, unless covariates are learned.

        Raises:
            SpecError: Covariates are to be learned, and submodules of the network are frozen.
        """
        learns = options.covariates and not self.covariates
        if learns and options.freeze:
            raise SpecError(
                "freeze",
                expected=(
                    "() where covariates are learned: their weights, zero at first, are in encoder "
                    "and decoder"
                ),
                received=repr(tuple(options.freeze)),
                hint="Fine-tune all submodules first, and freeze some in a second fine-tuning.",
            )

        network = self.with_covariates(CovariateSizes.of(reader)) if options.covariates else self
        block = min(options.horizon, self.horizon)
        context = self._training_context(reader, block, options)
        reader = seasonal_reader(reader, covariates=options.covariates).with_context(context)

        windows = reader.index(block, stops=starts).count
        training = finetune_training(
            windows, options.training, covariates=learns, shares_data=options.shares_data
        )

        return TrainingJob(
            reader=reader,
            starts=starts,
            window=self.window(self.steps(block), network.covariates),
            network=self.engine.network,
            training=training,
            seeds=options.seeds,
            weighting=options.weighting,
            weights=network.engine.weights,
            freeze=tuple(options.freeze),
            title="the pretrained network",
            log_name="pretrained",
            observers_only=True,
            horizon=block,
            kind=window_options(Season.of(options.season_length), self.steps(block)),
            share=ROBUST_SHARE if options.shares_data and not learns else 1.0,
        )

    def _training_context(self, reader: WindowReader, block: int, options: FinetuneOptions) -> int:
        """Return the context length of training windows: three seasons, or more for long series.

        Args:
            reader: The window reader of the series.
            block: Steps of future that windows have.
            options: As for `finetuning`; `most_rows` limits the length.
        """
        rows = min(int(reader.lengths.max()), 2 * reader.context_length + block)
        seasonal = self.context(min(rows, SEASONS_READ * options.season_length))
        many = [length for length in self.context_lengths if length <= (rows - block) // 2]
        longest = self.context(options.most_rows or self.context_lengths[-1])
        return min(longest, max([seasonal, *many]))

    def finetuned(self, outcome: Outcome) -> Self:
        """Return the network after its fine-tuning."""
        network = self.with_covariates(CovariateSizes.of(outcome.job.reader))
        version = self.version.removesuffix(FINETUNED) + FINETUNED
        return network.with_weights(outcome.job.mixed(outcome.engine.weights), version)

    # Files

    def to_payload(self) -> Payload:
        """Return JSON types and arrays of the network, its weights in half precision."""
        engine, weights = self.engine.to_payload()
        half = {name: values.astype(np.float16) for name, values in weights.items()}
        header = {
            "version": self.version,
            "context_lengths": list(self.context_lengths),
            "engine": engine,
            "covariates": asdict(self.covariates),
            "dependence": asdict(self.dependence),
        }
        return header, half

    @classmethod
    def from_payload(cls, header: Mapping[str, object], arrays: Mapping[str, Array]) -> Self:
        """Build the network from the result of `to_payload`.

        Arrays in an open file are read once their shapes fit.

        Raises:
            ValueError: They are not those of such a network.
        """
        kinds: dict[str, object] = {
            "version": str,
            "context_lengths": tuple[int, ...],
            "engine": dict[str, Any],
            "covariates": CovariateSizes,
            "dependence": Dependence,
        }
        checked = check_fields(dict(header), kinds, "pretrained")
        network = cls(Engine.from_payload(checked.pop("engine"), arrays), **checked)

        window = network.engine.window
        contexts = network.context_lengths
        if min(asdict(network.covariates).values()) < 0:
            raise ValueError(f"covariates {network.covariates}")
        fits = window is not None and window == cls.window(window.horizon, network.covariates)
        if not fits or network.engine.network.head != "quantile":
            raise ValueError("a network that does not read seasons")
        if not contexts or min(contexts) < 1 or list(contexts) != sorted(set(contexts)):
            raise ValueError(f"context lengths {contexts}")

        return network

    def save(self, path: str | os.PathLike[str], log: Mapping[str, object]) -> None:
        """Write the network.

        Args:
            path: The file.
            log: The log of its training, JSON types.
        """
        header, arrays = self.to_payload()
        write_archive(path, KIND, {"network": header, "log": log}, arrays)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a network that `save` wrote.

        Raises:
            FileFormatError: It is no such file, or damaged.
        """
        with open_archive(path, KIND) as (header, arrays):
            return cls.from_payload(header["network"], arrays)


@functools.cache
def load_pretrained() -> PretrainedNetwork:
    """Return the network that comes with the package.

    It is read once a process and never trained, so any number of forecasters and threads share it.

    Example:
        >>> network = load_pretrained()
        >>> network.horizon, network.context_lengths
        (192, (16, 32, 64, 128, 256, 512, 1024, 2048))
    """
    with resources.as_file(WEIGHTS) as path:
        return PretrainedNetwork.load(path)


def weights_are_intact() -> bool:
    """Return whether the file of weights is that of this version of the package.

    Example:
        >>> weights_are_intact()
        True
    """
    try:
        return hashlib.sha256(WEIGHTS.read_bytes()).hexdigest() == SHA256
    except OSError:
        return False


def training_log() -> dict[str, Any]:
    """Return the log of the training of the network that comes with the package, JSON types.

    Returns:
        The epochs with their losses, the seconds, the specs of network and training, and the
        machine.

    Example:
        >>> log = training_log()
        >>> log["training"]["optimizer"], log["network"]["head"]
        ('muon', 'quantile')
    """
    with resources.as_file(WEIGHTS) as path, open_archive(path, KIND) as (header, _):
        return dict(header["log"])


def _with_more_inputs(weight: Array, shape: tuple[int, ...], steps: int) -> Array:
    """Return a weight with zeros for more inputs, which come at the end of each of a token's steps.

    Args:
        weight: The weight; its first axis is that of the inputs.
        shape: Its shape with more inputs.
        steps: Steps of a token.
    """
    if weight.shape == shape:
        return weight
    by_step = weight.reshape(steps, -1, *shape[1:])
    zeros = np.zeros((steps, shape[0] // steps - by_step.shape[1], *shape[1:]), weight.dtype)
    return np.concatenate([by_step, zeros], axis=1).reshape(shape)


def _known_lengths(past: Array) -> Array:
    """Return the steps of each window from its first known value on, `[B]`; 1 at least."""
    known = ~np.isnan(past)
    return np.where(known.any(axis=1), past.shape[1] - np.argmax(known, axis=1), 1)


DEFAULT_MODEL = PretrainedNetwork.key
"""The model that `preset="auto"` compares with others."""

MODELS: dict[str, type[ZeroShotModel]] = {PretrainedNetwork.key: PretrainedNetwork}
"""The class of each zero-shot model; CONTRIBUTING has the recipe."""


def is_zero_shot(preset: object) -> TypeGuard[str]:
    """Return whether a preset names a model that is not trained on the data.

    Example:
        >>> is_zero_shot("pretrained"), is_zero_shot("classic")
        (True, False)
    """
    return isinstance(preset, str) and preset in MODELS
