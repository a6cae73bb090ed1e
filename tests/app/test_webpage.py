"""The page, in a browser, as a person uses it."""

import io
import json
import re
import time
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

pytestmark = pytest.mark.browser

LONG = 300_000  # milliseconds: a training on a busy machine

DAYS = pd.date_range("2024-01-01", periods=120)


def weekly(level, seed):
    noise = np.random.default_rng(seed).normal(scale=0.3, size=len(DAYS))
    return np.round(level + 3 * np.sin(2 * np.pi * np.arange(len(DAYS)) / 7) + noise, 2)


def wide_file():
    table = pd.DataFrame(
        {"Tag": DAYS.strftime("%d.%m.%Y"), "Nord": weekly(10, 0), "Süd": weekly(20, 1)}
    )
    return table.to_csv(index=False, sep=";", decimal=",").encode("cp1252")


def long_file(ahead=10):
    """Two shops with a price that is known ahead: sales fall by two for each unit of the price."""
    shops = []
    for seed, shop in enumerate(("north", "south")):
        price = np.random.default_rng(seed + 7).choice([1.0, 2.0, 3.0], size=len(DAYS))
        sold = weekly(20, seed) - 2 * price
        sold[len(DAYS) - ahead :] = np.nan
        shops.append(
            pd.DataFrame({"Store": shop, "Date": DAYS.astype(str), "Sold": sold, "price": price})
        )
    return pd.concat(shops).to_csv(index=False).encode()


def give(page, name, content, kind="text/csv"):
    page.get_by_role("tab", name="Data").click()
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": kind, "buffer": content}
    )


def take(page, name, content):
    """Give a file whose columns are understood."""
    give(page, name, content)
    page.get_by_role("heading", name="The series").wait_for()


def go(page, tab):
    page.get_by_role("tab", name=tab).click()


def take_example(page):
    page.get_by_role("button", name="Take this example").click()
    page.get_by_role("heading", name="The series").wait_for()


def begin(page, effort):
    go(page, "Forecast")
    page.get_by_role("radio", name=re.compile(effort)).click()
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_role("button", name="Stop and keep the best so far").wait_for()


def forecast(page, steps=None):
    """Forecast; without steps the forecast that the page makes by itself will do."""
    go(page, "Forecast")
    if steps is not None:
        page.get_by_label("to forecast").fill(steps)
        page.get_by_label("to forecast").blur()
        page.get_by_role("button", name="Forecast", exact=True).click()
        page.get_by_role("img", name=re.compile(f"over {steps} steps")).wait_for(timeout=LONG)
    page.get_by_role("heading", name="What forecasts, and why").wait_for(timeout=LONG)


def backtest(page, moments):
    go(page, "How good")
    page.get_by_label("Moments to forecast from").fill(moments)
    page.get_by_role("button", name="Test on the past").click()
    page.get_by_role("heading", name="Series, the worst first").wait_for(timeout=LONG)


def look_inside(page):
    go(page, "Why")
    page.get_by_role("button", name="Look inside").click()
    nothing = page.get_by_text("there is no network")
    page.get_by_role("heading", name="The map of its states").or_(nothing).first.wait_for(
        timeout=LONG
    )


def download(page, button):
    with page.expect_download() as caught:
        page.get_by_role("button", name=button, exact=True).click()
    return Path(caught.value.path()).read_bytes()


AT_REST = """document.getAnimations().every(
    each => each.playState !== "running" || each.effect.getComputedTiming().endTime === Infinity)"""


def check_accessibility(page):
    """Nothing serious is found by axe-core."""
    from axe_playwright_python.sync_playwright import Axe

    # Quasar's bar of a request under way has no name.
    page.locator('.q-loading-bar:not([aria-hidden="true"])').wait_for(state="hidden")
    # Colours that are on their way are not judged.
    page.wait_for_function(AT_REST)
    found = Axe().run(page).response["violations"]
    serious = [each for each in found if each["impact"] in ("serious", "critical")]
    told = [
        (each["id"], node["html"][:200], node["target"])
        for each in serious
        for node in each["nodes"][:3]
    ]
    assert not told, json.dumps(told, indent=1)


