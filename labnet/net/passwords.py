"""
A file of passwords: names and scrypt hashes (RFC 7914) of their passwords.

A line is C{name:scrypt:n:r:p:salt:hash}, the last two in base64; C{labnet files password NAME} writes one.
Empty lines and those that begin with C{#} are passed over.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import secrets
import unicodedata
from base64 import b64decode, b64encode
from dataclasses import dataclass

__all__ = ["BadPasswordFile", "PasswordHash", "hashed", "parsePasswords"]

#: 16 MiB of memory and about a fifth of a second.
_COST = (2**14, 8, 5)
_MOST_MEMORY = 256 * 2**20
_LENGTH = 32


class BadPasswordFile(ValueError):
    """A line is mistaken; the text is one line, and does not repeat what it holds."""


@dataclass(frozen=True, slots=True)
class PasswordHash:
    """What is known of a password."""

    n: int
    r: int
    p: int
    salt: bytes
    digest: bytes

    def matches(self, password: str) -> bool:
        """Whether it is this password. Takes a while, by intention."""
        return hmac.compare_digest(_scrypt(password, self.salt, self.n, self.r, self.p), self.digest)

    def line(self, name: str) -> str:
        """The line of the file."""
        cost = f"{self.n}:{self.r}:{self.p}"
        return f"{name}:scrypt:{cost}:{b64encode(self.salt).decode()}:{b64encode(self.digest).decode()}"


def hashed(password: str, salt: bytes | None = None) -> PasswordHash:
    """The hash of a password with a new salt."""
    salt = salt if salt is not None else secrets.token_bytes(16)
    return PasswordHash(*_COST, salt, _scrypt(password, salt, *_COST))


def parsePasswords(text: str) -> dict[str, PasswordHash]:
    """
    Read the file.

    @return: the hashes by name.
    @raise BadPasswordFile: a line is mistaken.
    """
    found: dict[str, PasswordHash] = {}
    for number, line in enumerate(text.splitlines(), start=1):
        if not line.strip() or line.startswith("#"):
            continue
        parts = line.strip().split(":")
        if len(parts) != 7 or parts[1] != "scrypt" or not parts[0]:
            raise BadPasswordFile(f"line {number} is not of the form NAME:scrypt:N:R:P:SALT:HASH")
        if parts[0] in found:
            raise BadPasswordFile(f"line {number} has the name of an earlier one")
        try:
            found[parts[0]] = _parsed(*parts[2:])
        except (ValueError, binascii.Error):
            raise BadPasswordFile(f"line {number} holds no scrypt hash") from None
    return found


def _parsed(n: str, r: str, p: str, salt: str, digest: str) -> PasswordHash:
    cost = int(n), int(r), int(p)
    if min(cost) < 1 or cost[0] & (cost[0] - 1) or 128 * cost[0] * cost[1] > _MOST_MEMORY or cost[2] > 100:
        raise ValueError("cost")
    parsed = PasswordHash(*cost, b64decode(salt, validate=True), b64decode(digest, validate=True))
    if len(parsed.digest) != _LENGTH or not parsed.salt:
        raise ValueError("length")
    return parsed


def _scrypt(password: str, salt: bytes, n: int, r: int, p: int) -> bytes:
    # One password, however a keyboard composes it.
    secret = unicodedata.normalize("NFC", password).encode("utf-8", "surrogatepass")
    return hashlib.scrypt(secret, salt=salt, n=n, r=r, p=p, maxmem=_MOST_MEMORY + 2**20, dklen=_LENGTH)
