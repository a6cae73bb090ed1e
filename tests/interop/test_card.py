"""Model cards: what they say is what the fit holds."""

import html
import re

import pandas as pd
import pytest
import yaml

from seqcast import Forecaster, Seq2SeqRegressor
from seqcast.baselines import LastValue
from seqcast.data.datasets import load
from seqcast.errors import NotFittedError, SpecError
from seqcast.evaluation import leaderboard
from seqcast.interop.card import model_card
from seqcast.specs.columns import Columns

from .conftest import FUTURE, OPTIONS, PAST, SMALL


@pytest.fixture(scope="module")
def quick():
    return Forecaster(12, effort="quick", random_state=0, verbose=0).fit(load("elnino"))


@pytest.fixture(scope="module")
def tiny():
    return Forecaster(12, **OPTIONS).fit(load("elnino"))


@pytest.fixture(scope="module")
def regressor():
    return Seq2SeqRegressor(**SMALL, epochs=2).fit(PAST, FUTURE)


def contents(card):
    """The metadata, and the text of each section by its heading."""
    _, metadata, body = card.split("---\n", 2)
    first, *sections = re.split(r"^## ", body, flags=re.MULTILINE)
    named = {section.partition("\n")[0]: section.partition("\n")[2] for section in sections}
    return yaml.safe_load(metadata), {"": first, **named}


def rows(section):
    """The rows of a table, its head first."""
    lines = [line for line in section.splitlines() if line.startswith("|") and " --- " not in line]
    return [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def test_a_forecaster_that_chose(quick):
    frame = load("elnino")
    backtest = quick.backtest(frame, n_windows=2)
    card = model_card(
        quick, data=frame, backtest=backtest, title="Sea", license="mit", metrics=["mae", "rmse"]
    )
    metadata, sections = contents(card)
    assert metadata["library_name"] == "seqcast"
    assert metadata["license"] == "mit"
    assert metadata["tags"] == ["seqcast", "forecaster"]
    assert list(sections)[1:] == ["Data", "Model", "Choice", "Scores", "Limits", "How to use it"]
    assert sections[""].strip().startswith("# Sea\n")
    data = dict(rows(sections["Data"])[1:])
    assert (data["rows"], data["first stamp"], data["last stamp"]) == (
        "732",
        "1950-01-01",
        "2010-12-01",
    )
    model = dict(rows(sections["Model"])[1:])
    assert model["weights"] == f"{quick.engine_.weight_count:,}"
    assert model["random_state"] == "0"
    assert len(rows(sections["Choice"])) == 3
    scores = leaderboard(backtest, ["mae", "rmse"], train_df=frame, season_length=12)
    assert [row[0] for row in rows(sections["Scores"])[1:]] == list(scores["model"])
    assert rows(sections["Scores"])[1][1] == f"{scores['mae'][0]:,.4g}"
    assert "not calibrated" in sections["Limits"]


def test_a_forecaster_that_was_trained(tiny):
    _, sections = contents(model_card(tiny))
    assert "Choice" not in sections
    assert "It was not evaluated by a backtest." in sections["Scores"]
    model = dict(rows(sections["Model"])[1:])
    assert (model["epochs"], model["forecast"]) == ("2", "a network trained on this data")
    assert "does not say how sure it is" in sections["Limits"]
    assert "rows" not in dict(rows(sections["Data"])[1:])


def test_limits_follow_from_the_fit():
    days = pd.date_range("2024-01-01", periods=60)
    frame = pd.concat(
        [
            pd.DataFrame({"unique_id": name, "ds": days, "price": 1.0, "y": range(60)})
            for name in "ab"
        ]
    )
    frame = frame[(frame["unique_id"] == "a") | (frame["ds"] >= days[50])]
    model = Forecaster(6, **OPTIONS, future_covariates=["price"]).fit(frame)
    _, sections = contents(model_card(model, limits=["Not for holidays."]))
    for limit in (
        "Not for holidays.",
        "never negative",
        "(price) have to be known",
        "1 series were shorter",
    ):
        assert limit in sections["Limits"]
    calibrated = Forecaster(
        12, **{**OPTIONS, "level": (80,), "preset": "classic"}, calibrate=True
    ).fit(load("elnino"))
    assert "Intervals are calibrated on" in contents(model_card(calibrated))[1]["Limits"]


def test_a_regressor(regressor):
    metadata, sections = contents(model_card(regressor, test=(PAST, FUTURE), file="sines.seqcast"))
    assert metadata["tags"] == ["seqcast", "regressor"]
    assert dict(rows(sections["Data"])[1:])["future of a window"] == "3 steps"
    error = abs(regressor.predict(PAST) - FUTURE).mean()
    assert rows(sections["Scores"])[1][:2] == ["seqcast", f"{error:,.4g}"]
    assert rows(sections["Scores"])[2][0] == "last value"
    assert 'Seq2SeqRegressor.load("sines.seqcast")' in sections["How to use it"]
    assert "not evaluated" in contents(model_card(regressor))[1]["Scores"]


def test_the_lines_that_load_it_run(tiny, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tiny.save("sea.seqcast")
    (code,) = re.findall(
        r"```python\n(.*?)```", model_card(tiny, file="sea.seqcast"), flags=re.DOTALL
    )
    exec(compile(code, "card", "exec"), {})


def test_what_has_no_card(tiny, regressor, tmp_path):
    for model, given, message in (
        (tiny, {"test": (PAST, FUTURE)}, "test: expected None for a Forecaster"),
        *(
            (regressor, {name: ["mae"]}, f"{name}: expected None for a S")
            for name in ("data", "backtest", "metrics")
        ),
        *(
            (tiny, {name: tmp_path}, f"{name}: expected a frame in memory, .*read the")
            for name in ("data", "backtest")
        ),
        (LastValue(), {}, "estimator: expected a fitted Forecaster or Seq2SeqRegressor"),
    ):
        with pytest.raises(SpecError, match=message):
            model_card(model, **given)
    with pytest.raises(NotFittedError):
        model_card(Forecaster(12))


def test_names_are_letters_and_no_markdown():
    name = "<script> ![x](http://localhost) a|b\\|c `x a\r# b\u2028c &lt;"
    frame = load("elnino").rename(columns={"y": name})
    model = Forecaster(12, **OPTIONS, columns=Columns(y=name)).fit(frame.assign(unique_id="<b>|x"))
    card = model_card(
        model, title="a\nb: <c>", purpose="<script>", limits=["x | <y>"], license="mit\nx: y"
    )
    row = next(line for line in card.split("\n") if line.startswith("| targets"))
    _, _, cell, end = row.split("|")
    assert not end
    assert not set(cell) & set("<>[]`\\\r\u2028")
    assert html.unescape(cell)[1:-1] == name.replace("\r", " ").replace("\u2028", " ")
    assert not re.search(r"<[a-z]", card)
    metadata, sections = contents(card)
    assert (metadata["license"], "x" in metadata) == ("mit\nx: y", False)
    assert {len(row) for row in rows(sections["Data"])} == {2}
