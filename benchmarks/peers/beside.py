"""seqcast beside another library in one environment: both fit and predict one series of months, at the same stamps.

    python benchmarks/peers/beside.py gluonts

`make test-peers` makes an environment for each library, with its newest release that installs
there, and runs this in it. It prints a row of the table of docs/coming-from/index.md: the library,
and the versions that were resolved.
"""

import argparse
import sys
import tempfile
from importlib.metadata import version

import numpy as np
import pandas as pd

from seqcast import Forecaster
from seqcast.data.datasets import load

HORIZON = 12
SEASON = 12
# Distributions whose versions the libraries restrict.
SHARED = ("pandas", "numpy", "scikit-learn", "utilsforecast", "jax", "keras")


def statsforecast(frame):
    """Forecast with exponential smoothing."""
    from statsforecast import StatsForecast
    from statsforecast.models import AutoETS

    models = StatsForecast(models=[AutoETS(season_length=SEASON)], freq="MS").fit(frame)
    return models.predict(HORIZON).set_index("ds")["AutoETS"]


def mlforecast(frame):
    """Forecast with a linear regression on lags."""
    from mlforecast import MLForecast
    from sklearn.linear_model import LinearRegression

    models = MLForecast(models={"linear": LinearRegression()}, freq="MS", lags=[1, SEASON]).fit(
        frame
    )
    return models.predict(HORIZON).set_index("ds")["linear"]


def skforecast(frame):
    """Forecast with a linear regression on lags, step after step."""
    from skforecast.recursive import ForecasterRecursive
    from sklearn.linear_model import LinearRegression

    model = ForecasterRecursive(estimator=LinearRegression(), lags=SEASON)
    model.fit(y=frame.set_index("ds")["y"].asfreq("MS"))
    return model.predict(HORIZON)


def gluonts(frame):
    """Forecast with DeepAR, trained for one epoch."""
    from gluonts.dataset.pandas import PandasDataset
    from gluonts.torch import DeepAREstimator

    data = PandasDataset(frame.set_index("ds")["y"], freq="M")
    with tempfile.TemporaryDirectory() as folder:
        options = {
            "max_epochs": 1,
            "logger": False,
            "accelerator": "cpu",
            "default_root_dir": folder,
        }
        sizes = {"freq": "M", "prediction_length": HORIZON, "num_batches_per_epoch": 5}
        (forecast,) = DeepAREstimator(**sizes, trainer_kwargs=options).train(data).predict(data)
    return pd.Series(forecast.median, index=forecast.index.to_timestamp())


def autogluon(frame):
    """Forecast with two statistical models, weighted on the last window."""
    from autogluon.timeseries import TimeSeriesDataFrame, TimeSeriesPredictor

    data = TimeSeriesDataFrame.from_data_frame(frame, id_column="unique_id", timestamp_column="ds")
    with tempfile.TemporaryDirectory() as folder:
        predictor = TimeSeriesPredictor(
            prediction_length=HORIZON, target="y", freq="MS", path=folder, verbosity=0
        )
        predictor.fit(data, hyperparameters={"ETS": {}, "Theta": {}})
        return predictor.predict(data).droplevel(0)["mean"]


PEERS = {
    "gluonts": gluonts,
    "autogluon.timeseries": autogluon,
    "statsforecast": statsforecast,
    "mlforecast": mlforecast,
    "skforecast": skforecast,
}


def main():
    """Fit and predict with both, compare stamps, and print the row."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("peer", choices=PEERS)
    peer = parser.parse_args().peer
    frame = load("elnino")
    theirs = PEERS[peer](frame.copy())
    ours = (
        Forecaster(HORIZON, preset="segment", training={"epochs": 2}, random_state=0, verbose=0)
        .fit(frame)
        .predict()
    )
    if not np.array_equal(np.asarray(ours["ds"], "M8[s]"), np.asarray(theirs.index, "M8[s]")):
        sys.exit(f"{peer} forecasts {list(theirs.index)}, seqcast {ours['ds'].tolist()}")
    if not (np.isfinite(ours["seqcast"]).all() and np.isfinite(theirs).all()):
        sys.exit(
            f"{peer} or seqcast forecasts no numbers: {theirs.tolist()}, {ours['seqcast'].tolist()}"
        )
    print(" | ".join([f"| {peer}", version(peer), *map(version, SHARED)]), "|")


if __name__ == "__main__":
    main()
