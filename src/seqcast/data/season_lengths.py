"""The season of a series: its length, and that of the longer season that contains it."""

from __future__ import annotations

from dataclasses import dataclass

from seqcast.errors import SpecError
from seqcast.specs import check_int

# Steps of the usual longer season by those of the season: the week of hours, half-hours and
# quarter-hours, the year (of whole weeks) of days.
LONGER = {24: 168, 48: 336, 96: 672, 7: 364}


@dataclass(frozen=True)
class Season:
    """The season of a series.

    Args:
        length: Its steps; 1 is none.
        longer: Steps of a season that contains it; `None` where there is none.

    Raises:
        SpecError: They are no whole numbers, or the longer one is no multiple of the other.

    Example:
        >>> Season.of(24), Season.of(12)
        (Season(length=24, longer=168), Season(length=12, longer=None))
    """

    length: int
    longer: int | None = None

    def __post_init__(self) -> None:
        check_int("season_length", self.length)
        if self.longer is None:
            return

        longer = check_int("longer", self.longer)
        if longer <= self.length or longer % self.length:
            raise SpecError(
                "longer",
                expected=f"a multiple of the season, {self.length}",
                received=str(longer),
                hint="Give the steps of a season that contains the other, such as 168 for 24.",
            )

    @classmethod
    def of(cls, length: int) -> Season:
        """Return the season with its usual longer one.

        Args:
            length: Steps of the season.
        """
        return cls(length, LONGER.get(length))

    @property
    def lengths(self) -> tuple[int, ...]:
        """Its steps, and those of the longer one, where there is one."""
        if self.longer is None:
            return (self.length,)
        return self.length, self.longer
