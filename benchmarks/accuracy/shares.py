"""How candidates share the forecast of `effort="balanced"`, on windows before the test parts.

    python benchmarks/accuracy/shares.py FOLDER             # about ten minutes
    python benchmarks/accuracy/shares.py FOLDER --tasks m3_yearly m3_quarterly

Each task is cut a horizon before its test part, and two horizons, and fitted once at each. From the candidates of the
fit the table works out what would have been forecast with fine-tuned weights of other shares (0 is the pretrained
network), and with shares of the candidates that follow the validation windows more or less. Scores are over those of
the seasonal naive forecast.
"""

from collections import defaultdict
from dataclasses import replace

import numpy as np
from methods import forecaster
from zero_shot_tasks import DECILE_LEVELS, read_task

from harness import machine, options, parse, table
from seqcast.engine.training_jobs import Outcome
from seqcast.forecaster import choice as choices
from seqcast.forecaster.candidates.zero_shot import FittedZeroShot
from seqcast.forecaster.choice import Choice, count_disjoint
from seqcast.forecaster.fitted import FittedForecaster
from seqcast.forecaster.options import FitOptions
from seqcast.forecaster.planning import make_plan
from seqcast.forecaster.reading import read_rows
from seqcast.pretrained.pretrained_network import load_pretrained

# How many windows before the test part; series of years are too short for two.
TASKS = {"m3_yearly": 1, "m3_quarterly": 1, "tourism_quarterly": 2, "tourism_monthly": 2, "nn5": 2}
WEIGHTS = (0.0, 0.5, 1.0)
CAUTIONS = (10.0, 1_000.0, 1e9)


def candidates(task, seed):
    """Fit a task; return the hold-out windows, and for each candidate its forecasts of them and of the task."""
    model = forecaster("balanced", task, seed, level=DECILE_LEVELS)
    options = FitOptions.resolve(model.get_params(deep=False), seed)
    plan = make_plan(read_rows(options.rows, task.frame()), options)
    outcomes = {}
    for place, job in plan.by_place.items():
        engine = job.engine()
        outcomes[place] = Outcome(engine, job.train(engine), job)
    found, season = {}, plan.rows.season_length
    for place, candidate in enumerate(plan.candidates):
        own = {number: outcome for (owner, number), outcome in outcomes.items() if owner == place}
        found |= {fitted.name: fitted for fitted in candidate.fitted(plan.rows, own)}
    (tuning,) = (outcome for outcome in outcomes.values() if outcome.job.observers_only)
    fits = {name: found[name] for name in ("seasonal_naive", "trained")}
    for share in WEIGHTS:
        network = load_pretrained().finetuned(tuning._replace(job=replace(tuning.job, share=share)))
        fits[f"finetuned {share:g}"] = FittedZeroShot(network, season, is_finetuned=True)
    hold_out, validation, test = plan.hold_out, {}, {}
    for name, fitted in fits.items():
        validation[name] = hold_out.forecast(fitted)
        alone = FittedForecaster(
            series=plan.rows.series,
            season_length=season,
            seed=seed,
            choice=Choice.only(fitted.name),
            candidates=(fitted,),
            rows=options.rows,
            output=options.output,
        )
        test[name] = task.deciles(alone.predict())
    return hold_out, validation, test


def main():
    """Fit, work out and print a table."""
    parser = options(__doc__, data=True)
    parser.add_argument("--tasks", nargs="+", choices=TASKS, default=list(TASKS))
    parser.add_argument("--seed", type=int, default=0)
    arguments = parse(parser)
    scores, headings = defaultdict(list), []
    cuts = [(name, back) for name in arguments.tasks for back in range(1, TASKS[name] + 1)]
    for name, back in cuts:
        task = read_task(arguments.data, name).held_back(back)
        windows, validation, test = candidates(task, arguments.seed)
        naive = np.array(task.scores(task.naive_deciles()))
        headings.append(f"{name}, {back}")
        count, probabilities = count_disjoint(windows.origins), windows.request.probabilities_with_point
        for one, forecast in test.items():
            scores[one].append(np.array(task.scores(forecast)) / naive)
        for share in WEIGHTS:
            names = {"seasonal_naive": "seasonal_naive", "finetuned": f"finetuned {share:g}", "trained": "trained"}
            given = {one: validation[other] for one, other in names.items()}
            for caution in CAUTIONS:
                choices.CAUTIOUS_WINDOWS = caution
                shares = choices.choose(windows.truth, given, probabilities, windows=count).shares
                blend = sum(part * test[names[one]] for one, part in shares.items())
                label = f"shares with {share:g} of the fine-tuning, {caution:g} windows"
                scores[label].append(np.array(task.scores(blend)) / naive)
        print(f"{headings[-1]}: {shares}", flush=True)
    rows = []
    for label, found in scores.items():
        whole = np.exp(np.mean(np.log(found), axis=0))
        rows.append([label, *("{:.3f} / {:.3f}".format(*pair) for pair in (whole, *found))])
    print(table(["MASE / WQL", "geometric mean", *headings], rows))
    print(machine())


if __name__ == "__main__":
    main()
