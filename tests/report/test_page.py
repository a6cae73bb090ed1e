"""HTML is escaped by construction, and well-formed."""

from html.parser import HTMLParser

from matplotlib.figure import Figure

from seqcast.report.page import Markup, element, facts, page, picture, section, table

EVIL = "<script>alert('x')</script> & \"quoted\""
VOID = {"img", "meta", "br"}


class Reader(HTMLParser):
    """Reads a page, refuses tags that do not match, keeps what it met."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.text, self.cells = [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)

    def all(self, name):
        return [attributes for tag, attributes in self.tags if tag == name]


def test_text_comes_out_as_text():
    for made in (
        element("p", EVIL),
        element("p", "x", title=EVIL),
        section(EVIL, EVIL),
        table([EVIL, EVIL], [[EVIL, EVIL]], EVIL),
        facts({EVIL: [EVIL, {EVIL: EVIL}]}),
        page(EVIL, EVIL, {EVIL: section(EVIL)}),
    ):
        reader = Reader(made)
        assert "script" not in [tag for tag, _ in reader.tags]
        assert EVIL in "".join(reader.text) or EVIL in [value for each in reader.all("p") for value in each.values()]


def test_markup_is_not_escaped_again():
    assert element("p", element("b", "1 < 2")) == "<p><b>1 &lt; 2</b></p>"
    assert element("p", Markup("&amp;"), class_="note") == '<p class="note">&amp;</p>'


def test_tables_have_headings_and_marks():
    made = table(["model", "MAE", "is"], [["a", "1", "x"], ["b", "2", "y"]], "Scores", text=["is"], best={(0, 1)})
    reader = Reader(made)
    assert [each["scope"] for each in reader.all("th")] == ["col"] * 3 + ["row"] * 2
    assert reader.all("td") == [{"class": "best"}, {"class": "text"}, {}, {"class": "text"}]


def test_pictures_are_inside_and_described():
    figure = Figure()
    figure.subplots()
    (image,) = Reader(picture(figure, EVIL, "caption")).all("img")
    assert image["src"].startswith("data:image/png;base64,iVBOR")
    assert image["alt"] == EVIL


def test_values_are_written_for_readers():
    made = facts({"a": 1234567, "b": 0.1 + 0.2, "c": True, "d": None, "e": (), "f": {"x": [1, 2]}, "g": ""})
    assert "".join(Reader(made).text) == "a1,234,567b0.3cyesd–e–fx: 1, 2g–"


def test_the_page_fetches_and_runs_nothing():
    text = page("t", "l", {"One": section("One")})
    reader = Reader(text)
    policy = next(each["content"] for each in reader.all("meta") if "http-equiv" in each)
    assert policy.startswith("default-src 'none'")
    assert "url(" not in text
    assert "http://" not in text
    assert "https://" not in text
    assert not {"script", "link", "iframe", "object"} & {tag for tag, _ in reader.tags}
    assert [each["href"] for each in reader.all("a")] == ["#part-1"]
    assert "part-1" in [each.get("id") for each in reader.all("div")]
    assert reader.all("html") == [{"lang": "en"}]
