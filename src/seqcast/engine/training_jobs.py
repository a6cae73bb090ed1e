"""Training jobs that run in parallel: members of an ensemble, cutoffs of a backtest."""

import itertools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, Self

import numpy as np

from seqcast.data.frames import AnyFrame
from seqcast.data.windows import WindowReader, training_windows
from seqcast.engine.engine import Engine
from seqcast.errors import DataError, SpecError, TrainingError, counted
from seqcast.runtime import Array, Executor, Processes, choose_executor, digest, say, task
from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec
from seqcast.training import (
    CheckpointFolder,
    Checkpoints,
    Deadline,
    History,
    TrainState,
    fingerprint,
)


@dataclass(frozen=True)
class TrainingJob:
    """The training of one network, with everything that a worker process needs for it.

    Args:
        reader: The window reader of the series.
        starts: Position of each series' first validation target, or its length if it has none.
        window: Sizes of a window, with a context length.
        network: Options of the network.
        training: Options of the training.
        seeds: Seeds of the network and of the order of windows.
        weighting: `windows` or `series`, as for `SeriesWindows`.
        weights: The network's initial weights; `None` draws them.
        freeze: Submodules of the network that are not trained, see `Engine.fit`.
        checkpoints: The checkpoints to write and to resume from.
        title: Name of the network in lines about its progress.
        log_name: Name of the network in the logs of callbacks.
        observers_only: Whether only observers among the callbacks receive this training.
        horizon: Future steps of training windows; `None` is the horizon of the network.
        kind: Options of the windows, see `training_windows`.
        share: Weight of the trained weights in their mean with the initial ones, see `mixed`.

    Example:
        >>> from seqcast.data.series.scalers import SeriesScaler
        >>> from seqcast.data.series.store import InMemoryStore
        >>> store = InMemoryStore.of({"a": np.sin(np.arange(40.0))[:, None]})
        >>> scaler = SeriesScaler(np.zeros((1, 1)), np.ones((1, 1)))
        >>> reader = WindowReader(store, None, scaler, context_length=4)
        >>> sizes = {"features": 1, "targets": 1, "target_features": (0,)}
        >>> window = WindowSpec(horizon=2, context_length=4, **sizes)
        >>> tiny = NetworkSpec(encoder_units=(2,), decoder_units=(2,))
        >>> brief = TrainingSpec(epochs=1)
        >>> job = TrainingJob(reader, np.array([36]), window, tiny, brief, seeds=(0, 1))
        >>> history = job.train(job.engine())
        >>> sorted(history.epochs)
        ['loss', 'val_loss']
    """

    reader: WindowReader
    starts: Array
    window: WindowSpec
    network: NetworkSpec
    training: TrainingSpec
    seeds: tuple[int, int]
    weighting: str = "windows"
    weights: Sequence[Array] | None = None
    freeze: tuple[str, ...] = ()
    checkpoints: Checkpoints | None = None
    title: str = "network 1"
    log_name: str = "network-1"
    observers_only: bool = False
    horizon: int | None = None
    kind: Mapping[str, Any] = field(default_factory=dict)
    share: float = 1.0

    def with_checkpoints(self, folder: CheckpointFolder, name: str) -> Self:
        """Return the job with checkpoints.

        Args:
            folder: The folder of the fit.
            name: Name of the network.

        Raises:
            SpecError: The training has a function, which cannot be written to a file.
        """
        return replace(self, checkpoints=folder.of(name, self._fingerprint()))

    def _fingerprint(self) -> dict[str, Any]:
        """Return the fingerprint of the training, by name."""
        reader = self.reader
        stores = [
            store for store in (reader.targets, reader.features, reader.weight) if store is not None
        ]
        rows = (values for store in stores for _, values in store.batches())
        scaling = [reader.scaler.loc, reader.scaler.scale, reader.scaler.unit]
        kind = {name: str(value) for name, value in self.kind.items()}
        of_windows = {
            "weighting": self.weighting,
            "read": reader.context_length,
            "to": self.horizon,
            **kind,
        }
        return fingerprint(
            itertools.chain(rows, [reader.lengths, reader.static, *scaling, self.starts]),
            self.network,
            self.training,
            windows={**self.window.to_dict(), **of_windows},
            seeds={"network": self.seeds[0], "order": self.seeds[1]},
            first_weights=None if self.weights is None else digest(self.weights),
            frozen_submodules=list(self.freeze),
        )

    def with_weights(self, engine: Engine) -> Self:
        """Return the job with the weights of a trained engine as initial weights.

        Args:
            engine: The engine.

        Raises:
            SpecError: Inputs, targets or the network differ, so the weights do not fit.
        """
        for name, ours, theirs in (
            ("preset", self.network, engine.network),
            (
                "inputs",
                _shaping(self.window),
                None if engine.window is None else _shaping(engine.window),
            ),
        ):
            if ours != theirs:
                raise SpecError(
                    "warm_start",
                    expected=f"the same {name} as before, {theirs}",
                    received=str(ours),
                    hint=(
                        "Name preset, context_length, calendar and covariates as they were, or fit "
                        "without warm_start."
                    ),
                )
        return replace(self, weights=engine.weights)

    def with_own_series(self) -> Self:
        """Return the job without the series that have no training or validation window."""
        counts = self._reader.index(self._horizon).per_series
        if counts.all():
            return self
        series = np.flatnonzero(counts)
        return replace(self, reader=self.reader.take(series), starts=self.starts[series])

    def count_windows(self) -> int:
        """Return the number of training windows."""
        return self._reader.index(self._horizon, stops=self.starts).count

    def checked_windows(self, frame: AnyFrame) -> int:
        """Return the number of training windows.

        Args:
            frame: The rows of the reader.

        Raises:
            DataError: There is none.
        """
        if count := self.count_windows():
            return count
        longest = int(np.argmax(self.starts))
        # A network without `observed` cannot read a padded context.
        least, read = (
            (1, "one to read")
            if self.reader.observed
            else (self.window.context_length, "the context")
        )
        rows = f"at least {least} + {self._horizon} rows, {read} and the horizon"
        name = frame.source.ids[longest]
        raise DataError(
            option="df",
            series=name,
            expected=f"{rows}, with a known value among the last",
            received=(
                f"{self.starts[longest]} rows up to {frame.last_stamps[longest]} in the longest "
                "series"
            ),
            hint="Give longer series, or choose a smaller horizon.",
        )

    @property
    def _horizon(self) -> int:
        """Future steps of training windows."""
        return self.window.horizon if self.horizon is None else self.horizon

    @property
    def _reader(self) -> WindowReader:
        return self.reader.with_context(self.window.context_length)

    def engine(self) -> Engine:
        """Return a new engine, not yet trained."""
        return Engine(self.network, self.training, seed=self.seeds[0])

    def train(
        self,
        engine: Engine,
        *,
        verbose: int = 0,
        deadline: Deadline | None = None,
        callbacks: Sequence[Any] = (),
        state: TrainState | None = None,
        processes: Processes | None = None,
    ) -> History:
        """Train an engine.

        Args:
            engine: The result of `engine()`.
            verbose: 0 is silent, 1 shows progress.
            deadline: The end of the training.
            callbacks: Keras callbacks.
            state: The state to resume from; `None` is that of `checkpoints`.
            processes: The processes that share each batch; `None` is this one alone.

        Returns:
            The history of the training.

        Raises:
            TrainingError: The loss is not finite.
            KeyboardInterrupt: The user interrupted; the engine has the best weights so far.
        """
        windows, validation = training_windows(
            self._reader,
            self.starts,
            self._horizon,
            batch_size=self.training.batch_size,
            weighting=self.weighting,
            seed=self.seeds[1],
            steps=self.training.steps_per_epoch,
            teacher_forcing=self.network.uses_teacher_forcing,
            # The rows of a micro-batch depend only on the number of micro-batches, not on the
            # processes.
            processes=processes or Processes(micro_batches=self.training.micro_batches or 1),
            **self.kind,
        )
        return engine.fit(
            windows,
            window=self.window,
            validation=validation,
            callbacks=callbacks,
            verbose=verbose,
            weights=self.weights,
            freeze=self.freeze,
            checkpoints=self.checkpoints,
            deadline=deadline,
            state=state,
            processes=processes,
        )

    def mixed(self, weights: Sequence[Array]) -> list[Array]:
        r"""Return the mean of initial and trained weights; the latter weigh `share`, `s`.

        .. math:: W = (1 - s)\, W_{\text{first}} + s\, W_{\text{trained}}

        Args:
            weights: The trained weights.

        Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models, arXiv:2109.01903,
            section 3.
        """
        if self.share == 1:
            return list(weights)
        both = zip(self.weights or (), weights, strict=True)
        return [(1 - self.share) * first + self.share * after for first, after in both]


