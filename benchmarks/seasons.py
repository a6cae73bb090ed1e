"""Seasons that values alone show, and two seasons at once.

    python benchmarks/seasons.py FOLDER              # both tables, half an hour of a core
    python benchmarks/seasons.py FOLDER --explore    # the second one on rows before the test rows
    python benchmarks/seasons.py FOLDER --quick      # few draws: proves the path

The first table has random series: in which fraction a season is detected that was planted, or none
where there is none. Seasons have 4 to 400 steps (100 in panels), the variance of the noise, and
four to eight periods of rows, 96 at least. The second one has half-hours with a day and a week:
errors of the default that trains nothing beside those of the last day and the last week. Its last
eight windows of a week are test rows.
"""

from functools import partial

import numpy as np
import pandas as pd
from scipy.signal import lfilter

from harness import code, kept, machine, options, parse, table
from public_data import checked, read_vic_elec
from seqcast import Forecaster
from seqcast.data.detection import seasons_of
from seqcast.evaluation import evaluate

DRAWS = 500
QUICK_DRAWS = 5
SERIES = 50
LEAST_ROWS = 96
MOST_STEPS = 400
MOST_IN_PANELS = 100
DAY = 48
WEEK = 336
WINDOWS = 8


def waves(rng, steps):
    """Return a smooth season, four waves."""
    places = 2 * np.pi * np.arange(steps) / steps
    numbers = range(1, 1 + min(4, steps // 2))
    return sum(rng.normal() / k * np.sin(k * places + rng.uniform(0, 2 * np.pi)) for k in numbers)


PATTERNS = {
    "a sine": lambda rng, steps: np.sin(2 * np.pi * (np.arange(steps) / steps + rng.random())),
    "waves": waves,
    "a random pattern": lambda rng, steps: rng.normal(size=steps),
    "one spike": lambda rng, steps: np.eye(1, steps, rng.integers(steps))[0],
}


def autoregression(rng, rows, order):
    """Return noise with roots of modulus .95 at most."""
    roots = rng.uniform(-0.95, 0.95, order)
    if order == 2 and rng.random() < 0.5:
        root = rng.uniform(0, 0.95) * np.exp(1j * rng.uniform(0, np.pi))
        roots = np.array([root, root.conj()])
    return lfilter([1.0], np.real(np.poly(roots)), rng.normal(size=rows + 300))[300:]


NOISES = {
    "white noise": lambda rng, rows: rng.normal(size=rows),
    "random walks": lambda rng, rows: np.cumsum(rng.normal(size=rows)),
    "AR(1)": partial(autoregression, order=1),
    "AR(2)": partial(autoregression, order=2),
}


def planted(rng, pattern, steps, rows):
    """Return a season of variance 1."""
    season = PATTERNS[pattern](rng, steps)
    return np.resize((season - season.mean()) / season.std(), rows)


def is_near(detected, steps):
    """Return whether a detected season is the planted one, up to a step or a fiftieth."""
    return any(abs(each - steps) <= max(1, steps / 50) for each in detected)


def drawn_seasons(rng, most, number):
    """Return the steps of one season, or of two that differ by half and do not contain each other."""
    while True:
        seasons = np.sort(np.exp(rng.uniform(np.log(4), np.log(most), number)).astype(int))
        if number == 1 or (seasons[1] >= 1.5 * seasons[0] and seasons[1] % seasons[0]):
            return seasons


def share_detected(pattern, count, number, draws):
    """Return the fraction of draws in which all planted seasons are detected."""
    rng = np.random.default_rng(1)
    hits = 0
    most = MOST_STEPS if count == 1 else MOST_IN_PANELS
    for _ in range(draws):
        seasons = drawn_seasons(rng, most, number)
        rows = int(
            rng.integers(max(4 * seasons[-1], LEAST_ROWS), max(8 * seasons[-1], 2 * LEAST_ROWS))
        )
        series = [
            sum(planted(rng, pattern, m, rows) for m in seasons) + rng.normal(size=rows)
            for _ in range(count)
        ]
        detected = seasons_of(series)
        hits += all(is_near(detected, steps) for steps in seasons)
    return {"share": hits / draws}


def share_without(noise, count, draws):
    """Return the fraction of draws without a season in which none is claimed."""
    rng = np.random.default_rng(2)
    hits = 0
    for _ in range(draws):
        rows = int(rng.integers(60, 1_600 if count == 1 else 500))
        hits += not seasons_of([NOISES[noise](rng, rows) for _ in range(count)])
    return {"share": hits / draws}


def detections(folder, draws):
    """Return the rows of the table of detections."""
    described = {"draws": draws, "code": code("seasons.py")}
    rows = []
    for pattern in PATTERNS:
        cells = []
        for count, number in ((1, 1), (SERIES, 1), (1, 2)):
            measure = partial(share_detected, pattern, count, number, draws)
            cells.append(
                kept(folder, f"{pattern} {count} {number}", 0, described, measure)["share"]
            )
        rows.append([f"detected: {pattern}", *(f"{share:.1%}" for share in cells)])
    for noise in NOISES:
        own = [
            kept(folder, f"{noise} {n}", 0, described, partial(share_without, noise, n, draws))
            for n in (1, SERIES)
        ]
        rows.append([f"none claimed: {noise}", *(f"{each['share']:.1%}" for each in own), ""])
    return rows


def synthetic(seed, weeks=24):
    """Return half-hours with a day, a weekend and noise that lasts."""
    rng = np.random.default_rng(seed)
    day = (
        2
        + np.sin(2 * np.pi * np.arange(DAY) / DAY)
        + 0.5 * np.cos(4 * np.pi * np.arange(DAY) / DAY)
    )
    week = np.outer([1, 1, 1, 1, 1, 0.4, 0.2], day).ravel()
    return 100 * np.tile(week, weeks) + lfilter(
        [1.0], [1.0, -0.9], 8 * rng.normal(size=weeks * WEEK)
    )


def series(folder):
    """Return half-hourly series by name."""
    taxi = pd.read_csv(checked(folder, "classics/taxi_new_york_passengers.csv")).iloc[:, 1]
    demand = read_vic_elec(folder)["y"]
    return {
        "electricity of Victoria": demand.to_numpy(dtype=float)[-20_000:],
        "taxis of New York": taxi.to_numpy(dtype=float),
        **{f"synthetic {seed}": synthetic(seed) for seed in range(3)},
    }


def errors(values, known, horizon):
    """Return the errors of the default that trains nothing and of naive forecasts, a week apart, from `known` rows."""
    ends = len(values) - horizon - WEEK * np.arange(WINDOWS)
    windows = np.stack([values[end - known : end + horizon] for end in ends])
    stamps = pd.date_range("2024-01-01", periods=known + horizon, freq="30min")
    frame = pd.concat(
        [pd.DataFrame({"unique_id": n, "ds": stamps, "y": own}) for n, own in enumerate(windows)]
    )
    model = Forecaster(horizon, effort="quick", random_state=0, verbose=0)
    scores = evaluate(model.backtest(frame), ["mae"]).iloc[0]
    past = windows[:, :known]
    truth = windows[:, known:]
    naive = {
        name: float(np.abs(past[:, -season:][:, np.arange(horizon) % season] - truth).mean())
        for name, season in (("day", DAY), ("week", WEEK))
    }
    return {"quick": float(scores["seqcast"]), "better": float(scores["seasonal_naive"]), **naive}


def two_seasons(arguments):
    """Return the rows of the table of half-hours."""
    rows = []
    described = {"explore": arguments.explore, "code": code("seasons.py")}
    for name, values in series(arguments.data).items():
        values = values[: -WINDOWS * WEEK] if arguments.explore else values
        for known in (3 * WEEK // 2, 6 * WEEK):
            for horizon in (DAY, WEEK):
                label = f"{name} {known} {horizon}"
                own = kept(
                    arguments.results, label, 0, described, partial(errors, values, known, horizon)
                )
                ratio = own["quick"] / min(own["day"], own["week"])
                scores = (own[each] for each in ("day", "week", "better", "quick"))
                rows.append(
                    [name, known, horizon, *(f"{each:,.1f}" for each in scores), f"{ratio:.2f}"]
                )
    return rows


def main():
    """Measure what has no result file yet, and print both tables."""
    parser = options(__doc__, "seasons", data=True, quick="few draws")
    parser.add_argument("--explore", action="store_true", help="on rows before the test rows")
    arguments = parse(parser, ("detection", "half-hours"))
    print(machine())
    if "detection" in arguments.chosen:
        draws = QUICK_DRAWS if arguments.quick else DRAWS
        heads = ["", "alone", f"panels of {SERIES}", "two at once"]
        print(table(heads, detections(arguments.results, draws)))
    if "half-hours" in arguments.chosen:
        heads = [
            "half-hours",
            "rows known",
            "horizon",
            "last day",
            "last week",
            "`seasonal_naive`",
            "`quick`",
        ]
        print(table([*heads, "over the better naive"], two_seasons(arguments)))


if __name__ == "__main__":
    main()
