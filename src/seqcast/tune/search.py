"""The search: an Optuna study, trials side by side, and the fit with the best settings."""

from __future__ import annotations

import contextlib
import math
import os
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING, Any

from seqcast.errors import Option, Phrase, SpecError, WorkerDiedError
from seqcast.forecaster import (
    Cluster,
    ForecasterArguments,
    ReadOptions,
    check_cluster,
    check_options,
    is_compared,
    read_rows,
)
from seqcast.network import fresh_seed
from seqcast.pretrained import is_zero_shot
from seqcast.runtime import choose_executor, temporary_folder, worker_count
from seqcast.specs import EnsembleSpec, NetworkSpec, Spec, check_int, check_writable
from seqcast.training import Deadline
from seqcast.tune.clock import Clock
from seqcast.tune.final_fit import FinalFit
from seqcast.tune.objective import Objective
from seqcast.tune.result import Trial, TuningResult
from seqcast.tune.space import UNTUNED, Space, check_space, default_space, neighbours, widened
from seqcast.tune.study import check_study, optuna, quiet, storage_url
from seqcast.tune.trials import Task, has_run, run_trials

if TYPE_CHECKING:
    from optuna import Study
    from optuna.trial import FrozenTrial

# Trials, where neither their number nor a time is given.
USUAL_TRIALS = 30
# Most networks of the forecaster.
USUAL_NETWORKS = 5
# The search gives up if all workers die more often.
MOST_BREAKS = 3


