"""What the competitions' programs share: candidates, training through the public forecaster, scores, tables.

Settings are explored on the last horizon of each series' training values, which the networks explored have not seen.
The chosen ones are then trained on all training values and scored on the test values once.
"""

from __future__ import annotations

import argparse
import dataclasses
import time
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from reporting import code, machine_line, options, peak_mib, table
from yardsticks import DECILE_LEVELS, Competition, forecast_column, weighted_quantile_loss

from seqcast import Forecaster, NetworkSpec
from seqcast.studies.cache import cached

DECILES = tuple(place / 10 for place in range(1, 10))


@dataclasses.dataclass(frozen=True)
class Candidate:
    """What a forecaster is told.

    Args:
        network: Fields of its network; none for the preset that the forecaster chooses.
        training: Fields of its training.
        options: Other arguments; and what a program does with the data, such as `bags` and `mixtures` of
            `training_frames`.
    """

    network: dict[str, Any] = dataclasses.field(default_factory=dict)
    training: dict[str, Any] = dataclasses.field(default_factory=dict)
    options: dict[str, Any] = dataclasses.field(default_factory=dict)

    def changed(self, network: Any = None, training: Any = None, **options: Any) -> Candidate:
        """Return it with some changes."""
        return Candidate(
            {**self.network, **(network or {})}, {**self.training, **(training or {})}, {**self.options, **options}
        )


# Steps count the less in the loss the farther they are.
DECAYING = {"horizon_decay": 0.5}
OUT_OF_THE_BOX = Candidate()
BEST = OUT_OF_THE_BOX.changed(effort="best")
# What the yardsticks' explorations start from: segments, written side by side, in windows of their own units.
SEGMENTS = Candidate(
    network={"normalise": "instance", "decoder_input": "position", "decoding": "parallel"},
    training={
        "optimizer": "adamw",
        "learning_rate": 1e-3,
        "batch_size": 256,
        "epochs": 10,
        "steps_per_epoch": 200,
        "loss": "mae",
        "validation_fraction": 0.0,
    },
    options={"scale": "standard"},
)


# More weight decay than the 0.004 of Keras's AdamW.
DECAY = {"optimizer": {"class_name": "AdamW", "config": {"weight_decay": 0.1}}}
AVERAGED = {"optimizer": {"class_name": "AdamW", "config": {"use_ema": True, "ema_momentum": 0.99}}}
# Share of a series' time that a forecaster of several learns from.
STRETCH = 0.7


# Decoders that write one token after another: one that reads nothing, and one that reads its last token.
ZEROS = {"decoding": "recurrent", "decoder_input": "zeros"}
AUTOREGRESSIVE = {"decoding": "recurrent", "decoder_input": "autoregressive"}
QUANTILES = {"head": "quantile", "quantiles": DECILES}
# For the name of an ensemble the settings of which all seeds are its members.
MEANS_OF_SEEDS = {
    "mean of seeds, one network": ("one network",),
    "mean of seeds, out of the box": ("out of the box",),
}


def width(*units: int) -> dict[str, Any]:
    """Return fields of a network of layers so wide in encoder and decoder."""
    return {"encoder_units": units, "decoder_units": units}


def score(competition: Competition, chosen: Candidate, seed: int, *, quick: bool) -> dict[str, Any]:
    """Train on a competition's training values and score the forecasts of what follows."""
    training = {**chosen.training, **({"epochs": 1, "steps_per_epoch": 3} if quick else {})}
    given: dict[str, Any] = {"level": DECILE_LEVELS, **chosen.options}
    if chosen.network:
        given["preset"] = NetworkSpec(**chosen.network)
        if chosen.network.get("head", "point") == "point":
            given["level"] = ()
    began = time.perf_counter()
    frames = training_frames(competition, seed, bags=given.pop("bags", 0), mixed=given.pop("mixtures", 0.0))
    told, models, parts = competition.frame(), [], []
    for bag, frame in enumerate(frames):
        own = seed if len(frames) == 1 else 1_000 * (seed + 1) + bag
        model = Forecaster(competition.horizon, training=training or None, random_state=own, verbose=0, **given)
        forecast = model.fit(frame).predict(df=told)
        names = [forecast_column(probability) for probability in DECILES] if given["level"] else ["seqcast"]
        parts.append(np.stack([competition.matrix(forecast, name) for name in names], axis=2))
        models.append(model)
    cube = np.mean(parts, axis=0)
    seconds = round(time.perf_counter() - began, 1)
    return {
        **scores(competition, cube),
        "weights": sum(engine.weight_count for model in models for engine in model.engines_),
        "seconds": seconds,
        "peak_mib": peak_mib(),
        "forecast": np.round(cube, 6).tolist(),
    }


def training_frames(competition: Competition, seed: int, *, bags: int, mixed: float) -> list[pd.DataFrame]:
    """Return what each forecaster of a candidate learns from.

    Args:
        competition: The series.
        seed: Seed of what is drawn.
        bags: Forecasters, each of which learns from a stretch of each series' time; 0 is one that learns from all.
        mixed: Series that are mixed of others and learnt from beside them, as a share of their number.
    """
    random = np.random.default_rng([seed, 6])
    if not bags:
        return [competition.frame(mixtures(competition, round(mixed * len(competition.train)), random))]
    whole, lengths = competition.frame(), np.array([len(values) for values in competition.train.values()])
    place = whole.groupby("unique_id", sort=False).cumcount().to_numpy()
    kept = np.maximum(np.round(STRETCH * lengths), np.minimum(lengths, 3 * competition.horizon)).astype(int)
    frames = []
    for _ in range(bags):
        first = random.integers(0, lengths - kept + 1)
        inside = (place >= np.repeat(first, lengths)) & (place < np.repeat(first + kept, lengths))
        frames.append(whole[inside])
    return frames


