"""`seqcast serve` at the command line, without a server: keys, help, and what is missing."""

import typer.main
from typer.testing import CliRunner

from seqcast.cli.main import app
from seqcast.serve.configuration import hash_of


def test_a_new_key_and_its_entry():
    done = CliRunner().invoke(app, ["serve", "--new-key", "shop"])
    key, entry = done.stdout.split()
    assert entry == f"shop:{hash_of(key)}"
    assert "shown only now" in done.stderr
    refused = CliRunner().invoke(app, ["serve", "--new-key", "two words"])
    assert refused.exit_code == 1
    assert "--new-key: expected a name" in refused.stderr


def test_each_option_is_a_setting():
    from dataclasses import fields

    from seqcast.serve import ServerSettings

    parameters = {
        parameter.name: parameter.default for parameter in typer.main.get_command(app).commands["serve"].params
    }
    settings = {field.name: field.default for field in fields(ServerSettings)}
    assert set(parameters) - {"new_key"} == set(settings)
    for name, default in settings.items():
        if name not in ("models", "allow_host"):
            assert parameters[name] == default, name


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
    assert "pip install 'seqcast[serve]'" in told


def test_help_is_light(run_python):
    code = """
import sys
from seqcast.cli.main import app
app(["serve", "--help"], standalone_mode=False)
heavy = ("fastapi", "starlette", "uvicorn", "prometheus_client", "pyarrow", "keras", "jax", "pandas", "numpy")
print([name for name in heavy if name in sys.modules])
"""
    assert run_python(code).splitlines()[-1] == "[]"