def tune(
    df: Any,
    horizon: int,
    *,
    preset: str | NetworkSpec = "auto",
    space: Mapping[str, Any] | None = None,
    n_windows: int | None = None,
    step_size: int | None = None,
    trials: int | None = None,
    time_limit: float | str | None = None,
    storage: str | os.PathLike[str] | None = None,
    resume: bool = False,
    workers: int | None = None,
    on: Cluster | None = None,
    ensemble: int | None = None,
    pruner: str = "median",
    random_state: int | None = None,
    verbose: int = 1,
    **options: Any,
) -> TuningResult:
    """Search for the settings of networks, and fit a forecaster with the best ones.

    Each trial trains one network on the rows before the first of `n_windows` origins. Its loss is
    that of its forecasts from all origins, see `seqcast.tune.objective.Objective`. The first trial
    is the untuned setting; the next ones change one field of it each. A tree-structured Parzen
    estimator proposes the others. A trial whose validation loss is above that of others is stopped
    early.

    The fitted forecaster combines the best networks, trained again on all rows. With
    `preset="auto"` the last season and the pretrained network share the forecast with them, as in a
    `Forecaster` that is not tuned. With `preset="pretrained"` the settings of its fine-tuning are
    searched.

    Args:
        df: As for `Forecaster.fit`.
        horizon: Steps to forecast.
        preset: The network that a search starts from: `auto`, the name of a preset, or a
            `NetworkSpec`.
        space: Searched values: a `Choice`, a `Range` or a list by the name of a field of
            `NetworkSpec` or `TrainingSpec`, or `context_length`. A fine-tuning has fields of
            `TrainingSpec`, or `freeze`. The untuned value joins the others. `None` takes
            `default_space`.
        n_windows: Number of origins; `None` is one to three, see
            `seqcast.tune.objective.windows_rule`.
        step_size: Steps from one origin to the next; `None` is the horizon.
        trials: Trials of the study, pruned ones included; `None` is 30, or with `time_limit` as
            many as there is time for.
        time_limit: About how long search and fit may take together: seconds, or a text such as `10
            min`.
        storage: Where trials are stored: `study.db` (SQLite), or the URL of a database. `None`
            stores them until the call ends.
        resume: Whether to go on with the study in `storage`, or to join it from another machine.
        workers: Processes that train side by side; `None` is one a core, or all of `on`. On a GPU
            it is one.
        on: A `seqcast.distributed.RayCluster` whose workers run the trials, one each, and train the
            final networks where there is no `time_limit`. All machines have to see its `storage`,
            and reach that of the study. The final fine-tuning runs here.
        ensemble: Most networks of the forecaster: the best one and those whose loss is at most a
            fiftieth larger; where they are fewer, these are trained with several seeds. `None` is
            5, or 1 with `preset="pretrained"`, of which there is no ensemble.
        pruner: Rule that ends trials early: `median`, `hyperband` or `none`.
        random_state: Seed of everything random; with one worker the same seed makes the same
            search.
        verbose: 0 is silent, 1 shows trials and the fit.
        **options: Other arguments of `Forecaster`.

    Returns:
        The fitted forecaster, the trials and a script.

    Raises:
        DataError: Something in the frame is wrong, or there are too few rows.
        SpecError: An option is wrong, the study in `storage` is another one, or no trial was
            complete in the time.
        MissingPackageError: Optuna is not installed.
        TrainingError: The untuned network, or the final one, diverged.
        KeyboardInterrupt: The user interrupted; a study in `storage` goes on with `resume`.

    Example:
        >>> from seqcast.data.datasets import load
        >>> from seqcast.tune.space import Range
        >>> small = {"preset": "classic", "training": {"epochs": 1, "steps_per_epoch": 2}}
        >>> small |= {"trials": 2, "ensemble": 1, "workers": 1, "random_state": 0, "verbose": 0}
        >>> result = tune(load("elnino"), 4, space={"dropout": Range(0.0, 0.2)}, **small)
        >>> len(result.trials), result.best.loss <= result.untuned_loss
        (2, True)
    """
    optuna()
    began = time.monotonic()
    _check_counts(n_windows=n_windows, ensemble=ensemble, trials=trials, workers=workers)
    cluster = check_cluster(on)
    deadline = None if time_limit is None else Deadline.of(time_limit)
    url = _url(storage, resume=resume)
    members = _member_count(preset, ensemble)
    arguments = _arguments(horizon, preset, random_state, options)
    if space is not None:
        space = check_space(space, finetuned=is_zero_shot(preset))

    frame = read_rows(ReadOptions.of(arguments), df)
    seed = fresh_seed() if random_state is None else int(random_state)
    objective = Objective.of(frame, arguments, seed, n_windows=n_windows, step_size=step_size)
    at_once = worker_count(workers) if cluster is None else (workers or cluster.workers)
    clock = Clock(
        deadline,
        workers=min(at_once, trials or at_once),
        members=members,
        compared=is_compared(preset),
        share=objective.share,
    )

    with quiet(), _stored(url, cluster) as study_url:
        task = Task(
            study_url,
            objective=objective,
            space=_with_untuned(space, objective),
            trials=trials or (USUAL_TRIALS if deadline is None else math.inf),
            clock=clock,
            pruner=pruner,
            verbose=verbose,
        )
        searched = _search(task, cluster, resume=resume, drawn=random_state is None)

    final = FinalFit.of(searched.trials, searched.task)
    return TuningResult(
        forecaster=final.fit(df, cluster, verbose=verbose),
        settings=final.settings,
        trials=tuple(Trial.of(trial) for trial in searched.trials if has_run(trial)),
        script=final.script(),
        importance=searched.importance,
        seconds=time.monotonic() - began,
    )


def _check_counts(**counts: int | None) -> None:
    for name, count in counts.items():
        if count is not None:
            check_int(name, count)


def _url(storage: str | os.PathLike[str] | None, *, resume: bool) -> str | None:
    """Return the URL of the storage that the user names, if any."""
    if storage is not None:
        return storage_url(storage)
    if resume:
        raise SpecError(
            "resume",
            expected=Phrase(Option("storage"), " as well"),
            received="None",
            hint="Name the study's.",
        )
    return None


@contextlib.contextmanager
def _stored(url: str | None, cluster: Cluster | None) -> Iterator[str]:
    """Yield the URL of the storage: that of the user, or else of a folder that is removed."""
    if url is not None:
        yield url
        return
    with temporary_folder(None if cluster is None else cluster.storage) as folder:
        yield storage_url(folder / "study.db")


def _member_count(preset: str | NetworkSpec, ensemble: int | None) -> int:
    """Return the largest number of networks of the forecaster."""
    if not is_zero_shot(preset):
        return USUAL_NETWORKS if ensemble is None else ensemble
    if ensemble not in (None, 1):
        raise SpecError(
            "ensemble",
            expected=Phrase(
                "1 with ", Option("preset", preset), ", one network that is fine-tuned"
            ),
            received=repr(ensemble),
            hint="Leave it out, or name another preset.",
        )
    return 1


