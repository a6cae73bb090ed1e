"""Series and windows of arrays, files and frames.

`describe` summarises a table, `from_wide` and `to_wide` reshape it.

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["describe", "from_wide", "to_wide"]
