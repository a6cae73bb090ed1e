"""Fine-tuning of the pretrained network: a training job that begins with its weights."""

from __future__ import annotations

import functools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from seqcast.data.synthetic import Season
from seqcast.data.windows import WindowReader, Windows
from seqcast.engine import TrainingJob
from seqcast.errors import SpecError
from seqcast.pretrained.covariates import CovariateSizes, seasonal_reader
from seqcast.pretrained.model import FinetuneOptions
from seqcast.pretrained.network import PretrainedNetwork
from seqcast.pretrained.windows import SeasonalWindows
from seqcast.specs import TrainingSpec

Array = npt.NDArray[Any]

# Steps in all for few windows and for many; in between, each window is seen about three times.
LEAST_STEPS, MOST_STEPS, PASSES = 48, 240, 3
BATCH_SIZE, EPOCHS = 64, 6
# Beside a network of its own half as many do: the loss is .5 % larger (`benchmarks/accuracy/training_length.py`).
MOST_STEPS_SHARED, EPOCHS_SHARED = 120, 3
# Training windows hold so many seasons, where series do.
SEASONS_READ = 3
# Weights half-way between those that have seen everything and those that have seen this data forecast what comes next
# better than either (`benchmarks/accuracy/shares.py`).
ROBUST_SHARE = 0.5
# What the version of its weights ends with then.
FINETUNED = ", fine-tuned"
# More validation windows would take longer than the training.
MOST_VALIDATION_WINDOWS = 1_000


