"""The base of studies: runs and results, tables, the signals and the network."""

from __future__ import annotations

import operator
import pkgutil
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from seqcast.data import SineParameters, sine_parameters
from seqcast.errors import counted
from seqcast.regressor import Seq2SeqRegressor
from seqcast.runtime import Array
from seqcast.specs import CheckpointSpec

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Setting = dict[str, Any]

# Where each study is, by its name.
_STUDIES = {
    "states": "representation:States",
    "periods": "identifiability:Periods",
    "sines": "generalisation:Sines",
    "horizon": "teacher_forcing:Horizon",
    "teacher": "teacher_forcing:Teacher",
    "sizes": "sizes:Sizes",
    "static": "generalisation:Static",
    "learning": "generalisation:Learning",
    "noise": "identifiability:Noise",
}
NAMES = tuple(_STUDIES)

# Added to a study's seed for training windows.
TRAIN = 10_000
# Added to it for test windows, so that none of them is one of the training.
TEST = 50_000
# The usual range of `sine_parameters`, in turns per 30 steps.
FREQUENCY = (0.1, 10.0)


def sine_windows(
    n: int, *, past: int = 15, future: int = 15, seed: int, noise: float = 0.0, **options: Any
) -> tuple[Array, Array, SineParameters]:
    """Draw windows of sums of sines, and their parameters.

    The offsets are drawn and added, `[-0.5, 0.5]` for each sine, unless an option says otherwise.

    Args:
        n: Number of windows.
        past: Steps of the past.
        future: Steps of the future.
        seed: The seed.
        noise: Standard deviation of noise on the past; the future stays clean.
        options: Other options of `sine_parameters`, such as the range of `frequency`.

    Returns:
        The past, `[N, T, 1]`, the future, `[N, H, 1]`, and the parameters.

    Example:
        >>> past, future, parameters = sine_windows(3, seed=0)
        >>> past.shape, future.shape, parameters.frequency.shape
        ((3, 15, 1), (3, 15, 1), (3, 2))
    """
    parameters = sine_parameters(n, seed=seed, **options)
    values = parameters.values(np.arange(past + future))[:, :, None].astype(np.float32)
    before = values[:, :past]
    after = values[:, past:]

    if noise:
        rng = np.random.default_rng([seed, 1])
        before = before + rng.normal(scale=noise, size=before.shape).astype(np.float32)
    return before, after, parameters


# Most studies have signals without offsets.
plain_sines = partial(sine_windows, offset=(0.0, 0.0))


def network(seed: int, *, epochs: int, **options: Any) -> Seq2SeqRegressor:
    """Return the post's network with the recipe for signals without noise.

    It has two layers of 35 in encoder and decoder. The recipe is Muon at a rate of 0.02, warm-up
    and cosine decay, and batches of 128 (docs/benchmarks.md, The post's job). There is no
    validation, since nothing is chosen.

    Args:
        seed: Seed of everything random.
        epochs: Passes over the windows.
        options: Other options of `Seq2SeqRegressor`.

    Example:
        >>> network(0, epochs=3, decoder_input="position").learning_rate
        0.02
    """
    model = Seq2SeqRegressor(
        encoder_units=(35, 35),
        decoder_units=(35, 35),
        learning_rate=0.02,
        batch_size=128,
        epochs=epochs,
        validation_fraction=0.0,
        random_state=seed,
        verbose=0,
    )
    model.set_params(**options)
    return model


@dataclass
class Run:
    """A run of a study: one setting and seed, whose trainings resume from checkpoints.

    Args:
        setting: The setting.
        seed: The seed.
        folder: Where the checkpoints go, in a folder for each training; `None` for none.

    Example:
        >>> run = Run({"windows": 8, "epochs": 1}, seed=0)
        >>> model = run.train(plain_sines, encoder_units=(2,), decoder_units=(2,))
        >>> model.predict(np.zeros((8, 5, 1))).shape
        (8, 15, 1)
    """

    setting: Setting
    seed: int
    folder: Path | None = None
    _trainings: int = 0

    @property
    def train_seed(self) -> int:
        """Seed of the training windows."""
        return TRAIN + self.seed

    @property
    def test_seed(self) -> int:
        """Seed of the test windows."""
        return TEST + self.seed

    def train(self, draw: Callable[..., Any], **options: Any) -> Seq2SeqRegressor:
        """Train the post's network on as many windows as the setting says.

        Args:
            draw: Draws past and future for a number of windows and a `seed`.
            options: Other options of the network than the post's.
        """
        past, future, *_ = draw(self.setting["windows"], seed=self.train_seed)
        return self.fit(past, future, **options)

    def fit(
        self, past: Any, future: Any, *, static_covariates: Any = None, **options: Any
    ) -> Seq2SeqRegressor:
        """Train the post's network for the setting's epochs, from the newest checkpoint on.

        Args:
            past: The past, `[N, T, F]`.
            future: The future, `[N, H, D]`.
            static_covariates: Static covariates, `[N, S]`.
            options: Other options of the network than the post's.
        """
        self._trainings += 1
        checkpoint = None
        if self.folder is not None:
            checkpoint = CheckpointSpec(self.folder / f"training-{self._trainings}")

        model = network(self.seed, **{"epochs": self.setting["epochs"], **options})
        return model.fit(
            past,
            future,
            static_covariates=static_covariates,
            checkpoint=checkpoint,
            resume=checkpoint is not None,
        )


