"""Settings of a server, all checked, and the API keys that it takes.

A server knows only hashes of keys. A key is 32 random bytes, so nobody can guess it from a plain
SHA-256, as they could a password. A line of a file, or a word of `SEQCAST_API_KEYS`, is
`NAME:HASH`; lines that begin with `#` are comments.
"""

import hashlib
import ipaddress
import math
import os
import re
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from seqcast.errors import SpecError
from seqcast.runtime import FileLimits, check_source
from seqcast.specs import check_int, check_number

# Name of the pretrained network in requests.
PRETRAINED = "pretrained"
# Levels of its intervals, in per cent, where a request names none.
PRETRAINED_LEVELS = (80.0, 95.0)

# The environment variable with hashes of keys, separated by spaces or commas.
KEYS_VARIABLE = "SEQCAST_API_KEYS"

# Largest limit: one of bytes may be beyond 2 GiB.
_MOST = 2**63 - 1
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_ENTRY = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})")


@dataclass(frozen=True)
class ServerSettings:
    """Settings of a server.

    Args:
        models: Name and file of each model.
        host: The address to listen at.
        port: The port; 0 lets the system choose.
        keys: File with hashes of API keys; $SEQCAST_API_KEYS if absent.
        allow_open: Let other machines ask without a key, by any name of this one.
        allow_host: A name by which others ask this machine; may be repeated. Its addresses,
            localhost and --host need none.
        certificate: PEM file with the certificate for TLS.
        private_key: PEM file with the private key of the certificate.
        max_body: Most bytes of a request.
        max_rows: Most rows of a request, and of its answer.
        max_answer: Most bytes of an answer.
        max_horizon: Most steps of a forecast.
        max_size: Largest file of a model, as 8GB; as for `Forecaster.load` if absent.
        time_limit: Seconds for a request, waiting included; and for the client to take the answer.
        guess_limit: Seconds for guessing the columns of a table without the usual names.
        client_timeout: Seconds for a TLS handshake, for the head of a request, and for a client
            that sends no more of a body or takes no more of an answer.
        connections: Most connections. When there are more, one that waits for its client is closed,
            of the address with the most connections.
        queue: Most requests that wait; one more is rejected with a 429.
        batch_size: Most requests that are forecast in one call; 1 is no batching.
        batch_wait: Most milliseconds that a request waits for others, where others are expected.
        watch: Seconds between looks at the files of the models; 0 is never.
        grace: Seconds for requests that are being answered when the server is stopped.

    Raises:
        SpecError: A setting is impossible, or the server would be open to other machines.
        MissingFileError: A file is missing.

    Example:
        >>> ServerSettings(max_horizon=0)
        Traceback (most recent call last):
        seqcast.errors.SpecError: max_horizon: expected a whole number >= 1, received 0. ...
    """

    models: tuple[tuple[str, Path], ...] = ()
    host: str = "127.0.0.1"
    port: int = 8000
    keys: Path | None = None
    allow_open: bool = False
    allow_host: tuple[str, ...] = ()
    certificate: Path | None = None
    private_key: Path | None = None
    max_body: int = 16 << 20
    max_rows: int = 100_000
    max_answer: int = 32 << 20
    max_horizon: int = 1000
    max_size: str | None = None
    time_limit: float = 30.0
    guess_limit: float = 5.0
    client_timeout: float = 20.0
    # Most systems let a process open a thousand files.
    connections: int = 500
    queue: int = 256
    batch_size: int = 64
    batch_wait: float = 4.0
    watch: float = 2.0
    grace: float = 30.0

    def __post_init__(self) -> None:
        for name in (
            "max_body",
            "max_rows",
            "max_answer",
            "max_horizon",
            "connections",
            "queue",
            "batch_size",
        ):
            check_int(name, getattr(self, name), at_most=_MOST)
        if check_int("port", self.port, at_least=0) > 65_535:
            raise SpecError(
                "port",
                expected="at most 65535",
                received=str(self.port),
                hint="Choose a smaller one.",
            )
        for name in ("batch_wait", "watch", "grace"):
            check_number(name, getattr(self, name), low=0.0)
        for name in ("time_limit", "guess_limit", "client_timeout"):
            check_number(name, getattr(self, name), low=0.0, high=86_400.0, open_low=True)
        FileLimits.of(self.max_size)
        names = [name for name, _ in self.models]
        for name in names:
            if not _NAME.fullmatch(name) or name == PRETRAINED or names.count(name) > 1:
                raise SpecError(
                    "models",
                    expected=(
                        "names that differ, of letters, digits, . _ and -, "
                        f"none of them {PRETRAINED!r}"
                    ),
                    received=repr(name),
                    hint="Name a model as NAME=FILE.",
                )
        if (self.certificate is None) != (self.private_key is None):
            given = "certificate" if self.private_key is None else "private_key"
            raise SpecError(
                "certificate, private_key",
                expected="both or none",
                received=given,
                hint="TLS takes the two files.",
            )
        for path in (
            *(path for _, path in self.models),
            self.keys,
            self.certificate,
            self.private_key,
        ):
            if path is not None:
                check_source(path)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    @property
    def retry_after(self) -> int:
        """Seconds after which a rejected request may come again."""
        return max(1, math.ceil(self.time_limit / 30))

    def read_keys(self) -> dict[str, str]:
        """Return the names of the keys by their hashes.

        They are in the file, if there is one, or else in the environment variable.

        Raises:
            SpecError: An entry is no hash, the file has none, or other machines could ask without a
                key.
        """
        where = KEYS_VARIABLE
        text = os.environ.get(KEYS_VARIABLE, "")
        if self.keys is not None:
            where = str(self.keys)
            text = self.keys.read_text("utf-8", "replace")
        keys = _parse_keys(where, text)
        if self.keys is not None and not keys:
            raise SpecError(
                where,
                expected="hashes of keys",
                received="none",
                hint="See seqcast serve --new-key NAME.",
            )
        if not (self.is_local or keys or self.allow_open):
            raise SpecError(
                "host",
                expected="127.0.0.1, or keys",
                received=f"{self.host} without keys",
                hint=(
                    "Make a key (seqcast serve --new-key NAME) and give its hash with --keys, "
                    "or take --allow-open."
                ),
            )
        return keys


