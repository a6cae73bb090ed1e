"""Pictures of each state of the page, made in Debian's Chromium.

    python benchmarks/app_pictures.py    # a few minutes

Those that docs/app.md shows go to docs/images/, the others to results/app_pictures/, to be looked
at.
"""

import re
import shutil
import subprocess
import sys
from contextlib import contextmanager

import numpy as np
import pandas as pd
from playwright.sync_api import sync_playwright

from harness import DOCS, RESULTS, options, small_picture

SHOWN = ("forecast", "scores", "phone")
IMAGES = DOCS / "images"
OTHERS = RESULTS / "app_pictures"
WIDTH = 1280
HEIGHT = 800
# Colours of a picture: text stays sharp, and files small.
COLOURS = 48
LONG = 300_000


def shops():
    """Return two shops whose sales fall with the price, which is known a fortnight ahead."""
    days = pd.date_range("2025-01-01", periods=200)
    parts = []
    for seed, shop in enumerate(("north", "south")):
        rng = np.random.default_rng(seed)
        price = rng.choice([1.0, 2.0, 3.0], size=len(days))
        week = np.tile([0.0, 0, 1, 1, 3, 6, 5], len(days))[: len(days)]
        sold = np.round(20 + 8 * seed + week - 2 * price + rng.normal(0, 0.7, len(days)), 1)
        sold[-14:] = np.nan
        parts.append(pd.DataFrame({"shop": shop, "day": days, "sold": sold, "price": price}))
    return pd.concat(parts)


@contextmanager
def served():
    """Serve the page while the block runs; its address."""
    command = [sys.executable, "-m", "seqcast.cli.start", "app", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    try:
        yield re.search(r"http://\S+", process.stdout.readline())[0]
    finally:
        process.terminate()
        process.wait()


def opened(browser, url, width=WIDTH, height=HEIGHT, scheme="light"):
    """Return the page in a window of its own."""
    page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)
    page.set_default_timeout(60_000)
    page.goto(url)
    page.get_by_role("tab", name="Data").wait_for()
    return page


def draw(page, name, *, whole=False):
    """Write a picture of the page.

    Args:
        page: The page.
        name: Name of the picture.
        whole: Whether also what is below the screen.
    """
    page.wait_for_timeout(1_000)
    path = (IMAGES if name in SHOWN else OTHERS) / f"app_{name}.png"
    path.write_bytes(small_picture(page.screenshot(full_page=whole), COLOURS))
    print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB", flush=True)


def give(page, name, table):
    """Drop a file on the page."""
    page.get_by_role("tab", name="Data").click()
    page.locator("input[type=file]").set_input_files(
        {"name": name, "mimeType": "text/csv", "buffer": table}
    )


def ask(page, tab, button, heading):
    """Go to a panel, press a button and wait for its answer."""
    page.get_by_role("tab", name=tab).click()
    page.get_by_role("button", name=button, exact=True).click()
    page.get_by_role("heading", name=heading).wait_for(timeout=LONG)


def walk(page):
    """Go through all panels with the two shops."""
    draw(page, "begin")
    give(
        page, "broken.csv", b"day,sold\n2025-01-01,4\n2025-01-02,five\n2025-01-03,6\n2025-01-04,5\n"
    )
    page.locator(".seqcast-wrong").wait_for()
    draw(page, "problem", whole=True)
    give(page, "shops.csv", shops().to_csv(index=False).encode())
    page.get_by_role("heading", name="The series").wait_for()
    draw(page, "data", whole=True)
    page.get_by_role("tab", name="Forecast").click()
    page.get_by_role("radio", name=re.compile("Balanced")).click()
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_text(re.compile(r"at most \d+ s left")).wait_for(timeout=LONG)
    page.wait_for_timeout(4_000)
    draw(page, "training")
    page.get_by_role("button", name="Stop and keep the best so far").wait_for(
        state="hidden", timeout=LONG
    )
    draw(page, "forecast", whole=True)
    page.get_by_role("tab", name="What if").click()
    page.locator("table input").first.fill("3")
    page.get_by_text("What is known in advance").wait_for()
    page.wait_for_timeout(6_000)
    draw(page, "what_if")
    ask(page, "How good", "Test on the past", "Series, the worst first")
    draw(page, "scores", whole=True)
    ask(page, "Why", "Look inside", "The map of its states")
    draw(page, "why", whole=True)
    page.get_by_role("tab", name="Take away").click()
    draw(page, "take", whole=True)
    page.get_by_role("tab", name="The post, live").click()
    page.get_by_role("switch", name=re.compile("side by side")).click()
    ask(page, "The post, live", "Learn", "A signal that it never saw")
    draw(page, "post", whole=True)


def main():
    """Draw all pictures."""
    options(__doc__).parse_args()
    chromium = shutil.which("chromium")
    OTHERS.mkdir(parents=True, exist_ok=True)
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        walk(opened(browser, url))
        for name, width, height, scheme in (
            ("dark", WIDTH, HEIGHT, "dark"),
            ("phone", 390, 844, "light"),
        ):
            page = opened(browser, url, width, height, scheme)
            page.get_by_role("button", name="Take this example").click()
            page.get_by_role("heading", name="The series").wait_for()
            ask(page, "Forecast", "Forecast", "What forecasts, and why")
            draw(page, name)
        browser.close()


if __name__ == "__main__":
    main()
