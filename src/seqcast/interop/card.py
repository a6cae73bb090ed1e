"""Model cards: Markdown about data, networks, scores and limits of a fitted estimator.

The first lines are metadata as model hubs read them. The form is that of Mitchell et al. 2019,
Model cards for model reporting, arXiv:1810.03993.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import narwhals.stable.v2 as nw
import numpy as np
from numpy.typing import ArrayLike

from seqcast.baselines import LastValue
from seqcast.data import describe
from seqcast.data.frames import UserFrame, stamp_text
from seqcast.errors import SpecError
from seqcast.evaluation import leaderboard, spoken_metric
from seqcast.forecaster import FittedForecaster, Forecaster, facts, network_facts, words
from seqcast.intervals import level_text
from seqcast.regressor import Seq2SeqRegressor
from seqcast.runtime import percentages

__all__ = ["model_card"]

# Fewer windows say little about which candidate is the best.
FEW_WINDOWS = 100
# Markdown takes these for letters.
_ENTITIES = str.maketrans({letter: f"&#{ord(letter)};" for letter in "&<>[]|`\\"})
NO_INTERVALS = "It forecasts a point and does not say how sure it is."
# Of every card.
PAST_SCORES = (
    "Scores and intervals are those of the past. They hold as long as the series go on as they did."
)


@dataclass(frozen=True)
class _FitFacts:
    """What a card says about a fit.

    Args:
        summary: What is forecast, in a sentence.
        data: Facts about the data, by name.
        model: Facts about the model, by name.
        limits: Limits that follow from the fit.
        losses: The hold-out loss of each candidate, as text.
        windows: Number of hold-out windows.
    """

    summary: str
    data: Mapping[str, object]
    model: Mapping[str, object]
    limits: Sequence[str]
    losses: Sequence[tuple[str, str]] = ()
    windows: int = 0


@dataclass(frozen=True)
class _Scores:
    """A table of scores.

    Args:
        text: What they were measured on.
        header: Heads of the columns.
        rows: The name and the scores of each model.
    """

    text: str
    header: Sequence[str] = ()
    rows: Sequence[Sequence[str]] = ()


def model_card(
    estimator: Forecaster | Seq2SeqRegressor,
    *,
    data: UserFrame | None = None,
    backtest: UserFrame | None = None,
    test: tuple[ArrayLike, ArrayLike] | None = None,
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
        >>> card = model_card(forecaster, data=load("elnino"), title="Sea temperature")
        >>> [line for line in card.splitlines() if line.startswith("## ")][:4]
        ['## Data', '## Model', '## Choice', '## Scores']
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    if isinstance(estimator, Forecaster):
        _check_belonging(estimator, test=test)
        _check_in_memory(data=data, backtest=backtest)
        about = _about_forecaster(estimator, data)
        scores = _backtest_scores(estimator, data, backtest, metrics)
    elif isinstance(estimator, Seq2SeqRegressor):
        _check_belonging(estimator, data=data, backtest=backtest, metrics=metrics)
        about = _about_regressor(estimator)
        scores = _window_scores(estimator, test)
    else:
        raise SpecError(
            "estimator",
            expected="a fitted Forecaster or Seq2SeqRegressor",
            received=repr(estimator),
            hint="Other estimators have cards of skops.",
        )

    cards = Environment(
        loader=PackageLoader("seqcast.interop", ""),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    cards.filters["line"] = _line
    kind = type(estimator).__name__
    return cards.get_template("card.md.j2").render(
        frames=isinstance(estimator, Forecaster),
        kind=kind,
        file=file,
        title=title or f"{kind} of seqcast",
        purpose=purpose,
        license=license,
        about=about,
        scores=scores,
        limits=[*limits, PAST_SCORES, *about.limits],
    )


def _check_belonging(estimator: Forecaster | Seq2SeqRegressor, **foreign: object) -> None:
    """Reject arguments that belong to the other estimator."""
    for name, value in foreign.items():
        if value is not None:
            raise SpecError(
                name,
                expected=f"None for a {type(estimator).__name__}",
                received=type(value).__name__,
                hint="A Forecaster takes data and backtest, a Seq2SeqRegressor test.",
            )


def _check_in_memory(**frames: UserFrame | None) -> None:
    """Reject what is no frame in memory, such as paths of files."""
    for name, frame in frames.items():
        opened = nw.from_native(frame, eager_only=True, allow_series=True, pass_through=True)
        if frame is not None and not isinstance(opened, nw.DataFrame | nw.Series):
            raise SpecError(
                name,
                expected="a frame in memory",
                received=repr(frame),
                hint="Leave it out, or read the files into a frame.",
            )


def _about_forecaster(forecaster: Forecaster, data: UserFrame | None) -> _FitFacts:
    fitted = forecaster.fitted_
    choice = forecaster.choice_
    texts = words()

    shares = percentages(choice.shares)
    named = [texts[name] for name in shares]
    if len(shares) > 1:
        named = [f"{texts[name]} ({share})" for name, share in shares.items()]
    forecast = " and ".join(named)

    by_heading = facts(fitted, forecaster)
    training = by_heading["Training"] if len(forecaster.history_) else {}
    series = f"{len(fitted.series.ids):,} time series, or of others like them"
    return _FitFacts(
        summary=f"It forecasts {forecaster.horizon} steps of {series}, by {forecast}.",
        data=_rows_of_fit(forecaster, data),
        model={
            **by_heading["Network"],
            "forecast": forecast,
            **training,
            **by_heading["Settings"],
        },
        limits=list(_limits(forecaster)),
        losses=[
            (texts[name], _number(loss)) for name, loss in choice.losses.items() if name in texts
        ],
        windows=choice.windows,
    )


def _about_regressor(regressor: Seq2SeqRegressor) -> _FitFacts:
    engine = regressor.engine_
    history = regressor.history_
    window = regressor.preparation_.window
    horizon = f"{window.horizon} steps"

    limits = [
        f"It was made to forecast {horizon}. Longer forecasts are possible, and were not evaluated."
    ]
    if engine.network.head == "point":
        limits.append(NO_INTERVALS)
    if window.future:
        limits.append("Future covariates have to be known, or forecast, for the whole horizon.")

    past = "of any length"
    if window.context_length is not None:
        past = f"{window.context_length} steps"
    last_values = {
        name.replace("_", " "): _number(values[-1])
        for name, values in history.epochs.items()
        if values
    }
    return _FitFacts(
        summary=(
            f"It forecasts {horizon} from windows of the past, by a recurrent encoder-decoder."
        ),
        data={
            "features": window.features,
            "targets": window.targets,
            "static covariates": window.static,
            "future covariates": window.future,
            "past of a window": past,
            "future of a window": horizon,
            "scaling": regressor.scale,
        },
        model={
            **network_facts(engine),
            "epochs": len(history),
            "best epoch": history.best_epoch or "none chosen: no validation windows",
            **last_values,
            "seconds of training": f"{history.seconds:.1f}",
            "random_state": regressor.seed_,
        },
        limits=limits,
    )


def _rows_of_fit(forecaster: Forecaster, data: UserFrame | None) -> dict[str, object]:
    """Return facts about the rows of a fit; most need the rows."""
    fitted = forecaster.fitted_
    frame = forecaster.series_state_.frame
    known: dict[str, object] = {
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
    lengths = [each.rows for each in description.series]
    extremes = dict.fromkeys([min(lengths), max(lengths)])
    return {
        **known,
        "rows": f"{whole['rows']:,}",
        "rows a series": " to ".join(map(str, extremes)),
        "first stamp": description.span[0],
        "steps without a row": whole["missing_steps"],
        "rows without a value": whole["missing_values"],
        "outliers": whole["outliers"],
    }


def _backtest_scores(
    forecaster: Forecaster,
    data: UserFrame | None,
    backtest: UserFrame | None,
    metrics: Sequence[str] | None,
) -> _Scores:
    if backtest is None:
        return _Scores("It was not evaluated by a backtest.")

    table = leaderboard(
        backtest,
        metrics,
        train_df=data,
        season_length=forecaster.season_length_,
        columns=forecaster.columns,
    )
    columns = nw.from_native(table).to_dict(as_series=False)
    names, points, series = (columns.pop(name) for name in ("model", "points", "series"))
    text = (
        f"Means over {points[0]:,} forecasts of {series[0]:,} series, each from a cutoff before it."
    )
    rows = [
        (name, *map(_number, scores))
        for name, *scores in zip(names, *columns.values(), strict=True)
    ]
    return _Scores(text, ("model", *map(spoken_metric, columns)), rows)


def _window_scores(
    regressor: Seq2SeqRegressor, test: tuple[ArrayLike, ArrayLike] | None
) -> _Scores:
    if test is None:
        return _Scores("It was not evaluated on windows that it had not seen.")

    past, future = test
    truth = np.asarray(future, dtype=float)
    forecasts = {"seqcast": regressor.predict(past)}
    targets = regressor.preparation_.window.target_features
    if targets is not None and np.ndim(past) == 3:
        naive = LastValue(target_features=targets).fit(past, truth)
        forecasts["last value"] = naive.predict(past)

    rows = []
    for name, forecast in forecasts.items():
        errors = np.asarray(forecast).reshape(truth.shape) - truth
        mean_absolute = float(np.nanmean(np.abs(errors)))
        root_mean_square = math.sqrt(np.nanmean(np.square(errors)))
        rows.append((name, _number(mean_absolute), _number(root_mean_square)))
    return _Scores(f"Means over {len(truth):,} windows.", ("model", "MAE", "RMSE"), rows)


def _limits(forecaster: Forecaster) -> Iterator[str]:
    """Yield the limits that follow from the fit of a forecaster."""
    fitted = forecaster.fitted_
    yield (
        f"It was made to forecast {forecaster.horizon} steps from the last "
        f"{fitted.series.context_length}. Longer ones are possible, and were not evaluated."
    )
    for candidate in fitted.candidates[::-1]:
        yield from candidate.limits(alone=len(fitted.candidates) == 1)
    if 0 < fitted.choice.windows < FEW_WINDOWS:
        yield f"The candidates were compared on {fitted.choice.windows} windows only."
    yield _interval_limit(fitted)
    if "real" not in fitted.series.support:
        yield "Forecasts are never negative, as no value of the fit was."
    if forecaster.future_covariates:
        named = ", ".join(forecaster.future_covariates)
        yield (
            f"Covariates that are read for the future ({named}) have to be known, or forecast, "
            "for the whole horizon."
        )
    if fitted.short_series:
        yield f"{len(fitted.short_series)} series were shorter than a whole window."
    if fitted.skipped:
        yield f"{len(fitted.skipped)} series were left out, in which something was wrong."


def _interval_limit(fitted: FittedForecaster) -> str:
    """Return how far intervals can be trusted."""
    levels = fitted.request().level
    if not levels:
        return NO_INTERVALS
    if fitted.calibrations:
        windows = int(fitted.calibrations[0].windows.min())
        return f"Intervals are calibrated on {windows} validation windows."
    named = " and ".join(f"{level_text(level)} %" for level in levels)
    return f"Intervals of {named} are not calibrated: a backtest measures their coverage."


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.4g}"


def _line(value: object) -> str:
    """Return a value as plain Markdown text, which ends no cell of a table."""
    printable = "".join(letter if letter.isprintable() else " " for letter in str(value))
    return printable.translate(_ENTITIES)
