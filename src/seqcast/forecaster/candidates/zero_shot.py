"""The candidate of a zero-shot model, as it is or fine-tuned on the data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, Self

import numpy as np
from typing_extensions import override

from seqcast import pretrained
from seqcast.data import Season
from seqcast.data.windows import Origins, WindowReader
from seqcast.engine import Engine, ModelInputs, Outcome, SeriesLabels, TrainingJob
from seqcast.errors import SpecError
from seqcast.forecaster.candidates.candidate import Candidate, FittedCandidate
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.series_state import SeriesState
from seqcast.forecaster.training_rows import FitRows, PlannedRows
from seqcast.intervals import Dependence, check_within
from seqcast.runtime import Array
from seqcast.specs import NetworkSpec, TrainingSpec
from seqcast.training import History

# From this number of windows on, a network of its own learns covariates better: the fine-tuned one
# was 4 and 10 % worse than the pretrained one without, and took 70 of 170 and 120 of 330 seconds
# (docs/history.md).
MANY_WINDOWS = 100_000


@dataclass(frozen=True)
class FittedZeroShot(FittedCandidate):
    """A zero-shot model, which forecasts each target of each series by itself.

    Args:
        model: The model.
        season_length: Steps of a season; 1 is none.
        is_trained: Whether it was fine-tuned on rows of the fit.
        histories: The history of its fine-tuning; an empty one where there was none.
        effects: Effects of covariates, without which the model reads the series; `None` for none.
    """

    key: ClassVar[str] = "pretrained"
    model: pretrained.ZeroShotModel
    season_length: int
    is_trained: bool = False
    histories: tuple[History, ...] = (History(),)
    effects: pretrained.CovariateEffects | None = None

    @property
    def caution(self) -> float:
        """With effects of covariates 1.02, as on few windows noise may seem to help."""
        return 1.0 if self.effects is None else 1.02

    @property
    @override
    def name(self) -> str:
        return "finetuned" if self.is_trained else self.key

    @override
    def quantiles(
        self, reader: WindowReader, origins: Origins, probabilities: Sequence[float]
    ) -> Array:
        # The model reads the data's units, so its forecast does not depend on the scale of others.
        scaler = origins.scalers(reader)
        effects = self._effects(reader, origins)
        quantiles = self.model.forecast(
            self._windows(reader, origins, effects), origins.horizon, probabilities
        )
        quantiles = quantiles.reshape(
            (len(origins), reader.targets.width, *quantiles.shape[1:])
        ).swapaxes(1, 2)
        scaled = [scaler.transform(quantiles[..., place]) for place in range(len(probabilities))]
        return np.stack(scaled, axis=-1) + effects[:, -origins.horizon :, :, None]

    def contributions(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the effect of each feature; zeros where it reads no covariates.

        Args:
            reader: The window reader of the series.
            origins: Where forecasts begin.

        Raises:
            SpecError: The network itself has learned to read them.
        """
        if self.model.covariates:
            return super().contributions(reader, origins)
        if self.effects is None:
            return np.zeros((len(origins), origins.horizon, reader.targets.width, 1))
        return self.effects.by_feature(
            *pretrained.window_columns(reader, origins, len(self.effects.names))
        )

    @override
    def states(self, reader: WindowReader, origins: Origins) -> Array:
        windows = self._windows(reader, origins, self._effects(reader, origins))
        targets = reader.targets.width
        by_target = [
            self.model.states(windows.take(slice(target, None, targets)))
            for target in range(targets)
        ]
        return np.concatenate(by_target, axis=1)

    @override
    def attention(self, reader: WindowReader, origins: Origins) -> Array:
        raise SpecError(
            "attention",
            expected="a network with attention",
            received="the pretrained network, which has none",
            hint="Train a network with attention: preset=NetworkSpec(attention='dot').",
        )

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
        targets = reader.targets.width
        if targets > 1:
            raise SpecError(
                "model_inputs",
                expected="one target, of which the pretrained network reads one at a time",
                received=str(targets),
                hint="Fit a forecaster with one of them.",
            )
        effects = self._effects(reader, origins)
        if truth is not None:
            truth = origins.scalers(reader).inverse(truth - effects[:, -origins.horizon :])[:, :, 0]
        return self.model.model_inputs(
            self._windows(reader, origins, effects), origins.horizon, labels, truth=truth
        )

    def _effects(self, reader: WindowReader, origins: Origins) -> Array:
        """Return the effects of covariates, `[B, T + H, D]`, in scaled units; zeros for none."""
        if self.effects is None:
            return np.zeros(
                (len(origins), reader.context_length + origins.horizon, reader.targets.width)
            )
        return self.effects.of(*pretrained.window_columns(reader, origins, len(self.effects.names)))

    def _windows(
        self, reader: WindowReader, origins: Origins, effects: Array
    ) -> pretrained.ZeroShotWindows:
        """Return the windows that the model reads, less effects, target by target."""
        reads = bool(self.model.covariates)
        targets = reader.targets.width
        own = Season.of(self.season_length)

        # Without features the reader ignores the known future.
        seasonal = pretrained.seasonal_reader(reader, covariates=reads)
        past = seasonal.values(origins.series, origins.stops)
        scaler = origins.scalers(reader)
        if self.effects is not None:
            past = scaler.inverse(scaler.transform(past) - effects[:, : -origins.horizon])
        past = past.swapaxes(1, 2).reshape(-1, past.shape[1])

        inputs = origins.inputs(seasonal) if reads else {}
        if reads:
            inputs = {**inputs, "past": inputs["past"][:, :, targets:]}

        covariates = {name: np.repeat(values, targets, axis=0) for name, values in inputs.items()}
        season, longer = (np.full(len(past), steps) for steps in (own.length, own.longer or 0))
        return pretrained.ZeroShotWindows(past, season, longer, covariates, seasonal.names)

    @override
    def check_levels(self, levels: Sequence[float], fitted: Sequence[float]) -> None:
        check_within(levels, self.model.widest_level)

    @property
    def networks(self) -> tuple[Engine, ...]:
        """The engine of the model's network, if it has one."""
        return () if self.model.engine is None else (self.model.engine,)

    @property
    def dependence(self) -> Dependence:
        """The dependence between steps that the model has learned from synthetic series."""
        return super().dependence if self.is_trained else self.model.dependence

    def facts(self) -> dict[str, Any]:
        """Return the version of the weights."""
        return {"pretrained weights": f"version {self.model.version}"}

    @override
    def limits(self, *, alone: bool) -> Iterator[str]:
        if not self.is_trained:
            yield "The pretrained network has seen synthetic series only."

    def check_file(self, series: SeriesState, season_length: int) -> None:
        """Reject another season, several histories, and other covariates than the series have.

        Args:
            series: The state of the series.
            season_length: Steps of a season.
        """
        if self.season_length != season_length or len(self.histories) != 1:
            raise ValueError(
                f"{len(self.histories)} histories of a model for a season of {self.season_length}"
            )
        builder = series.builder
        sizes = pretrained.CovariateSizes(
            builder.features - builder.targets, builder.future_size, builder.static.width
        )
        if self.model.covariates and self.model.covariates != sizes:
            raise ValueError(
                f"a network that reads {self.model.covariates}, which the series have not"
            )
        if self.effects is not None:
            self.effects.check(builder.targets, builder.future.features)

    @override
    def for_refit(self, options: FitOptions) -> ZeroShot:
        return ZeroShot(
            self.model.shipped(), finetunes=self.is_trained, has_effects=self.effects is not None
        )

    @override
    def for_finetuning(self, options: FitOptions, training: Any, freeze: Sequence[str]) -> ZeroShot:
        again = ZeroShot(
            self.model, finetunes=True, is_required=True, training=training, freeze=tuple(freeze)
        )
        return replace(again, is_trained=self.is_trained)


