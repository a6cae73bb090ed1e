"""The search: a study of Optuna's, trials side by side, and the fit of what it has found."""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any

from seqcast.errors import Option, Phrase, SpecError, WorkerDiedError
from seqcast.forecaster import (
    Cluster,
    Forecaster,
    RowOptions,
    check_cluster,
    check_options,
    is_compared,
    middle_length,
    read_rows,
)
from seqcast.network import fresh_seed
from seqcast.pretrained import is_zero_shot
from seqcast.runtime import Executor, choose_executor, say, worker_count
from seqcast.specs import EnsembleSpec, check_int, check_writable
from seqcast.training import Deadline
from seqcast.tune.choosing import Recipe, chosen_settings
from seqcast.tune.clock import Clock
from seqcast.tune.objective import Objective, check_fingerprint, study_fingerprint, windows_rule
from seqcast.tune.result import Trial, TuningResult
from seqcast.tune.space import FIELDS, FINETUNE_FIELDS, check_space, default_space, neighbours, widened
from seqcast.tune.storage import Storage, optuna, quiet
from seqcast.tune.trials import Task, finished, is_untuned, run_trials, seconds_of
from seqcast.tune.watch import held_run, recover

# Trials, where neither their number nor a time is given.
USUAL_TRIALS = 30
# Most networks of the forecaster.
USUAL_NETWORKS = 5
# So often may all workers die before the study gives up.
MOST_BREAKS = 3


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

    Each trial trains one network on the rows before the first of `n_windows` origins and is judged by its forecasts
    from all of them, see `seqcast.tune.objective.Objective`. The first trial is the untuned setting, the next ones
    change one field of it each, and the others are proposed by a tree-structured Parzen estimator. A trial whose
    validation loss is above that of others is stopped early. The fitted forecaster combines the best networks, trained
    anew on all rows; with `preset="auto"` the last season and the pretrained network share the forecast with them, as
    in a `Forecaster` that is not tuned. With `preset="pretrained"` the settings of its fine-tuning are searched.

    Args:
        df: As for `Forecaster.fit`.
        horizon: Steps to forecast.
        preset: The network that a search starts from: `auto`, the name of a preset, or a `NetworkSpec`.
        space: What is searched: by the name of a field of `NetworkSpec` or `TrainingSpec`, or `context_length`, a
            `Choice`, a `Range` or a list of values. The untuned value joins them. `None` takes `default_space`. Of a
            fine-tuning, fields of `TrainingSpec`, or `freeze`.
        n_windows: Origins by which a trial is judged; `None` is one to three, see
            `seqcast.tune.objective.windows_rule`.
        step_size: Steps from one origin to the next; `None` is the horizon.
        trials: Trials of the study, pruned ones included; `None` is 30, or with `time_limit` as many as there is time
            for.
        time_limit: About how long search and fit may take together: seconds, or a text such as `10 min`.
        storage: Where trials are kept: `study.db` (SQLite), `study.log` (a journal), or the URL of a database. `None`
            keeps them until the end of the call.
        resume: Whether to go on with the study in `storage`, or to join it from another machine.
        workers: Processes that train side by side; `None` is one a core, or all of `on`. On a GPU it is one.
        on: A `seqcast.distributed.RayCluster` whose workers run the trials, one each, and train the final networks
            where there is no `time_limit`; all machines have to see its `storage`, and that of the study. The final
            fine-tuning runs here.
        ensemble: Most networks of the forecaster: the best one and those whose loss is at most a fiftieth larger; where
            they are fewer, these are trained with several seeds. `None` is 5, or 1 with `preset="pretrained"`, of which
            there is no ensemble.
        pruner: `median`, `hyperband` or `none`.
        random_state: Seed of everything random; with one worker the same seed makes the same search.
        verbose: 0 is silent, 1 shows trials and the fit.
        **options: Further arguments of `Forecaster`.

    Returns:
        The fitted forecaster, the trials and a script.

    Raises:
        DataError: Something in the frame is wrong, or there are too few rows.
        SpecError: An option is wrong, or the study in `storage` is another one.
        MissingPackageError: Optuna is not installed.
        TrainingError: The untuned network, or the final one, diverged.
        KeyboardInterrupt: The user interrupted; what is in `storage` goes on with `resume`.

    Example:
        >>> from seqcast.data.datasets import load
        >>> from seqcast.tune.space import Range
        >>> quick = {"epochs": 1, "steps_per_epoch": 2}
        >>> how = {"ensemble": 1, "workers": 1, "random_state": 0, "verbose": 0}
        >>> found = tune(
        ...     load("elnino"), 4, preset="classic", training=quick, trials=2, space={"dropout": Range(0.0, 0.2)}, **how
        ... )
        >>> len(found.trials), found.best.loss <= found.untuned_loss
        (2, True)
    """
    optuna()
    began = time.time()
    given = {"n_windows": n_windows, "ensemble": ensemble, "trials": trials, "workers": workers}
    for name, value in given.items():
        if value is not None:
            check_int(name, value)
    on = check_cluster(on)
    deadline = None if time_limit is None else Deadline.of(time_limit)
    address = _address(storage, resume)
    ensemble = _networks(preset, ensemble)
    arguments = _arguments(horizon, preset, random_state, options)
    checked = None if space is None else check_space(space, FINETUNE_FIELDS if is_zero_shot(preset) else FIELDS)
    seed = int(fresh_seed() if random_state is None else random_state)
    frame = read_rows(RowOptions.of(arguments), df)
    if n_windows is None:
        rows = middle_length(frame.source.lengths)
        n_windows = windows_rule(rows, horizon, None if step_size is None else check_int("step_size", step_size))
    objective = Objective.of(frame, arguments, seed, n_windows=n_windows, step_size=step_size)
    untuned = objective.untuned
    if checked is None:
        checked = default_space(
            untuned,
            objective.sizes,
            contexts=arguments["context_length"] is None,
            covariates=any(vars(frame.covariates).values()),
        )
    searched = widened(checked, untuned)
    count = worker_count(workers) if on is None else (workers or on.workers)
    count = min(count, trials or sys.maxsize)
    clock = Clock(deadline, count, ensemble, is_compared(preset))
    most = USUAL_TRIALS if trials is None and deadline is None else trials
    with ExitStack() as stack:
        if address is None:
            folder = stack.enter_context(
                tempfile.TemporaryDirectory(
                    prefix="seqcast-tune-", dir=None if on is None else on.storage, ignore_cleanup_errors=True
                )
            )
            address = Storage("journal", str(Path(folder) / "study.log"))
        stack.enter_context(quiet())
        run = stack.enter_context(held_run())
        task = Task(address, objective, searched, most, clock, pruner=pruner, run=run, seed=seed, verbose=verbose)
        study = stack.enter_context(task.study())
        described = study_fingerprint(objective, searched, n_windows=n_windows, step_size=step_size)
        seed = check_fingerprint(study, described, seed, resume=resume, drawn=random_state is None)
        task = replace(task, seed=seed, objective=replace(objective, seed=seed))
        _begin(study, task)
        # Where a worker dies its trial is tried again here, not the whole job there.
        _search(study, task, choose_executor(count, count) if on is None else on.executor(retries=0))
        found = study.get_trials(deepcopy=False)
        importance = _importance(study, found)
    settings, limit = chosen_settings(found, task, ensemble)
    recipe = Recipe.of(arguments, settings, untuned, seed, limit)
    return TuningResult(
        forecaster=recipe.fitted(df, verbose=verbose, on=on),
        settings=settings,
        trials=tuple(_trial(each) for each in found if each.state.is_finished()),
        script=recipe.script,
        importance=importance,
        seconds=time.time() - began,
    )


def _address(storage: Any, resume: bool) -> Storage | None:
    """Return where trials are kept; `None` for as long as the call takes."""
    if storage is None:
        if resume:
            raise SpecError(
                "resume", expected=Phrase(Option("storage"), " beside it"), received="None", hint="Name the study's."
            )
        return None
    return Storage.of(storage)


def _networks(preset: Any, ensemble: int | None) -> int:
    """Return the most networks of the forecaster."""
    if not is_zero_shot(preset):
        return USUAL_NETWORKS if ensemble is None else ensemble
    if ensemble not in (None, 1):
        raise SpecError(
            "ensemble",
            expected="1 with preset='pretrained', one network that is fine-tuned",
            received=repr(ensemble),
            hint="Leave it out, or name another preset.",
        )
    return 1


def _arguments(horizon: int, preset: Any, random_state: Any, options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the arguments of the forecaster, checked.

    Raises:
        SpecError: One does not exist, is wrong, or is what a search decides.
    """
    known = Forecaster(horizon).get_params(deep=False)
    for name in options:
        if name not in known:
            raise SpecError(
                name,
                expected="an argument of tune or of Forecaster",
                received=repr(options[name]),
                hint="Leave it out.",
            )
    if isinstance(preset, EnsembleSpec):
        raise SpecError(
            "preset",
            expected="auto, classic, segment, pretrained or a NetworkSpec: one network whose settings are searched",
            received=repr(preset)[:80],
            hint="Search for each of its networks.",
        )
    arguments = {**known, **options, "preset": preset, "random_state": random_state, "verbose": 0}
    # The forecaster has no training of the pretrained network; here it is that of its fine-tuning.
    check_options({**arguments, "training": None} if is_zero_shot(preset) else arguments)
    for name, usual, hint in (
        ("members", 1, Phrase("Give ", Option("ensemble", 5), ", which combines the best networks.")),
        ("effort", "auto", "Leave it out: a search trains networks."),
    ):
        if arguments[name] != usual:
            raise SpecError(name, expected=f"{usual!r} in a search", received=repr(arguments[name]), hint=hint)
    check_writable(
        [each for each in (arguments["training"], preset) if hasattr(each, "to_dict")],
        where="training or preset",
        expected="options that can be written to a script",
    )
    return arguments


