"""Gather the pages of the site in one folder, from which a generator of sites builds it.

The pages are those of `docs/`, and what they link to outside of it: the other documents of the
repository, and examples, which are shown as code. Links are written anew where a page lies
elsewhere on the site, so that those in the repository stay what a Git host understands.
"""

import posixpath
import re
import shutil
import subprocess
import sys
from pathlib import Path

__all__ = ["DOCUMENTS", "ROOT", "command_line", "copy_assets", "gather", "pages_of", "site_path"]

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = {
    "README.md": "index.md",  # the home page says the same in other words
    "CONTRIBUTING.md": "project/contributing.md",
    "CHANGELOG.md": "project/changelog.md",
    "SECURITY.md": "project/reporting.md",
    "RELEASING.md": "project/releasing.md",
    "CODE_OF_CONDUCT.md": "project/conduct.md",
    "examples/README.md": "project/examples.md",
}
"""Documents of the repository outside `docs/`, and their pages."""

ALONE = ("index.md", "start.md", "post.md", "gallery.md")
"""Pages that are a section by themselves, beside which there is nothing to list."""

CODE = "project/files"
"""Folder of the pages that show files and folders to which a page links."""

LANGUAGES = {
    ".html": "html",
    ".mjs": "javascript",
    ".py": "python",
    ".R": "r",
    ".sh": "sh",
    ".yaml": "yaml",
    ".yml": "yaml",
}
COPIED = (".ipynb", ".png", ".svg")
"""What a link to it downloads, or shows, as it is."""

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


def gather(target: Path, docs: Path = ROOT / "docs") -> None:
    """Write all pages and their pictures to a folder, which is made anew.

    Args:
        target: The folder.
        docs: The pages, `docs/` of this repository or a copy of it.
    """
    shutil.rmtree(target, ignore_errors=True)
    shutil.copytree(docs, target, ignore=shutil.ignore_patterns("site", "__pycache__", "*.md"))
    documents = {f"docs/{path.relative_to(docs).as_posix()}": path for path in pages_of(docs)}
    # The home page stands in the place of the README.
    documents |= {
        name: ROOT / name for name, page in DOCUMENTS.items() if not (docs / page).exists()
    }
    linked: set[str] = set()
    for name, path in documents.items():
        text = _with_links(path.read_text("utf-8"), name, linked)
        if COMMANDS in text:
            text = text.replace(COMMANDS, command_line())
        if site_path(name) in ALONE:
            text = f"---\nhide: [navigation]\n---\n\n{text}"
        _write(target / site_path(name), text)
    for name in linked:
        if name.endswith(COPIED):
            _write(target / site_path(name), (ROOT / name).read_bytes())
        else:
            _write(target / site_path(name), code_page(name))


def copy_assets(target: Path, modules: Path) -> None:
    """Copy styles, scripts and fonts beside the pages.

    Args:
        target: The folder of the pages.
        modules: The `node_modules` with fonts and scripts.
    """
    shutil.copytree(Path(__file__).parent / "assets", target / "assets")
    for pattern, place in ASSETS.items():
        paths = sorted(modules.glob(pattern))
        if not paths:
            raise FileNotFoundError(
                f"{modules / pattern}: nothing is there; `make docs` fetches it"
            )
        for path in paths:
            goal = target / "assets" / place
            goal = goal if goal.suffix else goal / path.name
            goal.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(path, goal)


def pages_of(docs: Path = ROOT / "docs") -> list[Path]:
    """Return the pages of a folder, without what the site is built with."""
    return sorted(path for path in docs.rglob("*.md") if "site" not in path.relative_to(docs).parts)


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
    return f"{CODE}/{name}" if name.endswith(COPIED) else f"{CODE}/{name}.md"


def code_page(name: str) -> str:
    """Return a page with the lines of a file of the repository, or of all files of a folder."""
    path = ROOT / name
    parts = [f"# {name}"]
    inside = sorted(
        file for file in path.rglob("*") if file.is_file() and "__pycache__" not in file.parts
    )
    for file in inside or [path]:
        if inside:
            parts.append(f"## {file.relative_to(path).as_posix()}")
        parts.append(
            f"````{LANGUAGES.get(file.suffix, 'text')}\n{file.read_text('utf-8').rstrip()}\n````"
        )
    return "\n\n".join(parts) + "\n"


def command_line() -> str:
    """Return the help of all commands as Markdown, as typer writes it, one heading a command.

    typer's list of commands cuts sentences off; the first paragraph of each command stands there
    instead.
    """
    command = [
        sys.executable,
        "-m",
        "typer",
        "seqcast.cli.main",
        "utils",
        "docs",
        "--name",
        "seqcast",
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    text = done.stdout.removeprefix("# `seqcast`\n")
    for name, sentence in re.findall(
        r"^## `seqcast (\S+)`\n\n(.+?)\n\n", text, flags=re.DOTALL | re.MULTILINE
    ):
        line = f"* [`{name}`](#seqcast-{name}): {sentence}"
        text = re.sub(
            rf"^\* `{re.escape(name)}`: .*$", lambda _, line=line: line, text, flags=re.MULTILINE
        )
    return text


def _with_links(text: str, name: str, linked: set[str]) -> str:
    """Return a document with links to pages of the site; code that they show goes to `linked`."""
    here = posixpath.dirname(name)

    def rewritten(match: re.Match[str]) -> str:
        start, target, anchor = match[1], match[2], match[3] or ""
        goal = posixpath.normpath(posixpath.join(here, target))
        if goal not in DOCUMENTS and not goal.startswith("docs/"):
            if goal.startswith("..") or not (ROOT / goal).exists():
                return match[0]  # the generator says that it leads nowhere
            linked.add(goal)
        place = posixpath.relpath(site_path(goal), posixpath.dirname(site_path(name)) or ".")
        return f"{start}{place}{anchor}"

    parts = re.split(r"(^(?:```|~~~~).*?^(?:```|~~~~)$)", text, flags=re.DOTALL | re.MULTILINE)
    return "".join(
        part if place % 2 else LINK.sub(rewritten, part) for place, part in enumerate(parts)
    )


def _write(path: Path, content: str | bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content.encode("utf-8") if isinstance(content, str) else content)
