"""*Why*: how far back the network looks, what it reads, which moments of the past look to it like now, its states."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from nicegui import ui

from seqcast.app import tasks
from seqcast.app.charts import bar_chart, line_chart, map_chart
from seqcast.app.context import Context, refreshable
from seqcast.app.panels.progress import JobPanel
from seqcast.app.table import VisitorFrame
from seqcast.app.tasks import Explanation
from seqcast.app.theme import heading, note, panel_card, show_chart, show_table

# Bars that are drawn: the pretrained network reads dozens of numbers a step.
MOST_BARS = 12


class WhyPanel(JobPanel):
    """The panel.

    Args:
        context: The visitor's page.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, "Stop")
        self.looked = False

    def build(self) -> None:
        """Write the panel."""
        heading("Why does it forecast this?")
        self._ask()
        self.view.build()
        self._show()
        self.context.on_change(self._refresh)

    def _refresh(self) -> None:
        if self.context.session.explanation is None:
            self.problem, self.looked = None, False
        self._ask.refresh()
        self._show.refresh()

    @refreshable
    def _ask(self) -> None:
        session = self.context.session
        if session.outcome is None or session.frame is None:
            note("Make a forecast in the panel Forecast first.")
            return
        note(
            "The network is read through its derivatives and its states: what would change the forecast, and how much."
        )
        self.start_button("Look inside", "psychology", partial(self.look, session.frame))

    async def look(self, frame: VisitorFrame) -> None:
        """Look inside the network, and show what is seen.

        Args:
            frame: The series.
        """
        session = self.context.session
        outcome, answers = session.outcome, self.context.sessions.answers
        explanation = await self.compute(answers, tasks.explain, session.model_file, frame.df)
        if session.outcome is outcome:
            session.explanation, self.looked = explanation, self.problem is None
        self._ask.refresh()
        self._show.refresh()

    @refreshable
    def _show(self) -> None:
        session, dark = self.context.session, self.context.dark
        self.show_problem()
        seen, frame = session.explanation, session.frame
        if seen is None or frame is None:
            if self.looked and seen is None:
                note("The forecast repeats the last season: there is no network to look into.")
            return
        with panel_card():
            heading(f"How far back the {seen.network} looks", 3)
            longest, last = max(seen.memory), len(seen.by_step)
            ui.label(
                f"95 % of what moves the forecast lies within the last {min(seen.memory)} to {longest} of the {last}"
                " steps that it reads, depending on the step of the forecast."
            )
            chart = line_chart(
                {"influence": seen.by_step},
                x=range(1 - last, 1),
                x_name="step of the past; 0 is the last known one",
                y_name="change of the forecast",
                zoom=True,
            )
            show_chart(chart, "Influence of each step of the past on the forecast", dark=dark, height="20rem")
        with panel_card():
            heading("What it reads", 3)
            bars = dict(sorted(seen.covariates.items(), key=lambda bar: -bar[1])[:MOST_BARS])
            chart = bar_chart({name: 100 * share for name, share in bars.items()}, y_name="share of the influence, %")
            show_chart(
                chart, "Share of the influence that each input has", dark=dark, height=f"{6 + 1.6 * len(bars)}rem"
            )
            note("Influence is how much the forecast would change with the number; it need not be a cause.")
        with panel_card():
            heading("Moments of the past that look alike to it", 3)
            note("The latest moment of each series of which it is known how it went on, and those nearest to it.")
            rows = nearest_rows(seen, frame.columns)
            show_table(
                ["series", "the latest moment", "is like", "of the series", "distance"],
                rows,
                said="Nearest windows of the past",
            )
        with panel_card():
            heading("The map of its states", 3)
            explained = " and ".join(f"{share:.0%}" for share in seen.explained)
            note(
                "Each point is a moment of the past, placed by what the network remembered then; points that are near"
                f" each other look alike to it. The two directions hold {explained} of the differences."
            )
            points = state_points(seen, frame.columns)
            chart = map_chart(points, names=("first direction", "second direction"), low="early", high="late")
            show_chart(chart, "Map of the states at many moments, coloured from early to late", dark=dark)


def nearest_rows(seen: Explanation, columns: Any) -> list[list[Any]]:
    """Return for the latest window of each series those that are nearest to it.

    Args:
        seen: What was seen.
        columns: Names of the columns of the table.
    """
    if seen.nearest is None:
        return []
    table, unique_id = seen.nearest, columns.unique_id
    latest = table.groupby(unique_id)["cutoff"].transform("max")
    part = table[table["cutoff"] == latest].sort_values([unique_id, "rank"]).head(50)
    return [
        [row[unique_id], row["cutoff"], row["near_cutoff"], row[f"near_{unique_id}"], row["distance"]]
        for row in part.to_dict("records")
    ]


def state_points(seen: Explanation, columns: Any) -> list[tuple[float, float, float, str]]:
    """Return the points of the map, coloured by their place in time.

    Args:
        seen: What was seen.
        columns: Names of the columns of the table.
    """
    table = seen.states
    order = table["cutoff"].rank(method="dense").to_numpy(float)
    shade = (order - 1) / max(1.0, order.max() - 1)
    names = [
        f"{name}, {str(cutoff).removesuffix(' 00:00:00')}"
        for name, cutoff in zip(table[columns.unique_id], table["cutoff"], strict=True)
    ]
    return list(zip(*np.array([table["first"], table["second"], shade]).tolist(), names, strict=True))
