"""Models are read, warmed up, and taken over when their files are replaced."""

import errno
import os
import shutil
import threading

import pytest

from seqcast.errors import FileFormatError
from seqcast.forecaster.estimator import Forecaster
from seqcast.runtime.programs import Programs
from seqcast.serve import ServerSettings, create_app
from seqcast.serve import models as models_module
from seqcast.serve.models import ModelShelf, ServedModel, warm_up
from seqcast.serve.problems import RequestError
from tests.rejections import rejected

from .clients import Client, newer, panel, wait_until


@pytest.fixture
def copied(models, tmp_path):
    path = tmp_path / "m.seqcast"
    shutil.copy(dict(models)["sales"], path)
    return path


def replace_file(path, forecaster):
    forecaster.save(path.with_suffix(".new"))
    os.replace(path.with_suffix(".new"), path)


def test_a_replaced_file_is_taken_over(copied, forecasters):
    told = []
    shelf = ModelShelf(
        ServerSettings(models=(("m", copied),)), lambda name, error: told.append((name, error))
    )
    shelf.warm_up()
    before = shelf.find("m")
    shelf.look()
    assert shelf.find("m") is before
    copied.touch()
    shelf.look()
    assert shelf.find("m") is before  # the same bytes
    replace_file(copied, forecasters["store"])
    shelf.look()
    after = shelf.find("m")
    assert after.digest != before.digest
    assert after.columns.unique_id == "shop"
    assert before.columns.unique_id == "unique_id"  # what requests hold stays as it is
    assert told == [("m", None), ("m", None)]


@pytest.mark.parametrize("name", ["sales", "store"])
def test_a_warm_up_compiles_what_requests_need(models, monkeypatch, name):
    model = ServedModel.read(name, dict(models)[name])
    find = Programs.find
    ready = []
    warm_up(model, [1])

    def found(programs, *key):
        program = find(programs, *key)
        ready.append(program.called)
        return program

    monkeypatch.setattr(Programs, "find", found)
    warm_up(model, [1])
    assert ready
    assert all(ready)


def fail(error):
    raise error


# What takes the file's place, and what the reader fails with, as it does without memory or
# descriptors.
CHANGES = [
    (lambda path: path.write_bytes(b"half a file"), None),
    (lambda path: path.mkdir(), None),
    (lambda path: path.symlink_to(path), None),
    (lambda path: None, None),
    *[
        (lambda path: shutil.copy(path.with_suffix(".old"), path), error)
        for error in (
            OSError(errno.EMFILE, "x"),
            PermissionError("x"),
            MemoryError(),
            RecursionError(),
            KeyError("x"),
        )
    ],
]


@pytest.mark.parametrize(("change", "error"), CHANGES)
def test_whatever_fails_leaves_the_model_and_the_next_good_file_is_taken(
    copied, forecasters, monkeypatch, change, error
):
    told = []
    shelf = ModelShelf(
        ServerSettings(models=(("m", copied),)), lambda name, error: told.append(error)
    )
    shelf.warm_up()
    before = shelf.find("m")
    copied.rename(copied.with_suffix(".old"))
    change(copied)
    with monkeypatch.context() as patch:
        if error:
            patch.setattr(Forecaster, "load", lambda *_, **__: fail(error))
        shelf.look()
        shelf.look()  # the same again is no news
    assert shelf.find("m") is before
    assert shelf.degraded == ["m"]
    assert [error is None for error in told] == [True, False]
    if not error:  # otherwise the same file can be read the next time
        if copied.is_dir():
            copied.rmdir()
        replace_file(copied, forecasters["store"])
    shelf.look()
    assert (shelf.find("m").digest == before.digest) == (error is not None)
    assert shelf.degraded == []
    assert told[2:] == [None]


def test_a_warm_up_that_fails_at_the_start_is_tried_again(models, monkeypatch):
    warm_up = models_module.warm_up
    failures = [ZeroDivisionError("secret"), ValueError("secret")]
    monkeypatch.setattr(
        models_module,
        "warm_up",
        lambda model, sizes: fail(failures.pop()) if failures else warm_up(model, sizes),
    )
    go = threading.Event()
    app = create_app(ServerSettings(models=models[:1], watch=0.01))
    look = app.state.service.shelf.look
    monkeypatch.setattr(app.state.service.shelf, "look", lambda: look() if go.is_set() else None)
    with Client(app) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()) == (
            200,
            {"status": "degraded", "models": ["sales"], "degraded": ["sales"]},
        )
        assert client.post("/v1/forecast", json={"rows": newer("a", 3)}).status_code == 200
        go.set()
        wait_until(lambda: client.get("/readyz").json()["status"] == "ready")
        counted = client.get("/metrics").text
    assert 'loads_total{model="sales",outcome="failed"} 2.0' in counted
    assert 'loads_total{model="sales",outcome="loaded"} 1.0' in counted


def test_the_watch_survives_what_fails_around_it(copied, forecasters):
    app = create_app(ServerSettings(models=(("m", copied),), watch=0.01))
    shelf = app.state.service.shelf
    before = shelf.find("m").digest
    look = shelf.look
    failures = [RuntimeError("can't start new thread")] * 3
    shelf.look = lambda: fail(failures.pop()) if failures else look()
    with Client(app) as client:
        replace_file(copied, forecasters["store"])
        wait_until(lambda: client.get("/v1/models").json()["models"][0]["sha256"] != before)
    assert not failures


def test_files_that_are_no_models_are_rejected_at_the_start(copied):
    copied.write_bytes(b"x")
    with pytest.raises(FileFormatError):
        create_app(ServerSettings(models=(("m", copied),)))


def test_which_model_is_asked_for(models):
    shelf = ModelShelf(ServerSettings(models=models[:1]), print)
    assert shelf.find(None) is shelf.find("sales")
    assert shelf.find("pretrained") is None
    rejected(
        RequestError,
        r"expected one of 'sales', 'pretrained', received 'sale'\. Did you mean",
        shelf.find,
        "sale",
    )


def test_series_that_are_wrong_are_rejected_though_the_fit_skipped_them(copied, forecasters):
    skipping = Forecaster.load(copied).set_params(on_bad_series="skip")
    skipping.save(copied)
    model = ServedModel.read("m", copied)
    assert model.forecaster.on_bad_series == "raise"
    twice = panel(["a"]).iloc[[0, 0]]
    rejected(ValueError, "ds, row 1", model.forecaster.predict, df=twice)
