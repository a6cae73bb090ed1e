"""The form of a candidate, before a fit and after it.

A `Candidate` says whether it applies, which rows it reads and which networks it trains. A
`FittedCandidate` forecasts windows of series in scaled units. Callers loop over all candidates; no
other module knows their names.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, ClassVar, NoReturn, Self

from seqcast.data.windows import Origins, WindowReader
from seqcast.engine import Engine, ModelInputs, Outcome, SeriesLabels, TrainingJob
from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.training_rows import FitRows, PlannedRows
from seqcast.intervals import Calibration, Dependence, ForecastRequest
from seqcast.runtime import Array
from seqcast.specs import NetworkSpec, TrainingSpec
from seqcast.training import History

# The dependence of the steps of sample paths before any is learned, as in `benchmarks/totals.py` on
# held-back rows.
USUAL_DEPENDENCE = Dependence(shared=0.1, persistence=0.3)


class FittedCandidate(ABC):
    """A candidate after a fit, which forecasts windows of series in the units of scaled series.

    It is a dataclass, whose fields go into files, see `seqcast.runtime.payload`.

    Attributes:
        key: The key of its candidate in the table.
        has_mean: Whether its point is the mean in scaled units, where a mean is requested.
        intervals: The calibration of each target, where intervals are laid around a point.
        histories: The training history of each of its networks.
        trainings: The training of each network that learned from the rows of the fit alone; such a
            network reads all features.
    """

    key: ClassVar[str]
    has_mean: ClassVar[bool] = False
    is_trained: bool = False  # whether it was trained on rows of the fit
    intervals: tuple[Calibration, ...] = ()
    histories: tuple[History, ...] = ()
    trainings: tuple[TrainingSpec, ...] = ()

    @property
    def caution(self) -> float:
        """Factor of its hold-out loss where it is compared with other versions of its candidate."""
        return 1.0

    @property
    def name(self) -> str:
        """Its name in `Choice.shares`."""
        return self.key

    # Forecasts

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return point and bounds of a request in scaled units, `[B, H, D, 1 + 2 L]`.

        Unknown bounds are left out.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        return self.quantiles(reader, origins, request.probabilities_with_point)

    def quantiles(
        self, reader: WindowReader, origins: Origins, probabilities: Sequence[float]
    ) -> Array:
        """Return quantiles in scaled units, `[B, H, D, Q]`.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
            probabilities: The probability of each quantile, `Q`.
        """
        raise NotImplementedError

    def states(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the encoders' states after each window's past, `[B, width]`, network by network.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
        """
        reject_without_network("encode")

    def contributions(self, reader: WindowReader, origins: Origins) -> Array:
        """Return what each future covariate adds to the forecast, in scaled units, `[B, H, D, f]`.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.

        Raises:
            SpecError: It reads them in another way.
        """
        raise SpecError(
            "explain",
            expected="forecasts to which each covariate adds an effect",
            received=f"a share of {self.name!r}, a network",
            hint=Phrase("See covariate_importance, or take ", Option("preset", "pretrained"), "."),
        )

    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the attention's weights over the steps of the past, `[B, H, T]`.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
        """
        reject_without_network("attention")

    def model_inputs(
        self,
        member: int,
        reader: WindowReader,
        origins: Origins,
        labels: SeriesLabels,
        *,
        truth: Array | None,
    ) -> ModelInputs:
        """Return the inputs of one of its networks for some windows.

        Args:
            member: Place of the network among `networks`.
            reader: The window reader of the series.
            origins: Where forecasts begin.
            labels: Series and cutoff of each window.
            truth: The values of the horizon in scaled units, `[B, H, D]`, where they are known.
        """
        reject_without_network("model_inputs")

    # Abilities

    @property
    def is_probabilistic(self) -> bool:
        """Whether it forecasts a distribution."""
        return True

    @property
    def dependence(self) -> Dependence:
        """The dependence of the steps of sample paths before any is learned."""
        return USUAL_DEPENDENCE

    def check_levels(self, levels: Sequence[float], fitted: Sequence[float]) -> None:
        """Reject levels without intervals.

        Args:
            levels: The levels.
            fitted: Those of the fit.
        """

    @property
    def networks(self) -> tuple[Engine, ...]:
        """The engine of each of its networks."""
        return ()

    @property
    def context_length(self) -> int | None:
        """Steps of past that it needs; `None` where it takes any number."""
        return None

    def facts(self) -> dict[str, Any]:
        """Return facts about it for a report, by name."""
        return {}

    def limits(self, *, alone: bool) -> Iterator[str]:
        """Yield sentences about its limits, for a model card.

        Args:
            alone: Whether nothing else has a share of the forecast.
        """
        yield from ()

    def warn_if_alone(self, reason: str, context_length: int) -> None:
        """Warn, where nothing else forecasts though networks were trained.

        Args:
            reason: Why nothing else does.
            context_length: Steps of past that a forecast reads.
        """

    def check_file(self, series: SeriesState, season_length: int) -> None:
        """Reject, by a `ValueError`, a candidate from a file that does not fit the rest of it.

        Args:
            series: The state of the series.
            season_length: Steps of a season.
        """

    # Later trainings and files

    @abstractmethod
    def for_refit(self, options: FitOptions) -> Candidate:
        """Return the candidate that learns from other rows with the sizes of this one.

        Args:
            options: The resolved options of the forecaster.
        """

    def for_finetuning(
        self, options: FitOptions, training: Any, freeze: Sequence[str]
    ) -> Candidate:
        """Return the candidate that trains its networks from their present weights.

        Without networks it learns again.

        Args:
            options: The resolved options of the forecaster.
            training: A spec, or the fields that differ from the training of the fit; `None` for the
                usual.
            freeze: Submodules of the networks that stay as they are.
        """
        return self.for_refit(options)

    def export(self) -> Any:
        """Return its graph in a file in ONNX, see `seqcast.export`.

        Raises:
            SpecError: There are no operators for it.
        """
        raise SpecError(
            "export",
            expected="networks that were trained on the data alone",
            received=f"a share of {self.name!r}, which has no operators in ONNX",
            hint="Fit and export a preset that trains a network, such as preset='classic'.",
        )


class Candidate(ABC):
    """A candidate before a fit.

    Attributes:
        key: Its key in the table of candidates and in files.
        words: Its wording in texts, by each name that it may have in `Choice.shares`.
        prior: Its weight against another candidate with the same hold-out loss.
        learns_alone: Whether it trains networks on the rows alone, so that callbacks that are no
            observers see them.
    """

    key: ClassVar[str]
    words: ClassVar[Mapping[str, str]]
    prior: ClassVar[float] = 1.0
    learns_alone: ClassVar[bool] = False
    fitted_type: ClassVar[type[FittedCandidate]]

    @classmethod
    def of(cls, options: FitOptions) -> Self | None:
        """Return the candidate of a fit, or `None` where it does not apply.

        Args:
            options: The resolved options of the forecaster.
        """
        return cls() if options.is_compared else None

    def check(self, rows: FitRows) -> None:
        """Reject rows that it cannot forecast from.

        Args:
            rows: The rows of the fit.
        """

    def compares(self, rows: FitRows) -> bool:
        """Return whether its versions differ without a training, so that they are compared.

        Args:
            rows: The rows of the fit.
        """
        return False

    def context_length(self, rows: FitRows) -> int | None:
        """Return the context length of its training windows; `None` for none, or for any length.

        Args:
            rows: The rows of the fit.
        """
        return None

    def rows_read(self, rows: FitRows) -> int:
        """Return the number of rows before a cutoff that its forecasts read.

        Args:
            rows: The rows of the fit.
        """
        return 1

    def jobs(self, rows: PlannedRows) -> Sequence[TrainingJob]:
        """Return the trainings of its networks.

        Args:
            rows: The rows of the fit, with scaling and windows.
        """
        return ()

    @property
    def names(self) -> tuple[str, ...]:
        """The names that it may have in `Choice.shares` after this fit."""
        return (self.key,)

    @property
    def networks(self) -> tuple[NetworkSpec, ...]:
        """Its networks that exist before a fit."""
        return ()

    def describe(self) -> str:
        """Return a line about it for a fit that trains nothing; empty for none."""
        return ""

    def rounds(self, count: int) -> list[range]:
        """Return the places of its jobs that are trained together, round after round.

        There is one round at least.

        Args:
            count: Number of its jobs.
        """
        return [range(count)]

    @abstractmethod
    def fitted(
        self, rows: PlannedRows, outcomes: Mapping[int, Outcome]
    ) -> Sequence[FittedCandidate]:
        """Return its fitted versions, the simplest first; they are compared on hold-out windows.

        Args:
            rows: The rows.
            outcomes: Engine and history of the jobs that were trained, by their place.

        Raises:
            DataError: It cannot learn enough from the rows.
        """

    def proxy(self, rows: PlannedRows, outcomes: Mapping[int, Outcome]) -> FittedCandidate | None:
        """Return the network that measures its loss, if its networks were picked by theirs.

        Args:
            rows: The rows.
            outcomes: Engine and history of the jobs that were trained, by their place.
        """
        return None


def reject_without_network(method: str) -> NoReturn:
    """Reject a method that needs a network, in a forecaster that has none.

    Args:
        method: Name of the method.

    Raises:
        SpecError: Always.
    """
    raise SpecError(
        method,
        expected="a forecaster with a network",
        received="one that repeats the last season, because no network was better",
        hint=Phrase(
            "Fit with a preset by name, such as ",
            Option("preset", "classic"),
            ", to have its network.",
        ),
    )
