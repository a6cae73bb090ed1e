"""Which setting is tried next: first those beside the untuned one, then what Optuna's estimator proposes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from seqcast.tune.storage import optuna

# Trials after the untuned one that change one field of it, before others are learnt from.
FIRST_TRIALS = 8


def sampler_of(neighbours: Sequence[Mapping[str, Any]], seed: int, *, several: bool) -> Any:
    """Return Optuna's sampler.

    Args:
        neighbours: Parameters of settings beside the untuned one: trial `k` takes those at place `k - 1`.
        seed: Its seed.
        several: Whether several workers ask at once; then running trials count as bad ones, lest two try the same.
    """
    parzen: Any = optuna().samplers.TPESampler

    class _BesideFirst(parzen):
        """A tree-structured Parzen estimator that tries neighbours of the untuned setting first."""

        def sample_independent(self, study: Any, trial: Any, param_name: str, param_distribution: Any) -> Any:
            """Return a parameter of a trial."""
            place = trial.number - 1
            if 0 <= place < min(FIRST_TRIALS, len(neighbours)):
                return neighbours[place][param_name]
            return super().sample_independent(study, trial, param_name, param_distribution)

    return _BesideFirst(n_startup_trials=FIRST_TRIALS, constant_liar=several, seed=seed)