def _begin(study: Any, task: Task) -> None:
    """Let dead trials be tried again, and the untuned setting be the first of a new study."""
    again = recover(study, task.run)
    if task.verbose and again:
        say(f"seqcast: {again} trials of processes that have died are tried again")
    if not study.get_trials(deepcopy=False):
        first, _ = neighbours(task.space, task.objective.untuned, task.seed)
        study.enqueue_trial(first, user_attrs={"untuned": True})


def _search(study: Any, task: Task, executor: Executor) -> None:
    """Run trials until there are enough or the time is over; workers that die are replaced."""
    breaks = 0
    while True:
        before = len(finished(study.get_trials(deepcopy=False)))
        try:
            workers = task.clock.workers
            executor.map(run_trials, [(task, worker) for worker in range(workers)])
        except BaseException as error:
            recover(study, task.run)
            if not isinstance(error, WorkerDiedError) or breaks >= MOST_BREAKS:
                raise
            breaks += 1
            if task.verbose:
                say("seqcast: a worker has died; its trial is tried again")
            continue
        after = study.get_trials(deepcopy=False)
        done = len(finished(after))
        enough = task.trials is None or done >= task.trials
        if enough or done == before or not task.clock.fits_another(seconds_of(after)):
            return


def _importance(study: Any, trials: Sequence[Any]) -> dict[str, float]:
    """Return the share of each parameter in the variance of losses; nothing where too few trials are complete."""
    losses = {trial.value for trial in trials if trial.state.name == "COMPLETE"}
    if len(losses) < 2:
        return {}
    evaluator = optuna().importance.FanovaImportanceEvaluator(seed=0)
    return {
        name: float(share)
        for name, share in optuna().importance.get_param_importances(study, evaluator=evaluator).items()
    }


def _trial(trial: Any) -> Trial:
    """Return what is told of a trial of Optuna's."""
    state = {"COMPLETE": "complete", "PRUNED": "pruned"}.get(trial.state.name, "failed")
    told = trial.user_attrs
    return Trial(
        trial.number,
        state,
        trial.value if state == "complete" else None,
        dict(trial.params),
        seconds=told.get("seconds"),
        epochs=told.get("epochs"),
        untuned=is_untuned(trial),
        reason=told.get("reason"),
    )
