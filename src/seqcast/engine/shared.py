"""Compiled programs of training steps and forecasts, which networks of equal options share.

Tracing and reading a program from JAX's cache take as long as a short training. A refit, a member
of an ensemble or the next point of a grid does neither, because one network before it had the same
options.
"""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from seqcast.network import Seq2Seq
from seqcast.runtime import keras, platform, threads
from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec
from seqcast.training import clone_config, learning_rate, optimizer

if TYPE_CHECKING:
    from seqcast.network import StepPrograms

# Kinds of networks whose programs stay in memory without a model: those that were used last. A
# search combines five networks and the one that represents them on hold-out windows; a backtest
# fits them in turn.
MOST_SHARED = 8
# Kinds of trainings whose programs stay in memory, as above.
MOST_TRAININGS = 6
# Options of a training for which its steps are compiled.
STEP_OPTIONS = ("loss", "horizon_decay", "optimizer", "clip_norm", "metrics", "micro_batches")


@dataclass(frozen=True)
class NetworkKind:
    """Everything that the programs of a network depend on, as the key under which they are shared.

    Args:
        window: Sizes of a window.
        network: Options of the network, with JSON types in place of Keras objects.
        floatx: Keras's type of weights and inputs.
        dtype_policy: Name of Keras's policy of types.
        platform: Where programs run, such as `cpu`.
        threads: Number of threads among which the work is divided.
    """

    window: WindowSpec
    network: NetworkSpec
    floatx: str
    dtype_policy: str
    platform: str
    threads: int

    @classmethod
    def of(cls, window: WindowSpec, network: NetworkSpec) -> Self | None:
        """Return the kind of a network; `None` on backends that share no programs.

        Args:
            window: Sizes of a window.
            network: Options of the network.

        Example:
            >>> window = WindowSpec(horizon=3, features=1, targets=1)
            >>> gru = NetworkKind.of(window, NetworkSpec())
            >>> gru == NetworkKind.of(window, NetworkSpec(cell="lstm"))
            False
        """
        if keras.backend.backend() != "jax":
            return None

        return cls(
            window,
            # A copy, because a user may change the Keras objects of a spec.
            NetworkSpec.from_dict(network.to_dict()),
            keras.config.floatx(),
            keras.config.dtype_policy().name,
            platform(),
            threads(),
        )

    def build(self) -> Seq2Seq:
        """Return a network of this kind, from which programs are traced."""
        return Seq2Seq(self.window, self.network, seed=0)


@dataclass(frozen=True)
class TrainingKind:
    """Everything that the programs of a training depend on, as the key under which they are shared.

    Args:
        network: The kind of the network.
        training: The options in `STEP_OPTIONS`; the others have their defaults.
        frozen: Submodules that are not trained, in alphabetical order.
        follows_schedule: Whether the learning rate follows a schedule, whose rates are arguments.
    """

    network: NetworkKind
    training: TrainingSpec
    frozen: tuple[str, ...]
    follows_schedule: bool


def compile_network(model: Seq2Seq, training: TrainingSpec, rate: Any) -> None:
    """Compile a network as Keras does.

    Args:
        model: The network.
        training: Options of the training.
        rate: The learning rate, a number or a Keras schedule.
    """
    loss = clone_config(training.loss)
    model.rates = getattr(rate, "rates", ())
    model.micro_batches = training.micro_batches
    model.resumed_micro_batches = None
    model.skipped_steps = 0
    model.compile(
        optimizer=optimizer(training, rate),
        loss=model.decoder.head.loss(loss, horizon_decay=training.horizon_decay),
        weighted_metrics=[clone_config(metric) for metric in training.metrics] or None,
    )


def step_programs(
    model: Seq2Seq, training: TrainingSpec, freeze: Sequence[str]
) -> StepPrograms | None:
    """Return the programs of the training steps of a network, shared with those of equal options.

    Args:
        model: The network, compiled.
        training: Options of the training.
        freeze: Submodules that are not trained.

    Returns:
        The programs; `None` where several processes share a batch, or an option is an object.
    """
    options = training.loss, training.optimizer, training.learning_rate_schedule, *training.metrics
    named = all(option is None or isinstance(option, str) for option in options)
    if not named or model.processes.count > 1 or not model.compiles_for_jax:
        return None

    network = NetworkKind.of(model.window, model.network)
    if network is None:
        return None

    compiled_for = TrainingSpec(**{name: getattr(training, name) for name in STEP_OPTIONS})
    kind = TrainingKind(network, compiled_for, tuple(sorted(freeze)), bool(model.rates))
    return step_programs_of(kind)


@functools.lru_cache(MOST_TRAININGS)
def step_programs_of(kind: TrainingKind) -> StepPrograms:
    """Return the programs that all trainings of a kind share.

    Args:
        kind: The kind.
    """
    from seqcast.network import StepPrograms  # which imports JAX

    model = kind.network.build()
    model.freeze(kind.frozen)
    # Which rates is no matter, because programs take them as arguments.
    rate = learning_rate(TrainingSpec(), 1) if kind.follows_schedule else 1.0
    compile_network(model, kind.training, rate)
    return StepPrograms(model)
