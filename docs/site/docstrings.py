"""Docstrings of the package, as the site's Markdown wants them: equations and examples."""

import re
import textwrap
from typing import Any

import griffe

__all__ = ["Docstrings", "with_equations"]

STABILITY = re.compile(r"^Stability: (\w+)\.", re.MULTILINE)
EXAMPLE = re.compile(r"^( *)Example:$", re.MULTILINE)

DIRECTIVE = re.compile(
    r"^(?P<indent> *)\.\. math::(?P<first>[^\n]*)\n(?P<rest>(?:(?P=indent) +[^\n]+\n|[ \t]*\n)*)",
    re.MULTILINE,
)


class Docstrings(griffe.Extension):
    """Rewrite each docstring before it is parsed, and label what is experimental.

    `.. math::`, as Sphinx writes it, becomes an equation between `$$`; `Example:`, which griffe
    takes for a note, becomes `Examples:`, whose lines are code.
    """

    def on_package(self, *, pkg: griffe.Module, **_: Any) -> None:
        """Label each class and function of an experimental package in its heading."""
        for room in pkg.modules.values():
            if room.docstring is not None and STABILITY.findall(room.docstring.value) == [
                "experimental"
            ]:
                _label(room)

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """Rewrite the docstring of a module, class, function or attribute."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(r"\1Examples:", with_equations(obj.docstring.value))


def with_equations(text: str) -> str:
    r"""Return a text whose directives `.. math::` are display equations between `$$`.

    Equations that a blank line divides stand below each other, as in Sphinx.

    Example:
        >>> print(with_equations("A line.\n\n.. math:: a\n    + b\n\nEnd."))
        A line.
        <BLANKLINE>
        $$
        a
        + b
        $$
        <BLANKLINE>
        End.
    """

    def rewritten(match: re.Match[str]) -> str:
        body = f"{match['first'].strip()}\n{textwrap.dedent(match['rest'])}".strip("\n")
        equations = [part.strip() for part in re.split(r"\n\s*\n", body) if part.strip()]
        inner = equations[0] if len(equations) == 1 else _gathered(equations)
        lines = ["$$", *inner.splitlines(), "$$", "", ""]
        return "\n".join(match["indent"] + line if line else "" for line in lines)

    return DIRECTIVE.sub(rewritten, text + "\n").rstrip("\n")


def _label(module: griffe.Module) -> None:
    for member in module.members.values():
        if isinstance(member, griffe.Module):
            _label(member)
        elif isinstance(member, griffe.Object):
            member.labels.add("experimental")


def _gathered(equations: list[str]) -> str:
    return "\\begin{gathered}\n" + " \\\\\n".join(equations) + "\n\\end{gathered}"
