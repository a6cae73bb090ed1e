"""What a figure shows: its lines by their labels, and its legend."""

import pytest


@pytest.fixture(scope="session")
def lines():
    """Return a function that returns the lines of a panel by their labels; of equal ones the last."""
    return lambda ax: {line.get_label(): line for line in ax.lines}


@pytest.fixture(scope="session")
def legend():
    """Return a function that returns the texts of a figure's legend."""
    return lambda figure: [text.get_text() for text in figure.legends[0].get_texts()]


@pytest.fixture(scope="session")
def rows():
    """Return a function that returns the names of a chart's rows, from the bottom."""
    return lambda figure: [label.get_text() for label in figure.axes[0].get_yticklabels()]
