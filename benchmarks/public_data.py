"""Reads the public data sets that benchmarks are run on, as long frames, from a folder that the user names.

The folder holds vic_elec/vic_elec.csv.gz (Time, Demand, Temperature, Date, Holiday), m4/Hourly-train.csv and
m4/Hourly-test.csv as the M4 competition published them, nn5/nn5.csv.gz (ds, a column a series, missing values left
out), tourism_m3/tcomp_data.json and tourism_m3/m3_data.json (series by name, with `x` and `xx`), and
ETT-small/ETTh1.csv (date and seven columns).
"""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd


def read_vic_elec(folder: Path) -> pd.DataFrame:
    """Return half-hourly demand with temperature and holidays, on Melbourne's clock."""
    table = pd.read_csv(folder / "vic_elec" / "vic_elec.csv.gz")
    stamps = pd.to_datetime(table["Time"], utc=True).dt.tz_convert("Australia/Melbourne")
    columns = {"unique_id": "vic_elec", "ds": stamps, "y": table["Demand"]}
    return pd.DataFrame({**columns, "temperature": table["Temperature"], "holiday": table["Holiday"].astype(bool)})


def read_m4_hourly(folder: Path) -> pd.DataFrame:
    """Return the hourly series of M4, training and test values together; all of them end at step 1000."""
    train, test = (pd.read_csv(folder / "m4" / f"Hourly-{part}.csv", index_col=0) for part in ("train", "test"))
    parts = []
    for name, row in train.iterrows():
        values = np.concatenate([row.dropna().to_numpy(), test.loc[name].to_numpy()])
        parts.append(pd.DataFrame({"unique_id": name, "ds": np.arange(1001 - len(values), 1001), "y": values}))
    return pd.concat(parts, ignore_index=True)


def read_nn5(folder: Path) -> pd.DataFrame:
    """Return the daily withdrawals from cash machines, missing values kept."""
    table = pd.read_csv(folder / "nn5" / "nn5.csv.gz", parse_dates=["ds"])
    return table.melt("ds", var_name="unique_id", value_name="y")


def read_competition(folder: Path, name: str, period: str) -> pd.DataFrame:
    """Return the series of a period of the tourism (`tcomp`) or M3 (`m3`) competition, training and test values.

    The files give no stamps: all series are laid to end together, at step 1000.

    Args:
        folder: Folder of all data.
        name: `tcomp` or `m3`.
        period: `MONTHLY`, `QUARTERLY`, `YEARLY`.
    """
    found = json.loads((folder / "tourism_m3" / f"{name}_data.json").read_text())
    parts = []
    for key, series in found.items():
        if series["period"][0] == period:
            values = np.array([*series["x"], *series["xx"]], dtype=float)
            parts.append(pd.DataFrame({"unique_id": key, "ds": np.arange(1001 - len(values), 1001), "y": values}))
    return pd.concat(parts, ignore_index=True)


def read_etth1(folder: Path) -> pd.DataFrame:
    """Return the seven columns of ETTh1 as series."""
    table = pd.read_csv(folder / "ETT-small" / "ETTh1.csv", parse_dates=["date"]).rename(columns={"date": "ds"})
    return table.melt("ds", var_name="unique_id", value_name="y")


def before(frame: pd.DataFrame, rows: int) -> pd.DataFrame:
    """Leave the last stamps out; all series end together."""
    return frame[frame["ds"] < frame["ds"].drop_duplicates().sort_values().iloc[-rows]]
