"""Ids and time stamps as people write them: dates in whole numbers, narrow types, zones, names as they are."""

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.data.frames.schema import FrameSchema
from seqcast.errors import AmbiguityError, DataError
from seqcast.runtime.payload import from_payload, to_payload
from seqcast.specs.columns import Columns, Covariates
from tests.rejections import rejected


def long(ds, **columns):
    return pd.DataFrame(
        {"unique_id": "a", "ds": ds, "y": np.arange(len(ds), dtype=float), **columns}
    )


def ahead(frame, steps=3):
    """Return the stamps of the next steps as a frame would write them."""
    stamps = frame.frequency.following(frame.last_stamps[:1], steps)
    built = frame.schema.build(np.array(["a"] * steps, dtype=object), {"ds": stamps}, {})
    return built["ds"]


# ---------------------------------------------------------------- whole numbers


def test_whole_numbers_are_numbers_where_the_format_or_the_step_says_so():
    ds = np.array([20240131, 20240201, 20240202, 20240203])
    for columns, freq in ((Columns(ds_format="integer"), None), (Columns(), 1)):
        frame = read_frame(long(ds), columns, freq=freq, missing="fill")
        assert frame.frequency.name == 1
        assert frame.stamps.dtype.kind == "i"


EITHER = r"ds_format='(%Y%m%d|unix_s)'.*ds_format='integer'"
LARGE = r"row 0 \(series 'a'\): expected whole numbers up to 2 \*\* 62"
AMBIGUOUS = [
    ([20240130, 20240131, 20240132, 20240201], EITHER),
    (1_700_000_000 + np.arange(10), EITHER),
    ([2**62 + 1, 2**62 + 2, 2**62 + 3], LARGE),
    (np.array([2**63 + 1, 2**63 + 2], dtype=np.uint64), LARGE),
]


@pytest.mark.parametrize(("ds", "message"), AMBIGUOUS)
def test_numbers_that_may_be_either_or_leave_no_room_ahead_are_rejected(ds, message):
    rejected(DataError, message, read_frame, long(np.array(ds)))


def test_seconds_or_mere_numbers_are_a_question_which_each_answer_settles():
    df = long(1_700_000_000 + np.arange(10))
    with pytest.raises(AmbiguityError, match=EITHER) as caught:
        read_frame(df)
    formats = [answer.value for answer in caught.value.answers]
    assert [answer.name for answer in caught.value.answers] == ["columns.ds_format"] * 2
    kinds = [read_frame(df, Columns(ds_format=each)).stamps.dtype.kind for each in formats]
    assert (formats, kinds) == (["unix_s", "integer"], ["M", "i"])


