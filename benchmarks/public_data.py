"""The public data sets: files whose content is the published one, and their series.

A program names the folder; `SOURCES.md` there says where each file is from. Sources: Zhou et al.
2021 (ETT); Makridakis et al. 2020, The M4 competition; Ben Taieb et al. 2012 (NN5); Athanasopoulos
et al. 2011, The tourism forecasting competition.
"""

import hashlib
import json
from pathlib import Path

import numpy as np
import pandas as pd

Series = dict[str, np.ndarray]
SHIPPED = Path(__file__).resolve().parents[1] / "src" / "seqcast" / "data" / "samples"
SHA256 = {
    "ETT-small/ETTh1.csv": "f18de3ad269cef59bb07b5438d79bb3042d3be49bdeecf01c1cd6d29695ee066",
    "ETT-small/ETTh2.csv": "a3dc2c597b9218c7ce1cd55eb77b283fd459a1d09d753063f944967dd6b9218b",
    "ETT-small/ETTm1.csv.gz": "73c18304514c26a5cddba02e6538513a0e23b2fbb59752535adbf541c9edc672",
    "ETT-small/ETTm2.csv.gz": "5122051efae7be24b40bedc80ee445bd18298552b940084f0dbe329c5157110a",
    "bitcoin/bitcoin_price.csv": "3085ff0965a8784279466381b2ab23736c401fdd182918d36da57a19eb51e3c0",
    "classics/AirPassengers.csv": "5f8b316b84545d9cfb05612298df8415ce4c44421c7012d109465564b07ebc06",
    "classics/ausbeer.csv": "52e08974f8459ff2860d516ba6e507eb6e8fe967d4339368013c37d7a95e599b",
    "classics/monthly-sunspots.csv": "4b91dd8e13bdf6a95c3034c71ceca0152269986c6a91706c6eaf50c1d50081c8",
    "classics/taxi_new_york_passengers.csv": "cac434404cfaaf7809c50e2160ebeda9f39bb383854e62914f46748dc7f7569c",
    "expsmooth/carparts.csv.gz": "f137688e503c46c0bb55dee4601fa6478ce9d45c61457945d31cdd151adfb3b3",
    "m4/Hourly-train.csv": "ea59b7783573c49077a835ab6465c7d66f1474783360f310988a9a737fbca62f",
    "m4/Hourly-test.csv": "71a57fccb15e534d973626ada4fb87febf789e9317715b7cc6dd3b5f90db6f42",
    "nn5/nn5.csv.gz": "796b25cbb7d2a668af473b813897026aa0078299ba466d6c2e2cfe4a7b564de0",
    "tourism_m3/m3_data.json": "8244026f84af16bbbbfeab226d6c3571882ba3a313b990c1b7985351f2e3f0fd",
    "tourism_m3/tcomp_data.json": "5f1404d70c5e3b6c1d4bc34c72c938f2a304204f76673f7c0f122934d4c919a2",
    "uci_air_quality/AirQualityUCI.csv": "5d04e790353ece1e263ad4251c6c285c076cbc55aaa0cb70e06214e1a265ec15",
    "vic_elec/vic_elec.csv.gz": "ff1ea13afc7290ab35acef8e8c49dba18c417482da07186290685f129f464cc0",
}
# Single series that everybody knows: file (in the package if it has no folder), column, horizon,
# season and step.
CLASSICS = {
    "air_passengers": ("classics/AirPassengers.csv", "#Passengers", 12, 12, "MS"),
    "ausbeer": ("classics/ausbeer.csv", "Y", 8, 4, "QS"),
    "elnino": ("elnino.csv", "y", 12, 12, "MS"),
    "co2": ("co2.csv", "y", 52, 52, "W-SAT"),
    "lynx": ("lynx.csv", "y", 8, 1, "YS"),
    "sunspots": ("sunspots.csv", "y", 10, 1, "YS"),
    "sunspots_monthly": ("classics/monthly-sunspots.csv", "Sunspots", 12, 12, "MS"),
}
# Rows of ETT at which training, validation and test rows end, and the context of its published
# comparisons.
ETT_TRAIN = 8640
ETT_VALIDATION = 11520
ETT_TEST = 14400
ETT_CONTEXT = 96


