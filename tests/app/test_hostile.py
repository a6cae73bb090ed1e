"""What a stranger writes into a table stays text: in all panels, in scripts, and in what is taken away."""

import ast
import re
from pathlib import Path

import numpy as np
import openpyxl
import pandas as pd
import pytest

import seqcast.app
from seqcast.app import charts, recipes
from seqcast.app.visitor_table import Roles, Table
from seqcast.app.visitors import Session
from seqcast.tables.writing import table_bytes

from .test_webpage import backtest, download, forecast, give, go, look_inside

# Sets a flag, or asks another address, wherever it is read as more than text.
SCRIPT = "(window.hacked=1)"
HTML = f"<img src=x onerror={SCRIPT}>"
PRICE = f'price" :data-a="{SCRIPT}" \' :data-b={SCRIPT} {{{{{SCRIPT}}}}} {HTML}'
NAMES = {
    "time": f"when :title={SCRIPT}",
    "value": f'sold\n```\n{HTML}\n[a](javascript:alert(1)) " :data-c="{SCRIPT}" `${{{SCRIPT}}}`',
    "weather": f":weather='{SCRIPT}' =1+1 <script>{SCRIPT}</script>",
}
IDS = (
    f'=HYPERLINK("http://192.0.2.1","a")" :data-d="{SCRIPT}"',
    f"$\\frac{{ {{{{constructor.constructor('{SCRIPT}')()}}}} {HTML}",
)
OPTIONS = (f'dry" :data-e="{SCRIPT}', f"{HTML}\n{{{{{SCRIPT}}}}}")
FILE = f"a' :data-f={SCRIPT} <b onclick={SCRIPT}>`${{}}`.csv"

# Methods and functions of NiceGUI whose texts are parsed: as props, styles, HTML, Markdown, CSS,
# templates or scripts.
PARSED = {
    *("props", "default_props", "style", "default_style", "classes", "default_classes", "tailwind"),
    *(
        "html",
        "markdown",
        "code",
        "restructured_text",
        "mermaid",
        "chat_message",
        "editor",
        "interactive_image",
    ),
    *(
        "run_javascript",
        "run_method",
        "get_computed_prop",
        "run_chart_method",
        "run_column_method",
        "run_row_method",
    ),
    *(
        "add_slot",
        "add_head_html",
        "add_body_html",
        "add_css",
        "add_scss",
        "add_sass",
        "query",
        "teleport",
    ),
}
PARSED_ARGUMENTS = {"js_handler", "html", "html_columns", "template", "content_html"}


def hostile_table(days=90, ahead=7):
    """Two shops with a price and a kind of weather that are known ahead, all with names that are no plain text."""
    stamps = pd.date_range("2024-01-01", periods=days).strftime("%Y-%m-%d")
    shops = []
    for seed, shop in enumerate(IDS):
        random = np.random.default_rng(seed)
        price = random.choice([1.0, 2.0, 3.0], size=days)
        sold = np.round(
            20 + 3 * np.sin(np.arange(days) * 2 * np.pi / 7) - 2 * price + random.normal(size=days),
            2,
        )
        sold[days - ahead :] = np.nan
        columns = {"shop`": shop, NAMES["time"]: stamps, NAMES["value"]: sold, PRICE: price}
        shops.append(pd.DataFrame({**columns, NAMES["weather"]: random.choice(OPTIONS, size=days)}))
    return pd.concat(shops)


def roles(table):
    return Roles(
        dict(zip(table.columns, ("unique_id", "time", "value", "future", "future"), strict=True))
    )


@pytest.fixture
def session(tmp_path):
    """A visitor with the hostile table, whose columns are what a person says they are."""
    session = Session(tmp_path)
    table = hostile_table()
    read = Table.read(session.store(FILE, table.to_csv(index=False).encode()))
    session.take(Table(read.path, read.raw, roles(table)))
    return session


def trees():
    """Yield name and syntax tree of each of the page's sources."""
    for path in Path(seqcast.app.__file__).parent.rglob("*.py"):
        yield path.name, ast.parse(path.read_text())


def parsed_arguments():
    """Yield each argument of the page's sources that a browser or NiceGUI parses, with its place."""
    for file, tree in trees():
        assigned = [node for node in tree.body if isinstance(node, ast.Assign)]
        constants = {
            ast.unparse(target): node.value for node in assigned for target in node.targets
        }
        for node in ast.walk(tree):
            if isinstance(node, ast.Call):
                name = (
                    node.func.attr
                    if isinstance(node.func, ast.Attribute)
                    else getattr(node.func, "id", "")
                )
                keywords = [
                    each.value
                    for each in node.keywords
                    if name in PARSED or each.arg in PARSED_ARGUMENTS
                ]
                for argument in [*(node.args if name in PARSED else ()), *keywords]:
                    words = ast.unparse(argument)
                    yield f"{file}:{node.lineno} {name}({words})", constants.get(words, argument)


def is_literal(value):
    """Whether a value is a constant, or a choice of two."""
    return isinstance(value, ast.Constant) or (
        isinstance(value, ast.IfExp) and is_literal(value.body) and is_literal(value.orelse)
    )


def test_what_is_parsed_is_a_literal():
    seen = dict(parsed_arguments())
    assert len(seen) > 40
    assert [place for place, value in seen.items() if not is_literal(value)] == []


def test_names_of_props_are_literals_and_never_scripts():
    for file, tree in trees():
        for node in ast.walk(tree):
            if isinstance(node, ast.Subscript) and ast.unparse(node.value).endswith(
                (".props", "._props", ".style")
            ):
                assert isinstance(node.slice, ast.Constant), f"{file}:{node.lineno}"
                assert not node.slice.value.startswith(":"), f"{file}:{node.lineno}"


