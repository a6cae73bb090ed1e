"""Do intervals of sums hold? Totals over the first steps and over the whole horizon, on rows before the test parts.

    python benchmarks/totals.py --data FOLDER            # all data and presets
    python benchmarks/totals.py --data FOLDER --quick    # what trains nothing: proves the path

Each forecaster is fitted once, on rows before four cutoffs a horizon apart; the last horizon ends
where the test part of the data begins. It forecasts from the newest rows at each cutoff. Steps are
drawn independently, in the order of past truths (Schaake shuffle), and with the dependence that the
fit has learned. Trainings take 40 seconds.

Source: Clark et al. 2004, The Schaake shuffle, Journal of Hydrometeorology 5(1).
"""

from dataclasses import replace
from functools import partial

import numpy as np
import pandas as pd

from harness import code, kept, machine, options, parse, table, write_section
from public_data import read_m4_hourly, read_nn5
from seqcast import Forecaster, NetworkSpec
from seqcast.forecaster.copulas import KnownCopula
from seqcast.intervals import Copula, Dependence

CUTOFFS = 4
LIMIT = "40s"
M4_SERIES = 100
TEMPLATES = 100
AUTOREGRESSIVE = NetworkSpec(head="student_t", decoder_input="autoregressive", normalise="last")
PRESETS = {
    "quick": {"effort": "quick"},
    "pretrained": {"preset": "pretrained"},
    "auto": {},
    "segment": {"preset": "segment"},
    "autoregressive Student-t": {"preset": AUTOREGRESSIVE},
}
WAYS = ("independent", "Schaake", "learned")
SEASONS = {"NN5": 7, "M4 Hourly": 24, "retail": 7}


def nn5(folder, _):
    """Return withdrawals from 111 cash machines, days before the test part."""
    return (
        read_nn5(folder, filled=True)
        .iloc[:-56]
        .copy()
        .reset_index()
        .melt("ds", var_name="unique_id", value_name="y")
    )


def m4_hourly(folder, _):
    """Return a hundred series, drawn with seed 0, hours before the test part."""
    series = read_m4_hourly(folder)
    chosen = sorted(np.random.default_rng(0).permutation(sorted(series))[:M4_SERIES])
    parts = [(name, series[name][:-48]) for name in chosen]
    ends = pd.date_range("2024-01-01", periods=1_000, freq="h")
    return pd.concat(
        [pd.DataFrame({"unique_id": name, "ds": ends[-len(y) :], "y": y}) for name, y in parts]
    )


def retail(_, seed, series=200, rows=560):
    """Return sales of articles: negative binomial counts with a week, a wandering level and shocks common to all."""
    rng = np.random.default_rng(seed)
    day = np.arange(rows)
    week = 1 + 0.4 * np.sin(2 * np.pi * (day + rng.integers(0, 7, (series, 1))) / 7)
    steps = rng.normal(0, 0.02, (series, rows)) + rng.normal(0, 0.01, rows)
    mean = (
        np.exp(
            rng.normal(1.5, 1.2, (series, 1)) + steps.cumsum(axis=1) + 0.1 * rng.standard_t(5, rows)
        )
        * week
    )
    size = rng.uniform(1, 8, (series, 1))
    days = pd.date_range("2024-01-01", periods=rows)
    names = [f"article {place}" for place in range(series)]
    wide = pd.DataFrame(rng.poisson(rng.gamma(size, mean / size)).T, days, names)
    return wide.rename_axis("ds").reset_index().melt("ds", var_name="unique_id", value_name="y")


# How each is read, its horizon, the steps of the shorter sum, and the seeds; each draws another
# retail panel.
DATA = {"NN5": (nn5, 28, 7, 1), "M4 Hourly": (m4_hourly, 48, 24, 1), "retail": (retail, 28, 7, 3)}


