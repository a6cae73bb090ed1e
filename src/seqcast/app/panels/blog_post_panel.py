"""*The post, live*: a small network learns random sines and continues one that it never saw."""

from typing import Any

from nicegui import ui

from seqcast.app.charts import Options, line_chart, map_chart
from seqcast.app.computations import DECODERS, EPOCHS, HORIZON, SineOutcome, Snapshot, learn_sines
from seqcast.app.panels.panel import Context, JobPanel, refreshable
from seqcast.app.theme import note, panel_card, redraw, show_chart, show_table

# Of each field: name, label, usual value, minimum, maximum and step.
FIELDS = (
    ("num_signals", "Sines in a signal", 2, 1, 5, 1),
    ("slowest", "Slowest, turns in 30 steps", 0.1, 0.1, 14, 0.1),
    ("fastest", "Fastest, turns in 30 steps", 10.0, 0.2, 15, 0.1),
    ("noise", "Noise on the past", 0.0, 0, 1, 0.05),
    ("past", "Steps of past", 15, 5, 60, 1),
)


class PostPanel(JobPanel):
    """The panel; arguments as for `Panel`."""

    title = "The post, live"
    about = (
        "Luke Tonin's post shows an encoder-decoder random sums of sines. The encoder reads the "
        "past into a state; the decoder writes the future from it. Here such a network learns "
        "before your eyes, and then continues a signal that it never saw, over four times the "
        "horizon that it was trained on."
    )
    stop_text = "Stop and see what it has learned"
    outcome: SineOutcome | None = None
    compare = False

    def __init__(self, context: Context) -> None:
        super().__init__(context)
        self.settings: dict[str, Any] = {name: usual for name, _, usual, *_ in FIELDS}

    def _build(self) -> None:
        with panel_card(), ui.row().classes("items-center"):
            for name, label, usual, least, most, step in FIELDS:
                number = ui.number(label, value=usual, min=least, max=most, step=step)
                number.classes("w-52").bind_value(self.settings, name)
            ui.switch("Zeros, teacher forcing and feeding back side by side").bind_value(
                self, "compare"
            )
            self.start_button("Learn", "school", self.learn)
        self.build_progress()
        alt = "Forecast after each epoch"
        self.live = show_chart(
            self._live_chart("", [0.0] * HORIZON), alt, dark=self.dark, height="18rem"
        )
        self.live.visible = False
        self._show()

    async def learn(self) -> None:
        """Train the networks and show the result."""
        self.problem = self.outcome = None
        self._show.refresh()
        # An empty field takes its usual value, and counts are whole numbers.
        chosen = {
            name: usual if self.settings[name] is None else self.settings[name]
            for name, _, usual, *_ in FIELDS
        }
        signals = {
            name: int(value) if name in ("num_signals", "past") else value
            for name, value in chosen.items()
        }
        signals["frequency"] = signals.pop("slowest"), signals.pop("fastest")
        job = learn_sines, signals, tuple(DECODERS) if self.compare else ("zeros",)
        self.outcome = await self.compute(
            self.context.sessions.trainings, *job, on_event=self._draw
        )
        self.live.visible = False
        self._show.refresh()

    def _draw(self, snapshot: Snapshot) -> None:
        """Draw the network's forecast of the signal after an epoch."""
        self.live.visible = True
        name = f"{DECODERS[snapshot.decoder]}: epoch {snapshot.epoch} of {EPOCHS}"
        redraw(self.live, self._live_chart(name, snapshot.forecast), dark=self.dark)

    def _live_chart(self, name: str, forecast: list[float]) -> Options:
        return line_chart(
            {name: forecast},
            x=range(1, HORIZON + 1),
            x_name="step of the forecast",
            y_name="signal",
        )

    @refreshable
    def _show(self) -> None:
        self.show_problem()
        if self.outcome is None:
            return
        with panel_card("A signal that it never saw"):
            alt = "A sum of sines, and its continuation by each network beyond its horizon"
            show_chart(signal_chart(self.outcome), alt, dark=self.dark)
            names = ["the decoder reads", "mean squared error / variance, on 500 signals"]
            rows = [
                [DECODERS[decoder], f"{error:.3f}"]
                for decoder, error in self.outcome.errors.items()
            ]
            show_table(names, rows, "Errors of the networks")
        with panel_card("Its state, step by step"):
            note(
                "The path of the first network's state, in the two directions in which it moves "
                "most: while it reads the past, and then while it writes the future."
            )
            chart = map_chart(
                state_path(self.outcome), low="first step", high="last step", lines=True
            )
            show_chart(chart, "Path of the state of the network, step by step", dark=self.dark)


def signal_chart(outcome: SineOutcome) -> Options:
    """Return a chart of a signal and its forecasts; the trained horizon is marked.

    Args:
        outcome: The forecasts of the networks.
    """
    nan = float("nan")
    before = [nan] * len(outcome.past)
    after = [nan] * len(outcome.truth)
    lines = {"past": [*outcome.past, *after], "continuation": [*before, *outcome.truth]}
    lines |= {
        DECODERS[decoder]: [*before, *forecast] for decoder, forecast in outcome.forecasts.items()
    }
    steps = range(1 - len(before), len(after) + 1)
    chart = line_chart(lines, x=steps, x_name="step; forecasts begin at 1", y_name="signal")
    chart["series"][1]["markArea"] = {
        "silent": True,
        "itemStyle": {"color": "#888888", "opacity": 0.15},
        "label": {"color": "inherit"},
        "data": [[{"name": "trained horizon", "xAxis": "1"}, {"xAxis": str(HORIZON)}]],
    }
    return chart


def state_path(outcome: SineOutcome) -> list[tuple[float, float, float, str]]:
    """Return the points of the map of states, coloured by their step.

    Args:
        outcome: The forecasts of the networks.
    """
    last = max(1, len(outcome.tokens) - 1)
    first = 1 - len(outcome.past)
    names = [
        f"{'writes' if place + first > 0 else 'reads'} step {place + first}"
        for place in range(last + 1)
    ]
    return [(x, y, place / last, names[place]) for place, (x, y) in enumerate(outcome.tokens)]
