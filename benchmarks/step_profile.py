"""Where a training step of the post's job goes: products, gates, update, Keras's loop.

    python benchmarks/step_profile.py                # GRU
    python benchmarks/step_profile.py --cell lstm

A fit is timed twice, as it is and with every step waited for and its two halves, the gradients of
the parts and the update, taken apart. The products are those of one recurrent step of one part, in
the sizes that the kernels ask for, repeated in a loop of their own; their share of a step is their
number times that. Medians, milliseconds.
"""

import copy
import statistics
import time
from itertools import pairwise
from typing import ClassVar

import numpy as np

from harness import options
from seqcast import Seq2SeqRegressor
from seqcast.data.signals import random_sines
from seqcast.network import jax_training
from seqcast.runtime.jit import jax_jit
from seqcast.runtime.threads import threads

import jax  # isort: skip  (after the backend was chosen)

STEPS = 15
WIDTH = 35
LAYERS = 2
BATCH = 512
POST = {
    "optimizer": "adam",
    "learning_rate_schedule": "constant",
    "clip_norm": "none",
    "scale": "none",
}
GATES = {"gru": 3, "lstm": 4, "simple_rnn": 1}


class Watched(jax_training.TrainFunction):
    """A divided step that waits for its halves and notes how long they took, in seconds."""

    noted: ClassVar[list[tuple[float, float]]] = []

    def __init__(self, model, programs):
        super().__init__(model, copy.copy(programs))
        self.updates = programs.update
        self.programs.update = self

    def __call__(self, state, iterator):
        """Do the step, one half after the other."""
        data = next(iterator)
        jax.block_until_ready((tuple(state), data))
        self.began = time.perf_counter()
        return super().__call__(state, iter([data]))

    def find(self, *kind):
        """Return the second half, which waits until the first one is over."""

        def update(*given):
            jax.block_until_ready(given)
            middle = time.perf_counter()
            result = jax.block_until_ready(self.updates.find(*kind)(*given))
            self.noted.append((middle - self.began, time.perf_counter() - middle))
            return result

        return update


def fit_step(cell, watched, epochs):
    """Return the milliseconds of a step inside Keras's fit, the first epoch left out."""
    past, future = random_sines(100 * BATCH, past=STEPS, future=STEPS, offset=(0, 0), seed=0)
    ends = []

    from keras.callbacks import LambdaCallback

    marks = LambdaCallback(on_epoch_begin=lambda *_: ends.append(time.perf_counter()))
    given = {
        "encoder_units": (WIDTH,) * LAYERS,
        "cell": cell,
        "batch_size": BATCH,
        "epochs": epochs + 2,
        **POST,
    }
    model = Seq2SeqRegressor(**given, validation_fraction=0.0, random_state=0, verbose=0)
    plain = jax_training.TrainFunction
    jax_training.TrainFunction = Watched if watched else plain
    try:
        model.fit(past, future, callbacks=[marks])
    finally:
        jax_training.TrainFunction = plain
    return statistics.median(b - a for a, b in pairwise(ends[1:])) * 10


def product(left, right, axis, repeats=200):
    """Return the microseconds of a product whose operands change from turn to turn."""
    generator = np.random.default_rng(0)
    a, b = (generator.normal(size=shape).astype("float32") for shape in (left, right))

    def loop(a, b):
        def turn(carry, _):
            made = jax.lax.dot_general(a, b + carry, (((1,), (axis,)), ((), ())))
            return made[0, 0] * 1e-9, None

        return jax.lax.scan(turn, np.float32(0), None, length=repeats)[0]

    return _median(jax_jit(loop, one_thread=True), a, b) / repeats * 1e6


def _median(function, *given, turns=15):
    seconds = []
    for _ in range(turns + 1):
        began = time.perf_counter()
        jax.block_until_ready(function(*given))
        seconds.append(time.perf_counter() - began)
    return statistics.median(seconds[1:])


def main():
    """Print where a step goes."""
    parser = options(__doc__)
    parser.add_argument("--cell", choices=list(GATES), default="gru")
    parser.add_argument("--epochs", type=int, default=6, help="epochs of 100 steps that are timed")
    arguments = parser.parse_args()
    rows = BATCH // threads()
    gates = GATES[arguments.cell] * WIDTH
    forward = product((gates, WIDTH), (WIDTH, rows), 0)
    backward = product((WIDTH, gates), (gates, rows), 0)
    weights = product((gates, rows), (WIDTH, rows), 1)
    # A layer with input has each product twice; of the four, the decoder's first has none, and the
    # encoder's first has one of a single row, which is left out.
    times = STEPS * (2 * LAYERS * 2 - 2)
    products = times * (forward + backward + weights) / 1000
    step = fit_step(arguments.cell, watched=False, epochs=arguments.epochs)
    fit_step(arguments.cell, watched=True, epochs=arguments.epochs)
    parts, update = (
        statistics.median(column) * 1000 for column in zip(*Watched.noted, strict=True)
    )
    print(f"{arguments.cell}, batches of {BATCH}, {threads()} part(s) in parallel; milliseconds")
    print(f"a training step inside fit       {step:6.2f}")
    print(f"  gradients of the parts         {parts:6.2f}")
    print(f"    of which products            {products:6.2f}")
    print(f"    gates, sums, copies          {parts - products:6.2f}")
    print(f"  adding up, clipping, update    {update:6.2f}")
    print(f"  batch, Keras's loop, waiting   {step - parts - update:6.2f}")


if __name__ == "__main__":
    main()
