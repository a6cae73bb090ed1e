"""A socket that listens, so that a taken port is told before anything is loaded."""

from __future__ import annotations

import socket

from seqcast.errors import SpecError

__all__ = ["address_of", "listen"]

# Connections that the system holds until the server takes them.
BACKLOG = 512


def listen(host: str, port: int) -> socket.socket:
    """Return a socket that listens; who comes before the server is ready waits.

    Args:
        host: Address of this machine.
        port: Port; 0 lets the system choose.

    Raises:
        SpecError: They are not free.

    Example:
        >>> with listen("127.0.0.1", 0) as listener:
        ...     address_of(listener).startswith("http://127.0.0.1:")
        True
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(BACKLOG)
    except OSError as error:
        listener.close()
        raise SpecError(
            "host, port",
            expected="an address of this machine that is free",
            received=f"{host}:{port} ({error.strerror or error})",
            hint="Choose another port; 0 lets the system choose.",
        ) from error
    listener.set_inheritable(True)
    return listener


def address_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the address at which a socket listens, for a browser.

    Args:
        listener: The socket.
        scheme: `http` or `https`.
    """
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
