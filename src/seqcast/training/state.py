"""The state of a training: all variables of the next step, so that resuming changes no weight."""

import copy
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from seqcast.errors import SpecError
from seqcast.runtime import Array, copies, fetch_weights, keras, weights_of
from seqcast.training.callbacks import History, KeepBest

# Compiled steps are counted in 32 bits.
LARGEST_COUNT = 2**31 - 1


@dataclass(frozen=True)
class TrainState:
    """The state of a training between two epochs, or in the middle of one.

    It has every variable, on any backend: weights, the states of all random generators, the counter
    of scheduled sampling, the optimiser's moments, counter and learning rate. Arrays are copies, in
    the order of the model's variables. A new model of the same specs that is restored from it ends,
    with the same data, with the same bits as without an interruption.

    Args:
        trainable: The weights that are trained.
        non_trainable: The other variables of the network.
        optimizer: The optimiser's variables.
        epoch: Finished epochs.
        step: Finished training steps.
        micro_batches: Number of micro-batches of each batch.
        history: The history so far, with the best epoch.
        best_loss: The smallest validation loss; `None` without validation.
        best_weights: All weights of the best epoch, in the order of Keras's `set_weights`.
        epoch_step: Finished training steps of the next epoch; on JAX, where a resumed training
            skips them.
        metrics: The metrics' variables in the middle of an epoch.
    """

    trainable: list[Array]
    non_trainable: list[Array]
    optimizer: list[Array]
    epoch: int
    step: int
    micro_batches: int
    history: History
    best_loss: float | None = None
    best_weights: list[Array] | None = None
    epoch_step: int = 0
    metrics: list[Array] = field(default_factory=list)

    def __post_init__(self) -> None:
        if not (self._counts_are_possible() and self._arrays_are_numbers()):
            raise ValueError(
                f"a state of {self.epoch} epochs, {self.step} steps, {self.epoch_step} of them in "
                f"the next epoch, {self.micro_batches} micro-batches, or no numbers"
            )

    def _counts_are_possible(self) -> bool:
        counts = (self.epoch, self.step, self.epoch_step, self.micro_batches - 1)
        return min(counts) >= 0 and max(counts) <= LARGEST_COUNT and self.epoch_step <= self.step

    def _arrays_are_numbers(self) -> bool:
        arrays = [*self.trainable, *self.non_trainable, *self.optimizer, *self.metrics]
        arrays.extend(self.best_weights or ())
        return all(values.dtype.kind in "fiub" for values in arrays)

    @classmethod
    def capture(cls, model: keras.Model, keeper: KeepBest, *, epoch_step: int = 0) -> Self:
        """Copy the state of a training.

        Args:
            model: A compiled model, in training or after it.
            keeper: The callback that recorded the training.
            epoch_step: Finished steps of the current epoch; 0 at the end of an epoch.
        """
        fetch_weights(model)
        best = _copied(keeper.weights)

        return cls(
            trainable=copies(model.trainable_variables),
            non_trainable=copies(model.non_trainable_variables),
            optimizer=copies(model.optimizer.variables),
            epoch=len(keeper.history),
            step=int(keras.ops.convert_to_numpy(model.optimizer.iterations.value)),
            micro_batches=getattr(model, "used_micro_batches", 1),
            history=copy.deepcopy(keeper.history),
            best_loss=None if best is None else keeper.best,
            best_weights=best,
            epoch_step=epoch_step,
            metrics=copies(model.metrics_variables) if epoch_step else [],
        )

    def restore(self, model: keras.Model, keeper: KeepBest) -> None:
        """Restore the state in a compiled model that is not yet trained.

        Args:
            model: A model of the same specs, compiled in the same way.
            keeper: The callback that continues the history.

        Raises:
            SpecError: The state belongs to another network or optimiser.
        """
        model.optimizer.build(model.trainable_variables)
        _assign("trainable", self.trainable, model.trainable_variables)
        _assign("non_trainable", self.non_trainable, model.non_trainable_variables)
        _assign("optimizer", self.optimizer, model.optimizer.variables)
        if self.best_weights is not None:
            _check_shapes("best", self.best_weights, weights_of(model))

        model.resumed_micro_batches = self.micro_batches
        model.skipped_steps = self.epoch_step

        keeper.history = copy.deepcopy(self.history)
        keeper.history.interrupted = False
        if self.best_weights is not None and self.best_loss is not None:
            keeper.best = self.best_loss
            keeper.weights = _copied(self.best_weights)

    def restore_metrics(self, model: keras.Model) -> None:
        """Restore the metrics of an epoch that was interrupted in its middle.

        Args:
            model: The model, whose metrics have variables.

        Raises:
            SpecError: The state belongs to other metrics.
        """
        _assign("metrics", self.metrics, model.metrics_variables)


def _copied(weights: Sequence[Array] | None) -> list[Array] | None:
    return None if weights is None else [values.copy() for values in weights]


def _assign(group: str, values: Sequence[Array], variables: Sequence[Any]) -> None:
    """Assign values to the variables of a group, after a check of their shapes."""
    _check_shapes(group, values, variables)
    for variable, value in zip(variables, values, strict=True):
        variable.assign(value)


def _check_shapes(group: str, values: Sequence[Array], variables: Sequence[Any]) -> None:
    """Reject values with other shapes than a group of variables."""
    shapes = [tuple(variable.shape) for variable in variables]
    if shapes != [value.shape for value in values]:
        raise SpecError(
            "state",
            expected=f"{len(shapes)} {group} variables of the shapes {shapes}",
            received=f"{len(values)} of the shapes {[value.shape for value in values]}",
            hint=(
                "Resume with the network, optimiser, metrics and frozen submodules of the "
                "interrupted training."
            ),
        )