class Outcome(NamedTuple):
    """The result of a training job.

    Args:
        engine: The trained engine.
        history: The history of the training.
        job: The training job.
    """

    engine: Engine
    history: History
    job: TrainingJob


class InterruptedJobs(KeyboardInterrupt):
    """The user interrupted several trainings.

    Args:
        trained: The outcomes of finished jobs by their numbers, in order.
    """

    def __init__(self, trained: dict[int, Outcome]) -> None:
        super().__init__()
        self.trained = trained


class DivergedJobsError(Exception):
    """One of several trainings diverged.

    Args:
        error: The error of this training.
        trained: As for `InterruptedJobs`.
    """

    def __init__(self, error: TrainingError, trained: dict[int, Outcome]) -> None:
        super().__init__()
        self.error = error
        self.trained = trained


def _shaping(window: WindowSpec) -> dict[str, Any]:
    """Return the sizes of a window on which the shapes of weights depend."""
    return {
        name: value
        for name, value in window.to_dict().items()
        if name not in ("horizon", "context_length")
    }


def run_jobs(
    jobs: Sequence[TrainingJob],
    *,
    verbose: int = 0,
    deadline: Deadline | None = None,
    callbacks: Sequence[Sequence[Any]] = (),
    executor: Executor | None = None,
) -> list[Outcome]:
    """Run training jobs in parallel, one a core.

    Progress bars of several trainings would overwrite each other, so each training prints one line
    at its end.

    Args:
        jobs: The training jobs.
        verbose: 0 is silent, 1 prints the lines, to standard error.
        deadline: The end of all trainings; those on one core share the time equally.
        callbacks: Keras callbacks of each job; empty for none. A worker process gets copies.
        executor: The executor; `None` takes worker processes of this machine if that helps.

    Returns:
        The outcome of each job, the same as from one training after another on one core.

    Raises:
        DivergedJobsError: A training diverged; the others are stopped. It has the outcomes of
            finished trainings.
        InterruptedJobs: The user interrupted; it has the outcomes of finished trainings.
    """
    done: dict[int, Outcome] = {}

    def finished(place: int, result: tuple[dict[str, Any], History]) -> None:
        done[place] = _outcome(jobs[place], *result)
        advance()
        if verbose:
            say(f"seqcast: {jobs[place].title} trained, {_in_words(result[1])}")

    executor = choose_executor(len(jobs)) if executor is None else executor
    try:
        workers = getattr(executor, "workers", None) or 1
        rounds = math.ceil(len(jobs) / workers)
        own = callbacks or [()] * len(jobs)
        work = [
            (job.with_own_series(), deadline, rounds - place // workers, own[place])
            for place, job in enumerate(jobs)
        ]
        with task("training networks", len(jobs)) as advance:
            executor.map(_train, work, finished=finished)
    except KeyboardInterrupt as interruption:
        raise InterruptedJobs(_in_order(done)) from interruption
    except TrainingError as error:
        raise DivergedJobsError(error, _in_order(done)) from None
    return list(_in_order(done).values())


def _train(
    job: TrainingJob, deadline: Deadline | None, rounds: int, callbacks: Sequence[Any]
) -> tuple[dict[str, Any], History]:
    """Train the network of a job in `1 / rounds` of the remaining time."""
    engine = job.engine()
    own = None if deadline is None else deadline.of_next(rounds)
    history = job.train(engine, deadline=own, callbacks=callbacks)
    return engine.__getstate__(), history


def _outcome(job: TrainingJob, state: dict[str, Any], history: History) -> Outcome:
    """Return the outcome of a training from the state of its engine.

    The engine takes the job's own specs: a function in them, such as a loss, would return from
    another process as a copy, which is not registered with Keras.
    """
    engine = job.engine()
    engine.__setstate__({**state, "network": job.network, "training": job.training})
    return Outcome(engine, history, job)


def _in_order(done: dict[int, Outcome]) -> dict[int, Outcome]:
    return {place: done[place] for place in sorted(done)}


def _in_words(history: History) -> str:
    epochs = counted(len(history), "epoch")
    if "val_loss" in history:
        return f"{epochs}, best validation loss {np.min(history['val_loss']):.4g}"
    return f"{epochs}, last loss {history['loss'][-1]:.4g}"
