"""Every regular expression of the source takes time in proportion to the text that it is given.

Each reads repetitions of pieces of texts that it takes, after each beginning of such a text, before
a character that it rejects.
"""

import ast
import importlib
import itertools
import pickle
import re
import subprocess
import sys
import time
from collections import deque
from pathlib import Path

import hypothesis
import pytest
from hypothesis.strategies import from_regex

import seqcast

SOURCE = Path(seqcast.__file__).parent
# Four times the text may take six times the time.
GROWTH = 6.0
# Sizes of texts, so close at first that not even exponential growth takes long; the time from which
# on one counts.
SIZES = [8, 11, 16, 22, 32, 45, *(2**power for power in range(6, 14))]
LONGER = [*SIZES, 2**14, 2**15, 2**16]
ENOUGH = 2e-3
# These go through all matches of a text. Each is timed as finditer, which keeps no match: memory
# grows in steps.
ALL_MATCHES = {"sub", "subn", "split", "findall", "finditer"}
METHODS = {"match", "fullmatch", "search"} | ALL_MATCHES
# How pandas uses a pattern.
PANDAS = {
    "extract": "search",
    "extractall": "finditer",
    "contains": "search",
    "count": "findall",
    "replace": "sub",
}
PANDAS |= {name: name for name in ("match", "fullmatch", "findall", "split")}


# ---------------------------------------------------------------- patterns of the source


def patterns_in(value):
    """Return the compiled patterns that a module's constant holds."""
    if isinstance(value, re.Pattern):
        return [value]
    inside = value.values() if isinstance(value, dict) else value
    return (
        [each for one in inside for each in patterns_in(one)]
        if isinstance(value, dict | list | tuple | set)
        else []
    )


def uses_of(tree, names):
    """Return the patterns of a module and the methods that are called with them; its names have values."""
    used = {pattern: set() for pattern in patterns_in(dict(names))}
    constants = [node for node in tree.body if isinstance(node, ast.Assign | ast.AnnAssign)]
    at_top = {id(node) for constant in constants for node in ast.walk(constant)}

    def named_in(node):
        return patterns_in(
            [names.get(each.id) for each in ast.walk(node) if isinstance(each, ast.Name)]
        )

    def value_of(node):
        """Evaluate an expression; a pattern is made of constants of its module, so nothing else has to be known."""
        return eval(compile(ast.Expression(node), "a pattern", "eval"), dict(names))

    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and node.attr in METHODS:
            for pattern in named_in(node.value):
                used[pattern].add(node.attr)
        if (
            not isinstance(node, ast.Call)
            or not isinstance(node.func, ast.Attribute)
            or id(node) in at_top
        ):
            continue
        owner = ast.unparse(node.func.value)
        method = node.func.attr
        options = {keyword.arg: keyword.value for keyword in node.keywords}
        if owner == "re" and method in METHODS | {"compile"}:
            assert method != "compile", (
                f"compile patterns in constants of the module: {ast.unparse(node)}"
            )
            flags = value_of(options["flags"]) if "flags" in options else 0
            used.setdefault(re.compile(value_of(node.args[0]), flags), set()).add(method)
        elif owner.endswith(".str") and method in PANDAS:
            usual = method not in ("replace", "split")
            is_pattern = ast.literal_eval(options["regex"]) if "regex" in options else usual
            for pattern in (
                named_in(node.args[0]) or [re.compile(value_of(node.args[0]))] if is_pattern else ()
            ):
                used.setdefault(pattern, set()).add(PANDAS[method])
    # One that is used elsewhere may be used in any way.
    return {
        (pattern, method)
        for pattern, methods in used.items()
        for method in methods or {"search", "fullmatch"}
    }


def uses_in_source():
    """Return the patterns of all modules, the methods that are called with them, and where."""
    places = {}
    for path in sorted(SOURCE.rglob("*.py")):
        text = path.read_text("utf-8")
        if re.search(r"^\s*import re$|\.str\.", text, re.MULTILINE):
            place = path.relative_to(SOURCE.parent).with_suffix("")
            module = importlib.import_module(".".join(place.parts).removesuffix(".__init__"))
            places |= dict.fromkeys(uses_of(ast.parse(text), vars(module)), str(place))
        else:
            assert not re.search(r"^\s*(from re import|import re as)", text, re.MULTILINE), path
    return places


# ---------------------------------------------------------------- texts that a pattern may be slow
# with


def taken_texts(pattern):
    """Return texts that a pattern takes, the shortest first, with few different letters."""
    found = []
    generate = {
        "phases": [hypothesis.Phase.generate],
        "suppress_health_check": list(hypothesis.HealthCheck),
    }

    @hypothesis.seed(0)
    @hypothesis.settings(max_examples=8, database=None, **generate)
    @hypothesis.given(from_regex(pattern))
    def note(text):
        found.append(text[:16])

    def plain(letter):
        alike = (
            "7"
            if letter.isdigit()
            else "x"
            if letter.isalpha()
            else " "
            if letter.isspace()
            else "-"
        )
        return letter if letter in pattern.pattern else alike

    note()
    found.sort(key=len)
    plainer = (
        ["".join(map(plain, text)) for text in found] if isinstance(pattern.pattern, str) else found
    )
    return [new if pattern.search(new) else text for new, text in zip(plainer, found, strict=True)]


