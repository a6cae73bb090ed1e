"""Unusual rows are circled beside the intervals that they are judged by."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import anomaly_frame


def judged(ids=("a", "b"), rows=30):
    parts = []
    for place, name in enumerate(ids):
        score = np.linspace(0.0, 0.9, rows)
        score[4 + place] = 2.0 + place
        days = pd.date_range("2024-01-01", periods=rows)
        parts.append(
            pd.DataFrame({"unique_id": name, "ds": days, "y": score, "m": 0.0, "m-lo-99": -1.0, "m-hi-99": 1.0})
            .assign(score=score, anomaly=score > 1, trained_on=np.arange(rows) < 20)
        )  # fmt: skip
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_the_most_unusual_series_comes_first(convert):
    figure = anomaly_frame(convert(judged().sample(frac=1, random_state=0)))
    assert [ax.get_title() for ax in figure.axes] == ["b: 1 of 30 rows outside", "a: 1 of 30 rows outside"]
    lines = {line.get_label(): line for line in figure.axes[0].lines}
    assert set(lines) == {"values", "m", "outside", "end of training"}
    np.testing.assert_array_equal(lines["outside"].get_ydata(), [3.0])
    assert str(np.asarray(lines["outside"].get_xdata(), dtype="datetime64[D]")[0]) == "2024-01-06"
    assert str(np.asarray(lines["end of training"].get_xdata()[:1], dtype="datetime64[D]")[0]) == "2024-01-20"
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "m, 99 % interval", "m", "values", "outside", "end of training",
    ]  # fmt: skip


def test_some_series_and_rows():
    figure = anomaly_frame(judged(), max_series=1, last=7, ylabel="MW")
    assert len(figure.axes) == 1
    assert figure.get_suptitle() == "1 of 2 series, those with the most unusual rows"
    assert len(figure.axes[0].lines[1].get_xdata()) == 7
    with pytest.raises(SpecError, match="max_series"):
        anomaly_frame(judged(), max_series=0)


def test_what_is_no_result_of_anomalies_is_refused():
    with pytest.raises(DataError, match="judged: expected a column 'score'"):
        anomaly_frame(judged().drop(columns="score"))
    with pytest.raises(DataError, match="judged: expected columns of a forecast and its interval"):
        anomaly_frame(judged().drop(columns="m-lo-99"))