def named_models(texts: Iterable[str]) -> tuple[tuple[str, Path], ...]:
    """Return the names and files of models that are written as `NAME=FILE` or `FILE`.

    A model without a name is called after its file.

    Args:
        texts: The text of each model.

    Example:
        >>> [(name, str(path)) for name, path in named_models(["a/sales.seqcast", "b=c.seqcast"])]
        [('sales', 'a/sales.seqcast'), ('b', 'c.seqcast')]
    """
    pairs = []
    for text in texts:
        name, separator, path = text.partition("=")
        if not separator or "/" in name:
            name = Path(text).name.removesuffix(".seqcast")
            path = text
        pairs.append((name, Path(path)))
    return tuple(pairs)


def new_key() -> str:
    """Return a new key.

    Example:
        >>> new_key().startswith("sq_"), len(new_key())
        (True, 46)
    """
    return f"sq_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    """Return the hash of a key.

    Args:
        key: The key.

    Example:
        >>> hash_of("sq_example")[:8]
        '39c2dd84'
    """
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def entry_of(name: str, key: str) -> str:
    """Return the line of a file of keys.

    Args:
        name: Name of the key's owner in the log.
        key: The key.

    Raises:
        SpecError: The name has other characters than letters, digits, `.`, `_` and `-`.
    """
    entry = f"{name}:{hash_of(key)}"
    if not _ENTRY.fullmatch(entry):
        raise SpecError(
            "new_key",
            expected="a name of letters, digits, . _ and -",
            received=repr(name),
            hint="For example shop.",
        )
    return entry


def _parse_keys(where: str, text: str) -> dict[str, str]:
    lines = (line.replace(",", " ") for line in text.splitlines() if not line.startswith("#"))
    names = {}
    words = [word for line in lines for word in line.split()]
    for number, word in enumerate(words, 1):
        match = _ENTRY.fullmatch(word)
        if match is None:
            # The entry may be a key: it is not shown.
            raise SpecError(
                f"{where}, entry {number}",
                expected="NAME:HASH, the hash being 64 hexadecimal digits",
                received=f"{len(word)} other characters",
                hint="seqcast serve --new-key NAME prints a key and its entry.",
            )
        names[match[2]] = match[1]
    return names