def test_a_wide_table_from_file_to_forecast_in_every_format_and_the_model(open_page, tmp_path):
    from seqcast import Forecaster

    page = open_page()
    take(page, "absatz.csv", wide_file())
    assert page.get_by_label("The table has").input_value() == "a series in each column"
    assert page.get_by_text("semicolons between columns, decimal comma").is_visible()
    forecast(page)
    go(page, "Take away")
    table = pd.read_csv(io.BytesIO(download(page, "Forecast as CSV")), parse_dates=["Tag"])
    assert table.groupby("unique_id").size().to_dict() == {"Nord": 14, "Süd": 14}
    assert table["Tag"].min() == DAYS[-1] + pd.Timedelta(days=1)
    # The season goes on.
    truth = 10 + 3 * np.sin(2 * np.pi * (len(DAYS) + np.arange(14)) / 7)
    assert np.abs(table[table["unique_id"] == "Nord"]["seqcast"].to_numpy() - truth).mean() < 1.0
    for button, read in (
        ("Forecast as Parquet", pd.read_parquet),
        ("Forecast as Excel", pd.read_excel),
    ):
        same = read(io.BytesIO(download(page, button)))
        np.testing.assert_allclose(same["seqcast"], table["seqcast"])
    assert download(page, "Picture").startswith(b"\x89PNG")
    assert b"</html>" in download(page, "Report")
    assert "horizon=14" in download(page, "Script").decode()
    (tmp_path / "model.seqcast").write_bytes(download(page, "Model"))
    again = Forecaster.load(tmp_path / "model.seqcast").predict()
    np.testing.assert_allclose(again["seqcast"], table["seqcast"], rtol=1e-5)


def test_columns_are_corrected_and_the_series_follow(open_page):
    page = open_page()
    give(page, "absatz.csv", wide_file())
    page.get_by_role("img", name=re.compile("Values of Nord")).wait_for()
    for layout, series in (
        ("a row for each series and time", "absatz"),
        ("a series in each column", "Nord"),
    ):
        page.get_by_label("The table has").click()
        page.get_by_role("option", name=layout).click()
        page.get_by_role("img", name=re.compile(f"Values of {series}")).wait_for()


TWICE = b"".join(b"2024-01-%02d,%d\n" % (day, day) for day in (1, 2, 3, 3, 4))
BAD_FILES = [
    ("picture.csv", b"\x00\x01\x02\x03" * 40, "expected text"),
    ("empty.csv", b"", "an empty file"),
    ("sales.csv", b"ds,y\n2024-01-01,5\n2024-01-02,five\n", "received 'five'"),
    ("notes.docx", b"PK", "Expected one table"),
    ("twice.csv", b"ds,y\n" + TWICE, "2024-01-03"),
]


@pytest.mark.parametrize(("file", "content", "told"), BAD_FILES)
def test_a_bad_file_is_told_in_plain_words_and_a_good_one_taken_after_it(
    open_page, file, content, told
):
    page = open_page()
    give(page, file, content)
    alert = page.get_by_role("alert").filter(has_text=re.compile("xpected"))
    alert.first.wait_for()
    assert told in alert.first.inner_text()
    assert "seqcast-app" not in alert.first.inner_text()  # the folder that the file is kept in
    assert "Traceback" not in page.content()
    take(page, "good.csv", wide_file())
    assert not page.locator("main").get_by_role("alert").is_visible()


def month_with(word):
    """Return a file of a month of days with a word in place of the 13th number."""
    rows = [f"2024-01-{day:02d},{word if day == 13 else day % 7}" for day in range(1, 32)]
    return ("ds,y\n" + "\n".join(rows)).encode()


def test_what_is_wrong_is_shown_at_its_cell(open_page):
    page = open_page()
    give(page, "sales.csv", month_with("many"))
    cell = page.locator(".seqcast-wrong")
    cell.wait_for()
    assert cell.inner_text() == "many"
    assert cell.locator("xpath=..").inner_text().split()[0] == "14"  # as a spreadsheet counts


def test_a_word_among_numbers_is_read_as_missing(open_page):
    page = open_page()
    give(page, "sales.csv", month_with("closed"))
    alert = page.get_by_role("alert")
    assert alert.get_by_label("Read as missing").input_value() == "closed"
    alert.get_by_role("button", name="Read again").click()
    page.get_by_role("heading", name="The series of sales.csv").wait_for()
    assert page.get_by_text("'closed' for missing values").is_visible()
    assert facts(page)["missing values"] == "1"
    forecast(page)
    go(page, "Take away")
    page.get_by_text("--missing-values closed").wait_for()


