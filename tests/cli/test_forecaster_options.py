"""Options that make a forecaster: the commands that train have them all, and each reaches the forecaster."""

from dataclasses import fields

import pytest
import typer.main

from seqcast.cli.forecaster_options import ForecasterOptions, parse_levels
from seqcast.cli.main import app
from seqcast.errors import SpecError
from seqcast.forecaster.estimator import Forecaster
from seqcast.specs.columns import Columns
from seqcast.specs.network import NetworkSpec

NAMES = [field.name for field in fields(ForecasterOptions)]
# A value other than the default for each option, and what it makes of the forecaster.
CHANGES = {
    "id_column": ("shop", {"columns": Columns(unique_id="shop")}),
    "time_column": ("day", {"columns": Columns(ds="day")}),
    "value_column": ("low, high", {"columns": Columns(y=("low", "high"))}),
    "time_format": ("%d.%m.%Y", {"columns": Columns(ds_format="%d.%m.%Y")}),
    "tz": ("Europe/Berlin", {"columns": Columns(tz="Europe/Berlin")}),
    "freq": ("2", {"freq": 2}),
    "context_length": (7, {"context_length": 7}),
    "season_length": (7, {"season_length": 7}),
    "static": ("region", {"static_covariates": ("region",)}),
    "past": ("a,b", {"past_covariates": ("a", "b")}),
    "future": ("price", {"future_covariates": ("price",)}),
    "weight": ("w", {"columns": Columns(weight="w")}),
    "missing": ("raise", {"missing": "raise"}),
    "scale": ("robust", {"scale": "robust"}),
    "on_bad_series": ("skip", {"on_bad_series": "skip"}),
    "on_duplicates": ("sum", {"on_duplicates": "sum"}),
    "support": ("counts", {"support": "counts"}),
    "calendar": ("day_of_week,holidays:DE", {"calendar": ("day_of_week", "holidays:DE")}),
    "preset": ("segment", {"preset": "segment"}),
    "effort": ("quick", {"effort": "quick"}),
    "units": ("4,5", {"preset": {"encoder_units": (4, 5), "decoder_units": (4, 5)}}),
    "cell": ("lstm", {"preset": {"cell": "lstm"}}),
    "level": ("50", {"level": (50.0,)}),
    "calibrate": (True, {"calibrate": True}),
    "epochs": (3, {"training": {"epochs": 3}}),
    "learning_rate": (0.1, {"training": {"learning_rate": 0.1}}),
    "members": (3, {"members": 3}),
    "seed": (5, {"random_state": 5}),
    "quiet": (True, {"verbose": 0}),
}


@pytest.mark.parametrize("name", NAMES)
def test_each_option_changes_the_forecaster_and_nothing_else(name):
    value, changes = CHANGES[name]
    plain = ForecasterOptions().forecaster(3).get_params(deep=False)
    changed = ForecasterOptions(**{name: value}).forecaster(3).get_params(deep=False)
    for key, expected in changes.items():
        if isinstance(changed[key], NetworkSpec):
            assert {part: getattr(changed[key], part) for part in expected} == expected
        else:
            assert changed[key] == expected
    assert {key for key in plain if plain[key] != changed[key]} == set(changes)


def test_options_that_are_absent_leave_the_forecaster_its_defaults():
    own = {"columns", "level", "verbose", "missing"}
    plain = ForecasterOptions().forecaster(3).get_params(deep=False)
    defaults = Forecaster(3).get_params(deep=False)
    assert {key for key in plain if plain[key] != defaults[key]} <= own
    assert plain["columns"] == Columns()
    with pytest.raises(
        SpecError, match="level: expected numbers with commas, as 80,95, received '80;95'"
    ):
        parse_levels("80;95")


@pytest.mark.parametrize("command", ["fit", "forecast", "tune", "backtest"])
def test_commands_that_train_have_every_option(command):
    given = {
        each.name: each.default for each in typer.main.get_command(app).commands[command].params
    }
    rejected = {"members", "effort"} if command == "tune" else set()
    assert set(NAMES) - set(given) == rejected
    assert "options" not in given
    usual = {
        field.name: field.default
        for field in fields(ForecasterOptions)
        if field.name not in rejected
    }
    assert {name: given[name] for name in usual} == usual


def test_help_imports_nothing_heavy(run_python):
    code = """
import sys
from seqcast.cli.main import app
for command in ("", *(each.name or each.callback.__name__ for each in app.registered_commands)):
    app([*command.split(), "--help"], standalone_mode=False)
heavy = ("keras", "jax", "sklearn", "pandas", "polars", "matplotlib", "narwhals", "numpy", "pyarrow", "fastapi",
         "starlette", "uvicorn", "prometheus_client")
print([name for name in heavy if name in sys.modules])
"""
    assert run_python(code).splitlines()[-1] == "[]"