def mixtures(competition: Competition, count: int, random: np.random.Generator) -> dict[str, np.ndarray]:
    """Mix series of two others each, in units of their means (Ansari et al. 2024, arXiv:2403.07815, section 4.1)."""
    names, mixed = list(competition.train), {}
    for place in range(count):
        pair = [competition.train[names[chosen]] for chosen in random.choice(len(names), 2, replace=False)]
        length, share = min(map(len, pair)), random.beta(1.5, 1.5)
        one, other = (values[-length:] / np.abs(values[-length:]).mean() for values in pair)
        mixed[f"mixture {place}"] = np.abs(pair[0]).mean() * (share * one + (1 - share) * other)
    return mixed


def scores(competition: Competition, cube: np.ndarray) -> dict[str, float]:
    """Return the scores of deciles, `[series, H, 9]`, or of a point, `[series, H, 1]`.

    Of deciles there is the relative error of the .4 quantile too: the best forecast by it lies below the median.
    """
    point = cube[:, :, cube.shape[2] // 2]
    found = competition.scores(point)
    if cube.shape[2] > 1:
        found["wql"] = weighted_quantile_loss(cube, DECILES, competition.truth())
        found["mape_low"] = competition.scores(cube[:, :, 3])["mape"]
    return found


def joined(competition: Competition, members: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """Return the scores of the mean of several forecasts, with all of their seconds and weights.

    Where some of them have quantiles and others have none, it is the mean of their points.
    """
    cubes = [np.asarray(member["forecast"]) for member in members]
    if len({cube.shape for cube in cubes}) > 1:
        cubes = [cube[:, :, [cube.shape[2] // 2]] for cube in cubes]
    cube = np.mean(cubes, axis=0)
    whole = {key: sum(member[key] for member in members) for key in ("seconds", "weights")}
    return {**scores(competition, cube), **whole, "peak_mib": max(member["peak_mib"] for member in members)}


def run(
    description: str | None,
    results: str,
    read: Any,
    *,
    candidates: Mapping[str, Candidate],
    chosen: Mapping[str, Candidate],
    published: Mapping[str, str],
    columns: Sequence[str],
    ensembles: Mapping[str, Sequence[str]] | None = None,
    more: Any = None,
    proof: Any = None,
) -> None:
    """Run a yardstick's program.

    Args:
        description: Its documentation.
        results: Where results are kept.
        read: Reads the competition from a folder.
        candidates: What is explored.
        chosen: What is scored on the test values.
        published: Published scores, for the table.
        columns: Scores to show.
        ensembles: For the name of an ensemble the settings of which all seeds are its members.
        more: Further scores, from the scores.
        proof: Naive forecasts by name, from the competition.
    """
    arguments = options(description, results).parse_args()

    def whole(scores: Mapping[str, Any]) -> dict[str, Any]:
        return {**scores, **(more(scores) if more else {})}

    competition = read(arguments.data)
    part = competition.held_back() if arguments.explore else competition
    for where, looked_at in {"test": competition, **({"validation": part} if arguments.explore else {})}.items():
        naive = proof(looked_at) if proof else {"seasonal naive": looked_at.seasonal_naive()}
        for name, forecast in naive.items():
            told = whole(looked_at.scores(forecast))
            print(f"{where}, {name}: " + ", ".join(f"{key} {value:.3f}" for key, value in told.items()))
    shown = dict(candidates if arguments.explore else chosen)
    if arguments.candidates:
        known = {**candidates, **chosen}
        shown = {label: known[label] for label in arguments.candidates.split(";")}
    headings, rows, made = ["setting", *columns], [], {}
    for label, candidate in shown.items():
        made[label] = [_kept(arguments, results, part, label, candidate, seed) for seed in range(arguments.seeds)]
        found = [whole(one) for one in made[label]]
        rows.append([label, *(_cell(key, [one[key] for one in found if key in one]) for key in columns)])
        print(table(headings, rows[-1:]), flush=True)
    for label, names in (ensembles or {}).items():
        members = [member for name in names for member in made.get(name, ())]
        if all(name in made for name in names) and len(members) > 1:
            mean = whole(joined(part, members))
            rows.append([label, *(_cell(key, [mean[key]] if key in mean else []) for key in columns)])
    print(table(headings, rows))
    for method, told in published.items():
        print(f"published: {method} {told}")
    print(machine_line())


def _kept(
    arguments: argparse.Namespace, yardstick: str, part: Competition, label: str, candidate: Candidate, seed: int
) -> Any:
    described = {"candidate": dataclasses.asdict(candidate), "explore": arguments.explore, "quick": arguments.quick}
    described["code"] = code()
    described["yardstick"] = yardstick
    return cached(
        arguments.results, label, seed, described, lambda: score(part, candidate, seed, quick=arguments.quick), print
    )


def _cell(key: str, values: list[float]) -> str:
    if not values:
        return ""
    places = {"seconds": 0, "peak_mib": 0, "weights": 0, "smape": 2, "mape": 2, "mape_low": 2, "wql": 4}.get(key, 3)
    spread = f" ({min(values):.{places}f}-{max(values):.{places}f})" if len(values) > 1 else ""
    return f"{np.mean(values):.{places}f}{spread}"
