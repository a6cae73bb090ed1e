"""`seqcast partition`, as a stranger uses it."""

import functools
import json

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
    assert write("sales.csv", "-o", "sales", *NAMES) == (0, "Wrote sales: 2 files, 2 series, 4 rows\n", "")
    found = pd.read_parquet("sales")
    assert found["shop"].tolist() == ["a", "a", "b", "b"]
    assert found["sold"].tolist() == [1, 3, 2, 0]
    _, out, _ = write("sales", "-o", "again", *NAMES, "--files", 1, "--memory-limit", "500 MB", "--json")
    counts = {"files": 1, "series": 2, "rows": 4}
    assert json.loads(out) == {"folder": "again", **counts, "columns": ["shop", "day", "sold"]}
    assert write("again/*.parquet", "-o", "third", *NAMES, "--files", 1)[1] == "Wrote third: 1 file, 2 series, 4 rows\n"


def test_errors_name_the_options(write):
    assert write("sales.csv", "-o", "sales", "--id", "shops", "--time", "day")[2] == (
        "Error: sales.csv: expected a column 'shops', received the columns 'shop', 'day', 'sold'. Did you mean 'shop'? "
        "Name yours with --id. "
    )
    assert write("sales.csv", "-o", "sales", *NAMES)[0] == 0
    _, _, err = write("sales.csv", "-o", "sales", *NAMES)
    assert err.endswith("received one that holds files. Choose another; --force replaces it. ")
    assert write("sales.csv", "-o", "sales", *NAMES, "--force", "--files", "1")[0] == 0
    assert "--memory-limit: expected a size" in write("sales.csv", "-o", "more", *NAMES, "--memory-limit", "x")[2]
    assert "as in --memory-limit '4 GB'." in write("sales.csv", "-o", "more", *NAMES, "--memory-limit", "1kB")[2]
    pd.read_csv("sales.csv").assign(day="31.01.2024").to_csv("days.csv", index=False)
    assert "with --time-format %d.%m.%Y, or" in write("days.csv", "-o", "more", *NAMES)[2]
    assert "received 2 rows with the time" in write("days.csv", "-o", "more", *NAMES, "--time-format", "%d.%m.%Y")[2]
