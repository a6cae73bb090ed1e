"""`seqcast describe` and `partition`, as a stranger uses them."""

import functools
import json
import re
import shlex

import numpy as np
import pandas as pd
import pytest


@pytest.fixture
def write(run):
    """Run the command beside a file."""
    rows = pd.DataFrame({"shop": ["b", "a", "b", "a"], "sold": range(4)})
    rows.insert(1, "day", ["2024-01-02", "2024-01-01", "2024-01-01", "2024-01-02"])
    rows.to_csv("sales.csv", index=False)
    return functools.partial(run, "partition")


NAMES = ("--id", "shop", "--time", "day")


def test_a_folder_is_written(write):
    assert write("sales.csv", "-o", "sales", *NAMES) == (
        0,
        "Wrote sales: 2 files, 2 series, 4 rows\n",
        "",
    )
    found = pd.read_parquet("sales")
    assert found["shop"].tolist() == ["a", "a", "b", "b"]
    assert found["sold"].tolist() == [1, 3, 2, 0]
    _, out, _ = write(
        "sales", "-o", "again", *NAMES, "--files", 1, "--memory-limit", "500 MB", "--json"
    )
    counts = {"files": 1, "series": 2, "rows": 4}
    assert json.loads(out) == {"folder": "again", **counts, "columns": ["shop", "day", "sold"]}
    assert (
        write("again/*.parquet", "-o", "third", *NAMES, "--files", 1)[1]
        == "Wrote third: 1 file, 2 series, 4 rows\n"
    )


def test_errors_name_the_options(write):
    assert write("sales.csv", "-o", "sales", "--id", "shops", "--time", "day")[2] == (
        "Error: sales.csv: expected a column 'shops', received the columns 'shop', 'day', 'sold'. Did you mean 'shop'? "
        "Name yours with --id shop. "
    )
    assert write("sales.csv", "-o", "sales", *NAMES)[0] == 0
    _, _, err = write("sales.csv", "-o", "sales", *NAMES)
    assert err.endswith("received one that holds files. Choose another; --force replaces it. ")
    assert write("sales.csv", "-o", "sales", *NAMES, "--force", "--files", "1")[0] == 0
    assert (
        "--memory-limit: expected a size"
        in write("sales.csv", "-o", "more", *NAMES, "--memory-limit", "x")[2]
    )
    assert (
        "as in --memory-limit '4 GB'."
        in write("sales.csv", "-o", "more", *NAMES, "--memory-limit", "1kB")[2]
    )
    pd.read_csv("sales.csv").assign(day="31.01.2024").to_csv("days.csv", index=False)
    assert "with --time-format %d.%m.%Y, or" in write("days.csv", "-o", "more", *NAMES)[2]
    assert (
        "received 2 rows with the time"
        in write("days.csv", "-o", "more", *NAMES, "--time-format", "%d.%m.%Y")[2]
    )


@pytest.fixture
def bad():
    """Write a file with a fault of each kind."""
    days = pd.date_range("2024-01-01", periods=40).strftime("%Y-%m-%d")
    y = (9 + np.random.default_rng(0).normal(size=40)).round(2)
    rows = pd.concat(
        [pd.DataFrame({"shop": shop, "day": days, "sold": y}) for shop in "abc"], ignore_index=True
    )
    rows = rows.astype({"sold": object})
    rows.loc[rows["shop"] == "c", "sold"] = 4
    rows.loc[[3, 8], "sold"] = "closed"
    rows.loc[[12, 13, 14], "sold"] = 99999
    rows.loc[[43, 48], "sold"] = "closed"
    rows.loc[[52, 53, 54], "sold"] = 99999
    rows = pd.concat([rows, rows.iloc[[100]]])
    rows.to_csv("bad.csv", index=False)


COLUMNS = ("--id", "shop", "--time", "day", "--value", "sold")
FAULTS = (
    "- bad.csv, column 'sold', row 5: expected numbers, received 'closed' in 4 rows. Correct them, or read them as "
    "missing: --missing-values closed. (4 rows: 5, 10, 45, 50)",
    "- bad.csv, column 'day', row 122 (series 'c'): expected a stamp after 2024-01-21 00:00:00 (row 102), received the "
    "duplicate 2024-01-21 00:00:00. Take one of the rows, or their sum: --on-duplicates first, last, mean or sum.",
    "- bad.csv, column 'sold', row 14 (series 'a'): expected values such as the others, from 4 to 10.49, received "
    "99999. If it means a missing value: --missing-values 99999. (6 rows: 14, 15, 16, 54, 55, ...)",
    "- bad.csv, column 'sold' (series 'c'): expected values that change, received one value in all rows. Forecasts "
    "repeat the value. Leave such series out if they are not in use.",
    "- bad.csv, column 'sold' (series 'b'): expected values of its own, received those of 'a' at the same times. Leave "
    "one out if it is there by mistake.",
)


def test_a_description_lists_all_faults_and_what_would_forecast(run, bad):
    code, out, err = run("describe", "bad.csv", *COLUMNS)
    assert (code, err) == (0, "Read bad.csv: rows sorted by time ")
    lines = out.splitlines()
    assert lines[0] == "3 series, 38 to 40 rows each, 116 in all"
    assert lines[lines.index("A fit would take") :][1:5] == [
        "horizon     7",
        "effort      quick",
        "candidates  the last season; the pretrained network",
        "time        about 5 seconds",
    ]
    assert lines[-len(FAULTS) :] == list(FAULTS)
    facts = json.loads(run("describe", "bad.csv", *COLUMNS, "-H", 5, "--json")[1])
    assert len(facts["faults"]) == len(FAULTS)
    assert (facts["fit"]["horizon"], facts["fit"]["time"]) == (5, "about 5 seconds")


def test_the_options_that_it_names_settle_the_faults(run, bad):
    _, out, _ = run("describe", "bad.csv", *COLUMNS)
    missing = ",".join(
        shlex.split(each)[0] for each in re.findall(r"--missing-values (\S+)\. ", out)
    )
    settled = ["--missing-values", missing, *re.findall("--on-duplicates first", out)]
    options = shlex.split(" ".join(settled))
    code, again, err = run("describe", "bad.csv", *COLUMNS, *options)
    assert (code, err) == (
        0,
        "Read bad.csv: 'closed', '99999' for missing values, rows sorted by time ",
    )
    assert [line for line in again.splitlines() if line.startswith("- ")] == list(FAULTS[-2:])
    code, out, err = run("forecast", "bad.csv", "-H", 3, *COLUMNS, *options)
    assert code == 0, err
    assert "Perhaps not meant" not in err
    without = (*COLUMNS, "--missing-values", "closed", "--on-duplicates", "first")
    _, _, err = run("forecast", "bad.csv", "-H", 3, *without)
    assert f"Perhaps not meant: {FAULTS[2].removeprefix('- ')}" in err
    assert len(out.splitlines()) == 10


def test_faults_of_a_wide_table_are_in_its_own_columns(run, tmp_path):
    days = pd.date_range("2024-01-01", periods=40)
    rows = pd.DataFrame({"ds": days, "north": np.arange(40) % 7, "south": np.arange(40) % 7})
    rows.loc[12, "south"] = 99999
    rows.assign(west=rows["north"]).to_csv("wide.csv", index=False)
    _, out, _ = run("describe", "wide.csv", "--layout", "wide")
    assert (
        "wide.csv, column 'south', row 14: expected values such as the others, from 0 to 6, received 99999."
        in out
    )
    assert "wide.csv, column 'west': expected values of its own, received those of 'north'" in out
