"""Compile, fit, keep the best.

In reading order: `history`, `callbacks`, `state`, `divergence`, `checkpoints`, `deadline`, `loop`, `progress`. Those
who only watch: `listeners`, `observers`, `logs`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
