"""Training: optimisers, the loop with its callbacks, its state, and what watches it.

In reading order: `callbacks` (with the history), `state`, `divergence`, `checkpoints`, `deadline`, `loop`. What only
watches: `progress` (also for listeners outside), `observers`, `logs`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
