"""Every regular expression of the source takes time in proportion to the text that it is given.

Each is fed repetitions of its own alphabet, after each way in, followed by a character that it refuses.
"""

from __future__ import annotations

import ast
import importlib
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from re import _constants as sre
from re import _parser as sre_parse  # the standard library's own parser of patterns
from typing import Any

import pytest

import seqcast

SOURCE = Path(seqcast.__file__).parent
# Four times the text may take six times the time.
GROWTH = 6.0
# Sizes of texts, and the time from which on a measurement counts.
SIZES = [int(8 * 2 ** (step / 2)) for step in range(21)]  # 8 to 8,192
MOST, ENOUGH = 80_000, 2e-3
RE_METHODS = {"match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"}
# How pandas uses a pattern.
PANDAS_METHODS = {"extract": "search", "extractall": "finditer", "contains": "search", "count": "findall"}
PANDAS_METHODS |= {name: name for name in ("match", "fullmatch", "findall", "split")} | {"replace": "sub"}


@dataclass(frozen=True)
class Use:
    """A pattern, the method that is called with it, and where."""

    where: str
    pattern: re.Pattern[Any]
    method: str

    def __str__(self) -> str:
        return f"{self.where}: {self.method} {self.pattern.pattern!r}"


# ---------------------------------------------------------------- patterns of the source


def patterns_in(value: Any) -> Iterator[re.Pattern[Any]]:
    """Yield the compiled patterns that a module's constant holds."""
    if isinstance(value, re.Pattern):
        yield value
    elif isinstance(value, dict):
        yield from itertools.chain.from_iterable(map(patterns_in, value.values()))
    elif isinstance(value, list | tuple | set | frozenset):
        yield from itertools.chain.from_iterable(map(patterns_in, value))


def uses_of(tree: ast.Module, names: dict[str, Any], where: str) -> Iterator[Use]:
    """Yield the uses of patterns in a module, whose names have values.

    Raises:
        AssertionError: A pattern is not known before the program runs.
    """

    def held_by(node: ast.AST) -> list[re.Pattern[Any]]:
        inside = [names.get(each.id) for each in ast.walk(node) if isinstance(each, ast.Name)]
        return list(itertools.chain.from_iterable(map(patterns_in, inside)))

    methods: dict[int, set[str]] = {}
    compiled = {id(each): each for each in itertools.chain.from_iterable(map(patterns_in, names.values()))}
    constants = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    at_top = {id(node) for constant in constants for node in ast.walk(constant)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in RE_METHODS:
            for pattern in held_by(node.value):
                methods.setdefault(id(pattern), set()).add(node.attr)
        if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute):
            continue
        place, owner, method = f"{where}:{node.lineno}", node.func.value, node.func.attr
        flags = [keyword.value for keyword in node.keywords if keyword.arg == "flags"]
        if isinstance(owner, ast.Name) and owner.id == "re" and method in RE_METHODS | {"compile"}:
            if id(node) in at_top:
                continue  # a constant of the module
            assert method != "compile", f"{place}: compile patterns in constants of the module"
            flag = evaluated(flags[0], names, place) if flags else 0
            yield Use(place, re.compile(evaluated(node.args[0], names, place), flag), method)
        elif isinstance(owner, ast.Attribute) and owner.attr == "str" and method in PANDAS_METHODS:
            plain = {keyword.arg: keyword.value for keyword in node.keywords}.get("regex")
            is_plain = isinstance(plain, ast.Constant) and plain.value is False
            if is_plain or (plain is None and method in ("replace", "split")):
                continue
            held = held_by(node.args[0])
            for pattern in held or [re.compile(evaluated(node.args[0], names, place))]:
                yield Use(place, pattern, PANDAS_METHODS[method])
                methods.setdefault(id(pattern), set())
    for key, pattern in compiled.items():
        # One that is used elsewhere may be used in any way.
        for method in sorted(methods.get(key, {"search", "fullmatch"})):
            yield Use(where, pattern, method)


def evaluated(node: ast.expr, names: dict[str, Any], place: str) -> Any:
    """Return the value of an expression of constants."""
    try:
        return eval(compile(ast.Expression(node), place, "eval"), dict(names))
    except NameError as error:
        pytest.fail(f"{place}: a pattern is made of constants of its module, not of {error.name!r}")


def uses_in_source() -> Iterator[Use]:
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        if not re.search(r"^\s*import re$|\.str\.", text, re.MULTILINE):
            assert not re.search(r"^\s*(from re import|import re as)", text, re.MULTILINE), path
            continue
        place = path.relative_to(SOURCE.parent)
        module = importlib.import_module(".".join(place.with_suffix("").parts).removesuffix(".__init__"))
        yield from uses_of(ast.parse(text), vars(module), str(place))


# ---------------------------------------------------------------- texts that a pattern may be slow with


