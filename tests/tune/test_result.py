"""Pictures of searches."""

import pytest

from seqcast.errors import DataError
from seqcast.plots.style import MODELS, save_figure
from seqcast.tune.result import Trial, TuningResult

TRIALS = [
    ({"units": "64-64", "rate": 0.001, "dropout": 0.1}, 0.5),
    ({"units": "128", "rate": 0.1, "dropout": 0.1}, 0.9),
    ({"units": "64", "rate": 0.01, "dropout": 0.1}, 0.7),
]


def result(trials=(), importance=None):
    trials = [
        Trial(place, "complete", loss, parameters)
        for place, (parameters, loss) in enumerate(trials)
    ]
    return TuningResult(None, (), tuple(trials), "", importance or {})


def test_the_best_trial_is_bold_and_named(tmp_path):
    figure = result(TRIALS).parallel_figure(title="A search")
    assert figure.get_suptitle() == "A search"
    lines = [line for line in figure.axes[0].get_lines() if len(line.get_xdata()) == 4]
    bold = [line for line in lines if line.get_linewidth() > 2]
    assert len(lines) == 3
    assert [line.get_label() for line in bold] == ["best, loss 0.5"]
    assert bold[0].get_color() == MODELS[0]
    # Widths by size, a rate by its order of magnitude, what never changes in the middle, the least
    # loss lowest.
    assert list(bold[0].get_ydata()) == pytest.approx([0.5, 0.0, 0.5, 0.0])
    assert [label.get_text() for label in figure.axes[0].get_xticklabels()] == [
        "units",
        "rate",
        "dropout",
        "loss",
    ]
    save_figure(figure, tmp_path / "trials.png")


def test_the_most_important_is_on_top():
    figure = result(importance={"a": 0.1, "learning_rate": 0.6, "b": 0.3}).importance_figure()
    assert [label.get_text() for label in figure.axes[0].get_yticklabels()] == [
        "a",
        "b",
        "learning rate",
    ]
    few = result(TRIALS[:1])
    for draw in (few.importance_figure, few.parallel_figure):
        with pytest.raises(DataError, match="expected at least two complete trials"):
            draw()
    widths = [bar.get_width() for bar in figure.axes[0].patches]
    assert widths == sorted(widths)
