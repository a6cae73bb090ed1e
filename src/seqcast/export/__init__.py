"""Export: a fitted estimator as one ONNX file, which forecasts from raw values wherever ONNX runs.

Nothing is traced. Modules, in reading order: `graph` (operators that name themselves), `file` (from a graph to a
file), `cells` (ONNX's own GRU, LSTM and RNN), `normalise`, `segment`, `heads`, `encoder`, `decoder` (with its
attention), `network` (one network), `calendar`, `scaling`, `gaps`, `intervals` (what stands around it), `metadata`,
`part` (what a candidate adds), `series` (the file of a forecaster), `arrays` (that of a regressor).

Stability: experimental.
"""

from seqcast.export.arrays import ArrayModel, write_array_model
from seqcast.export.calendar import is_cyclic
from seqcast.export.heads import Parts
from seqcast.export.series import LastSeasonPart, NetworksPart, SeriesModel, write_series_model

__all__ = [
    "ArrayModel",
    "LastSeasonPart",
    "NetworksPart",
    "Parts",
    "SeriesModel",
    "is_cyclic",
    "write_array_model",
    "write_series_model",
]
