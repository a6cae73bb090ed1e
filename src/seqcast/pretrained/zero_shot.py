"""The form of a model that forecasts series which it has never seen, without training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import ClassVar, Self

from seqcast.data.windows import WindowReader
from seqcast.engine import Engine, Labels, ModelInputs, Outcome, TrainingJob
from seqcast.intervals import Dependence
from seqcast.pretrained.seasonal_inputs import CovariateSizes
from seqcast.runtime import Array
from seqcast.specs import TrainingSpec


@dataclass(frozen=True)
class ZeroShotWindows:
    """Windows of single targets, as a model reads them.

    Args:
        past: The known values of each window, `[B, T]`, in the data's units; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        covariates: The features of each window other than the targets: `past` `[B, T, f]`, `future`
            `[B, H, f']` and `static` `[B, s]`, where there are any; empty for a model that reads
            none.
        names: Names of the columns of a window reader's arrays.
    """

    past: Array
    season: Array
    longer: Array
    covariates: Mapping[str, Array] = field(default_factory=dict)
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    def take(self, rows: Array | slice) -> Self:
        """Return some of the windows; `rows` is an index array, a mask or a slice."""
        past, season, longer = (values[rows] for values in (self.past, self.season, self.longer))
        covariates = {name: values[rows] for name, values in self.covariates.items()}
        return replace(self, past=past, season=season, longer=longer, covariates=covariates)


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """How a model is fine-tuned.

    Args:
        season_length: Steps of a season.
        horizon: Steps to forecast.
        seeds: Seeds of the network and of the order of windows.
        training: A spec, or the fields that differ from the usual training.
        weighting: `windows` or `series`, as for `SeriesWindows`.
        freeze: Submodules of the network that stay as they are.
        covariates: Whether the model learns to read the features other than the targets.
        most_rows: Rows that a forecast may read; `None` for as many as help.
        shares_data: Whether another network learns from the same rows, so that a shorter training
            suffices.
    """

    season_length: int
    horizon: int
    seeds: tuple[int, int]
    training: TrainingSpec | Mapping[str, object] | None = None
    weighting: str = "windows"
    freeze: tuple[str, ...] = ()
    covariates: bool = False
    most_rows: int | None = None
    shares_data: bool = False


class ZeroShotModel(ABC):
    """A model that forecasts any series from its past.

    `shipped`, `forecast` and `version` are all that it needs. A model with an `engine` has `states`
    and `model_inputs` too, and may have `finetuning` and `finetuned`. It is a dataclass, whose
    fields go into files, see `seqcast.runtime.payload`.

    Attributes:
        key: Its key in `seqcast.pretrained.MODELS`, which is also the name of a preset, and its key
            in files.
        version: Version of its weights.
        context_lengths: Numbers of past steps that it reads, the shortest first.
        covariates: Numbers of the covariates that it has learned to read.
        dependence: The dependence between steps of its sample paths.
        engine: The engine of its network, for inspection; `None` for another kind of model.
    """

    key: ClassVar[str]
    version: str
    context_lengths: tuple[int, ...] = (512,)
    covariates: CovariateSizes = CovariateSizes()
    dependence: Dependence = Dependence()
    engine: Engine | None = None

    @property
    def widest_level(self) -> float:
        """The widest level of intervals, in per cent: that of a network's outermost quantiles."""
        quantiles = (0.01, 0.99) if self.engine is None else self.engine.network.quantiles
        return round(200 * max(quantiles or (0.5,)) - 100, 9)

    @classmethod
    @abstractmethod
    def shipped(cls) -> ZeroShotModel:
        """Return the model that comes with the package."""

    @abstractmethod
    def forecast(
        self, windows: ZeroShotWindows, horizon: int, probabilities: Sequence[float]
    ) -> Array:
        """Return quantiles in the data's units, `[B, horizon, Q]`.

        Args:
            windows: The windows.
            horizon: Number of steps.
            probabilities: The probability of each quantile, `Q`.
        """

    def states(self, windows: ZeroShotWindows) -> Array:
        """Return the states after the past of each window, `[B, width]`."""
        raise NotImplementedError

    def model_inputs(
        self, windows: ZeroShotWindows, horizon: int, labels: Labels, *, truth: Array | None
    ) -> ModelInputs:
        """Return the inputs of its network for some windows, in its own units.

        Args:
            windows: The windows.
            horizon: Number of steps.
            labels: Labels of the windows.
            truth: The values of the horizon in the data's units, `[B, horizon]`, where they are
                known.
        """
        raise NotImplementedError

    def finetuning(
        self, reader: WindowReader, starts: Array, options: FinetuneOptions
    ) -> TrainingJob | None:
        """Return the training from its present weights; `None` where it cannot be trained.

        Args:
            reader: The window reader of the series.
            starts: Position of each series' first validation target.
            options: How it is trained.
        """
        return None

    def finetuned(self, outcome: Outcome) -> Self:
        """Return the model after a training that `finetuning` returned."""
        raise NotImplementedError