def items_of(argument: Any) -> Iterator[Any]:
    """Yield the sequences within an item of a parsed pattern."""
    if isinstance(argument, sre_parse.SubPattern):
        yield argument
    elif isinstance(argument, list | tuple):
        for each in argument:
            yield from items_of(each)


def atoms_of(sequence: Any) -> Iterator[tuple[Any, Any]]:
    """Yield what stands for one character in a parsed pattern."""
    for kind, argument in sequence:
        if kind in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            yield kind, argument
        for inner in items_of(argument):
            yield from atoms_of(inner)


_CATEGORIES = {
    sre.CATEGORY_DIGIT: "7", sre.CATEGORY_NOT_DIGIT: "x", sre.CATEGORY_SPACE: " ", sre.CATEGORY_NOT_SPACE: "x",
    sre.CATEGORY_WORD: "x", sre.CATEGORY_NOT_WORD: "-",
}  # fmt: skip


def letters_of(kind: Any, argument: Any) -> Iterator[str]:
    """Yield characters that an atom takes."""
    if kind is sre.LITERAL:
        yield chr(argument)
    elif kind is sre.RANGE:
        yield from map(chr, argument)
    elif kind is sre.CATEGORY:
        yield _CATEGORIES[argument]
    elif kind is sre.IN and argument[0][0] is not sre.NEGATE:
        yield from itertools.chain.from_iterable(itertools.starmap(letters_of, argument))
    else:
        yield from "x7 -"


def takes(kind: Any, argument: Any, letter: str) -> bool:
    """Return whether an atom takes a character."""
    if kind is sre.IN:
        negated = argument[0][0] is sre.NEGATE
        return negated != any(takes(*each, letter) for each in argument[negated:])
    if kind is sre.RANGE:
        return argument[0] <= ord(letter) <= argument[1]
    if kind is sre.CATEGORY:
        sign = {"DIGIT": r"\d", "SPACE": r"\s", "WORD": r"\w"}[str(argument).rpartition("_")[2]]
        return (re.match(sign, letter) is None) == ("NOT" in str(argument))
    return kind is sre.ANY or (ord(letter) == argument) == (kind is sre.LITERAL)


def shortest(sequence: Any, *, least: int, groups: dict[int, str]) -> str:
    """Return a short text that a sequence takes, with at least so many of what may be left out."""
    text = ""
    for kind, argument in sequence:
        if kind in (sre.LITERAL, sre.NOT_LITERAL, sre.IN, sre.ANY):
            text += next(letter for letter in letters_of(kind, argument) if takes(kind, argument, letter))
        elif kind in (sre.MAX_REPEAT, sre.MIN_REPEAT, sre.POSSESSIVE_REPEAT):
            few, most, inner = argument
            text += shortest(inner, least=least, groups=groups) * max(few, min(least, most))
        elif kind is sre.SUBPATTERN:
            groups[argument[0]] = shortest(argument[3], least=least, groups=groups)
            text += groups[argument[0]]
        elif kind is sre.BRANCH:
            text += shortest(argument[1][-least], least=least, groups=groups)
        elif kind is sre.ATOMIC_GROUP:
            text += shortest(argument, least=least, groups=groups)
        elif kind is sre.GROUPREF:
            text += groups.get(argument, "")
    return text


def ways_in(sequence: Any, before: str, least: int) -> Iterator[str]:
    """Yield texts that lead to each place in a pattern."""
    for place, (kind, argument) in enumerate(sequence):
        so_far = before + shortest(sequence[:place], least=least, groups={})
        if kind is not sre.LITERAL:
            yield so_far
        for inner in items_of(argument):
            yield from ways_in(inner, so_far, least)


def texts_of(pattern: re.Pattern[Any]) -> Iterator[Callable[[int], Any]]:
    """Yield functions that return a text of about so many characters, on which the pattern may be slow."""
    is_bytes = isinstance(pattern.pattern, bytes)
    source = pattern.pattern.decode("latin-1") if is_bytes else pattern.pattern
    parsed = sre_parse.parse(source, pattern.flags & ~re.UNICODE if is_bytes else pattern.flags)
    atoms = list(atoms_of(parsed))
    alike: dict[tuple[bool, ...], str] = {}
    for letter in itertools.chain.from_iterable(itertools.starmap(letters_of, atoms)):
        alike.setdefault(tuple(takes(*atom, letter) for atom in atoms), letter)
    alphabet = list(alike.values())[:6]
    refused = min("\x01!x7\n", key=lambda letter: sum(takes(*atom, letter) for atom in atoms))
    pumps = {"".join(each) for length in (1, 2) for each in itertools.product(alphabet, repeat=length)}
    if len(alphabet) <= 4:
        pumps |= {"".join(each) for each in itertools.product(alphabet, repeat=3)}
    for least in (0, 1):
        pumps |= {shortest(parsed, least=least, groups={})} - {""}
    prefixes = {prefix for least in (0, 1) for prefix in ways_in(parsed, "", least)}
    for prefix, pump in itertools.product(sorted(prefixes), sorted(pumps)):
        yield partial(repeated, prefix, pump, refused, is_bytes)


