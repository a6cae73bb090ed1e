"""API keys: a server knows their hashes only.

A key is 32 random bytes, so a plain SHA-256 of it cannot be guessed back, as that of a password could be. A line of a
file, or a word of `SEQCAST_API_KEYS`, is `NAME:HASH`; lines that begin with `#` are comments.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import secrets
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from seqcast.errors import SpecError

# The environment variable with hashes of keys, separated by spaces or commas.
VARIABLE = "SEQCAST_API_KEYS"

_ENTRY = re.compile(r"([A-Za-z0-9._-]{1,64}):([0-9a-f]{64})")
_MOST_BYTES = 1 << 20


def new_key() -> str:
    """Return a new key.

    Example:
        >>> new_key().startswith("sq_"), len(new_key())
        (True, 46)
    """
    return f"sq_{secrets.token_urlsafe(32)}"


def hash_of(key: str) -> str:
    """Return the hash of a key.

    Example:
        >>> hash_of("sq_example")[:8]
        '39c2dd84'
    """
    return hashlib.sha256(key.encode("utf-8", "surrogateescape")).hexdigest()


def entry_of(name: str, key: str) -> str:
    """Return the line of a file of keys.

    Args:
        name: What the log calls whoever has the key.
        key: The key.

    Raises:
        SpecError: The name has other characters than letters, digits, `.`, `_` and `-`.
    """
    entry = f"{name}:{hash_of(key)}"
    if not _ENTRY.fullmatch(entry):
        raise SpecError(
            "new_key", expected="a name of letters, digits, . _ and -", received=repr(name), hint="For example shop."
        )
    return entry


@dataclass(frozen=True)
class ApiKeys:
    """The keys that a server takes.

    Args:
        hashes: Name and hash of each.

    Example:
        >>> keys = ApiKeys((("shop", hash_of("sq_example")),))
        >>> keys.name_of("sq_example"), keys.name_of("another")
        ('shop', None)
    """

    hashes: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, path: Path | None) -> Self:
        """Read the hashes of a file, or of the environment variable where there is no file.

        Args:
            path: The file.

        Raises:
            SpecError: An entry is no hash, or there is none in the file.
        """
        where = VARIABLE if path is None else str(path)
        if path is None:
            words = os.environ.get(VARIABLE, "").replace(",", " ").split()
        else:
            with path.open("rb") as file:
                text = file.read(_MOST_BYTES).decode("utf-8", "replace")
            words = [line.strip() for line in text.splitlines() if line.strip() and not line.startswith("#")]
        entries = []
        for number, word in enumerate(words, 1):
            match = _ENTRY.fullmatch(word)
            if match is None:
                # What stands there may be a key: it is not shown.
                raise SpecError(
                    f"{where}, entry {number}",
                    expected="NAME:HASH, the hash being 64 hexadecimal digits",
                    received=f"{len(word)} other characters",
                    hint="seqcast serve --new-key NAME prints a key and its entry.",
                )
            entries.append((match[1], match[2]))
        if path is not None and not entries:
            raise SpecError(where, expected="hashes of keys", received="none", hint="See seqcast serve --new-key NAME.")
        return cls(tuple(entries))

    def __bool__(self) -> bool:
        return bool(self.hashes)

    def name_of(self, key: str) -> str | None:
        """Return the name of a key, `None` if it is not known; takes the same time wherever it stands.

        Args:
            key: The key as it was sent.
        """
        given, name = hash_of(key), None
        for each, digest in self.hashes:
            if hmac.compare_digest(given, digest):
                name = each
        return name
