"""From arrays, files and frames to windows; `describe` looks at a table, `from_wide` and `to_wide` change its form.

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = ["describe", "from_wide", "to_wide"]
