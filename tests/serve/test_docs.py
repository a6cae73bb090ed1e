"""What `docs/serving.md` shows is true: its code runs, its options, routes, metrics and defaults are there."""

import re
from dataclasses import fields
from pathlib import Path

import pytest
import typer.main

from seqcast.cli.main import app
from seqcast.serve.openapi import describe
from seqcast.serve.settings import ServerSettings

PAGE = (Path(__file__).parents[2] / "docs" / "serving.md").read_text()


@pytest.mark.documents
def test_the_code_runs():
    names = {}
    exec(
        compile("\n".join(re.findall(r"```python\n(.*?)```", PAGE, flags=re.DOTALL)), "docs/serving.md", "exec"), names
    )
    assert "/about" in {getattr(route, "path", None) for route in names["app"].routes}


def test_options_routes_and_statuses_are_there():
    command = typer.main.get_command(app).commands["serve"]
    options = {name for parameter in command.params for name in parameter.opts}
    assert set(re.findall(r"(?<=[`( ])--[a-z][a-z-]+", PAGE.partition("## Figures")[0])) - {"--data-binary"} <= options
    paths = describe(has_keys=False)["paths"]
    assert set(re.findall(r"/(?:v1/\w+|healthz|readyz|metrics)\b", PAGE)) == set(paths)
    told = {
        status
        for row in re.findall(r"^\| (\d{3}(?:, \d{3})*) \|", PAGE, flags=re.MULTILINE)
        for status in row.split(", ")
    }
    described = {status for methods in paths.values() for each in methods.values() for status in each["responses"]}
    assert told == described - {"200"}


def test_defaults_are_those_of_the_settings():
    defaults = {field.name: field.default for field in fields(ServerSettings)}
    for name, text in {"max_body": "16 MiB", "max_rows": "100,000", "max_horizon": "1,000", "queue": "256"}.items():
        assert f"| `--{name.replace('_', '-')}` | {text} |" in PAGE
        number, _, unit = text.partition(" ")
        assert int(number.replace(",", "")) * (2**20 if unit else 1) == defaults[name]
    assert f"| `--time-limit` | {defaults['time_limit']:g} s |" in PAGE


def test_metrics_are_counted(client):
    counted = client.get("/metrics").text
    for name in re.findall(r"`(seqcast_\w+)", PAGE):
        assert name in counted
