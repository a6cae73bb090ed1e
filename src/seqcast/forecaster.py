"""The door for frames: long data frames in, forecasts of any horizon out as frames of the same kind."""

from __future__ import annotations

import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt
from sklearn.base import BaseEstimator, clone

from seqcast.config import Columns, NetworkSpec, TrainingSpec, WindowSpec, check_choice, check_whole
from seqcast.data.frame import LongFrame, read_frame
from seqcast.data.memory import Contexts, SeriesMemory, fit_scalers
from seqcast.data.origins import RollingOrigins
from seqcast.data.scaling import SCALES
from seqcast.data.splits import check_lengths, context_rule, validation_starts
from seqcast.engine import Engine
from seqcast.errors import NotFittedError, SpecError
from seqcast.members import Member, member_seeds, train_members
from seqcast.network.presets import preset as find_preset
from seqcast.saving import read_archive, write_archive
from seqcast.training import History

__all__ = ["Forecaster"]

Array = npt.NDArray[Any]

# The default training takes smaller batches of few windows (50 an epoch, down to this size), and passes over very few
# more than once an epoch, or it would end before it has begun; it ends an epoch of very many early, since neighbouring
# windows tell much the same.
SMALLEST_BATCH = 64
LEAST_STEPS, FEW_STEPS, MANY_STEPS = 25, 50, 200
_SPECS: dict[str, Any] = {"columns": Columns, "preset": NetworkSpec}


