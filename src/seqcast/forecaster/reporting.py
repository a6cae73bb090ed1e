"""The report of a fitted forecaster."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any, Protocol

from seqcast.data.frames.long_frame import LongFrame
from seqcast.errors import DataError
from seqcast.forecaster.state import FittedState
from seqcast.forecaster.summary import facts
from seqcast.intervals.request import ForecastRequest
from seqcast.specs.checks import check_int
from seqcast.specs.columns import Columns

__all__ = ["ReportMixin", "write_report"]


class FittedForecaster(Protocol):
    """The methods and options of `Forecaster` that a report needs."""

    irregular: bool

    def _fitted(self) -> FittedState: ...

    def _rows_of_fit(self, state: FittedState, df: Any) -> LongFrame: ...

    def _request(self, state: FittedState) -> ForecastRequest: ...

    def _backtest(self, frame: LongFrame, n_windows: int) -> Any: ...

    def covariate_importance(self, df: Any = None, *, repeats: int = 10) -> Any:
        """Return the importance of covariates."""

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """Return the options by name."""

    def predict(self, *, df: Any = None, future: Any = None) -> Any:
        """Forecast."""


class ReportMixin:
    """The method of `Forecaster` that reports a fit."""

    def report(
        self: FittedForecaster,
        path: str | os.PathLike[str],
        df: Any = None,
        *,
        future: Any = None,
        backtest: Any = None,
        n_windows: int = 3,
        title: str = "",
        unit: str = "",
        max_series: int = 12,
    ) -> None:
        """Write a report as one HTML page that needs no other file.

        It shows the series with their forecasts, the scores of a backtest beside those of naive forecasts, the largest
        errors, which covariates matter, the training curve and all settings.

        Args:
            path: Where to; the page appears whole or not at all.
            df: The rows to forecast from; `None` takes those of `fit`, which a loaded forecaster does not have.
            future: As for `predict`; without it a forecaster that needs it, for future covariates or irregular stamps,
                shows no forecast.
            backtest: A frame that `backtest` gave, perhaps with other models' forecasts.
            n_windows: Cutoffs of the backtest that is made when none is given, which trains once more; 0 for none.
            title: Title of the page.
            unit: Unit of the values.
            max_series: Most series that are drawn.

        Raises:
            NotFittedError: `fit` was not called, or the forecaster was loaded and `df` is missing.
            DataError: Something in a frame is wrong; nothing was written.
            SaveError: The file could not be written.
        """
        state = self._fitted()
        frame = self._rows_of_fit(state, df)
        check_int("n_windows", n_windows, at_least=0)
        forecast = None
        if future is not None or not (state.series.frame.covariates.future or self.irregular):
            forecast = self.predict(df=df, future=future)
        if backtest is None and n_windows:
            backtest = self._backtest(frame, n_windows)
        importance = None
        if state.engines:
            with contextlib.suppress(DataError):  # there are no covariates, or no rows to judge them by
                importance = self.covariate_importance(df, repeats=5)
        write_report(
            path,
            state,
            frame,
            options=self.get_params(deep=False),
            request=self._request(state),
            title=title,
            forecast=forecast,
            backtest=backtest,
            importance=importance,
            max_series=max_series,
            unit=unit,
        )


def write_report(
    path: str | os.PathLike[str],
    state: FittedState,
    frame: LongFrame,
    *,
    options: Mapping[str, Any],
    request: ForecastRequest,
    title: str,
    **parts: Any,
) -> None:
    """Write the report of a fit.

    Args:
        path: Where to; the page appears whole or not at all.
        state: The fitted state.
        frame: The series.
        options: Options of the forecaster, by name.
        request: Point and intervals of its forecasts.
        title: Title of the page; a usual one if empty.
        **parts: Further arguments of `seqcast.report.report`: forecast, backtest, importance and how they are shown.
    """
    from seqcast.report import report

    columns = frame.schema.columns
    report(
        path,
        title=title or "Forecast report",
        history=frame.table(),
        model=options["alias"],
        metadata=facts(state, dict(options), request),
        learning=state.histories[0].epochs or None,
        season_length=state.season_length,
        trained_horizon=int(options["horizon"]),
        columns=Columns(columns.unique_id, columns.ds, columns.value),
        **parts,
    )
