"""Thirty new articles of a panel, known from 0, 1, 3 and 10 rows.

    python benchmarks/cold_starts.py    # the table of docs/how-to/new-series.md, some minutes

Sixty articles of three kinds and of any size sell for 200 days, by the day of the week and with
promotions whose gain depends on the kind. Thirty others begin before the last fourteen days. Errors
are mean absolute errors over the true level of each article. The mean profile of the panel is on
the level of the own rows, or of the panel where there are none. Gradient boosting (scikit-learn's,
in place of LightGBM) learns from kind, size, weekday, promotion and the mean and number of rows
known before, of which it sees 0 to 10 in training.
"""

import numpy as np
import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor

from harness import code, kept, machine, options, parse, table
from seqcast import Forecaster

DAYS = 200
HORIZON = 14
OLD = 60
NEW = 30
COUNTS = (0, 1, 3, 10)
LEVELS = {"basic": 4.5, "fashion": 3.3, "luxury": 2.2}
GAINS = {"basic": 0.5, "fashion": 1.0, "luxury": 0.3}


def articles(seed):
    """Return daily sales of articles, a frame; `level` is the true one."""
    rng = np.random.default_rng(seed)
    days = pd.date_range("2024-01-01", periods=DAYS)
    week = 1 + 0.35 * np.sin(2 * np.pi * np.arange(DAYS) / 7)
    tables = []
    for place in range(OLD + NEW):
        kind = rng.choice(list(LEVELS))
        size = rng.normal()
        level = np.exp(LEVELS[kind] + 0.4 * size + rng.normal(0, 0.3))
        promotion = rng.random(DAYS) < 0.15
        sold = rng.poisson(level * week * (1 + GAINS[kind] * promotion)).astype(float)
        columns = {"kind": kind, "size": size, "promotion": promotion, "y": sold, "level": level}
        tables.append(pd.DataFrame({"unique_id": f"{place:03d}", "ds": days, **columns}))
    return pd.concat(tables, ignore_index=True)


def by_series(frame, column="y"):
    """Return a column as `[series, days]`."""
    return frame.pivot(index="unique_id", columns="ds", values=column).to_numpy()


def profile(old, rows):
    """Return the forecast by the mean profile of the panel."""
    sold = by_series(old)
    week = (sold / sold.mean(axis=1, keepdims=True)).mean(axis=0)
    ahead = week[-7:][np.arange(HORIZON) % 7]
    if not rows.shape[1]:
        return np.tile(sold.mean() * ahead, (NEW, 1))
    return rows.mean(axis=1, keepdims=True) / week[-rows.shape[1] :].mean() * ahead


def inputs(frame, mean, count):
    """Return the inputs of gradient boosting for the rows of a frame."""
    kinds = frame["kind"].map({kind: place for place, kind in enumerate(LEVELS)})
    return np.column_stack(
        [kinds, frame["size"], frame["ds"].dt.day_of_week, frame["promotion"], mean, count]
    )


def boosting(old, seed):
    """Return gradient boosting that has learned from the panel."""
    rng = np.random.default_rng(seed)
    sold = by_series(old)
    examples = []
    targets = []
    for _ in range(8):
        count = rng.integers(0, 11, len(sold))
        first = rng.integers(0, sold.shape[1] - 10 - HORIZON, len(sold))
        means = [
            values[at : at + n].mean() if n else np.nan
            for values, at, n in zip(sold, first, count, strict=True)
        ]
        later = np.concatenate(
            [np.arange(HORIZON) + place * sold.shape[1] for place in range(len(sold))]
        )
        chosen = old.iloc[later + np.repeat(first + count, HORIZON)]
        examples.append(inputs(chosen, np.repeat(means, HORIZON), np.repeat(count, HORIZON)))
        targets.append(chosen["y"].to_numpy())
    model = HistGradientBoostingRegressor(
        loss="poisson", categorical_features=[0, 2], random_state=seed
    )
    return model.fit(np.concatenate(examples), np.concatenate(targets))


def boosted(model, ahead, rows):
    """Return the forecast of gradient boosting."""
    mean = rows.mean(axis=1) if rows.shape[1] else np.full(NEW, np.nan)
    known = inputs(ahead, np.repeat(mean, HORIZON), np.full(len(ahead), rows.shape[1]))
    return model.predict(known).reshape(NEW, HORIZON)


def errors(seed):
    """Return the errors of each forecast by the number of known rows, and what 80 % intervals hold."""
    frame = articles(seed)
    cut = frame["ds"].unique()[-HORIZON]
    is_old = frame["unique_id"] < f"{OLD:03d}"
    known = frame["ds"] < cut
    old = frame[is_old & known].reset_index(drop=True)
    ahead = frame[~is_old & ~known]
    truth = by_series(ahead)
    level = by_series(ahead, "level")
    covariates = {"static_covariates": ["kind", "size"], "future_covariates": ["promotion"]}
    model = Forecaster(HORIZON, preset="pretrained", random_state=0, verbose=0, **covariates)
    model.fit(old.drop(columns="level"))
    found = {}
    booster = boosting(old, seed)
    for count in COUNTS:
        rows = frame[~is_old & known].groupby("unique_id").tail(count)
        df = (
            rows.drop(columns="level")
            if count
            else ahead.groupby("unique_id", as_index=False)[["kind", "size"]].first()
        )
        forecast = model.predict(df=df, future=ahead[["unique_id", "ds", "promotion"]])
        own = by_series(rows) if count else np.zeros((NEW, 0))
        points = {
            "mean profile": profile(old, own),
            "gradient boosting": boosted(booster, ahead, own),
            "pretrained": by_series(forecast, "seqcast"),
        }
        held = (by_series(forecast, "seqcast-lo-80") <= truth) & (
            truth <= by_series(forecast, "seqcast-hi-80")
        )
        found[str(count)] = {
            name: float(np.mean(np.abs(each - truth) / level)) for name, each in points.items()
        }
        found[str(count)]["in 80 %"] = float(held.mean())
    return found


def main():
    """Print the table."""
    arguments = parse(options(__doc__, "cold_starts", seeds=5))
    described = {"code": code("cold_starts.py")}
    seeds = range(arguments.seeds)
    found = [
        kept(arguments.results, "articles", seed, described, lambda s=seed: errors(s))
        for seed in seeds
    ]
    names = list(found[0]["0"])
    rows = [
        [count, *(f"{np.mean([each[str(count)][name] for each in found]):.3f}" for name in names)]
        for count in COUNTS
    ]
    print(table(["known rows", *names], rows))
    print(f"\n{machine()}")


if __name__ == "__main__":
    main()
