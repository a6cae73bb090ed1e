"""The programs of a page of the docs: found, run in order in one folder, and compared with the output that it shows.

A block of `python` or `shell` is a program. A block of `text` that comes next is what it prints, or
the error that it ends with. Numbers are not compared, since they depend on the machine; words,
columns and rows are.
"""

import collections
import contextlib
import dataclasses
import io
import pathlib
import re
import shlex
import subprocess
import sys
import tempfile
import time

FENCE = re.compile(r"^```(\w*)[^\n]*\n(.*?)^```$", flags=re.MULTILINE | re.DOTALL)
ERROR = re.compile(r"(?:\w+Error|Error): ")
FRAMES = str.maketrans(dict.fromkeys("━─│┃┏┳┓┡╇┩└┴┘├┼┤╭╮╰╯", " "))
NUMBER = re.compile(r"[-+]?\d[\d,.]*(?:e[-+]?\d+)?")


@dataclasses.dataclass
class Program:
    """A program of a page: its language, its text, the line it begins in, and the output that the page shows."""

    language: str
    code: str
    line: int
    shown: str | None = None

    @property
    def fails(self):
        """Whether the page shows an error as its end."""
        return self.shown is not None and ERROR.match(self.shown) is not None


def programs_of(page):
    """Return the programs of a page, in order."""
    programs = []
    before = None
    for fence in FENCE.finditer(page):
        language, code = fence.groups()
        program = None
        if language in ("python", "shell"):
            program = Program(language, code, page.count("\n", 0, fence.start()) + 2)
            programs.append(program)
        elif language == "text" and before is not None:
            before.shown = code
        before = program
    return programs


def changed(programs, changes):
    """Return the programs with pieces of text replaced; a piece that none of them holds is an error.

    Args:
        programs: The programs.
        changes: The new text for each piece of text.
    """
    for old in changes:
        assert any(old in program.code for program in programs), f"the page no longer holds {old!r}"
    smaller = []
    for program in programs:
        code = program.code
        for old, new in changes.items():
            code = code.replace(old, new)
        smaller.append(dataclasses.replace(program, code=code))
    return smaller


def page(path, changes=(), *, language=None, without=()):
    """Return the programs of a page with pieces of text replaced.

    Args:
        path: The page.
        changes: The new text for each piece of text.
        language: Takes the programs in this language alone, whose output is then not compared.
        without: Headings of sections that are left out.
    """
    sections = re.split(r"^(?=## )", path.read_text(encoding="utf-8"), flags=re.MULTILINE)
    headings = tuple(f"## {heading}\n" for heading in without)
    programs = programs_of(
        "".join(section for section in sections if not section.startswith(headings))
    )
    if language is not None:
        programs = [
            dataclasses.replace(each, shown=None) for each in programs if each.language == language
        ]
    return changed(programs, dict(changes))


def masked(text):
    """Return the lines of a text, counted, without what differs from machine to machine: numbers, widths, the order."""
    lines = (
        " ".join(NUMBER.sub("#", line).split()) for line in text.translate(FRAMES).splitlines()
    )
    return collections.Counter(line for line in lines if line)


def in_a_row(text, other):
    """Tell whether two texts are the same words, numbers aside, in the same order."""
    return (
        NUMBER.sub("#", text.translate(FRAMES)).split()
        == NUMBER.sub("#", other.translate(FRAMES)).split()
    )


def check_output(program, printed, page="page"):
    """Compare what a program printed with what the page shows; a line `…` stands for any further lines."""
    if program.shown is None:
        return
    # The page may break long lines.
    if program.fails:
        same = printed.split() == program.shown.split()
    else:
        shown = masked(program.shown)
        printed_lines = masked(printed)
        further = shown.pop("…", 0)
        same = (
            not shown - printed_lines
            if further
            else shown == printed_lines or in_a_row(printed, program.shown)
        )
    assert same, f"{page}, line {program.line} shows\n{program.shown}\nand prints\n{printed}"


def run_python(program, names, place):
    """Run Python in a namespace; return what it printed, or the error that the page shows."""
    printed = io.StringIO()
    code = compile("\n" * (program.line - 1) + program.code, place, "exec")
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        if not program.fails:
            exec(code, names)
            return printed.getvalue()
        try:
            exec(code, names)
        except Exception as error:
            return re.sub(r" at 0x[0-9a-f]+", " at 0x…", f"{type(error).__name__}: {error}")
    raise AssertionError(f"{place}, line {program.line} ends without the error that the page shows")


def commands_of(code):
    """Return the commands of a block for the shell, without comments."""
    return [
        words
        for line in code.replace("\\\n", " ").splitlines()
        if (words := shlex.split(line, comments=True))
    ]


def run_in_process(program, passed_over=()):
    """Run the commands of `seqcast` in this process, which has imported all it takes; return what they printed.

    Args:
        program: The program.
        passed_over: How commands of others begin that are not run; any further command is an error.
    """
    from seqcast.cli import main as cli

    printed = io.StringIO()
    before = sys.argv
    for words in commands_of(program.code):
        if words[0] != "seqcast":
            assert " ".join(words).startswith(tuple(passed_over)), (
                f"line {program.line}: nobody runs {words}"
            )
            continue
        sys.argv = words
        code = 0
        try:
            with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
                cli.main()
        except SystemExit as ending:
            code = ending.code or 0
        finally:
            sys.argv = before
        assert bool(code) is program.fails, (
            f"line {program.line} ends with {code}: {printed.getvalue()}"
        )
    return printed.getvalue()


def run_in_shell(program):
    """Run a block as somebody does who types it; return what it printed."""
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True, "check": False}
    done = subprocess.run(["bash", "-e", "-c", program.code], **pipes)
    assert bool(done.returncode) is program.fails, (
        f"line {program.line} ends with {done.returncode}: {done.stdout}"
    )
    return done.stdout


def run(programs, page="page", *, shell=run_in_process, told=None):
    """Run programs in order in the present folder, Python in one namespace, and compare outputs.

    Args:
        programs: The programs.
        page: Name of the page.
        shell: What runs those for the shell.
        told: Called with each program, the seconds that it took, and what it printed.

    Returns:
        The names that the Python programs defined.
    """
    names = {"__name__": "__main__"}
    for program in programs:
        began = time.perf_counter()
        printed = (
            shell(program) if program.language == "shell" else run_python(program, names, page)
        )
        if told is not None:
            told(program, time.perf_counter() - began, printed)
        check_output(program, printed, page)
    return names


def refresh(path):
    """Run a page with its whole trainings, and write the numbers that it prints now into its blocks of text.

    Args:
        path: The page.
    """
    text = path.read_text(encoding="utf-8")
    outputs = []
    programs = programs_of(text)
    shown = [None if each.fails else each.shown for each in programs]
    programs = [each if each.fails else dataclasses.replace(each, shown=None) for each in programs]
    run(programs, path.name, told=lambda program, seconds, printed: outputs.append(printed))
    for old, new in zip(shown, outputs, strict=True):
        if old and masked(old) == masked(new):
            text = text.replace(f"```text\n{old}```", f"```text\n{new}```")
    path.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    # python tests/docs/page_programs.py docs/how-to/totals.md …
    for name in map(pathlib.Path, sys.argv[1:]):
        page_path = name.resolve()
        with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
            refresh(page_path)
