"""Reports: one self-contained HTML page.

In reading order: `sections` (data, forecasts, accuracy, errors, significance, training), `page`
with the template `page.html.j2` (HTML).

Stability: experimental.
"""

from seqcast.report.sections import report as report

__all__ = ["report"]