class Study(ABC):
    """A study: a question and the experiment that answers it.

    Settings and outcomes are JSON types, the key of a result and the result. A study compares its
    `settings`, to each of which `size` is added. A quick run measures the settings of the slice
    `quick` at `quick_size`.
    """

    title: ClassVar[str]
    question: ClassVar[str]
    settings: ClassVar[Sequence[Setting]]
    size: ClassVar[Setting] = {"windows": 25_600, "epochs": 12}
    quick: ClassVar[slice] = slice(2)
    quick_size: ClassVar[Setting] = {"windows": 640, "epochs": 1}

    def grid(self, quick: bool) -> list[Setting]:
        """Return all settings, or a few small ones for a quick run.

        Args:
            quick: Whether to return the small ones.
        """
        if quick:
            return [
                {**setting, **self.size, **self.quick_size} for setting in self.settings[self.quick]
            ]
        return [{**setting, **self.size} for setting in self.settings]

    @abstractmethod
    def measure(self, run: Run) -> dict[str, Any]:
        """Train and measure.

        Args:
            run: The setting and the seed; it trains.
        """

    @abstractmethod
    def figures(self, results: Results) -> dict[str, Figure]:
        """Draw the results.

        Args:
            results: All of them.

        Returns:
            The study's picture under the key `""`; other keys are added to the name of its file.
        """

    @abstractmethod
    def finding(self, results: Results) -> str:
        """Return the finding in Markdown, with means, ranges and the number of seeds.

        Args:
            results: All results.
        """


def find_study(name: str) -> Study:
    """Return a study by its name.

    Args:
        name: One of `NAMES`.

    Example:
        >>> find_study("horizon").title
        'Beyond the horizon'
    """
    study: Study = pkgutil.resolve_name(_STUDIES[name])()
    return study


class Results:
    """The results of a study.

    Args:
        rows: A dict for each setting and seed: `setting`, `seed`, `seconds` and the outcome of
            `measure`.

    Example:
        >>> rows = [
        ...     {"setting": {"width": width}, "seed": seed, "mse": width + seed}
        ...     for width in (1, 2)
        ...     for seed in (0, 1)
        ... ]
        >>> Results(rows).where(width=2).array("mse").tolist()
        [2.0, 3.0]
    """

    def __init__(self, rows: Sequence[dict[str, Any]]) -> None:
        self.rows = sorted(rows, key=lambda row: row["seed"])

    @property
    def seeds(self) -> str:
        """The number of seeds, in words."""
        return counted(len({row["seed"] for row in self.rows}), "seed")

    def where(self, **conditions: Any) -> Results:
        """Return the results whose settings have these values.

        Args:
            conditions: Values by the name of the setting.
        """
        return Results([row for row in self.rows if conditions.items() <= row["setting"].items()])

    def by(self, *names: str) -> dict[Any, Results]:
        """Return the results by the value of one setting or several, in the order of the grid.

        Args:
            names: The settings.
        """
        values_of = operator.itemgetter(*names)
        groups: dict[Any, Results] = {}
        for row in self.rows:
            groups.setdefault(values_of(row["setting"]), Results([])).rows.append(row)
        return groups

    def curve(self, name: str, key: str) -> tuple[list[Any], Array]:
        """Return the values of a setting, `[n]`, and an outcome of each run there, `[runs, n]`.

        Args:
            name: The setting.
            key: The outcome.
        """
        groups = self.by(name)
        return list(groups), np.stack([rows.array(key) for rows in groups.values()], axis=1)

    def array(self, key: str) -> Array:
        """Return one outcome of all results, `[results, ...]`; NaN where there is none.

        Args:
            key: The outcome.
        """
        return np.array([row[key] for row in self.rows], dtype=np.float64)


def mse_by_step(forecast: Array, truth: Array) -> list[float]:
    """Return the mean squared error of each step, `[H]`.

    Args:
        forecast: The forecast, `[N, H, D]`.
        truth: The actual values, `[N, H, D]`.

    Example:
        >>> mse_by_step(np.zeros((2, 2, 1)), np.array([[[1.0], [2.0]], [[1.0], [0.0]]]))
        [1.0, 2.0]
    """
    return [float(value) for value in np.square(forecast - truth).mean(axis=(0, 2))]


def number(value: float, digits: int = 4) -> str:
    """Return a number as text with `digits` decimals, or two digits where these would be zero.

    Args:
        value: The number.
        digits: Number of decimals.

    Example:
        >>> number(0.01234), number(0.000012), number(12.3456, 1)
        ('0.0123', '1.2e-05', '12.3')
    """
    if value and abs(value) < 0.5 * 10.0**-digits:
        return f"{value:.1e}"
    return f"{value:.{digits}f}"


def spread(values: Any, digits: int = 4) -> str:
    """Return as text the mean and, in brackets, the smallest and the largest of several runs.

    Args:
        values: A number a run.
        digits: Number of decimals.

    Example:
        >>> spread([0.1, 0.2, 0.3], 1)
        '0.2 (0.1-0.3)'
    """
    mean, low, high = (number(float(of(values)), digits) for of in (np.mean, np.min, np.max))
    if len(values) == 1:
        return mean
    return f"{mean} ({low}-{high})"


def markdown(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Return a table in Markdown.

    Args:
        header: Names of the columns.
        rows: Cells, as text.

    Example:
        >>> print(markdown(["network", "error"], [["deep", "0.1"]]))
        | network | error |
        |---|---|
        | deep | 0.1 |
    """
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    return "\n".join([lines[0], "|---" * len(header) + "|", *lines[1:]])
