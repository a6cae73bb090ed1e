"""A visitor's work, without a browser: sessions and their files, assumptions, estimates, recipes, computations."""

import asyncio
import shlex
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from seqcast.app import computations, recipes
from seqcast.app.panels.download_panel import picture_of
from seqcast.app.panels.scores_panel import coverage, error_by_step, scores_by_series
from seqcast.app.panels.why_panel import nearest_rows, state_points
from seqcast.app.settings import AppSettings
from seqcast.app.visitor_table import Table, assumed_ahead, changed_ahead
from seqcast.app.visitors import SessionLimitError, Sessions, updated_pace
from seqcast.errors import DataError, SpecError
from seqcast.forecaster import estimate_seconds
from seqcast.runtime import BoundedProcess, ProcessLimits
from seqcast.specs.columns import Columns
from seqcast.tables.writing import table_bytes
from tests.rejections import rejected

DAYS = pd.date_range("2024-01-01", periods=84)


def wave(level):
    return np.round(
        level + 3 * np.sin(2 * np.pi * np.arange(84) / 7) + np.cos(np.arange(84) ** 2) / 5, 2
    )


def with_price(ahead=4):
    shops = []
    for place, shop in enumerate(("north", "south")):
        sold = wave(20 + place)
        sold[84 - ahead :] = np.nan
        shops.append(
            pd.DataFrame(
                {"Store": shop, "Date": DAYS, "Sold": sold, "price": np.arange(84) % 5 + 1.5}
            )
        )
    return pd.concat(shops)


@pytest.fixture
def sessions():
    sessions = Sessions(AppSettings(port=0, max_sessions=2))
    yield sessions
    sessions.close_all()


@pytest.fixture
def session(sessions):
    return sessions.open()


def take(session, table, name="sales.csv", **options):
    session.take(Table.read(session.store(name, table.to_csv(index=False, **options).encode())))
    return session


@pytest.mark.processes
def test_a_file_is_read_in_a_process_that_ends_in_time(sessions, session, monkeypatch):
    def read(name, text):
        return asyncio.run(sessions.read(session.store(name, text.encode())))

    table = read("a.csv", "day,sold\n2024-01-01,1\n2024-01-02,2\n")
    assert table.roles.of == {"day": "time", "sold": "value"}
    assert asyncio.run(sessions.with_layout(table, "wide")).roles.layout == "wide"
    hostile = "\n".join(",".join(f"{column}a{row}" for column in range(200)) for row in range(3000))
    monkeypatch.setattr(
        sessions, "reader", BoundedProcess(ProcessLimits(seconds=0.5, memory=1 << 30))
    )
    with pytest.raises(DataError, match=r"expected a table that is read in 0\.5 s"):
        read("hostile.csv", hostile)
    sessions.reader.close()


@pytest.mark.processes
def test_visitors_who_come_at_once_get_their_own_forecasts_and_leave_nothing():
    """Each has a table of another level; every second one leaves before the forecast is there."""
    sessions = Sessions(AppSettings(port=0, max_sessions=6))

    async def visit(number):
        session = sessions.open()
        table = pd.DataFrame({"day": DAYS, "sold": 1000.0 * number + wave(20)})
        content = table.to_csv(index=False).encode()
        session.take(await sessions.read(session.store("sales.csv", content)))
        session.ask(horizon=7, level=(80.0,))
        fit_number = session.begin_fit()
        asked = session.asked
        frame = session.frame
        file = session.file_of_fit(fit_number)
        job = sessions.answers.submit(
            computations.fit, frame.df, None, asked.options(frame), file, None, on_event=silent
        )
        if number % 2:
            sessions.close(session)  # the job may end in an error, because its folder has gone
            await asyncio.gather(job.result(), return_exceptions=True)
            return None
        session.take_outcome(fit_number, asked, await job.result())
        assert session.model_file.exists()
        forecast = session.outcome.forecast["seqcast"]
        sessions.close(session)
        return float(forecast.mean())

    async def visits():
        return await asyncio.gather(*(visit(number) for number in range(6)))

    try:
        levels = asyncio.run(visits())
    finally:
        sessions.close_all()
    assert [round(level / 1000) for level in levels if level is not None] == [0, 2, 4]
    assert levels[1::2] == [None] * 3


