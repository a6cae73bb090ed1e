"""What a run of MLflow holds of a fit: parameters, metrics by epoch and step, figures, the model."""

from __future__ import annotations

import contextlib
import json
import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, TypeVar

from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster import Forecaster
from seqcast.interop.mlflow.flavour import log_model
from seqcast.regressor import Seq2SeqRegressor
from seqcast.runtime import require, warn_user
from seqcast.training import History, Observer, Record

Estimator = TypeVar("Estimator", Forecaster, Seq2SeqRegressor)

# MLflow refuses longer ones.
_LONGEST_PARAM = 6000


class MlflowLog(Observer):
    """Log losses, metrics and learning rate to a run of MLflow as training goes on.

    Metrics of epochs have the names `loss`, `val_loss`, `learning_rate`, with the epoch from 1 as step; those of steps
    begin with `step/`. Of several networks each has its name before it: `network-1/loss`. Worker processes log to the
    same run. What the server does not take is said once, and training goes on.

    Args:
        run_id: The run; `None` takes the active one.
        every_n_steps: Steps from one record to the next within epochs; `None` logs epochs only.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        SpecError: There is no active run, or `every_n_steps` is no whole number above 0.
    """

    def __init__(self, run_id: str | None = None, every_n_steps: int | None = None) -> None:
        super().__init__(every_n_steps)
        mlflow = require("mlflow", extra="mlflow")
        active = mlflow.active_run()
        if run_id is None and active is None:
            raise SpecError(
                "run_id",
                expected="an active run, or the id of a run",
                received="None, outside of a run",
                hint="Write with mlflow.start_run(): around it.",
            )
        self.run_id = active.info.run_id if run_id is None else run_id
        self.tracking_uri = mlflow.get_tracking_uri()
        self._failed = False

    def record(self, record: Record) -> None:
        """Log the numbers."""
        mlflow, entities = require("mlflow", extra="mlflow"), require("mlflow.entities", extra="mlflow")
        prefix = (f"{self.network}/" if self.network else "") + ("step/" if record.event == "step" else "")
        step, now = record.step if record.event == "step" else record.epoch, int(1000 * time.time())
        values = {**record.values, "learning_rate": record.learning_rate, "seconds": record.seconds}
        metrics = [entities.Metric(prefix + name, value, now, step) for name, value in values.items()]
        try:
            mlflow.MlflowClient(tracking_uri=self.tracking_uri).log_batch(self.run_id, metrics=metrics)
        except mlflow.MlflowException as error:
            if not self._failed:
                warn_user(f"MLflow does not take metrics, training goes on without: {error}")
            self._failed = True


def log_fit(
    estimator: Estimator,
    *data: Any,
    every_n_steps: int | None = None,
    figures: bool = True,
    model: bool = True,
    name: str = "model",
    **fit: Any,
) -> Estimator:
    """Fit an estimator within a run of MLflow, which holds the fit.

    These are its options and what was chosen for `None` and `auto` (as parameters), losses and learning rate by epoch
    (as metrics), figures of the loss and, where no future has to be told, of the forecast, and the model, by
    `log_model`. The run is the active one, or a new one that ends with the fit; it holds one fit. With `on`, where
    other processes train, metrics of epochs are logged when the fit is over.

    Args:
        estimator: A `Forecaster` or a `Seq2SeqRegressor`.
        *data: The data of its `fit`.
        every_n_steps: Steps from one record to the next within epochs; `None` logs epochs only. Not with `on`.
        figures: Whether figures are logged.
        model: Whether the model is logged.
        name: Its name.
        **fit: Further arguments of its `fit`.

    Returns:
        The fitted estimator.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        DataError: As `fit` raises it; the run has failed.
        SpecError: It is no such estimator, or as `fit` raises it.
        TrainingError: Training diverged.
        KeyboardInterrupt: The user interrupted; the run holds what was logged so far.
    """
    if not isinstance(estimator, Forecaster | Seq2SeqRegressor):
        raise SpecError(
            "estimator",
            expected="a Forecaster or a Seq2SeqRegressor",
            received=repr(estimator),
            hint=Phrase("Other ones take ", Option("callbacks", "[MlflowLog()]"), " where they have callbacks."),
        )
    elsewhere = fit.get("on") is not None
    if elsewhere and every_n_steps is not None:
        raise SpecError(
            "every_n_steps",
            expected="None with on: other processes train",
            received=repr(every_n_steps),
            hint="Leave it out, or train on this machine.",
        )
    mlflow = require("mlflow", extra="mlflow")
    with contextlib.nullcontext() if mlflow.active_run() else mlflow.start_run():
        mlflow.set_tag("seqcast.estimator", type(estimator).__name__)
        mlflow.log_params(_params(estimator.get_params(deep=False)))
        log = MlflowLog(every_n_steps=every_n_steps)
        if elsewhere and isinstance(estimator, Forecaster):
            _log_epochs(estimator.fit(*data, **fit))
        else:
            estimator.fit(*data, **{**fit, "callbacks": [*(fit.get("callbacks") or ()), log]})
        mlflow.log_params(_params(_chosen(estimator), "fit."))
        mlflow.log_metrics(_outcome(estimator.history_))
        if figures:
            for place, figure in _figures(estimator, data):
                mlflow.log_figure(figure, f"figures/{place}.png")
        if model:
            log_model(estimator, name)
    return estimator


