"""Training and validation functions for Keras on JAX, on a CPU for wide vectors and all cores.

XLA's own threads do not accelerate products as small as those of a recurrent step, and collectives
between host devices have been seen to deadlock. So a batch is divided into micro-batches of equal
size. The cores run the same compiled program, the gradient of one micro-batch, in Python threads,
without the interpreter's lock. Then one compiled program adds the gradients and updates the
weights. Only the update waits, for the gradients.

On a GPU, which divides the work by itself, a batch is one program. With
`TrainingSpec(micro_batches=…)` its micro-batches run one after another, which takes less of the
GPU's memory.

These functions replace those that Keras's own `fit` compiles: from the state and the next batch to
logs and the next state. Callbacks, metrics and history are Keras's.
`seqcast.network.jax_train_step` has the arithmetic of a step.
"""

from __future__ import annotations

import functools
import math
import threading
from collections.abc import Callable, Hashable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from seqcast.errors import SpecError
from seqcast.network.jax_train_step import (
    Batch,
    Contribution,
    Logs,
    StepState,
    TrainStep,
    is_divisible,
    micro_batch_rows,
    over_processes,
)
from seqcast.network.loss_tracker import LossTracker, WeighedModel
from seqcast.network.losses import EXPLODED, LARGEST_WEIGHT
from seqcast.network.rates import Rates, rates_of_training
from seqcast.runtime import Programs, Tensor, in_threads, jax_jit, keras, platform, threads

# The variables of Keras's trainer, kind by kind, from a step to the next.
Variables = Sequence[list[Tensor]]
# A training or validation step for Keras: from the variables and an iterator over batches to the
# logs and the variables after the next batch.
StepFunction = Callable[[Variables, Iterator[Tensor]], tuple[Logs, Variables]]

# Rows times weights of the smallest micro-batch that is worth a thread: the division of a smaller
# one costs its gain.
SMALLEST_MICRO_BATCH = 700_000

# Most bytes of scratch memory of a micro-batch: glibc's arenas of threads end at 64 MiB. Memory
# beyond is mapped again at each step, which takes as long as the arithmetic.
LARGEST_SCRATCH = 60 << 20

# Fewest rows of a micro-batch that is divided to need less scratch memory: fewer would slow
# products more.
FEWEST_ROWS = 64

# Kinds of batches for which each program stays compiled, those that were used last. A process that
# trains on new rows again and again has a new kind each time.
MOST_KINDS = 8


class Guard(NamedTuple):
    """Whether all steps were sound; after the first bad step, its number and loss.

    All fields are scalars.

    Args:
        sound: Whether loss and weights were sound at all steps.
        steps: Sound steps of this epoch.
        loss: The loss of the last checked step.
        limit: The largest sound loss; infinite before the first step, NaN without a limit.
    """

    sound: Tensor
    steps: Tensor
    loss: Tensor
    limit: Tensor

    @classmethod
    def new(cls) -> Guard:
        """Return the guard of a training without a limit of its loss."""
        return cls(np.bool_(True), np.int32(0), np.float32(0.0), np.float32(np.nan))

    @classmethod
    def watched(cls) -> Guard:
        """Return the guard of a training that stops when its loss explodes."""
        return cls.new()._replace(limit=np.float32(np.inf))

    def in_epoch(self, step: int) -> Guard:
        """Return the guard at a step of an epoch.

        Args:
            step: Finished steps of the epoch.
        """
        return self._replace(steps=np.int32(step))


