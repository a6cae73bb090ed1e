"""Plots of forecasts, of training and of errors, as matplotlib figures.

Figures do not use pyplot, so they are freed with their last reference and need no window system.
Colours are from the palette of Okabe and Ito, which colour-blind readers can distinguish; markers
and line styles differ too, for print without colour.

In reading order: `style` (colours, lines, legends, grids of panels), `small_multiples` (a panel for
each series), `window_panels`, `curves` (training, errors by step, calibration), `rankings` (a row
for each series, covariate or property), `residuals`, `maps` (numbers as colours, states by two
components).

Stability: stable.
"""

import lazy_loader

__getattr__, __dir__, _ = lazy_loader.attach_stub(__name__, __file__)

__all__ = [
    "anomaly_frame",
    "attention_map",
    "calibration_curve",
    "dot_chart",
    "error_by_step",
    "forecast_fans",
    "forecast_frame",
    "forecast_panels",
    "heat_map",
    "history_frame",
    "importance_chart",
    "learning_curve",
    "probe_scores",
    "repeated_runs",
    "residual_diagnostics",
    "save_figure",
    "score_by_series",
    "score_by_step",
    "sensitivity_map",
    "similar_windows",
    "state_map",
    "state_paths",
    "unit_chart",
]
