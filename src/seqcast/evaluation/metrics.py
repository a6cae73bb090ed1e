"""Metrics by name: the loss of utilsforecast, the columns that it reads, and its scale."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np

from seqcast.errors import SpecError, unknown_name
from seqcast.intervals import bound_probability, level_text

Loss = Callable[..., Any]


@dataclass(frozen=True)
class Metric:
    """The computation of a metric.

    Args:
        loss: Name of the loss in `utilsforecast.losses`, or a function like those.
        of: The forecasts that it scores: `point`; `quantile` (each bound of the intervals alone),
            `quantiles` (all of them together) or `interval` (each level alone).
        scale: The scaled loss of utilsforecast whose scale truth and forecasts are divided by
            first: `mase`, the mean absolute error of the seasonal naive forecast in training, or
            `rmsse`, its root mean squared error; `None` does not divide them.
        over_truth: Whether the loss is divided by the size of the truth, so that it is missing
            where that is 0.
        lower_is_better: Whether models can be ranked by it.
    """

    loss: str | Loss
    of: str = "point"
    scale: str | None = None
    over_truth: bool = False
    lower_is_better: bool = True


METRICS = {
    "bias": Metric("bias", lower_is_better=False),
    "coverage": Metric("coverage", of="interval", lower_is_better=False),
    "mae": Metric("mae"),
    "mape": Metric("mape"),
    "mase": Metric("mae", scale="mase"),
    "mqloss": Metric("mqloss", of="quantiles"),
    "mse": Metric("mse"),
    "msse": Metric("mse", scale="rmsse"),
    "nd": Metric("nd", over_truth=True),
    "quantile_loss": Metric("quantile_loss", of="quantile"),
    "rmse": Metric("rmse"),
    "rmsse": Metric("rmse", scale="rmsse"),
    "scaled_crps": Metric("scaled_crps", of="quantiles", over_truth=True),
    "scaled_mqloss": Metric("mqloss", of="quantiles", scale="mase"),
    "scaled_quantile_loss": Metric("quantile_loss", of="quantile", scale="mase"),
    "smape": Metric("smape"),
    "winkler_score": Metric("winkler_score", of="interval"),
}


def find_metric(metric: str | Loss) -> tuple[str, Metric]:
    """Return a metric's name and its computation.

    Args:
        metric: One of `METRICS`, or a function with the arguments of utilsforecast's point losses.

    Raises:
        SpecError: There is no such metric; the error lists all.

    Example:
        >>> find_metric("rmsse") == ("rmsse", Metric("rmse", scale="rmsse"))
        True
    """
    if callable(metric):
        return getattr(getattr(metric, "func", metric), "__name__", "metric"), Metric(metric)
    if metric not in METRICS:
        raise unknown_name("metrics", metric, METRICS)
    return metric, METRICS[metric]


def loss_functions(
    metric: Metric, levels: Sequence[float]
) -> dict[str, tuple[tuple[float, ...], Loss]]:
    """Return the functions that compute a metric.

    Args:
        metric: The metric.
        levels: Levels of the intervals, in per cent.

    Returns:
        By the ending of the score's name, the levels that a model needs for it, and a function of a
        table and models. The table has the columns `group` and `y`, and for each model its own and
        those of its bounds: `m`, `m-lo-80`, `m-hi-80`.

    Raises:
        SpecError: The installed utilsforecast is so old that it lacks the loss.
    """
    from utilsforecast import losses

    loss: str | Loss | None = metric.loss
    if isinstance(loss, str):
        # autogluon.timeseries wants a utilsforecast without two of them.
        loss = getattr(losses, loss, None)
    if loss is None:
        raise SpecError(
            "metrics",
            expected="a loss of the installed utilsforecast",
            received=str(metric.loss),
            hint="pip install 'utilsforecast>=0.2.17' adds it.",
        )

    call = partial(loss, id_col="group", target_col="y")
    if metric.of == "point":
        return {"": ((), call)}

    if metric.of == "interval":
        # utilsforecast writes the level into the column's name.
        whole = {level: int(level) if level == int(level) else level for level in levels}
        return {
            f"_level{level_text(level)}": ((level,), partial(call, level=whole[level]))
            for level in levels
        }

    # The lower bound of the level 80 is the quantile 0.1.
    bounds = [(level, -1, "lo") for level in sorted(levels, reverse=True)]
    bounds += [(level, 1, "hi") for level in sorted(levels)]
    quantiles = [bound_probability(level, sign) for level, sign, _ in bounds]
    endings = [f"-{side}-{level_text(level)}" for level, _, side in bounds]
    if metric.of == "quantiles":
        return {"": (tuple(levels), _of_bounds(call, endings, quantiles=np.array(quantiles)))}
    return {
        f"_q{quantile:g}": ((level,), _of_bounds(call, ending, q=quantile))
        for quantile, ending, (level, _, _) in zip(quantiles, endings, bounds, strict=True)
    }


def _of_bounds(call: Loss, endings: str | list[str], **options: Any) -> Loss:
    """Return a loss of each model's bound, or of its bounds, found by their names' endings."""

    def score(table: Any, models: list[str]) -> Any:
        if isinstance(endings, str):
            return call(table, models={model: model + endings for model in models}, **options)
        return call(
            table,
            models={model: [model + ending for ending in endings] for model in models},
            **options,
        )

    return score


_SPOKEN = {"smape": "sMAPE", "scaled_crps": "scaled CRPS"}


def spoken_metric(name: str) -> str:
    """Return the name of a score of `evaluate` or `leaderboard`, written for people.

    Args:
        name: The score's name.

    Example:
        >>> [spoken_metric(name) for name in ("mae", "coverage_level80", "scaled_crps")]
        ['MAE', 'coverage 80 %', 'scaled CRPS']
    """
    if name.startswith("relative_"):
        return f"relative {spoken_metric(name.removeprefix('relative_'))}"
    name, _, level = name.partition("_level")
    if name in _SPOKEN:
        words = _SPOKEN[name]
    elif "_" not in name and len(name) <= 5:
        words = name.upper()
    else:
        words = name.replace("_", " ")

    return f"{words} {level} %" if level else words
