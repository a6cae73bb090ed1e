"""MLflow: runs with the record of a fit, and models that are saved, registered and served.

It needs `pip install '.[mlflow]'`. A model has the flavour `seqcast`, and `python_function`, which
MLflow serves. Its file is that of `save`: JSON and plain arrays, no pickle.
"""

from __future__ import annotations

import contextlib
import json
import math
import os
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import numpy as np

from seqcast._version import __version__
from seqcast.data.frames import UserFrame
from seqcast.errors import Option, Phrase, SpecError
from seqcast.forecaster import Forecaster
from seqcast.regressor import Seq2SeqRegressor
from seqcast.runtime import Array, filtering_warnings, keras, require, warn_user
from seqcast.tables import split_ahead
from seqcast.training import History, Observer, Record

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.figure import Figure
    from numpy.typing import ArrayLike

__all__ = ["MlflowLog", "load_model", "log_fit", "log_model", "save_model"]

Estimator = TypeVar("Estimator", Forecaster, Seq2SeqRegressor)
AnyEstimator = Forecaster | Seq2SeqRegressor

# MLflow sends usage data unless this is set before its import, which the first log or load does.
os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")

FLAVOUR = "seqcast"
# The model's file is named after its kind.
FILES: dict[str, type[Forecaster] | type[Seq2SeqRegressor]] = {
    "forecaster.seqcast": Forecaster,
    "regressor.seqcast": Seq2SeqRegressor,
}
# MLflow rejects longer ones.
_LONGEST_PARAM = 6000


