"""Compiled calls of a model."""

import keras
import numpy as np

from seqcast.runtime.backend import to_numpy
from seqcast.runtime.jit import compile_call


def test_a_compiled_call_sees_later_weights():
    layer = keras.layers.Dense(1, use_bias=False)
    layer.build((None, 2))
    call = compile_call(layer, lambda inputs, *, factor: {"y": layer(inputs["x"]) * factor})
    x = np.ones((3, 2), "float32")
    for value in (1.0, 2.0):
        layer.kernel.assign(np.full((2, 1), value))
        forecast = to_numpy(call({"x": x}, factor=3)["y"])
        np.testing.assert_allclose(forecast, np.full((3, 1), 6.0 * value))
    assert isinstance(forecast, np.ndarray)