def finetune_training(
    windows: int,
    changes: TrainingSpec | Mapping[str, Any] | None = None,
    *,
    covariates: bool = False,
    shares_data: bool = False,
) -> TrainingSpec:
    """Return how the pretrained network is trained further: the more windows, the more steps.

    Args:
        windows: Number of training windows.
        changes: A spec, which is taken as it is, or the fields that differ.
        covariates: Whether it has to learn what covariates mean, which takes a larger learning rate.
        shares_data: Whether a network of its own learns the data too.

    Example:
        >>> spec = finetune_training(2000)
        >>> spec.epochs * spec.steps_per_epoch
        96
    """
    if isinstance(changes, TrainingSpec):
        return changes
    short = shares_data and not covariates
    most, epochs = (MOST_STEPS_SHARED, EPOCHS_SHARED) if short else (MOST_STEPS, EPOCHS)
    steps = int(np.clip(PASSES * windows / BATCH_SIZE, LEAST_STEPS, most))
    usual = {
        "learning_rate": 2e-3 if covariates else 5e-4,
        "batch_size": BATCH_SIZE,
        "epochs": epochs,
        "steps_per_epoch": -(-steps // epochs),
        "early_stopping": None if short else 2,
        "horizon_decay": 0.5,
    }
    return TrainingSpec.from_dict({**TrainingSpec().to_dict(), **usual, **(changes or {})})


def finetune_context(contexts: Sequence[int], rows: int, horizon: int, season_length: int) -> int:
    """Return the context length of training windows: short enough that there are many, if they hold three seasons.

    Args:
        contexts: Context lengths that the network knows, the shortest first.
        rows: Rows of the longest series, or as many as two contexts and a horizon have.
        horizon: Steps of future that windows have.
        season_length: Steps of a season.

    Example:
        >>> contexts = (16, 32, 64, 128, 256, 512)
        >>> finetune_context(contexts, 600, 12, 12), finetune_context(contexts, 40, 4, 12)
        (256, 64)
    """
    needed = min(rows, SEASONS_READ * season_length)
    holding = next((context for context in contexts if context >= needed), contexts[-1])
    return max([holding, *(context for context in contexts if context <= (rows - horizon) // 2)])


def limits(training: TrainingSpec | Mapping[str, Any] | None) -> dict[str, Any]:
    """Return what a user's training says about its length, which holds for a fine-tuning beside it too.

    Args:
        training: The user's training of a network.

    Example:
        >>> limits({"epochs": 2, "learning_rate": 0.1})
        {'epochs': 2}
    """
    given = training.to_dict() if isinstance(training, TrainingSpec) else dict(training or {})
    names = ("epochs", "steps_per_epoch", "batch_size")
    return {name: given[name] for name in names if given.get(name) is not None}


@dataclass(frozen=True, kw_only=True)
class FinetuneJob(TrainingJob):
    """The further training of the pretrained network, or of one that was fine-tuned before.

    Args:
        pretrained: The network, with whose weights the training begins.
        season: The season of the series.
        horizon: Steps of future that training windows have; the network writes whole segments.
        share: The share of the weights that are learnt; the others are the first ones.
    """

    pretrained: PretrainedNetwork
    season: Season
    horizon: int
    share: float = 1.0

    @classmethod
    def of(cls, pretrained: PretrainedNetwork, reader: WindowReader, starts: Array, options: FinetuneOptions) -> Self:
        """Return the job.

        With more than a block to forecast, the network is trained to forecast a block. Beside another network half of
        the weights are learnt, or all where covariates are.

        Args:
            pretrained: The network.
            reader: The window reader of the series.
            starts: As for `TrainingJob`.
            options: How it is trained.

        Raises:
            SpecError: Covariates are to be learnt, and parts of the network may not be trained.
        """
        learns = options.covariates and not pretrained.covariates
        if learns and options.freeze:
            raise SpecError(
                "freeze",
                expected="() where covariates are learnt: their weights, zero at first, are in encoder and decoder",
                received=repr(tuple(options.freeze)),
                hint="Fine-tune all parts first, and freeze some in a second fine-tuning.",
            )
        if options.covariates:
            pretrained = pretrained.with_covariates(CovariateSizes.of(reader))
        block = min(options.horizon, pretrained.horizon)
        rows = min(int(reader.lengths.max()), 2 * reader.context_length + block)
        longest = pretrained.context_lengths[-1]
        if options.most_rows is not None:
            longest = pretrained.context(options.most_rows)
        contexts = [length for length in pretrained.context_lengths if length <= longest]
        context = finetune_context(contexts, rows, block, options.season_length)
        short = options.shares_data
        job = cls(
            reader=seasonal_reader(reader, covariates=options.covariates).with_context(context),
            starts=starts,
            window=pretrained.window(pretrained.steps(block), pretrained.covariates),
            network=pretrained.engine.network,
            training=finetune_training(1),
            seeds=options.seeds,
            weighting=options.weighting,
            weights=pretrained.engine.weights,
            freeze=tuple(options.freeze),
            title="the pretrained network",
            log_name="pretrained",
            observers_only=True,
            pretrained=pretrained,
            season=Season.of(options.season_length),
            horizon=block,
            share=ROBUST_SHARE if short and not learns else 1.0,
        )
        windows = job.count_windows()
        training = finetune_training(windows, options.training, covariates=learns, shares_data=short)
        return replace(job, training=training)

    @property
    def _horizon(self) -> int:
        """Steps of future that training windows have."""
        return self.horizon

    def _windows(self, **kind: Any) -> tuple[Windows, Windows | None]:
        """Return the windows to train and to validate on."""
        seasonal = functools.partial(
            SeasonalWindows,
            season_length=self.season.length,
            longer=self.season.longer or 0,
            steps_forecast=self.window.horizon,
            covariates=bool(self.pretrained.covariates),
        )
        training, validation = super()._windows(windows=seasonal, most_validation=MOST_VALIDATION_WINDOWS, **kind)
        if isinstance(validation, SeasonalWindows):
            validation.keep()
        return training, validation

    def finetuned(self, weights: Sequence[Array]) -> PretrainedNetwork:
        r"""Return the network with the weights of a training, or with some of them and some of the first ones.

        .. math:: W = (1 - s)\, W_{\text{first}} + s\, W_{\text{trained}}

        Args:
            weights: The trained weights.

        Source: Wortsman et al. 2022, Robust fine-tuning of zero-shot models, arXiv:2109.01903, section 3.
        """
        both = zip(self.pretrained.engine.weights, weights, strict=True)
        mixed = [after if self.share == 1 else (1 - self.share) * first + self.share * after for first, after in both]
        return self.pretrained.with_weights(mixed, self.pretrained.version.removesuffix(FINETUNED) + FINETUNED)
