"""Reports: one HTML page that needs nothing but itself."""

from seqcast.report.report import report as report

__all__ = ["report"]
