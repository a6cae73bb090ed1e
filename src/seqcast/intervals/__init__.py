"""Intervals: their levels, forecast requests, and calibration.

In reading order: `levels`, `calibration`, `request`, `support`, `conformal`.

Stability: experimental.
"""
