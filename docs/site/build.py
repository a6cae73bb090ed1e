"""Build the site: `make docs` runs `python docs/site/build.py`.

    python docs/site/build.py                   # into site/
    python docs/site/build.py --site /tmp/site

A warning ends it: a page that the navigation lacks, a link or an anchor that leads nowhere, a
docstring that cannot be read. Nothing is fetched; fonts and scripts come from
`.cache/site/node_modules`, which `make docs` fills once.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path

from llms import llms_text
from pages import ROOT, copy_assets, gather

from seqcast import __version__

__all__ = ["build"]

CACHE = ROOT / ".cache" / "site"


def build(site: Path, docs: Path = ROOT / "docs") -> None:
    """Build the site from a folder of pages."""
    gather(CACHE / "pages", docs)
    copy_assets(CACHE / "pages", CACHE / "node_modules")
    settings = {
        "SEQCAST_SITE_NAME": f"seqcast {__version__}",
        "SEQCAST_SITE_PAGES": str(CACHE / "pages"),
        # Material prints on each run until when it is maintained; CONTRIBUTING.md says what follows
        # from that.
        "NO_MKDOCS_2_WARNING": "1",
    }
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--clean",
        "--site-dir",
        str(site),
    ]
    done = subprocess.run(command, cwd=ROOT, env={**os.environ, **settings})
    if done.returncode:
        sys.exit(done.returncode)
    (site / "llms.txt").write_text(llms_text(CACHE / "pages"), "utf-8")
    print(f"{site / 'index.html'}: {len(list(site.rglob('*.html')))} pages")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument(
        "--site", type=Path, default=ROOT / "site", help="folder of the site, written anew"
    )
    parser.add_argument("--docs", type=Path, default=ROOT / "docs", help="folder of the pages")
    arguments = parser.parse_args()
    build(arguments.site.resolve(), arguments.docs.resolve())