def guarded(before: StepState, after: StepState, guard: Guard) -> tuple[StepState, Guard]:
    """Return the variables after a sound step, or those before a bad one.

    A step is bad if the loss of the batch or a weight is not finite or has exploded. After it,
    steps change only the metrics, which show it.

    Args:
        before: The variables before the step.
        after: The variables that it computed.
        guard: The guard after the steps before.
    """
    loss = jnp.asarray(after.metrics[LossTracker.PLACE_OF_LATEST], jnp.float32)
    limit = jnp.where(
        jnp.isinf(guard.limit), EXPLODED * jnp.maximum(1.0, jnp.abs(loss)), guard.limit
    )

    # One loop over all weights and one choice, in place of one for each variable, compile in two
    # thirds of the time.
    largest = jnp.abs(jnp.concatenate([jnp.ravel(weights) for weights in after.trainable])).max()
    sound = guard.sound & jnp.isfinite(loss) & ~(loss > limit) & (largest < LARGEST_WEIGHT)

    state = jax.lax.cond(sound, lambda *both: both[1], lambda *both: both[0], before, after)
    state = state._replace(metrics=after.metrics)

    guard = Guard(
        sound,
        guard.steps + sound.astype(jnp.int32),
        jnp.where(guard.sound, loss, guard.loss),
        jnp.asarray(jnp.where(guard.sound, limit, guard.limit), jnp.float32),
    )
    return state, guard


def train_step(
    model: WeighedModel, state: StepState, guard: Guard, data: Tensor, rates: Rates
) -> tuple[Logs, StepState, Guard]:
    """Take a step on a whole batch; return its logs and the next state.

    Args:
        model: The compiled model.
        state: Its variables.
        guard: The guard after the steps before.
        data: The batch.
        rates: The numbers of the learning rate's schedule.
    """
    with rates_of_training(rates):
        logs, after = model.train_step(tuple(state), data)
    return logs, *guarded(state, StepState(*after), guard)


def update(
    step: TrainStep,
    state: StepState,
    guard: Guard,
    batch: Batch,
    contributions: list[Contribution],
    rates: Rates,
) -> tuple[Logs, StepState, Guard]:
    """Take a step from the contributions of its micro-batches; otherwise as `train_step`.

    Args:
        step: The step of the model.
        state: The variables of the model.
        guard: The guard after the steps before.
        batch: The batch.
        contributions: Those of its micro-batches.
        rates: The numbers of the learning rate's schedule.
    """
    with rates_of_training(rates):
        logs, after = step.apply(state, batch, step.combine(contributions))
    return logs, *guarded(state, after, guard)


class StepPrograms:
    """The compiled programs of training steps and validations, by kinds of batches.

    Programs take all values as arguments. So models whose options are equal may share those of one
    of them, in any number of threads: `Seq2Seq.step_programs`.

    Args:
        model: A compiled model, which does not change while its programs are used. `micro_batches`
            is its number of micro-batches, `None` chooses. Its `processes` share each batch.

    Attributes:
        divisible: Whether micro-batches give the loss of a batch.
        over_processes: The sum over processes.
        whole: Programs of a step on a whole batch.
        gradients: Programs of the gradients of its micro-batches.
        update: Programs that add these and update the weights.
        test: Programs of a validation step.

    Raises:
        SpecError: `micro_batches` is more than one, and micro-batches do not give the loss of a
            batch.
    """

    def __init__(self, model: WeighedModel) -> None:
        self.model = model
        self.divisible = is_divisible(model)

        # With a chosen number, results must not depend on the number of XLA's threads.
        one_thread = model.micro_batches is not None
        if one_thread and model.micro_batches > 1 and not self.divisible:
            raise SpecError(
                "micro_batches",
                expected="None or 1 with a scaled loss, or an overridden step",
                received=repr(model.micro_batches),
                hint="Only the loss of the network's own head has micro-batches.",
            )

        # Tracing a network is not for several threads at once.
        self._tracing = threading.RLock()
        self._built = False

        def programs(function: Callable[..., object]) -> Programs:
            # A partial is a function of its own, which `Programs` wants.
            def make(*_: object) -> Callable[..., Any]:
                return jax_jit(functools.partial(function), one_thread=one_thread, donate=(0,))

            return Programs(make, MOST_KINDS, self._tracing)

        def new_gradients(_kind: object, *options: Any) -> _MicroBatches:
            return _MicroBatches(functools.partial(step.grad_micro_batch), *options)

        step = TrainStep(model)
        self.over_processes = over_processes(step)
        # None of these refers to this object: as a cycle, programs would wait for the garbage
        # collector. The names of the functions are those of the programs in JAX's cache.
        self.whole = programs(functools.partial(train_step, model))
        self.gradients = Programs(new_gradients, MOST_KINDS, self._tracing)
        self.update = programs(functools.partial(update, step))
        self.test = programs(model.test_step)

    def build(self, data: Tensor) -> None:
        """Build loss, metrics and optimiser before the first program is traced.

        Args:
            data: A batch, whose shapes they are built from.
        """
        if not self._built:
            with self._tracing:
                self.model._symbolic_build(data_batch=data)
                self._built = True


