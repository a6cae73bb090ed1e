"""The file `llms.txt` of the site: its pages with a sentence each, for readers that are programs.

It is made from the navigation of `mkdocs.yml` and the first sentence of each page, in the form of
llmstxt.org: a heading, a quotation that says what the project is, and lists of links by section.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import yaml
from pages import ROOT

__all__ = ["entries", "llms_text"]

# Lines that are no prose: pictures, tables, lists, quotations, comments, directives of the
# reference, front matter.
NO_PROSE = re.compile(r"[!|*\-+>#<:]|\d+\. |\[!|---| {4}")


class Settings(yaml.SafeLoader):
    """Reads mkdocs.yml, where `!ENV [NAME, default]` is the default."""


Settings.add_constructor("!ENV", lambda loader, node: loader.construct_sequence(node)[-1])


def entries(navigation: Any, section: str = "") -> Iterator[tuple[str, str]]:
    """Yield the section and the path of each page of the navigation.

    Args:
        navigation: The navigation, or one entry of it.
        section: Name of the outermost section around it.
    """
    if isinstance(navigation, str):
        yield section, navigation
        return
    inner = navigation if isinstance(navigation, list) else navigation.values()
    names = [""] * len(navigation) if isinstance(navigation, list) else list(navigation)
    for name, entry in zip(names, inner, strict=True):
        # A name before a single page is its title, not a section.
        yield from entries(entry, section or (name if isinstance(entry, list) else ""))


def llms_text(pages: Path) -> str:
    """Return the text of `llms.txt`.

    Args:
        pages: The folder of the gathered pages.
    """
    settings = yaml.load((ROOT / "mkdocs.yml").read_text("utf-8"), Settings)
    sections: dict[str, list[str]] = {}
    for section, path in entries(settings["nav"]):
        title, sentence = _summary((pages / path).read_text("utf-8"))
        link = f"- [{title}]({path.removesuffix('.md')}.html)"
        sections.setdefault(section or "First", []).append(
            f"{link}: {sentence}" if sentence else link
        )
    head = f"# {settings['site_name']}\n\n> {settings['site_description']}.\n"
    return "\n".join(
        [head, *(f"## {name}\n\n" + "\n".join(links) + "\n" for name, links in sections.items())]
    )


def _summary(text: str) -> tuple[str, str]:
    """Return the title of a page and the first sentence of its prose, without links and marks."""
    title = re.search(r"^# (.+)$", text, flags=re.MULTILINE)
    body = re.sub(
        r"^(```+|~~~~).*?^\1$",
        "",
        text[title.end() if title else 0 :],
        flags=re.DOTALL | re.MULTILINE,
    )
    paragraphs = (each.strip("\n") for each in re.split(r"\n\s*\n", body))
    prose = next((each for each in paragraphs if each and not NO_PROSE.match(each)), "")
    sentence = re.split(r"(?<=[.?!:])\s", " ".join(prose.split()), maxsplit=1)[0]
    plain = [
        re.sub(r"\[([^\]]+)\]\([^)]*\)", r"\1", each).rstrip(":")
        for each in (title[1] if title else "", sentence)
    ]
    return plain[0], plain[1]
