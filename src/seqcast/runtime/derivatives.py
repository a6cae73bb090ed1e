"""Derivatives of a function by its inputs, on any backend."""

from collections.abc import Callable

from seqcast.runtime.backend import Tensor, keras

# Tensors `[B, ...]` by name.
Tensors = dict[str, Tensor]
Function = Callable[[Tensors], Tensor]


def derivatives(function: Function, inputs: Tensors, size: int) -> Tensors:
    """Return the derivatives of each output of a function whose rows are independent.

    Args:
        function: From tensors `[B, ...]` by name to outputs `[B, size]`.
        inputs: The tensors.
        size: Number of outputs of a row.

    Returns:
        For each input the derivatives of the outputs by it, `[size, B, ...]`.
    """
    of_backend = {"jax": _by_jax, "tensorflow": _by_tensorflow, "torch": _by_torch}
    return of_backend[keras.backend.backend()](function, inputs, size)


def _by_jax(function: Function, inputs: Tensors, size: int) -> Tensors:
    import jax

    outputs, pull = jax.vjp(function, inputs)

    def of_output(place: Tensor) -> Tensors:
        # The sum over rows has the derivatives of each, which depends on its own inputs only.
        direction = jax.numpy.zeros_like(outputs).at[:, place].set(1.0)
        return pull(direction)[0]  # type: ignore[no-any-return]

    # One output after another: all at once would hold the gradients of all steps of each.
    return jax.lax.map(of_output, jax.numpy.arange(size))  # type: ignore[no-any-return]


def _by_tensorflow(function: Function, inputs: Tensors, size: int) -> Tensors:
    import tensorflow

    with tensorflow.GradientTape(persistent=True) as tape:
        tape.watch(inputs)
        outputs = function(inputs)
        columns = [outputs[:, place] for place in range(size)]

    gradients = [tape.gradient(column, inputs, unconnected_gradients="zero") for column in columns]
    return {name: tensorflow.stack([each[name] for each in gradients]) for name in inputs}


def _by_torch(function: Function, inputs: Tensors, size: int) -> Tensors:
    import torch

    with torch.enable_grad():
        leaves = {name: values.detach().requires_grad_() for name, values in inputs.items()}
        outputs = function(leaves)
        gradients = [
            torch.autograd.grad(
                outputs[:, place].sum(),
                [*leaves.values()],
                retain_graph=True,
                allow_unused=True,
                materialize_grads=True,
            )
            for place in range(size)
        ]
    stacked = (torch.stack(of_input) for of_input in zip(*gradients, strict=True))
    return dict(zip(inputs, stacked, strict=True))