def test_a_number_for_missing_values_is_told_and_read_as_missing(open_page):
    page = open_page()
    values = [
        -200.0 if day in range(3, 60, 5) else value
        for day, value in enumerate(np.random.default_rng(0).normal(size=len(DAYS)))
    ]
    rows = "\n".join(f"{day:%Y-%m-%d},{value}" for day, value in zip(DAYS, values, strict=True))
    give(page, "gas.csv", f"ds,y\n{rows}".encode())
    told = r"received -200 .12 rows.\. If it means a missing value: “Read as missing”."
    page.get_by_text(re.compile(told)).wait_for()
    page.get_by_role("button", name="Read again").first.click()
    page.get_by_text("'-200' for missing values").wait_for()
    assert facts(page)["missing values"] == "12"
    assert page.get_by_text("If it means a missing value").count() == 0


def facts(page):
    """Return the facts about the series of a table by their names."""
    table = page.get_by_role("region", name="Facts about the series")
    return dict(
        zip(
            table.locator("th").all_inner_texts(),
            table.locator("td").all_inner_texts(),
            strict=True,
        )
    )


def test_rows_that_are_pasted(open_page):
    page = open_page()
    rows = "\n".join(
        f"{day:%Y-%m-%d}\t{value}" for day, value in zip(DAYS, weekly(5, 3), strict=True)
    )
    page.get_by_label("Paste rows here").fill(f"day\tvisits\n{rows}")
    page.get_by_role("button", name="Read what was pasted").click()
    page.get_by_role("heading", name="The series").wait_for()
    assert page.get_by_role("heading", name="The series of pasted.csv").is_visible()
    assert page.get_by_text(
        re.compile("120 rows, 2 columns; .*time: day; value to forecast: visits.")
    ).is_visible()


def test_a_forecast_is_there_at_once_with_its_unit_and_its_end(open_page):
    page = open_page()
    take(page, "shops.csv", long_file())
    page.get_by_role("heading", name="north: 14 days, to 3 May 2024").wait_for(timeout=LONG)
    go(page, "Forecast")
    assert page.get_by_label("Days to forecast").input_value() == "14"
    assert page.get_by_text("to 3 May 2024", exact=True).is_visible()
    page.get_by_label("Days to forecast").fill("30")
    page.get_by_text("to 19 May 2024", exact=True).wait_for()
    assert page.get_by_text("quantile loss").count() == 0


LONG_NAME = "A name without end, of 500 g × 12 <b>&amp;\"'|;\\ " + "x" * 80


