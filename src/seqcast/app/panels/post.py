"""*The post, live*: a small network learns on random sines in half a minute and continues one that it never saw."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from seqcast.app.charts import line_chart, map_chart
from seqcast.app.context import Context, refreshable
from seqcast.app.panels.progress import JobPanel
from seqcast.app.post import DECODERS, EPOCHS, HORIZON, PostOutcome, PostRequest, Snapshot, run_post
from seqcast.app.theme import heading, note, panel_card, redraw, show_chart, show_table
from seqcast.errors import SeqcastError


class PostPanel(JobPanel):
    """The panel.

    Args:
        context: The visitor's page.
    """

    def __init__(self, context: Context) -> None:
        super().__init__(context, "Stop and see what it has learnt")
        self.outcome: PostOutcome | None = None
        self.settings: dict[str, Any] = {"sines": 2, "slowest": 0.1, "fastest": 10.0, "noise": 0.0, "context": 15}
        self.compare = False

    def build(self) -> None:
        """Write the panel."""
        heading("The post, live")
        note(
            "Luke Tonin's post shows an encoder-decoder random sums of sines. The encoder reads the past into a state;"
            " the decoder writes the future from it. Here such a network learns before your eyes, and then continues a"
            " signal that it never saw, four times as far as it was trained."
        )
        with panel_card(), ui.row().classes("items-center"):
            for field, label, least, most, step in (
                ("sines", "Sines in a signal", 1, 5, 1),
                ("slowest", "Slowest, turns in 30 steps", 0.1, 14, 0.1),
                ("fastest", "Fastest, turns in 30 steps", 0.2, 15, 0.1),
                ("noise", "Noise on the past", 0, 1, 0.05),
                ("context", "Steps of past", 5, 60, 1),
            ):
                ui.number(label, value=self.settings[field], min=least, max=most, step=step).props(
                    "outlined dense"
                ).classes("w-52").bind_value(self.settings, field)
            ui.switch("Zeros, teacher forcing and feeding back side by side").bind_value(self, "compare")
            self.start_button("Learn", "school", self.learn)
        self.view.build()
        self.live = show_chart(
            self._snapshot(None), "Forecast after each epoch", dark=self.context.dark, height="18rem"
        )
        self.live.visible = False
        self._show()
        self.context.on_change(self._show.refresh)

    async def learn(self) -> None:
        """Train, and show what comes of it."""
        self.problem = self.outcome = None
        self._show.refresh()
        values = {name: value for name, value in self.settings.items() if value is not None}
        values |= {name: int(values[name]) for name in ("sines", "context") if name in values}
        try:
            request = PostRequest(**values, decoders=tuple(DECODERS) if self.compare else ("zeros",))
        except SeqcastError as error:
            self.problem = error
        else:
            self.outcome = await self.compute(self.context.sessions.trainings, run_post, request, hear=self._hear)
        self.live.visible = False
        if self.start is not None:
            self.start.enable()
        self._show.refresh()

    def _hear(self, snapshot: Snapshot) -> None:
        self.live.visible = True
        redraw(self.live, self._snapshot(snapshot), dark=self.context.dark)

    def _snapshot(self, snapshot: Snapshot | None) -> dict[str, Any]:
        forecast = [0.0] * HORIZON if snapshot is None else snapshot.forecast
        name = "" if snapshot is None else f"{DECODERS[snapshot.decoder]}: epoch {snapshot.epoch} of {EPOCHS}"
        return line_chart({name: forecast}, x=range(1, HORIZON + 1), x_name="step of the forecast", y_name="signal")

    @refreshable
    def _show(self) -> None:
        self.show_problem()
        if self.outcome is None:
            return
        outcome, dark = self.outcome, self.context.dark
        past, truth = len(outcome.past), len(outcome.truth)
        with panel_card():
            heading("A signal that it never saw", 3)
            nothing: list[float] = [float("nan")]
            lines = {"past": [*outcome.past, *nothing * truth], "how it goes on": [*nothing * past, *outcome.truth]}
            for decoder, forecast in outcome.forecasts.items():
                lines[DECODERS[decoder]] = [*nothing * past, *forecast]
            chart = line_chart(
                lines, x=range(1 - past, truth + 1), x_name="step; forecasts begin at 1", y_name="signal"
            )
            chart["series"][1]["markArea"] = {
                "silent": True,
                "itemStyle": {"color": "#888888", "opacity": 0.15},
                "label": {"color": "inherit"},
                "data": [[{"name": "as far as trained", "xAxis": "1"}, {"xAxis": str(HORIZON)}]],
            }
            said = f"A sum of sines, and its continuation by {len(outcome.forecasts)} networks far beyond their horizon"
            show_chart(chart, said, dark=dark)
            show_table(
                ["the decoder reads", "mean squared error / variance, on 500 signals"],
                [[DECODERS[decoder], f"{error:.3f}"] for decoder, error in outcome.errors.items()],
                said="Errors of the networks",
            )
        if outcome.tokens:
            with panel_card():
                heading("Its state, step by step", 3)
                note(
                    "The path of the first network's state, in the two directions in which it moves most: while it"
                    " reads the past, and then while it writes the future."
                )
                count = len(outcome.tokens)
                names = [
                    f"reads step {place + 1 - outcome.reading}"
                    if place < outcome.reading
                    else f"writes step {place + 1 - outcome.reading}"
                    for place in range(count)
                ]
                points = [
                    (x, y, place / max(1, count - 1), names[place]) for place, (x, y) in enumerate(outcome.tokens)
                ]
                chart = map_chart(
                    points,
                    names=("first direction", "second direction"),
                    low="first step",
                    high="last step",
                    lines=True,
                )
                show_chart(chart, "Path of the state of the network, step by step", dark=dark)