class _MicroBatches:
    """The gradients of the micro-batches of batches of one kind, which threads share.

    The program is compiled at the first call.

    Args:
        function: The gradient of one micro-batch.
        divisions: Number of micro-batches.
        cores: Most threads.
        fixed: Whether the number stays, also where a micro-batch needs much memory.
    """

    def __init__(
        self, function: Callable[..., Contribution], divisions: int, cores: int, fixed: bool
    ) -> None:
        self._function = function
        self._divisions = divisions
        self._cores = cores
        self._fixed = fixed
        self._program: Callable[..., Contribution] | None = None
        self._rows: list[Tensor] = []

    def __call__(
        self, state: StepState, batch: Batch, pool: ThreadPoolExecutor
    ) -> list[Contribution]:
        """Return the contribution of each micro-batch, from threads of a pool and this one."""
        program = self._program
        if program is None:
            program = self._compile(state, batch)
        workers = min(self._cores, self._divisions, len(self._rows))
        return in_threads(lambda rows: program(state, batch, rows), self._rows, workers, pool)

    def _compile(self, state: StepState, batch: Batch) -> Callable[..., Contribution]:
        """Compile the program of a micro-batch; halve its rows while it needs much memory."""
        function = jax_jit(self._function, one_thread=True)
        divisions = self._divisions

        while True:
            self._rows = micro_batch_rows(batch.row_count, divisions)
            rows = self._rows[0]
            program = function.lower(state, batch, rows).compile()
            if self._fixed or len(rows) < 2 * FEWEST_ROWS or not _needs_much_memory(program):
                self._program = program
                return program

            # Halves are even: products over a number of rows that vectors divide are faster.
            divisions *= 2


def _needs_much_memory(program: jax.stages.Compiled) -> bool:
    memory = program.memory_analysis()
    return memory is not None and memory.temp_size_in_bytes > LARGEST_SCRATCH


