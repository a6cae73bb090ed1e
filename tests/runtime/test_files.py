"""What cannot be written to is refused, and what a file may hold grows with what its user allows."""

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.errors import SaveError, SpecError
from seqcast.runtime.files import FileLimits, check_target

DEFAULTS = FileLimits()


def test_targets(tmp_path):
    check_target(tmp_path / "anything")
    check_target(tmp_path / "a.PNG", ("png",))
    with pytest.raises(SpecError, match=r"suffix: expected one of 'png', received 'pgn'\. Did you mean 'png'"):
        check_target(tmp_path / "a.pgn", ("png",))
    for path in (tmp_path, tmp_path / "none" / "a.csv"):
        with pytest.raises(SaveError, match="expected a file in a folder to write to"):
            check_target(path)
    assert list(tmp_path.iterdir()) == []


def test_pipes_and_devices_are_not_written_to(tmp_path):
    os.mkfifo(tmp_path / "pipe.csv")
    for path in (tmp_path / "pipe.csv", Path("/dev/null")):
        with pytest.raises(SaveError, match="expected a file in a folder to write to, received a pipe, a socket or a"):
            check_target(path)


@pytest.mark.parametrize(
    ("max_size", "size"),
    [
        (1000, 1000),
        ("8GB", 8 * 10**9),
        (" 8 gb ", 8 * 10**9),
        ("1.5 MB", 1_500_000),
        ("64MiB", 64 << 20),
        ("2 GiB", 2 << 30),
        ("12", 12),
        (2e9, 2 * 10**9),
    ],
)
def test_sizes_that_are_given_hold_for_any_file(max_size, size):
    limits = FileLimits.of(max_size)
    assert limits.size == size
    assert limits.most(packed=1) == limits.most(packed=10**15) == size


@pytest.mark.parametrize("max_size", ["", "GB", "8 XB", "-1", "much", 0, -5, True, [1], float("nan"), float("inf")])
def test_what_is_no_size_is_refused(max_size):
    with pytest.raises(SpecError, match="max_size: expected a size, such as '8 GB', received"):
        FileLimits.of(max_size)


@given(st.integers(0, 10**13), st.integers(0, 10**13))
def test_by_default_more_is_allowed_to_larger_files_within_bounds(first, second):
    low, high = sorted((first, second))
    assert DEFAULTS.small <= DEFAULTS.most(low) <= DEFAULTS.most(high) <= DEFAULTS.size
    assert DEFAULTS.most(low) <= max(DEFAULTS.small, DEFAULTS.ratio * low)


@given(st.integers(1, 10**13), st.integers(1, 10**13))
def test_counts_grow_with_the_size(first, second):
    low, high = (FileLimits.of(size) for size in sorted((first, second)))
    assert 100 <= low.columns <= high.columns


def test_defaults_are_those_that_the_documentation_states():
    assert (DEFAULTS.size, DEFAULTS.ratio, DEFAULTS.small) == (4 * 10**9, 100, 64 << 20)
    assert DEFAULTS.columns == 20_000
    assert FileLimits.of(None) == DEFAULTS
