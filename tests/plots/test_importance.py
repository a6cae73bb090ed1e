"""The most important covariate is on top, with its spread."""

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.errors import DataError, SpecError
from seqcast.plots import importance_chart


def table(count=3):
    names = [f"c{place}" for place in range(count)]
    return pd.DataFrame(
        {"covariate": names, "importance": np.arange(count) / 10, "spread": 0.05, "error": 0.5, "share": 0.1}
    )


@pytest.mark.parametrize("convert", [pd.DataFrame, pl.from_pandas], ids=["pandas", "polars"])
def test_bars(convert):
    figure = importance_chart(convert(table().sample(frac=1, random_state=1)), title="Sales")
    (ax,) = figure.axes
    assert [label.get_text() for label in ax.get_yticklabels()] == ["c0", "c1", "c2"]  # from the bottom
    np.testing.assert_allclose([bar.get_width() for bar in ax.patches], [0.0, 0.1, 0.2])
    (reach,) = ax.collections
    np.testing.assert_allclose([segment[:, 0] for segment in reach.get_segments()][2], [0.15, 0.25])
    assert figure.get_suptitle() == "Sales"
    assert "which is 0.5 with all as they are" in ax.get_xlabel()
    assert [text.get_text() for text in figure.legends[0].get_texts()] == [
        "growth of the error",
        "spread of permutations",
    ]


def test_the_most_important_ones():
    figure = importance_chart(table(20), max_covariates=4)
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == ["c16", "c17", "c18", "c19"]
    assert figure.get_suptitle() == "4 of 20 covariates, the most important"


def test_other_tables_are_refused():
    with pytest.raises(DataError, match="importance: expected a column 'spread'"):
        importance_chart(table().drop(columns="spread"))
    with pytest.raises(DataError, match="importance: expected finite numbers"):
        importance_chart(table().assign(importance=np.nan))
    with pytest.raises(SpecError, match="max_covariates"):
        importance_chart(table(), max_covariates=0)
