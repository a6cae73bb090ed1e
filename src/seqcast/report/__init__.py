"""Reports: one self-contained HTML page.

In reading order: `report` (sections of the page), `backtest_section` (accuracy, errors, significance), `page` with the
template `page.html.j2` (HTML).

Stability: experimental.
"""

from seqcast.report.report import report as report

__all__ = ["report"]
