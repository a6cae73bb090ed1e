"""Intervals: their levels, forecast requests, and calibration.

In reading order: `quantiles` (levels, requests, possible values), `conformal` (calibration),
`dependence` (copulas of sample paths), `unusual` (intervals for anomalies).

Stability: experimental.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)
