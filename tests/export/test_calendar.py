"""Calendar features by operators are those by pandas."""

import numpy as np
import pandas as pd

from seqcast.data.features.calendar import CALENDAR_FEATURES, Calendar
from seqcast.export.calendar import calendar_features
from seqcast.export.onnx_file import OnnxFile
from seqcast.export.operators import ndx


def test_all_cycles(run_file):
    rng = np.random.default_rng(0)
    days = pd.date_range("1895-01-01", "2105-12-31", freq="D")
    stamps = pd.DatetimeIndex(rng.choice(days.values, 20_000)) + pd.to_timedelta(
        rng.integers(0, 86_400, 20_000), "s"
    )
    leap = pd.date_range("2000-02-27", periods=6).union(pd.date_range("1900-02-27", periods=4))
    stamps = stamps.append(leap)
    file = OnnxFile()
    read = file.read("stamps", ndx.float64, ("batch", "time"), "seconds")
    features = calendar_features(read, CALENDAR_FEATURES)
    file.write("features", features, ("batch", "time", 2 * len(CALENDAR_FEATURES)), "cycles")
    seconds = (stamps - pd.Timestamp(0)) / pd.Timedelta(seconds=1)
    found = run_file(file.model({}).SerializeToString())(stamps=seconds.to_numpy()[None])[
        "features"
    ][0]
    np.testing.assert_allclose(found, Calendar(CALENDAR_FEATURES).features(stamps), atol=1e-6)
