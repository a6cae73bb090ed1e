"""The search: an Optuna study, trials side by side, and the fit of a forecaster with the best settings."""

import math
import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from seqcast.errors import Option, Phrase, SpecError, WorkerDiedError
from seqcast.forecaster import (
    Cluster,
    Forecaster,
    ForecasterArguments,
    ReadOptions,
    check_cluster,
    check_options,
    is_compared,
    read_rows,
)
from seqcast.network import fresh_seed
from seqcast.pretrained import is_zero_shot, limits
from seqcast.runtime import choose_executor, say, temporary_folder, worker_count
from seqcast.specs import EnsembleSpec, FinetuneSpec, MemberSpec, check_int, check_writable
from seqcast.training import Deadline
from seqcast.tune.objective import Objective, check_study
from seqcast.tune.result import Trial, TuningResult
from seqcast.tune.script import searched_script
from seqcast.tune.space import (
    UNTUNED,
    Setting,
    Space,
    check_space,
    default_space,
    neighbours,
    widened,
)
from seqcast.tune.trials import (
    Clock,
    Task,
    has_run,
    none_complete,
    optuna,
    quiet,
    run_trials,
    seconds_of,
    storage_url,
)

# Trials, where neither their number nor a time is given.
USUAL_TRIALS = 30
# Most networks of the forecaster.
USUAL_NETWORKS = 5
# The search gives up if all workers die more often.
MOST_BREAKS = 3
# A network joins the ensemble if its loss exceeds the best one by at most this fraction, about the
# gain of an ensemble.
GOOD_ENOUGH = 0.02