def silent(_):
    """OnEvent nothing."""


def fitted(session, **asked):
    session.ask(**{"horizon": 7, **asked})
    frame = session.frame
    asked = session.asked
    ahead = assumed_ahead(frame, asked.horizon)
    number = session.begin_fit()
    file = session.file_of_fit(number)
    outcome = computations.fit(
        silent, frame.df, ahead, asked.options(frame), file, asked.time_limit
    )
    session.take_outcome(number, asked, outcome)
    return session


def test_a_fit_that_ends_after_a_newer_one_replaces_nothing(session):
    take(session, with_price())
    older = session.begin_fit()
    newer = session.begin_fit()
    assert session.file_of_fit(older) != session.file_of_fit(newer)
    for number in (newer, older):
        session.file_of_fit(number).write_text(f"the model of fit {number}")
        session.take_outcome(number, session.asked, f"the outcome of fit {number}")
    assert session.outcome == f"the outcome of fit {newer}"
    assert session.model_file.read_text() == f"the model of fit {newer}"
    assert list(session.folder.glob("model-*")) == [session.model_file]


def test_a_fit_of_an_earlier_table_replaces_nothing(session):
    take(session, with_price())
    number = session.begin_fit()
    take(session, with_price(), "another.csv")
    session.file_of_fit(number).write_text("the model of the earlier table")
    session.take_outcome(number, session.asked, "the outcome of the earlier table")
    assert session.forecasted is None
    assert not session.model_file.exists()


def test_sessions_are_bounded_and_leave_nothing(sessions):
    first = sessions.open()
    second = sessions.open()
    rejected(SessionLimitError, "at most 2 at a time, received 2", sessions.open)
    path = first.store("../../etc/passwd.csv", b"x")
    assert path.parent.parent == first.folder
    assert first.folder != second.folder
    sessions.close(first)
    assert not path.exists()
    assert sessions.open().folder.exists()


def test_a_long_name_of_a_file_keeps_its_beginning_and_its_kind(sessions):
    name = sessions.open().store(f"Report {'x' * 300} of 2024.csv", b"x").name
    assert name.startswith("Report x")
    assert name.endswith(" of 2024.csv")
    assert len(name) <= 60


def test_a_name_that_windows_forbids_is_changed_on_every_system(sessions):
    session = sessions.open()
    assert session.store("10:30?.csv", b"x").name == "10_30_.csv"
    assert session.store("nul.csv", b"x").name == "_nul.csv"


def test_what_is_quick_leaves_out_columns_that_end_with_the_past(session):
    table = pd.DataFrame({"ds": DAYS, "y": wave(5), "visitors": wave(50)})
    take(session, table)
    session.take(replace(session.table, roles=session.table.roles.changed("visitors", "past")))
    for effort, names in (("quick", ()), ("balanced", ("visitors",))):
        session.ask(effort=effort, horizon=3)
        assert session.asked.options(session.frame).get("past_covariates", ()) == names
        made = session.table, session.frame, session.asked
        for recipe in (recipes.script_of(*made), recipes.command_of(*made)):
            assert ("visitors" in recipe) is bool(names)
    fitted(session, effort="quick")
    assert [share for _, share, _ in session.outcome.choice] == sorted(
        (share for _, share, _ in session.outcome.choice), reverse=True
    )
    assert sum(share for _, share, _ in session.outcome.choice) == pytest.approx(1.0)
    assert session.outcome.windows > 0


