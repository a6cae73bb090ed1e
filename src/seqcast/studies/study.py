"""The base of studies: a question, a grid of settings, a run of each, figures and a finding."""

from __future__ import annotations

import importlib
from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

from seqcast.errors import unknown_name
from seqcast.specs import CheckpointSpec
from seqcast.studies.cache import code_key

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from seqcast.regressor import Seq2SeqRegressor

Array = npt.NDArray[Any]
Setting = dict[str, Any]

SEEDS = 5
# The studies, each a module of its name.
NAMES = ("states", "periods", "sines", "horizon", "teacher", "sizes", "static", "learning", "noise")


class Study(ABC):
    """A study: a question and the experiment that answers it.

    Settings and outcomes are JSON types: they are the key of a result and the result.
    """

    name: ClassVar[str]
    title: ClassVar[str]
    question: ClassVar[str]

    @abstractmethod
    def grid(self, quick: bool) -> list[Setting]:
        """Return the settings; with `quick` a few small ones that prove the path."""

    @abstractmethod
    def run(self, setting: Setting, seed: int, trainings: Trainings) -> dict[str, Any]:
        """Train and measure one setting with one seed.

        Args:
            setting: The setting.
            seed: The seed.
            trainings: Trains the networks, so that a run that was interrupted goes on.
        """

    @abstractmethod
    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the results; the key `""` is the study's main picture, others are added to its file's name."""

    @abstractmethod
    def finding(self, results: Results) -> str:
        """Return the finding in Markdown, with mean, range and number of seeds."""

    def code(self) -> str:
        """Return a key of the code that a run can execute: other code is another result."""
        return code_key(self.name)


def find_study(name: str) -> Study:
    """Return a study by its name.

    Raises:
        SpecError: There is no such study.

    Example:
        >>> find_study("horizon").title
        'Beyond the horizon'
    """
    if name not in NAMES:
        raise unknown_name("study NAME", name, NAMES)
    study: Study = importlib.import_module(f"seqcast.studies.{name}").STUDY
    return study


class Trainings:
    """The trainings of one run, in the order in which it asks for them, each with checkpoints to go on from.

    Args:
        folder: Where the checkpoints go, in a folder for each training; `None` for none.

    Example:
        >>> from seqcast import Seq2SeqRegressor
        >>> windows = np.zeros((8, 5, 1))
        >>> model = Seq2SeqRegressor(encoder_units=(2,), decoder_units=(2,), epochs=1, random_state=0, verbose=0)
        >>> Trainings(None).fit(model, windows, windows[:, :2]).predict(windows).shape
        (8, 2, 1)
    """

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.count = 0

    def fit(self, model: Seq2SeqRegressor, past: Any, future: Any, **covariates: Any) -> Seq2SeqRegressor:
        """Train a network, or go on from its newest checkpoint.

        Args:
            model: The network, with a seed.
            past: The past, `[N, T, F]`.
            future: The future, `[N, H, D]`.
            covariates: As for `Seq2SeqRegressor.fit`.

        Returns:
            The fitted network.
        """
        self.count += 1
        checkpoint = None if self.folder is None else CheckpointSpec(self.folder / f"training-{self.count}")
        return model.fit(past, future, **covariates, checkpoint=checkpoint, resume=checkpoint is not None)


class Results:
    """The results of a study.

    Args:
        rows: A dict for each setting and seed: `setting`, `seed`, `seconds` and what `run` returned.

    Example:
        >>> rows = [{"setting": {"width": w}, "seed": s, "mse": w + s} for w in (1, 2) for s in (0, 1)]
        >>> Results(rows).where(width=2).array("mse").tolist()
        [2, 3]
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = sorted(rows, key=lambda row: row["seed"])

    def __len__(self) -> int:
        return len(self.rows)

    def __iter__(self) -> Iterator[dict[str, Any]]:
        return iter(self.rows)

    @property
    def seeds(self) -> str:
        """The number of seeds, in words."""
        count = len({row["seed"] for row in self.rows})
        return f"{count} seed{'s' * (count != 1)}"

    def where(self, **conditions: Any) -> Results:
        """Return the results whose settings have these values."""
        return Results(
            [row for row in self.rows if all(row["setting"].get(name) == value for name, value in conditions.items())]
        )

    def settings(self, name: str) -> list[Any]:
        """Return the values that a setting takes, in order: numbers by size, others as in the grid."""
        values = [row["setting"].get(name) for row in self.rows]
        unique = list({repr(value): value for value in values}.values())
        return sorted(unique) if all(isinstance(value, int | float) for value in unique) else unique

    def curve(self, name: str, key: str) -> tuple[list[Any], Array]:
        """Return the values of a setting, `[n]`, and one outcome of each run at each of them, `[runs, n]`."""
        values = self.settings(name)
        return values, np.stack([self.where(**{name: value}).array(key) for value in values], axis=1)

    def array(self, key: str) -> Array:
        """Return one outcome of all results, `[results, ...]`; NaN where there is none."""
        values = [row[key] for row in self.rows]
        return np.asarray(values) if np.asarray(values).dtype.kind in "iu" else np.asarray(values, dtype=np.float64)


def number(value: float, digits: int = 4) -> str:
    """Return a number as text with `digits` decimals, or with two digits where these would be zero.

    Example:
        >>> number(0.01234), number(0.000012), number(12.3456, 1)
        ('0.0123', '1.2e-05', '12.3')
    """
    if value and abs(value) < 0.5 * 10.0**-digits:
        return f"{value:.1e}"
    return f"{value:.{digits}f}"


def spread(values: Any, digits: int = 4, unit: str = "") -> str:
    """Return as text the mean and, in brackets, the smallest and the largest of several runs.

    Example:
        >>> spread([0.1, 0.2, 0.3], 1)
        '0.2 (0.1-0.3)'
    """
    array = np.asarray(values, dtype=np.float64)
    if len(array) == 1:
        return f"{number(array[0], digits)}{unit}"
    return f"{number(array.mean(), digits)} ({number(array.min(), digits)}-{number(array.max(), digits)}){unit}"
