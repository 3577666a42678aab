"""
Who may write: those with a password.
"""

from __future__ import annotations

from twisted.cred.error import LoginFailed
from twisted.internet.interfaces import IReactorTime

from labnet.files.refusal import Refusal, Trouble
from labnet.net.logins import InThread, Logins, TooManyTries
from labnet.net.passwords import PasswordHash

__all__ = ["Access"]


class Access:
    """
    Decides who may write.

    @param hashes: of the passwords by name; L{None}: nobody may write at all.
    @param inThread: where hashes are computed.
    """

    def __init__(
        self, clock: IReactorTime, hashes: dict[str, PasswordHash] | None, inThread: InThread
    ) -> None:
        self._logins = Logins(clock, hashes, inThread) if hashes is not None else None

    @property
    def writable(self) -> bool:
        """Whether anybody may write."""
        return self._logins is not None

    async def login(self, host: str, user: str, password: str) -> str:
        """
        Who this is.

        @param host: where the request comes from: of one address there are only so many tries.
        @return: the name.
        @raise Refusal: this name does not have this password, there were too many tries, or nobody may
            write.
        """
        if self._logins is None:
            raise Refusal(Trouble.READ_ONLY, "nobody may write here")
        if not user:
            raise Refusal(Trouble.DENIED, "to write takes a name and a password")
        try:
            return await self._logins.login(
                host, user.encode("utf-8", "surrogatepass"), password.encode("utf-8", "surrogatepass")
            )
        except TooManyTries:
            raise Refusal(Trouble.BUSY, "too many passwords were tried; try again in a moment") from None
        except LoginFailed:
            raise Refusal(Trouble.DENIED, "wrong name or password") from None
