"""A page in a process of its own, and visitors who look at it with a browser."""

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

PROGRAM = Path(__file__).parents[2] / "benchmarks" / "page_visitors.py"


class Page:
    """A served page.

    Args:
        url: Its address.
    """

    def __init__(self, url):
        self.url = url

    def held(self):
        """Return what the process holds, where it tells."""
        return httpx.get(f"{self.url}/held", timeout=60).json()


@pytest.fixture(scope="module")
def served():
    """Start the page; stop it at the end, and see that it ends well."""
    command = [
        sys.executable,
        "-m",
        "seqcast.cli.start",
        "app",
        "--port",
        "0",
        "--no-browser",
        "--max-waiting",
        "3",
    ]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    line = process.stdout.readline()
    found = re.search(r"http://\S+", line)
    if found is None:
        process.kill()
        pytest.fail(f"the page did not start: {line}{process.communicate()[1]}")
    yield Page(found[0])
    process.terminate()
    _, told = process.communicate(timeout=60)
    assert "Traceback" not in told, told


@pytest.fixture
def open_page(chromium, served):
    """Return a function that opens the page for another visitor; complaints of the browser fail the test."""
    contexts = []
    complaints = []

    def opened(width=1280, height=800, **options):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, accept_downloads=True, **options
        )
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on(
            "console",
            lambda message: complaints.append(message.text) if message.type == "error" else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on(
            "request",
            lambda request: (
                complaints.append(request.url) if _leaves(request.url, served.url) else None
            ),
        )
        page.goto(served.url)
        page.get_by_role("tab", name="Data").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _leaves(url, ours):
    return not url.startswith((ours, ours.replace("http", "ws"), "data:", "blob:", "about:"))


@pytest.fixture(scope="session")
def visitors():
    """The program that lets visitors come and go."""
    spec = importlib.util.spec_from_file_location("page_visitors", PROGRAM)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def counting():
    """A page for eight visitors that says what it holds; each is forgotten two seconds after leaving."""
    with subprocess.Popen(
        [sys.executable, str(PROGRAM), "--serve"], stdout=subprocess.PIPE, text=True
    ) as server:
        yield Page(re.search(r"http://\S+", server.stdout.readline())[0].rstrip("/"))
        server.terminate()
