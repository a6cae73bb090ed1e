"""What a training shows, and where; and what listeners outside hear."""

import importlib
import io
import re

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from seqcast import Seq2SeqRegressor
from seqcast.data import random_sines
from seqcast.runtime import TaskEvent, listen
from seqcast.training import Deadline, History, progress
from seqcast.training.progress import Progress

module = importlib.import_module("seqcast.training.progress")  # its package offers the function

CONTROL = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


def run(callback, losses, validation=None, *, epochs=None, steps=4, end=True):
    callback.set_params({"epochs": epochs or len(losses), "steps": steps})
    callback.on_train_begin()
    for epoch, loss in enumerate(losses):
        for step in range(steps):
            callback.on_train_batch_end(step, {"loss": loss})
        callback.on_epoch_end(
            epoch, {"loss": loss} | ({"val_loss": validation[epoch]} if validation else {})
        )
    if end:
        callback.on_train_end()


def plain(losses, validation=None, **options):
    file = io.StringIO()
    (callback,) = progress(1, file=file)
    run(callback, losses, validation, **options)
    callback.close()
    return file.getvalue()


@pytest.fixture
def terminal():
    return Console(force_terminal=True, file=io.StringIO(), width=80)


@pytest.fixture
def every_update(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_BETWEEN_UPDATES", 0.0)


def test_goes_to_standard_error(capfd):
    run(*progress(1), [1.0])
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("epoch 1/1  loss 1  ")


@pytest.mark.parametrize("color", ["", "1"])
def test_a_file_gets_plain_lines(monkeypatch, color):
    monkeypatch.setenv("FORCE_COLOR", color)
    text = plain([2.0, 1.0, 1.5], [3.0, 2.0, 2.5])
    assert re.sub(r"\d+\.\d s", "t", text).splitlines() == [
        "epoch 1/3  loss 2  validation loss 3  t",
        "epoch 2/3  loss 1  validation loss 2  t",
        "epoch 3/3  loss 1.5  validation loss 2.5  t",
        "trained 3 epochs in t, best epoch 2 with validation loss 2",
    ]


@given(st.integers(1, 1000), st.integers(1, 1000))
def test_a_file_gets_few_lines_the_last_epoch_among_them(epochs, trained):
    trained = min(epochs, trained)
    width = len(str(epochs))
    *_, before, last = lines = plain([1.0] * trained, epochs=epochs, steps=1).splitlines()
    assert len(lines) <= 21
    assert lines[0].startswith(f"epoch {1:>{width}}/{epochs} ")
    assert before.startswith(f"epoch {trained:>{width}}/{epochs} ")
    count = f"{trained} of {epochs:,}" if trained < epochs else f"{trained:,}"
    assert re.fullmatch(rf"trained {count} epochs? in .* s, loss 1", last)


def test_a_closed_file_does_not_stop_training():
    file = io.StringIO()
    (callback,) = progress(1, file=file)
    file.close()
    run(callback, [1.0])


def test_a_terminal_gets_a_bar_and_a_line_that_stays(terminal, every_update):
    run(Progress(terminal), [2.0, 1.0], [3.0, 2.5])
    text = terminal.file.getvalue()
    shown = CONTROL.sub("", text)
    for said in ("epoch 1/2", "starting", "loss 1  validation loss 2.5"):
        assert said in shown
    assert re.search(r"8/8 \d+:\d+ left", shown)
    # The cursor is hidden and comes back; the bar's line is erased before the one that stays.
    assert text.count("\x1b[?25l") == text.count("\x1b[?25h") == 1
    last = text.splitlines()[-1]
    assert re.search(
        r"\x1b\[2K.*trained 2 epochs in \d\.\d s, best epoch 2 with validation loss 2.5$", last
    )


@pytest.mark.parametrize("width", [20, 40, 60, 80, 200])
def test_a_bar_is_one_line_in_any_terminal(width, every_update):
    terminal = Console(force_terminal=True, file=io.StringIO(), width=width)
    run(Progress(terminal), [0.00012345] * 3, [0.00012345] * 3, epochs=1000, end=False)
    shown = CONTROL.sub("", terminal.file.getvalue())
    assert "\n" not in shown
    assert max(len(line) for line in shown.split("\r")) <= width


def test_updates_are_rare(terminal):
    run(Progress(terminal), [1.0], steps=5000)
    assert terminal.file.getvalue().count("\r") < 20


@pytest.mark.parametrize("kind", ["terminal", "plain"])
def test_interrupted(kind, terminal):
    console = terminal if kind == "terminal" else Console(file=io.StringIO(), force_terminal=False)
    callback = Progress(console)
    run(callback, [2.0, 1.0], [2.0, 3.0], epochs=5, end=False)
    callback.close()
    text = console.file.getvalue()
    assert re.search(
        r"stopped after 2 of 5 epochs in .* s, best epoch 1 with validation loss 2\n$", text
    )
    assert text.count("\x1b[?25h") == (kind == "terminal")
    # Steps that other threads report late, and closing again, change nothing.
    callback.on_train_batch_end(3, {"loss": 1.0})
    callback.on_epoch_end(2, {"loss": 1.0})
    callback.on_train_end()
    callback.close()
    assert console.file.getvalue() == text


def frames(terminal):
    """What the terminal showed, drawing by drawing."""
    return CONTROL.sub("", terminal.file.getvalue()).split("\r")


def test_steps_reported_out_of_order_are_counted_once(terminal, every_update):
    callback = Progress(terminal)
    callback.set_params({"epochs": 1, "steps": 4})
    callback.on_train_begin()
    for step in (1, 0, 3, 2):
        callback.on_train_batch_end(step, {"loss": float(step)})
    last = frames(terminal)[-1]
    assert "loss 3" in last  # of the latest step, not of the one reported last
    assert "4/4 00:00 left" in last  # all four are done
    callback.close()


def test_a_stream_of_unknown_length(terminal, every_update):
    callback = Progress(terminal)
    callback.set_params({"epochs": 2, "steps": None})
    callback.on_train_begin()
    for step in range(7):
        callback.on_train_batch_end(step, {"loss": 1.0})
    assert ":" not in "".join(frames(terminal))
    callback.on_epoch_end(0, {"loss": 1.0})
    for step in range(7):
        callback.on_train_batch_end(step, {"loss": 1.0})
    assert "14/14 00:00 left" in frames(terminal)[-1]
    callback.close()


def test_a_bar_is_ascii_where_the_terminal_is(every_update):
    raw = io.BytesIO()
    file = io.TextIOWrapper(raw, encoding="ascii")
    run(Progress(Console(force_terminal=True, file=file, width=20)), [2.0, 1.0], [3.0, 2.5])
    file.flush()
    assert "---" in CONTROL.sub("", raw.getvalue().decode("ascii"))


def test_a_notebook_gets_the_lines_of_a_log():
    file = io.StringIO()
    run(Progress(Console(force_jupyter=True, file=file)), [2.0, 1.0])
    first, _, last = file.getvalue().splitlines()
    assert first.startswith("epoch 1/2  loss 2  ")
    assert last.startswith("trained 2 epochs in ")


def test_a_log_and_a_bar_say_the_time_that_is_left(every_update):
    log = Console(file=io.StringIO())
    bar = Console(file=io.StringIO(), force_terminal=True, width=100)
    for console in (log, bar):
        run(Progress(console, Deadline.of(90)), [0.5, 0.25], [0.4, 0.3], epochs=10**9)
    first, *_, last = log.file.getvalue().splitlines()
    assert first.startswith("epoch 1  loss 0.5  validation loss 0.4  ")
    assert first.endswith(("1:30 min left", "1:29 min left"))
    assert last.startswith("trained 2 epochs in ")
    assert re.search(r"epoch 2  loss .*/90 .*left", CONTROL.sub("", bar.file.getvalue()))


def test_what_callbacks_print_stays_on_standard_output(capsys, terminal):
    callback = Progress(terminal)
    run(callback, [], steps=1, epochs=1, end=False)
    print("mine")
    callback.close()
    assert capsys.readouterr().out == "mine\n"
    assert "mine" not in terminal.file.getvalue()


# ---------------------------------------------------------------- listeners


def trained(**options):
    past, future = random_sines(96, past=8, future=3, seed=1)
    settings = {
        "encoder_units": (4,),
        "batch_size": 16,
        "epochs": 4,
        "random_state": 0,
        "verbose": 0,
        **options,
    }
    return Seq2SeqRegressor(**settings).fit(past, future), past


def test_what_is_heard_is_what_is_recorded_and_changes_nothing():
    heard = []
    with listen(heard.append):
        model, past = trained()
        trained(epochs=1)
    alone, _ = trained()
    np.testing.assert_array_equal(alone.predict(past), model.predict(past))
    assert {event.title for event in heard} == {"training"}
    shares = [event.share for event in heard]  # and nothing is heard of the third training
    second = len(shares) - shares[::-1].index(0.0) - 1
    first = heard[:second]
    shares = shares[:second]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1], heard[-1].share) == (0.0, 1.0, 1.0)
    assert (first[0].seconds_left, first[-1].seconds_left) == (None, 0.0)
    assert TaskEvent("training", 0.25, 10.0).seconds_left == pytest.approx(30.0)


def test_a_listener_that_fails_ends_the_training():
    def fail(event):
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"), listen(fail):
        trained(epochs=1)


def test_a_resumed_training_names_the_best_epoch_of_all():
    before = History({"loss": [3.0, 2.0], "val_loss": [0.5, 0.9]}, best_epoch=1)
    file = io.StringIO()
    (callback,) = progress(1, file=file, before=before)
    callback.set_params({"epochs": 3, "steps": 1})
    callback.on_train_begin()
    callback.on_epoch_end(2, {"loss": 1.0, "val_loss": 0.7})
    callback.on_train_end()
    assert "trained 3 epochs" in file.getvalue()
    assert "best epoch 1 with validation loss 0.5" in file.getvalue()


def test_a_finished_training_that_is_resumed_counts_its_epochs():
    before = History({"loss": [3.0, 2.0], "val_loss": [0.9, 0.5]}, best_epoch=2)
    file = io.StringIO()
    (callback,) = progress(1, file=file, before=before)
    callback.set_params({"epochs": 2, "steps": 1})
    callback.on_train_begin()
    callback.on_train_end()
    assert re.match(
        r"trained 2 epochs in .*, best epoch 2 with validation loss 0\.5", file.getvalue()
    )
