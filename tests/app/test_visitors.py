"""Visitors who come and go, without a browser: who counts as one, and what stays of those who have left."""

import asyncio
import importlib.util
import json
import re
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

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


def held(url):
    return json.load(urllib.request.urlopen(f"{url}/held", timeout=60))


@pytest.mark.processes
def test_who_only_asks_for_the_page_takes_nobodys_place(visitors, url):
    for _ in range(20):
        assert urllib.request.urlopen(url, timeout=60).status == 200
    assert held(url)["sessions"] == 0
    # A visitor comes all the same: the count after the visit says that the table was read, and let go.
    assert asyncio.run(visitors.visit(url, 4, visitors.table(0.1)))[-1]["sessions"] == 0


@pytest.mark.processes
def test_nothing_stays_of_visitors_who_have_left(visitors, url):
    for counts in asyncio.run(visitors.visit(url, 8, visitors.table(0.1))):
        assert counts["sessions"] == 0
        assert counts["frames"] == 0


@pytest.mark.browser
def test_the_training_of_a_visitor_who_leaves_is_stopped(chromium, url):
    context = chromium.new_context()
    context.set_default_timeout(60_000)
    page = context.new_page()
    page.goto(url)
    page.get_by_role("button", name="Take this example").click()
    page.get_by_role("heading", name="The series").wait_for()
    page.get_by_role("tab", name="Forecast").click()
    page.get_by_role("radio", name=re.compile("Best")).click()
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_role("button", name="Stop and keep the best so far").wait_for()
    assert held(url)["jobs"] == 1
    context.close()
    # Its networks would take minutes; the job is stopped as the session ends.
    end = time.monotonic() + 90
    while (left := (held(url)["sessions"], held(url)["jobs"])) != (0, 0) and time.monotonic() < end:
        pass
    assert left == (0, 0)
