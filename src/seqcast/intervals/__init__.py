"""Intervals: their levels, forecast requests, and calibration.

In reading order: `quantiles` (levels, requests, possible values, sample paths), `conformal` (calibration), `unusual`
(intervals for anomalies).

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
