"""Intervals: their levels, forecast requests, and calibration.

In reading order: `levels`, `calibration`, `request`, `support`, `conformal`, `dependence`.

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
