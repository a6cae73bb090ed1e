"""The help: a table of contents of commands, and options in panels, the usual ones before all others."""

import re

import pytest
import typer.main

from seqcast.cli.forecaster_options import ForecasterOptions, SeriesOptions
from seqcast.cli.input_files import FileOptions
from seqcast.cli.main import CONTENTS, app

COMMANDS = typer.main.get_command(app).commands
# Most options before the panels, which a person reads from the first to the last.
MOST_FIRST = 14


def options_of(command):
    return [each for each in COMMANDS[command].params if isinstance(each, typer.core.TyperOption)]


def test_the_contents_list_each_command_once_in_a_line_of_its_own(run):
    out = run("--help")[1]
    listed = [name for commands in CONTENTS.values() for name in commands]
    assert len(set(listed)) == len(listed) == len(COMMANDS)
    assert [name for name in COMMANDS if re.search(rf"^│ {name} +\S", out, re.MULTILINE)] == list(
        COMMANDS
    )
    places = [out.index(f"─ {panel} ─") for panel in CONTENTS]
    assert places == sorted(places)


@pytest.mark.parametrize("command", COMMANDS)
def test_no_flag_has_a_type_and_no_panel_has_one_name_twice(run, command):
    out = run(command, "--help")[1]
    assert "<bool>" not in out
    panels = re.findall(r"^╭─ (.+?) ─+╮$", out, re.MULTILINE)
    assert len(set(panels)) == len(panels)
    assert all(len(panel) < 50 for panel in panels)


@pytest.mark.parametrize("command", COMMANDS)
def test_the_usual_options_come_first(command):
    first = [each.name for each in options_of(command) if each.rich_help_panel is None]
    assert len(first) <= MOST_FIRST
    offered = {each.name for each in options_of(command)}
    usual = [
        name
        for name in ("horizon", "output", "id_column", "time_column", "value_column")
        if name in offered
    ]
    assert first[: len(usual)] == usual


def test_an_option_stands_in_the_panel_of_the_class_that_declares_it():
    panels = {each.name: each.rich_help_panel for each in options_of("forecast")}
    assert panels["sep"] == panels["layout"] == "Format of the files"
    assert panels["season_length"] == panels["static"] == "Series and covariates"
    assert panels["cell"] == panels["epochs"] == "The network, and how it is trained"
    for kind in (ForecasterOptions, SeriesOptions, FileOptions):
        assert set(kind.__dataclass_fields__) <= set(panels)


def test_describe_offers_nothing_that_a_description_does_not_show():
    offered = {each.name for each in options_of("describe")}
    assert not offered & {"calibrate", "learning_rate", "quiet", "seed"}
    assert {"epochs", "members", "units", "effort"} <= offered
