"""Every example runs and draws, with stand-ins for the data that do not ship: files of the same form, made up here."""

import importlib.util
import re
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from tests.rejections import rejected

FOLDER = Path(__file__).parent.parent / "examples"
SCRIPTS = {path.stem: path for path in sorted(FOLDER.glob("*.py"))}
PICTURES = {
    "inside_demand": {"nearest_weeks", "sensitivity", "states"},
    "electricity_demand": {"calibration", "error_by_step", "last_week", "residuals"},
    "page_views": {"backtest", "calibration", "error_by_step", "forecast"},
    "prices": {"backtest", "calibration", "error_by_step", "forecast"},
    "several_signals": {"backtest", "error_by_step", "forecast"},
    "store_panel": {"calibration", "error_by_step", "error_by_store", "forecast"},
}


def load(name):
    specification = importlib.util.spec_from_file_location(f"example_{name}", SCRIPTS[name])
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


def demand(path):
    stamps = pd.date_range("2014-09-01", periods=61 * 48, freq="30min", tz="UTC")
    local = stamps.tz_convert("Australia/Melbourne")
    temperature = 18 + 8 * np.sin(2 * np.pi * (local.hour - 9) / 24)
    columns = {
        "Time": stamps.tz_localize(None),
        "Demand": (4500 + 40 * temperature - 600 * (local.day_of_week > 4)).to_numpy().round(6),
        "Temperature": temperature,
        "Date": local.date,
        "Holiday": local.date == pd.Timestamp("2014-11-04").date(),
    }
    pd.DataFrame(columns).to_csv(path, index=False)


def views(path):
    stamps = pd.date_range("2013-01-01", periods=700)
    frame = pd.DataFrame(
        {"ds": stamps.astype(str), "y": 8 + np.cos(2 * np.pi * stamps.day_of_week / 7)}
    )
    frame.drop(index=[40, 300, 301, 650]).to_csv(path, index=False, quoting=2)


def daily_prices(path):
    stamps = pd.date_range("2016-01-01", periods=400)[::-1]
    close = (
        np.exp(np.cumsum(np.random.default_rng(0).normal(scale=0.03, size=len(stamps))))[::-1] * 400
    )
    days = stamps.strftime("%d-%b-%y")
    table = pd.DataFrame({"Date": days, "Open": close, "High": 1.02 * close, "Low": 0.97 * close})
    table.assign(Close=close, Volume="-", **{"Market Cap": 1.0}).to_csv(path, index=False)


def indicators(path):
    quarters = np.arange(203)
    columns = {
        "year": 1959.0 + quarters // 4,
        "quarter": 1.0 + quarters % 4,
        "realgdp": 2700 * 1.01**quarters,
        "realinv": 300 * 1.01**quarters * (1.2 + np.sin(quarters / 5)),
        "unemp": 6 + 2 * np.sin(quarters / 5 - 1),
        "tbilrate": 4 + np.cos(quarters / 9),
    }
    pd.DataFrame(columns).to_csv(path, index=False)


DATA = {
    "electricity_demand": demand,
    "inside_demand": demand,
    "page_views": views,
    "prices": daily_prices,
    "several_signals": indicators,
}


@pytest.mark.documents
@pytest.mark.filterwarnings(
    "ignore::seqcast.forecaster.candidates.last_season.FallbackWarning"
)  # hardly trained
@pytest.mark.parametrize("name", SCRIPTS)
def test_it_runs(name, tmp_path, capsys):
    module = load(name)
    folder = tmp_path / "deep" / "pictures"
    data = []
    if name in DATA:
        path = tmp_path / getattr(module, "FILE", "macro.csv")
        path.parent.mkdir(exist_ok=True)
        DATA[name](path)
        data = ["--data", str(tmp_path if hasattr(module, "FILE") else path)]
    module.main(["--quick", "--out", str(folder), *data])
    assert {path.name for path in folder.iterdir()} == {
        f"{picture}.png" for picture in PICTURES[name]
    }
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.iterdir())
    printed = capsys.readouterr().out
    told = (
        r"95 % of the influence" if name == "inside_demand" else r"^ *model +mae .*coverage_level80"
    )
    assert re.search(told, printed, flags=re.MULTILINE)
    assert "nan" not in printed.lower()  # naive forecasts have no intervals: their cells are empty


def test_what_is_missing_is_said(monkeypatch, tmp_path, capsys):
    monkeypatch.setitem(sys.modules, "statsmodels.datasets", None)
    rejected(SystemExit, "pip install statsmodels", load("several_signals").read, None)
    out = ["--out", str(tmp_path / "pictures")]
    for name in set(DATA) - {"several_signals"}:
        with pytest.raises(SystemExit):
            load(name).main(["--data", str(tmp_path), *out])
        assert f"there is no {tmp_path}" in capsys.readouterr().err
    assert not (tmp_path / "pictures").exists()


def test_each_script_is_short_says_how_to_run_it_and_is_listed():
    listed = (FOLDER / "README.md").read_text()
    assert set(SCRIPTS) == set(PICTURES)
    for name, path in SCRIPTS.items():
        text = path.read_text()
        assert len(text.splitlines()) < 130, name
        assert f"python examples/{name}.py" in text.split('"""')[1]
        assert f"({name}.py)" in listed
