"""Probes: small models that predict properties of windows from states."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike

from seqcast.data.arrays import as_array
from seqcast.errors import DataError
from seqcast.runtime import Array, filtering_warnings
from seqcast.specs import check_choice, check_int

if TYPE_CHECKING:
    import pandas as pd

# Numbers of training and test windows of a fold.
Fold = tuple[Array, Array]

PROBES = ("linear", "small network")
# Strengths of the linear probe's ridge, of which each training fold chooses one.
_ALPHAS = np.logspace(-4, 4, 9)
# Units of the small network's only layer.
_WIDTH = 32


def circular(angle: ArrayLike) -> Array:
    """Return an angle as its sine and cosine, `[N, 2]`, which make a full turn equal to 0.

    Args:
        angle: Angles in radians, `[N]`.

    Example:
        >>> circular([0.0, np.pi / 2]).round(6).tolist()
        [[0.0, 1.0], [1.0, 0.0]]
    """
    values = np.asarray(angle, dtype=np.float64)
    return np.stack([np.sin(values), np.cos(values)], axis=-1)


def probe(
    values: ArrayLike,
    properties: Mapping[str, ArrayLike],
    *,
    probes: Sequence[str] = PROBES,
    folds: int = 5,
    permutations: int = 1,
    groups: ArrayLike | None = None,
    seed: int = 0,
) -> pd.DataFrame:
    """Return the R² with which probes predict properties of windows from their states.

    A linear probe is a ridge regression whose strength is chosen within each training fold; a small
    network has one layer of 32 units and stops early. The R² is that of predictions for windows
    that the probe was not fitted on. The control fits the same probe to permuted values: its R² is
    chance, so only the difference is due to the states.

    Args:
        values: States, `[N, width]`, from `states`, or other values from which to predict.
        properties: Numbers by name, `[N]`, or several numbers of a property, `[N, q]`, such as from
            `circular`.
        probes: Any of `linear` and `small network`.
        folds: Folds of the cross-validation.
        permutations: Number of controls.
        groups: The group of each window, such as its series, `[N]`: a group is never in both
            training and test fold. `None` divides at random.
        seed: Seed of folds, permutations and probes.

    Returns:
        A pandas frame with a row for each property and probe: `r2`, its smallest and largest values
        over the folds, `r2_low` and `r2_high`, and that of the control, `r2_permuted`.

    Raises:
        DataError: Arrays do not fit together, or a value is not finite.

    Example:
        >>> random = np.random.default_rng(0)
        >>> hidden = random.normal(size=(200, 3))
        >>> states = hidden @ random.normal(size=(3, 8))
        >>> table = probe(states, {"first": hidden[:, 0]}, probes=["linear"])
        >>> bool(table["r2"].item() > 0.99), bool(table["r2_permuted"].item() < 0.1)
        (True, True)

    Source: Alain and Bengio 2016, arXiv:1610.01644; Hewitt and Liang 2019, arXiv:1909.03368, for
        the control.
    """
    import pandas as pd
    from sklearn.model_selection import GroupKFold, KFold

    states = as_array("values", values, (2,), finite=True).astype(np.float64)
    check_int("folds", folds, at_least=2)
    check_int("permutations", permutations)
    if len(states) < 2 * folds:
        raise DataError(
            "values", expected=f"at least {2 * folds} windows", received=str(len(states))
        )

    splitter = (
        KFold(folds, shuffle=True, random_state=seed) if groups is None else GroupKFold(folds)
    )
    divided = list(splitter.split(states, groups=None if groups is None else np.asarray(groups)))

    rows = []
    for name, numbers in _checked(properties, len(states)).items():
        random = np.random.default_rng(seed)
        shuffled = [random.permutation(numbers) for _ in range(permutations)]
        for kind in probes:
            check_choice("probes", kind, PROBES)
            r2, by_fold = _score(kind, states, numbers, divided, seed)
            control = float(
                np.mean([_score(kind, states, permuted, divided, seed)[0] for permuted in shuffled])
            )
            rows.append((name, kind, r2, min(by_fold), max(by_fold), control))

    return pd.DataFrame(
        rows, columns=["property", "probe", "r2", "r2_low", "r2_high", "r2_permuted"]
    )


def unit_r2(values: ArrayLike, properties: Mapping[str, ArrayLike]) -> pd.DataFrame:
    """Return the R² of a straight line from each unit to each property.

    Args:
        values: States, `[N, width]`.
        properties: As for `probe`.

    Returns:
        A pandas frame with a row for each property and a column for each unit, from 1.

    Example:
        >>> x = np.arange(5.0)
        >>> unit_r2(np.stack([x, x**0], axis=1), {"x": x}).round(3).to_numpy().tolist()
        [[1.0, 0.0]]
    """
    import pandas as pd

    states = as_array("values", values, (2,), finite=True).astype(np.float64)
    table = {}
    for name, numbers in _checked(properties, len(states)).items():
        x = _standardised(states)
        y = _standardised(numbers)
        table[name] = np.square(x.T @ y / len(x)).mean(axis=1)

    return pd.DataFrame(table, index=pd.RangeIndex(1, states.shape[1] + 1, name="unit")).T


def _standardised(values: Array) -> Array:
    deviations = values - values.mean(axis=0)
    deviation = deviations.std(axis=0)
    return np.asarray(
        deviations / np.where(deviation > 1e-12 * (1.0 + np.abs(values).max()), deviation, np.inf)
    )


def _checked(properties: Mapping[str, ArrayLike], rows: int) -> dict[str, Array]:
    checked = {}
    for name, numbers in properties.items():
        where = f"properties[{name!r}]"
        array = as_array(where, numbers, (1, 2), finite=True).astype(np.float64)
        if len(array) != rows:
            raise DataError(
                where,
                expected=f"a number for each of the {rows} windows",
                received=str(len(array)),
                hint="Give one row a window.",
            )
        checked[name] = array.reshape(rows, -1)
    return checked


def _score(
    kind: str, x: Array, y: Array, divided: list[Fold], seed: int
) -> tuple[float, list[float]]:
    """Return the R² of cross-validated predictions, over all windows and by fold."""
    from sklearn.compose import TransformedTargetRegressor
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import RidgeCV
    from sklearn.metrics import r2_score
    from sklearn.model_selection import cross_val_predict
    from sklearn.neural_network import MLPRegressor
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    model = RidgeCV(_ALPHAS)
    if kind != "linear":
        stopping = {"early_stopping": True, "n_iter_no_change": 20, "max_iter": 500, "tol": 1e-5}
        model = MLPRegressor(hidden_layer_sizes=(_WIDTH,), random_state=seed, **stopping)
    scaled = make_pipeline(StandardScaler(), model)
    whole = TransformedTargetRegressor(scaled, transformer=StandardScaler(), check_inverse=False)
    # These passes are enough for a probe, also if the last one still improved it.
    targets = y if y.shape[1] > 1 else y[:, 0]
    with filtering_warnings("ignore", ConvergenceWarning):
        predicted = cross_val_predict(whole, x, targets, cv=divided).reshape(y.shape)

    by_fold = [float(r2_score(y[fold], predicted[fold])) for _, fold in divided]
    return float(r2_score(y, predicted)), by_fold
