"""Gather the pages of the site in one folder, from which a generator of sites builds it.

The pages are those of `docs/`, and what they link to outside of it: the other documents of the repository, and examples,
which are shown as code. Links are written anew where a page lies elsewhere on the site, so that those in the repository
stay what a Git host understands.
"""

from __future__ import annotations

import os
import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["ASSETS", "ROOT", "gather", "site_path"]

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    "README.md": "index.md",  # the home page says the same in other words
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "examples/README.md": "project/examples.md",
}
"""Documents of the repository outside `docs/`, and their pages."""

CODE = "project/files"
"""Folder of the pages that show files and folders to which a page links."""

LANGUAGES = {".py": "python", ".mjs": "javascript", ".R": "r", ".sh": "sh", ".yml": "yaml", ".yaml": "yaml"}

ASSETS = {
    "katex/dist/katex.min.css": "katex/katex.min.css",
    "katex/dist/katex.min.js": "katex/katex.min.js",
    "katex/dist/fonts/*.woff2": "katex/fonts",
    "@fontsource-variable/inter/wght*.css": "inter",
    "@fontsource-variable/inter/files/*-wght-*.woff2": "inter/files",
    "@fontsource-variable/jetbrains-mono/wght*.css": "jetbrains-mono",
    "@fontsource-variable/jetbrains-mono/files/*-wght-*.woff2": "jetbrains-mono/files",
    "iframe-worker/shim/index.js": "iframe-worker.js",
}
"""What comes from npm: a pattern in `node_modules`, and where it goes under `assets/`."""

LINK = re.compile(r"(\]\()([^)\s#:]+)(#[^)\s]*)?(?=\))")
COMMANDS = "<!-- typer utils docs -->"


def gather(target: Path, modules: Path, docs: Path = ROOT / "docs") -> None:
    """Write all pages and what they show to a folder, which is made anew.

    Args:
        target: The folder.
        modules: The `node_modules` with fonts and scripts.
        docs: The pages, `docs/` of this repository or a copy of it.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(docs, target, ignore=shutil.ignore_patterns("site", "__pycache__", "*.md"))
    shutil.copytree(Path(__file__).parent / "assets", target / "assets")
    for pattern, place in ASSETS.items():
        _copy_asset(modules, pattern, target / "assets" / place)
    waiting = {f"docs/{path.relative_to(docs).as_posix()}": path for path in _markdown(docs)}
    waiting |= {name: ROOT / name for name in DOCUMENTS if site_path(name) not in map(site_path, waiting)}
    linked: set[str] = set()
    for name, path in waiting.items():
        text = _with_links(path.read_text("utf-8"), name, linked)
        if COMMANDS in text:
            text = text.replace(COMMANDS, command_line())
        _write(target / site_path(name), text)
    for name in linked:
        _write(target / site_path(name), code_page(name))


def site_path(name: str) -> str:
    """Return the path of the page on which a document, file or folder of the repository is shown.

    Args:
        name: Its path from the root of the repository.

    Returns:
        The path of the page's source in the gathered folder.
    """
    if name in DOCUMENTS:
        return DOCUMENTS[name]
    if name.startswith("docs/"):
        return name.removeprefix("docs/")
    return f"{CODE}/{name}.md"


def code_page(name: str) -> str:
    """Return a page with the lines of a file of the repository, or of all files of a folder."""
    path = ROOT / name
    parts = [f"# {name}"]
    for file in sorted(path.iterdir()) if path.is_dir() else [path]:
        if path.is_dir():
            parts.append(f"## {file.name}")
        parts.append(f"````{LANGUAGES.get(file.suffix, 'text')}\n{file.read_text('utf-8').rstrip()}\n````")
    return "\n\n".join(parts) + "\n"


def command_line() -> str:
    """Return the help of all commands as Markdown, as typer writes it, one heading a command."""
    command = [sys.executable, "-m", "typer", "seqcast.cli.main", "utils", "docs", "--name", "seqcast"]
    done = subprocess.run(command, capture_output=True, text=True, check=True, env={**os.environ, "COLUMNS": "120"})
    return done.stdout.replace("\n# `seqcast`", "\n## `seqcast`").removeprefix("# `seqcast`\n")


def _markdown(docs: Path) -> list[Path]:
    return sorted(path for path in docs.rglob("*.md") if "site" not in path.relative_to(docs).parts)


def _with_links(text: str, name: str, linked: set[str]) -> str:
    """Return a document whose links lead to pages of the site; add what they show as code to `linked`."""
    here = posixpath.dirname(name)

    def rewritten(match: re.Match[str]) -> str:
        start, target, anchor = match[1], match[2], match[3] or ""
        goal = posixpath.normpath(posixpath.join(here, target))
        if goal not in DOCUMENTS and not goal.startswith("docs/"):
            if not (ROOT / goal).exists():
                return match[0]  # the generator says that it leads nowhere
            linked.add(goal)
        place = posixpath.relpath(site_path(goal), posixpath.dirname(site_path(name)) or ".")
        return f"{start}{place}{anchor}"

    parts = re.split(r"(^(?:```|~~~~).*?^(?:```|~~~~)$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(part if place % 2 else LINK.sub(rewritten, part) for place, part in enumerate(parts))


def _copy_asset(modules: Path, pattern: str, place: Path) -> None:
    paths = sorted(modules.glob(pattern))
    if not paths:
        raise FileNotFoundError(f"{modules / pattern}: nothing is there; `make docs` fetches it")
    for path in paths:
        goal = place if place.suffix else place / path.name
        goal.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, goal)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, "utf-8")
