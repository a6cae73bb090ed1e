"""Model cards: Markdown about the data, the networks, the scores and the limits of a fitted estimator.

The first lines are metadata as model hubs read them. The form is that of Mitchell et al. 2019,
Model cards for model reporting, arXiv:1810.03993.
"""

import math
from collections.abc import Iterator, Sequence
from typing import Any

import narwhals.stable.v2 as nw
import numpy as np

from seqcast.baselines import LastValue
from seqcast.data import describe
from seqcast.data.frames import stamp_text
from seqcast.errors import SpecError
from seqcast.evaluation import leaderboard, spoken_metric
from seqcast.forecaster import Forecaster, facts, network_facts, words
from seqcast.intervals import level_text
from seqcast.regressor import Seq2SeqRegressor
from seqcast.runtime import percentages

__all__ = ["model_card"]

# Fewer windows say little about which candidate is the best.
FEW_WINDOWS = 100
# Markdown takes these for letters.
_ENTITIES = str.maketrans({letter: f"&#{ord(letter)};" for letter in "&<>[]|`\\"})
NO_INTERVALS = "It forecasts a point and does not say how sure it is."


def model_card(
    estimator: Forecaster | Seq2SeqRegressor,
    *,
    data: Any = None,
    backtest: Any = None,
    test: tuple[Any, Any] | None = None,
    title: str = "",
    purpose: str = "",
    limits: Sequence[str] = (),
    license: str = "",
    metrics: Sequence[str] | None = None,
    file: str = "model.seqcast",
) -> str:
    """Return the model card of a fitted estimator.

    Args:
        estimator: A fitted `Forecaster` or `Seq2SeqRegressor`.
        data: The rows of a forecaster's fit, to describe them; `None` describes only the rows that
            it remembers, also of a fit of files.
        backtest: The frame that `backtest` of a forecaster returned, to be scored.
        test: Windows that a regressor has not seen, `(X, y)`, to be scored.
        title: Its title; a usual one if empty.
        purpose: Its purpose, in your words.
        limits: Where it should not be used, in your words; limits that follow from the fit come
            after them.
        license: Licence of the model, as model hubs name it, such as `mit`.
        metrics: Metrics of the scores, as `seqcast.evaluation.evaluate` takes them; for a
            forecaster only.
        file: Name of the model's file, in the line that loads it.

    Returns:
        Markdown.

    Raises:
        NotFittedError: It is not fitted.
        SpecError: It is no such estimator, or an argument belongs to the other one.
        DataError: Something in a frame is wrong.

    Example:
        >>> from seqcast.data.datasets import load
        >>> forecaster = Forecaster(12, effort="quick", verbose=0).fit(load("elnino"))
        >>> card = model_card(forecaster, data=load("elnino"), title="Sea temperature", license="mit")
        >>> [line for line in card.splitlines() if line.startswith("#")]
        ['# Sea temperature', '## Data', '## Model', '## Choice', '## Scores', '## Limits', '## How to use it']
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    frames = isinstance(estimator, Forecaster)
    if not frames and not isinstance(estimator, Seq2SeqRegressor):
        expected = "a fitted Forecaster or Seq2SeqRegressor"
        received = repr(estimator)
        raise SpecError(
            "estimator",
            expected=expected,
            received=received,
            hint="Other estimators have cards of skops.",
        )
    foreign = {"test": test} if frames else {"data": data, "backtest": backtest, "metrics": metrics}
    for name, value in foreign.items():
        if value is not None:
            expected = f"None for a {type(estimator).__name__}"
            hint = "A Forecaster takes data and backtest, a Seq2SeqRegressor test."
            raise SpecError(name, expected=expected, received=type(value).__name__, hint=hint)
    for name, value in {"data": data, "backtest": backtest}.items():
        opened = nw.from_native(value, eager_only=True, allow_series=True, pass_through=True)
        if value is not None and not isinstance(opened, nw.DataFrame | nw.Series):
            hint = "Leave it out, or read the files into a frame."
            raise SpecError(name, expected="a frame in memory", received=repr(value), hint=hint)
    if isinstance(estimator, Forecaster):
        about = _about_forecaster(estimator, data)
        scores = _backtest_scores(estimator, data, backtest, metrics)
    else:
        about = _about_regressor(estimator)
        scores = _window_scores(estimator, test)
    how: Any = {"undefined": StrictUndefined, "trim_blocks": True, "lstrip_blocks": True}
    cards = Environment(loader=PackageLoader("seqcast.interop", ""), **how)
    cards.filters["line"] = _line
    return cards.get_template("card.md.j2").render(
        frames=frames,
        kind=type(estimator).__name__,
        file=file,
        title=title or f"{type(estimator).__name__} of seqcast",
        purpose=purpose,
        license=license,
        about=about,
        scores=scores,
        limits=[
            *limits,
            "Scores and intervals are those of the past. They hold as long as the series go on as they did.",
            *about["limits"],
        ],
    )


def _about_forecaster(forecaster: Forecaster, data: Any) -> dict[str, Any]:
    """Return the facts of a card by name, losses of candidates with their windows, and limits of the fit."""
    fitted = forecaster.fitted_
    texts = words()
    choice = forecaster.choice_
    by_heading = facts(fitted, forecaster)
    shares = percentages(choice.shares).items()
    forecast = " and ".join(
        texts[name] + (f" ({share})" if len(shares) > 1 else "") for name, share in shares
    )
    training = by_heading["Training"] if len(forecaster.history_) else {}
    series = f"{len(fitted.series.ids):,} time series, or of others like them"
    return {
        "summary": f"It forecasts {forecaster.horizon} steps of {series}, by {forecast}.",
        "data": _rows_of_fit(forecaster, data),
        "model": {
            **by_heading["Network"],
            "forecast": forecast,
            **training,
            **by_heading["Settings"],
        },
        "limits": list(_limits(forecaster)),
        "losses": [
            (texts[name], _number(loss)) for name, loss in choice.losses.items() if name in texts
        ],
        "windows": choice.windows,
    }


def _about_regressor(regressor: Seq2SeqRegressor) -> dict[str, Any]:
    """Return the same of a regressor, which has no candidates."""
    engine = regressor.engine_
    history = regressor.history_
    window = regressor.preparation_.window
    limits = [
        f"It was made to forecast {window.horizon} steps. Longer forecasts are possible, and were not evaluated."
    ]
    if engine.network.head == "point":
        limits.append(NO_INTERVALS)
    if window.future:
        limits.append("Future covariates have to be known, or forecast, for the whole horizon.")
    return {
        "summary": f"It forecasts {window.horizon} steps from windows of the past, by a recurrent encoder-decoder.",
        "data": {
            "features": window.features,
            "targets": window.targets,
            "static covariates": window.static,
            "future covariates": window.future,
            "past of a window": "of any length"
            if window.context_length is None
            else f"{window.context_length} steps",
            "future of a window": f"{window.horizon} steps",
            "scaling": regressor.scale,
        },
        "model": {
            **network_facts(engine),
            "epochs": len(history),
            "best epoch": history.best_epoch or "none chosen: no validation windows",
            **{
                name.replace("_", " "): _number(values[-1])
                for name, values in history.epochs.items()
                if values
            },
            "seconds of training": f"{history.seconds:.1f}",
            "random_state": regressor.seed_,
        },
        "limits": limits,
        "losses": (),
    }


def _rows_of_fit(forecaster: Forecaster, data: Any) -> dict[str, Any]:
    """Return facts about the rows of a fit, from the forecaster and, where they are given, from the rows."""
    fitted = forecaster.fitted_
    frame = forecaster.series_state_.frame
    known: dict[str, Any] = {
        "series": f"{len(fitted.series.ids):,}",
        "targets": ", ".join(frame.schema.columns.targets),
        "last stamp": stamp_text(max(frame.last_stamps)),
        "static covariates": ", ".join(frame.covariates.static) or "none",
        "other covariates": ", ".join(frame.covariates.varying) or "none",
        "padded series": len(fitted.short_series),
        "series left out": len(fitted.skipped),
    }
    if data is None:
        return known
    description = describe(
        data, forecaster.columns, freq=forecaster.freq, season_length=fitted.season_length
    )
    whole = description.to_dict()
    lengths = sorted(each.rows for each in description.series)
    return {
        **known,
        "rows": f"{whole['rows']:,}",
        "rows a series": " to ".join(map(str, dict.fromkeys([lengths[0], lengths[-1]]))),
        "first stamp": description.span[0],
        "steps without a row": whole["missing_steps"],
        "rows without a value": whole["missing_values"],
        "outliers": whole["outliers"],
    }


def _backtest_scores(
    forecaster: Forecaster, data: Any, backtest: Any, metrics: Sequence[str] | None
) -> dict[str, Any]:
    """Return scores, with a text about the forecasts behind them; without any, a text that says so."""
    if backtest is None:
        return {"text": "It was not judged by a backtest.", "rows": ()}
    table = leaderboard(
        backtest,
        metrics,
        train_df=data,
        season_length=forecaster.season_length_,
        columns=forecaster.columns,
    )
    columns = nw.from_native(table).to_dict(as_series=False)
    names, points, series = (columns.pop(name) for name in ("model", "points", "series"))
    rows = [
        (name, *(_number(values[row]) for values in columns.values()))
        for row, name in enumerate(names)
    ]
    text = (
        f"Means over {points[0]:,} forecasts of {series[0]:,} series, each from a cutoff before it."
    )
    return {"text": text, "header": ("model", *map(spoken_metric, columns)), "rows": rows}


def _window_scores(regressor: Seq2SeqRegressor, test: tuple[Any, Any] | None) -> dict[str, Any]:
    if test is None:
        return {"text": "It was not judged on windows that it had not seen.", "rows": ()}
    past = test[0]
    truth = np.asarray(test[1], dtype=float)
    forecasts = {"seqcast": np.asarray(regressor.predict(past)).reshape(truth.shape)}
    targets = regressor.preparation_.window.target_features
    if targets is not None and np.ndim(past) == 3:
        naive = LastValue(target_features=targets).fit(past, truth).predict(past)
        forecasts["last value"] = np.asarray(naive).reshape(truth.shape)
    rows = []
    for name, forecast in forecasts.items():
        errors = forecast - truth
        rows.append(
            (
                name,
                _number(np.nanmean(np.abs(errors))),
                _number(math.sqrt(np.nanmean(np.square(errors)))),
            )
        )
    return {
        "text": f"Means over {len(truth):,} windows.",
        "header": ("model", "MAE", "RMSE"),
        "rows": rows,
    }


def _limits(forecaster: Forecaster) -> Iterator[str]:
    """Yield the limits that follow from the fit of a forecaster."""
    fitted = forecaster.fitted_
    yield (
        f"It was made to forecast {forecaster.horizon} steps from the last {fitted.series.context_length}. Longer ones "
        "are possible, and were not evaluated."
    )
    for candidate in fitted.candidates[::-1]:
        yield from candidate.limits(alone=len(fitted.candidates) == 1)
    if 0 < fitted.choice.windows < FEW_WINDOWS:
        yield f"The candidates were compared on {fitted.choice.windows} windows only."
    named = " and ".join(f"{level_text(level)} %" for level in fitted.request().level)
    if not named:
        yield NO_INTERVALS
    elif fitted.calibrations:
        yield f"Intervals are calibrated on {int(fitted.calibrations[0].windows.min())} validation windows."
    else:
        yield f"Intervals of {named} are not calibrated: a backtest measures their coverage."
    if "real" not in fitted.series.support:
        yield "Forecasts are never negative, as no value of the fit was."
    if forecaster.future_covariates:
        named = ", ".join(forecaster.future_covariates)
        yield f"Covariates that are read for the future ({named}) have to be known, or forecast, for the whole horizon."
    if fitted.short_series:
        yield f"{len(fitted.short_series)} series were shorter than a whole window."
    if fitted.skipped:
        yield f"{len(fitted.skipped)} series were left out, in which something was wrong."


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.4g}"


def _line(value: Any) -> str:
    """Return a value as a line of Markdown that is no HTML, no link and no code, and ends no cell of a table."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value)).translate(
        _ENTITIES
    )