def test_the_future_is_what_the_table_says_and_else_the_season_before(session):
    frame = take(session, with_price()).frame
    ahead = assumed_ahead(frame, 7)
    assert len(ahead) == 14
    north = ahead[ahead["Store"] == "north"]
    price = np.arange(84) % 5 + 1.5
    assert north["price"].tolist() == [*price[80:], *price[77:80]]
    changed = changed_ahead(ahead, frame, "south", step=2, column="price", value=9.5)
    different = changed["price"].to_numpy() != ahead["price"].to_numpy()
    assert np.flatnonzero(different).tolist() == [9]
    assert ahead["price"].max() < 9  # what was given is left alone


def test_estimates_grow_with_what_is_done(session):
    small = take(session, pd.DataFrame({"ds": DAYS, "y": wave(5)})).frame
    lengths = small.facts.frame.source.lengths
    seconds = {
        effort: estimate_seconds(lengths, 7, effort) for effort in ("quick", "balanced", "best")
    }
    assert list(seconds.values()) == sorted(set(seconds.values()))
    assert seconds["balanced"] < estimate_seconds(np.tile(lengths, 100), 7, "balanced")
    pace = 1.0
    for _ in range(20):
        pace = updated_pace(pace, estimated=10.0, measured=10.0 * 3)
    assert pace == pytest.approx(3.0, rel=1e-3)


@pytest.mark.processes
def test_recipes_make_the_same_forecast(session, tmp_path):
    """The script and the command line, of a wide table that is written unusually, of which a series is left out."""
    wide = pd.DataFrame(
        {"Tag": DAYS.strftime("%d.%m.%Y"), "Nord": wave(100), "West": wave(9), "Süd": wave(20)}
    )
    take(session, wide, "absatz.csv", sep=";", decimal=",")
    session.take(replace(session.table, roles=session.table.roles.changed("West", "ignore")))
    fitted(session)
    (tmp_path / recipes.file_name(session.table)).write_bytes(table_bytes(session.frame.df, "csv"))
    (tmp_path / "script.py").write_text(
        recipes.script_of(session.table, session.frame, session.fitted)
    )
    words = shlex.split(recipes.command_of(session.table, session.frame, session.fitted))
    assert words[:2] == ["seqcast", "forecast"]
    for command in (
        [sys.executable, "script.py"],
        [sys.executable, "-m", "seqcast.cli.start", *words[1:]],
    ):
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        again = pd.read_csv(tmp_path / "forecast.csv")
        np.testing.assert_allclose(again["seqcast"], session.outcome.forecast["seqcast"], rtol=1e-5)
        (tmp_path / "forecast.csv").unlink()


def test_recipes_name_all_that_was_said(session):
    take(session, with_price())
    session.ask(horizon=3, effort="balanced", time_limit="2 min", level=(80.0,))
    made = session.table, session.frame, session.asked
    script = recipes.script_of(*made)
    command = recipes.command_of(*made)
    columns = "Columns(unique_id='Store', ds='Date', y='Sold')"
    for said in (columns, "future_covariates=('price',)", "time_limit='2 min'", "random_state=0"):
        assert said in script
    compile(script, "script.py", "exec")
    future = "--future price --future-file future.csv"
    for said in (future, "--time-limit '2 min'", "--seed 0", "--level 80", "--id Store"):
        assert said in command