def tune(
    df: Any,
    horizon: int,
    *,
    preset: Any = "auto",
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

    Each trial trains one network on the rows before the first of `n_windows` origins. It is judged
    by its forecasts from all origins, see `seqcast.tune.objective.Objective`. The first trial is
    the untuned setting; the next ones change one field of it each. A tree-structured Parzen
    estimator proposes the others. A trial whose validation loss is above that of others is stopped
    early. The fitted forecaster combines the best networks, trained again on all rows; with
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
        n_windows: Origins by which a trial is judged; `None` is one to three, see
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
        >>> quick = {"epochs": 1, "steps_per_epoch": 2}
        >>> how = {"ensemble": 1, "workers": 1, "random_state": 0, "verbose": 0}
        >>> result = tune(
        ...     load("elnino"), 4, preset="classic", training=quick, trials=2, space={"dropout": Range(0.0, 0.2)}, **how
        ... )
        >>> len(result.trials), result.best.loss <= result.untuned_loss
        (2, True)
    """
    optuna()
    began = time.monotonic()
    counts = {"n_windows": n_windows, "ensemble": ensemble, "trials": trials, "workers": workers}
    for name, value in counts.items():
        if value is not None:
            check_int(name, value)
    on = check_cluster(on)
    deadline = None if time_limit is None else Deadline.of(time_limit)
    if resume and storage is None:
        expected = Phrase(Option("storage"), " as well")
        raise SpecError("resume", expected=expected, received="None", hint="Name the study's.")
    url = "" if storage is None else storage_url(storage)
    ensemble = _networks(preset, ensemble)
    arguments = _arguments(horizon, preset, random_state, options)
    if space is not None:
        space = check_space(space, finetuned=is_zero_shot(preset))
    seed = int(fresh_seed() if random_state is None else random_state)
    frame = read_rows(ReadOptions.of(ForecasterArguments(**arguments)), df)
    objective = Objective.of(frame, arguments, seed, n_windows=n_windows, step_size=step_size)
    searched = _with_untuned(space, objective)
    count = worker_count(workers) if on is None else (workers or on.workers)
    clock = Clock(
        deadline, min(count, trials or count), ensemble, is_compared(preset), objective.share
    )
    most = trials or (USUAL_TRIALS if deadline is None else math.inf)
    folder = on.storage if on is not None and not url else None
    with quiet(), temporary_folder(folder) as lasting:
        url = url or storage_url(lasting / "study.db")
        task = Task(url, objective, searched, most, clock, pruner=pruner, verbose=verbose)
        with task.study() as study:
            seed = check_study(
                study, objective, searched, resume=resume, drawn=random_state is None
            )
            task = replace(task, objective=replace(objective, seed=seed))
            _search(study, task, on)
            all_trials = study.get_trials()
            importance = _importance(study)
    settings, limit = chosen_settings(all_trials, task)
    options = final_options(arguments, settings, objective.untuned, seed)
    finetuning = settings[0] if isinstance(settings[0], FinetuneSpec) else None
    limit = None if finetuning else limit
    forecaster = Forecaster(**options, verbose=verbose)
    if finetuning is not None:
        forecaster.finetune(df, **finetuning.arguments)
    else:
        forecaster.fit(df, time_limit=limit, on=on if limit is None else None)
    return TuningResult(
        forecaster=forecaster,
        settings=settings,
        trials=tuple(Trial.of(each) for each in all_trials if has_run(each)),
        script=searched_script(options, limit, finetuning),
        importance=importance,
        seconds=time.monotonic() - began,
    )


def _with_untuned(space: Space | None, objective: Objective) -> Space:
    """Return the space, with the untuned setting in it."""
    if space is None:
        fixed = objective.options["context_length"] is not None
        covariates = any(vars(objective.frame.covariates).values())
        space = default_space(
            objective.untuned, objective.sizes, contexts=not fixed, covariates=covariates
        )
    return widened(space, objective.untuned)


def _networks(preset: Any, ensemble: int | None) -> int:
    """Return the largest number of networks of the forecaster."""
    if not is_zero_shot(preset):
        return USUAL_NETWORKS if ensemble is None else ensemble
    if ensemble not in (None, 1):
        expected = Phrase("1 with ", Option("preset", preset), ", one network that is fine-tuned")
        hint = "Leave it out, or name another preset."
        raise SpecError("ensemble", expected=expected, received=repr(ensemble), hint=hint)
    return 1


def _arguments(
    horizon: int, preset: Any, random_state: Any, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return the arguments of the forecaster, checked.

    Raises:
        SpecError: One does not exist, is wrong, or is decided by the search.
    """
    known = Forecaster(horizon).get_params(deep=False)
    for name, value in options.items():
        if name not in known:
            expected = "an argument of tune or of Forecaster"
            raise SpecError(name, expected=expected, received=repr(value), hint="Leave it out.")
    if isinstance(preset, EnsembleSpec):
        expected = "auto, classic, segment, pretrained or a NetworkSpec: one network whose settings are searched"
        hint = "Search for each of its networks."
        raise SpecError("preset", expected=expected, received=repr(preset)[:80], hint=hint)
    arguments = {**known, **options, "preset": preset, "random_state": random_state, "verbose": 0}
    # The forecaster has no training of the pretrained network; here it is that of its fine-tuning.
    own = {"training": None} if is_zero_shot(preset) else {}
    check_options(ForecasterArguments(**{**arguments, **own}))
    networks = Phrase("Give ", Option("ensemble", 5), ", which combines the best networks.")
    for name, usual, hint in (
        ("members", 1, networks),
        ("effort", "auto", "Leave it out: a search trains networks."),
    ):
        if arguments[name] != usual:
            raise SpecError(
                name, expected=f"{usual!r} in a search", received=repr(arguments[name]), hint=hint
            )
    check_writable(
        [each for each in (arguments["training"], preset) if hasattr(each, "to_dict")],
        where="training or preset",
        expected="options that can be written to a script",
    )
    return arguments


def _search(study: Any, task: Task, on: Cluster | None) -> None:
    """Run trials until there are enough or the time is over; workers that die are replaced."""
    if not study.get_trials(deepcopy=False):
        first, _ = neighbours(task.space, task.objective.untuned, task.objective.seed)
        study.enqueue_trial(first, user_attrs={UNTUNED: True})
    workers = task.clock.workers
    # The trial of a dead worker is tried again here, in place of the whole job on the cluster.
    executor = choose_executor(workers, workers) if on is None else on.executor(retries=0)
    for breaks in range(MOST_BREAKS + 1):
        try:
            executor.map(run_trials, [(task, worker) for worker in range(workers)])
            return
        except WorkerDiedError:
            if breaks == MOST_BREAKS:
                raise
            if task.verbose:
                say("seqcast: a worker has died; its trial is tried again")


def chosen_settings(trials: Sequence[Any], task: Task) -> tuple[tuple[Setting, ...], float | None]:
    """Return the settings of the forecaster, and the seconds of its fit where the clock has to end it.

    Args:
        trials: The trials of the study.
        task: The task of the workers.

    Raises:
        SpecError: No trial is complete.
    """
    clock = task.clock
    complete = [trial for trial in trials if trial.state.name == "COMPLETE"]
    complete.sort(key=lambda trial: (trial.value, trial.number))
    if not complete:
        raise none_complete(clock, trials)
    good = [trial for trial in complete if trial.value <= (1 + GOOD_ENOUGH) * complete[0].value][
        : clock.members
    ]
    count = clock.affordable(float(np.median(seconds_of(good))))
    settings = tuple(task.setting(good[place % len(good)].params) for place in range(max(1, count)))
    return settings, None if count or clock.deadline is None else max(
        clock.deadline.left() - clock.reserve, 1.0
    )


def final_options(
    arguments: Mapping[str, Any], settings: Sequence[Setting], untuned: Setting, seed: int
) -> dict[str, Any]:
    """Return the arguments of a forecaster with some settings.

    Args:
        arguments: The arguments that the user gave, by name.
        settings: Its networks, or the fine-tuning of the pretrained one.
        untuned: The untuned setting; as a network it is the judge of the others.
        seed: Seed of everything random.
    """
    options = {**arguments, "training": None, "random_state": seed}
    del options["verbose"]
    members = tuple(each for each in settings if isinstance(each, MemberSpec))
    if not isinstance(untuned, MemberSpec):
        return options
    compared = is_compared(arguments["preset"])
    judge = untuned if compared and any(member != untuned for member in members) else None
    finetuning = limits(arguments["training"]) or None
    network = EnsembleSpec(members, alone=not compared, finetuning=finetuning, judge=judge)
    return {**options, "preset": network, "context_length": None}


def _importance(study: Any) -> dict[str, float]:
    """Return the share of each parameter in the variance of losses; nothing where too few trials are complete."""
    if (
        len(
            {
                trial.value
                for trial in study.get_trials(deepcopy=False)
                if trial.state.name == "COMPLETE"
            }
        )
        < 2
    ):
        return {}
    importance = optuna().importance
    shares = importance.get_param_importances(
        study, evaluator=importance.FanovaImportanceEvaluator(seed=0)
    )
    return {name: float(share) for name, share in shares.items()}
