"""Files of eleven kinds without options: what commands, the page and the server read in each, and what they ask."""

import calendar
import io
import json

import pandas as pd
import pytest

from seqcast.app.visitor_table import Table
from seqcast.errors import DataError
from seqcast.serve.request_bodies import guessed
from seqcast.tables.layouts import Steps
from seqcast.tables.open_table import OpenTable
from tests.fixtures.messy import eleven

KINDS = eleven.kinds()
each = pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)


def seen(guess):
    return guess.time, guess.value, guess.unique_id, guess.layout


@each
def test_the_key_is_guessed(kind, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(kind.text)
    opened = OpenTable.of(path, None)
    if kind.ask:
        with pytest.raises(
            DataError, match=r"^\S+table.csv: expected one column of values, .* Name one, such as "
        ):
            opened.guessed()
    table = opened.guessed(kind.options)
    assert seen(table.guess) == kind.key
    assert tuple(table.with_ids()[table.columns.unique_id].unique()) == (kind.series or ("table",))


@each
def test_describe_and_its_one_question(kind, run):
    with open("table.csv", "w") as file:
        file.write(kind.text)
    code, out, err = run("describe", "table.csv", "--json", "--on-bad-series", "skip")
    if kind.ask:
        assert (code, err.count("expected")) == (1, 1)
        assert "or read each as a series: --layout wide." in err
        code, out, err = run("describe", "table.csv", "--json", *kind.ask)
    if "twice" not in err and "duplicate" not in err:
        assert code == 0, err
        assert json.loads(out)["series_count"] == max(1, len(kind.series))
    assert kind.ask or f"time: {kind.key[0] or 'steps 1, 2, 3 …'}" in err


@each
def test_the_page_sees_the_same(kind, tmp_path):
    path = tmp_path / "table.csv"
    path.write_text(kind.text)
    table = Table.read(path)
    if kind.ask:
        assert "humidity" in table.guess.rivals
        return
    assert seen(table.guess) == kind.key
    if table.raw.frame.get("day") is None:  # of duplicates the page has its own message
        assert tuple(map(str, table.frame().ids)) == (kind.series or ("table",))


JSON_KINDS = {
    name: kind for name, kind in KINDS.items() if name not in ("no header", "a series a row")
}


@pytest.mark.parametrize("kind", JSON_KINDS.values(), ids=JSON_KINDS)
def test_the_server_sees_the_same(kind):
    lines = [line.split(",") for line in kind.text.splitlines()]
    rows = dict(zip(lines[0], zip(*lines[1:], strict=True), strict=True))
    if kind.ask:
        with pytest.raises(DataError, match="rows: expected one column of values") as caught:
            guessed(rows, Steps(), 10_000)
        assert caught.value.path is None
        return
    table, words = guessed(rows, Steps(), 10_000)
    assert f"time: {kind.key[0] or 'steps 1, 2, 3 …'}" in words
    assert tuple(dict.fromkeys(table["unique_id"])) == (kind.series or ("series",))


def test_steps_become_times_and_a_forecast_goes_on(run):
    with open("demand.csv", "w") as file:
        file.write(KINDS["quarter-hours"].text)
    code, out, err = run("forecast", "demand.csv", "-H", 2, "--effort", "quick", "--level", "80")
    assert code == 0, err
    assert [line.split(",")[1] for line in out.splitlines()] == ["ds", "401", "402"]
    timed = ("--start", "2024-01-01", "--freq", "15min")
    code, out, err = run(
        "forecast", "demand.csv", "-H", 2, "--effort", "quick", "--level", "80", *timed
    )
    assert "time: from 2024-01-01 on, value: demand" in err
    assert out.splitlines()[1].split(",")[1] == "2024-01-05 04:00:00"
    assert (
        "--freq: expected a whole number"
        in run("forecast", "demand.csv", "-H", 2, "--freq", "h")[2]
    )
    assert (
        "--start: expected a time"
        in run("forecast", "demand.csv", "-H", 2, "--start", "soon", "--freq", "h")[2]
    )
    pd.DataFrame({"ds": eleven.DAYS, "y": eleven.WAVE}).to_csv("days.csv", index=False)
    assert "--start: expected none for a file with times" in run("describe", "days.csv", *timed)[2]


def test_ids_of_two_columns_come_back_as_two(run):
    rows = [
        (town, kind, day, 1.0)
        for town in ("a", "b, c")
        for kind in ("x", 'y"')
        for day in range(1, 30)
    ]
    table = pd.DataFrame(rows, columns=["town", "kind", "ds", "y"])
    table.to_csv("towns.csv", index=False)
    code, out, err = run("forecast", "towns.csv", "-H", 2, "--id", "town,kind", "--effort", "quick")
    assert code == 0, err
    made = pd.read_csv(io.StringIO(out))
    assert list(made.columns[:3]) == ["town", "kind", "ds"]
    assert set(zip(made["town"], made["kind"], strict=True)) == set(
        zip(table["town"], table["kind"], strict=True)
    )


def test_describe_says_what_is_ambiguous_first_and_not_as_a_fact(run):
    rows = "".join(f"2024-01-{day:02};1,{day:03}\n" for day in range(1, 31))
    with open("table.csv", "w") as file:
        file.write(f"day;sold\n{rows}")
    code, out, err = run("describe", "table.csv")
    assert code == 0
    first, question = out.splitlines()[:2]
    assert first == "Can be read in two ways; `forecast` and `fit` ask:"
    assert question.endswith(
        "Give --decimal , or --thousands , as it is meant. Below, --decimal , is taken."
    )
    assert out.count("no number shows") == 1
    assert err.startswith("Read table.csv, in one of two ways: ")
    assert run("forecast", "table.csv", "-H", "3")[0] == 1


def test_a_forecast_without_a_horizon_is_of_a_season(run):
    rows = "".join(
        f"{day:%Y-%m-%d},{day.dayofweek}\n" for day in pd.date_range("2024-01-01", periods=60)
    )
    with open("table.csv", "w") as file:
        file.write(f"day,sold\n{rows}")
    code, out, err = run("forecast", "table.csv")
    assert code == 0
    assert "Forecasting 7 steps; --horizon takes another number" in err
    assert len(out.splitlines()) == 1 + 7


MONTHS = "month,sales\n" + "".join(
    f"{calendar.month_name[month]},{month % 5}\n" for month in range(1, 13)
)


@pytest.fixture
def months():
    """Write a table whose times are months without a year."""
    with open("months.csv", "w") as file:
        file.write(MONTHS)


@pytest.mark.parametrize(
    "command", [("describe", "months.csv"), ("forecast", "months.csv", "-H", "2")]
)
def test_what_the_question_for_times_names_settles_it(run, months, command):
    code, _, err = run(*command)
    assert code == 1
    assert (
        "such as --start 2024-01-01 and --freq D; or count the rows: --layout long; or, if a column has"
        in err
    )
    for options, time in (
        (("--start", "2024-01-01", "--freq", "D"), "from 2024-01-01 on"),
        (("--layout", "long"), "steps 1, 2, 3 …"),
    ):
        code, _, err = run(*command, *options)
        assert code == 0, err
        assert f"Read months.csv: time: {time}, value: sales; not used: month" in err


def test_a_first_time_needs_a_step(run, months):
    assert (
        "--freq: expected the step between rows without times"
        in run("describe", "months.csv", "--start", "2024")[2]
    )


def test_the_question_between_values_stays_where_the_first_time_is_known(run):
    with open("table.csv", "w") as file:
        file.write(
            "note,a,b\n"
            + "".join(
                f"{'xyzuvw'[place % 6]} {place},{place * 7 % 11},{place**2 % 900}\n"
                for place in range(40)
            )
        )
    timed = ("--start", "2024-01-01", "--freq", "D")
    assert "expected a column of times" in run("describe", "table.csv")[2]
    assert (
        "expected one column of values, received 'a', 'b'"
        in run("describe", "table.csv", *timed)[2]
    )
    assert run("describe", "table.csv", *timed, "--value", "a")[0] == 0


def test_a_plot_of_rows_without_times_takes_first_time_and_step(run, months):
    timed = ("--start", "2024-01-01", "--freq", "MS")
    code, _, err = run(
        "forecast", "months.csv", "-H", 2, "--effort", "quick", *timed, "-o", "forecast.csv"
    )
    assert code == 0, err
    assert run("plot", "months.csv", "forecast.csv", *timed)[0] == 0


def test_the_line_names_steps_that_are_counted_whatever_is_given(run):
    with open("table.csv", "w") as file:
        file.write("sold,sales\n" + "".join(f"{7 * day % 11},{day**2 % 11}\n" for day in range(40)))
    for options, said in (
        (("--layout", "wide"), "time: steps 1, 2, 3 …, a series in each column"),
        (("--value", "sold"), "time: steps 1, 2, 3 …, value: sold; not used: sales"),
    ):
        assert run("describe", "table.csv", *options)[2] == f"Read table.csv: {said} "


def test_the_line_names_what_is_not_used(run):
    names = [f"x{place}" for place in range(8)]
    rows = "".join(
        f"{day:%Y-%m-%d},{day.dayofweek}{f',{day.day % 3 + 0.5}' * 8}\n" for day in eleven.DAYS
    )
    with open("table.csv", "w") as file:
        file.write(f"ds,y,{','.join(names)}\n{rows}")
    _, out, err = run("describe", "table.csv", "--future", "x0")
    assert err == "Read table.csv: time: ds, value: y; not used: x1, x2, x3, x4, x5 and 2 more "
    assert (
        "Not used: x1, x2, x3, x4, x5, x6, x7. Name covariates with --static, --future, --past."
        in out
    )
    _, out, err = run("describe", "table.csv", "--future", ",".join(names))
    assert (err, "Not used" in out) == ("", False)


def test_the_line_names_times_of_the_day_that_become_seconds(run):
    with open("table.csv", "w") as file:
        file.write(
            "elapsed,level\n"
            + "".join(f"0:{minute:02}:00,{minute * 7 % 11}\n" for minute in range(40))
        )
    _, out, err = run("describe", "table.csv")
    assert err == "Read table.csv: times of the day as seconds; time: elapsed, value: level "
    assert "step      60" in out


def test_numbers_that_are_written_another_way_are_not_proposed_as_missing(run):
    rows = "".join(
        f"{day:%Y-%m-%d};{'42%' if day.day == 5 else '5,5' if day.day == 7 else day.day % 7}\n"
        for day in eleven.DAYS
    )
    with open("table.csv", "w") as file:
        file.write(f"ds;y\n{rows}")
    out = run("describe", "table.csv", "--decimal", ".")[1]
    assert "received '42%' in" in out
    assert "--missing-values" not in out
    assert "Correct them: write each as the other numbers are written." in out


def test_a_file_that_is_not_there(run):
    code, out, err = run("describe", "sales.csv")
    assert (code, out, err.strip()) == (1, "", "Error: sales.csv: no such file. Check the path.")
