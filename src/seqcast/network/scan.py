"""A loop over time inside a compiled program."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from seqcast.runtime import keras


def scan(
    f: Callable[[Any, Any], tuple[Any, Any]], init: Any, xs: Any, *, length: int | None = None, reverse: bool = False
) -> tuple[Any, Any]:
    """Call `f(carry, x) → (carry, y)` for each step, as `keras.ops.scan` does, on every backend.

    On TensorFlow `keras.ops.scan` (3.15) wants every `y` to look like the carry; there the loop is `tf.scan`, which
    wants the same of nothing but the carry, so `y` travels in it.

    Args:
        f: The step.
        init: The carry before the first step: tensors in tuples, lists or dicts.
        xs: What is read, first axis the steps; `None` for nothing.
        length: Number of steps, when there are no `xs`.
        reverse: Whether to run from the last step to the first; each `y` keeps its place.

    Returns:
        The carry after the step that was run last, and all `y`, stacked.

    Example:
        >>> last, sums = scan(lambda s, x: (s + x, s + x), keras.ops.zeros(()), keras.ops.arange(1.0, 4.0))
        >>> float(last), [float(s) for s in sums]
        (6.0, [1.0, 3.0, 6.0])
    """
    if keras.backend.backend() != "tensorflow":
        return keras.ops.scan(f, init, xs=xs, length=length, reverse=reverse)  # type: ignore[no-any-return]
    import tensorflow

    tree = keras.tree
    at, end = (-1, 0) if reverse else (0, -1)
    first = None if xs is None else tree.map_structure(lambda x: x[at], xs)
    _, y = f(init, first)  # only to learn what a y looks like
    start = (init, tree.map_structure(tensorflow.zeros_like, y))

    def step(forward_fill: Any, x: Any) -> Any:
        return f(forward_fill[0], None if xs is None else x)

    steps = tensorflow.range(length) if xs is None else xs
    carries, ys = tensorflow.scan(step, steps, initializer=start, reverse=reverse)
    return tree.map_structure(lambda carry: carry[end], carries), ys
