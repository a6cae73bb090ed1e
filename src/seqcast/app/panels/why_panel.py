"""*Why*: the network's memory, the influence of its inputs, similar moments, a map of states."""

from functools import partial
from typing import Any

import numpy as np
from nicegui import ui
from typing_extensions import override

from seqcast.app.charts import line_chart, map_chart
from seqcast.app.computations import Explanation, explain
from seqcast.app.panels.panel import JobPanel, refreshable
from seqcast.app.theme import note, panel_card, show_chart, show_table
from seqcast.app.visitor_table import VisitorFrame

# Most inputs that are listed: the pretrained network reads dozens of numbers a step.
MOST_INPUTS = 12
NEIGHBOURS_SHOWN = 50


class WhyPanel(JobPanel):
    """The panel; arguments as for `Panel`."""

    title = "Why does it forecast this?"
    looked = False

    @override
    def refresh(self) -> None:
        if self.session.explanation is None:
            self.problem = None
            self.looked = False
        super().refresh()

    @refreshable
    def _ask(self) -> None:
        if self.session.forecasted is None:
            note("Make a forecast in the panel Forecast first.")
            return
        note(
            "The network is read by its derivatives and its states: what would change the "
            "forecast, and how much."
        )
        self.start_button(
            "Look inside", "psychology", partial(self.look, self.session.forecasted[0])
        )

    async def look(self, frame: VisitorFrame) -> None:
        """Explain the network's forecast, and show the explanation.

        Args:
            frame: The series.
        """
        outcome = self.session.outcome
        answers = self.context.sessions.answers
        explanation = await self.compute(answers, explain, self.session.model_file, frame.rows)
        if self.session.outcome is outcome:
            self.session.explanation = explanation
            self.looked = self.problem is None
        super().refresh()

    @refreshable
    def _show(self) -> None:
        self.show_problem()
        seen = self.session.explanation
        frame = self.session.frame
        if seen is None or frame is None:
            if self.looked:
                note("The forecast repeats the last season: there is no network to look into.")
            return
        with panel_card(f"How far back the {seen.network} looks"):
            self._memory(seen, frame)
        with panel_card("What it reads"):
            note(
                "At each step it reads the value and numbers computed from it, such as the "
                "difference from the season before. Influence is how much the forecast would "
                "change with the number; it need not be a cause."
            )
            inputs = sorted(seen.covariates.items(), key=lambda each: -each[1])[:MOST_INPUTS]
            rows = [[name, f"{share:.0%}"] for name, share in inputs]
            show_table(
                ["number", "share of the influence"],
                rows,
                "Share of the influence that each input has",
            )
        text = (
            "The latest moment of each series whose continuation is known, and the moments nearest "
            "to it."
        )
        with panel_card("Moments of the past that look alike to it", text):
            names = ["series", "the latest moment", "is like", "of the series", "distance"]
            show_table(names, nearest_rows(seen, frame.columns), "Nearest windows of the past")
        text = (
            "While it reads, a network keeps numbers in mind, its state: all that it knows when it "
            "begins to write."
        )
        with panel_card("The map of its states", text):
            explained = " and ".join(f"{share:.0%}" for share in seen.explained)
            note(
                "Each point is a moment of the past, placed by what the network remembered then; "
                "points that are near each other look alike to it. The two directions hold "
                f"{explained} of the differences."
            )
            chart = map_chart(state_points(seen, frame.columns), low="early", high="late")
            show_chart(
                chart,
                "Map of the states at many moments, coloured from early to late",
                dark=self.dark,
            )

    def _memory(self, seen: Explanation, frame: VisitorFrame) -> None:
        last = len(seen.by_step)
        ui.label(
            f"95 % of what moves the forecast lies within the last {min(seen.memory)} to "
            f"{max(seen.memory)} of the {frame.spoken_steps(last)} that it reads, depending on the "
            "step of the forecast."
        )
        steps = range(1 - last, 1)
        x_name = "step of the past; 0 is the last known one"
        chart = line_chart(
            {"influence": seen.by_step}, x=steps, x_name=x_name, y_name="change of the forecast"
        )
        show_chart(
            chart,
            "Influence of each step of the past on the forecast",
            dark=self.dark,
            height="20rem",
        )


def nearest_rows(seen: Explanation, columns: Any) -> list[list[Any]]:
    """Return the nearest neighbours of the latest window of each series.

    Args:
        seen: The explanation.
        columns: Names of the columns of the table.
    """
    if seen.nearest is None:
        return []
    table = seen.nearest
    unique_id = columns.unique_id
    latest = table.groupby(unique_id)["cutoff"].transform("max")
    rows = table[table["cutoff"] == latest].sort_values([unique_id, "rank"]).head(NEIGHBOURS_SHOWN)
    # Row by row: a frame's `values` would turn stamps and distances into one type.
    names = [unique_id, "cutoff", "near_cutoff", f"near_{unique_id}", "distance"]
    return [[row[name] for name in names] for row in rows.to_dict("records")]


def state_points(seen: Explanation, columns: Any) -> list[tuple[float, float, float, str]]:
    """Return the points of the map, coloured by their place in time.

    Args:
        seen: The explanation.
        columns: Names of the columns of the table.
    """
    table = seen.states
    order = table["cutoff"].rank(method="dense").to_numpy(float)
    shade = (order - 1) / max(1.0, order.max() - 1)
    cutoffs = [str(cutoff).removesuffix(" 00:00:00") for cutoff in table["cutoff"]]
    names = [
        f"{name}, {cutoff}" for name, cutoff in zip(table[columns.unique_id], cutoffs, strict=True)
    ]
    return list(
        zip(*np.array([table["first"], table["second"], shade]).tolist(), names, strict=True)
    )
