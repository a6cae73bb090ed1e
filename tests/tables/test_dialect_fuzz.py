"""Tables in random dialects, written by three libraries, are read back equal, or rejected.

Sixty are written here; `make fuzz` writes five thousand.
"""

import csv
import gzip
import io
import os

import numpy as np
import pandas as pd
import polars as pl
import pytest

from seqcast.data.frames.frame_reader import read_frame
from seqcast.errors import SeqcastError
from seqcast.specs.columns import Columns
from seqcast.tables.dialect import Dialect
from seqcast.tables.open_table import read_table

COUNT = int(os.environ.get("SEQCAST_FUZZ_DIALECTS", "60"))
STAMPS = (
    "%Y-%m-%d",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d-%b-%Y",
    "%Y-%m-%d %H:%M",
    "%b %d, %Y",
)
NAMES = (
    "a",
    "Köln",
    "001",
    "NA",
    "x;y",
    "b, c",
    'say "so"',
    "12,5",
    "1.5",
    "|",
    "ünï",
    "2024-01-01",
)


def table(rng):
    """Return the true rows: names, days, values."""
    series = rng.choice(len(NAMES), size=rng.integers(1, 4), replace=False)
    rows = int(rng.integers(14, 40))
    digits = int(rng.integers(0, 5))
    magnitude = 10.0 ** rng.integers(-2, 7)
    tables = []
    for place in sorted(series):
        values = np.round(magnitude * rng.normal(size=rows), digits)
        values[rng.random(rows) < 0.05] = np.nan
        values[0] = values[-1] = np.round(magnitude, digits)
        days = pd.date_range("2024-01-03", periods=rows)
        tables.append(
            pd.DataFrame(
                {"unique_id": NAMES[place], "ds": days, "y": values, "price": values[::-1]}
            )
        )
    return pd.concat(tables, ignore_index=True), digits


def spoken(value, decimal, thousands, digits):
    if np.isnan(value):
        return ""
    text = f"{value:,.{digits}f}" if thousands else f"{value:.{digits}f}"
    return text.translate({ord(","): thousands, ord("."): decimal})


def write(rng, rows, sep, writer):
    """Return the text of rows of strings."""
    if writer == "pandas":
        quoting = csv.QUOTE_ALL if rng.random() < 0.3 else csv.QUOTE_MINIMAL
        return rows.to_csv(index=False, sep=sep, quoting=quoting)
    if writer == "polars":
        style = "always" if rng.random() < 0.3 else "necessary"
        return pl.from_pandas(rows).write_csv(separator=sep, quote_style=style)
    buffer = io.StringIO()
    own = csv.writer(buffer, delimiter=sep, lineterminator=str(rng.choice(["\n", "\r\n"])))
    own.writerow(rows.columns)
    own.writerows(rows.itertuples(index=False))
    return buffer.getvalue()


def write_file(rng, folder):
    """Write a table in a random dialect; return its path, the true rows, and the dialect."""
    true, digits = table(rng)
    sep = str(rng.choice([",", ";", "\t", "|"]))
    decimal = str(rng.choice([".", ","]))
    marks = [mark for mark in ("", "", " ", "'", ",", ".") if mark != decimal]
    thousands = str(rng.choice(marks))
    stamp = str(rng.choice(STAMPS))
    encoding = str(rng.choice(["utf-8", "utf-8-sig", "utf-16", "cp1252"]))
    writer = str(rng.choice(["pandas", "polars", "csv"]))
    numbers = {
        name: [spoken(value, decimal, thousands, digits) for value in true[name]]
        for name in ("y", "price")
    }
    text = write(rng, true.assign(ds=true["ds"].dt.strftime(stamp), **numbers), sep, writer)
    packed = rng.random() < 0.2
    path = folder / ("table.csv.gz" if packed else "table.csv")
    data = text.encode(encoding)
    path.write_bytes(gzip.compress(data) if packed else data)
    dialect = {
        "sep": sep,
        "decimal": decimal,
        "thousands": thousands or None,
        "day_first": stamp.startswith("%d"),
    }
    return path, true, dialect, digits


@pytest.mark.parametrize("seed", range(COUNT))
def test_what_was_written_is_read_or_rejected(seed, tmp_path):
    rng = np.random.default_rng(seed)
    path, true, dialect, digits = write_file(rng, tmp_path)
    # All of it given, some of it, or nothing.
    given = {name: value for name, value in dialect.items() if rng.random() < (seed % 3) / 2}
    if dialect["sep"] == "," and dialect["thousands"] == "." and not digits:
        given["decimal"] = dialect[
            "decimal"
        ]  # between commas a point is the decimal mark, unless something says otherwise
    try:
        frame = read_table(path, Columns(), dialect=Dialect(**given)).frame
        series = read_frame(frame, missing="fill")
    except SeqcastError:
        # Numbers or days that nothing tells apart; with all of it given there are none.
        assert seed % 3 < 2
        return
    expected = true.sort_values(["unique_id", "ds"], kind="stable")
    assert series.source.ids == tuple(sorted(set(true["unique_id"])))
    assert (series.stamps.normalize() == pd.DatetimeIndex(expected["ds"])).all()
    np.testing.assert_allclose(series.targets[:, 0], expected["y"].to_numpy(), rtol=1e-15)
    price = frame.sort_values(["unique_id", "ds"], kind="stable")["price"].to_numpy(dtype=float)
    np.testing.assert_allclose(price, expected["price"].to_numpy(), rtol=1e-15)


def test_nearly_all_is_read_without_options(tmp_path):
    """What is rejected has numbers with three digits behind their only mark."""
    errors = []
    for seed in range(COUNT):
        path, _, _, digits = write_file(np.random.default_rng([1, seed]), tmp_path)
        try:
            read_frame(read_table(path, Columns()).frame, missing="fill")
        except SeqcastError as error:
            errors.append((digits, str(error)))
    print(f"{COUNT - len(errors)} of {COUNT} tables are read without an option")
    assert len(errors) < 0.1 * COUNT
    assert all(digits in (0, 3) and "read in one way" in error for digits, error in errors)
