"""What a server is told before it starts: models, address, keys and limits, all checked."""

from __future__ import annotations

import ipaddress
import math
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from seqcast.errors import SpecError
from seqcast.runtime import FileLimits, check_source
from seqcast.specs import check_int, check_number

# Name by which requests ask for the network that needs no model.
PRETRAINED = "pretrained"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True)
class ServerSettings:
    """Settings of a server.

    Args:
        models: Name and file of each model.
        host: The address to listen at.
        port: The port; 0 lets the system choose.
        keys: File with hashes of API keys, see `seqcast.serve.keys`; `None` reads the environment.
        allow_open: Whether other machines may ask without a key, by any name of this one.
        allow_host: Names by which this machine is asked, besides its addresses, `localhost` and `host`.
        certificate: PEM file with the certificate for TLS.
        private_key: PEM file with its private key.
        max_body: Most bytes of a request.
        max_rows: Most rows of a request, and of its answer.
        max_horizon: Most steps of a forecast.
        max_size: What a model's file may unpack to, as for `Forecaster.load`.
        time_limit: Seconds for a request, waiting included.
        queue: Requests that wait at most; more are told to come again.
        batch_size: Requests that are forecast in one call at most; 1 is no batching.
        batch_wait: Seconds that a request waits for others at most, where others are expected.
        watch: Seconds between looks at the models' files; 0 is never.
        grace: Seconds for what is being answered when the server is stopped.

    Raises:
        SpecError: A setting is impossible, or the server would be open to other machines.
        MissingFileError: A file is not there.

    Example:
        >>> ServerSettings(max_horizon=0)
        Traceback (most recent call last):
        seqcast.errors.SpecError: max_horizon: expected a whole number >= 1, received 0. Choose a larger one.
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
    max_horizon: int = 1000
    max_size: str | int | None = None
    time_limit: float = 30.0
    queue: int = 256
    batch_size: int = 64
    batch_wait: float = 0.004
    watch: float = 2.0
    grace: float = 30.0

    def __post_init__(self) -> None:
        for name in ("max_body", "max_rows", "max_horizon", "queue", "batch_size"):
            check_int(name, getattr(self, name))
        if check_int("port", self.port, at_least=0) > 65_535:
            raise SpecError("port", expected="at most 65535", received=str(self.port), hint="Choose a smaller one.")
        for name in ("batch_wait", "watch", "grace"):
            check_number(name, getattr(self, name), low=0.0)
        check_number("time_limit", self.time_limit, low=0.0, high=86_400.0, open_low=True)
        FileLimits.of(self.max_size)
        names = [name for name, _ in self.models]
        for name in names:
            if not _NAME.fullmatch(name) or name == PRETRAINED or names.count(name) > 1:
                raise SpecError(
                    "models",
                    expected=f"names that differ, of letters, digits, . _ and -, none of them {PRETRAINED!r}",
                    received=repr(name),
                    hint="Name a model as NAME=FILE.",
                )
        if (self.certificate is None) != (self.private_key is None):
            given = "certificate" if self.private_key is None else "private_key"
            raise SpecError(
                "certificate, private_key", expected="both or none", received=given, hint="TLS takes the two files."
            )
        for path in (*(path for _, path in self.models), self.keys, self.certificate, self.private_key):
            if path is not None:
                check_source(path)

    @classmethod
    def named(cls, models: list[str]) -> tuple[tuple[str, Path], ...]:
        """Return name and file of models that are written as `NAME=FILE` or `FILE`, whose name is the file's.

        Example:
            >>> [(name, str(path)) for name, path in ServerSettings.named(["a/sales.seqcast", "b=c.seqcast"])]
            [('sales', 'a/sales.seqcast'), ('b', 'c.seqcast')]
        """
        pairs = []
        for text in models:
            name, separator, path = text.partition("=")
            if not separator or "/" in name:
                name, path = Path(text).name.removesuffix(".seqcast"), text
            pairs.append((name, Path(path)))
        return tuple(pairs)

    @property
    def is_local(self) -> bool:
        """Whether only this machine can reach the server."""
        try:
            return ipaddress.ip_address(self.host).is_loopback
        except ValueError:
            return self.host == "localhost"

    def check_open(self, *, has_keys: bool) -> Self:
        """Refuse a server that other machines can ask without a key, unless that is allowed.

        Args:
            has_keys: Whether there are keys.

        Raises:
            SpecError: It is open.
        """
        if not (self.is_local or has_keys or self.allow_open):
            raise SpecError(
                "host",
                expected="127.0.0.1, or keys",
                received=f"{self.host} without keys",
                hint="Make a key (seqcast serve --new-key NAME) and give its hash with --keys, or take --allow-open.",
            )
        return self

    @property
    def retry_after(self) -> int:
        """Seconds after which a request that found no place may come again."""
        return max(1, math.ceil(self.time_limit / 30))