class MlflowLog(Observer):
    """Log losses, metrics and learning rate to a run of MLflow as training goes on.

    Metrics of epochs have the names `loss`, `val_loss`, `learning_rate`, with the epoch from 1 as
    step; those of steps begin with `step/`. Of several networks each has its name before it:
    `network-1/loss`. Worker processes log to the same run. Where the server rejects metrics,
    training goes on, and one warning says so.

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
        """Log the numbers of an epoch or step."""
        mlflow = require("mlflow", extra="mlflow")
        entities = require("mlflow.entities", extra="mlflow")

        prefix = f"{self.network}/" if self.network else ""
        step = record.epoch
        if record.event == "step":
            prefix += "step/"
            step = record.step

        milliseconds = int(1000 * time.time())
        values = {**record.values, "learning_rate": record.learning_rate, "seconds": record.seconds}
        metrics = [
            entities.Metric(prefix + name, value, milliseconds, step)
            for name, value in values.items()
        ]

        try:
            mlflow.MlflowClient(tracking_uri=self.tracking_uri).log_batch(
                self.run_id, metrics=metrics
            )
        except mlflow.MlflowException as error:
            if not self._failed:
                warn_user(f"MLflow does not take metrics, training goes on without: {error}")
            self._failed = True


def log_fit(
    estimator: Estimator,
    *data: UserFrame | ArrayLike,
    every_n_steps: int | None = None,
    figures: bool = True,
    model: bool = True,
    name: str = "model",
    **fit: Any,
) -> Estimator:
    """Fit an estimator within a run of MLflow, which records the fit.

    The parameters of the run are the options, and the choices for `None` and `auto`. Its metrics
    are losses and learning rate by epoch. Figures show the loss, and the forecast of a forecaster
    that needs to know no future; `log_model` logs the model. The run is the active one, or a new
    one that ends with the fit; it has one fit.

    Args:
        estimator: A `Forecaster` or a `Seq2SeqRegressor`.
        *data: The data of its `fit`.
        every_n_steps: Steps from one record to the next within epochs; `None` logs epochs only.
        figures: Whether figures are logged.
        model: Whether the model is logged.
        name: Its name.
        **fit: Other arguments of its `fit`.

    Returns:
        The fitted estimator.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        DataError: As `fit` raises it; the run has failed.
        SpecError: It is no such estimator, or as `fit` raises it.
        TrainingError: Training diverged.
        KeyboardInterrupt: The user interrupted; the run has the records so far.
    """
    if not isinstance(estimator, AnyEstimator):
        raise SpecError(
            "estimator",
            expected="a Forecaster or a Seq2SeqRegressor",
            received=repr(estimator),
            hint=Phrase(
                "Other ones take ",
                Option("callbacks", "[MlflowLog()]"),
                " where they have callbacks.",
            ),
        )
    mlflow = require("mlflow", extra="mlflow")
    run = contextlib.nullcontext() if mlflow.active_run() else mlflow.start_run()
    with run:
        mlflow.set_tag("seqcast.estimator", type(estimator).__name__)
        mlflow.log_params(_params(estimator.get_params(deep=False)))

        log = MlflowLog(every_n_steps=every_n_steps)
        fit["callbacks"] = [*(fit.get("callbacks") or ()), log]
        estimator.fit(*data, **fit)

        mlflow.log_params(_params(_chosen(estimator), "fit."))
        mlflow.log_metrics(_outcome(estimator))
        if figures:
            for place, figure in _figures(estimator):
                mlflow.log_figure(figure, f"figures/{place}.png")
        if model:
            log_model(estimator, name)
    return estimator


def _params(options: Mapping[str, object], prefix: str = "") -> dict[str, str]:
    """Return options as texts; specs, which have fields, as JSON."""
    texts = {}
    for name, value in options.items():
        text = json.dumps(value.to_dict(), default=str) if hasattr(value, "to_dict") else str(value)
        if len(text) > _LONGEST_PARAM:
            text = text[: _LONGEST_PARAM - 1] + "…"
        texts[prefix + name] = text
    return texts


def _chosen(estimator: AnyEstimator) -> dict[str, object]:
    """Return the choices of a fit."""
    names = ("seed", "choice", "freq", "season_length", "context_length")
    learned = {name: getattr(estimator, f"{name}_", None) for name in names}
    engines = estimator.engines_ if isinstance(estimator, Forecaster) else [estimator.engine_]
    return {
        **{name: value for name, value in learned.items() if value is not None},
        "networks": len(engines),
        "weights": sum(engine.weight_count for engine in engines),
    }


def _outcome(estimator: AnyEstimator) -> dict[str, float]:
    """Return the epochs, the seconds and the best loss of a training."""
    history = estimator.history_
    outcome = {"epochs": float(len(history)), "training_seconds": history.seconds}
    if history.best_epoch is not None:
        outcome["best_epoch"] = float(history.best_epoch)
        outcome["best_val_loss"] = min(history["val_loss"])
    return {name: value for name, value in outcome.items() if math.isfinite(value)}


def _figures(estimator: AnyEstimator) -> Iterator[tuple[str, Figure]]:
    """Yield the figures of a fit by their names."""
    from seqcast.plots import forecast_fans, learning_curve

    histories: Sequence[History] = [estimator.history_]
    if isinstance(estimator, Forecaster):
        histories = estimator.histories_
    for number, history in enumerate(histories, 1):
        if len(history):
            place = "learning_curve" if len(histories) == 1 else f"learning_curve-{number}"
            curve = learning_curve(history.epochs, best_epoch=history.best_epoch, ylabel="loss")
            yield place, curve

    if not isinstance(estimator, Forecaster):
        return
    if not estimator.future_covariates and not estimator.irregular:
        frame = estimator.series_state_.frame
        fans = forecast_fans(frame.table(), estimator.predict(), columns=frame.schema.columns)
        yield "forecast", fans


def save_model(
    model: AnyEstimator,
    path: str | os.PathLike[str],
    *,
    mlflow_model: Any = None,
    signature: object = None,
    **options: Any,
) -> None:
    """Save a fitted estimator as a model of MLflow in a folder.

    Args:
        model: A fitted `Forecaster` or `Seq2SeqRegressor`.
        path: The folder, which must not exist yet.
        mlflow_model: The `mlflow.models.Model` to describe it in; `None` makes one.
        signature: MLflow's signature; `None` names the parameters of a forecast, `horizon` and of a
            forecaster `level`.
        **options: Other arguments of `mlflow.pyfunc.save_model`, such as `metadata` and
            `pip_requirements`; these are by default the versions in use.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        NotFittedError: It is not fitted.
        SpecError: It is no estimator of seqcast that can be saved, or its training holds a
            function.

    Example:
        >>> import tempfile
        >>> from pathlib import Path
        >>> from seqcast.data.datasets import load
        >>> forecaster = Forecaster(12, effort="quick", verbose=0).fit(load("elnino"))
        >>> with tempfile.TemporaryDirectory() as folder:
        ...     save_model(forecaster, Path(folder) / "model")
        ...     loaded = load_model(f"{folder}/model")
        >>> bool((loaded.predict()["seqcast"] == forecaster.predict()["seqcast"]).all())
        True
    """
    pyfunc = require("mlflow.pyfunc", extra="mlflow")
    models = require("mlflow.models", extra="mlflow")

    name = next((name for name, kind in FILES.items() if isinstance(model, kind)), None)
    if name is None:
        raise SpecError(
            "model",
            expected="a fitted Forecaster or Seq2SeqRegressor",
            received=repr(model),
            hint="Other estimators go with mlflow.sklearn.",
        )

    mlflow_model = mlflow_model or models.Model()
    mlflow_model.add_flavor(FLAVOUR, data=f"data/{name}", seqcast_version=__version__)
    options.setdefault("pip_requirements", _requirements())

    # MLflow warns of a missing input example, which the signature does not need.
    quietly = filtering_warnings("ignore", UserWarning, "input example")
    with tempfile.TemporaryDirectory() as folder, quietly:
        file = Path(folder) / name
        model.save(file)
        pyfunc.save_model(
            path,
            loader_module=__name__,
            data_path=str(file),
            mlflow_model=mlflow_model,
            signature=_signature(model) if signature is None else signature,
            **options,
        )


def log_model(model: AnyEstimator, name: str = "model", **options: Any) -> Any:
    """Log a fitted estimator as a model of the active run, or of a new one.

    Args:
        model: A fitted `Forecaster` or `Seq2SeqRegressor`.
        name: The model's name.
        **options: Other arguments of `mlflow.models.Model.log`, such as `registered_model_name`,
            and of `save_model`.

    Returns:
        MLflow's `ModelInfo`; its `model_uri` is the address for `load_model` and
        `mlflow.pyfunc.load_model`.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        SpecError: As for `save_model`.
    """
    models = require("mlflow.models", extra="mlflow")
    return models.Model.log(None, sys.modules[__name__], name=name, model=model, **options)


def load_model(model_uri: str, *, max_size: int | str | None = None) -> AnyEstimator:
    """Load an estimator that was saved or logged; it predicts the identical numbers.

    Args:
        model_uri: A folder, or an address such as `runs:/…/model`, `models:/name/1`.
        max_size: Largest file, see `Forecaster.load`.

    Returns:
        The estimator.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        SpecError: The model is of another flavour.
    """
    artifacts = require("mlflow.artifacts", extra="mlflow")
    models = require("mlflow.models", extra="mlflow")

    folder = Path(artifacts.download_artifacts(artifact_uri=os.fspath(model_uri)))
    flavours = models.Model.load(str(folder)).flavors
    if FLAVOUR not in flavours:
        raise SpecError(
            "model_uri",
            expected="a model that seqcast has saved",
            received=f"one of the flavours {', '.join(flavours)}",
            hint="mlflow.pyfunc.load_model loads any.",
        )

    file = folder / flavours[FLAVOUR]["data"]
    return FILES[file.name].load(file, max_size=max_size)


class ServedForecaster:
    """A forecaster as a `python_function`: a pandas frame of rows in, that of the forecast out.

    Args:
        model: The fitted forecaster.
    """

    def __init__(self, model: Forecaster) -> None:
        self.model = model

    def predict(
        self, model_input: pd.DataFrame, params: Mapping[str, Any] | None = None
    ) -> pd.DataFrame:
        """Return the forecast that follows the last rows.

        Args:
            model_input: Rows to forecast from, as for `Forecaster.predict(df)`, whose stamps may be
                text; a frame without rows takes those that the model remembers. With future
                covariates, rows after the last known value of a series are its future.
            params: `horizon` and `level`, as for `Forecaster.predict`; no levels are all of them.

        Returns:
            The frame of `Forecaster.predict`.
        """
        given = params or {}
        level = given.get("level")
        if level is not None:
            level = np.atleast_1d(level).tolist() or None
        rows, future = self._split(model_input)
        forecast: Any = self.model.predict(given.get("horizon"), rows, future, level)
        in_pandas: pd.DataFrame = (
            forecast.to_pandas() if hasattr(forecast, "to_pandas") else forecast
        )
        return in_pandas

    def _split(self, frame: pd.DataFrame) -> tuple[pd.DataFrame | None, pd.DataFrame | None]:
        """Return the rows to forecast from and those of the future; `None` for none of them."""
        import pandas as pd

        if not len(frame):
            return None, None

        schema = self.model.series_state_.schema
        columns = schema.columns
        # JSON has no stamps, only text.
        if columns.ds in frame and pd.api.types.is_string_dtype(frame[columns.ds]):
            stamps = pd.to_datetime(frame[columns.ds], utc=schema.zone is not None)
            if schema.zone is not None:
                stamps = stamps.dt.tz_convert(schema.zone)
            frame = frame.assign(**{columns.ds: stamps})

        targets = list(columns.targets)
        if not self.model.future_covariates or not {columns.ds, *targets} <= set(frame):
            return frame, None
        rows, ahead = split_ahead(frame, columns)
        return rows if len(rows) else None, ahead.drop(columns=targets) if len(ahead) else None


class ServedRegressor:
    """A regressor as a `python_function`: windows `[N, T, F]` in, forecasts out.

    Args:
        model: The fitted regressor.
    """

    def __init__(self, model: Seq2SeqRegressor) -> None:
        self.model = model

    def predict(
        self,
        model_input: ArrayLike | Mapping[str, ArrayLike],
        params: Mapping[str, Any] | None = None,
    ) -> Array:
        """Return the forecasts.

        Args:
            model_input: Windows, as for `Seq2SeqRegressor.predict`, or a dict of these as `past`
                and of the covariates, `static` `[N, S]` and `future` `[N, H, F']`.
            params: `horizon`, as for `Seq2SeqRegressor.predict`.
        """
        inputs = model_input if isinstance(model_input, Mapping) else {"past": model_input}
        covariates = {f"{role}_covariates": inputs.get(role) for role in ("static", "future")}
        return self.model.predict(inputs["past"], (params or {}).get("horizon"), **covariates)


def _load_pyfunc(data_path: str) -> ServedForecaster | ServedRegressor:
    """Load the file of a model: MLflow's hook."""
    model = FILES[Path(data_path).name].load(data_path)
    return ServedForecaster(model) if isinstance(model, Forecaster) else ServedRegressor(model)


def _requirements() -> list[str]:
    """Return the packages that load a model, with their versions."""
    backend = keras.backend.backend()
    named = {
        "keras": keras.__version__,
        backend: __import__(backend).__version__,
        "numpy": np.__version__,
    }
    return [
        f"seqcast=={__version__}",
        *(f"{name}=={version.partition('+')[0]}" for name, version in named.items()),
    ]


def _signature(model: AnyEstimator) -> Any:
    """Return the parameters of a forecast.

    Columns and types are left to the model: MLflow would reject whole numbers where it has seen
    others, and would drop columns that it has not seen.
    """
    signatures = require("mlflow.models.signature", extra="mlflow")
    types = require("mlflow.types", extra="mlflow")
    params = [types.ParamSpec("horizon", types.DataType.long, None)]
    if isinstance(model, Forecaster):
        params.append(types.ParamSpec("level", types.DataType.double, [], shape=(-1,)))
    return signatures.ModelSignature(params=types.ParamSchema(params))
