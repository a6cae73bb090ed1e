"""`seqcast serve` at the command line, without a server: keys, help, and what is missing."""

from dataclasses import fields

import typer.main
from typer.testing import CliRunner

from seqcast.cli.main import app
from seqcast.serve import ServerSettings
from seqcast.serve.configuration import hash_of


def test_a_new_key_and_its_entry():
    done = CliRunner().invoke(app, ["serve", "--new-key", "shop"])
    key, entry = done.stdout.split()
    assert entry == f"shop:{hash_of(key)}"
    assert "shown only now" in done.stderr
    rejected = CliRunner().invoke(app, ["serve", "--new-key", "two words"])
    assert rejected.exit_code == 1
    assert "--new-key: expected a name" in rejected.stderr


def test_each_option_is_a_setting():
    parameters = {
        each.name: each.default for each in typer.main.get_command(app).commands["serve"].params
    }
    settings = {field.name: field.default for field in fields(ServerSettings)}
    assert set(parameters) - {"new_key"} == set(settings)
    assert {name for name in settings if parameters[name] != settings[name]} <= {
        "models",
        "allow_host",
    }


def test_without_the_extra(run_python):
    code = """
import sys
sys.modules["fastapi"] = None
from typer.testing import CliRunner
from seqcast.cli.main import app
done = CliRunner().invoke(app, ["serve"])
print(done.exit_code, done.stderr.replace("\\n", " "))
"""
    told = run_python(code)
    assert told.startswith("1 ")
    assert "pip install '.[serve]'" in told
