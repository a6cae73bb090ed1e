"""The candidate of networks that are trained on the data and forecast together."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from typing_extensions import override

from seqcast.data.windows import Origins, WindowReader, check_lengths
from seqcast.engine import Engine, ModelInputs, Outcome, SeriesLabels, TrainingJob
from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster.candidates.candidate import Candidate, FittedCandidate
from seqcast.forecaster.defaults import Sizes, context_rule, middle_length
from seqcast.forecaster.options import COMBINATIONS, FitOptions, NetworkOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.training_rows import FitRows, PlannedRows, check_head_support
from seqcast.intervals import ForecastRequest, check_trained
from seqcast.runtime import Array, warn_user
from seqcast.specs import MemberSpec, NetworkSpec, TrainingSpec
from seqcast.training import History


@dataclass(frozen=True)
class FittedTrained(FittedCandidate):
    """Trained networks that forecast together.

    Args:
        engines: The engine of each network.
        trainings: The training of each at the fit, from which later trainings are derived.
        histories: The training history of each.
        combine: How their forecasts become one, quantile by quantile: `median` or `mean`.
    """

    key: ClassVar[str] = "trained"
    has_mean: ClassVar[bool] = True
    is_trained = True
    engines: tuple[Engine, ...]
    trainings: tuple[TrainingSpec, ...] = ()
    histories: tuple[History, ...] = ()
    combine: str = "median"

    def forecast(self, reader: WindowReader, origins: Origins, request: ForecastRequest) -> Array:
        """Return the columns of a request, combined over the networks.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.
            request: Point and intervals of the forecasts.
        """
        read = origins.inputs(reader)
        horizon = origins.horizon
        members = [
            _forecast(engine, _member_inputs(engine, read), horizon, request)
            for engine in self.engines
        ]
        return (
            members[0]
            if len(members) == 1
            else np.asarray(COMBINATIONS[self.combine](members, axis=0))
        )

    @override
    def states(self, reader: WindowReader, origins: Origins) -> Array:
        inputs = origins.inputs(reader)
        inputs.pop("future", None)
        encoded = [
            engine.encode(_member_inputs(engine, inputs)).vector() for engine in self.engines
        ]
        return np.concatenate(encoded, axis=1)

    @override
    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        inputs = origins.inputs(reader)
        # The weight of a segment stands at its last step.
        weights = np.zeros((len(origins), origins.horizon, reader.context_length))
        for engine in self.engines:
            own = engine.attention(_member_inputs(engine, inputs), origins.horizon)
            back = engine.network.segment * np.arange(own.shape[2])[::-1]
            weights[:, :, weights.shape[2] - 1 - back] += own / len(self.engines)
        return weights

    @override
    def model_inputs(
        self,
        member: int,
        reader: WindowReader,
        origins: Origins,
        labels: SeriesLabels,
        *,
        truth: Array | None,
    ) -> ModelInputs:
        engine = self.engines[member]
        own = reader.with_context(engine.built.window.context_length)
        return ModelInputs(
            engine,
            own.inputs(origins.series, origins.stops, origins.horizon, future=origins.future),
            origins.horizon,
            labels,
            features=reader.names["past"],
            targets=labels.schema.columns.targets,
            known_future=reader.names.get("future", ()),
            truth=truth,
            static=reader.names.get("static", ()),
        )

    @property
    @override
    def is_probabilistic(self) -> bool:
        return self.engines[0].network.is_probabilistic

    @override
    def check_levels(self, levels: Sequence[float], fitted: Sequence[float]) -> None:
        heads = {engine.network.head for engine in self.engines}
        hint = Phrase("Fit with such a ", Option("level"), ".")
        if "point" in heads:
            hint = Phrase(
                "Fit with a named preset, with ",
                Option("calibrate", True),
                ", or with another head.",
            )
        if heads & {"point", "quantile"}:
            check_trained(levels, fitted, hint=hint)

    @property
    @override
    def networks(self) -> tuple[Engine, ...]:
        return self.engines

    @property
    def context_length(self) -> int:
        """Steps of past that the networks need."""
        return max(self.context_lengths)

    @property
    def context_lengths(self) -> tuple[int, ...]:
        """Steps of past that each network reads."""
        return tuple(engine.built.window.context_length or 1 for engine in self.engines)

    def check_file(self, series: SeriesState, season_length: int) -> None:
        """Reject networks of other windows than the series have, and without training or history.

        Args:
            series: The state of the series.
            season_length: Steps of a season.
        """
        counts = {name: len(getattr(self, name)) for name in ("engines", "histories", "trainings")}
        if not self.engines or len(set(counts.values())) > 1 or self.combine not in COMBINATIONS:
            raise ValueError(f"trained networks with {counts}, combined by {self.combine!r}")

        for engine in self.engines:
            window = engine.window
            if (
                window is None
                or window.context_length is None
                or window.context_length > series.context_length
            ):
                raise ValueError("a network without windows of the series")

            expected = series.builder.window(
                horizon=window.horizon,
                context_length=window.context_length,
                observed=series.observed,
            )
            if (
                replace(window, season_length=None) != expected
                or engine.network.head != self.engines[0].network.head
            ):
                raise ValueError(f"a network of {window}, where the series have {expected}")

    @override
    def for_refit(self, options: FitOptions) -> Trained:
        return self._again(options, self.trainings)

    @override
    def for_finetuning(self, options: FitOptions, training: Any, freeze: Sequence[str]) -> Trained:
        changed = [_continued(base, training) for base in self.trainings]
        again = self._again(options.continuing(self.engines), changed)
        return replace(again, freeze=tuple(freeze), trainings=self.trainings)

    def _again(self, options: FitOptions, specs: Sequence[TrainingSpec]) -> Trained:
        """Return the candidate that trains networks of the same sizes."""
        networks = zip(self.engines, specs, self.context_lengths, strict=True)
        members = tuple(
            MemberSpec(engine.network, training, length) for engine, training, length in networks
        )
        again = replace(
            options.networks,
            members=members,
            seeds=options.networks.seeds[: len(members)],
            context_lengths=self.context_lengths,
            round_size=None,
            has_proxy=False,
        )
        return Trained(again)

    def export(self) -> Any:
        """Return its graph for a file in ONNX."""
        from seqcast.export import NetworksGraph

        return NetworksGraph([engine.built.model for engine in self.engines], self.combine)


@dataclass(frozen=True)
class Trained(Candidate):
    """Networks that learn from the data.

    Args:
        options: The networks.
        freeze: Submodules of the networks that are not trained.
        trainings: The trainings of an earlier fit to record; none records those of this fit.
    """

    key: ClassVar[str] = "trained"
    words: ClassVar[Mapping[str, str]] = {"trained": "a network trained on this data"}
    learns_alone: ClassVar[bool] = True
    fitted_type: ClassVar[type[FittedCandidate]] = FittedTrained

    options: NetworkOptions
    freeze: tuple[str, ...] = ()
    trainings: Sequence[TrainingSpec] = ()

    @classmethod
    def of(cls, options: FitOptions) -> Self | None:
        """Return it unless nothing is to be trained.

        Args:
            options: The resolved options of the forecaster.
        """
        return cls(options.networks) if options.trains else None

    def context_length(self, rows: FitRows) -> int:
        """Return the longest context of its networks.

        Args:
            rows: The rows of the fit.
        """
        longest = max(self._contexts(rows))
        if not rows.options.reading.fill:
            check_lengths(rows.frame, context_length=longest, horizon=rows.options.horizon)
        return longest

    def _contexts(self, rows: FitRows) -> list[int]:
        """Return the context length of each network in turn."""
        lengths = self.options.context_lengths
        usual = None if all(lengths) else self._usual_context(rows)
        return [length or usual or 1 for length in lengths]

    def _usual_context(self, rows: FitRows) -> int:
        """Choose a context length: two weeks where the network reads segments of a day."""
        options = rows.options
        season = rows.season_length
        count = middle_length(rows.lengths) if options.reading.fill else int(rows.lengths.min())
        usual = context_rule(count, options.horizon, season)
        frequency = rows.frame.frequency
        if frequency is None or not frequency.season_is_a_day or season != frequency.season_length:
            return usual
        network, _ = self.options.specs(Sizes(1, usual, options.horizon, season))
        return context_rule(count, options.horizon, season, weeks=network.segment > 1)

    def jobs(self, rows: PlannedRows) -> list[TrainingJob]:
        """Return the training of each network.

        Args:
            rows: The rows of the fit.

        Raises:
            DataError: There are no windows, or values that a head does not have.
            SpecError: The first weights are of other sizes.
        """
        initial = self.options.initial
        seeds = self.options.seeds
        contexts = self._contexts(rows)

        if initial and len(initial) != len(seeds):
            raise SpecError(
                "warm_start",
                expected=f"as many members as before, {len(initial)}",
                received=str(len(seeds)),
                hint="Fit without warm_start.",
            )

        jobs = [
            self._job(rows, place, contexts[place % len(contexts)]) for place in range(len(seeds))
        ]
        if not self.trainings:
            _warn_if_all_padded(rows, self.options.context_lengths)

        if not initial:
            return jobs
        return [job.with_weights(initial[place]) for place, job in enumerate(jobs)]

    def _job(self, rows: PlannedRows, place: int, length: int) -> TrainingJob:
        """Return the training of the network at a place, which reads `length` steps."""
        options = rows.options
        series = rows.series
        window = series.builder.window(
            horizon=options.horizon, context_length=length, observed=series.observed
        )

        job = TrainingJob(
            rows.reader,
            rows.starts,
            window,
            # Network and training depend on the number of windows, which the job counts.
            NetworkSpec(),
            TrainingSpec(),
            seeds=self.options.seeds[place],
            weighting=options.weighting,
            freeze=self.freeze,
            title=f"network {place + 1}",
            log_name=f"network-{place + 1}",
        )

        windows = job.checked_windows(rows.frame)
        sizes = Sizes(
            windows=windows,
            context_length=length,
            horizon=options.horizon,
            season_length=rows.season_length,
            member=place,
            future=len(rows.frame.covariates.future),
        )

        network, training = self.options.specs(sizes)
        check_head_support(rows.frame, network.head)
        season = rows.season_length if network.reads_season else None
        return replace(
            job, network=network, training=training, window=replace(window, season_length=season)
        )

    def rounds(self, count: int) -> list[range]:
        """Return the places of networks that are trained before the gain of more is measured.

        Args:
            count: Number of its jobs.
        """
        size = self.options.round_size or max(1, count)
        return [range(start, min(start + size, count)) for start in range(0, max(1, count), size)]

    def fitted(self, rows: PlannedRows, outcomes: Mapping[int, Outcome]) -> list[FittedCandidate]:
        """Return the networks that were trained, in an interrupted fit some of them.

        Args:
            rows: The rows of the fit.
            outcomes: Engine and history of the jobs that were trained, by their place.
        """
        proxy = self._proxy_place(outcomes)
        own = {place: outcome for place, outcome in outcomes.items() if place != proxy}
        return [self._fitted(rows, own)] if own else []

    @override
    def proxy(self, rows: PlannedRows, outcomes: Mapping[int, Outcome]) -> FittedCandidate | None:
        proxy = self._proxy_place(outcomes)
        return None if proxy is None else self._fitted(rows, {proxy: outcomes[proxy]})

    def _proxy_place(self, outcomes: Mapping[int, Outcome]) -> int | None:
        """Return the place of the proxy, the last network, if all were trained."""
        are_all_trained = len(outcomes) == len(self.options.seeds)
        return max(outcomes) if self.options.has_proxy and are_all_trained else None

    def _fitted(self, rows: PlannedRows, outcomes: Mapping[int, Outcome]) -> FittedCandidate:
        engines = tuple(each.engine for each in outcomes.values())
        recorded = self.trainings or {place: each.job.training for place, each in outcomes.items()}
        trainings = tuple(recorded[place] for place in outcomes)
        histories = tuple(each.history for each in outcomes.values())
        return FittedTrained(engines, trainings, histories, self.options.combine)


def _continued(
    base: TrainingSpec, training: TrainingSpec | Mapping[str, Any] | None
) -> TrainingSpec:
    """Return the spec of a later training, derived from the training of the fit."""
    if isinstance(training, TrainingSpec):
        return training
    usual = {"learning_rate": base.learning_rate / 10} if training is None else {}
    return TrainingSpec.from_dict({**base.to_dict(), **usual, **(training or {})})


def _warn_if_all_padded(rows: FitRows, context_lengths: Sequence[int | None]) -> None:
    """Warn of a context length that no series fills."""
    longest = int(rows.lengths.max())
    horizon = rows.options.horizon
    given = max(length or 0 for length in context_lengths)
    if rows.options.reading.fill and given and given + horizon > longest:
        sizes = (
            f"context_length {given} and horizon {horizon} "
            f"are more than the {longest} rows of the longest series"
        )
        warn_user(
            f"{sizes}: all windows are padded. Choose a smaller context_length, or leave it out."
        )


def _member_inputs(engine: Engine, inputs: dict[str, Array]) -> dict[str, Array]:
    """Return the inputs of one network: the end of a context that suits the longest network."""
    steps = None if engine.window is None else engine.window.context_length
    if steps is None or steps == inputs["past"].shape[1]:
        return inputs
    return {**inputs, "past": inputs["past"][:, -steps:]}


def _forecast(
    engine: Engine, inputs: dict[str, Array], horizon: int, request: ForecastRequest
) -> Array:
    """Return one network's forecast, `[B, H, D, columns]`."""
    if not engine.network.is_probabilistic:
        return engine.predict(inputs, horizon)[..., None]
    distribution = engine.distribution(inputs, horizon)
    point = distribution.mean() if request.point == "mean" else distribution.median()
    if not request.level:
        return point[..., None]
    return np.concatenate([point[..., None], distribution.quantile(request.probabilities)], axis=-1)
