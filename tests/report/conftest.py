"""A reader of pages, which rejects tags that do not match."""

import re
from html.parser import HTMLParser

import pytest

VOID = {"img", "meta", "br"}


class Reader(HTMLParser):
    """Reads a page, rejects tags that do not match, keeps what it met."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open = []
        self.tags = []
        self.text = []
        self.feed(text)
        self.close()
        assert self.open == []
        self.words = re.sub(r"\s+", " ", " ".join(self.text))

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


@pytest.fixture(scope="session")
def read_page():
    """Return the reader: called with HTML, it has the tags, their attributes and the text."""
    return Reader
