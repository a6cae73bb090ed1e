"""Computations in the page's processes: fits, backtests, forecasts, explanations, the post."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from seqcast import forecaster, inspect, regressor, runtime
from seqcast.app.job_queue import OnEvent
from seqcast.data import random_sines
from seqcast.errors import SpecError
from seqcast.runtime import Array, keras

if TYPE_CHECKING:
    import pandas as pd

    from seqcast.forecaster import Forecaster

# Most models that a process keeps loaded.
LOADED_MODELS = 8
# Windows of an explanation, the last of them whose sensitivity it takes, and neighbours of each.
EXPLAINED = 300
SENSITIVE = 32
NEIGHBOURS = 5


@dataclass(frozen=True)
class FitOutcome:
    """The result of a fit.

    Args:
        forecast: The forecast, as from `Forecaster.predict`.
        choice: Of each candidate its wording, its share of the forecast, and its hold-out loss
            (`None` if it was not compared), the largest share first.
        windows: Number of hold-out windows.
        season_length: Steps of a season.
        interrupted: Whether it was stopped, and forecasts with the best so far.
    """

    forecast: pd.DataFrame
    choice: list[tuple[str, float, float | None]]
    windows: int
    season_length: int
    interrupted: bool


@dataclass(frozen=True)
class Explanation:
    """The explanation of a network's forecasts.

    Args:
        network: The network, in words.
        memory: For each step of the forecast, the number of last steps with 95 % of the influence.
        by_step: The influence of each step of the past, the root mean square over the steps of the
            forecast.
        covariates: The fraction of the influence that each input has.
        nearest: The windows whose states are nearest to those of each window, nearest first.
        states: The first two principal components of the states, with series, cutoff and the value
            there.
        explained: The fraction of the variance along each of them.
    """

    network: str
    memory: list[int]
    by_step: list[float]
    covariates: dict[str, float]
    nearest: pd.DataFrame | None
    states: pd.DataFrame
    explained: list[float]


def warm_up() -> None:
    """Import what a fit needs, so that the first visitor does not wait for it."""
    from seqcast.pretrained import load_pretrained  # noqa: F401


def fit(
    emit: OnEvent,
    df: pd.DataFrame,
    ahead: pd.DataFrame | None,
    options: Mapping[str, Any],
    model_file: Path,
    time_limit: float | None,
) -> FitOutcome:
    """Fit a forecaster, save it and forecast; events of the training are passed on.

    Args:
        emit: Called with each event of trainings and other long tasks.
        df: The rows.
        ahead: The rows after them, with the known future; `None` for none.
        options: Arguments of the `Forecaster`.
        model_file: File for the fitted forecaster.
        time_limit: As for `Forecaster.fit`.

    Returns:
        The result.

    Raises:
        KeyboardInterrupt: It was stopped before there was any result.
    """
    model = forecaster.Forecaster(**options, verbose=0)
    names = tuple(model.future_covariates)
    forecaster.check_future_given(ahead, options["columns"], names, needed=bool(names))
    interrupted = False
    try:
        with runtime.listen(emit):
            model.fit(df, time_limit=time_limit)
    except KeyboardInterrupt:
        if not model.__sklearn_is_fitted__():
            raise
        interrupted = True
    model.save(model_file)
    shares = model.choice_.shares
    losses = model.choice_.losses
    texts = forecaster.words()
    ranked = sorted(
        {**losses, **shares}.keys() - {"blend"}, key=lambda each: (-shares.get(each, 0.0), each)
    )
    choice = [(texts[each], shares.get(each, 0.0), losses.get(each)) for each in ranked]
    return FitOutcome(
        model.predict(future=ahead),
        choice,
        model.choice_.windows,
        model.season_length_,
        interrupted,
    )


def backtest(
    emit: OnEvent,
    df: pd.DataFrame,
    options: Mapping[str, Any],
    windows: int,
    time_limit: float | None,
) -> pd.DataFrame:
    """Forecast the rows' own past.

    Args:
        emit: Called with each event of trainings and other long tasks.
        df: The rows.
        options: Arguments of the `Forecaster`.
        windows: Number of cutoffs.
        time_limit: As for `Forecaster.backtest`.

    Returns:
        A frame as from `Forecaster.backtest`.
    """
    with runtime.listen(emit):
        table: pd.DataFrame = forecaster.Forecaster(**options, verbose=0).backtest(
            df, n_windows=windows, time_limit=time_limit
        )
    return table


def forecast(
    model_file: Path, df: pd.DataFrame, ahead: pd.DataFrame | None, level: Sequence[float]
) -> pd.DataFrame:
    """Forecast with a fitted model.

    Args:
        model_file: The model.
        df: The rows to forecast from.
        ahead: The known future.
        level: Levels of the intervals.
    """
    return _loaded(model_file).predict(df=df, future=ahead, level=level)


def write_report(
    model_file: Path,
    path: Path,
    df: pd.DataFrame,
    ahead: pd.DataFrame | None,
    backtested: pd.DataFrame | None,
    title: str,
) -> None:
    """Write the report of a fitted model as an HTML page.

    Args:
        model_file: The model.
        path: The page.
        df: The rows to forecast from.
        ahead: The known future.
        backtested: A frame from `backtest`, or `None`.
        title: Title of the page.
    """
    _loaded(model_file).report(
        path, df, future=ahead, backtest=backtested, n_windows=0, title=title
    )


def explain(model_file: Path, df: pd.DataFrame) -> Explanation | None:
    """Explain the forecasts of a model's first network.

    Args:
        model_file: The model.
        df: The rows that its windows are taken from.

    Returns:
        The explanation; `None` where there is no network.
    """
    model = _loaded(model_file)
    if not model.engines_:
        return None
    windows = model.model_inputs(df, step_size=1)
    if len(windows) > EXPLAINED:
        windows = windows[np.linspace(0, len(windows) - 1, EXPLAINED).astype(int)]
    depends = inspect.sensitivity(windows[-min(len(windows), SENSITIVE) :])
    influence = {name: float(np.square(depends.by_step(name)).sum()) for name in depends.features}
    for name in depends.future_features:
        future = float(np.square(depends.by_step(name, future=True)).sum())
        influence[name] = influence.get(name, 0.0) + future
    total = sum(influence.values()) or 1.0
    components = inspect.principal_components(inspect.states(windows), 2)
    first, second = components.points.T
    return Explanation(
        network="network trained on this table"
        if model.fitted_.trainings
        else "pretrained network",
        memory=depends.memory_length().tolist(),
        by_step=np.sqrt(np.square(depends.by_step()).mean(axis=0)).tolist(),
        covariates={name: share / total for name, share in influence.items()},
        nearest=inspect.nearest(windows, k=min(NEIGHBOURS, len(windows) - 1))
        if len(windows) > 1
        else None,
        states=windows.labels.frame(np.arange(len(windows)), {"first": first, "second": second}),
        explained=components.explained.tolist(),
    )


def _loaded(path: Path) -> Forecaster:
    """Return the model of a file, which is read again when the file has changed."""
    return _load(path, path.stat().st_mtime_ns)


@lru_cache(LOADED_MODELS)
def _load(path: Path, written: int) -> Forecaster:  # noqa: ARG001

    return forecaster.Forecaster.load(path)


# ---------------------------------------------------------------- the experiment of the post

# The page's words for each `decoder_input` of `NetworkSpec`.
DECODERS = {
    "zeros": "zeros, as in the post",
    "teacher": "the truth while it learns (teacher forcing)",
    "autoregressive": "its own last value (feeding back)",
}
WINDOWS = 12_800
EPOCHS = 10
HORIZON = 15
# Length of the signal's continuation, in horizons.
BEYOND = 4
TEST_SEED = 50_000


@dataclass(frozen=True)
class Snapshot:
    """A network's forecast of the signal after an epoch.

    Args:
        decoder: What its decoder reads.
        epoch: Number of finished epochs.
        forecast: Its forecast of the trained horizon, `[H]`.
    """

    decoder: str
    epoch: int
    forecast: list[float]


@dataclass
class SineOutcome:
    """Forecasts of networks for a signal that none of them saw.

    Args:
        past: The signal's past, `[T]`.
        truth: The signal's continuation, `[4 H]`.
        forecasts: Each network's forecast of it, by what its decoder reads.
        errors: The mean squared error of the trained horizon over many signals, over their
            variance.
        tokens: For the first network, the first two principal components of its last layer's
            states, step by step, `[steps, 2]`: while it reads the past, then while it writes.
    """

    past: list[float]
    truth: list[float]
    forecasts: dict[str, list[float]] = field(default_factory=dict)
    errors: dict[str, float] = field(default_factory=dict)
    tokens: list[list[float]] = field(default_factory=list)


def learn_sines(
    emit: OnEvent,
    signals: Mapping[str, Any],
    decoders: Sequence[str],
    seed: int = 0,
    *,
    windows: int = WINDOWS,
    epochs: int = EPOCHS,
) -> SineOutcome:
    """Train a small network for each kind of decoder on random sines, and continue a new signal.

    A stopped training keeps its best weights; networks that were not begun are left out.

    Args:
        emit: Called with a `Snapshot` after each epoch.
        signals: Arguments of `seqcast.data.random_sines`: `num_signals`, `frequency`, `noise` and
            `past`.
        decoders: What the decoder of each network reads.
        seed: Seed of everything random.
        windows: Number of training windows.
        epochs: Number of epochs.

    Raises:
        SpecError: The frequencies are no range.
        KeyboardInterrupt: It was stopped before there was a network.
    """
    slowest, fastest = signals["frequency"]
    if not 0 < slowest < fastest:
        raise SpecError(
            "frequencies",
            expected="a slow one above 0 and a faster one",
            received=f"{slowest:g} to {fastest:g}",
        )
    signals = {**signals, "offset": (0.0, 0.0)}
    past, future = random_sines(windows, future=HORIZON, seed=seed, **signals)
    unseen, beyond = random_sines(500, future=BEYOND * HORIZON, seed=TEST_SEED + seed, **signals)
    near = beyond[:, :HORIZON]
    outcome = SineOutcome(unseen[0, :, 0].tolist(), beyond[0, :, 0].tolist())
    stopped = False
    for decoder in decoders:
        model = _post_network(seed, decoder, epochs)
        try:
            model.fit(past, future, callbacks=[_snapshots(emit, decoder, unseen[:1])])
        except KeyboardInterrupt:
            stopped = True
        if hasattr(model, "engine_"):
            forecast = model.predict(unseen[:1], horizon=BEYOND * HORIZON)
            outcome.forecasts[decoder] = forecast[0, :, 0].tolist()
            outcome.errors[decoder] = float(
                np.square(model.predict(unseen) - near).mean() / np.square(near).mean()
            )
        if not outcome.tokens and outcome.forecasts:
            traced = inspect.trajectories(model.model_inputs(unseen[:1]), horizon=BEYOND * HORIZON)
            states = np.concatenate(
                [traced.states(submodule, 2)[0] for submodule in ("encoder", "decoder")]
            )
            outcome.tokens = inspect.principal_components(states, 2).points.tolist()
        if stopped:
            break
    if not outcome.forecasts:
        raise KeyboardInterrupt
    return outcome


def _post_network(seed: int, decoder: str, epochs: int) -> regressor.Seq2SeqRegressor:
    """Return the post's network, with the recipe of docs/benchmarks.md, The post's job."""
    return regressor.Seq2SeqRegressor(
        encoder_units=(35, 35),
        decoder_units=(35, 35),
        decoder_input=decoder,
        scale="none",
        learning_rate=0.02,
        batch_size=128,
        epochs=epochs,
        validation_fraction=0.0,
        random_state=seed,
        verbose=0,
    )


def _snapshots(emit: OnEvent, decoder: str, past: Array) -> keras.callbacks.Callback:
    """Return a callback that sends the network's forecast of a signal after each epoch."""

    class Snapshots(keras.callbacks.Callback):
        def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
            runtime.fetch_weights(self.model)
            forecast = runtime.to_numpy(self.model({"past": past}, training=False))[0, :, 0]
            emit(Snapshot(decoder, epoch + 1, forecast.tolist()))

    return Snapshots()
