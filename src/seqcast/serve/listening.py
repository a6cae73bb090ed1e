"""A socket that listens, so that a taken port is told before anything is loaded."""

from __future__ import annotations

import socket

from seqcast.errors import SpecError

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
    family, dual = (socket.AF_INET6, socket.has_dualstack_ipv6()) if ":" in host else (socket.AF_INET, False)
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG, dualstack_ipv6=dual)
    except OSError as error:
        raise SpecError(
            "host, port",
            expected="an address of this machine that is free",
            received=f"{host}:{port} ({error.strerror or error})",
            hint="Choose another port; 0 lets the system choose.",
        ) from error


def address_of(listener: socket.socket, scheme: str = "http") -> str:
    """Return the address at which a socket listens, for a browser.

    Args:
        listener: The socket.
        scheme: `http` or `https`.
    """
    host, port = listener.getsockname()[:2]
    return f"{scheme}://{f'[{host}]' if ':' in host else host}:{port}"