@dataclass(frozen=True)
class ZeroShot(Candidate):
    """A model that needs no training.

    Args:
        model: The model.
        finetunes: Whether it is fine-tuned; both versions are compared.
        is_required: Whether the user calls for the fine-tuning: then rows without a training window
            are rejected.
        training: As for `FinetuneOptions`, where the user calls for it; a fit takes it from its
            options.
        freeze: Submodules of the network that stay as they are.
        is_trained: Whether it has been fine-tuned before.
        has_effects: Whether it has effects of covariates; `None` takes the better version on the
            hold-out windows.
        many_windows: From this number of windows on it is not fine-tuned on covariates, because
            networks that learn from the data alone use them better.
    """

    key: ClassVar[str] = "pretrained"
    words: ClassVar[Mapping[str, str]] = {
        "pretrained": "the pretrained network",
        "finetuned": "the pretrained network, fine-tuned",
    }
    fitted_type: ClassVar[type[FittedCandidate]] = FittedZeroShot

    model: pretrained.ZeroShotModel
    finetunes: bool = False
    is_required: bool = False
    training: TrainingSpec | Mapping[str, Any] | None = None
    freeze: tuple[str, ...] = ()
    is_trained: bool = False
    has_effects: bool | None = None
    many_windows: int = MANY_WINDOWS

    @classmethod
    def of(cls, options: FitOptions) -> Self | None:
        """Return it where the preset names it, or candidates are compared and it can forecast.

        Args:
            options: The resolved options of the forecaster.
        """
        own = options.zero_shot
        if own is None or not (options.is_zero_shot or options.is_compared):
            return None
        model = pretrained.MODELS[own.model].shipped()
        return cls(model, finetunes=not options.is_zero_shot and options.effort != "quick")

    @property
    def names(self) -> tuple[str, ...]:
        """Its name as it is, and fine-tuned."""
        return tuple(self.words) if self.finetunes else (self.key,)

    @property
    def networks(self) -> tuple[NetworkSpec, ...]:
        """The model's network, if it has one."""
        return () if self.model.engine is None else (self.model.engine.network,)

    def describe(self) -> str:
        """Return the version of its weights."""
        return f"the pretrained network, version {self.model.version}"

    def check(self, rows: FitRows) -> None:
        """Reject past covariates, which nobody knows for the steps ahead.

        Args:
            rows: The rows of the fit.
        """
        past = rows.frame.covariates.past
        own = rows.options.zero_shot
        if own is not None and own.is_alone and past:
            expected = "a network that has been trained on this data, with past covariates"
            received = f"{own.model!r}, and the past covariates {', '.join(map(repr, past))}"
            hint = "Without training it reads static and future covariates alone: "
            hint += "call finetune(df) in place of "
            hint += "fit(df), which trains it on them, leave them out, or name another preset."
            raise SpecError("preset", expected=expected, received=received, hint=hint)

    def compares(self, rows: FitRows) -> bool:
        """Return whether effects of covariates are tried.

        Args:
            rows: The rows of the fit.
        """
        return self.has_effects is None and bool(rows.frame.covariates.future)

    def rows_read(self, rows: FitRows) -> int:
        """Return the number of rows that help the model, as memory and complete contexts allow.

        Args:
            rows: The rows of the fit.
        """
        longest = self.model.context_lengths[-1]
        options = rows.options
        longest = min(longest, options.most_rows_read or longest)
        if options.reading.fill:
            return longest
        # Each forecast needs these rows before it, also on the hold-out windows.
        least = (
            1
            if rows.context_length is not None
            else int(0.9 * rows.lengths.min()) - options.horizon
        )
        return max(1, min(least, longest))

    def jobs(self, rows: PlannedRows) -> list[TrainingJob]:
        """Return the fine-tuning, where there is one and the rows give windows for it.

        Args:
            rows: The rows of the fit.
        """
        if not self.finetunes:
            return []

        own = rows.options.zero_shot
        how = pretrained.FinetuneOptions(
            season_length=rows.season_length,
            horizon=rows.options.horizon,
            seeds=rows.options.networks.seeds[0],
            training=self.training if self.is_required or own is None else own.training,
            weighting=rows.options.weighting,
            freeze=self.freeze,
            covariates=rows.series.builder.has_covariates,
            most_rows=rows.options.rows_read,
            # A fine-tuning that the user calls for is not the shorter one of a fit.
            shares_data=not (self.is_required or rows.options.is_zero_shot),
        )

        job = self.model.finetuning(rows.reader, rows.starts, how)
        if job is None:
            return []

        count = job.checked_windows(rows.frame) if self.is_required else job.count_windows()
        is_left_out = how.shares_data and how.covariates and count >= self.many_windows
        return [job] if count and not is_left_out else []

    def fitted(self, rows: PlannedRows, outcomes: Mapping[int, Outcome]) -> list[FittedCandidate]:
        """Return the model as it was, with the effects of covariates, and fine-tuned.

        Args:
            rows: The rows of the fit.
            outcomes: Engine and history of the jobs that were trained, by their place.
        """
        ready = FittedZeroShot(self.model, rows.season_length, self.is_trained)
        names = rows.series.builder.future.features
        versions = list[FittedCandidate]([ready])
        if names and self.has_effects is not False and not self.model.covariates:
            effects = pretrained.CovariateEffects.learn(
                rows.reader, rows.starts, names, rows.season_length
            )
            versions = [*versions[: self.has_effects is None], replace(ready, effects=effects)]
        if outcomes:
            tuned = self.model.finetuned(outcomes[0])
            history = outcomes[0].history
            versions.append(FittedZeroShot(tuned, rows.season_length, True, (history,)))
        return versions