class TrainFunction:
    """The training function of a compiled model: whole steps, or micro-batches on all cores.

    Args:
        model: A compiled model. `resumed_micro_batches` is the number of micro-batches of the
            interrupted training, and replaces the choice on a CPU; `skipped_steps` are the finished
            steps of the interrupted epoch.
        programs: The programs of its steps.

    Attributes:
        micro_batches: The largest number of micro-batches that a batch was divided into; 1 before
            the first step.
        guard: Whether all steps were sound; a callback sets it where an epoch begins.
    """

    def __init__(self, model: WeighedModel, programs: StepPrograms) -> None:
        self.model = model
        self.programs = programs
        self.micro_batches = 1
        self.guard = Guard.new()
        self.rates = jax.tree.map(jnp.asarray, model.rates)

        self.on_cpu = platform() == "cpu"
        self.cores = threads() if self.on_cpu else 1
        weights = sum(math.prod(weight.shape) for weight in model.trainable_weights)
        self.fewest_rows = math.ceil(SMALLEST_MICRO_BATCH / max(1, weights))
        self.pool = ThreadPoolExecutor(max(1, self.cores - 1), thread_name_prefix="seqcast-step")

    def __call__(self, variables: Variables, batches: Iterator[Tensor]) -> tuple[Logs, Variables]:
        """Take a step on the next batch."""
        data = next(batches)
        if self.model.skipped_steps:
            # This step was finished before the training was interrupted.
            self.model.skipped_steps -= 1
            return {}, variables

        self.programs.build(data)
        state = StepState(*variables)
        batch = _unpacked(data)
        if self.divides(batch):
            return self._divided_step(state, batch)
        program = self.programs.whole.find(_kind(batch))
        logs, state, self.guard = program(state, self.guard, data, self.rates)
        return logs, state

    def _divided_step(self, state: StepState, batch: Batch) -> tuple[Logs, StepState]:
        """Take a step by micro-batches."""
        kind = _kind(batch)
        fixed = self._fixed_micro_batches
        processes = self.model.processes.count
        # Each process has an equal share of a fixed number.
        divisions = (fixed or 0) // processes or self._threads(batch)
        gradients = self.programs.gradients.find(kind, divisions, self.cores, fixed is not None)

        # Nothing waits for the results: the next batch is prepared while they are computed.
        contributions = gradients(state.without_optimizer, batch, self.pool)
        self.micro_batches = max(self.micro_batches, len(contributions) * processes)
        batch, contributions = self.programs.over_processes(batch, contributions)
        program = self.programs.update.find(kind, len(contributions))
        logs, state, self.guard = program(state, self.guard, batch, contributions, self.rates)
        return logs, state

    def divides(self, batch: Batch) -> bool:
        """Return whether a batch is divided: by a fixed number, or if two threads are worth it.

        Args:
            batch: The batch.
        """
        return self.programs.divisible and (self._fixed_micro_batches or self._threads(batch)) > 1

    @property
    def _fixed_micro_batches(self) -> int | None:
        """The number of micro-batches that does not depend on the batch, or `None`."""
        chosen: int | None = self.model.micro_batches
        if not chosen and self.on_cpu:
            chosen = self.model.resumed_micro_batches
        return chosen

    def _threads(self, batch: Batch) -> int:
        """Return the number of micro-batches that are large enough for a thread each."""
        return int(min(self.cores, batch.row_count // self.fewest_rows))


def make_test_function(model: WeighedModel, programs: StepPrograms) -> StepFunction:
    """Return the validation function of a compiled model.

    Args:
        model: A compiled model.
        programs: The programs of its steps.
    """
    if model.processes.count > 1:
        return _shared_test_function(model)

    def validate(variables: Variables, batches: Iterator[Tensor]) -> tuple[Logs, Variables]:
        data = next(batches)
        programs.build(data)
        program = programs.test.find(_kind(_unpacked(data)))
        return program(variables, data)  # type: ignore[no-any-return]

    return validate


def _shared_test_function(model: WeighedModel) -> StepFunction:
    """Return the validation function of a model whose batches several processes share."""
    step = TrainStep(model)
    own = jax_jit(step.validate_micro_batch, one_thread=True)
    measure = jax_jit(step.measure, one_thread=True)
    together = over_processes(step)

    def validate(variables: Variables, batches: Iterator[Tensor]) -> tuple[Logs, Variables]:
        trainable, non_trainable, metrics = variables
        state = StepState(trainable, non_trainable, [], metrics)
        batch = _unpacked(next(batches))
        batch, (whole,) = together(batch, [own(state, batch)])
        logs, after = measure(state, batch, whole)
        return logs, (after.trainable, after.non_trainable, after.metrics)

    return validate


def _unpacked(data: Tensor) -> Batch:
    """Return a batch from what Keras reads from an iterator."""
    return Batch(*keras.utils.unpack_x_y_sample_weight(data))


def _kind(batch: Batch) -> tuple[Hashable, ...]:
    """Return the shapes and types of a batch, for which programs are compiled."""
    return tuple((leaf.shape, leaf.dtype) for leaf in jax.tree.leaves(batch))
