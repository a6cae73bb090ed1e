"""Settings of the page: where it listens, and how much of the machine its visitors may take."""

from __future__ import annotations

from dataclasses import dataclass

from seqcast.errors import Option, Phrase, SpecError
from seqcast.serve import ServerSettings

MEBIBYTE = 1 << 20


@dataclass(frozen=True)
class AppSettings:
    """How the page is served.

    Args:
        host: Address to listen at; that of this machine alone by default.
        port: Port; 0 takes a free one.
        max_upload: Size of a file that is taken, in bytes.
        max_rows: Rows of a table that is taken.
        max_sessions: Visitors at a time, each with tables and models of its own.
        max_waiting: Trainings that wait for their turn; one more is refused.
        drawn_series: Series that are drawn at a time.
        allow_open: Whether other machines may use the page, which knows no passwords.
        allow_host: As for `ServerSettings`.

    Raises:
        SpecError: A number is not positive, or the page would be open to other machines.

    Example:
        >>> AppSettings(port=0).max_upload // 2**20
        100
    """

    host: str = "127.0.0.1"
    port: int = 8080
    max_upload: int = 100 * MEBIBYTE
    max_rows: int = 5_000_000
    max_sessions: int = 20
    max_waiting: int = 8
    drawn_series: int = 6
    allow_open: bool = False
    allow_host: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("max_upload", "max_rows", "max_sessions", "max_waiting", "drawn_series"):
            if getattr(self, name) < 1:
                raise SpecError(name, expected="at least 1", received=repr(getattr(self, name)), hint="Give more.")
        if not 0 <= self.port < 65536:
            raise SpecError("port", expected="0 to 65535", received=repr(self.port), hint="8080 is usual.")
        if not (self.of_api.is_local or self.allow_open):
            raise SpecError(
                "host",
                expected="127.0.0.1: the page knows no passwords, and whoever reaches it can use it",
                received=self.host,
                hint=Phrase("If that is meant, take ", Option("allow_open", True), "."),
            )

    @property
    def of_api(self) -> ServerSettings:
        """The settings of the API at the same address."""
        return ServerSettings(host=self.host, port=self.port, allow_open=self.allow_open, allow_host=self.allow_host)
