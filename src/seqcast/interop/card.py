"""Model cards: Markdown that says what a fitted estimator was made from, how good it is, and where it ends.

The first lines are metadata as model hubs read them. The form is that of Mitchell et al. 2019, Model cards for model
reporting, arXiv:1810.03993.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib import resources
from typing import TYPE_CHECKING, Any

import narwhals.stable.v2 as nw
import numpy as np

from seqcast.baselines import LastValue
from seqcast.data import Description, describe
from seqcast.data.frames import stamp_text
from seqcast.errors import SpecError
from seqcast.evaluation import leaderboard, spoken_metric
from seqcast.forecaster import Forecaster, facts, network_facts, words
from seqcast.intervals import level_text
from seqcast.regressor import Seq2SeqRegressor

if TYPE_CHECKING:
    from jinja2 import Template

__all__ = ["model_card"]

# Fewer windows say little about which candidate is the best.
FEW_WINDOWS = 100
# Markdown takes these for letters.
_ENTITIES = str.maketrans({letter: f"&#{ord(letter)};" for letter in "&<>[]|`\\"})
# Settings that the section about the data has.
_OF_DATA = ("frequency", "season_length")


@dataclass(frozen=True)
class _Section:
    """A part of a card: a text, a table and points, each of which may be missing."""

    heading: str
    text: str = ""
    header: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    points: Sequence[str] = ()

    @classmethod
    def of(cls, heading: str, values: Mapping[str, Any]) -> _Section:
        """Return a section of names and values."""
        return cls(heading, header=("", ""), rows=list(values.items()))


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
        data: The rows of the fit of a forecaster, to say what is in them; `None` says only what it remembers, also of
            a fit of files.
        backtest: The frame that `backtest` of a forecaster returned, to be scored.
        test: Windows that a regressor has not seen, `(X, y)`, to be scored.
        title: Its title; a usual one if empty.
        purpose: What it is for, in your words.
        limits: Where it should not be used, in your words, beside what follows from the fit.
        license: Licence of the model, as model hubs name it, such as `mit`.
        metrics: Metrics of the scores, as `seqcast.evaluation.evaluate` takes them; for a forecaster only.
        file: Name of the model's file, in the line that loads it.

    Returns:
        Markdown.

    Raises:
        NotFittedError: It is not fitted.
        SpecError: It is no such estimator, or is given what belongs to the other one.
        DataError: Something in a frame is wrong.

    Example:
        >>> from seqcast.data.datasets import load
        >>> forecaster = Forecaster(12, effort="quick", verbose=0).fit(load("elnino"))
        >>> card = model_card(forecaster, data=load("elnino"), title="Sea temperature", license="mit")
        >>> [line for line in card.splitlines() if line.startswith("#")]
        ['# Sea temperature', '## Data', '## Model', '## Choice', '## Scores', '## Limits', '## How to use it']
    """
    frames = isinstance(estimator, Forecaster)
    if not frames and not isinstance(estimator, Seq2SeqRegressor):
        raise SpecError(
            "estimator",
            expected="a fitted Forecaster or Seq2SeqRegressor",
            received=repr(estimator),
            hint="Other estimators have cards of skops.",
        )
    foreign = {"test": test} if frames else {"data": data, "backtest": backtest, "metrics": metrics}
    for name, value in foreign.items():
        if value is not None:
            raise SpecError(
                name,
                expected=f"None for a {type(estimator).__name__}",
                received=type(value).__name__,
                hint="A Forecaster takes data and backtest, a Seq2SeqRegressor test.",
            )
    for name, value in {"data": data, "backtest": backtest}.items():
        opened = nw.from_native(value, eager_only=True, allow_series=True, pass_through=True)
        if value is not None and not isinstance(opened, nw.DataFrame | nw.Series):
            hint = "Leave it out, or read the files into a frame."
            raise SpecError(name, expected="a frame in memory", received=repr(value), hint=hint)
    if isinstance(estimator, Forecaster):
        about, sections = _about_frames(estimator, data, backtest, metrics)
    else:
        about, sections = _about_arrays(estimator, test)
    sections.append(_Section("Limits", points=[*limits, *_limits(estimator)]))
    return _template().render(
        frames=frames,
        kind=type(estimator).__name__,
        file=file,
        title=title or f"{type(estimator).__name__} of seqcast",
        summary=about,
        purpose=purpose,
        license=license,
        sections=sections,
    )


