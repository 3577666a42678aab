"""
Who somebody is, by a name and a password: C{twisted.cred} over a file of hashed passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, DeferredSemaphore, fail, succeed
from twisted.internet.interfaces import IReactorTime
from twisted.python.failure import Failure
from zope.interface import Interface, implementer

from labnet.net.limits import DatagramLimits, RateLimit
from labnet.net.passwords import PasswordHash, hashed

__all__ = ["IUser", "InThread", "Logins", "PasswordChecker", "TooManyTries", "UserRealm"]

#: Runs something that takes a while, as C{deferToThread} does.
InThread = Callable[[Callable[[], Any]], Deferred[Any]]

#: Hashes computed at the same time: each takes a processor and 16 MiB.
_AT_A_TIME = 2
#: Those in the queue; who comes after them is told to come again.
_MOST_WAITING = 20
#: Tries a second from one address, and in all.
_TRIES = DatagramLimits(perSource=1.0, total=10.0)


class IUser(Interface):
    """An avatar: somebody with a password. It is the name."""


class TooManyTries(LoginFailed):
    """There were too many passwords to try; those that are known to be right still are."""


@implementer(IRealm)
class UserRealm:
    """Everybody with a password is a user."""

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        if IUser not in interfaces:
            raise NotImplementedError("there are only users")
        return IUser, avatarId, lambda: None


@implementer(ICredentialsChecker)
class PasswordChecker:
    """
    Checks names and passwords against their hashes. It takes as long for a name that nobody has.

    @param hashes: by name.
    @param inThread: where the hashes are computed.
    """

    credentialInterfaces = (IUsernamePassword,)

    def __init__(self, hashes: dict[str, PasswordHash], inThread: InThread) -> None:
        self._hashes = hashes
        self._inThread = inThread
        self._nobody = next(iter(hashes.values()), None) or hashed(secrets.token_hex())
        self._turns = DeferredSemaphore(_AT_A_TIME)
        # Passwords that were right, under a key that only this process has: each is computed once.
        self._key = secrets.token_bytes(32)
        self._right: dict[str, bytes] = {}

    @property
    def waiting(self) -> int:
        """How many wait for their turn."""
        return len(self._turns.waiting)

    def knows(self, credentials: UsernamePassword) -> bool:
        """Whether these have been right before, so that there is nothing to compute."""
        name, password = _decoded(credentials)
        return hmac.compare_digest(self._right.get(name, b""), self._marked(password))

    def requestAvatarId(self, credentials: Any) -> Deferred[bytes | tuple[()]]:
        """
        @return: fires with the name, or fails with C{UnauthorizedLogin}.
        """
        if self.knows(credentials):
            return succeed(credentials.username)
        name, password = _decoded(credentials)
        known = self._hashes.get(name)
        matches = (known or self._nobody).matches

        def checked(right: bool) -> bytes | tuple[()]:
            if not right or known is None:
                raise UnauthorizedLogin("wrong name or password")
            self._right[name] = self._marked(password)
            return bytes(credentials.username)

        computed: Deferred[bool] = self._turns.run(self._inThread, lambda: matches(password))
        return computed.addCallback(checked)

    def _marked(self, password: str) -> bytes:
        return hmac.digest(self._key, password.encode("utf-8", "surrogatepass"), hashlib.sha256)


def _decoded(credentials: Any) -> tuple[str, str]:
    """Name and password as text; what is not UTF-8 is a password that nobody has."""
    return (
        credentials.username.decode("utf-8", "backslashreplace"),
        credentials.password.decode("utf-8", "backslashreplace"),
    )


class Logins:
    """
    Finds out who somebody is. From one address, and in all, there are only so many tries a second; a name
    and a password that are being checked already, as when a browser asks over several connections, are no
    new try.

    @param hashes: of the passwords by name.
    @param inThread: where hashes are computed.
    """

    def __init__(self, clock: IReactorTime, hashes: dict[str, PasswordHash], inThread: InThread) -> None:
        self._clock = clock
        self._inThread = inThread
        self._tries = RateLimit(_TRIES)
        self._underWay: dict[tuple[bytes, bytes], list[Deferred[str]]] = {}
        self.replace(hashes)

    def replace(self, hashes: dict[str, PasswordHash]) -> None:
        """From now on these names and passwords are right, and no others."""
        self._checker = PasswordChecker(hashes, self._inThread)
        self._portal = Portal(UserRealm(), [self._checker])

    def login(self, host: str, name: bytes, password: bytes) -> Deferred[str]:
        """
        Who this is. With a name and a password that have been right before it is known at once.

        @param host: where the request comes from.
        @return: fires with the name; fails with L{TooManyTries}, or another C{LoginFailed} if this name
            does not have this password.
        """
        pair = (name, password)
        if pair in self._underWay:
            return self._waiter(self._underWay[pair])
        credentials = UsernamePassword(name, password)
        if not self._checker.knows(credentials) and not self._mayTry(host):
            return fail(TooManyTries("too many passwords were tried"))
        waiting = self._underWay[pair] = []
        answer = self._waiter(waiting)
        self._portal.login(credentials, None, IUser).addBoth(self._checked, pair)
        return answer

    def _waiter(self, waiting: list[Deferred[str]]) -> Deferred[str]:
        answer: Deferred[str] = Deferred(waiting.remove)
        waiting.append(answer)
        return answer

    def _checked(self, result: object, pair: tuple[bytes, bytes]) -> None:
        waiting = self._underWay.pop(pair)
        while waiting:
            answer = waiting.pop(0)
            if isinstance(result, Failure):
                answer.errback(result)
            else:
                answer.callback(pair[0].decode("utf-8", "backslashreplace"))

    def _mayTry(self, host: str) -> bool:
        full = self._checker.waiting >= _MOST_WAITING
        return not full and self._tries.admits(host, self._clock.seconds())
