"""A newcomer's walk: an empty environment, the extra `app`, one command, and a forecast on screen."""

import re
import subprocess
import sys
import time
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# From the command to a forecast on screen; what is promised is on a machine that does nothing else.
SECONDS = 30


@pytest.mark.browser
def test_from_an_empty_environment_to_a_forecast_on_screen(tmp_path, chromium):
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    install = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
    subprocess.run(
        [*install, "--constraint", ROOT / "requirements.lock", f"{ROOT}[app]"], check=True
    )
    began = time.monotonic()
    command = [python.with_name("seqcast"), "app", "--port", "0", "--no-browser"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=tmp_path)
    try:
        url = re.search(r"http://\S+", process.stdout.readline())[0]
        page = chromium.new_page()
        page.set_default_timeout(120_000)
        page.goto(url)
        page.get_by_role("button", name="Take this example").click()
        page.get_by_role("button", name="Go on to the forecast").click()
        page.get_by_role("button", name="Forecast", exact=True).click()
        page.get_by_role("heading", name="What forecasts, and why").wait_for()
        took = time.monotonic() - began
        page.close()
    finally:
        process.terminate()
        process.wait(60)
        process.stdout.close()
    print(f"a forecast on screen after {took:.1f} s")
    assert took < SECONDS
