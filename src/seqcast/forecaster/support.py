"""The support of a frame's targets: what the user says, or what was seen."""

from __future__ import annotations

from seqcast.data.arrays import outside_support
from seqcast.data.frames import AnyFrame, LongFrame
from seqcast.intervals import VALUES_OF, observed_support, outside_support_of


def learn_support(frame: AnyFrame, support: str) -> tuple[str, ...]:
    """Return the support of each target.

    Args:
        frame: The series.
        support: One of `seqcast.intervals.support.SUPPORTS`.

    Raises:
        DataError: A value lies outside.
    """
    if support == "auto":
        by_part = zip(*(observed_support(part.targets) for _, part in frame.parts()), strict=True)
        return tuple("real" if "real" in found else found[0] for found in by_part)
    frame.check(
        lambda part: part.refuse_targets(
            outside_support_of(part.targets, support),
            expected=f"{VALUES_OF[support]}, for support={support!r}",
            hint="Correct the row, or choose another support.",
        )
    )
    return (support,) * len(frame.schema.columns.targets)


def check_head_support(frame: AnyFrame, head: str) -> None:
    """Refuse targets that a head's distribution does not have.

    Args:
        frame: The series.
        head: Name of the head.

    Raises:
        DataError: A value lies outside.
    """

    def check(part: LongFrame) -> None:
        unsupported, expected = outside_support(part.targets, head)
        part.refuse_targets(
            unsupported,
            expected=f"{expected}, for head={head!r}",
            hint="Correct the row, or take another head, such as 'quantile', which is for any numbers.",
        )

    frame.check(check)