def _about_frames(
    forecaster: Forecaster, data: Any, backtest: Any, metrics: Sequence[str] | None
) -> tuple[str, list[_Section]]:
    """Return what a forecaster is, and the sections about data, model and scores."""
    by_heading = facts(forecaster.fitted_, forecaster.get_params(deep=False))
    model = {**by_heading["Network"], "forecast": _chosen(forecaster)}
    if len(forecaster.history_):
        model |= by_heading["Training"]
    model |= {name: value for name, value in by_heading["Settings"].items() if name not in _OF_DATA}
    summary = (
        f"It forecasts {forecaster.horizon} steps of {len(forecaster.series_state_.ids):,} time series, or of others "
        f"like them, by {_chosen(forecaster)}."
    )
    sections = [
        _Section.of("Data", _data(forecaster, data)),
        _Section.of("Model", model),
        *_choice(forecaster),
        _scores(forecaster, data, backtest, metrics),
    ]
    return summary, sections


def _about_arrays(regressor: Seq2SeqRegressor, test: tuple[Any, Any] | None) -> tuple[str, list[_Section]]:
    """Return what a regressor is, and the sections about data, model and scores."""
    engine, history, window = regressor.engine_, regressor.history_, regressor.preparation_.window
    data = {
        "features": window.features,
        "targets": window.targets,
        "static covariates": window.static,
        "future covariates": window.future,
        "past of a window": "of any length" if window.context_length is None else f"{window.context_length} steps",
        "future of a window": f"{window.horizon} steps",
        "scaling": regressor.scale,
    }
    model = {
        **network_facts(engine),
        "epochs": len(history),
        "best epoch": history.best_epoch or "none chosen: no validation windows",
        **{name.replace("_", " "): _number(values[-1]) for name, values in history.epochs.items() if values},
        "seconds of training": f"{history.seconds:.1f}",
        "random_state": regressor.seed_,
    }
    summary = f"It forecasts {window.horizon} steps from windows of the past, by a recurrent encoder-decoder."
    return summary, [_Section.of("Data", data), _Section.of("Model", model), _window_scores(regressor, test)]


def _chosen(forecaster: Forecaster) -> str:
    shares, texts = forecaster.choice_.shares, words()
    return " and ".join(texts[name] + (f" ({share:.0%})" if len(shares) > 1 else "") for name, share in shares.items())


def _data(forecaster: Forecaster, data: Any) -> dict[str, Any]:
    """Return facts about the rows of a fit."""
    series, frame = forecaster.series_state_, forecaster.series_state_.frame
    columns, covariates = frame.schema.columns, frame.covariates
    known: dict[str, Any] = {
        "series": f"{len(series.ids):,}",
        "targets": ", ".join(columns.targets),
        "frequency": forecaster.freq_ or "irregular",
        "steps of a season": forecaster.season_length_,
        "last stamp": stamp_text(max(frame.last_stamps)),
        "static covariates": ", ".join(covariates.static) or "none",
        "other covariates": ", ".join(covariates.varying) or "none",
        "padded series": len(forecaster.short_series_),
        "series left out": len(forecaster.skipped_series_),
    }
    if data is None:
        return known
    found: Description = describe(
        data, forecaster.columns, freq=forecaster.freq, season_length=forecaster.season_length_
    )
    whole = found.to_dict()
    lengths = [each.rows for each in found.series]
    return {
        **known,
        "rows": f"{whole['rows']:,}",
        "rows a series": str(lengths[0]) if min(lengths) == max(lengths) else f"{min(lengths)} to {max(lengths)}",
        "first stamp": found.span[0],
        "steps without a row": whole["missing_steps"],
        "rows without a value": whole["missing_values"],
        "outliers": whole["outliers"],
    }


def _choice(forecaster: Forecaster) -> list[_Section]:
    """Return the section about what was compared, where something was."""
    choice = forecaster.choice_
    if not choice.losses:
        return []
    texts = words()
    rows = [(texts[name], _number(loss)) for name, loss in choice.losses.items() if name in texts]
    text = f"Mean quantile loss on {choice.windows:,} validation windows, in scaled units; less is better."
    return [_Section("Choice", text, ("candidate", "loss"), rows)]


