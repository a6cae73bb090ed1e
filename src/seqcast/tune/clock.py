"""How a time limit is shared between the search and the fit that follows it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqcast.training import Deadline

# The search gets at least this share of the limit.
LEAST_SEARCH = 0.5
# What is kept in hand, as a share of the limit and in seconds at most: reading, the choice by evidence, writing.
IN_HAND, MOST_IN_HAND = 0.03, 10.0
# A network of the final fit learns from more rows than that of a trial.
GROWTH = 1.15
# The fine-tuning beside it takes so long, over a trial (see the histories that `benchmarks/tuning.py` keeps).
FINETUNING = 1.3


@dataclass(frozen=True)
class Clock:
    """The time of a study.

    Args:
        deadline: When all has to be done; `None` is never.
        workers: Processes that train side by side.
        members: Networks of the final fit.
        compared: Whether the pretrained network is fine-tuned beside them.

    Example:
        >>> clock = Clock(Deadline.of(600), workers=2, members=5, compared=True)
        >>> round(clock.final_seconds(20.0, 5)), round(clock.final_seconds(20.0, 1)), clock.affordable(20.0, 40.0)
        (86, 40, 1)
    """

    deadline: Deadline | None
    workers: int
    members: int
    compared: bool

    def final_seconds(self, trial: float, members: int) -> float:
        """Return about how long the final fit takes.

        Args:
            trial: Seconds of a usual trial.
            members: Networks of the fit.
        """
        # Beside the members there are the judge of their share, and the fine-tuning.
        jobs = [GROWTH * trial] * (members + self.compared) + [FINETUNING * GROWTH * trial] * self.compared
        return max(sum(jobs) / self.workers, max(jobs)) + 0.1 * trial

    def search_ends(self, seconds: Sequence[float]) -> float:
        """Return when no further trial may run, seconds since 1970.

        It leaves what the final fit needs, but never more than half of the limit, and half where nothing is known yet.

        Args:
            seconds: Seconds of the trials that are finished.
        """
        if self.deadline is None:
            return float("inf")
        whole = self.deadline.ends - self.deadline.began
        most = (1 - LEAST_SEARCH) * whole
        needed = min(most, self.final_seconds(float(np.median(seconds)), self.members)) if len(seconds) else most
        return self.deadline.ends - needed - self.in_hand

    @property
    def in_hand(self) -> float:
        """Seconds that are kept in hand."""
        return 0.0 if self.deadline is None else min(IN_HAND * (self.deadline.ends - self.deadline.began), MOST_IN_HAND)

    def fits_another(self, seconds: Sequence[float]) -> bool:
        """Return whether another trial would be done in time.

        Args:
            seconds: Seconds of the trials that are finished.
        """
        usual = float(np.median(seconds)) if len(seconds) else 0.0
        return time.time() + usual < self.search_ends(seconds)

    def affordable(self, trial: float, left: float | None = None) -> int:
        """Return how many networks the final fit has time for; 0 where one is too many.

        Args:
            trial: Seconds of a usual trial.
            left: Seconds that are left; `None` asks the clock.
        """
        if self.deadline is None:
            return self.members
        left = self.deadline.left() - self.in_hand if left is None else left
        counts = range(self.members, 0, -1)
        return next((count for count in counts if self.final_seconds(trial, count) <= left), 0)
