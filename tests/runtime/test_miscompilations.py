"""Known miscompilations of XLA on CPUs: the jaxlib that is installed has none of them.

`pyproject.toml` excludes the versions that do. A process of its own compiles as users do, without
the tests' flags.
"""

import keras
import pytest

pytestmark = pytest.mark.skipif(keras.backend.backend() != "jax", reason="programs of JAX")

# jax-ml/jax#39103, in jaxlib 0.10.2: in long arrays the last sums of products are those of other
# rows.
SUMS = """
import jax
import numpy as np
from seqcast.runtime.jit import jax_jit

jax.config.update("jax_enable_x64", True)

def squares(rows):
    identity = jax.numpy.eye(3, dtype=rows.dtype)
    return jax.vmap(lambda row: jax.numpy.sum((identity @ row) ** 2))(rows)

for compile in (jax.jit, jax_jit):
    for kind, count in (("float64", 16_385), ("float32", 32_769)):
        rows = np.zeros((count, 3), dtype=kind)
        rows[:, 0] = np.arange(count)
        np.testing.assert_array_equal(compile(squares)(rows), rows[:, 0] ** 2)
print("right")
"""

# jax-ml/jax#33479, in jaxlib before 0.8.2: columns of a constant matrix are mixed up.
CONSTANTS = """
import jax
import numpy as np
from seqcast.runtime.jit import jax_jit

jnp = jax.numpy
matrix = np.random.default_rng(0).normal(size=(10, 8)).astype(np.float32)
places = np.array([1, 3, 5, 7])

def column(values):
    copied, nothing = jnp.zeros(10).at[:10].set(values), jnp.zeros(10)
    return jnp.zeros(10).at[places].set(copied[places] + 0.025 * nothing[places])

expected = np.zeros_like(matrix)
expected[places] = matrix[places]
for compile in (jax.jit, jax_jit):
    columns = compile(lambda: jax.vmap(column, in_axes=1, out_axes=1)(jnp.asarray(matrix)))()
    np.testing.assert_array_equal(columns, expected)
print("right")
"""


@pytest.mark.parametrize(
    "program", [SUMS, CONSTANTS], ids=["sums of products", "columns of a constant"]
)
def test_the_installed_jaxlib_computes_what_others_got_wrong(run_python, program):
    assert run_python(program, XLA_FLAGS="") == "right"
