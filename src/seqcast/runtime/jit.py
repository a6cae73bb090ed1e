"""Functions of a model as compiled programs, and their derivatives, on any backend."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from seqcast.runtime.backend import keras
from seqcast.runtime.memory import cache_compilations
from seqcast.runtime.threads import threads

__all__ = ["compile_call", "derivatives", "jax_jit", "jax_stateless"]


def jax_jit(function: Callable[..., Any], *, one_thread: bool = False, donate: tuple[int, ...] = ()) -> Any:
    """Compile a function with JAX, for a CPU with its widest vectors.

    LLVM keeps to vectors of 256 bits even where the machine has 512, because some processors of 2017 slowed down under
    them; the loops over gates are up to five times faster with 512.

    Args:
        function: The function.
        one_thread: Whether XLA keeps its products on one core, because the caller divides the work.
        donate: Positions of arguments whose memory the result may reuse.
    """
    import jax

    cache_compilations()
    options: dict[str, Any] = {}
    if jax.default_backend() == "cpu":
        divide = not one_thread and threads() > 1
        options = {"xla_cpu_prefer_vector_width": 512, "xla_cpu_multi_thread_eigen": divide}
    return jax.jit(function, donate_argnums=donate, compiler_options=options)


def derivatives(function: Callable[[dict[str, Any]], Any], inputs: dict[str, Any], size: int) -> dict[str, Any]:
    """Return the derivatives of each output of a function, whose rows are independent of each other.

    Args:
        function: From tensors `[B, ...]` by name to outputs `[B, size]`.
        inputs: The tensors.
        size: Number of outputs of a row.

    Returns:
        For each input the derivatives of the outputs by it, `[size, B, ...]`.
    """
    backend = keras.backend.backend()
    names = list(inputs)
    if backend == "jax":
        import jax

        outputs, pull = jax.vjp(function, inputs)

        def by_inputs(place: Any) -> Any:
            # A sum over rows, of which each depends on its own inputs only.
            return pull(jax.numpy.zeros_like(outputs).at[:, place].set(1.0))[0]

        # One output after another: all at once would hold the gradients of all steps of each.
        return jax.lax.map(by_inputs, jax.numpy.arange(size))  # type: ignore[no-any-return]
    if backend == "tensorflow":
        import tensorflow

        with tensorflow.GradientTape(persistent=True) as tape:
            tape.watch(inputs)
            outputs = function(inputs)
            columns = [outputs[:, place] for place in range(size)]
        gradients = [tape.gradient(column, inputs, unconnected_gradients="zero") for column in columns]
        return {name: tensorflow.stack([each[name] for each in gradients]) for name in names}
    import torch

    with torch.enable_grad():
        leaves = {name: values.detach().requires_grad_() for name, values in inputs.items()}
        outputs = function(leaves)
        options: dict[str, Any] = {"retain_graph": True, "allow_unused": True, "materialize_grads": True}
        gradients = [
            torch.autograd.grad(outputs[:, place].sum(), [*leaves.values()], **options) for place in range(size)
        ]
    return {name: torch.stack([each[place] for each in gradients]) for place, name in enumerate(names)}


def compile_call(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function of a built model for prediction.

    `keras.Model.predict` takes a few hundred milliseconds a call; the compiled function takes one or less. Weights
    are passed at each call, so that later training is seen.

    Args:
        model: A built `keras.Model` or `keras.Layer`; `function` may read its variables.
        function: `function(inputs, **static)`; `inputs` is a nested structure of arrays, the keyword arguments are
            hashable and each new combination of them compiles anew.

    Returns:
        A function of the same form, from NumPy arrays to the backend's. On JAX it may return before they are computed.
    """
    if keras.backend.backend() == "jax":
        return _compile_jax(model, function)

    def call(inputs: Any, **static: Any) -> Any:
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
        if keras.backend.backend() == "torch":
            import torch

            with torch.no_grad():
                return function(tensors, **static)
        return function(tensors, **static)

    return call


def _compile_jax(model: Any, function: Callable[..., Any]) -> Callable[..., Any]:
    variables = list(model.variables)
    compiled = jax_stateless(variables, function)
    return lambda inputs, **static: compiled([variable.value for variable in variables], inputs, **static)


def jax_stateless(variables: Sequence[Any], function: Callable[..., Any]) -> Callable[..., Any]:
    """Compile a function with JAX that takes the values of variables as an argument.

    Args:
        variables: Keras variables that the function reads.
        function: As for `compile_call`.

    Returns:
        A function of `(values, inputs, **static)`; `values` are those of the variables, in their order.
    """
    compiled: dict[tuple[tuple[str, Any], ...], Callable[..., Any]] = {}

    def specialise(static: dict[str, Any]) -> Callable[..., Any]:
        def run(values: list[Any], inputs: Any) -> Any:
            with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
                return function(inputs, **static)

        return jax_jit(run)  # type: ignore[no-any-return]

    def call(values: list[Any], inputs: Any, **static: Any) -> Any:
        key = tuple(sorted(static.items()))
        if key not in compiled:
            compiled[key] = specialise(static)
        return compiled[key](values, inputs)

    return call
