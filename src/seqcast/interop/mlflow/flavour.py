"""A fitted estimator as a model of MLflow: the flavour `seqcast`, and `python_function`, which MLflow serves.

The model's file is that of `save`: JSON and plain arrays, no pickle.
"""

from __future__ import annotations

import os
import sys
import tempfile
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from seqcast._version import __version__
from seqcast.errors import SpecError
from seqcast.forecaster import Forecaster
from seqcast.regressor import Seq2SeqRegressor
from seqcast.runtime import keras, require

FLAVOUR = "seqcast"
# The model's file is named after its kind.
FILES: dict[str, Any] = {"forecaster.seqcast": Forecaster, "regressor.seqcast": Seq2SeqRegressor}


def save_model(
    model: Forecaster | Seq2SeqRegressor,
    path: str | os.PathLike[str],
    *,
    mlflow_model: Any = None,
    signature: Any = None,
    **options: Any,
) -> None:
    """Save a fitted estimator as a model of MLflow in a folder.

    Args:
        model: A fitted `Forecaster` or `Seq2SeqRegressor`.
        path: The folder, which is not there yet.
        mlflow_model: The `mlflow.models.Model` to describe it in; `None` makes one.
        signature: MLflow's signature; `None` names the parameters of a forecast, `horizon` and of a forecaster `level`.
        **options: Further arguments of `mlflow.pyfunc.save_model`, such as `metadata` and `pip_requirements`; these are
            by default the versions in use.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        NotFittedError: It is not fitted.
        SpecError: It is no estimator of seqcast that can be saved, or its training holds a function.

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
    pyfunc, models = require("mlflow.pyfunc", extra="mlflow"), require("mlflow.models", extra="mlflow")
    name = next((name for name, kind in FILES.items() if isinstance(model, kind)), None)
    if name is None:
        raise SpecError(
            "model",
            expected="a fitted Forecaster or Seq2SeqRegressor",
            received=repr(model),
            hint="Other estimators go with mlflow.sklearn.",
        )
    mlflow_model = models.Model() if mlflow_model is None else mlflow_model
    mlflow_model.add_flavor(FLAVOUR, data=f"data/{name}", seqcast_version=__version__)
    options.setdefault("pip_requirements", _requirements())
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings():
        # Of an input example, which the signature does not need.
        warnings.filterwarnings("ignore", ".*input example", UserWarning)
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


def log_model(model: Forecaster | Seq2SeqRegressor, name: str = "model", **options: Any) -> Any:
    """Log a fitted estimator as a model of the active run, or of a new one.

    Args:
        model: A fitted `Forecaster` or `Seq2SeqRegressor`.
        name: The model's name.
        **options: Further arguments of `mlflow.models.Model.log`, such as `registered_model_name`, and of `save_model`.

    Returns:
        MLflow's `ModelInfo`; its `model_uri` is what `load_model` and `mlflow.pyfunc.load_model` take.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        SpecError: As for `save_model`.
    """
    models = require("mlflow.models", extra="mlflow")
    return models.Model.log(None, sys.modules[__name__], name=name, model=model, **options)


def load_model(model_uri: str, *, max_size: Any = None) -> Forecaster | Seq2SeqRegressor:
    """Load an estimator that was saved or logged; it predicts the identical numbers.

    Args:
        model_uri: A folder, or an address such as `runs:/…/model`, `models:/name/1`.
        max_size: To how much its file may unpack, see `Forecaster.load`.

    Returns:
        The estimator.

    Raises:
        MissingPackageError: `mlflow` is not installed.
        SpecError: The model is of another flavour.
    """
    artifacts, models = require("mlflow.artifacts", extra="mlflow"), require("mlflow.models", extra="mlflow")
    folder = Path(artifacts.download_artifacts(artifact_uri=os.fspath(model_uri)))
    flavours = models.Model.load(str(folder)).flavors
    if FLAVOUR not in flavours:
        raise SpecError(
            "model_uri",
            expected="a model that seqcast has saved",
            received=f"one of the flavours {', '.join(flavours)}",
            hint="mlflow.pyfunc.load_model loads any.",
        )
    return _read(folder / flavours[FLAVOUR]["data"], max_size)


class ServedForecaster:
    """A forecaster as a `python_function`: a pandas frame of rows in, that of the forecast out.

    Args:
        model: The fitted forecaster.
    """

    def __init__(self, model: Forecaster) -> None:
        self.model = model

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the forecast that follows the last rows.

        Args:
            model_input: Rows to forecast from, as for `Forecaster.predict(df)`, whose stamps may be text; a frame
                without rows takes those that the model remembers. With future covariates, rows after the last known
                value of a series are its future.
            params: `horizon` and `level`, as for `Forecaster.predict`; no levels are all of them.

        Returns:
            The frame of `Forecaster.predict`.
        """
        given = dict(params or {})
        level = [] if given.get("level") is None else np.atleast_1d(given["level"]).tolist()
        rows, future = self._divided(model_input)
        forecast = self.model.predict(given.get("horizon"), df=rows, future=future, level=level or None)
        return forecast.to_pandas() if hasattr(forecast, "to_pandas") else forecast

    def _divided(self, frame: Any) -> tuple[Any, Any]:
        """Return the rows to forecast from and those of the future; `None` for none of them."""
        import pandas as pd

        if len(frame) == 0:
            return None, None
        columns, zone = self.model.series_state_.schema.columns, self.model.series_state_.schema.zone
        if columns.ds in frame and pd.api.types.is_string_dtype(frame[columns.ds]):  # as JSON has them
            stamps = pd.to_datetime(frame[columns.ds], utc=zone is not None)
            frame = frame.assign(**{columns.ds: stamps if zone is None else stamps.dt.tz_convert(zone)})
        targets = list(columns.targets)
        if not self.model.future_covariates or not {columns.ds, *targets} <= set(frame):
            return frame, None
        series = frame[columns.unique_id] if columns.unique_id in frame else np.zeros(len(frame))
        known = frame[targets].notna().any(axis=1)
        last = frame[columns.ds].where(known).groupby(np.asarray(series)).transform("max")
        ahead = ~known & ~(frame[columns.ds] <= last)
        rows, future = frame[~ahead], frame[ahead].drop(columns=targets)
        return rows if len(rows) else None, future if len(future) else None


