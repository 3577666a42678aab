"""
Who may write: C{twisted.cred} over the file of hashed passwords.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Callable
from typing import Any, TypeVar

from twisted.cred.checkers import ICredentialsChecker
from twisted.cred.credentials import IUsernamePassword, UsernamePassword
from twisted.cred.error import LoginFailed, UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred, DeferredSemaphore, succeed
from twisted.internet.interfaces import IReactorTime
from zope.interface import Interface, implementer

from labnet.files.passwords import PasswordHash, hashed
from labnet.files.refusal import Refusal, Trouble
from labnet.net.limits import DatagramLimits, RateLimit

__all__ = ["Access", "IWriter", "InThread", "PasswordChecker", "WriterRealm"]

_Result = TypeVar("_Result")

#: Runs something that takes a while, as C{deferToThread} does.
InThread = Callable[[Callable[[], Any]], Deferred[Any]]

#: Hashes computed at the same time: each takes a processor and 16 MiB.
_AT_A_TIME = 2
#: Those in the queue; who comes after them is told to come again.
_MOST_WAITING = 20
#: Tries a second from one address, and in all.
_TRIES = DatagramLimits(perSource=1.0, total=10.0)


class IWriter(Interface):
    """An avatar: somebody who may write. It is the name."""


@implementer(IRealm)
class WriterRealm:
    """Everybody with a password may write."""

    def requestAvatar(
        self, avatarId: bytes | tuple[()], mind: object, *interfaces: type[Interface]
    ) -> tuple[type[Interface], object, Callable[[], None]]:
        if IWriter not in interfaces:
            raise NotImplementedError("there are only writers")
        return IWriter, avatarId, lambda: None


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


class Access:
    """
    Decides who may write.

    @param hashes: of the passwords by name; L{None}: nobody may write at all.
    @param inThread: where hashes are computed.
    """

    def __init__(
        self, clock: IReactorTime, hashes: dict[str, PasswordHash] | None, inThread: InThread
    ) -> None:
        self._clock = clock
        self._tries = RateLimit(_TRIES)
        self._checker = PasswordChecker(hashes, inThread) if hashes is not None else None
        self._portal = Portal(WriterRealm(), [self._checker] if self._checker is not None else [])

    @property
    def writable(self) -> bool:
        """Whether anybody may write."""
        return self._checker is not None

    async def login(self, host: str, user: str, password: str) -> str:
        """
        Who this is.

        @param host: where the request comes from: of one address there are only so many tries.
        @return: the name.
        @raise Refusal: this name does not have this password, there were too many tries, or nobody may
            write.
        """
        if self._checker is None:
            raise Refusal(Trouble.READ_ONLY, "nobody may write here")
        if not user:
            raise Refusal(Trouble.DENIED, "to write takes a name and a password")
        credentials = UsernamePassword(
            user.encode("utf-8", "surrogatepass"), password.encode("utf-8", "surrogatepass")
        )
        if not self._checker.knows(credentials) and not self._mayTry(host):
            raise Refusal(Trouble.BUSY, "too many passwords were tried; try again in a moment")
        try:
            await self._portal.login(credentials, None, IWriter)
        except LoginFailed:
            raise Refusal(Trouble.DENIED, "wrong name or password") from None
        return user

    def _mayTry(self, host: str) -> bool:
        full = self._checker is not None and self._checker.waiting >= _MOST_WAITING
        return not full and self._tries.admits(host, self._clock.seconds())
