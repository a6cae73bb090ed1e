"""The training loop, with its optimisers and learning rates."""

import time
from collections.abc import Sequence
from typing import Any

from seqcast.data.windows import NumberedBatches
from seqcast.errors import TrainingError
from seqcast.network import WarmCosine
from seqcast.runtime import fetch_weights, filtering_warnings, keras
from seqcast.specs import TrainingSpec
from seqcast.training.callbacks import CtrlC, History, KeepBest, epoch_counter
from seqcast.training.checkpoints import CheckpointCallback, Checkpoints, metrics_restorer
from seqcast.training.deadline import Deadline, Timekeeper, scheduled_rate
from seqcast.training.divergence import divergence_watch
from seqcast.training.observers import Observer
from seqcast.training.state import TrainState

# Muon (Jordan et al. 2024) turns the gradient of a matrix into the nearest orthogonal matrix, by
# iterations of Newton and Schulz. Biases, also with two rows, learned positions and the last layer
# use Adam, as its authors advise. For matrices as small as those of a recurrent layer three
# iterations learn as well as Keras's five, and take less time.
MUON = {"exclude_layers": ["bias", "output", "position"], "ns_steps": 3}


def clone_config(value: Any) -> Any:
    """Copy a Keras object from its configuration, so that a fit does not change the user's object.

    Names, numbers and functions, which have no state, are returned unchanged.

    Args:
        value: The object.
    """
    if not hasattr(value, "get_config"):
        return value
    # keras.Variable.numpy, under get_config: NumPy 2 expects a keyword that Keras 3.15 does not
    # have yet.
    with filtering_warnings("ignore", DeprecationWarning, "__array__ implementation"):
        return type(value).from_config(value.get_config())


def learning_rate(spec: TrainingSpec, steps: int) -> Any:
    """Return the learning rate of a training: a number or a Keras schedule.

    Args:
        spec: Options of the training.
        steps: Number of training steps, those of the warm-up included.
    """
    if spec.learning_rate_schedule == "constant":
        return spec.learning_rate
    if spec.learning_rate_schedule != "cosine":
        given = spec.learning_rate_schedule
        return (
            keras.optimizers.schedules.deserialize(given)
            if isinstance(given, dict)
            else clone_config(given)
        )
    rising = max(1, round(spec.warmup * steps)) if spec.warmup else 0
    return WarmCosine(spec.learning_rate, rising, max(1, steps - rising))


@keras.saving.register_keras_serializable(package="seqcast", name="Muon")
class ShapedMuon(keras.optimizers.Muon):
    """Muon for TensorFlow, whose loops return gradients without a static shape.

    Keras 3.15 branches on that shape.
    """

    def update_step(self, gradient: Any, variable: Any, learning_rate: Any) -> None:
        """Keras's hook.

        Args:
            gradient: The gradient of a variable.
            variable: The variable.
            learning_rate: The learning rate.
        """
        super().update_step(keras.ops.reshape(gradient, variable.shape), variable, learning_rate)


def optimizer(spec: TrainingSpec, rate: Any) -> Any:
    """Return a new optimiser; an optimiser by name gets the rate and the clipping of the spec.

    Args:
        spec: Options of the training.
        rate: The learning rate, a number or a Keras schedule.
    """
    # A copy, because Keras writes into the dicts of optimisers that it reads.
    chosen = keras.optimizers.get(
        dict(spec.optimizer) if isinstance(spec.optimizer, dict) else spec.optimizer
    )
    if not isinstance(spec.optimizer, str):
        return clone_config(chosen)
    kind = type(chosen)
    more = {}
    if isinstance(chosen, keras.optimizers.Muon):
        kind = ShapedMuon if keras.backend.backend() == "tensorflow" else kind
        more = MUON
    return kind(learning_rate=rate, global_clipnorm=spec.clip_norm, **more)


