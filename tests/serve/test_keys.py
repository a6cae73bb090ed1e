"""API keys: hashes in files and in the environment, and who is let in."""

import pytest

from seqcast.errors import SpecError
from seqcast.serve.app import create_app
from seqcast.serve.keys import VARIABLE, ApiKeys, entry_of, hash_of, new_key
from seqcast.serve.settings import ServerSettings

from .clients import Client


def test_a_file_with_comments_and_a_variable(tmp_path, monkeypatch):
    first, second = new_key(), new_key()
    path = tmp_path / "keys.txt"
    path.write_text(f"# ours\n\n{entry_of('shop', first)}\n{entry_of('web', second)}\n")
    keys = ApiKeys.read(path)
    assert (keys.name_of(first), keys.name_of(second), keys.name_of(first[:-1])) == ("shop", "web", None)
    monkeypatch.setenv(VARIABLE, f"{entry_of('a', first)}, {entry_of('b', second)}")
    assert ApiKeys.read(None).name_of(second) == "b"
    monkeypatch.delenv(VARIABLE)
    assert not ApiKeys.read(None)


def test_keys_differ_and_their_hashes_are_no_keys():
    keys = {new_key() for _ in range(50)}
    assert len(keys) == 50
    key = keys.pop()
    assert ApiKeys((("a", hash_of(key)),)).name_of(hash_of(key)) is None


def test_what_is_no_hash_is_refused_and_not_shown(tmp_path):
    path = tmp_path / "keys.txt"
    key = new_key()
    path.write_text(f"shop:{key}\n")
    with pytest.raises(
        SpecError, match=r"keys.txt, entry 1: expected NAME:HASH.* received \d+ other characters"
    ) as told:
        ApiKeys.read(path)
    assert key not in str(told.value)
    path.write_text("# nothing\n")
    with pytest.raises(SpecError, match="expected hashes of keys, received none"):
        ApiKeys.read(path)
    with pytest.raises(SpecError, match="expected a name of letters"):
        entry_of("two words", key)


@pytest.fixture(scope="module")
def guarded(tmp_path_factory):
    key, path = new_key(), tmp_path_factory.mktemp("keys") / "keys.txt"
    path.write_text(entry_of("shop", key))
    with Client(create_app(ServerSettings(keys=path, watch=0))) as client:
        yield client, key


@pytest.mark.parametrize("path", ["/v1/models", "/metrics", "/v1/forecast", "/v1/else"])
def test_who_has_no_key_is_refused(guarded, path):
    client, _ = guarded
    answer = client.get(path)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer"
    assert "Authorization: expected an API key" in answer.json()["detail"]
    for headers in ({"Authorization": "Bearer sq_wrong"}, {"X-API-Key": "sq_wrong"}, {"X-API-Key": "ü".encode()}):
        assert client.get(path, headers=headers).status_code == 403


def test_who_has_one_is_let_in(guarded):
    client, key = guarded
    for headers in ({"Authorization": f"Bearer {key}"}, {"X-API-Key": key}):
        assert client.get("/v1/models", headers=headers).status_code == 200
        assert client.get("/metrics", headers=headers).status_code == 200
    for path in ("/healthz", "/readyz", "/openapi.json"):
        assert client.get(path).status_code == 200


def test_a_server_for_others_takes_keys(tmp_path, monkeypatch):
    monkeypatch.delenv(VARIABLE, raising=False)
    with pytest.raises(SpecError, match=r"host: expected 127.0.0.1, or keys, received 0.0.0.0 without keys"):
        create_app(ServerSettings(host="0.0.0.0"))
    create_app(ServerSettings(host="0.0.0.0", allow_open=True))
    monkeypatch.setenv(VARIABLE, entry_of("shop", new_key()))
    create_app(ServerSettings(host="::"))
