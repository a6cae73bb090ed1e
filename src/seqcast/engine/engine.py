"""The engine: one network, trained on batches of windows, that predicts, encodes and decodes.

It knows neither scikit-learn nor data frames; the two doors, `Seq2SeqRegressor` and `Forecaster`, lead here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Self

import numpy.typing as npt

from seqcast.engine.built import BuiltNetwork, check_precision
from seqcast.engine.forecast_methods import ForecastMethods
from seqcast.errors import SpecError, TrainingError
from seqcast.network import Seq2Seq
from seqcast.runtime import Processes, keep_scratch_memory, platform, weights_of
from seqcast.specs import NetworkSpec, TrainingSpec, WindowSpec, check_int, check_loss, check_parts
from seqcast.training import (
    Checkpoints,
    CtrlC,
    Deadline,
    History,
    TrainState,
    clone_config,
    learning_rate,
    listeners,
    optimizer,
    progress,
    scheduled_rate,
    train,
)

Array = npt.NDArray[Any]


class Engine(ForecastMethods):
    """Train a network on windows and use it.

    Args:
        network: The network's boxes.
        training: How it is trained.
        seed: Seed of everything random.

    Raises:
        SpecError: A loss is given for a head that has its own.

    Example:
        >>> import numpy as np
        >>> from seqcast.data.windows.batches import ArrayWindows
        >>> engine = Engine(NetworkSpec(encoder_units=(4,), decoder_units=(4,)), TrainingSpec(epochs=1), seed=0)
        >>> windows = ArrayWindows({"past": np.zeros((6, 5, 1))}, np.zeros((6, 3, 1)), batch_size=4)
        >>> _ = engine.fit(windows, window=WindowSpec(horizon=3, features=1, targets=1), verbose=0)
        >>> engine.predict({"past": np.zeros((6, 5, 1))}, horizon=8).shape
        (6, 8, 1)
    """

    def __init__(self, network: NetworkSpec, training: TrainingSpec, *, seed: int) -> None:
        check_loss(network.head, training.loss)
        self.network = network
        self.training = training
        self.seed = seed
        # Set by one assignment, so that other threads see the network before a training or the one after it.
        self._built: BuiltNetwork | None = None
        # The network that `continue_fit` has compiled, whose optimiser goes on.
        self._continued: Seq2Seq | None = None
        # The engine that this one is a snapshot of, see `trainer`.
        self._trainer: Engine | None = None

    def __repr__(self) -> str:
        parts = "" if self.parts is None else f", parts={self.parts}"
        return f"Engine({self.network!r}, {self.training!r}, seed={self.seed}{parts})"

    def fit(
        self,
        windows: Any,
        *,
        window: WindowSpec,
        validation: Any = None,
        callbacks: Sequence[Any] = (),
        verbose: int = 1,
        weights: Sequence[Array] | None = None,
        freeze: Sequence[str] = (),
        state: TrainState | None = None,
        on_epoch: Callable[[TrainState], Any] | None = None,
        checkpoints: Checkpoints | None = None,
        deadline: Deadline | None = None,
        processes: Processes | None = None,
    ) -> History:
        """Build a new network and train it; until it is trained the engine forecasts with the one it had.

        Args:
            windows: Batches of windows.
            window: Their sizes.
            validation: Batches to validate on.
            callbacks: Keras callbacks.
            verbose: 0 is silent, 1 shows progress.
            weights: The first weights, those of a network of the same sizes; `None` draws them.
            freeze: Parts whose weights stay as they are: `encoder`, `decoder` (all but its head), `head`.
            state: The state of a training to go on with, which had the same arguments.
            on_epoch: Called with the state of the training after each epoch.
            checkpoints: Where the state is written now and then, and, without `state`, from where it goes on.
            deadline: When it has to be done. The learning rate is laid over the time in place of the epochs, and
                training goes on until it is over.
            processes: The processes that share each batch, of which the windows are this one's; `None` is this one.

        Returns:
            What training recorded.

        Raises:
            SpecError: There is no such part, nothing is left to train, or the state is another network's or training's.
            FileFormatError: No checkpoint can be read.
            TrainingError: The loss is not finite; the engine holds the best weights so far.
            KeyboardInterrupt: The user interrupted; the engine holds the best weights so far.
        """
        check_parts(freeze)
        if deadline is not None and self.network.decoder_input == "scheduled" and self.network.sampling_steps is None:
            raise SpecError(
                "time_limit",
                expected="sampling_steps with decoder_input='scheduled': how many there will be is not known",
                received="None",
                hint="Name the steps until the decoder reads only its own values, or leave out time_limit.",
            )
        if checkpoints is not None and state is None:
            state = checkpoints.newest()
        steps = self.training.epochs * self._steps_per_epoch(windows)
        with CtrlC() as ctrl_c:
            built = self._new(window, steps)
            model = built.model
            model.processes = processes or Processes()
            if weights is not None:
                model.set_weights(list(weights))
            model.freeze(freeze)
            by_clock = deadline is not None and scheduled_rate(self.training)[0] is not None
            self._compile(model, self.training.learning_rate if by_clock else learning_rate(self.training, steps))
            try:
                history = train(
                    model,
                    windows,
                    self.training,
                    callbacks=[*callbacks, *progress(verbose, deadline=deadline), *listeners(deadline), ctrl_c],
                    validation=validation,
                    state=state,
                    on_epoch=on_epoch,
                    checkpoints=checkpoints,
                    deadline=deadline,
                )
            except (KeyboardInterrupt, TrainingError):
                self._built = replace(built, parts=model.used_parts)
                raise
            finally:
                model.freeze(())
                # They and the model hold each other, so their programs would stay until Python looks for such circles,
                # which it does the more seldom the more objects a process has.
                model.train_function = model.test_function = None
        self._built = replace(built, parts=history.parts)
        return history

    def continue_fit(self, windows: Any, *, window: WindowSpec, callbacks: Sequence[Any] = ()) -> History:
        """Train for one pass at the constant learning rate, going on from where the network is.

        The network itself is trained, which cannot be used meanwhile: publish a `snapshot`.

        Args:
            windows: Batches of windows.
            window: Their sizes, for the first call.
            callbacks: Keras callbacks.

        Returns:
            What training recorded.
        """
        if self._built is None:
            self.build(window, steps=self._steps_per_epoch(windows))
        model, constant = self.built.model, replace(self.training, learning_rate_schedule="constant")
        if self._continued is not model:
            self._compile(model, learning_rate(constant, 1))
            self._continued = model
        history = train(model, windows, constant, epochs=1, callbacks=callbacks)
        self._built = replace(self.built, parts=history.parts)
        return history

    def copy(self) -> Engine:
        """Return an engine with the same specs and a network of its own with the same weights.

        What is trained later on changes neither the one nor the other. On JAX both share their compiled programs, so
        the copy compiles nothing that the original has compiled. It starts without the optimiser's moments.
        """
        engine = Engine(self.network, self.training, seed=self.seed)
        engine._built = None if self._built is None else self._built.copy()
        return engine

    def snapshot(self) -> Engine:
        """Return a copy that stays as it is, from which `trainer` leads back to this engine."""
        copied = self.copy()
        copied._trainer = self
        return copied

    def trainer(self) -> Engine:
        """Return an engine that goes on training from here, while this one stays as it is.

        It is the engine that this one is a `snapshot` of, whose optimiser goes on: once, since its weights then belong
        to another training. Otherwise it is a copy.
        """
        trainer = vars(self).pop("_trainer", None)  # two threads get two engines
        return self.copy() if trainer is None else trainer

    @property
    def model(self) -> Seq2Seq | None:
        """The network; `None` before it is built, see `built`."""
        return None if self._built is None else self._built.model

    @property
    def window(self) -> WindowSpec | None:
        """Sizes of the windows that the network reads; `None` before it is built."""
        return None if self._built is None else self._built.window

    @property
    def parts(self) -> int | None:
        """How many parts each batch of the last training was divided into; `None` before a training."""
        return None if self._built is None else self._built.parts

    @property
    def weights(self) -> list[Array]:
        """All weights of the network, copies, in the order of Keras's `set_weights`."""
        return [] if self._built is None else weights_of(self._built.model)

    @property
    def weight_count(self) -> int:
        """Number of numbers that the network has learnt; 0 before it is built."""
        return 0 if self._built is None else sum(math.prod(w.shape) for w in self._built.model.trainable_weights)

    @property
    def state_widths(self) -> list[tuple[int, ...]]:
        """Width of each state of each encoder layer; none before the network is built."""
        return [] if self._built is None else list(self._built.model.encoder.stack.state_widths)

    def build(self, window: WindowSpec, *, steps: int) -> None:
        """Create the network for windows of these sizes, to be trained for so many steps."""
        self._built = self._new(window, steps)

    def _new(self, window: WindowSpec, steps: int) -> BuiltNetwork:
        check_precision()
        if platform() == "cpu":
            keep_scratch_memory()
        network = self.network
        if network.decoder_input == "scheduled" and network.sampling_steps is None:
            network = replace(network, sampling_steps=max(1, steps // 2))
        return BuiltNetwork.build(window, network, seed=self.seed)

    def _compile(self, model: Seq2Seq, rate: Any) -> None:
        loss = clone_config(self.training.loss)
        model.parts, model.resumed_parts, model.skipped_steps = self.training.parts, None, 0
        model.compile(
            optimizer=optimizer(self.training, rate),
            loss=model.decoder.head.loss(loss, horizon_decay=self.training.horizon_decay),
            weighted_metrics=[clone_config(metric) for metric in self.training.metrics] or None,
        )

    def _steps_per_epoch(self, windows: Any) -> int:
        if hasattr(windows, "__len__"):
            return len(windows)
        return check_int("steps_per_epoch", self.training.steps_per_epoch)

    def to_parts(self) -> tuple[dict[str, Any], dict[str, Array]]:
        """Return JSON types and arrays that hold all of the engine but the optimiser's moments."""
        header = {"network": self.network.to_dict(), "training": self.training.to_dict(), "seed": self.seed}
        if self._built is None:
            return header, {}
        built, weights = self._built.to_parts()
        return {**header, **built}, weights

    @classmethod
    def from_parts(cls, header: dict[str, Any], arrays: Mapping[str, Any]) -> Self:
        """Build the engine from the result of `to_parts`; arguments and errors as for `BuiltNetwork.from_parts`."""
        network, training = NetworkSpec.from_dict(header["network"]), TrainingSpec.from_dict(header["training"])
        engine = cls(network, training, seed=check_int("seed", header["seed"], at_least=0))
        if "window" in header:
            engine._built = BuiltNetwork.from_parts(header, arrays, seed=engine.seed)
        return engine

    def __getstate__(self) -> dict[str, Any]:
        # Specs keep the user's own objects (to_parts would need them to be JSON); weights travel as arrays.
        built = None if self._built is None else self._built.to_parts()
        return {"network": self.network, "training": self.training, "seed": self.seed, "built": built}

    def __setstate__(self, state: dict[str, Any]) -> None:
        Engine.__init__(self, state["network"], state["training"], seed=state["seed"])
        if state["built"] is not None:
            self._built = BuiltNetwork.from_parts(*state["built"], seed=self.seed)
