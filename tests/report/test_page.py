"""A page escapes what it is given, is well-formed, and needs nothing but itself."""

import pytest
from matplotlib.figure import Figure

from seqcast.report.page import Facts, Note, Picture, Section, Table, page

EVIL = "<script>alert('x')</script> & \"quoted\""


@pytest.fixture
def read(read_page):
    """Return a function that reads a page of some blocks."""
    return lambda *blocks: read_page(page("t", "l", [Section("One", blocks)]))


def figure_of():
    figure = Figure(figsize=(3.0, 2.0))
    figure.subplots()
    return figure


TABLE = Table([EVIL, EVIL], [[EVIL, EVIL]], EVIL)
FACTS = Facts({EVIL: [EVIL, {EVIL: EVIL}]})
BLOCKS = [(Note(EVIL), 2), (TABLE, 10), (FACTS, 4), (Picture.of(figure_of(), EVIL, EVIL), 2)]


@pytest.mark.parametrize(("block", "texts"), BLOCKS)
def test_text_comes_out_as_text(block, texts, read_page):
    reader = read_page(
        page(EVIL, EVIL, [Section(EVIL, [block], name=EVIL), Section(EVIL, [block])])
    )
    assert "script" not in [tag for tag, _ in reader.tags]
    assert (
        sum(EVIL in text for text in reader.text) == 3 + 4 + texts
    )  # title, heading, lead; names and headings
    assert all(
        image["alt"] == EVIL and image["src"][:14] == "data:image/png"
        for image in reader.all("img")
    )


def test_an_attribute_cannot_be_closed_by_its_text(read):
    (image,) = read(Picture("data:,", '" onerror="alert(1)', "", 1)).all("img")
    assert image == {"src": "data:,", "alt": '" onerror="alert(1)', "width": "1"}


def test_tables_have_headings_and_marks(read):
    table = Table(
        ["model", "MAE", "is"],
        [["a", "1", "x"], ["b", "2", "y"]],
        "Scores",
        words=["is"],
        best={(0, 1)},
    )
    reader = read(table)
    assert [each["scope"] for each in reader.all("th")] == ["col"] * 3 + ["row"] * 2
    assert reader.all("td") == [{"class": "best"}, {"class": "text"}, {}, {"class": "text"}]
    cells = [text for text in reader.text if text.strip()]
    assert cells[cells.index("Scores") :] == [
        "Scores",
        "model",
        "MAE",
        "is",
        "a",
        "1",
        "x",
        "b",
        "2",
        "y",
    ]


def test_values_are_written_for_readers():
    values = {
        "a": 1234567,
        "b": 0.1 + 0.2,
        "c": True,
        "d": None,
        "e": (),
        "f": {"x": [1, 2]},
        "g": "",
    }
    expected = ["1,234,567", "0.3", "yes", "–", "–", "x: 1, 2", "–"]
    assert Facts(values).pairs() == list(zip(values, expected, strict=True))


def test_the_page_fetches_and_runs_nothing(read_page):
    text = page("t", "l", [Section("One", []), Section("Two", [], name="2")])
    reader = read_page(text)
    policy = next(each["content"] for each in reader.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'")
    assert not [sign for sign in ("url(", "http://", "https://", "{{", "{%", "{#") if sign in text]
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in reader.tags}
    assert [each["href"] for each in reader.all("a")] == ["#section-1", "#section-2"]
    assert [each["id"] for each in reader.all("section")] == ["section-1", "section-2"]
    assert reader.all("html") == [{"lang": "en"}]


def test_jinja_is_imported_when_a_page_is_written(run_python):
    code = (
        "import sys, seqcast.report.page as p; print('jinja2' in sys.modules); p.page('', '', [])"
    )
    assert run_python(code) == "False"