def hard_texts(pattern):
    """Yield what comes first, what is repeated, and what ends texts on which the pattern may be slow."""
    shortest, *texts = taken_texts(pattern)
    ends = "\x01!x7\n" if isinstance(shortest, str) else [b"\x01", b"!", b"x", b"7", b"\n"]
    end = next(
        (each for each in ends if not any(pattern.fullmatch(text + each) for text in texts)),
        ends[-1],
    )

    def pieces_of(some, length):
        return list(
            dict.fromkeys(
                text[at : at + length] for text in some for at in range(len(text) - length + 1)
            )
        )

    pieces = [*pieces_of((shortest, *texts), 1)[:12], *pieces_of((shortest, *texts), 2)[:16]]
    pieces += [
        piece for length in range(3, len(shortest) + 1) for piece in pieces_of([shortest], length)
    ][:16]
    before = [text[:stop] for text in (shortest, texts[0][:8]) for stop in range(len(text) + 1)]
    for first, piece in itertools.product(dict.fromkeys(before), dict.fromkeys(pieces)):
        yield first, piece, end


# ---------------------------------------------------------------- the bound


def is_slow(pattern, method, pieces, sizes):
    """Grow a text until the time counts; return the time, and whether it grew too much over the last four times."""
    before, piece, end = pieces

    def seconds(size, times=1):
        text = before + piece * max(1, size // len(piece)) + end
        best = float("inf")
        for _ in range(times):
            start = time.thread_time()
            if method in ALL_MATCHES:
                deque(pattern.finditer(text), maxlen=0)
            else:
                getattr(pattern, method)(text)
            best = min(best, time.thread_time() - start)
        return best

    for size in sizes:
        taken = seconds(size)
        attempts = 1 if taken > 50 * ENOUGH else 5  # a long time is no noise
        # A machine that paused says nothing of the text.
        if taken > ENOUGH and (taken := min(taken, seconds(size, attempts))) > ENOUGH:
            break
    slow = taken > ENOUGH
    for _ in range(attempts):
        slow = slow and seconds(size, attempts) > GROWTH * seconds(size // 4, attempts)
    return taken, slow


def slow_text(pattern, method):
    """Return the pieces of a text whose repetition takes more than proportional time, or nothing."""
    slowest = -1.0
    worst = None
    for pieces in hard_texts(pattern):
        taken, slow = is_slow(pattern, method, pieces, SIZES)
        if slow:
            return pieces
        if taken > slowest:
            slowest = taken
            worst = pieces
    return worst if is_slow(pattern, method, worst, LONGER)[1] else None


def slow_texts(uses):
    """Return the slow texts of patterns, from a process of its own.

    Where the memory of a process is in pieces, as after other tests, each matching that needs more
    than 64 KiB takes longer by the time in which freed memory is put together: such texts would
    seem to be slow.
    """
    run = subprocess.run(
        [sys.executable, __file__],
        input=pickle.dumps(list(uses)),
        stdout=subprocess.PIPE,
        check=True,
    )
    return dict(zip(uses, pickle.loads(run.stdout), strict=True))


PATTERNS = [
    (r"[+-]?(?:\d+\.?\d*|\.\d+)", "fullmatch", True),
    (r"(a+)+$", "match", True),
    (r"(a|aa)+$", "match", True),
    (r"\d+x", "search", True),
    (r"<[^<>]*\s[^<>]*>", "match", True),
    (r"\s+$", "sub", True),
    (rb"(\w+\d)+;", "match", True),
    (r"(://[^:/@]*):.*@", "sub", True),
    (r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)", "fullmatch", False),
    (r"\d++x", "match", False),
    (r"(?:[a-z]+;)*", "fullmatch", False),
    (r"a.*b", "fullmatch", False),
]


@pytest.mark.timing
def test_slow_patterns_are_found_and_linear_ones_pass():
    expected = {(re.compile(pattern), method): slow for pattern, method, slow in PATTERNS}
    assert {use: text is not None for use, text in slow_texts(expected).items()} == expected


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
    names = {}
    exec(source, names)
    found = {(pattern.pattern, method) for pattern, method in uses_of(ast.parse(source), names)}
    expected = {(r"^\d+$", "search"), (r"(\d+)", "search"), ("a", "sub"), (r"\w+", "fullmatch")}
    assert found == expected | {("ax", "match"), ("bx", "match")}


@pytest.mark.timing
def test_every_pattern_of_the_source_is_linear():
    places = uses_in_source()
    assert len(places) > 15
    slow = {use: text for use, text in slow_texts(places).items() if text is not None}
    assert not slow, (
        f"slower than in proportion to the text, in {[places[use] for use in slow]}: {slow}"
    )


if __name__ == "__main__":
    sys.stdout.buffer.write(
        pickle.dumps([slow_text(*use) for use in pickle.load(sys.stdin.buffer)])
    )
