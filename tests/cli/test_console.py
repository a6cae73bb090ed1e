"""Errors in the words of a person at a terminal come from fields, whatever columns and series are called."""

import io
import json
import sys
from dataclasses import replace

import pandas as pd
import pytest
import typer.main

from seqcast.cli.console import (
    RENAMED,
    note,
    print_error,
    print_json,
    print_line,
    print_table,
    set_encodings,
    word_error,
)
from seqcast.cli.main import app
from seqcast.data.frames.frame_reader import read_frame
from seqcast.data.frames.row_lookup import read_future
from seqcast.errors import (
    DataError,
    Fix,
    MissingFileError,
    Option,
    Phrase,
    Row,
    SaveError,
    SpecError,
)
from seqcast.specs.columns import Columns, Covariates
from seqcast.tables.contents import in_files
from seqcast.tables.open_table import read_table

COLUMNS = Columns()
COMMANDS = typer.main.get_command(app).commands
OPTIONS = {
    name: {
        flag
        for option in command.params
        for flag in (*option.opts, *option.secondary_opts)
        if flag[0] == "-"
    }
    for name, command in COMMANDS.items()
}
ALL = set.union(*OPTIONS.values())


def table(path, text):
    path.write_text(text)
    return path


def rejected(call, **tables):
    """Return what the error of a call says of the files."""
    with pytest.raises(DataError) as caught, in_files(**tables):
        call()
    return word_error(caught.value, OPTIONS["fit"])


# ---------------------------------------------------------------- files


def test_errors_after_sorting_name_the_rows_of_the_file(tmp_path):
    path = table(
        tmp_path / "a.csv", "ds,y\n2024-01-03,1\n2024-01-01,2\n2024-01-02,3\n2024-01-01,4\n"
    )
    rows = read_table(path, COLUMNS)
    assert rows.frame["y"].tolist() == [2, 4, 3, 1]
    message = rejected(lambda: read_frame(rows.frame, COLUMNS), df=rows)
    assert message == (
        f"{path}, column 'ds', row 5: expected a stamp after 2024-01-01 00:00:00 (row 3), received the duplicate "
        "2024-01-01 00:00:00. Take one of the rows, or their sum: --on-duplicates first, last, mean or sum. "
        "Or does it hold several series? Name the column that distinguishes them: --id."
    )


@pytest.mark.parametrize(
    "name", ["row 3", "df", "future", "missing='fill'", "y, row 0 (series 'a')", "(row 1)"]
)
@pytest.mark.parametrize("role", ["ds", "y"])
def test_a_column_may_have_any_name(tmp_path, name, role):
    columns = Columns(**{role: name})
    stamps = [1, 2, 2, 4] if role == "ds" else [1, 2, 3, 4]
    rows = pd.DataFrame(
        {"unique_id": "a", columns.ds: stamps, columns.value: [1.0, 2.0, None, 4.0]}
    )
    path = tmp_path / "a.csv"
    rows.to_csv(path, index=False)
    of_file = read_table(path, columns)
    missing = "fill" if role == "ds" else "raise"
    # Another file in play is not taken for this one.
    both = {"df": of_file, "future": replace(of_file, path=tmp_path / "b.csv")}
    message = rejected(lambda: read_frame(of_file.frame, columns, missing=missing), **both)
    assert message.startswith(f"{path}, column {name!r}, row 4 (series 'a'): expected ")
    expected = (
        "a stamp after 2 (row 3), received the duplicate 2. Take"
        if role == "ds"
        else "--missing fill."
    )
    assert expected in message


def test_labels_and_series_may_look_like_rows(tmp_path):
    path = table(tmp_path / "a.csv", "unique_id,ds,y,kind\nrow 1,1,1,row 1\nrow 1,2,1,row 2\n")
    rows = read_table(path, COLUMNS)
    covariates = Covariates(static="kind")
    assert rejected(lambda: read_frame(rows.frame, COLUMNS, covariates=covariates), df=rows) == (
        f"{path}, column 'kind', row 3 (series 'row 1'): expected 'row 1', as in row 2: a static covariate is constant "
        "within a series, received 'row 2'. Name the column among --past or --future, or correct the row."
    )


FUTURES = [
    (
        "unique_id,ds,price\na,3,1\na,3,1\n",
        ", column 'ds', row 3 (series 'a'): expected each stamp",
    ),
    ("unique_id,ds,price\na,3,1\n,4,1\n", ", column 'unique_id', row 3: expected a series' name"),
    ("unique_id,ds,prices\na,3,1\n", ": expected a column 'price', received the columns"),
]


@pytest.mark.parametrize(("text", "place"), FUTURES)
def test_the_future_has_a_file_of_its_own(tmp_path, text, place):
    path = table(tmp_path / "future.csv", text)
    rows = read_table(path, COLUMNS, value=False)
    both = {"df": replace(rows, path=tmp_path / "sales.csv"), "future": rows}
    like = pd.Index([1, 2])
    message = rejected(
        lambda: read_future(rows.frame, COLUMNS, ("price",), ("a",), like, gaps=False), **both
    )
    assert message.startswith(f"{path}{place}")


OTHER_ERRORS = [
    DataError("n_windows", expected="fewer", hint="Sort the rows."),
    DataError(option="other", column="y", row=0),
    DataError(option="future", expected="a frame"),
    SpecError("df", expected="something"),
]


@pytest.mark.parametrize("error", OTHER_ERRORS)
def test_other_errors_are_left_as_they_are(tmp_path, error):
    rows = read_table(table(tmp_path / "a.csv", "ds,y\n1,2\n"), COLUMNS)
    with pytest.raises(type(error)) as caught, in_files(df=rows, future=None):
        raise error
    assert caught.value is error


