import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.features.encoders import MOST_CATEGORIES, ColumnEncoder, ColumnStatistics
from seqcast.data.frames.frame_columns import ColumnType
from seqcast.data.frames.frame_reader import read_frame
from seqcast.errors import DataError
from seqcast.specs.columns import Covariates
from tests.rejections import rejected

COVARIATES = Covariates(static=("region", "size"), past=("rain",), future=("promo", "kind"))


def long():
    step = np.arange(12) % 6
    of = np.repeat([0, 1], 6)
    keys = {
        "unique_id": np.array(["a", "b"])[of],
        "ds": pd.date_range("2024-01-01", periods=6)[step],
        "y": step + 1.0,
    }
    static = {"region": np.array(["north", "south"])[of], "size": np.array([1.5, 3.0])[of]}
    return pd.DataFrame(
        {**keys, **static, "rain": 2 * step, "promo": step % 2 == 0, "kind": [*"xyz"] * 4}
    )


def read(df, **options):
    return read_frame(df, covariates=COVARIATES, **{"missing": "fill", **options})


def test_columns_become_numbers():
    frame = read(long())
    assert frame.source.values.shape == (12, 4)
    assert [kind.name for kind in frame.kinds] == ["number", "flag", "category"]
    assert frame.kinds[2].labels == ("x", "y", "z")
    assert frame.source.values[:3, 1:].tolist() == [[0, 1, 0], [2, 0, 1], [4, 1, 2]]
    assert frame.static.tolist() == [[0, 1.5], [1, 3.0]]
    assert frame.static_kinds[0].labels == ("north", "south")


TYPES = {
    "polars": pl.from_pandas,
    "enum": lambda df: pl.from_pandas(df).with_columns(
        pl.col("kind").cast(pl.Enum(["z", "y", "x"]))
    ),
    "decimal": lambda df: pl.from_pandas(df).with_columns(
        pl.col("size", "y").cast(pl.Decimal(10, 2))
    ),
    "categories": lambda df: df.astype({"region": "category", "kind": "category"}),
    "object": lambda df: df.astype({"promo": object, "kind": object}),
    "pyarrow": lambda df: df.astype(
        {"size": "double[pyarrow]", "y": "int64[pyarrow]", "region": "string[pyarrow]"}
    ),
    "Int8": lambda df: df.astype({"rain": "Int8", "y": "UInt32", "size": "Float32"}),
}


@pytest.mark.parametrize("convert", TYPES.values(), ids=TYPES)
def test_so_they_do_whatever_their_type(convert):
    frame = read(convert(long()))
    expected = read(long())
    np.testing.assert_array_equal(frame.source.values, expected.source.values)
    np.testing.assert_array_equal(frame.static, expected.static)
    assert (frame.kinds, frame.static_kinds) == (expected.kinds, expected.static_kinds)


def changed(row, column, value):
    df = (
        long().astype({column: object})
        if not isinstance(value, float)
        else long().astype({column: float})
    )
    df.loc[row, column] = value
    return df


WRONG = {
    "static differs": (
        changed(8, "region", "east"),
        "region, row 8 .*: expected 'south', as in row 6: a static.*past",
    ),
    "static number": (
        changed(2, "size", 9.0),
        r"size, row 2 \(series 'a'\): expected 1.5, as in row 0.*received 9",
    ),
    "infinite": (
        changed(3, "rain", np.inf),
        r"rain, row 3 \(series 'a'\): expected a finite number, received inf",
    ),
    "mixed": (changed(3, "kind", 7), "kind: expected numbers, booleans or text"),
    "word": (
        changed(3, "rain", "warm"),
        r"rain, row 3 \(series 'a'\): expected numbers, received 'warm' in 1 row. Correct them, or read them as "
        r"missing: df\[.rain.\] = pd.to_numeric\(df\[.rain.\].replace\(\['warm'\], None\)\)",
    ),
    "dates": (long().assign(kind=long()["ds"]), "kind: expected numbers, booleans or text"),
    "no column": (long().drop(columns="promo"), "expected a column 'promo'.*future_covariates"),
}


@pytest.mark.parametrize("name", WRONG)
def test_wrong_columns(name):
    df, message = WRONG[name]
    rejected(DataError, message, read, df)


def test_missing_values():
    df = long().astype({"promo": object, "region": object, "kind": object, "rain": float})
    df.loc[1, ["promo", "kind", "region"]] = None
    df.loc[2, "rain"] = None
    frame = read(df)
    assert np.isnan(frame.source.values[1, 2:]).all()
    assert np.isnan(frame.source.values[2, 1])
    assert frame.static[0].tolist() == [0, 1.5]
    rejected(DataError, r"rain, row 2 \(series 'a'\).*missing='fill'", read, df, missing="raise")
    with pytest.raises(
        DataError, match=r"promo, row 1 \(series 'a'\): expected a value, received none"
    ):
        read(df.assign(rain=1.0), missing="raise")


@pytest.mark.parametrize("dtype", [object, "boolean", "polars"])
def test_booleans_that_are_missing(dtype):
    df = long().assign(
        promo=pd.Series([True, None, False] * 4, dtype=object if dtype == "polars" else dtype)
    )
    frame = read(pl.from_pandas(df) if dtype == "polars" else df)
    assert frame.kinds[1] == ColumnType("flag")
    np.testing.assert_array_equal(frame.source.values[:3, 2], [1, np.nan, 0])


def learned():
    kinds = (ColumnType("number"), ColumnType("flag"), ColumnType("category", ("x", "y", "z")))
    values = np.array([[1.0, 1.0, 0.0], [5.0, 0.0, 2.0], [np.nan, np.nan, np.nan]])
    return ColumnEncoder.of(ColumnStatistics.of(("n", "f", "c"), kinds, values)), kinds, values


def test_encoding_against_hand():
    encoding, kinds, values = learned()
    assert encoding.features == ("n", "f", "c=x", "c=z", "c=other")
    made = encoding.encode(encoding.align(values, kinds))
    np.testing.assert_allclose(made[:2], [[-1, 1, 1, 0, 0], [1, 0, 0, 1, 0]])
    assert np.isnan(made[2]).all()
    filled = encoding.encode(encoding.filled(encoding.align(values, kinds)))
    np.testing.assert_allclose(filled[2], [0, 0, 0, 0, 1])


def test_categories_are_matched_by_label():
    encoding, _, _ = learned()
    other = (ColumnType("number"), ColumnType("flag"), ColumnType("category", ("q", "z")))
    aligned = encoding.align(np.array([[3.0, 1.0, 0.0], [3.0, 1.0, 1.0]]), other)
    np.testing.assert_allclose(encoding.encode(aligned)[:, 2:], [[0, 0, 1], [0, 1, 0]])
    with pytest.raises(
        DataError, match="c: expected text or categories, as at fit, received numbers"
    ):
        encoding.align(
            np.ones((1, 3)), (ColumnType("number"), ColumnType("flag"), ColumnType("number"))
        )


def test_too_many_categories():
    count = MOST_CATEGORIES + 1
    kinds = (ColumnType("category", tuple(f"c{i:04d}" for i in range(count))),)
    with pytest.raises(
        DataError, match="shop: expected at most 100 categories, received 101, a category for every"
    ):
        ColumnEncoder.of(
            ColumnStatistics.of(("shop",), kinds, np.arange(count, dtype=float)[:, None])
        )