def test_options_of_charts_have_names_of_columns_as_values_only(session):
    line = session.frame.series(IDS[0])
    hostile = ":formatter"
    drawn = [
        charts.fan_chart(hostile, line, None, {}, unit=hostile),
        charts.fan_chart(
            hostile, line, line, {hostile: (line[1], line[1])}, before=line, unit=hostile
        ),
        charts.line_chart({hostile: [1.0]}, x=[hostile], x_name=hostile, y_name=hostile),
        charts.map_chart([(0.0, 0.0, 0.0, hostile)], low=hostile, high=hostile),
    ]

    def keys(node):
        if isinstance(node, dict):
            yield from node
        for each in (
            node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        ):
            yield from keys(each)

    assert not [key for chart in drawn for key in keys(chart) if key.startswith(":")]
    assert charts.fan_chart("a", line, None, {}, unit="a\nb")["yAxis"]["name"] == "a b"


def test_the_script_is_python_with_the_names_as_they_are(session):
    session.ask(horizon=7)
    script = recipes.script_of(session.table, session.frame, session.asked)
    literals = {
        node.value for node in ast.walk(ast.parse(script)) if isinstance(node, ast.Constant)
    }
    assert {NAMES["time"], NAMES["value"], PRICE, NAMES["weather"]} <= literals
    compile(script, "forecast.py", "exec")


FILE_NAMES = [
    "..",
    ".",
    "",
    "\0",
    "a" * 400 + ".csv",
    "ä" * 300 + ".csv",
    "x\n\0y.csv",
    "..\\..\\z.csv",
]


@pytest.mark.parametrize("name", FILE_NAMES)
def test_a_file_of_any_name_is_stored_in_the_visitors_folder(tmp_path, name):
    path = Session(tmp_path).store(name, b"ds,y\n")
    assert path.read_bytes() == b"ds,y\n"
    assert path.parent == tmp_path / "table"


FORMULAS = ["=1+1", "+1", "-1", "@SUM(1)", "\t=1", "=cmd|' /C calc'!A0", IDS[0], "http://192.0.2.1"]


def test_workbooks_hold_text_and_no_formulas(tmp_path):
    table = pd.DataFrame(
        {"=2+2": FORMULAS, "y": range(len(FORMULAS)), "ds": pd.Timestamp("2024-01-01")}
    )
    (tmp_path / "forecast.xlsx").write_bytes(table_bytes(table, "xlsx"))
    sheet = openpyxl.load_workbook(tmp_path / "forecast.xlsx")["forecast"]
    cells = [cell for row in sheet.iter_rows() for cell in row]
    assert {cell.data_type for cell in cells} <= {"s", "n", "d"}
    assert [sheet.cell(row + 2, 1).value for row in range(len(FORMULAS))] == FORMULAS
    assert sheet.cell(1, 1).value == "=2+2"
    assert not any(cell.hyperlink for cell in cells)
    pd.testing.assert_frame_equal(
        pd.read_excel(tmp_path / "forecast.xlsx").astype(table.dtypes), table
    )


@pytest.mark.browser
def test_a_hostile_table_in_all_panels(open_page):
    """No script, no request elsewhere, no complaint of the browser (`open_page` sees to these two), no broken page."""
    page = open_page()
    dialogs = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))

    def check(panel):
        page.wait_for_timeout(300)
        assert page.evaluate("window.hacked") is None, panel
        assert dialogs == [], panel
        live = page.evaluate(
            "[...document.querySelectorAll('*')].flatMap(e => [...e.attributes])"
            ".filter(a => a.name.startsWith('data-') && a.name.length === 6 || a.value.startsWith('javascript:'))"
            ".map(a => a.name + '=' + a.value)"
        )
        assert live == [], panel
        assert page.locator("main img, main script, main b").count() == 0, panel

    table = hostile_table()
    give(page, FILE, table.to_csv(index=False).encode())
    page.get_by_role("heading", name="What the columns are").wait_for()
    check("data")
    for name, role in zip(table.columns, roles(table).of.values(), strict=True):
        words = {
            "unique_id": "name of the series",
            "value": "value to forecast",
            "future": "known in advance",
        }
        choose = page.get_by_label(f"What the column {name} is", exact=True)
        choose.click()
        page.get_by_role("option", name=words.get(role, role), exact=True).click()
        page.locator(".q-menu").wait_for(state="hidden")
    page.get_by_role("heading", name="The series").wait_for()
    page.get_by_role("img", name=re.compile("Values of")).first.hover()
    check("series")

    forecast(page, "7")
    page.get_by_text("The numbers").click()
    page.get_by_role("img", name=re.compile("their forecast over")).first.hover()
    check("forecast")

    go(page, "What if")
    cell = page.get_by_label(f"{PRICE} on 2024-03-24", exact=True)
    cell.fill("3" if cell.input_value() != "3" else "1")
    page.get_by_label(f"{NAMES['weather']} on 2024-03-24", exact=True).click()
    page.get_by_role("option").first.click()
    check("what if")

    backtest(page, "1")
    check("how good")
    look_inside(page)
    check("why")

    go(page, "Take away")
    check("take away")
    script = download(page, "Script").decode()
    assert page.get_by_role("region", name="Python script").text_content() == script
    for button in (
        "Forecast as CSV",
        "Forecast as Excel",
        "Forecast as Parquet",
        "Picture",
        "Model",
        "future.csv",
    ):
        assert download(page, button)
    report = download(page, "Report").decode()
    assert HTML not in report
    check("downloads")