def test_a_fit_is_saved_forecasts_and_can_be_looked_into(session):
    fitted(take(session, pd.DataFrame({"ds": DAYS, "y": wave(5)})))
    outcome = session.outcome
    assert len(outcome.forecast) == 7
    assert not outcome.interrupted
    same = computations.forecast(session.model_file, session.frame.df, None, (80.0, 95.0))
    np.testing.assert_allclose(same["seqcast"], outcome.forecast["seqcast"], rtol=1e-6)
    seen = computations.explain(session.model_file, session.frame.df)
    assert len(seen.memory) == 7
    assert sum(seen.covariates.values()) == pytest.approx(1.0)
    columns = session.frame.columns
    assert 1 <= len(nearest_rows(seen, columns)) <= 5
    shades = [shade for _, _, shade, _ in state_points(seen, columns)]
    assert min(shades) == 0.0
    assert max(shades) == 1.0
    assert picture_of(session.frame, outcome.forecast).startswith(b"\x89PNG")
    page = session.folder / "report.html"
    computations.write_report(session.model_file, page, session.frame.df, None, None, "A title")
    assert "A title" in page.read_text()
    # Another table takes all that came of the one before.
    assert session.outcome is not None
    take(session, pd.DataFrame({"ds": DAYS, "y": wave(9)}), "other.csv")
    assert session.outcome is session.backtest is session.explanation is session.fitted is None


def test_scores_are_those_of_the_rows(session):
    take(session, pd.DataFrame({"ds": DAYS, "y": wave(5)}))
    session.ask(horizon=7)
    frame = session.frame
    asked = session.used
    tested = computations.backtest(silent, frame.df, asked.options(frame), 2, asked.time_limit)
    columns = session.frame.columns
    error = (tested["seqcast"] - tested["y"]).abs()
    steps, errors = error_by_step(tested, columns)
    assert steps == [1, 2, 3, 4, 5, 6, 7]
    assert np.mean(errors["seqcast"]) == pytest.approx(error.mean())
    assert error_by_step(tested[tested["step"] != 2], columns)[0] == [1, 3, 4, 5, 6, 7]
    assert scores_by_series(tested, columns)["seqcast"].tolist() == pytest.approx([error.mean()])
    within = tested["y"].between(tested["seqcast-lo-80"], tested["seqcast-hi-80"]).mean()
    covered = coverage(tested, columns)
    assert list(covered) == [80.0, 95.0]
    assert pytest.approx(within) == covered[80.0] <= covered[95.0]


def test_the_worst_series_comes_first():
    errors = {
        "seqcast": np.repeat([1.0, 3.0, 2.0], 2),
        "seasonal_naive": np.repeat([1.0, 1.0, 4.0], 2),
    }
    tested = pd.DataFrame(
        {"unique_id": list("aabbcc"), "ds": [1, 2] * 3, "cutoff": 0, "y": 0.0, **errors}
    )
    table = scores_by_series(tested, Columns())
    assert table["series"].tolist() == ["b", "a", "c"]
    assert table["ratio"].tolist() == [3.0, 1.0, 0.5]


def test_the_post_learns():
    heard = []
    signals = {"num_signals": 2, "frequency": (0.1, 10.0), "noise": 0.1, "past": 15}
    outcome = computations.learn_sines(
        heard.append, signals, ("zeros", "autoregressive"), windows=640, epochs=2
    )
    assert [(each.decoder, each.epoch) for each in heard] == [
        (decoder, epoch) for decoder in ("zeros", "autoregressive") for epoch in (1, 2)
    ]
    assert len(outcome.truth) == len(outcome.forecasts["zeros"]) == 60
    assert len(outcome.tokens) == 15 + 60
    # The last thing that was heard is what the network forecasts.
    np.testing.assert_allclose(heard[1].forecast, outcome.forecasts["zeros"][:15], atol=1e-4)


def test_impossible_settings_are_rejected():
    with pytest.raises(SpecError, match="frequencies: expected a slow one above 0"):
        computations.learn_sines(silent, {"frequency": (3.0, 2.0)}, ("zeros",))
    for settings, said in (
        ({"max_sessions": 0}, "max_sessions: expected a whole number >= 1"),
        ({"port": 70000}, "port: expected at most 65535"),
        ({"host": "0.0.0.0"}, "the page knows no passwords"),
    ):
        rejected(SpecError, said, AppSettings, **settings)
    assert AppSettings(host="0.0.0.0", allow_open=True).of_api.allow_open