def repeated(prefix: str, pump: str, refused: str, is_bytes: bool, size: int) -> Any:
    text = prefix + pump * max(1, size // len(pump)) + refused
    return text.encode("latin-1", "replace") if is_bytes else text


# ---------------------------------------------------------------- the bound


def seconds(use: Use, text: Any, times: int = 1) -> float:
    """Return the CPU time of one use on a text, the best of several."""
    arguments = (type(text)(), text) if use.method in ("sub", "subn") else (text,)
    method, best = getattr(use.pattern, use.method), float("inf")
    for _ in range(times):
        start = time.process_time()
        result = method(*arguments)
        if use.method == "finditer":
            list(result)
        best = min(best, time.process_time() - start)
    return best


def is_slow(use: Use, make: Callable[[int], Any], sizes: list[int]) -> tuple[float, bool]:
    """Grow a text until the time counts; return the time, and whether it grew too much over the last four times."""
    taken: list[float] = []
    for size in sizes:  # each is 2 ** 0.5 times the last, so that not even exponential growth takes long
        taken.append(seconds(use, make(size)))
        if taken[-1] > ENOUGH:
            break
    # Less time for thousands of letters is no time that grows with their square.
    slow = taken[-1] > ENOUGH and taken[-1] > GROWTH * taken[max(0, len(taken) - 5)]
    size, attempts = sizes[len(taken) - 1], 1 if taken[-1] > 50 * ENOUGH else 5  # a long time is no noise
    for _ in range(attempts):
        slow = slow and seconds(use, make(size), attempts) > GROWTH * seconds(use, make(size // 4), attempts)
    return taken[-1], slow


def slow_text(use: Use) -> str | None:
    """Return a text whose repetition takes more than proportional time, or nothing."""
    slowest, worst = -1.0, None
    for make in texts_of(use.pattern):
        taken, slow = is_slow(use, make, SIZES)
        if slow:
            return repr(make(8))
        if taken > slowest:
            slowest, worst = taken, make
    if worst is not None:  # once more, with long texts
        longer = [*SIZES, *(size for size in (int(SIZES[-1] * 2 ** (step / 2)) for step in range(1, 8)) if size < MOST)]
        if is_slow(use, worst, longer)[1]:
            return repr(worst(8))
    return None


@pytest.mark.parametrize(
    ("pattern", "method", "is_slow"),
    [
        (r"[+-]?(?:\d+\.?\d*|\.\d+)", "fullmatch", True),
        (r"(a+)+$", "match", True),
        (r"(a|aa)+$", "match", True),
        (r"\d+x", "search", True),
        (r"<[^<>]*\s[^<>]*>", "match", True),
        (r"\s+$", "sub", True),
        (rb"(\w+\d)+;", "match", True),
        (r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", "fullmatch", False),
        (r"\d++x", "match", False),
        (r"(?:[a-z]+;)*", "fullmatch", False),
        (r"a.*b", "fullmatch", False),
    ],
)
def test_slow_patterns_are_found_and_linear_ones_pass(pattern, method, is_slow):
    assert (slow_text(Use("here", re.compile(pattern), method)) is not None) == is_slow


def test_uses_are_found_in_constants_in_calls_and_in_methods_of_pandas():
    source = r"""
import re
_DIGITS = r"\d+"
_MARKS = {mark: re.compile(rf"{mark}x") for mark in ("a", "b")}
_WORD = re.compile(r"\w+")
def use(text, column):
    if _WORD.fullmatch(text) or _MARKS["a"].match(text):
        return re.search(rf"^{_DIGITS}$", text, flags=re.ASCII)
    return column.str.extract(f"({_DIGITS})"), column.str.replace("a", "b", regex=True), column.str.replace("a", "b")
"""
    names: dict[str, Any] = {}
    exec(source, names)
    found = {(use.pattern.pattern, use.method) for use in uses_of(ast.parse(source), names, "here")}
    assert found == {
        (r"^\d+$", "search"),
        (r"(\d+)", "search"),
        ("a", "sub"),
        (r"\w+", "fullmatch"),
        ("ax", "match"),
        ("bx", "match"),
    }


def test_every_pattern_of_the_source_is_linear():
    uses = list(uses_in_source())
    assert len(uses) > 15
    slow = [f"{use}, of {text}" for use in uses if (text := slow_text(use)) is not None]
    assert not slow, "slower than in proportion to the text:\n" + "\n".join(slow)


if __name__ == "__main__":
    for each in uses_in_source():
        start = time.process_time()
        text = slow_text(each)
        sys.stdout.write(f"{time.process_time() - start:.2f} s {each} {text or ''}\n")
