"""The form of a model that forecasts series which it has never seen, without training."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, NoReturn, Self

import numpy.typing as npt

from seqcast.data.windows import WindowReader
from seqcast.engine import Engine, Labels, ModelInputs, Outcome, TrainingJob
from seqcast.errors import SpecError
from seqcast.specs import TrainingSpec

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class ZeroShotWindows:
    """Windows of single targets, as a model reads them.

    Args:
        past: The known values of each window, `[B, T]`, in the data's units; NaN is missing.
        season: Steps of the season of each, `[B]`; 1 is none.
        longer: Steps of a season that contains it, `[B]`; 0 is none.
        covariates: What `ZeroShotModel.covariates_of` returned, for each window.
        names: Names of the columns of a window reader's arrays.
    """

    past: Array
    season: Array
    longer: Array
    covariates: Any = None
    names: Mapping[str, tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class FinetuneOptions:
    """How a model is fine-tuned.

    Args:
        season_length: Steps of a season.
        horizon: Steps to forecast.
        seeds: Seeds of the network and of the order of windows.
        training: A spec, or the fields that differ from the usual training.
        weighting: `windows` or `series`, as for `SeriesWindows`.
        freeze: Parts of the network that stay as they are.
        covariates: Whether the model learns to read the features beside the targets.
        most_rows: Rows that a forecast may read; `None` for as many as help.
        shares_data: Whether another network learns from the same rows, so that a shorter training does.
    """

    season_length: int
    horizon: int
    seeds: tuple[int, int]
    training: TrainingSpec | Mapping[str, Any] | None = None
    weighting: str = "windows"
    freeze: tuple[str, ...] = ()
    covariates: bool = False
    most_rows: int | None = None
    shares_data: bool = False


class ZeroShotModel(ABC):
    """A model that forecasts any series from its past.

    `forecast` and `version` are all that it needs. What else it can do, it says by the other methods; those that are
    left out refuse by name. It is a dataclass, whose fields go into files, see `seqcast.runtime.parts`.

    Attributes:
        key: Its key in `seqcast.pretrained.MODELS`, which is also the name of a preset, and its key in files.
        version: Version of what it has learnt.
        context_lengths: Numbers of past steps that it reads, the shortest first.
        widest_level: The widest level of intervals that it forecasts, in per cent.
    """

    key: ClassVar[str]
    version: str
    context_lengths: tuple[int, ...] = (512,)
    widest_level: float = 98.0

    @classmethod
    @abstractmethod
    def shipped(cls) -> ZeroShotModel:
        """Return the model that comes with the package."""

    @abstractmethod
    def forecast(self, windows: ZeroShotWindows, horizon: int, probabilities: Sequence[float]) -> Array:
        """Return quantiles in the data's units, `[B, horizon, Q]`.

        Args:
            windows: The windows.
            horizon: Number of steps.
            probabilities: The probability of each quantile, `Q`.
        """

    @property
    def reads_covariates(self) -> bool:
        """Whether it has learnt to read covariates."""
        return False

    def covariates_of(self, inputs: Mapping[str, Array], targets: int) -> Any:
        """Return the covariates of some windows, for a model that reads some; `take` of it returns those of a few.

        Args:
            inputs: Inputs from a window reader, in whose past the targets come first.
            targets: Number of targets.
        """

    def states(self, windows: ZeroShotWindows) -> Array:
        """Return the states after the past of each window, `[B, width]`."""
        self._refuse("encode", "an encoder")

    def model_inputs(
        self, windows: ZeroShotWindows, horizon: int, labels: Labels, *, truth: Array | None
    ) -> ModelInputs:
        """Return what its network reads of some windows, in its own units.

        Args:
            windows: The windows.
            horizon: Number of steps.
            labels: What the windows are called.
            truth: The values of the horizon in the data's units, `[B, horizon]`, where they are known.
        """
        self._refuse("model_inputs", "a network to look into")

    @property
    def networks(self) -> tuple[Engine, ...]:
        """The engine of its network, to look into; none for another kind of model."""
        return ()

    def check_covariates(self, widths: tuple[int, int, int]) -> None:
        """Refuse, by a `ValueError`, other covariates than it has learnt to read.

        Args:
            widths: Features of a past step beside the targets, of a future step, and of a series.
        """

    def finetuning(self, reader: WindowReader, starts: Array, options: FinetuneOptions) -> TrainingJob | None:
        """Return the training from its present weights; `None` where it cannot be trained.

        Args:
            reader: The window reader of the series.
            starts: Position of each series' first validation target.
            options: How it is trained.
        """
        return None

    def finetuned(self, outcome: Outcome) -> Self:
        """Return the model after a training that `finetuning` returned."""
        self._refuse("finetune", "weights to train")

    def _refuse(self, what: str, expected: str) -> NoReturn:
        raise SpecError(
            what,
            expected=f"a model with {expected}",
            received=f"{self.key!r}, which has none",
            hint="Train a network: preset='classic'.",
        )
