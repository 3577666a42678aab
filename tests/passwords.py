"""
Passwords that cost little, and threads that run when a test says so.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from twisted.internet.defer import Deferred, maybeDeferred

from labnet.net.passwords import PasswordHash, _scrypt

#: A cheap hash of the password "secret".
SECRET = PasswordHash(2, 8, 1, b"salt", _scrypt("secret", b"salt", 2, 8, 1))
PASSWORDS = {"joe": SECRET}


def atOnce(call: Callable[[], Any]) -> Deferred[Any]:
    """In place of a thread."""
    return maybeDeferred(call)


class Threads:
    """Threads that run when the test says so."""

    def __init__(self) -> None:
        self.waiting: list[tuple[Callable[[], Any], Deferred[Any]]] = []

    def __call__(self, call: Callable[[], Any]) -> Deferred[Any]:
        result: Deferred[Any] = Deferred()
        self.waiting.append((call, result))
        return result

    def runOne(self) -> None:
        call, result = self.waiting.pop(0)
        maybeDeferred(call).chainDeferred(result)
