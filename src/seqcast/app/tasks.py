"""What the page has computed by its worker processes: fits, backtests, forecasts and looks inside."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from seqcast.app.worker import Tell

# Models that a process keeps loaded.
KEPT_MODELS = 8
# Windows that a look inside reads.
LOOKED_AT = 300
NEIGHBOURS = 5


@dataclass(frozen=True)
class FitRequest:
    """What is fitted.

    Args:
        df: The rows.
        ahead: The rows behind them, with what is known in advance; `None` without.
        options: Arguments of the `Forecaster`.
        model_file: Where the fitted one is saved.
        time_limit: As for `Forecaster.fit`.
    """

    df: Any
    ahead: Any
    options: dict[str, Any]
    model_file: Path
    time_limit: str | None = None


@dataclass(frozen=True)
class FitOutcome:
    """What came of a fit.

    Args:
        forecast: The forecast, as from `Forecaster.predict`.
        choice: What forecasts, and why, in words.
        shares: The share of each candidate in the forecast.
        networks: Number of networks.
        context_length: Steps of past that they read.
        season_length: Steps of a season.
        interrupted: Whether it was stopped, and forecasts with the best so far.
        history: The losses of each epoch of the first network.
    """

    forecast: Any
    choice: str
    shares: dict[str, float]
    networks: int
    context_length: int
    season_length: int
    interrupted: bool
    history: dict[str, list[float]] = field(default_factory=dict)


@dataclass(frozen=True)
class BacktestRequest:
    """What is tested on its own past.

    Args:
        df: The rows.
        options: Arguments of the `Forecaster`.
        windows: Number of cutoffs.
        time_limit: As for `Forecaster.backtest`.
    """

    df: Any
    options: dict[str, Any]
    windows: int
    time_limit: str | None = None


@dataclass(frozen=True)
class Explanation:
    """What a network looks at.

    Args:
        network: What it is, in words.
        memory: For each step of the forecast, within how many of the last steps 95 % of the influence lies.
        by_step: The influence of each step of the past, the root mean square over the steps of the forecast.
        covariates: How much of the influence each input has, as a share.
        nearest: The windows whose states are nearest to those of each window, nearest first.
        states: The first two principal components of the states, with series, cutoff and the value there.
        explained: Which shares of the variance they hold.
    """

    network: str
    memory: list[int]
    by_step: list[float]
    covariates: dict[str, float]
    nearest: Any
    states: Any
    explained: list[float]


def warm_up(tell: Tell) -> None:  # noqa: ARG001
    """Import what a fit needs, so that the first visitor does not wait for it."""
    from seqcast.pretrained import load_pretrained  # noqa: F401


def fit(tell: Tell, request: FitRequest) -> FitOutcome:
    """Fit a forecaster, save it and forecast; what training tells is handed on.

    Args:
        tell: Hears `TrainingEvent`s.
        request: What is fitted.

    Returns:
        What came of it.

    Raises:
        KeyboardInterrupt: It was stopped before there was anything to keep.
    """
    from seqcast.forecaster import Forecaster, check_future_given
    from seqcast.training import listen

    model = Forecaster(**request.options, verbose=0)
    names = tuple(model.future_covariates)
    check_future_given(request.ahead, request.options["columns"], names, needed=bool(names))
    interrupted = False
    try:
        with listen(tell):
            model.fit(request.df, time_limit=request.time_limit)
    except KeyboardInterrupt:
        if not model.__sklearn_is_fitted__():
            raise
        interrupted = True
    model.save(request.model_file)
    _models.keep(request.model_file, model)
    return FitOutcome(
        forecast=model.predict(future=request.ahead),
        choice=str(model.choice_),
        shares=dict(model.choice_.shares),
        networks=len(model.engines_),
        context_length=model.context_length_,
        season_length=model.season_length_,
        interrupted=interrupted,
        history={name: list(values) for name, values in model.history_.epochs.items()},
    )


def forecast(tell: Tell, model_file: Path, df: Any, ahead: Any, level: Sequence[float]) -> Any:  # noqa: ARG001
    """Forecast with a fitted model.

    Args:
        tell: Hears nothing.
        model_file: The model.
        df: The rows to forecast from.
        ahead: What is known in advance.
        level: Levels of the intervals.
    """
    return _models.get(model_file).predict(df=df, future=ahead, level=level)


def backtest(tell: Tell, request: BacktestRequest) -> Any:
    """Forecast the rows' own past; training is heard.

    Args:
        tell: Hears `TrainingEvent`s.
        request: What is tested.

    Returns:
        A frame as from `Forecaster.backtest`.
    """
    from seqcast.forecaster import Forecaster
    from seqcast.training import listen

    with listen(tell):
        model = Forecaster(**request.options, verbose=0)
        return model.backtest(request.df, n_windows=request.windows, time_limit=request.time_limit)


def write_report(tell: Tell, model_file: Path, path: Path, df: Any, ahead: Any, backtested: Any, title: str) -> None:  # noqa: ARG001
    """Write the report of a fitted model as an HTML page.

    Args:
        tell: Hears nothing.
        model_file: The model.
        path: The page.
        df: The rows to forecast from.
        ahead: What is known in advance.
        backtested: A frame from `backtest`, or `None`.
        title: Title of the page.
    """
    model = _models.get(model_file)
    model.report(path, df, future=ahead, backtest=backtested, n_windows=0, title=title)


def explain(tell: Tell, model_file: Path, df: Any) -> Explanation | None:  # noqa: ARG001
    """Look inside the first network of a model.

    Args:
        tell: Hears nothing.
        model_file: The model.
        df: The rows that its windows are taken from.

    Returns:
        What it looks at; `None` where there is no network.
    """
    from seqcast.inspect import nearest, principal_components, sensitivity, states

    model = _models.get(model_file)
    if not model.engines_:
        return None
    windows = model.model_inputs(df, step_size=1)
    if len(windows) > LOOKED_AT:
        windows = windows[np.linspace(0, len(windows) - 1, LOOKED_AT).astype(int)]
    depends = sensitivity(windows[-min(len(windows), 32) :])
    by_step = np.sqrt(np.square(depends.by_step()).mean(axis=0))
    parts = {name: float(np.square(depends.by_step(name)).sum()) for name in depends.features}
    for name in depends.future_features:
        parts[name] = parts.get(name, 0.0) + float(np.square(depends.by_step(name, future=True)).sum())
    total = sum(parts.values()) or 1.0
    seen = states(windows)
    components = principal_components(seen, 2)
    first, second = components.points.T
    points = windows.labels.frame(np.arange(len(windows)), {"first": first, "second": second})
    alike = nearest(windows, k=min(NEIGHBOURS, len(windows) - 1)) if len(windows) > 1 else None
    shown = "network trained on this table" if model.fitted_.trainings else "pretrained network"
    return Explanation(
        network=shown,
        memory=depends.memory_length().tolist(),
        by_step=by_step.tolist(),
        covariates={name: part / total for name, part in parts.items()},
        nearest=alike,
        states=points,
        explained=components.explained.tolist(),
    )


class _Models:
    """Models that were fitted or loaded, as many as `KEPT_MODELS`."""

    def __init__(self) -> None:
        self._kept: OrderedDict[Path, tuple[int, Any]] = OrderedDict()

    def keep(self, path: Path, model: Any) -> None:
        """Remember the model of a file."""
        self._kept[path] = path.stat().st_mtime_ns, model
        self._kept.move_to_end(path)
        while len(self._kept) > KEPT_MODELS:
            self._kept.popitem(last=False)

    def get(self, path: Path) -> Any:
        """Return the model of a file, read anew if the file has changed."""
        from seqcast.forecaster import Forecaster

        written, model = self._kept.get(path, (-1, None))
        if written != path.stat().st_mtime_ns:
            model = Forecaster.load(path)
        self.keep(path, model)
        return model


_models = _Models()