def coverage(model, df, cut, name):
    """Return the share of truths that intervals of 80 % hold: of single steps, and of both sums drawn in each way."""
    _, horizon, short, _ = DATA[name]
    stamps = np.sort(df["ds"].unique())
    hits = {}
    alone = model.with_fitted(
        replace(model.fitted_, copula_source=KnownCopula(Copula(Dependence(), 0.0)))
    )
    for first in range(cut + 1, len(stamps) - horizon + 1, horizon):
        known = df[df["ds"] < stamps[first]]
        ahead = df[df["ds"].isin(stamps[first : first + horizon])]
        newer = known[known["ds"] > stamps[cut]] if first > cut + 1 else None
        truth = ahead.pivot(index="unique_id", columns="ds", values="y").to_numpy()
        steps = model.predict(df=newer, level=80)
        hits.setdefault("one step", []).append(
            inside(truth.ravel(), steps["seqcast-lo-80"], steps["seqcast-hi-80"])
        )
        paths = (
            alone.predict(df=newer, samples=TEMPLATES)["seqcast"]
            .to_numpy()
            .reshape(len(truth), TEMPLATES, horizon)
        )
        past = known.pivot(index="unique_id", columns="ds", values="y").to_numpy()
        shuffled = [schaake(*each, SEASONS[name]) for each in zip(paths, past, strict=True)]
        for count, total in ((short, short), (horizon, "all")):
            sums = truth[:, :count].sum(axis=1)
            for way, one in (("independent", alone), ("learned", model)):
                forecast = one.predict(df=newer, total=total, level=80).groupby("unique_id").first()
                held = inside(sums, forecast["seqcast-lo-80"], forecast["seqcast-hi-80"])
                hits.setdefault(f"{count} {way}", []).append(held)
            bounds = np.array(
                [np.quantile(own[:, :count].sum(axis=1), (0.1, 0.9)) for own in shuffled]
            )
            hits.setdefault(f"{count} Schaake", []).append(inside(sums, *bounds.T))
    return {key: float(np.mean(each)) for key, each in hits.items()}


def inside(truth, low, high):
    """Return the share of truths between bounds."""
    return ((np.asarray(low) <= truth) & (truth <= np.asarray(high))).mean()


def schaake(paths, past, season):
    """Return paths, `[samples, H]`, each step in the order of past truths, whole seasons apart."""
    horizon = paths.shape[1]
    begins = len(past) - horizon - season * np.arange(len(paths))
    templates = np.stack([past[begin : begin + horizon] for begin in begins if begin >= 0])
    templates = templates[~np.isnan(templates).any(axis=1)]
    chosen = np.sort(paths, axis=0)[
        np.linspace(0, len(paths) - 1, len(templates)).round().astype(int)
    ]
    return np.take_along_axis(chosen, templates.argsort(axis=0).argsort(axis=0), axis=0)


def measure(folder, name, preset, seed):
    """Fit one forecaster, and return its coverage, its choice, and by what its paths depend."""
    read, horizon, _, _ = DATA[name]
    df = read(folder, seed)
    stamps = np.sort(df["ds"].unique())
    cut = len(stamps) - CUTOFFS * horizon - 1
    trains = preset not in ("quick", "pretrained")
    model = Forecaster(horizon, **PRESETS[preset], random_state=seed, verbose=0)
    model.fit(df[df["ds"] <= stamps[cut]], time_limit=LIMIT if trains else None)
    fitted = model.fitted_
    return {
        "coverage": coverage(model, df, cut, name),
        "choice": str(fitted.choice),
        "copula": str(fitted.copula),
    }


def main():
    """Count the sums that intervals hold."""
    arguments = parse(options(__doc__, "totals", data=True, quick="what trains nothing, one seed"))
    rows = []
    for name, (_, horizon, short, seeds) in DATA.items():
        for preset in list(PRESETS)[:2] if arguments.quick else PRESETS:
            found = []
            for seed in range(1 if arguments.quick else seeds):
                run = partial(measure, arguments.data, name, preset, seed)
                described = {"limit": LIMIT, "program": code("totals.py")}
                found.append(
                    kept(arguments.results, f"{name} {preset}", seed, described, run)["coverage"]
                )
            mean = {key: round(100 * np.mean([each[key] for each in found])) for key in found[0]}
            of_sums = [f"{mean[f'{short} {way}']} / {mean[f'{horizon} {way}']}" for way in WAYS]
            rows.append([f"{name}, {short} / {horizon}", preset, mean["one step"], *of_sums])
    text = f"{table(['sums of', 'preset', 'one step', *WAYS], rows)}\n\n{machine()}."
    print(text)
    if not arguments.quick:
        write_section("totals", text, "how-to/totals.md")


if __name__ == "__main__":
    main()