def checked(folder, name):
    """Return the path of a file whose content is the published one."""
    path = folder / name
    if not path.is_file():
        raise SystemExit(f"there is no {path}")
    if hashlib.sha256(path.read_bytes()).hexdigest() != SHA256[name]:
        raise SystemExit(
            f"{path} is not the file that published results were made on: its sha256 differs"
        )
    return path


def columns(frame):
    """Return the columns of a table as series."""
    return {str(name): frame[name].to_numpy(dtype=float) for name in frame}


def read_competition(folder, name, period):
    """Return the series of a period of a competition, training and test values.

    Args:
        folder: Folder of the public data sets.
        name: `tcomp` (tourism) or `m3`.
        period: `MONTHLY`, `QUARTERLY` or `YEARLY`.
    """
    found = json.loads(checked(folder, f"tourism_m3/{name}_data.json").read_text())
    own = {key: series for key, series in found.items() if series["period"][0] == period}
    return {
        key: np.array([*series["x"], *series["xx"]], dtype=float) for key, series in own.items()
    }


def read_m4_hourly(folder):
    """Return the hourly series of M4, training and test values."""
    train, test = (
        pd.read_csv(checked(folder, f"m4/Hourly-{part}.csv"), index_col=0)
        for part in ("train", "test")
    )
    known = {str(name): row.dropna().to_numpy(dtype=float) for name, row in train.iterrows()}
    return {
        name: np.concatenate([values, test.loc[name].to_numpy(dtype=float)])
        for name, values in known.items()
    }


def read_nn5(folder, *, filled=False):
    """Return daily withdrawals from cash machines, a column each, by their days.

    Args:
        folder: Folder of the public data sets.
        filled: Whether missing values and zeros are the median of the same weekday.
    """
    wide = pd.read_csv(checked(folder, "nn5/nn5.csv.gz"), parse_dates=["ds"]).set_index("ds")
    if filled:
        wide = wide.mask(wide.isna() | (wide == 0))
        for day in range(7):
            own = wide.index.day_of_week == day
            wide.loc[own] = wide.loc[own].fillna(wide.loc[own].median())
    return wide


def read_vic_elec(folder):
    """Return the half-hourly demand of Victoria, with temperature and holidays, on Melbourne's clock."""
    rows = pd.read_csv(checked(folder, "vic_elec/vic_elec.csv.gz"))
    stamps = pd.to_datetime(rows["Time"], utc=True).dt.tz_convert("Australia/Melbourne")
    columns = {"unique_id": "vic_elec", "ds": stamps, "y": rows["Demand"]}
    return pd.DataFrame(
        {**columns, "temperature": rows["Temperature"], "holiday": rows["Holiday"].astype(bool)}
    )


def read_ett(folder, name):
    """Return the seven columns of ETTh1 or ETTh2 as a long frame of standardised series, rows 0 to 14,400.

    Mean and deviation are those of the training rows. Published comparisons use no later rows.
    """
    rows = pd.read_csv(checked(folder, f"ETT-small/{name}.csv"), parse_dates=["date"]).iloc[
        :ETT_TEST
    ]
    values = rows.drop(columns="date")
    train = values.iloc[:ETT_TRAIN]
    scaled = (values - train.mean()) / train.std(ddof=0)
    return scaled.assign(ds=rows["date"]).melt("ds", var_name="unique_id", value_name="y")


def read_ett_columns(folder, files):
    """Return the columns of both transformers.

    Args:
        folder: Folder of the public data sets.
        files: Their files, with braces for the number of the transformer.
    """
    both = [
        pd.read_csv(checked(folder, files.format(number))).drop(columns="date") for number in (1, 2)
    ]
    return [values for rows in both for values in columns(rows).values()]


def read_classic(folder, name):
    """Return the values of one of `CLASSICS`."""
    file, column, *_ = CLASSICS[name]
    path = checked(folder, file) if "/" in file else SHIPPED / file
    return pd.read_csv(path)[column].to_numpy(dtype=float)


def stepped(series):
    """Return series as a long frame whose stamps are whole numbers; all end at step 1,000."""
    parts = [
        pd.DataFrame({"unique_id": name, "ds": np.arange(1001 - len(values), 1001), "y": values})
        for name, values in series.items()
    ]
    return pd.concat(parts, ignore_index=True)


def before(frame, rows):
    """Leave the last stamps out; all series end together."""
    return frame[frame["ds"] < frame["ds"].drop_duplicates().sort_values().iloc[-rows]]