def _log_epochs(forecaster: Forecaster) -> None:
    """Log losses and metrics of a fit that is over, under the names that `MlflowLog` gives them."""
    mlflow = require("mlflow", extra="mlflow")
    histories, fitted = forecaster.histories_, forecaster.fitted_
    names = [f"network-{number}/" for number in range(1, len(fitted.trainings) + 1)]
    names = [*names, "pretrained/"][: len(histories)]
    for name, history in zip(names, histories, strict=True):
        prefix = "" if len(histories) == 1 else name
        for epoch in range(1, len(history) + 1):
            values = {name: values[epoch - 1] for name, values in history.epochs.items() if len(values) >= epoch}
            mlflow.log_metrics({prefix + name: value for name, value in values.items()}, step=epoch)


def _params(options: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Return options as texts; specs, which have fields, as JSON."""
    texts = {}
    for name, value in options.items():
        text = json.dumps(value.to_dict(), default=str) if hasattr(value, "to_dict") else str(value)
        texts[prefix + name] = text if len(text) <= _LONGEST_PARAM else text[: _LONGEST_PARAM - 1] + "…"
    return texts


def _chosen(estimator: Forecaster | Seq2SeqRegressor) -> dict[str, Any]:
    """Return what a fit chose."""
    chosen: dict[str, Any] = {"seed": estimator.seed_}
    if isinstance(estimator, Forecaster):
        chosen |= {
            "choice": estimator.choice_,
            "freq": estimator.freq_,
            "season_length": estimator.season_length_,
            "context_length": estimator.context_length_,
            "series": len(estimator.series_state_.ids),
            "networks": len(estimator.engines_),
        }
        engines = estimator.engines_
    else:
        engines = (estimator.engine_,)
    return {**chosen, "weights": sum(engine.weight_count for engine in engines)}


def _outcome(history: History) -> dict[str, float]:
    """Return how a training ended."""
    outcome = {"epochs": float(len(history)), "training_seconds": history.seconds}
    if history.best_epoch is not None:
        outcome |= {"best_epoch": float(history.best_epoch), "best_val_loss": min(history["val_loss"])}
    return {name: value for name, value in outcome.items() if math.isfinite(value)}


def _figures(estimator: Forecaster | Seq2SeqRegressor, data: tuple[Any, ...]) -> Iterator[tuple[str, Any]]:
    """Yield the figures of a fit by their names."""
    from seqcast.plots import forecast_fans, forecast_panels, learning_curve

    histories = estimator.histories_ if isinstance(estimator, Forecaster) else (estimator.history_,)
    for number, history in enumerate(histories, 1):
        if len(history):
            place = "learning_curve" if len(histories) == 1 else f"learning_curve-{number}"
            yield place, learning_curve(history.epochs, best_epoch=history.best_epoch, ylabel="loss")
    if isinstance(estimator, Forecaster):
        if not estimator.future_covariates and not estimator.irregular:  # whose future nobody has told
            frame = estimator.series_state_.frame
            yield "forecast", forecast_fans(frame.table(), estimator.predict(), columns=frame.schema.columns)
    elif len(data) > 1 and estimator.preparation_.y_axes > 1:
        covariates = estimator.preparation_.window
        if not covariates.static and not covariates.future:
            past, truth = (each[:8] for each in data[:2])
            forecast = estimator.predict(past)
            panels = (each[..., 0] if each.ndim == 3 else each for each in (past, truth, forecast))
            yield "forecast", forecast_panels(*panels, columns=4)