# More epochs than a training by the clock can have. It stops after ten without a gain, or four
# times as many as it took to the best one: its learning rate falls late, and then most is gained.
MOST_EPOCHS = 10**9
BY_CLOCK = (10, 4.0)


def train(
    model: keras.Model,
    windows: Any,
    spec: TrainingSpec,
    *,
    validation: Any = None,
    callbacks: Sequence[Any] = (),
    state: TrainState | None = None,
    checkpoints: Checkpoints | None = None,
    deadline: Deadline | None = None,
) -> History:
    """Train a compiled model.

    Args:
        model: A compiled `keras.Model`.
        windows: Batches: `NumberedBatches`, which know the steps of an epoch, or a
            `keras.utils.PyDataset` or generator, which take them from the spec.
        spec: Options of the training.
        validation: Batches to validate on.
        callbacks: Keras callbacks.
        state: The state of an interrupted training to resume; the windows begin as in that
            training.
        checkpoints: The checkpoints to write.
        deadline: The end of the training, which takes the place of the number of epochs.

    Returns:
        The history. The model has the best weights if there was validation, otherwise the last
        ones.

    Raises:
        TrainingError: The loss of a batch is not finite or explodes; the model has the best weights
            so far, or without validation those before the batch.
        KeyboardInterrupt: The user interrupted; the model has the best weights so far, and the
            error's `history` is the history so far.
    """
    keeper = KeepBest(spec.early_stopping) if deadline is None else KeepBest(*BY_CLOCK)
    timekeeper = [] if deadline is None else [Timekeeper(deadline, *scheduled_rate(spec))]
    own = [
        *_own_callbacks(model, windows, keeper, state=state, checkpoints=checkpoints),
        *timekeeper,
    ]
    before = keeper.history.seconds
    last = spec.epochs if deadline is None else MOST_EPOCHS
    last = len(keeper.history) if keeper.history.stopped_early else last
    for callback in callbacks:
        if isinstance(callback, Observer):
            callback.watch(
                windows, validation, step=0 if state is None else state.step, seconds=before
            )
    began = time.perf_counter()
    try:
        with CtrlC() as ctrl_c:
            model.fit(
                windows,
                initial_epoch=len(keeper.history),
                epochs=last,
                steps_per_epoch=None
                if isinstance(windows, NumberedBatches)
                else spec.steps_per_epoch,
                validation_data=validation,
                callbacks=[*own, *callbacks, ctrl_c],
                verbose=0,
                shuffle=False,
            )
    except (KeyboardInterrupt, TrainingError) as error:
        # On JAX the present weights are in the trainer's state until they are written back.
        fetch_weights(model)
        keeper.history.interrupted = isinstance(error, KeyboardInterrupt)
        error.history = keeper.history  # type: ignore[union-attr]
        raise
    finally:
        keeper.restore()
        keeper.history.seconds = before + time.perf_counter() - began
        keeper.history.micro_batches = max(
            getattr(model, "used_micro_batches", 1),
            getattr(model, "resumed_micro_batches", None) or 1,
        )
        for callback in callbacks:
            if hasattr(callback, "close"):
                callback.close()
    return keeper.history


def _own_callbacks(
    model: keras.Model,
    windows: Any,
    keeper: KeepBest,
    *,
    state: TrainState | None,
    checkpoints: Checkpoints | None,
) -> list[Any]:
    """Restore a state, and return the callbacks that precede the user's, in order."""
    if state is not None:
        state.restore(model, keeper)
    epoch_step = 0 if state is None else state.epoch_step
    own: list[Any] = [epoch_counter(windows)] if isinstance(windows, NumberedBatches) else []
    own += [divergence_watch(model, windows, epoch_step), keeper]
    if state is not None and epoch_step:
        own.append(metrics_restorer(model, state))
    if checkpoints is not None:
        own.append(CheckpointCallback(keeper, checkpoints, keeper.history.seconds))
    return own