class ServedRegressor:
    """A regressor as a `python_function`: windows `[N, T, F]` in, forecasts out.

    Args:
        model: The fitted regressor.
    """

    def __init__(self, model: Seq2SeqRegressor) -> None:
        self.model = model

    def predict(self, model_input: Any, params: Mapping[str, Any] | None = None) -> Any:
        """Return the forecasts.

        Args:
            model_input: Windows, as for `Seq2SeqRegressor.predict`, or a dict of these as `past` and of the covariates,
                `static` `[N, S]` and `future` `[N, H, F']`.
            params: `horizon`, as for `Seq2SeqRegressor.predict`.
        """
        inputs = model_input if isinstance(model_input, Mapping) else {"past": model_input}
        return self.model.predict(
            inputs["past"],
            (params or {}).get("horizon"),
            static_covariates=inputs.get("static"),
            future_covariates=inputs.get("future"),
        )


def _load_pyfunc(data_path: str) -> ServedForecaster | ServedRegressor:
    """Load the file of a model: MLflow's hook."""
    model = _read(Path(data_path), None)
    return ServedForecaster(model) if isinstance(model, Forecaster) else ServedRegressor(model)


def _read(file: Path, max_size: Any) -> Forecaster | Seq2SeqRegressor:
    model: Forecaster | Seq2SeqRegressor = FILES[file.name].load(file, max_size=max_size)
    return model


def _requirements() -> list[str]:
    """Return the packages that load a model, with their versions."""
    backend = keras.backend.backend()
    named = {"keras": keras.__version__, backend: __import__(backend).__version__, "numpy": np.__version__}
    return [f"seqcast=={__version__}", *(f"{name}=={version.partition('+')[0]}" for name, version in named.items())]


def _signature(model: Forecaster | Seq2SeqRegressor) -> Any:
    """Return the parameters of a forecast.

    Columns and types are left to the model: MLflow would refuse whole numbers where it has seen others, and would drop
    columns that it has not seen.
    """
    signatures, types = require("mlflow.models.signature", extra="mlflow"), require("mlflow.types", extra="mlflow")
    params = [types.ParamSpec("horizon", types.DataType.long, None)]
    if isinstance(model, Forecaster):
        params.append(types.ParamSpec("level", types.DataType.double, [], shape=(-1,)))
    return signatures.ModelSignature(params=types.ParamSchema(params))
