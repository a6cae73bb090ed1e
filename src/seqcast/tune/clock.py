"""The division of a time limit between the trials of a search and the final fit."""

import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from seqcast.training import Deadline

# The search gets at least this fraction of the time limit.
LEAST_SEARCH = 0.5
# The reserve for reading, choosing shares and writing, as a fraction of the limit.
RESERVE = 0.03
# Most seconds of the reserve.
MOST_RESERVE = 10.0
# A network of the final fit learns from more rows than that of a trial.
GROWTH = 1.15
# Time of the fine-tuning over that of a trial (see the histories that `benchmarks/tuning.py`
# writes).
FINETUNING = 1.3
# Time of the final fit without its trainings, over that of a trial.
OVERHEAD = 0.1


@dataclass(frozen=True)
class Clock:
    """The division of a time limit between the search and the final fit.

    Args:
        deadline: When all has to be done; `None` is never.
        workers: Processes that train side by side.
        members: Networks of the final fit.
        compared: Whether the pretrained network is fine-tuned too.
        share: The length of a trial's training, as a fraction of the whole one.

    Example:
        >>> clock = Clock(Deadline.of(600), workers=2, members=5, compared=True)
        >>> [round(clock.final_seconds(20.0, members)) for members in (5, 1)]
        [86, 40]
        >>> clock.affordable(20.0)
        5
    """

    deadline: Deadline | None
    workers: int
    members: int
    compared: bool
    share: float = 1.0

    @property
    def limit(self) -> float:
        """Seconds of the time limit; infinity without one."""
        return math.inf if self.deadline is None else self.deadline.ends - self.deadline.began

    @property
    def reserve(self) -> float:
        """Seconds of the limit that neither the search nor the fit may use."""
        return 0.0 if self.deadline is None else min(RESERVE * self.limit, MOST_RESERVE)

    @property
    def left(self) -> float:
        """Seconds that are left for the search and the fit; infinity without a limit."""
        return math.inf if self.deadline is None else self.deadline.left() - self.reserve

    def final_seconds(self, trial: float, members: int) -> float:
        """Estimate the seconds of the final fit.

        Args:
            trial: Seconds of a usual trial.
            members: Networks of the fit.
        """
        network = GROWTH * trial / self.share
        jobs = [network] * members
        if self.compared:
            # The network that represents the members on the hold-out windows, and the fine-tuning.
            jobs += [network, FINETUNING * GROWTH * trial]
        return max(sum(jobs) / self.workers, max(jobs)) + OVERHEAD * trial

    def search_ends(self, seconds: Sequence[float]) -> float:
        """Return the time after which no trial may run, seconds of `time.monotonic`.

        The final fit gets the time that it needs, but at most half of the limit; half before any
        trial is complete.

        Args:
            seconds: Seconds of the trials that are complete.
        """
        if self.deadline is None:
            return math.inf
        needed = (1 - LEAST_SEARCH) * self.limit
        if seconds:
            needed = min(needed, self.final_seconds(float(np.median(seconds)), self.members))
        return self.deadline.ends - needed - self.reserve

    def fits_another(self, seconds: Sequence[float]) -> bool:
        """Return whether another trial would be done in time.

        Args:
            seconds: Seconds of the trials that are complete.
        """
        usual = float(np.median(seconds)) if seconds else 0.0
        return time.monotonic() + usual < self.search_ends(seconds)

    def affordable(self, trial: float) -> int:
        """Return the number of networks that the final fit has time for.

        Args:
            trial: Seconds of a usual trial.
        """
        left = self.left
        counts = range(self.members, 0, -1)
        return next((count for count in counts if self.final_seconds(trial, count) <= left), 0)
