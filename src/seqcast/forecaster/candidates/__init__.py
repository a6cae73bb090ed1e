"""The candidates: last season, zero-shot model, networks trained on the data; and their table.

In reading order: `candidate` (the form of a candidate, before and after a fit), `last_season`,
`zero_shot`, `trained`.
"""

from collections.abc import Mapping

from seqcast.forecaster.candidates.candidate import Candidate as Candidate
from seqcast.forecaster.candidates.candidate import FittedCandidate as FittedCandidate
from seqcast.forecaster.candidates.candidate import reject_without_network as reject_without_network
from seqcast.forecaster.candidates.last_season import LastSeason
from seqcast.forecaster.candidates.trained import Trained
from seqcast.forecaster.candidates.zero_shot import ZeroShot
from seqcast.forecaster.options import FitOptions

CANDIDATES: dict[str, type[Candidate]] = {
    each.key: each for each in (LastSeason, ZeroShot, Trained)
}
"""The class of each candidate, the simplest first; CONTRIBUTING has the recipe for a new one."""


def candidates(options: FitOptions) -> tuple[Candidate, ...]:
    """Return the candidates that apply to a fit.

    Args:
        options: The resolved options of the forecaster.
    """
    possible = (kind.of(options) for kind in CANDIDATES.values())
    return tuple(candidate for candidate in possible if candidate is not None)


def words() -> Mapping[str, str]:
    """Return the wording of each name that a candidate may have in `Choice.shares`.

    Example:
        >>> words()["trained"]
        'a network trained on this data'
    """
    return {name: text for kind in CANDIDATES.values() for name, text in kind.words.items()}
