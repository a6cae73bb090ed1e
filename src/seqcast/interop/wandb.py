"""Weights & Biases: losses, metrics and learning rate as training goes on.

It needs `pip install '.[wandb]'`. W&B's own `wandb.integration.keras.WandbMetricsLogger` imports
TensorFlow, and reads the learning rate in a way that fails on JAX. This one writes the same
numbers, under the same names.
"""

from seqcast.errors import SpecError
from seqcast.runtime import require
from seqcast.training import Observer, Record

__all__ = ["WandbLog"]

# W&B's word for a step.
_EVENTS = {"epoch": "epoch", "step": "batch"}
_COUNTERS = {"epoch": "epoch/epoch", "step": "batch/batch_step"}


class WandbLog(Observer):
    """Log losses, metrics and learning rate to the active run of Weights & Biases.

    Epochs have the names `epoch/loss`, `epoch/val_loss`, `epoch/learning_rate` over `epoch/epoch`,
    from 0; steps `batch/loss` over `batch/batch_step`. Where the pretrained network is fine-tuned
    and another one trained, each has its name before it. Networks that are trained side by side, in
    worker processes, cannot share a run.

    Args:
        every_n_steps: Steps from one record to the next within epochs; `None` logs epochs only.

    Raises:
        MissingPackageError: `wandb` is not installed.
        SpecError: `every_n_steps` is no whole number above 0, or there is no active run when
            training begins.
    """

    in_workers = False

    def __init__(self, every_n_steps: int | None = None) -> None:
        super().__init__(every_n_steps)
        require("wandb", extra="wandb")

    def check(self) -> None:
        """Reject a fit outside of a run.

        Raises:
            SpecError: There is no active run.
        """
        if require("wandb", extra="wandb").run is None:
            raise SpecError(
                "callbacks",
                expected="WandbLog within a run of W&B",
                received="none",
                hint="Call wandb.init() first.",
            )

    def watch(
        self, windows: object, validation: object, *, step: int = 0, seconds: float = 0.0
    ) -> None:
        """Define the horizontal axes of the metrics.

        Raises:
            SpecError: There is no active run.
        """
        super().watch(windows, validation, step=step, seconds=seconds)
        self.check()
        run = require("wandb", extra="wandb").run
        for event, counter in _COUNTERS.items():
            if event == "epoch" or self.every_n_steps is not None:
                axis = self._name(counter)
                run.define_metric(axis)
                run.define_metric(self._name(f"{_EVENTS[event]}/*"), step_metric=axis)

    def record(self, record: Record) -> None:
        """Log the numbers of an epoch or step."""
        event = _EVENTS[record.event]
        count = record.epoch - 1 if record.event == "epoch" else record.step
        values = {**record.values, "learning_rate": record.learning_rate}
        numbers = {self._name(f"{event}/{name}"): value for name, value in values.items()}
        numbers[self._name(_COUNTERS[record.event])] = count
        require("wandb", extra="wandb").run.log(numbers)

    def _name(self, name: str) -> str:
        return f"{self.network}/{name}" if self.network else name
