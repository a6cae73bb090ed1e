"""Reports: one HTML page that needs nothing but itself.

In reading order: `report` (what the page tells), `backtest_section` (accuracy, errors, significance), `page` with the
template `page.html.j2` (how it is written).
"""

from seqcast.report.report import report as report

__all__ = ["report"]
