"""Settings are checked before anything is read."""

from pathlib import Path

import pytest

from seqcast.errors import MissingFileError, SpecError
from seqcast.serve.settings import ServerSettings

HERE = Path(__file__)
WRONG = [
    ({"max_rows": 0}, "max_rows: expected a whole number >= 1"),
    ({"queue": 1.5}, "queue: expected a whole number"),
    ({"port": 70_000}, "port: expected at most 65535"),
    ({"port": -1}, "port: expected a whole number >= 0"),
    ({"time_limit": 0}, "time_limit: expected a number"),
    ({"batch_wait": -1}, "batch_wait: expected a number"),
    ({"max_size": "much"}, "max_size: expected a size"),
    ({"models": (("a b", HERE),)}, "models: expected names that differ"),
    ({"models": (("pretrained", HERE),)}, "none of them 'pretrained'"),
    ({"models": (("a", HERE), ("a", HERE))}, "received 'a'"),
    ({"certificate": HERE}, "certificate, private_key: expected both or none, received certificate"),
    ({"private_key": HERE}, "received private_key"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_wrong_settings(settings, message):
    with pytest.raises(SpecError) as told:
        ServerSettings(**settings)
    assert message in str(told.value)


@pytest.mark.parametrize("name", ["keys", "certificate"])
def test_files_that_are_not_there(name, tmp_path):
    files = {name: tmp_path / "no"} | ({"private_key": HERE} if name == "certificate" else {})
    with pytest.raises(MissingFileError, match="received nothing"):
        ServerSettings(**files)


@pytest.mark.parametrize(
    ("host", "local"),
    [("127.0.0.1", True), ("127.8.8.8", True), ("::1", True), ("localhost", True), ("0.0.0.0", False), ("::", False)],
)
def test_what_is_this_machine(host, local):
    assert ServerSettings(host=host).is_local == local


def test_names_of_models():
    named = ServerSettings.named(["x/sales.seqcast", "a=b.seqcast", "dir=1/web.seqcast"])
    assert [name for name, _ in named] == ["sales", "a", "dir"]
    assert ServerSettings.named(["./a=b/web.seqcast"])[0] == ("web", Path("./a=b/web.seqcast"))
