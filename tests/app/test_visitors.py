"""Visitors who come and go, without a browser: who counts as one, and what stays of those who have left."""

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

pytestmark = pytest.mark.processes

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "page_visitors.py"


@pytest.fixture(scope="module")
def visitors():
    """The program that lets visitors come and go."""
    spec = importlib.util.spec_from_file_location("page_visitors", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def url(visitors):
    """The address of a page for eight visitors that says what it holds; each is forgotten two seconds after leaving."""
    with subprocess.Popen([sys.executable, str(PROGRAM), "--serve"], stdout=subprocess.PIPE, text=True) as server:
        yield re.search(r"http://\S+", server.stdout.readline())[0].rstrip("/")
        server.terminate()


def test_who_only_asks_for_the_page_takes_nobodys_place(visitors, url):
    for _ in range(20):
        assert urllib.request.urlopen(url, timeout=60).status == 200
    assert json.load(urllib.request.urlopen(f"{url}/held", timeout=60))["sessions"] == 0
    # A visitor comes all the same: the count after the visit says that the table was read, and let go.
    assert asyncio.run(visitors.visit(url, 4, visitors.table(0.1)))[-1]["sessions"] == 0


def test_nothing_stays_of_visitors_who_have_left(visitors, url):
    for held in asyncio.run(visitors.visit(url, 8, visitors.table(0.1))):
        assert held["sessions"] == 0
        assert held["frames"] == 0
