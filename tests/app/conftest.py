"""A page in a process of its own, and visitors who look at it with a browser."""

import re
import subprocess
import sys

import pytest


class Page:
    """A served page.

    Args:
        url: Its address.
    """

    def __init__(self, url):
        self.url = url


@pytest.fixture(scope="module")
def served():
    """Start the page; stop it at the end, and see that it ends well."""
    command = [sys.executable, "-m", "seqcast.cli.start", "app", "--port", "0", "--no-browser", "--max-waiting", "3"]
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
    contexts, complaints = [], []

    def opened(width=1280, height=800, **options):
        context = chromium.new_context(viewport={"width": width, "height": height}, accept_downloads=True, **options)
        context.set_default_timeout(60_000)
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("request", lambda request: complaints.append(request.url) if _leaves(request.url, served.url) else None)
        page.goto(served.url)
        page.get_by_role("tab", name="Data").wait_for()
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _leaves(url, ours):
    return not url.startswith((ours, ours.replace("http", "ws"), "data:", "blob:", "about:"))
