"""Styles tell models apart, and files are whole."""

import io

import matplotlib
import matplotlib.style
import numpy as np
import pytest

from seqcast.errors import SaveError, SpecError
from seqcast.plots import learning_curve, save_figure
from seqcast.plots.style import finish, line, model_style, new_figure, plain
from tests.rejections import rejected

HISTORY = {"loss": [1.0, 0.5, 0.4], "val_loss": [1.2, 0.7, 0.9]}


def test_models_look_different():
    assert len({repr(model_style(number)) for number in range(24)}) == 24
    for one, other in zip(range(11), range(1, 12), strict=True):  # also in print without colour
        assert model_style(one)[1:] != model_style(other)[1:]


@pytest.mark.parametrize(
    ("suffix", "start"), [("png", b"\x89PNG"), ("SVG", b"<?xml"), ("pdf", b"%PDF")]
)
def test_save(tmp_path, suffix, start):
    path = tmp_path / f"picture.{suffix}"
    save_figure(learning_curve(HISTORY), path)
    save_figure(learning_curve(HISTORY), str(path), dpi=50)
    assert path.read_bytes().startswith(start)
    assert list(tmp_path.iterdir()) == [path]


def test_save_rejects(tmp_path):
    figure = learning_curve(HISTORY)
    for name in ("picture.jpeg", "picture"):
        rejected(
            SpecError,
            "suffix: expected one of 'pdf', 'png', 'svg'",
            save_figure,
            figure,
            tmp_path / name,
        )
    rejected(SpecError, "dpi", save_figure, figure, tmp_path / "picture.png", dpi=0)
    rejected(SaveError, "missing", save_figure, figure, tmp_path / "missing" / "picture.png")
    assert list(tmp_path.iterdir()) == []


def test_a_notebook_shows_figures_where_nobody_imported_pyplot():
    formatters = pytest.importorskip("IPython.core.formatters")
    shown, _ = formatters.DisplayFormatter().format(learning_curve(HISTORY))
    assert shown["image/png"].startswith(b"\x89PNG")


def test_the_users_style_is_neither_used_nor_changed(tmp_path):
    save_figure(learning_curve(HISTORY), tmp_path / "light.png")
    with matplotlib.style.context("dark_background"):
        before = dict(matplotlib.rcParams)
        save_figure(learning_curve(HISTORY), tmp_path / "dark.png")
        assert dict(matplotlib.rcParams) == before
    assert (tmp_path / "light.png").read_bytes() == (tmp_path / "dark.png").read_bytes()


def test_pyplot_is_not_imported(run_python):
    draw = "import sys, seqcast.plots as p; p.learning_curve({'loss': [1.0]}); "
    assert run_python(draw + "print('matplotlib.pyplot' in sys.modules)") == "False"


NAMES = [
    (r"$\frac_{$", r"\$\frac_{\$"),
    ("a\nb", "a\ufffdb"),
    ("\u202eabc", "\ufffdabc"),
    ("\x00\x1b[2J", "\ufffd\ufffd[2J"),
    ("\ud800", "\ufffd"),
    ("_hidden", " _hidden"),
    ("x" * 10_000, "x" * 100 + "…" + "x" * 99),
]


@pytest.mark.parametrize(("name", "shown"), NAMES)
def test_names_are_drawn_as_they_are(name, shown):
    assert plain(name) == shown
    figure = new_figure(6, 3)
    ax = figure.subplots()
    line(ax, np.arange(3), np.arange(3), name, ("#000000", "o", "-"))
    ax.set_title(plain(name))
    finish(figure, name)
    for kind in ("png", "svg"):
        figure.savefig(io.BytesIO(), format=kind)
