"""Settings are checked before anything is read; keys come from a file or the environment, and let requests in."""

from pathlib import Path

import pytest

from seqcast.errors import MissingFileError, SpecError
from seqcast.serve import ServerSettings, create_app
from seqcast.serve.configuration import KEYS_VARIABLE, entry_of, hash_of, named_models, new_key
from tests.rejections import rejected

HERE = Path(__file__)
WRONG = [
    ({"max_rows": 0}, "max_rows: expected a whole number >= 1"),
    ({"queue": 1.5}, "queue: expected a whole number"),
    ({"port": 70_000}, "port: expected at most 65535"),
    ({"port": -1}, "port: expected a whole number >= 0"),
    ({"time_limit": 0}, "time_limit: expected a number"),
    ({"client_timeout": 0}, "client_timeout: expected a number"),
    ({"connections": 0}, "connections: expected a whole number >= 1"),
    ({"batch_wait": -1}, "batch_wait: expected a number"),
    ({"max_size": "much"}, "max_size: expected a size"),
    ({"models": (("a b", HERE),)}, "models: expected names that differ"),
    ({"models": (("pretrained", HERE),)}, "none of them 'pretrained'"),
    ({"models": (("a", HERE), ("a", HERE))}, "received 'a'"),
    (
        {"certificate": HERE},
        "certificate, private_key: expected both or none, received certificate",
    ),
    ({"private_key": HERE}, "received private_key"),
]


@pytest.mark.parametrize(("settings", "message"), WRONG)
def test_wrong_settings(settings, message):
    with pytest.raises(SpecError) as told:
        ServerSettings(**settings)
    assert message in str(told.value)


def test_files_that_are_not_there(tmp_path):
    none = tmp_path / "no"
    for files in (
        {"keys": none},
        {"certificate": none, "private_key": HERE},
        {"models": (("m", none),)},
    ):
        rejected(MissingFileError, "no such file", ServerSettings, **files)


def test_what_is_this_machine_and_names_of_models():
    hosts = ("127.0.0.1", "127.8.8.8", "::1", "localhost", "0.0.0.0", "::")
    assert [ServerSettings(host=host).is_local for host in hosts] == [True] * 4 + [False] * 2
    named = named_models(
        ["x/sales.seqcast", "a=b.seqcast", "dir=1/web.seqcast", "./a=b/web.seqcast"]
    )
    assert [name for name, _ in named] == ["sales", "a", "dir", "web"]
    assert named[3][1] == Path("./a=b/web.seqcast")


# ---------------------------------------------------------------- keys


def test_a_file_with_comments_and_a_variable(tmp_path, monkeypatch):
    first = new_key()
    second = new_key()
    path = tmp_path / "keys.txt"
    path.write_text(f"# ours\n\n{entry_of('shop', first)}\n{entry_of('web', second)}\n")
    assert ServerSettings(keys=path).read_keys() == {hash_of(first): "shop", hash_of(second): "web"}
    monkeypatch.setenv(KEYS_VARIABLE, f"{entry_of('a', first)}, {entry_of('b', second)}")
    assert ServerSettings().read_keys() == {hash_of(first): "a", hash_of(second): "b"}
    monkeypatch.delenv(KEYS_VARIABLE)
    assert ServerSettings().read_keys() == {}


def test_what_is_no_hash_is_rejected_and_not_shown(tmp_path):
    path = tmp_path / "keys.txt"
    key = new_key()
    path.write_text(f"shop:{key}\n")
    with pytest.raises(
        SpecError, match=r"keys.txt, entry 1: expected NAME:HASH.* received \d+ other characters"
    ) as told:
        ServerSettings(keys=path).read_keys()
    assert key not in str(told.value)
    path.write_text("# nothing\n")
    rejected(
        SpecError, "expected hashes of keys, received none", ServerSettings(keys=path).read_keys
    )
    rejected(SpecError, "expected a name of letters", entry_of, "two words", key)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory, serving):
    key = new_key()
    path = tmp_path_factory.mktemp("keys") / "keys.txt"
    path.write_text(entry_of("shop", key))
    with serving(models=(), keys=path) as client:
        yield client, key


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/forecast", "/v1/else"])
def test_who_has_no_key_is_rejected(guarded, path):
    client, key = guarded
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: expected an API key" in answer.json()["detail"]
    for wrong in ("sq_wrong", hash_of(key), "ü".encode()):
        assert client.get(path, headers={"X-API-Key": wrong}).status_code == 403
    assert client.get(path, headers={"Authorization": "Bearer sq_wrong"}).status_code == 403


def test_who_has_one_is_let_in(guarded):
    client, key = guarded
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        assert client.get("/v1/models", headers=headers).status_code == 200
        assert client.get("/metrics", headers=headers).status_code == 200
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_a_server_for_others_takes_keys(tmp_path, monkeypatch):
    monkeypatch.delenv(KEYS_VARIABLE, raising=False)
    with pytest.raises(
        SpecError, match=r"host: expected 127.0.0.1, or keys, received 0.0.0.0 without keys"
    ):
        create_app(ServerSettings(host="0.0.0.0"))
    create_app(ServerSettings(host="0.0.0.0", allow_open=True))
    monkeypatch.setenv(KEYS_VARIABLE, entry_of("shop", new_key()))
    create_app(ServerSettings(host="::"))