# ---------------------------------------------------------------- options


TYPED = [
    (SpecError("n_windows", expected="one"), "--n-windows: expected one."),
    (SpecError("random_state", expected="one"), "--seed: expected one."),
    (SpecError("columns.y", expected="a name"), "--value: expected a name."),
    (SpecError("columns", expected="three names"), "--id, --time, --value: expected three names."),
    (SpecError("preset.head", expected="one"), "preset.head: expected one."),
    (SpecError("max_size", expected="a size"), "--max-size: expected a size."),
    (
        DataError(option="n_windows", series="a", expected="one"),
        "--n-windows (series 'a'): expected one.",
    ),
    # A column or a file may be called like an option.
    (DataError(column="level", expected="one"), "level: expected one."),
    (MissingFileError("level", expected="a file"), "level: expected a file."),
]


@pytest.mark.parametrize(("error", "message"), TYPED)
def test_options_are_named_as_they_are_typed(error, message):
    assert word_error(error, ALL) == message


HINTS = [
    (Option("freq", 1), "--freq 1"),
    (Option("static_covariates", ...), "--static"),
    (Option("columns.tz", "Europe/Berlin"), "--tz Europe/Berlin"),
    (Option("day_first", True), "--day-first"),
    (Option("day_first", False), "--month-first"),
    (Option("decimal", ","), "--decimal ,"),
    (Option("irregular", True), "Forecaster(irregular=True) in Python"),
]


@pytest.mark.parametrize(("option", "words"), HINTS)
def test_options_in_a_hint(option, words):
    assert (
        word_error(DataError("df", hint=Phrase("Take ", option, ".")), ALL) == f"df. Take {words}."
    )
    plain = DataError("df", hint=str(Phrase("Take ", option, ".")))
    assert word_error(plain) == str(plain)
    lacking = DataError(
        "df", hint=Phrase("As in ", Row(3), ", take ", Option("missing", "fill"), ".")
    )
    assert word_error(lacking, ["-H"]) == "df. As in row 3, take --missing fill (an option of fit)."


def test_a_flag_is_named_with_its_opposite_where_a_command_has_it():
    error = DataError("df", hint=Phrase("Take ", Option("day_first", False), "."))
    assert word_error(error, ["--day-first"]) == "df. Take --month-first."
    assert (
        word_error(SpecError("host, port", expected="others"), ["--host"])
        == "--host, --port: expected others."
    )


@pytest.mark.parametrize(
    "hint", ["df.sort_values()", Phrase("Take ", Option("sort", True), "."), ""]
)
def test_the_fix_chooses_the_hint_of_a_file(hint):
    assert word_error(DataError("df", hint=hint, fix=Fix.SORT), ALL) == "df. Sort the rows."
    assert (
        word_error(DataError("df", hint="Add them up.", fix=Fix.DEDUPLICATE), ALL)
        == "df. Add them up."
    )


def test_a_path_is_never_an_option():
    for name in ("future", "cell", "df", "units"):
        for error in (
            DataError(path=name, expected="a table"),
            SaveError(name, expected="a table"),
        ):
            assert word_error(error) == f"{name}: expected a table."


def test_every_flag_is_an_option_of_a_command():
    assert {flag for words in RENAMED.values() for flag in words.split(", ")} <= ALL


# ---------------------------------------------------------------- letters


HOSTILE = (
    "\x1b]0;title\x07",
    "[red]",
    "[link=http://x]a[/link]",
    "[/]",
    "\x9b31m",
    "a\u202eb",
    "\x00\x7f",
    "\r",
)


def test_names_are_shown_and_not_obeyed(capsys):
    for name in HOSTILE:
        print_table(name, [name, name], [[name, name]])
        print_line(name)
        note(name)
        print_error(name)
        shown = "".join(capsys.readouterr())
        assert not set(shown) & set("\x00\x07\r\x1b\x7f\x9b\u202e")
        visible = "".join(letter if letter.isprintable() else repr(letter)[1:-1] for letter in name)
        assert shown.count(visible) == 8, (name, shown)
    print_json({"name": "a:car:b"})  # which is no picture
    assert json.loads(capsys.readouterr().out) == {"name": "a:car:b"}


def test_no_color_means_no_color(run_python):
    code = "import sys; from seqcast.cli import console; console._ERRORS.file = sys.stdout; console.print_error('x')"
    colored, plain = (
        run_python(code, FORCE_COLOR="1", NO_COLOR=no, TERM="xterm-256color") for no in (None, "1")
    )
    assert ("31m" in colored, "31m" in plain, "Error:" in plain) == (True, False, True)


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "cp437"])
@pytest.mark.parametrize("is_terminal", [True, False])
def test_any_character_is_printed_whatever_the_encoding(monkeypatch, encoding, is_terminal):
    """A pipe on Windows has the code page of the system."""
    monkeypatch.delenv("PYTHONIOENCODING", raising=False)
    streams = {}
    for name in ("stdout", "stderr"):
        streams[name] = io.TextIOWrapper(io.BytesIO(), encoding=encoding)
        streams[name].isatty = lambda: is_terminal
        monkeypatch.setattr(sys, name, streams[name])
    set_encodings()
    print_table("東京 → Zürich", ["東京"], [["≤ …"]])
    note("東京")
    shown = streams["stdout"].buffer.getvalue()
    assert (
        (r"\u6771" in shown.decode(encoding))
        if is_terminal
        else ("東京 → Zürich" in shown.decode())
    )
    assert streams["stderr"].buffer.getvalue()


def test_a_program_without_a_console_has_nothing_to_encode(monkeypatch):
    monkeypatch.setattr(sys, "stdout", None)
    monkeypatch.setattr(sys, "stderr", None)
    set_encodings()
