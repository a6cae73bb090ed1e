"""Pictures of forecasts, of training and of errors, as matplotlib figures.

Figures are made without pyplot: nothing is kept alive behind the caller's back and no window system is needed.
Colours are from the palette of Okabe and Ito, which colour-blind readers can tell apart; markers and line styles
differ too, for print without colour.
"""

from seqcast.plots.curves import error_by_step as error_by_step
from seqcast.plots.curves import learning_curve as learning_curve
from seqcast.plots.fans import forecast_fans as forecast_fans
from seqcast.plots.figure import save_figure as save_figure
from seqcast.plots.frames import forecast_frame as forecast_frame
from seqcast.plots.judged import calibration_curve as calibration_curve
from seqcast.plots.judged import score_by_series as score_by_series
from seqcast.plots.judged import score_by_step as score_by_step
from seqcast.plots.residuals import residual_diagnostics as residual_diagnostics
from seqcast.plots.windows import forecast_panels as forecast_panels

__all__ = [
    "calibration_curve",
    "error_by_step",
    "forecast_fans",
    "forecast_frame",
    "forecast_panels",
    "learning_curve",
    "residual_diagnostics",
    "save_figure",
    "score_by_series",
    "score_by_step",
]
