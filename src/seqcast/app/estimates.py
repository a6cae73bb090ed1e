"""Estimates of how long a fit takes, from the number of windows that it would train on."""

from __future__ import annotations

import math

from seqcast.app.table import VisitorFrame

# Seconds of one core on the public data sets (`make bench-accuracy`): NN5 with 80,000 windows took 151, tourism with
# 90,000 took 161, M4 Hourly with 370,000 took 513; a single short series takes about 20.
BALANCED_SECONDS, SECONDS_A_WINDOW = 20.0, 0.0015
# Three networks and more, measured on the first two of these.
BEST_FACTOR = 5.0
# The pretrained network forecasts so many series a second; to be ready takes it some seconds.
QUICK_SECONDS, SERIES_A_SECOND = 4.0, 400.0


def estimate_seconds(frame: VisitorFrame, horizon: int, effort: str) -> float:
    """Return about how many seconds a fit takes.

    Args:
        frame: The series.
        horizon: Steps to forecast.
        effort: How much is tried.
    """
    facts = frame.facts.series
    if effort == "quick":
        return QUICK_SECONDS + len(facts) / SERIES_A_SECOND
    windows = sum(max(0, each.rows - horizon) for each in facts)
    balanced = BALANCED_SECONDS + SECONDS_A_WINDOW * windows
    return balanced * (BEST_FACTOR if effort == "best" else 1.0)


class Pace:
    """How much faster or slower this machine is than the one that the estimates are of, learnt from fits.

    Example:
        >>> pace = Pace()
        >>> pace.learn(estimated=10.0, measured=40.0)
        >>> pace.factor
        2.0
    """

    def __init__(self) -> None:
        self.factor = 1.0

    def learn(self, *, estimated: float, measured: float) -> None:
        """Take a fit into account: half of what it says.

        Args:
            estimated: Seconds that it should have taken.
            measured: Seconds that it took.
        """
        ratio = min(max(measured / max(estimated, 1e-9), 0.05), 20.0)
        self.factor = math.exp(0.5 * math.log(self.factor) + 0.5 * math.log(ratio))


def in_words(seconds: float) -> str:
    """Return a duration as people say it.

    Args:
        seconds: The duration.

    Example:
        >>> in_words(4.2), in_words(48), in_words(400)
        ('about 5 seconds', 'about 50 seconds', 'about 7 minutes')
    """
    if seconds < 10:
        return "about 5 seconds" if seconds < 7.5 else "about 10 seconds"
    if seconds < 90:
        return f"about {round(seconds / 10) * 10} seconds"
    return f"about {round(seconds / 60)} minutes"
