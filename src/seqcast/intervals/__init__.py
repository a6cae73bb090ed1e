"""Intervals: their levels, what is asked of a forecast, and what makes them hold what they promise.

In reading order: `levels`, `calibration`, `request`, `conformal`.
"""