def _arguments(
    horizon: int,
    preset: str | NetworkSpec,
    random_state: int | None,
    options: Mapping[str, Any],
) -> ForecasterArguments:
    """Return the arguments of the forecaster, checked.

    Raises:
        SpecError: One does not exist, is wrong, or is decided by the search.
    """
    known = {item.name for item in fields(ForecasterArguments)}
    for name, value in options.items():
        if name not in known:
            raise SpecError(
                name,
                expected="an argument of tune or of Forecaster",
                received=repr(value),
                hint="Leave it out.",
            )
    if isinstance(preset, EnsembleSpec):
        raise SpecError(
            "preset",
            expected="auto, classic, segment, pretrained or a NetworkSpec: "
            "one network whose settings are searched",
            received=repr(preset)[:80],
            hint="Search for each of its networks.",
        )

    arguments = ForecasterArguments(
        horizon, preset=preset, random_state=random_state, verbose=0, **options
    )
    # The forecaster has no training of the pretrained network; here it is that of its fine-tuning.
    check_options(replace(arguments, training=None) if is_zero_shot(preset) else arguments)
    _check_searched(arguments)
    check_writable(
        [each for each in (arguments.training, preset) if isinstance(each, Spec)],
        where="training or preset",
        expected="options that can be written to a script",
    )
    return arguments


def _check_searched(arguments: ForecasterArguments) -> None:
    """Reject arguments that the search decides."""
    members = Phrase("Give ", Option("ensemble", 5), ", which combines the best networks.")
    effort = "Leave it out: a search trains networks."
    for name, usual, hint in (("members", 1, members), ("effort", "auto", effort)):
        given = getattr(arguments, name)
        if given != usual:
            raise SpecError(
                name, expected=f"{usual!r} in a search", received=repr(given), hint=hint
            )


def _with_untuned(space: Space | None, objective: Objective) -> Space:
    """Return the space, with the untuned setting in it."""
    if space is None:
        space = default_space(
            objective.untuned,
            objective.sizes,
            contexts=objective.arguments.context_length is None,
            covariates=any(vars(objective.frame.covariates).values()),
        )
    return widened(space, objective.untuned)


@dataclass(frozen=True)
class _Searched:
    """A study at its end.

    Args:
        task: The task of its workers, with the seed of the study.
        trials: Its trials.
        importance: The share of each parameter in the variance of losses.
    """

    task: Task
    trials: list[FrozenTrial]
    importance: dict[str, float]


def _search(task: Task, cluster: Cluster | None, *, resume: bool, drawn: bool) -> _Searched:
    """Run the trials of a study that is new, or that of this search."""
    with task.study() as study:
        seed = check_study(study, task.objective, task.space, resume=resume, drawn=drawn)
        task = replace(task, objective=replace(task.objective, seed=seed))
        if not study.get_trials(deepcopy=False):
            first, _ = neighbours(task.space, task.objective.untuned, seed)
            study.enqueue_trial(first, user_attrs={UNTUNED: True})
        _run_all(task, cluster)
        return _Searched(task, study.get_trials(), _importance(study))


def _run_all(task: Task, cluster: Cluster | None) -> None:
    """Run trials until there are enough or the time is over; workers that die are replaced."""
    workers = task.clock.workers
    # The trial of a dead worker is tried again here, in place of the whole job on the cluster.
    executor = choose_executor(workers, workers) if cluster is None else cluster.executor(retries=0)
    for breaks in range(MOST_BREAKS + 1):
        try:
            executor.map(run_trials, [(task, worker) for worker in range(workers)])
            return
        except WorkerDiedError:
            if breaks == MOST_BREAKS:
                raise
            task.log("a worker has died; its trial is tried again")


def _importance(study: Study) -> dict[str, float]:
    """Return the share of each parameter in the variance of losses.

    It is empty where too few trials are complete.
    """
    trials = study.get_trials(deepcopy=False)
    losses = {trial.value for trial in trials if trial.state.name == "COMPLETE"}
    if len(losses) < 2:
        return {}
    importance = optuna().importance
    shares = importance.get_param_importances(
        study, evaluator=importance.FanovaImportanceEvaluator(seed=0)
    )
    return {name: float(share) for name, share in shares.items()}
