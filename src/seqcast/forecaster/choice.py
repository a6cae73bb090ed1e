"""The choice of the shares that candidates have in a forecast, by losses on hold-out windows."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Self

import numpy as np

from seqcast.errors import counted
from seqcast.forecaster.candidates import CANDIDATES, FittedCandidate, words
from seqcast.runtime import Array, percentages

# Shares with a small loss are searched in steps of a tenth.
TENTHS = 10

# With this number of cutoffs, the best shares on them and those that follow the losses alone weigh
# the same. Windows of one time are alike: what is a tenth better at one cutoff is often no better
# at the next (docs/history.md).
CAUTIOUS_CUTOFFS = 20

# In the latter, a candidate whose loss is a tenth above the least counts for a third.
SHARPNESS = 10.0

# The largest exponent of a prior share, whose exponential is a number still.
MOST_EXPONENT = 700.0

# A smaller share is not worth a forecast of its own.
LEAST_SHARE = 0.05


@dataclass(frozen=True)
class Choice:
    r"""The shares of candidates in a forecast, and their hold-out losses.

    Args:
        shares: The share of each candidate that is used, by name; they sum to 1.
        losses: The mean quantile loss of each candidate that was compared, in units of the naive
            error, and under `blend` that of the blend; none where nothing was compared.
        windows: Number of hold-out windows; 0 where nothing was compared.

    Example:
        >>> losses = {"seasonal_naive": 0.5, "pretrained": 0.4, "blend": 0.4}
        >>> print(str(Choice({"pretrained": 1.0}, losses, 12)).replace(": ", ":\n", 1))
        the pretrained network (quantile loss on 12 validation windows:
        the pretrained network 0.4, the last season 0.5)
        >>> print(Choice({"trained": 1.0}))
        a network trained on this data
    """

    shares: Mapping[str, float]
    losses: Mapping[str, float] = field(default_factory=dict)
    windows: int = 0

    def among(self, fitted: Sequence[FittedCandidate]) -> Self:
        """Return the choice with the same shares for candidates after a later training.

        The share of a missing candidate is divided among the others.

        Args:
            fitted: The candidates.
        """
        names = {name: each.name for each in fitted for name in CANDIDATES[each.key].words}
        names |= {each.name: each.name for each in fitted}
        shares = dict[str, float]()
        for name in (name for name in self.shares if name in names):
            shares[names[name]] = shares.get(names[name], 0.0) + self.shares[name]
        total = 1.0 if set(self.shares) <= set(names) else sum(shares.values())
        return replace(self, shares={name: share / total for name, share in shares.items()})

    def __str__(self) -> str:
        texts = words()
        several = len(self.shares) > 1
        shares = [
            f"{share} {texts[name]}" if several else texts[name]
            for name, share in percentages(self.shares).items()
        ]
        chosen = " + ".join(shares)

        if not self.losses:
            return chosen

        ranked = sorted((loss, name) for name, loss in self.losses.items() if name != "blend")
        losses = [f"{texts[name]} {loss:.3g}" for loss, name in ranked]
        chance = ""
        if several:
            ahead = sum(loss < self.losses["blend"] for loss, _ in ranked)
            losses.insert(ahead, f"together {self.losses['blend']:.3g}")
            chance = f"; that {texts[ranked[0][1]]} alone is ahead may be chance" if ahead else ""

        windows = counted(self.windows, "validation window")
        return f"{chosen} (quantile loss on {windows}: {', '.join(losses)}{chance})"

    def to_dict(self) -> dict[str, Any]:
        """Return it as JSON types."""
        return {"shares": dict(self.shares), "losses": dict(self.losses), "windows": self.windows}

    def check(self) -> None:
        """Reject an impossible choice from a file.

        Raises:
            ValueError: A name or a share is impossible.
        """
        if (
            not self.shares
            or set(self.shares) - set(words())
            or set(self.losses) - {*words(), "blend"}
        ):
            raise ValueError(f"a choice of {', '.join(self.shares) or 'nothing'}")
        if min(self.shares.values()) <= 0 or abs(sum(self.shares.values()) - 1) > 1e-6:
            raise ValueError(f"shares {dict(self.shares)}, which should sum to 1")


def pinball(truth: Array, forecast: Array, probabilities: Sequence[float]) -> Array:
    """Return the quantile loss of each number that is forecast, NaN where the truth is missing.

    Args:
        truth: The truth, `[...]`.
        forecast: Quantiles, `[..., Qs]`.
        probabilities: The probability of each.

    Example:
        >>> pinball(np.array([1.0]), np.array([[0.0, 3.0]]), (0.1, 0.9))
        array([[0.1, 0.2]])
    """
    error = truth[..., None] - forecast
    p = np.asarray(probabilities)
    return np.asarray(np.maximum(p * error, (p - 1.0) * error))


def choose(
    truth: Array, forecasts: Mapping[str, Array], probabilities: Sequence[float], *, cutoffs: int
) -> Choice:
    r"""Choose the shares of candidates by their quantile loss.

    .. math:: w = \frac{n\, \hat w + n_0\, \bar w}{n + n_0}, \quad
        \bar w_k \propto b_k \exp\Big(-10 \Big(\frac{L_k}{\min_j L_j} - 1\Big)\Big)

    `L` is the quantile loss of a candidate; `b` is its prior weight, 1 for networks and a tenth for
    the last season. So candidates of similar loss have similar shares until many cutoffs show a
    difference, and a much worse one has none. Windows of one time are alike, so cutoffs count,
    however many series there are. The shares with a small loss,
    :math:`\hat w`, are tenths: the candidate that lowers the loss of their mean most is added
    to it, ten times.

    Args:
        truth: The truth of hold-out windows in units of the naive error, `[B, H, D]`; NaN is
            missing.
        forecasts: Quantiles of each candidate, `[B, H, D, Qs]`, by name.
        probabilities: The probability of each.
        cutoffs: Number of cutoffs, at least a horizon apart, `n`; `n_0` is 20.

    Returns:
        The choice; shares below a twentieth are dropped.

    Example:
        >>> truth = np.zeros((50, 1, 1))
        >>> forecasts = {"pretrained": truth[..., None] + 1, "trained": truth[..., None] - 1}
        >>> choose(truth, forecasts, (0.5,), cutoffs=50).shares
        {'pretrained': 0.5, 'trained': 0.5}

    Source: of the tenths, Caruana et al. 2004, Ensemble selection from libraries of models, section
        2.
    """
    names = list(forecasts)
    known = ~np.isnan(truth)
    y = truth[known]
    quantiles = np.stack([forecasts[name][known] for name in names])

    losses = {
        name: float(pinball(y, each, probabilities).mean())
        for name, each in zip(names, quantiles, strict=True)
    }

    best = _selected(y, quantiles, probabilities)
    shares = (cutoffs * best + CAUTIOUS_CUTOFFS * _cautious(losses)) / (cutoffs + CAUTIOUS_CUTOFFS)
    shares = np.where(shares < LEAST_SHARE, 0.0, shares)
    shares = shares / shares.sum()

    losses["blend"] = float(
        pinball(y, np.tensordot(shares, quantiles, axes=1), probabilities).mean()
    )
    chosen = {name: float(share) for name, share in zip(names, shares, strict=True) if share}
    return Choice(chosen, losses, int(known.any(axis=(1, 2)).sum()))


def _cautious(losses: Mapping[str, float]) -> Array:
    """Return the shares that follow the losses of the candidates alone."""
    least = max(min(losses.values()), np.finfo(float).tiny)
    priors = {name: kind.prior for kind in CANDIDATES.values() for name in kind.words}
    # A least loss of about zero makes every other one infinitely larger, which Python's numbers
    # would not divide.
    most_relative = MOST_EXPONENT / SHARPNESS + 1.0
    relative = {
        name: loss / least if loss < most_relative * least else most_relative
        for name, loss in losses.items()
    }
    weights = [
        priors[name] * math.exp(-SHARPNESS * (each - 1.0)) for name, each in relative.items()
    ]
    return np.array(weights) / sum(weights)


def _selected(y: Array, quantiles: Array, probabilities: Sequence[float]) -> Array:
    """Return shares in tenths with a small loss, from forecasts `[candidates, values, Qs]`."""
    total = np.zeros_like(quantiles[0])
    tenths = np.zeros(len(quantiles))
    for turn in range(1, TENTHS + 1):
        losses = [pinball(y, (total + each) / turn, probabilities).mean() for each in quantiles]
        chosen = int(np.argmin(losses))
        total = total + quantiles[chosen]
        tenths[chosen] = tenths[chosen] + 1
    return tenths / TENTHS
