"""Export: a fitted estimator as one ONNX file, which forecasts from raw values wherever ONNX runs.

Arithmetic is that of NumPy: ndonnx records it as operators. Modules, in reading order: `onnx_file` (inputs, outputs,
metadata), `operators` (dense and recurrent layers, attention), `encoding`, `decoding`, `network_file` (one network),
`calendar`, `scaling`, `gaps` (before and after it), `forecaster_file`, `regressor_file`.

Stability: experimental.
"""

from seqcast.export.calendar import is_cyclic
from seqcast.export.decoding import ForecastColumns
from seqcast.export.forecaster_file import LastSeasonGraph, NetworksGraph, SeriesModel, write_series_model
from seqcast.export.regressor_file import ArrayModel, write_array_model

__all__ = [
    "ArrayModel",
    "ForecastColumns",
    "LastSeasonGraph",
    "NetworksGraph",
    "SeriesModel",
    "is_cyclic",
    "write_array_model",
    "write_series_model",
]
