"""The built site in a browser: every page, at a desk's and a phone's width; search, dark mode, no server, no network.

`make test-site` builds it first.
"""

import re
from pathlib import Path

import pytest

import seqcast

ROOT = Path(__file__).resolve().parents[2]
SITE = ROOT / "site"
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}


pytestmark = pytest.mark.browser

# What is wrong with a page that a browser shows.
LOOK = """() => {
  const problems = [];
  const titles = [...document.querySelectorAll("article h1")].map(title => title.innerText.trim());
  if (titles.length !== 1 || !titles[0]) problems.push(`titles: ${JSON.stringify(titles)}`);
  const room = document.documentElement.clientWidth;
  if (document.documentElement.scrollWidth > room) {
    const wide = [...document.querySelectorAll("article *")].filter(e => e.getBoundingClientRect().right > room + 1);
    problems.push(`wider than ${room}: ${wide.slice(0, 3).map(e => e.outerHTML.slice(0, 120)).join(" | ")}`);
  }
  for (const image of document.querySelectorAll("article img")) {
    if (!image.complete || image.naturalWidth === 0) problems.push(`picture: ${image.src}`);
    if (!image.alt) problems.push(`a picture without words: ${image.src}`);
  }
  for (const equation of document.querySelectorAll(".arithmatex")) {
    if (!equation.querySelector(".katex") || equation.querySelector(".katex-error")) {
      problems.push(`equation: ${equation.innerText.slice(0, 80)}`);
    }
  }
  return problems;
}"""


@pytest.fixture(scope="module")
def pages():
    found = sorted(SITE.rglob("*.html"))
    if not found:
        pytest.fail(f"there is no site in {SITE}: make docs builds it")
    return [path.relative_to(SITE).as_posix() for path in found]


@pytest.fixture(scope="module")
def address(serve_folder):
    return serve_folder(SITE)


@pytest.fixture
def open_browser(chromium):
    """Return a function that makes a page; complaints, failures and what is asked of other hosts fail the test."""
    contexts = []
    complaints = []

    def opened(root, viewport=DESK, **options):
        context = chromium.new_context(viewport=viewport, **options)
        contexts.append(context)
        page = context.new_page()

        def only_ours(route):
            if route.request.url.startswith((root, "data:", "blob:")):
                route.continue_()
            else:
                complaints.append(f"asked of another host: {route.request.url}")
                route.abort()

        page.route("**/*", only_ours)
        page.on(
            "console",
            lambda it: complaints.append(it.text) if it.type in ("error", "warning") else None,
        )
        page.on("pageerror", lambda error: complaints.append(str(error)))
        # The browser drops what a page that it leaves has not loaded yet, such as its icon.
        dropped = "net::ERR_ABORTED"
        page.on(
            "requestfailed", lambda it: complaints.append(it.url) if it.failure != dropped else None
        )
        page.on(
            "response",
            lambda it: complaints.append(f"{it.status}: {it.url}") if not it.ok else None,
        )
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


# ---------------------------------------------------------------- what is there


def test_no_page_is_missing(pages, site_modules):
    gathering = site_modules("pages")
    documents = [path.relative_to(ROOT).as_posix() for path in gathering.pages_of()]
    expected = {gathering.site_path(name) for name in [*documents, *gathering.DOCUMENTS]}
    shown = {page for page in pages if not page.startswith(f"{gathering.CODE}/")} - {"404.html"}
    assert shown == {re.sub(r"\.md$", ".html", name) for name in expected}
    assert f"{gathering.CODE}/examples/inside_demand.py.html" in pages


# ---------------------------------------------------------------- what is seen


@pytest.mark.parametrize("viewport", [DESK, PHONE], ids=["desk", "phone"])
def test_every_page_is_whole(pages, address, open_browser, viewport):
    browser = open_browser(address, viewport)
    problems = {}
    for page in pages:
        if page == "404.html":
            continue
        browser.goto(address + page)
        if found := browser.evaluate(LOOK):
            problems[page] = found
    assert problems == {}


def test_equations_of_docstrings_are_set_and_fonts_come_with_the_site(address, open_browser):
    browser = open_browser(address)
    browser.goto(f"{address}reference/network.html")
    assert browser.locator(".arithmatex .katex-display").count() >= 3
    assert "tanh" in browser.locator(".arithmatex").filter(has_text="tanh").first.inner_text()
    assert browser.get_by_text(".. math::").count() == 0
    assert (
        browser.locator("header .md-header__topic").first.inner_text()
        == f"seqcast {seqcast.__version__}"
    )
    fonts = "document.fonts.ready.then(() => [...document.fonts].filter(f => f.status === 'loaded').map(f => f.family))"
    loaded = {name.strip('"') for name in browser.evaluate(fonts)}
    assert loaded >= {"Inter Variable", "JetBrains Mono Variable"}


@pytest.mark.parametrize("place", ["server", "folder"])
def test_search_answers(place, address, open_browser):
    root = address if place == "server" else SITE.as_uri() + "/"
    browser = open_browser(root)
    browser.goto(f"{root}index.html")
    browser.locator(".md-search__input").click()
    browser.locator(".md-search__input").press_sequentially("calibrate_intervals")
    results = browser.locator(".md-search-result__link")
    results.first.wait_for()
    assert any(
        "reference/intervals.html" in link
        for link in results.evaluate_all("all => all.map(a => a.href)")
    )


def test_dark_mode_toggles_and_is_kept(address, open_browser):
    browser = open_browser(address, color_scheme="light")
    browser.goto(address)
    colour = "getComputedStyle(document.body).backgroundColor"
    light = browser.evaluate(colour)
    browser.get_by_title("Switch to dark mode").click()
    browser.wait_for_function(f"{colour} !== '{light}'")
    assert browser.locator("body").get_attribute("data-md-color-scheme") == "slate"
    browser.goto(f"{address}gallery.html")
    assert browser.locator("body").get_attribute("data-md-color-scheme") == "slate"
    assert browser.evaluate(colour) != light
    by_system = open_browser(address, color_scheme="dark")
    by_system.goto(address)
    assert by_system.locator("body").get_attribute("data-md-color-scheme") == "slate"


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_pages_can_be_read_by_everybody(address, open_browser, scheme):
    """axe-core: contrast, names of buttons, order of headings; one page of each kind."""
    from axe_playwright_python.sync_playwright import Axe

    browser = open_browser(address, color_scheme=scheme)
    problems = {}
    for page in (
        "index",
        "gallery",
        "frames",
        "accuracy",
        "reference/network",
        "reference/command-line",
    ):
        browser.goto(f"{address}{page}.html")
        found = Axe().run(browser).response["violations"]
        problems[page] = [
            each["help"] for each in found if each["impact"] in ("serious", "critical")
        ]
    assert {page: found for page, found in problems.items() if found} == {}


def test_on_a_phone_the_navigation_opens(address, open_browser):
    browser = open_browser(address, PHONE)
    browser.goto(f"{address}reference/index.html")
    link = browser.locator(".md-sidebar--primary").get_by_role("link", name="Inspection")
    assert not link.is_visible() or link.bounding_box()["x"] < 0
    browser.locator("header label[for=__drawer]").click()
    browser.wait_for_timeout(400)  # the drawer slides in
    link.click()
    browser.wait_for_url("**/reference/inspect.html")