@pytest.mark.parametrize("width", [360, 768, 1280])
def test_no_name_of_a_file_or_series_breaks_the_page(open_page, width):
    page = open_page(width=width)
    products = [
        pd.DataFrame(
            {
                "product": f"{LONG_NAME} {number}",
                "Date": DAYS.astype(str),
                f"Sold of {LONG_NAME}": values,
            }
        )
        for number, values in enumerate((weekly(10, 0), weekly(20, 1)))
    ]
    take(
        page, f"{LONG_NAME.replace('/', '')}.csv", pd.concat(products).to_csv(index=False).encode()
    )
    page.get_by_role("img", name=re.compile("Values of A name.*forecast over")).wait_for(
        timeout=LONG
    )
    for tab in ("Data", "Forecast"):
        go(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        # What is wide scrolls within itself: nothing stands out of its card.
        stands_out = """() => [...document.querySelectorAll('.q-card')].filter(card => card.offsetParent !== null)
            .flatMap(card => [...card.querySelectorAll('h3, .seqcast-table, .q-field, .seqcast-chart, .seqcast-muted')]
            .filter(each => each.matches('.seqcast-table') || each.closest('.seqcast-table') === null)
            .filter(each => each.getBoundingClientRect().right > card.getBoundingClientRect().right + 1)).length"""
        assert page.evaluate(stands_out) == 0


def test_covariates_what_if_backtest_and_why(open_page):
    page = open_page()
    take(page, "shops.csv", long_file())
    go(page, "Forecast")
    page.get_by_role("radio").nth(1).wait_for()
    assert page.get_by_role("radio").count() == 3
    forecast(page, "10")

    go(page, "What if")
    cell = page.get_by_label("price on 2024-04-20")
    old = cell.input_value()
    cell.fill("3" if float(old) < 3 else "1")
    page.wait_for_function("() => document.body.innerText.length > 0")
    go(page, "Take away")
    assert download(page, "future.csv").count(b"\n") == 21
    assert download(page, "rows.csv").count(b"\n") == 221

    backtest(page, "2")
    assert page.get_by_text("On average the forecast was off by").is_visible()
    look_inside(page)


def test_a_training_that_is_stopped_keeps_the_best_so_far(open_page):
    page = open_page()
    take_example(page)
    begin(page, "Best")
    page.get_by_text(re.compile(r"Computing, [5-9] s|Training.*: \d+ s")).wait_for(timeout=LONG)
    page.get_by_role("button", name="Stop and keep the best so far").click()
    kept = page.get_by_text("this is the best so far")
    nothing = page.get_by_text("stopped before there was any result")
    kept.or_(nothing).first.wait_for(timeout=LONG)
    assert not page.get_by_role("button", name="Stop and keep the best so far").is_visible()
    # The page goes on working.
    page.get_by_role("radio", name=re.compile("Quick")).click()
    forecast(page)


def test_two_visitors_have_work_of_their_own(open_page):
    first = open_page()
    second = open_page()
    take(first, "absatz.csv", wide_file())
    take(second, "shops.csv", long_file())
    for page, mine, other in (
        (first, "absatz.csv", "shops.csv"),
        (second, "shops.csv", "absatz.csv"),
    ):
        assert mine in page.content()
        assert other not in page.content()
    begin(second, "Balanced")
    forecast(first, "5")  # what takes moments does not wait for the training of another visitor
    begin(first, "Balanced")
    first.get_by_text(re.compile("Waiting for 1 computation|Computing|Training")).wait_for()
    for page, there, elsewhere in ((first, "Nord", "north"), (second, "north", "Nord")):
        page.get_by_role("button", name="Stop and keep the best so far").wait_for(
            state="hidden", timeout=LONG
        )
        page.get_by_text("The numbers").click()
        page.get_by_role("cell", name=there, exact=True).first.wait_for()
        assert page.get_by_role("cell", name=elsewhere, exact=True).count() == 0


def test_the_post_live(open_page):
    page = open_page()
    go(page, "The post, live")
    page.get_by_role("switch", name=re.compile("side by side")).click()
    page.get_by_role("button", name="Learn").click()
    page.get_by_role("heading", name="A signal that it never saw").wait_for(timeout=LONG)
    for decoder in ("zeros, as in the post", "teacher forcing", "feeding back"):
        assert page.get_by_role("cell", name=re.compile(decoder)).is_visible()
    errors = [float(cell) for cell in page.locator("td:nth-child(2)").all_inner_texts()]
    # The network that was shown the truth is lost without it.
    assert errors[0] < 0.5
    assert errors[1] > errors[0]


def test_by_keyboard_alone(open_page):
    page = open_page()
    page.keyboard.press("Tab")  # the link past the header
    assert "Skip" in page.evaluate("document.activeElement.innerText")

    def press(text):
        for _ in range(60):
            page.keyboard.press("Tab")
            now = page.evaluate(
                "document.activeElement.tagName + document.activeElement.innerText.trim()"
            )
            if now.startswith("BUTTON") and now.endswith(text):
                return page.keyboard.press("Enter")
        return pytest.fail(f"{text} was not reached")

    press("Take this example")
    page.get_by_role("heading", name="The series").wait_for()
    press("Go on to the forecast")
    page.get_by_role("heading", name="What forecasts, and why").wait_for(timeout=LONG)
    press("Forecast")
    page.get_by_role("button", name="Stop and keep the best so far").wait_for()


def test_at_a_phones_width_nothing_is_cut_off(open_page):
    page = open_page(width=390, height=844, has_touch=True, is_mobile=True)
    take_example(page)
    for tab in ("Data", "Forecast"):
        go(page, tab)
        assert page.evaluate("document.documentElement.scrollWidth") <= 390
    forecast(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_serious(open_page, scheme):
    page = open_page(color_scheme=scheme)
    assert ("body--dark" in page.locator("body").get_attribute("class")) == (scheme == "dark")
    check_accessibility(page)
    take(page, "shops.csv", wide_file())
    check_accessibility(page)
    forecast(page)
    check_accessibility(page)
    for tab in ("How good", "Why", "What if", "The post, live", "Take away"):
        go(page, tab)
        check_accessibility(page)


def test_the_training_of_a_visitor_who_leaves_is_stopped(chromium, counting):
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(counting.url)
    take_example(page)
    begin(page, "Best")
    assert counting.held()["jobs"] == 1
    context.close()
    # Its networks would take minutes; the job is stopped as the session ends.
    end = time.monotonic() + 90
    while ((left := counting.held())["sessions"], left["jobs"]) != (0, 0):
        assert time.monotonic() < end
