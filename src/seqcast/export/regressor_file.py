"""The file of a regressor: from raw windows to forecasts with the axes of its y."""

import os
from collections.abc import Sequence

from seqcast.data.arrays import Preparation
from seqcast.data.series import Scaler
from seqcast.errors import SpecError
from seqcast.export.decoding import ForecastColumns
from seqcast.export.network_file import NetworkInputs, add_network, check_network
from seqcast.export.onnx_file import ANY, OnnxFile, Outputs, check_horizon
from seqcast.export.operators import Array, ndx
from seqcast.intervals import bounded
from seqcast.network import Seq2Seq
from seqcast.specs import NetworkSpec, WindowSpec, check_probabilities


def write_array_model(
    path: str | os.PathLike[str],
    model: Seq2Seq,
    preparation: Preparation,
    support: Sequence[str],
    *,
    horizon: int | str | None = None,
    probabilities: Sequence[float] | None = None,
) -> None:
    """Write the file of a regressor.

    Args:
        path: The file; it appears whole or not at all.
        model: The network.
        preparation: Sizes and scaling of the windows.
        support: The support of each target.
        horizon: Steps to forecast: a number, `any` for an input that says it, or `None` for the
            trained one.
        probabilities: Probabilities of the quantiles; `None` takes those of `head="quantile"`, and
            none otherwise.

    Raises:
        SpecError: An option is impossible, or a component of the network cannot be written as
            operators.
        SaveError: The file could not be written.
    """
    window = model.window
    steps = check_horizon(horizon, model.window.horizon)
    check_network(model.network, window, steps)
    checked = _checked(model.network, probabilities)

    file = OnnxFile()
    free = "horizon" if steps is None else steps
    past = _past(file, window, preparation)
    static = _read(file, preparation, "static", ("batch", window.static))
    future = _read(file, preparation, "future", ("batch", free, window.future))
    inputs = NetworkInputs(past, None, static, future)
    columns = ForecastColumns("median", checked)
    forecast = add_network(model, inputs, file.read_horizon(steps), columns)

    scaler = preparation.scalers["y"]
    forecast = ndx.astype(forecast, ndx.float64) * scaler.scale[:, None] + scaler.loc[:, None]
    forecast = bounded(forecast, support)

    names = [f"quantile {probability:g}" for probability in checked]
    outputs = Outputs("forecast", names, checked, list(range(1, 1 + len(checked))))
    shape: tuple[int | str, ...] = ("batch", free)
    if preparation.y_axes == 3:
        shape += (window.targets,)
    file.write_forecast(forecast, outputs, shape)

    metadata = {
        "model": {"name": "seqcast", "kind": "Seq2SeqRegressor"},
        "past": {
            "features": window.features,
            "targets": window.targets,
            "context_length": window.context_length,
        },
        "future": [f"future{place}" for place in range(window.future)],
        "static": [f"static{place}" for place in range(window.static)],
        "horizon": ANY if steps is None else steps,
        "outputs": outputs.to_dict(),
    }
    file.save(path, metadata)


def _checked(network: NetworkSpec, probabilities: Sequence[float] | None) -> tuple[float, ...]:
    """Return the probabilities of the quantiles, rising."""
    if probabilities is None:
        return network.quantiles or ()
    checked = tuple(sorted(set(check_probabilities("probabilities", probabilities))))
    if not network.is_probabilistic:
        raise SpecError(
            "probabilities",
            expected="None with head='point'",
            received=repr(probabilities),
            hint="Fit with head='quantile' or 'normal'.",
        )
    return checked


def _past(file: OnnxFile, window: WindowSpec, preparation: Preparation) -> Array:
    """Return the scaled past, `[B, T, F]`."""
    scaler = preparation.scalers["past"]
    meaning = "windows, oldest step first"
    if window.context_length is not None:
        past = file.read("past", ndx.float64, ("batch", window.context_length), meaning)[..., None]
    else:
        past = file.read("past", ndx.float64, ("batch", "time", window.features), meaning)
    return _scaled(past, scaler)


def _read(
    file: OnnxFile, preparation: Preparation, name: str, shape: tuple[int | str, ...]
) -> Array | None:
    if not shape[-1]:
        return None
    covariates = file.read(name, ndx.float64, shape, f"{name} covariates")
    return _scaled(covariates, preparation.scalers[name])


def _scaled(values: Array, scaler: Scaler) -> Array:
    return ndx.astype((values - scaler.loc) / scaler.scale, ndx.float32)
