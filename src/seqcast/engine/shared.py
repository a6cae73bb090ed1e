"""What networks of equal options share in a process: the compiled programs of their training steps and forecasts.

Tracing and reading a program from JAX's cache take as long as a short training. A refit, a member
of an ensemble or the next point of a grid does neither, because one network before it had the same
options.
"""

from __future__ import annotations

import functools
import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from seqcast.network import Seq2Seq
from seqcast.runtime import keras, platform, threads
from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec
from seqcast.training import clone_config, learning_rate, optimizer

if TYPE_CHECKING:
    from seqcast.network import StepPrograms

# Kinds of networks and of trainings whose programs stay in memory without a model: those that were
# used last. A search combines five networks and their judge, which a backtest fits in turn.
MOST_SHARED = 8
MOST_TRAININGS = 6
# Options of a training that its steps are compiled for.
OF_STEPS = ("loss", "horizon_decay", "optimizer", "clip_norm", "metrics", "micro_batches")


def kind_of(window: WindowSpec, network: NetworkSpec, *more: Any) -> str | None:
    """Return a text that is equal where programs are equal; `None` on backends that do not share them.

    Args:
        window: Sizes of a window.
        network: Options of the network.
        more: Further options, as JSON types.

    Example:
        >>> window = WindowSpec(horizon=3, features=1, targets=1)
        >>> kind_of(window, NetworkSpec()) == kind_of(window, NetworkSpec(cell="lstm"))
        False
    """
    if keras.backend.backend() != "jax":
        return None
    machine = keras.config.floatx(), keras.config.dtype_policy().name, platform(), threads()
    return json.dumps([window.to_dict(), network.to_dict(), machine, *more], sort_keys=True)


def network_of(kind: str) -> Seq2Seq:
    """Return a network of a kind, which programs are traced from.

    Args:
        kind: The result of `kind_of`.
    """
    window, network, *_ = json.loads(kind)
    return Seq2Seq(WindowSpec.from_dict(window), NetworkSpec.from_dict(network), seed=0)


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
    """Return the programs of the training steps of a network, as another of equal options may have compiled them.

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
    # Rates are arguments.
    plain = {name: getattr(training, name) for name in OF_STEPS}
    kind = kind_of(model.window, model.network, plain, sorted(freeze), bool(model.rates))
    return None if kind is None else step_programs_of(kind)


@functools.lru_cache(MOST_TRAININGS)
def step_programs_of(kind: str) -> StepPrograms:
    """Return the programs that all trainings of a kind share.

    Args:
        kind: The result of `kind_of`, with training, frozen submodules and whether the rate follows
            a schedule.
    """
    from seqcast.network import StepPrograms  # which imports JAX

    *_, training, freeze, follows_schedule = json.loads(kind)
    model = network_of(kind)
    model.freeze(freeze)
    rate = learning_rate(TrainingSpec(), 1) if follows_schedule else 1.0
    compile_network(model, TrainingSpec(**training), rate)
    return StepPrograms(model)