class Forecaster(BaseEstimator):
    """A recurrent encoder-decoder for long frames: one network for all series, any horizon.

    Each series is scaled by its own training rows, so that scaling and shifting a series scales and shifts
    its forecast. Series need not end at the same time; gaps are refused.

    Args:
        horizon: Steps to forecast in training, and in `predict` unless it is told otherwise.
        context_length: Steps of past that a forecast reads. `None` takes two seasons, two horizons or 24
            steps, whichever is most, but at most half of what the shortest series has beside one horizon.
        preset: Name of a network, or a `NetworkSpec`. A named network is given the `last` normalisation, because real
            series leave the range that they had in training.
        training: How it is trained. `None` is a `TrainingSpec()`, but in batches down to 64 when windows are
            few, and in epochs of 25 to 200 steps; a dict changes some fields of that, and a `TrainingSpec` is
            taken as it is. `validation_fraction` is the share of each series, its end, on which the best
            epoch is chosen; it is not trained on. 0 trains on everything.
        columns: Names of the frame's columns, if not `unique_id`, `ds`, `y`.
        freq: Step between time stamps: a pandas alias, one of Polars' durations, or a whole number; `None`
            infers it, checks every row against it and says what it is.
        season_length: Steps of a season, for the default context and the seasonal naive forecast of
            `backtest`; `None` takes the usual one of the frequency.
        scale: `standard` (each series to zero mean and unit deviation) or `none`.
        members: Networks, trained side by side from seeds of their own; the forecast is the median of theirs (of
            an even number, the mean of the two in the middle).
        alias: Name of the forecast's column.
        random_state: Seed of everything random, a whole number; `None` takes a fresh one.
        verbose: 0 is silent, 1 shows what was inferred and progress.

    Attributes:
        engines_: The trained engine of each member.
        engine_: The first of them.
        histories_: What the training of each member recorded.
        history_: The first of them.
        memory_: Scaling and last rows of each series.
        freq_: The frequency.
        season_length_: Steps of a season.
        context_length_: Steps of past that a forecast reads.

    Example:
        >>> from seqcast.data.datasets import load
        >>> from seqcast.config import NetworkSpec, TrainingSpec
        >>> tiny = NetworkSpec(encoder_units=(4,), decoder_units=(4,), normalise="last")
        >>> forecaster = Forecaster(12, preset=tiny, training=TrainingSpec(epochs=1), verbose=0)
        >>> forecast = forecaster.fit(load("elnino")).predict(horizon=2)
        >>> list(forecast.columns), [str(day.date()) for day in forecast["ds"]]
        (['unique_id', 'ds', 'seqcast'], ['2011-01-01', '2011-02-01'])
    """

    def __init__(
        self,
        horizon: int,
        *,
        context_length: int | None = None,
        preset: str | NetworkSpec = "classic",
        training: TrainingSpec | Mapping[str, Any] | None = None,
        columns: Columns | None = None,
        freq: Any = None,
        season_length: int | None = None,
        scale: str = "standard",
        members: int = 1,
        alias: str = "seqcast",
        random_state: int | None = None,
        verbose: int = 1,
    ) -> None:
        self.horizon = horizon
        self.context_length = context_length
        self.preset = preset
        self.training = training
        self.columns = columns
        self.freq = freq
        self.season_length = season_length
        self.scale = scale
        self.members = members
        self.alias = alias
        self.random_state = random_state
        self.verbose = verbose

    def fit(self, df: Any) -> Self:
        """Train a new network, or `members` new networks, on all series of a frame.

        An interruption of the training of a single network keeps its best weights so far; one of an ensemble leaves
        the forecaster as it was.

        Args:
            df: A pandas or Polars frame with one row a series and time; series in any order.

        Returns:
            The fitted forecaster.

        Raises:
            DataError: Something in the frame is wrong; nothing was trained.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted.
        """
        self._check_options()
        return self._fit(read_frame(df, self.columns, freq=self.freq))

    def _check_options(self) -> None:
        check_whole("horizon", self.horizon)
        check_whole("members", self.members)
        for name in ("context_length", "season_length", "random_state"):
            value = getattr(self, name)
            if value is not None:
                check_whole(name, value, at_least=0 if name == "random_state" else 1)
        kinds: tuple[tuple[str, Any, str], ...] = (
            ("training", TrainingSpec | Mapping, "a TrainingSpec, a dict of some of its fields, or None"),
            ("columns", Columns, "a Columns or None"),
        )
        for name, kind, expected in kinds:
            value = getattr(self, name)
            if value is not None and not isinstance(value, kind):
                mend = "from seqcast import TrainingSpec, Columns"
                raise SpecError(name, expected=expected, received=repr(value), mend=mend)
        check_choice("scale", self.scale, SCALES)
        columns = self.columns or Columns()
        taken = [columns.unique_id, columns.ds, columns.y, "cutoff"]
        if not isinstance(self.alias, str) or not self.alias or self.alias in taken:
            raise SpecError(
                "alias", expected=f"a name other than {taken}", received=repr(self.alias), mend="Choose one."
            )
        self._specs(windows=1)

    def _specs(self, windows: int) -> tuple[NetworkSpec, TrainingSpec]:
        """Return the network and the training for so many training windows."""
        if isinstance(self.preset, NetworkSpec):
            network = self.preset
        else:
            network = find_preset(self.preset).network
            if network.normalise == "none":
                network = replace(network, normalise="last")
        if isinstance(self.training, TrainingSpec):
            return network, self.training
        changes = dict(self.training or {})
        training = TrainingSpec.from_dict(changes)
        batch_size = training.batch_size
        if "batch_size" not in changes:
            batch_size = min(batch_size, max(SMALLEST_BATCH, windows // FEW_STEPS))
        steps = max(LEAST_STEPS, min(MANY_STEPS, -(-windows // batch_size)))
        return network, replace(training, batch_size=batch_size, steps_per_epoch=training.steps_per_epoch or steps)

    def _fit(self, frame: LongFrame) -> Self:
        plan = self._plan(frame, verbose=self.verbose)
        count = len(plan.members)
        if count > 1:
            names = [f"member {place + 1} of {count}" for place in range(count)]
            return self._keep(plan, train_members(plan.members, names, verbose=self.verbose))
        (member,) = plan.members
        engine = member.engine()
        try:
            history = member.train(engine, verbose=self.verbose)
        except KeyboardInterrupt as interruption:
            self._keep(plan, [(engine, getattr(interruption, "history", History(interrupted=True)))])
            raise
        return self._keep(plan, [(engine, history)])

    def _plan(self, frame: LongFrame, *, verbose: int = 0) -> _Plan:
        """Scale the series and say how each member is to be trained."""
        season = self.season_length or frame.frequency.season_length
        lengths = frame.source.lengths
        context = self.context_length or context_rule(int(lengths.min()), self.horizon, season)
        check_lengths(frame, context_length=context, horizon=self.horizon)
        _, training = self._specs(windows=1)
        starts = validation_starts(
            lengths, context_length=context, horizon=self.horizon, fraction=training.validation_fraction
        )
        scaler = fit_scalers(frame.source, starts, self.scale)
        if verbose:
            inferred = " (inferred)" if frame.frequency.inferred else ""
            print(
                f"seqcast: {len(lengths)} series, freq {frame.frequency.name!r}{inferred}, "
                f"season_length {season}, context_length {context}, horizon {self.horizon}"
            )
        scaled = (frame.source.values - np.repeat(scaler.centre, lengths)) / np.repeat(scaler.spread, lengths)
        network, training = self._specs(int((starts - context - self.horizon + 1).sum()))
        window = WindowSpec(horizon=self.horizon, features=1, targets=1, target_features=(0,), context_length=context)
        source = replace(frame.source, values=scaled)
        return _Plan(
            SeriesMemory.of(frame, context_length=context, scaler=scaler, scale=self.scale),
            season,
            [Member(source, starts, window, network, training, seeds) for seeds in self._seeds()],
        )

    def _seeds(self) -> list[tuple[int, int]]:
        """Return each member's seeds, of the network and of the order of windows."""
        fresh = int(np.random.SeedSequence().generate_state(1)[0])
        return member_seeds(fresh if self.random_state is None else int(self.random_state), int(self.members))

    def _keep(self, plan: _Plan, trained: Sequence[tuple[Engine, History]]) -> Self:
        self.engines_ = tuple(engine for engine, _ in trained)
        self.histories_ = tuple(history for _, history in trained)
        self.engine_, self.history_ = trained[0]
        self.memory_ = plan.memory
        self.season_length_ = plan.season_length
        self.freq_ = plan.memory.frequency.name
        self.context_length_ = plan.memory.tails.shape[1]
        return self

    def predict(self, horizon: int | None = None, df: Any = None) -> Any:
        """Forecast the steps that follow each series' last row.

        Args:
            horizon: Number of steps, shorter or longer than trained; `None` is the trained one.
            df: Rows to forecast from, if not those of `fit`: later rows of known series, whose scaling stays
                that of training and which need only what is new when it follows their last training row; or
                at least `context_length_` rows of new series, which are scaled by these.

        Returns:
            A frame of the kind that came in, sorted by `unique_id`: `unique_id`, `ds` and the forecast.

        Raises:
            NotFittedError: `fit` was not called.
            DataError: Something in the frame is wrong.
        """
        memory = self._memory()
        steps = check_whole("horizon", self.horizon if horizon is None else horizon)
        new = None if df is None else read_frame(df, self.columns, freq=self.freq_)
        contexts = memory.contexts(new)
        forecast = self._forecast(contexts, steps)
        return contexts.form.forecast(memory.frequency, contexts.ids, contexts.last_stamps, {self.alias: forecast})

    def _memory(self) -> SeriesMemory:
        if not hasattr(self, "memory_"):
            raise NotFittedError("Forecaster", expected="a fitted one", received="none", mend="Call fit first.")
        return self.memory_

    def _forecast(self, contexts: Contexts, horizon: int) -> Array:
        inputs = {"past": contexts.past[:, :, None]}
        scaled = np.median([engine.predict(inputs, horizon=horizon) for engine in self.engines_], axis=0)
        return contexts.scaler.inverse(scaled[:, :, 0].T).T

    def backtest(
        self,
        df: Any,
        n_windows: int = 1,
        step_size: int | None = None,
        *,
        align: str = "time",
        refit: bool | int = False,
    ) -> Any:
        """Forecast a frame's own past from several cutoffs and lay the truth beside the forecasts.

        A clone is trained on rows up to the first cutoff; later cutoffs give it newer rows to forecast from, until
        `refit` has another clone trained. This forecaster is left as it was.

        Args:
            df: As for `fit`.
            n_windows: Number of cutoffs.
            step_size: Steps from one cutoff to the next; `None` is the horizon.
            align: `time` cuts all series at the same time stamps, counted from the latest one, so that no
                series tells another's future; one that ends before a cutoff has no rows there. `series`
                counts from each series' own end.
            refit: `False` trains once, at the first cutoff; `True` trains a fresh clone at every cutoff, with the
                same seeds; a whole number `n` at every `n`-th cutoff, from the first on. Trainings run side by side.

        Returns:
            A frame of the kind that came in: `unique_id`, `ds`, `cutoff` (the last stamp that was known),
            `y`, the forecast, and the forecasts `seasonal_naive` and `last_value`; a row for each step whose
            truth is known.

        Raises:
            DataError: Something in the frame is wrong, or a series is too short before the first cutoff.
            SpecError: An option is wrong; nothing was trained.
            TrainingError: Training diverged.
            KeyboardInterrupt: The user interrupted; nothing is kept.
        """
        self._check_options()
        every = _refit_every(refit)
        frame = read_frame(df, self.columns, freq=self.freq)
        origins = RollingOrigins(frame, int(self.horizon), n_windows, step_size, align)
        cutoffs = list(origins)
        models = self._fitted_clones(cutoffs[:: every or n_windows])
        made = []
        for place, known in enumerate(cutoffs):
            model = models[place // (every or n_windows)]
            made.append(model._forecast(model.memory_.contexts(known), self.horizon))
        forecasts = {self.alias: np.stack(made)}
        for name, season in (("seasonal_naive", models[0].season_length_), ("last_value", 1)):
            forecasts[name] = origins.naive(season)
        return origins.table(forecasts)

    def _fitted_clones(self, frames: Sequence[LongFrame]) -> list[Self]:
        """Return a clone fitted on each frame; all members of all clones are trained side by side."""
        models = [clone(self) for _ in frames]
        if len(frames) == 1:
            return [models[0]._fit(frames[0])]
        plans = [self._plan(frame, verbose=self.verbose and not place) for place, frame in enumerate(frames)]
        jobs: list[Member] = []
        names: list[str] = []
        for place, plan in enumerate(plans):
            jobs += plan.members
            name, count = f"training {place + 1} of {len(plans)}", len(plan.members)
            names += [name if count == 1 else f"{name}, member {k + 1} of {count}" for k in range(count)]
        trained = iter(train_members(jobs, names, verbose=self.verbose))
        return [
            model._keep(plan, [next(trained) for _ in plan.members]) for model, plan in zip(models, plans, strict=True)
        ]

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the fitted forecaster to a file.

        Args:
            path: Where the file goes; it appears whole or not at all.

        Raises:
            NotFittedError: `fit` was not called.
            SpecError: The training holds a function that a file cannot.
            SaveError: The file could not be written.
        """
        memory = self._memory()
        _check_comes_back(self.engine_)
        options = {**self.get_params(deep=False), "freq": None if self.freq is None else self.freq_}
        remembered, arrays = memory.to_parts()
        parts = {f"memory/{name}": value for name, value in arrays.items()}
        members = []
        for place, (engine, history) in enumerate(zip(self.engines_, self.histories_, strict=True)):
            described, weights = engine.to_parts()
            members.append({"engine": described, "history": history.to_dict()})
            parts.update({f"member {place}/{name}": value for name, value in weights.items()})
        header = {
            "options": {name: _plain(value) for name, value in options.items()},
            "memory": remembered,
            "season_length": self.season_length_,
            "members": members,
        }
        write_archive(path, "Forecaster", header, parts)

    @classmethod
    def load(cls, path: str | os.PathLike[str]) -> Self:
        """Read a fitted forecaster from a file; its forecasts are the identical numbers.

        Args:
            path: A file that `save` wrote.

        Returns:
            The forecaster.

        Raises:
            MissingFileError: There is no such file.
            FileFormatError: It is no forecaster's file.
        """
        header, arrays = read_archive(path, "Forecaster")
        options = dict(header["options"])
        for name, kind in _SPECS.items():
            if isinstance(options[name], dict):
                options[name] = kind.from_dict(options[name])
        if "spec" in (options["training"] or {}):
            options["training"] = TrainingSpec.from_dict(options["training"]["spec"])
        parts: dict[str, dict[str, Array]] = {}
        for name, value in arrays.items():
            owner, _, rest = name.partition("/")
            parts.setdefault(owner, {})[rest] = value
        members = [
            (Engine.from_parts(member["engine"], parts[f"member {place}"]), History(**member["history"]))
            for place, member in enumerate(header["members"])
        ]
        plan = _Plan(SeriesMemory.from_parts(header["memory"], parts["memory"]), header["season_length"])
        return cls(**options)._keep(plan, members)


@dataclass(frozen=True)
class _Plan:
    """What a fit will remember of a frame, and the members to train."""

    memory: SeriesMemory
    season_length: int
    members: Sequence[Member] = ()


def _refit_every(refit: bool | int) -> int:
    """Return after how many cutoffs a new clone is trained; 0 is never."""
    if isinstance(refit, bool | np.bool_):
        return int(refit)
    if isinstance(refit, int | np.integer) and refit >= 1:
        return int(refit)
    raise SpecError(
        "refit",
        expected="False, True or a whole number >= 1",
        received=repr(refit),
        mend="True trains at every cutoff, n at every n-th.",
    )


def _check_comes_back(engine: Engine) -> None:
    """Refuse specs with functions that could not be read again, before anything is written."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Keras warns of lambdas; the error says more
            TrainingSpec.from_dict(engine.training.to_dict())
            NetworkSpec.from_dict(engine.network.to_dict())
    except Exception as error:  # whatever Keras raises for them
        raise SpecError(
            "training or preset",
            expected="options that can be written to a file",
            received=str(error),
            mend="Give names, Keras objects, or functions registered with keras.saving.",
        ) from error


def _plain(value: Any) -> Any:
    """Turn an option into JSON types; a training is told from changes to one by its key."""
    if isinstance(value, TrainingSpec):
        return {"spec": value.to_dict()}
    if hasattr(value, "to_dict"):
        return value.to_dict()
    return int(value) if isinstance(value, np.integer) else value
