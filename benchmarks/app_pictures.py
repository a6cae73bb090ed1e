"""Pictures of each state of the page for docs/app.md, made in Debian's Chromium.

python benchmarks/app_pictures.py            # writes docs/images/app_*.png; a few minutes
"""

from __future__ import annotations

import argparse
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from playwright.sync_api import Page, sync_playwright

from pictures import small

IMAGES = Path(__file__).parents[1] / "docs" / "images"
WIDTH, HEIGHT = 1280, 800
# Colours of a picture: text stays sharp, and files small.
COLOURS = 48
LONG = 300_000


def shops() -> pd.DataFrame:
    """Return two shops whose sales fall with the price, which is known a fortnight ahead."""
    days, parts = pd.date_range("2025-01-01", periods=200), []
    for seed, shop in enumerate(("north", "south")):
        rng = np.random.default_rng(seed)
        price = rng.choice([1.0, 2.0, 3.0], size=len(days))
        week = np.tile([0.0, 0, 1, 1, 3, 6, 5], len(days))[: len(days)]
        sold = np.round(20 + 8 * seed + week - 2 * price + rng.normal(0, 0.7, len(days)), 1)
        sold[-14:] = np.nan
        parts.append(pd.DataFrame({"shop": shop, "day": days, "sold": sold, "price": price}))
    return pd.concat(parts)


@contextmanager
def served() -> Iterator[str]:
    """Serve the page while the block runs; its address."""
    command = [sys.executable, "-m", "seqcast.cli.start", "app", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    try:
        found = re.search(r"http://\S+", process.stdout.readline())
        assert found is not None
        yield found[0]
    finally:
        process.terminate()
        process.wait()


def draw(page: Page, name: str, *, whole: bool = False) -> None:
    """Write a picture of the page.

    Args:
        page: The page.
        name: Name of the picture.
        whole: Whether also what is below the screen.
    """
    page.wait_for_timeout(1_000)
    (IMAGES / f"app_{name}.png").write_bytes(small(page.screenshot(full_page=whole), COLOURS))


def give(page: Page, name: str, table: bytes) -> None:
    """Drop a file on the page."""
    page.get_by_role("tab", name="Data").click()
    page.locator("input[type=file]").set_input_files({"name": name, "mimeType": "text/csv", "buffer": table})


def walk(page: Page) -> None:
    """Go through all panels with the two shops."""
    draw(page, "begin")
    give(page, "broken.csv", b"day,sold\n2025-01-01,4\n2025-01-02,five\n2025-01-03,6\n2025-01-04,5\n")
    page.locator(".seqcast-wrong").wait_for()
    draw(page, "problem", whole=True)
    give(page, "shops.csv", shops().to_csv(index=False).encode())
    page.get_by_role("heading", name="The series").wait_for()
    draw(page, "data", whole=True)
    page.get_by_role("tab", name="Forecast").click()
    page.get_by_role("button", name="Forecast", exact=True).click()
    page.get_by_text(re.compile(r"at most \d+ s left")).wait_for(timeout=LONG)
    page.wait_for_timeout(4_000)
    draw(page, "training")
    page.get_by_role("heading", name="What forecasts, and why").wait_for(timeout=LONG)
    draw(page, "forecast", whole=True)
    page.get_by_role("tab", name="What if").click()
    page.locator("table input").first.fill("3")
    page.get_by_text("What is known in advance").wait_for()
    page.wait_for_timeout(6_000)
    draw(page, "what_if")
    page.get_by_role("tab", name="How good").click()
    page.get_by_role("button", name="Test on the past").click()
    page.get_by_role("heading", name="Series, the worst first").wait_for(timeout=LONG)
    draw(page, "scores", whole=True)
    page.get_by_role("tab", name="Why").click()
    page.get_by_role("button", name="Look inside").click()
    page.get_by_role("heading", name="The map of its states").wait_for(timeout=LONG)
    draw(page, "why", whole=True)
    page.get_by_role("tab", name="Take away").click()
    draw(page, "take", whole=True)
    page.get_by_role("tab", name="The post, live").click()
    page.get_by_role("switch", name=re.compile("side by side")).click()
    page.get_by_role("button", name="Learn").click()
    page.get_by_role("heading", name="A signal that it never saw").wait_for(timeout=LONG)
    draw(page, "post", whole=True)


def main() -> None:
    """Draw all pictures."""
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    chromium: Any = shutil.which("chromium")
    with served() as url, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": WIDTH, "height": HEIGHT})
        page.set_default_timeout(60_000)
        page.goto(url)
        walk(page)
        for name, width, height, scheme in (("dark", WIDTH, HEIGHT, "dark"), ("phone", 390, 844, "light")):
            page = browser.new_page(viewport={"width": width, "height": height}, color_scheme=scheme)  # type: ignore[arg-type]
            page.set_default_timeout(60_000)
            page.goto(url)
            page.get_by_role("button", name="Take this example").click()
            page.get_by_role("heading", name="The series").wait_for()
            page.get_by_role("tab", name="Forecast").click()
            page.get_by_role("button", name="Forecast", exact=True).click()
            page.get_by_role("heading", name="What forecasts, and why").wait_for(timeout=LONG)
            draw(page, name)
        browser.close()
    for path in sorted(IMAGES.glob("app_*.png")):
        print(f"{path.name}: {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    main()
