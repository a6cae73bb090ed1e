"""The zero-shot model that comes with the package: its network behind the form that all such models have."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import astuple, dataclass
from typing import Any, ClassVar, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.windows import WindowReader
from seqcast.engine import Engine, Labels, ModelInputs, Outcome, TrainingJob
from seqcast.pretrained.covariates import SeasonalCovariates
from seqcast.pretrained.finetuning import FinetuneJob
from seqcast.pretrained.inputs import FUTURE, PAST, STATIC, SeasonalInputs
from seqcast.pretrained.model import FinetuneOptions, ZeroShotModel, ZeroShotWindows
from seqcast.pretrained.network import PretrainedNetwork
from seqcast.pretrained.weights import load_pretrained

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class PretrainedModel(ZeroShotModel):
    """The network that has learnt from synthetic series alone, fine-tuned or not.

    Args:
        network: The network.

    Example:
        >>> model = PretrainedModel.shipped()
        >>> windows = ZeroShotWindows(np.tile([1.0, 5.0, 3.0], (1, 8)), np.array([3]), np.array([0]))
        >>> model.forecast(windows, 3, (0.5,)).round().ravel().tolist()
        [1.0, 5.0, 3.0]
    """

    key: ClassVar[str] = "pretrained"
    network: PretrainedNetwork

    @classmethod
    def shipped(cls) -> Self:
        """Return the model with the weights that come with the package."""
        return cls(load_pretrained())

    @property
    def version(self) -> str:  # type: ignore[override]
        """Version of its weights."""
        return self.network.version

    @property
    def context_lengths(self) -> tuple[int, ...]:  # type: ignore[override]
        """Numbers of past steps that it reads, the shortest first."""
        return self.network.context_lengths

    @property
    def widest_level(self) -> float:  # type: ignore[override]
        """The widest level of intervals, in per cent."""
        return round(200 * max(self.network.engine.network.quantiles or (0.5,)) - 100, 9)

    @property
    def networks(self) -> tuple[Engine, ...]:
        """The engine of its network."""
        return (self.network.engine,)

    def forecast(self, windows: ZeroShotWindows, horizon: int, probabilities: Sequence[float]) -> Array:
        """Return quantiles in the data's units, `[B, horizon, Q]`."""
        return self.network.quantiles(
            windows.past, windows.season, windows.longer, horizon, probabilities, covariates=windows.covariates
        )

    @property
    def reads_covariates(self) -> bool:
        """Whether it was fine-tuned with covariates."""
        return bool(self.network.covariates)

    def covariates_of(self, inputs: Mapping[str, Array], targets: int) -> SeasonalCovariates:
        """Return the covariates of some windows."""
        return SeasonalCovariates.of(inputs, targets)

    def states(self, windows: ZeroShotWindows) -> Array:
        """Return the states of the encoder after the past of each window."""
        read = self._read(windows, 1)
        states = self.network.engine.encode({name: read.inputs[name] for name in ("past", "static")})
        return np.asarray(states.vector())

    def model_inputs(
        self, windows: ZeroShotWindows, horizon: int, labels: Labels, *, truth: Array | None
    ) -> ModelInputs:
        """Return what the network reads of some windows, in its own units."""
        read, names = self._read(windows, horizon), windows.names
        return ModelInputs(
            self.network.engine,
            dict(read.inputs),
            horizon,
            labels,
            features=(*PAST, *names.get("past", ())[len(names.get("y", ())) :]),
            targets=("value",),
            known_future=(*FUTURE, *names.get("future", ())),
            truth=None if truth is None else read.scaled(truth)[:, :, None],
            static=(*STATIC, *names.get("static", ())),
        )

    def _read(self, windows: ZeroShotWindows, horizon: int) -> SeasonalInputs:
        return self.network.read(windows.past, windows.season, windows.longer, horizon, covariates=windows.covariates)

    def check_covariates(self, widths: tuple[int, int, int]) -> None:
        """Refuse other covariates than it was fine-tuned with."""
        if self.network.covariates and astuple(self.network.covariates) != widths:
            raise ValueError(f"a network that reads {self.network.covariates}, which the series have not")

    def finetuning(self, reader: WindowReader, starts: Array, options: FinetuneOptions) -> TrainingJob:
        """Return the training from its present weights."""
        return FinetuneJob.of(self.network, reader, starts, options)

    def finetuned(self, outcome: Outcome) -> Self:
        """Return the model after its fine-tuning."""
        assert isinstance(outcome.job, FinetuneJob)
        return type(self)(outcome.job.finetuned(outcome.engine.weights))
