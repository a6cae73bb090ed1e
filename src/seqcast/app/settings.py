"""Settings of the page: its address and its limits, which are also the options of `seqcast app`."""

from dataclasses import dataclass

from seqcast.errors import Option, Phrase, SpecError
from seqcast.serve import ServerSettings
from seqcast.specs import check_int


@dataclass(frozen=True)
class AppSettings:
    """Address and limits of the page.

    Args:
        host: Address to listen at; others reach 0.0.0.0 too.
        port: Port; 0 takes a free one.
        max_upload: Largest file that is taken, in MiB.
        max_sessions: Visitors at a time, each with tables and models of their own.
        max_waiting: Trainings that wait for their turn; one more is rejected.
        allow_open: Let other machines use the page, which knows no passwords.
        allow_host: A name by which others ask this machine; may be repeated.

    Raises:
        SpecError: A number is not positive, or the page would be open to other machines.

    Example:
        >>> AppSettings(port=0).max_upload
        100
    """

    host: str = "127.0.0.1"
    port: int = 8080
    max_upload: int = 100
    max_sessions: int = 20
    max_waiting: int = 8
    allow_open: bool = False
    allow_host: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for name in ("max_upload", "max_sessions", "max_waiting"):
            check_int(name, getattr(self, name))
        if not (self.of_api.is_local or self.allow_open):
            raise SpecError(
                "host",
                expected=(
                    "127.0.0.1: the page knows no passwords, and whoever reaches it can use it"
                ),
                received=self.host,
                hint=Phrase("If that is meant, take ", Option("allow_open", True), "."),
            )

    @property
    def of_api(self) -> ServerSettings:
        """The settings of the API at the same address."""
        return ServerSettings(
            host=self.host, port=self.port, allow_open=self.allow_open, allow_host=self.allow_host
        )
