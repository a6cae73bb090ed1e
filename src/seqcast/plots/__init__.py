"""Plots of forecasts, of training and of errors, as matplotlib figures.

Figures are made without pyplot, so they are freed with their last reference and need no window system.
Colours are from the palette of Okabe and Ito, which colour-blind readers can tell apart; markers and line styles
differ too, for print without colour.

In reading order: `style` (colours, lines, legends), `history`, `series`, `fans` and `anomalies` (frames), `windows`
(forecasts of arrays), `curves` (training, errors), `scores`, `residuals`, `runs` (repeated runs), `states` and `maps`
(inside a network), `importance` (covariates), `families` (of synthetic series).

Stability: stable.
"""

from seqcast.plots.anomalies import anomaly_frame as anomaly_frame
from seqcast.plots.curves import error_by_step as error_by_step
from seqcast.plots.curves import learning_curve as learning_curve
from seqcast.plots.families import family_chart as family_chart
from seqcast.plots.fans import forecast_fans as forecast_fans
from seqcast.plots.history import history_frame as history_frame
from seqcast.plots.importance import importance_chart as importance_chart
from seqcast.plots.maps import attention_map as attention_map
from seqcast.plots.maps import heat_map as heat_map
from seqcast.plots.maps import sensitivity_map as sensitivity_map
from seqcast.plots.residuals import residual_diagnostics as residual_diagnostics
from seqcast.plots.runs import dot_chart as dot_chart
from seqcast.plots.runs import repeated_runs as repeated_runs
from seqcast.plots.scores import calibration_curve as calibration_curve
from seqcast.plots.scores import score_by_series as score_by_series
from seqcast.plots.scores import score_by_step as score_by_step
from seqcast.plots.series import forecast_frame as forecast_frame
from seqcast.plots.states import probe_scores as probe_scores
from seqcast.plots.states import similar_windows as similar_windows
from seqcast.plots.states import state_map as state_map
from seqcast.plots.states import state_paths as state_paths
from seqcast.plots.states import unit_chart as unit_chart
from seqcast.plots.style import save_figure as save_figure
from seqcast.plots.windows import forecast_panels as forecast_panels

__all__ = [
    "anomaly_frame",
    "attention_map",
    "calibration_curve",
    "dot_chart",
    "error_by_step",
    "family_chart",
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
