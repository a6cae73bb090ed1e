"""Networks that nobody holds any more are freed."""

import gc
import weakref

from seqcast.engine import built
from seqcast.specs.network import NetworkSpec, WindowSpec

WINDOW = WindowSpec(horizon=2, features=1, targets=1, target_features=(0,))
TINY = NetworkSpec(encoder_units=(2,), decoder_units=(2,))


def test_networks_that_are_dropped_do_not_pile_up():
    """Keras's layers hold themselves: without a search, which Python makes rarely, all of them would stay."""
    models = []
    gc.disable()
    try:
        for seed in range(2 * built.BETWEEN_SEARCHES + 1):
            models.append(weakref.ref(built.BuiltNetwork.build(WINDOW, TINY, seed=seed).model))
        assert sum(model() is not None for model in models) <= built.BETWEEN_SEARCHES
    finally:
        gc.enable()