@pytest.mark.parametrize("library", ["pandas", "polars"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16"])
def test_steps_ahead_leave_a_narrow_type_and_do_not_wrap(library, dtype):
    last = np.iinfo(dtype).max
    df = long(np.arange(last - 20, last + 1).astype(dtype))
    frame = read_frame(df if library == "pandas" else pl.from_pandas(df))
    assert ahead(frame).to_list() == [last + 1, last + 2, last + 3]
    assert (
        str(
            read_frame(df.iloc[:5])
            .schema.build(np.array(["a"]), {"ds": pd.Index([3])}, {})["ds"]
            .dtype
        )
        == dtype
    )


def test_text_is_read_in_the_format_that_is_given():
    ds = pd.date_range("2024-01-30", periods=5, freq="D").strftime("%d.%m.%Y")
    frame = read_frame(long(ds), Columns(ds_format="%d.%m.%Y"))
    assert ahead(frame).to_list() == ["04.02.2024", "05.02.2024", "06.02.2024"]
    with pytest.raises(
        DataError,
        match=r"ds, row 2 \(series 'a'\): expected a stamp in the format %d.%m.%Y, received",
    ):
        read_frame(long([*ds[:2], "2024-02-01"]), Columns(ds_format="%d.%m.%Y"))
    rejected(DataError, r"Convert it: df\[.ds.\] = pd.to_datetime", read_frame, long(ds))


# ---------------------------------------------------------------- zones

AUTUMN = pd.date_range("2024-10-26 22:00", periods=12, freq="h", tz="UTC").tz_convert(
    "Europe/Berlin"
)
SPRING = pd.date_range("2024-03-30 20:00", periods=12, freq="h", tz="UTC").tz_convert(
    "Europe/Berlin"
)


@pytest.mark.parametrize("stamps", [AUTUMN, SPRING])
@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_times_of_a_clock_become_times_of_its_zone(stamps, library):
    df = pd.concat([long(stamps.tz_localize(None)).assign(unique_id=name) for name in "ab"])
    df = df if library == "pandas" else pl.from_pandas(df)
    frame = read_frame(df, Columns(tz="Europe/Berlin"))
    assert (frame.stamps == stamps.append(stamps)).all()
    assert frame.frequency.name == "h"
    assert [str(stamp) for stamp in ahead(frame, 1)] == [str(stamps[-1] + pd.Timedelta("1h"))]


def test_hours_that_clocks_show_twice_or_skip_are_named():
    with pytest.raises(
        DataError,
        match=r"clocks show twice.*Give the time zone, such as columns=Columns\(tz=.Europe",
    ):
        read_frame(long(AUTUMN.tz_localize(None)))
    # A duplicate in another night is one.
    with pytest.raises(DataError, match=r"received the duplicate 2024-10-26 01:00:00\. Take one"):
        read_frame(
            long(pd.DatetimeIndex(["2024-10-26 00:00", "2024-10-26 01:00", "2024-10-26 01:00"]))
        )
    wrong = pd.date_range("2024-03-31", periods=5, freq="h")
    with pytest.raises(
        DataError,
        match=r"ds, row 2 \(series 'a'\): expected a time that clocks of Europe/Berlin show",
    ):
        read_frame(long(wrong), Columns(tz="Europe/Berlin"))


def test_counts_since_1970_are_instants_of_a_zone():
    counts = pd.date_range("2024-06-30 22:00", periods=5, freq="h").as_unit("s").asi8
    frame = read_frame(long(counts), Columns(tz="Europe/Berlin"))
    assert frame.stamps[0] == pd.Timestamp("2024-07-01", tz="Europe/Berlin")
    assert ahead(frame, 2).tolist() == [counts[-1] + 3600, counts[-1] + 7200]


# ---------------------------------------------------------------- ids


@pytest.mark.parametrize("as_frame", [lambda df: df, pa.Table.from_pandas], ids=["pandas", "arrow"])
@pytest.mark.parametrize(
    "values", [[2.5, 1.5], [True, False], [*pd.date_range("2024", periods=2)], [b"b", b"a"]]
)
def test_categories_are_ids_where_their_values_are(as_frame, values):
    plain = long(range(8)).assign(
        unique_id=pd.Series(values).repeat(4).to_numpy(), ds=[*range(4)] * 2
    )
    for df in (plain, plain.astype({"unique_id": "category"})):
        with pytest.raises(
            DataError, match="unique_id: expected text or whole numbers, received type "
        ):
            read_frame(as_frame(df))


def arrow_categories(df):
    """Return a frame of pandas whose ids are a dictionary of Arrow."""
    table = pa.Table.from_pandas(df.astype({"unique_id": "category"}))
    return table.to_pandas(types_mapper=pd.ArrowDtype)


@pytest.mark.parametrize("values", [["b", "a"], [2, 1]], ids=["text", "whole"])
def test_ids_of_a_dictionary_of_arrow_are_its_values(values):
    df = long(range(8)).assign(unique_id=np.repeat(values, 4), ds=[*range(4)] * 2)
    assert read_frame(arrow_categories(df)).source.ids == tuple(sorted(values))


def test_dictionaries_of_arrow_may_hold_missing_values_and_duplicates():
    def table(*values):
        ids = pa.DictionaryArray.from_arrays(
            pa.array([1] * 4 + [0] * 4, pa.int8()), pa.array(values)
        )
        return pa.table({"unique_id": ids, "ds": [*range(8)], "y": np.arange(8.0)})

    assert read_frame(table("b", "b")).source.ids == ("b",)
    rejected(
        DataError,
        "unique_id, row 4: expected a series' name, received none",
        read_frame,
        table(None, "b"),
    )


@pytest.mark.parametrize("kind", ["uint64", "category"])
@pytest.mark.parametrize("convert", [lambda frame: frame, pl.from_pandas], ids=["pandas", "polars"])
def test_whole_numbers_beyond_64_bits_with_a_sign_are_no_ids(convert, kind):
    frame = (
        long(range(5))
        .assign(unique_id=np.array([3, 3, 3, 3, 2**63], dtype=np.uint64))
        .astype({"unique_id": kind})
    )
    rejected(
        DataError,
        "row 4: expected text, or whole numbers below 2 .* 63, received 9223372036854775808",
        read_frame,
        convert(frame),
    )


@pytest.mark.parametrize("column", ["unique_id", "ds"])
def test_whole_numbers_of_128_bits_are_keys_where_they_fit(column):
    values = [*range(5)] if column == "ds" else [7] * 5
    small = pl.from_pandas(long(range(5))).with_columns(pl.Series(column, values, dtype=pl.Int128))
    assert read_frame(small).source.ids == (("a",) if column == "ds" else (7,))
    large = small.with_columns(pl.col(column) + 10**30)
    rejected(
        DataError,
        f"{column}, row 0.*: expected .*whole numbers .* 2 .* 6.*, received 10000",
        read_frame,
        large,
    )


def test_names_of_a_polars_enum_come_back_as_one():
    kind = pl.Enum(["b", "a", "never"])
    df = pl.DataFrame(
        {
            "unique_id": pl.Series(["a", "b"] * 4).cast(kind),
            "ds": np.arange(8) // 2,
            "y": np.arange(8.0),
        }
    )
    schema = from_payload(FrameSchema, *to_payload(read_frame(df).schema))
    built = schema.build(np.array(["b", "a"], dtype=object), {"ds": pd.Index([4, 4])}, {})
    assert built["unique_id"].dtype == kind
    other = schema.build(np.array(["b", "new"], dtype=object), {"ds": pd.Index([4, 4])}, {})
    assert other["unique_id"].to_list() == ["b", "new"]


# ---------------------------------------------------------------- bad series


DAYS = pd.date_range("2024-01-01", periods=12, freq="D")
PANEL = pd.concat(
    [long(DAYS).assign(unique_id=name, g=1.0) for name in "abcdef"], ignore_index=True
)


def test_series_with_something_wrong_are_left_out_and_named():
    df = PANEL.copy()
    df.loc[3, "y"] = np.inf  # a
    df.loc[12 + 5, "ds"] = df.loc[12 + 4, "ds"]  # b, a duplicate
    df.loc[24 + 7, "ds"] += pd.Timedelta("5h")  # c, off the grid
    df.loc[36 + 1, "g"] = 2.0  # d, a static covariate that changes
    df.loc[48 + 2, "ds"] = pd.NaT  # e
    options = {"freq": "D", "missing": "fill", "covariates": Covariates(static=["g"])}
    with pytest.raises(DataError):
        read_frame(df, **options)
    frame = read_frame(df, on_bad_series="skip", **options)
    assert frame.source.ids == ("f",)
    # Each is named by its row in the frame that was given.
    rows = {name: (error.column, error.row) for name, error in frame.skipped.items()}
    assert rows == {
        "a": ("y", 3),
        "b": ("ds", 17),
        "c": ("ds", 31),
        "d": ("g", 37),
        "e": ("ds", 50),
    }
    assert all(error.series == name for name, error in frame.skipped.items())
    assert frame.rows.tolist() == list(range(60, 72))


def test_a_frame_without_a_good_series_is_rejected():
    rejected(
        DataError,
        "expected a finite number",
        read_frame,
        PANEL.assign(y=np.inf),
        on_bad_series="skip",
    )
    rejected(
        DataError,
        "expected a column 'sales'",
        read_frame,
        PANEL,
        Columns(y="sales"),
        on_bad_series="skip",
    )
