"""Functions of a model as compiled programs."""

from __future__ import annotations

import functools
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING

from seqcast.runtime.backend import Tree, keras, platform
from seqcast.runtime.program_cache import cache_compilations
from seqcast.runtime.programs import Programs
from seqcast.runtime.threads import threads

if TYPE_CHECKING:
    from jax.stages import Wrapped


def jax_jit(
    function: Callable[..., Tree], *, one_thread: bool = False, donate: tuple[int, ...] = ()
) -> Wrapped:
    """Compile a function with JAX, on a CPU for its widest vectors.

    LLVM uses vectors of 256 bits even where the machine has 512, because some processors of 2017
    slowed down under them; the loops over gates are up to five times faster with 512.

    Args:
        function: The function.
        one_thread: Whether XLA keeps its products on one core of a CPU, because the caller divides
            the work.
        donate: Positions of arguments whose memory the result may reuse.
    """
    import jax

    cache_compilations()
    options: dict[str, bool | int] = {}
    if platform() == "cpu":  # elsewhere XLA rejects options that are a CPU's
        options["xla_cpu_prefer_vector_width"] = 512
        options["xla_cpu_multi_thread_eigen"] = not one_thread and threads() > 1
    return jax.jit(function, donate_argnums=donate, compiler_options=options)


def jax_stateless(variables: Sequence[keras.Variable], function: Callable[[Tree], Tree]) -> Wrapped:
    """Compile a function with JAX that takes the values of variables as an argument.

    Args:
        variables: Keras variables that the function reads.
        function: From nested arrays to nested arrays.

    Returns:
        A function of `(values, inputs)`; `values` are those of the variables, in their order.
    """

    def run(values: Sequence[Tree], inputs: Tree) -> Tree:
        with keras.StatelessScope(state_mapping=list(zip(variables, values, strict=True))):
            return function(inputs)

    return jax_jit(run)


def compile_call(model: keras.Layer, function: Callable[..., Tree]) -> Callable[..., Tree]:
    """Compile a function of a built model for prediction.

    `keras.Model.predict` takes a few hundred milliseconds a call; the compiled function takes one
    or less. Weights are passed at each call, so that later training is seen.

    Args:
        model: A built model or layer; `function` may read its variables.
        function: `function(inputs, **static)`; `inputs` is a nested structure of arrays, the
            keyword arguments are hashable, and each new combination of them is compiled.

    Returns:
        A function of the same form, from NumPy arrays to the backend's. On JAX it may return before
        they are computed.
    """
    backend = keras.backend.backend()
    if backend == "jax":
        return _compile_for_jax(model, function)

    def call(inputs: Tree, **static: Hashable) -> Tree:
        tensors = keras.tree.map_structure(keras.ops.convert_to_tensor, inputs)
        return function(tensors, **static)

    if backend == "torch":
        import torch

        return torch.no_grad()(call)  # type: ignore[no-any-return]
    return call


def _compile_for_jax(model: keras.Layer, function: Callable[..., Tree]) -> Callable[..., Tree]:
    variables = list(model.variables)

    # The shapes and types of the inputs are a part of the key, because JAX holds the programs of
    # all shapes as long as the function.
    def make(static: Sequence[tuple[str, Hashable]], _kinds: Hashable) -> Callable[..., Tree]:
        return jax_stateless(variables, functools.partial(function, **dict(static)))

    programs = Programs(make)

    def call(inputs: Tree, **static: Hashable) -> Tree:
        kinds = tuple((leaf.shape, leaf.dtype) for leaf in keras.tree.flatten(inputs))
        program = programs.find(tuple(sorted(static.items())), kinds)
        return program([variable.value for variable in variables], inputs)

    return call
