"""Limits on what files may unpack to and hold, so that a small file cannot fill the memory."""

from __future__ import annotations

import numbers
import re
from dataclasses import dataclass
from typing import Any, Self

from seqcast.errors import SpecError

# A larger number has a square that a double cannot hold, so that no error, deviation or interval could be computed.
LARGEST_NUMBER = 1e150

_UNITS = {"": 1, "b": 1, "kb": 10**3, "mb": 10**6, "gb": 10**9, "tb": 10**12}
_UNITS |= {"kib": 1 << 10, "mib": 1 << 20, "gib": 1 << 30, "tib": 1 << 40}

# For each so many bytes that are allowed a table may have a column, which takes time and memory beside its values.
_COLUMN_COST = 200_000


@dataclass(frozen=True)
class FileLimits:
    """What a file may unpack to and hold; it is refused by what it claims, or where unpacking reaches the limit.

    Args:
        size: Most bytes that it unpacks to. The frame of a table may take a few times as much.
        ratio: Most times of its own size that it unpacks to, where that is more than `small`; `None` is any.
        small: To so many bytes any file may unpack.

    Example:
        >>> limits = FileLimits()
        >>> limits.most(packed=1_000), limits.most(packed=10_000_000), limits.most(packed=10**12)
        (67108864, 1000000000, 4000000000)
        >>> FileLimits.of("8 GB").most(packed=1_000)
        8000000000
    """

    size: int = 4_000_000_000
    ratio: int | None = 100
    small: int = 64 << 20

    @classmethod
    def of(cls, max_size: Any, *, small: int = small) -> Self:
        """Return the limits for what a user allows.

        Args:
            max_size: Bytes, or a text such as `8 GB`, whatever the file's own size is; `None` is the default.
            small: As for the class.

        Raises:
            SpecError: It is no size.
        """
        return cls(small=small) if max_size is None else cls(parse_size("max_size", max_size), ratio=None, small=small)

    def most(self, packed: int) -> int:
        """Return to how many bytes a file of so many may unpack."""
        return self.size if self.ratio is None else min(self.size, max(self.small, self.ratio * packed))

    def words(self, packed: int) -> str:
        """Return in words what a file of so many bytes may unpack to, for the message of an error.

        Example:
            >>> FileLimits().words(1_000), FileLimits().words(10_000_000)
            ('67.11 MB', '1000 MB, 100 times its size')
        """
        most = self.most(packed)
        text = f"{most / 1e9:.3g} GB" if most >= 2e9 else f"{most / 1e6:.4g} MB"
        return f"{text}, {self.ratio} times its size" if self.ratio and most == self.ratio * packed else text

    @property
    def columns(self) -> int:
        """Most columns of a table."""
        return max(100, self.size // _COLUMN_COST)


def parse_size(option: str, size: Any) -> int:
    """Return a size in bytes that is given as a number or a text.

    Args:
        option: The argument's name, for the error.
        size: Bytes, or a text such as `8 GB` or `512 MiB`.

    Raises:
        SpecError: It is no size.

    Example:
        >>> parse_size("max_size", "8 GB"), parse_size("max_size", "1.5GiB"), parse_size("max_size", 10)
        (8000000000, 1610612736, 10)
    """
    count: Any = 0
    if isinstance(size, numbers.Real) and not isinstance(size, bool):
        count = size
    elif isinstance(size, str):
        match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([a-zA-Z]*)", size.strip())
        if match and match[2].lower() in _UNITS:
            count = float(match[1]) * _UNITS[match[2].lower()]
    if not 1 <= count <= 2**63:
        raise SpecError(
            option,
            expected="a size, such as '8 GB'",
            received=repr(size),
            hint="Give bytes, or a number with kB, MB, GB, KiB, MiB or GiB.",
        )
    return int(count)
