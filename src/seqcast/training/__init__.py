"""Training: optimisers, the loop with its callbacks, its state, progress and observers.

In reading order: `callbacks` (with the history), `state`, `divergence`, `checkpoints`, `deadline`,
`loop`; then `progress` (also for listeners), `observers`, `logs`, which do not change a training.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
