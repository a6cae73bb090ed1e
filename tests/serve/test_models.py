"""Models are read, warmed up, and taken over when their files are replaced."""

import os
import shutil

import pytest

from seqcast.errors import FileFormatError, MissingFileError
from seqcast.forecaster.estimator import Forecaster
from seqcast.serve.app import create_app
from seqcast.serve.models import ModelShelf, ServedModel
from seqcast.serve.problems import RequestError
from seqcast.serve.settings import ServerSettings

from .clients import Client, newer, panel


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
    shelf = ModelShelf(ServerSettings(models=(("m", copied),)), lambda name, error: told.append((name, error)))
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


def test_a_file_that_cannot_be_read_leaves_the_model(copied):
    told = []
    shelf = ModelShelf(ServerSettings(models=(("m", copied),)), lambda name, error: told.append((name, error)))
    before = shelf.find("m")
    copied.write_bytes(b"half a file")
    shelf.look()
    shelf.look()
    assert shelf.find("m") is before
    assert [(name, type(error)) for name, error in told] == [("m", FileFormatError)]
    copied.unlink()
    shelf.look()
    assert shelf.find("m") is before


def test_files_that_are_no_models_are_refused_at_the_start(copied, tmp_path):
    copied.write_bytes(b"x")
    with pytest.raises(FileFormatError):
        create_app(ServerSettings(models=(("m", copied),)))
    with pytest.raises(MissingFileError):
        ServerSettings(models=(("m", tmp_path / "no.seqcast"),))


def test_which_model_is_asked_for(models):
    shelf = ModelShelf(ServerSettings(models=models[:1]))
    assert shelf.find(None) is shelf.find("sales")
    assert shelf.find("pretrained") is None
    with pytest.raises(RequestError, match=r"expected one of 'sales', 'pretrained', received 'sale'\. Did you mean"):
        shelf.find("sale")


def test_series_that_are_wrong_are_refused_though_the_fit_skipped_them(copied, forecasters):
    skipping = Forecaster.load(copied).set_params(on_bad_series="skip")
    skipping.save(copied)
    model = ServedModel.read("m", copied)
    assert model.forecaster.on_bad_series == "raise"
    twice = panel(["a"]).iloc[[0, 0]]
    with pytest.raises(ValueError, match="ds, row 1"):
        model.forecaster.predict(df=twice)


def test_requests_go_on_while_a_file_is_replaced(copied, forecasters):
    other = Forecaster(**{**forecasters["sales"].get_params(deep=False), "horizon": 5, "random_state": 1})
    other.fit(panel(["a", "b"]))
    with Client(create_app(ServerSettings(models=(("m", copied),), watch=0.05))) as client:
        service = client.app.state.service
        lengths = set()
        replace_file(copied, other)
        for _ in range(200):
            answers = client.all([{"rows": newer("a", 3, place)} for place in range(4)])
            assert {answer.status_code for answer in answers} == {200}
            lengths |= {len(answer.json()["rows"]) for answer in answers}
            if lengths == {7, 5} or lengths == {5}:
                break
        assert 5 in lengths
        assert 'model_loads_total{model="m",outcome="loaded"} 2.0' in service.metrics.written()[0].decode()
