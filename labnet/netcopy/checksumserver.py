"""
The checksum server.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.limits import Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.logs import counted
from labnet.net.sockets import SocketOptions
from labnet.netcopy.registry import Checksums
from labnet.netcopy.wire import STORED, Lookup, Request, RequestReader

__all__ = ["QUIET", "ChecksumFactory", "ChecksumProtocol"]

#: Seconds without a byte after which a C{KI} is taken to be whole.
QUIET = 0.02


class ChecksumProtocol(LingeringConnection):
    """One client; its requests are answered in their order, each in one write."""

    factory: ChecksumFactory

    def __init__(self) -> None:
        super().__init__()
        self._reader = RequestReader()
        self._quiet: IDelayedCall | None = None
        self.answered = 0

    def received(self, data: bytes) -> None:
        self._stopQuiet()
        self._answer(self._reader.feed(data))
        if self._reader.endsWhenQuiet and not self.lingering:
            self._quiet = self.factory.clock.callLater(QUIET, self._isQuiet)

    def _isQuiet(self) -> None:
        self._quiet = None
        self._answer(self._reader.quiet())
        self.progressed()

    def inputEnded(self) -> None:
        self._stopQuiet()
        self._answer(self._reader.quiet())
        self.close("the stream ended in the middle of a request" if self._reader.pending else "")

    def ended(self, reason: Failure) -> None:
        self._stopQuiet()

    def _answer(self, requests: list[Request]) -> None:
        for request in requests:
            answer = self.factory.answer(request)
            if answer is None:
                self.endWith(b"", "no room for another checksum")
                return
            self.answered += 1
            self.write(answer)
            self.touch()
        if self._reader.broken is not None:
            self.endWith(b"", f"not understood: {self._reader.broken}")

    def _stopQuiet(self) -> None:
        quiet, self._quiet = self._quiet, None
        if quiet is not None:
            quiet.cancel()

    @property
    def busy(self) -> bool:
        return self._reader.pending

    def summary(self) -> str:
        return f"{counted(self.answered, 'request')} answered"


class ChecksumFactory(LingeringFactory):
    """
    Keeps checksums for whoever asks.

    @param clock: the reactor, or a C{Clock} in a test.
    @param checksums: what is kept; several listeners may have one.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "checksum"
    log = Logger()
    connectionClass = ChecksumProtocol

    def __init__(
        self,
        clock: IReactorTime,
        checksums: Checksums | None = None,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.checksums = checksums if checksums is not None else Checksums()

    def answer(self, request: Request) -> bytes | None:
        """What is answered, or L{None} when a checksum can not be kept."""
        now = self.clock.seconds()
        if isinstance(request, Lookup):
            return self.checksums.answer(request.identifier, now)
        return STORED if self.checksums.keep(request, now) else None
