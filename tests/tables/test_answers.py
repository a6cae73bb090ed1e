"""Each answer that a question offers settles it, in Python and at the command line."""

import shlex

import pytest
import typer.main

import seqcast
from seqcast import forecaster
from seqcast.cli.console import word_option
from seqcast.cli.main import app
from seqcast.errors import AmbiguityError
from seqcast.forecaster import shortcut
from seqcast.specs.columns import Columns
from seqcast.tables.dialect import Dialect
from tests.tables.test_misread import ASKED, DAYS, table

# Questions one after the other, and names that an option has to keep as they are.
SEVERAL = {
    "dates, then marks, then values": table(
        "day;a;b",
        lambda place, day: (
            f"{day:%d/%m/%Y};{1 + place % 3},{234 + place};{1 + place % 5},{334 + place}"
        ),
        DAYS[:12],
    ),
    "names with commas, quotes and dashes": table(
        "day,\"x, 'one'\",-y", lambda place, day: f"{day},{place**2 % 7},{1000 + place**2 % 1100}"
    ),
    "dates without marks, then values": table(
        "date,a,b", lambda place, day: f"{day:%d%m%y},{place**2 % 7},{place**2 % 11}"
    ),
    "dates in a header, then marks": "store;01/02/2024;02/02/2024;03/02/2024;04/02/2024\n"
    "a;1,234;2,345;3,456;4,567\nb;2,234;3,345;4,456;5,567\n",
}
TABLES = {name: text for name, (text, *_) in ASKED.items()} | SEVERAL


COMMAND = typer.main.get_command(app).commands["forecast"]
OPTIONS = [name for parameter in COMMAND.params for name in parameter.opts]


class Read(BaseException):
    """A table has been read, which ends a command."""


def stop(*_, **__):
    raise Read


@pytest.fixture
def path(monkeypatch, tmp_path):
    """The file of a table; nothing is fitted once it is read."""
    monkeypatch.chdir(tmp_path)
    # The package takes its names from the module when they are first used, so it comes first.
    monkeypatch.setattr(forecaster, "fit_and_forecast", stop)
    monkeypatch.setattr(shortcut, "fit_and_forecast", stop)
    return tmp_path / "a.csv"


def forecast(path, answers):
    """Read a file by `seqcast.forecast` with the answers as arguments."""
    fields = {"dialect": {}, "columns": {}, "": {}}
    for answer in answers:
        owner, _, field = answer.name.rpartition(".")
        fields[owner][field] = answer.value
    arguments = fields[""]
    if fields["dialect"]:
        arguments["dialect"] = Dialect(**fields["dialect"])
    if fields["columns"]:
        arguments["columns"] = Columns(**fields["columns"])
    seqcast.forecast(path, 2, verbose=0, **arguments)


def command(path, answers):
    """Read a file by `seqcast forecast` with the answers as options, as they are worded."""
    typed = [part for answer in answers for part in shlex.split(word_option(answer, OPTIONS))]
    try:
        with COMMAND.make_context("forecast", [path.name, "-H", "2", *typed]) as context:
            COMMAND.invoke(context)
    except typer.Exit as ending:
        raise ending.__cause__ from None


def follow(read, path, answers=(), seen=()):
    """Follow each answer of each question to a table, and return the number of tables."""
    try:
        read(path, answers)
    except Read:
        return 1
    except AmbiguityError as error:
        question = error.where, error.expected, error.received
        assert question not in seen, f"the answer {answers[-1]} leads to the same question"
        return sum(
            follow(read, path, (*answers, answer), (*seen, question)) for answer in error.answers
        )


@pytest.mark.parametrize("read", [forecast, command])
@pytest.mark.parametrize("name", TABLES)
def test_each_answer_leads_to_a_table_or_another_question(path, read, name):
    path.write_text(TABLES[name])
    count = follow(read, path)
    assert count >= (len(ASKED[name][2]) if name in ASKED else 2)
