"""What cannot be written to is rejected, and what a file may hold grows with what its user allows."""

import os
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from seqcast.errors import SaveError, SpecError
from seqcast.runtime.file_checks import FileLimits, check_target
from tests.rejections import rejected

DEFAULTS = FileLimits()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no pipes or devices in folders")
def test_targets(tmp_path):
    check_target(tmp_path / "anything")
    check_target(tmp_path / "a.PNG", ("png",))
    with pytest.raises(
        SpecError, match=r"suffix: expected one of 'png', received 'pgn'\. Did you mean 'png'"
    ):
        check_target(tmp_path / "a.pgn", ("png",))
    assert list(tmp_path.iterdir()) == []
    os.mkfifo(tmp_path / "pipe.csv")
    special = "a pipe, a socket or a device"
    for path, received in (
        (tmp_path, "a folder"),
        (tmp_path / "none" / "a.csv", "no folder"),
        (tmp_path / "pipe.csv", special),
        (Path("/dev/null"), special),
    ):
        rejected(
            SaveError,
            f"expected a file in a folder to write to, received {received}",
            check_target,
            path,
        )


UNITS = {
    "": 1,
    "kb": 10**3,
    "MB": 10**6,
    "Gb": 10**9,
    "KiB": 1 << 10,
    "MiB": 1 << 20,
    "gib": 1 << 30,
}


@given(
    st.integers(1, 4000),
    st.sampled_from(sorted(UNITS)),
    st.sampled_from(["{}{}", " {} {} ", "{}.0  {}"]),
)
def test_sizes_that_are_given_hold_for_any_file(number, unit, form):
    size = number * UNITS[unit]
    for max_size in (size, float(size), form.format(number, unit)):
        limits = FileLimits.of(max_size)
        assert limits.size == limits.most(packed=1) == limits.most(packed=10**15) == size


@pytest.mark.parametrize(
    "max_size", ["", "GB", "8 XB", "-1", "much", 0, -5, True, [1], float("nan"), float("inf")]
)
def test_what_is_no_size_is_rejected(max_size):
    rejected(
        SpecError, "max_size: expected a size, such as '8 GB', received", FileLimits.of, max_size
    )


@given(st.integers(1, 10**13), st.integers(1, 10**13))
def test_more_is_allowed_to_larger_files_within_bounds(first, second):
    low, high = sorted((first, second))
    assert DEFAULTS.small <= DEFAULTS.most(low) <= DEFAULTS.most(high) <= DEFAULTS.size
    assert DEFAULTS.most(low) <= max(DEFAULTS.small, DEFAULTS.ratio * low)
    assert 100 <= FileLimits.of(low).columns <= FileLimits.of(high).columns


def test_defaults_are_those_that_the_documentation_states():
    assert (DEFAULTS.size, DEFAULTS.ratio, DEFAULTS.small) == (4 * 10**9, 100, 64 << 20)
    assert DEFAULTS.columns == 20_000
    assert FileLimits.of(None) == DEFAULTS