def _scores(forecaster: Forecaster, data: Any, backtest: Any, metrics: Sequence[str] | None) -> _Section:
    """Return the section about a backtest."""
    if backtest is None:
        return _Section("Scores", "It was not judged by a backtest.")
    columns = nw.from_native(
        leaderboard(
            backtest,
            metrics,
            train_df=data,
            season_length=forecaster.season_length_,
            columns=forecaster.columns,
        )
    ).to_dict(as_series=False)
    names, points = columns.pop("model"), columns.pop("points")[0]
    series = columns.pop("series")[0]
    rows = [(name, *(_number(values[row]) for values in columns.values())) for row, name in enumerate(names)]
    text = f"Means over {points:,} forecasts of {series:,} series, each from a cutoff before it."
    return _Section("Scores", text, ("model", *map(spoken_metric, columns)), rows)


def _window_scores(regressor: Seq2SeqRegressor, test: tuple[Any, Any] | None) -> _Section:
    """Return the section about windows that were not trained on."""
    if test is None:
        return _Section("Scores", "It was not judged on windows that it had not seen.")
    past, truth = test[0], np.asarray(test[1], dtype=float)
    forecasts = {"seqcast": np.asarray(regressor.predict(past)).reshape(truth.shape)}
    targets = regressor.preparation_.window.target_features
    if targets is not None and np.ndim(past) == 3:
        naive = LastValue(target_features=targets).fit(past, truth).predict(past)
        forecasts["last value"] = np.asarray(naive).reshape(truth.shape)
    rows = []
    for name, forecast in forecasts.items():
        errors = forecast - truth
        rows.append((name, _number(np.nanmean(np.abs(errors))), _number(math.sqrt(np.nanmean(np.square(errors))))))
    return _Section("Scores", f"Means over {len(truth):,} windows.", ("model", "MAE", "RMSE"), rows)


def _limits(estimator: Forecaster | Seq2SeqRegressor) -> Iterator[str]:
    """Yield what follows from a fit."""
    yield "Scores and intervals are those of the past. They hold as long as the series go on as they did."
    if not isinstance(estimator, Forecaster):
        horizon, window = estimator.preparation_.window.horizon, estimator.preparation_.window
        yield f"It was made to forecast {horizon} steps. Longer forecasts are possible, and were not looked at."
        if estimator.engine_.network.head == "point":
            yield "It forecasts a point and does not say how sure it is."
        if window.future:
            yield "Future covariates have to be known, or forecast, for the whole horizon."
        return
    fitted = estimator.fitted_
    yield (
        f"It was made to forecast {estimator.horizon} steps from the last {estimator.context_length_}. Longer ones "
        "are possible, and were not looked at."
    )
    for candidate in fitted.candidates[::-1]:
        yield from candidate.limits(alone=len(fitted.candidates) == 1)
    if 0 < estimator.choice_.windows < FEW_WINDOWS:
        yield f"What forecasts was chosen on {estimator.choice_.windows} windows only."
    yield from _limits_of_intervals(estimator)
    if "real" not in fitted.series.support:
        yield "Forecasts are never negative, as no value of the fit was."
    if estimator.future_covariates:
        named = ", ".join(estimator.future_covariates)
        yield f"Covariates that are read for the future ({named}) have to be known, or forecast, for the whole horizon."
    if estimator.short_series_:
        yield f"{len(estimator.short_series_)} series were shorter than a whole window."
    if estimator.skipped_series_:
        yield f"{len(estimator.skipped_series_)} series were left out, in which something was wrong."


def _limits_of_intervals(forecaster: Forecaster) -> Iterator[str]:
    levels = forecaster.fitted_.request().level
    if not levels:
        yield "It forecasts a point and does not say how sure it is."
    elif forecaster.calibrations_:
        windows = int(forecaster.calibrations_[0].windows.min())
        yield f"Intervals are calibrated on {windows} validation windows."
    else:
        named = " and ".join(f"{level_text(level)} %" for level in levels)
        yield f"Intervals of {named} are not calibrated: a backtest says what they hold."


def _number(value: float) -> str:
    return "–" if math.isnan(value) else f"{value:,.4g}"


def _line(value: Any) -> str:
    """Return a value as a line of Markdown that is no HTML, no link and no code, and ends no cell of a table."""
    return "".join(letter if letter.isprintable() else " " for letter in str(value)).translate(_ENTITIES)


@functools.cache
def _template() -> Template:
    from jinja2 import Environment, StrictUndefined

    environment = Environment(undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    environment.filters["line"] = _line
    return environment.from_string(resources.files("seqcast.interop").joinpath("card.md.j2").read_text("utf-8"))
