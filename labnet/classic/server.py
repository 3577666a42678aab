"""
The servers of the small services, over TCP.

Twisted has these protocols in L{twisted.protocols.wire}, but without limits, and two of them as they
were: its C{Daytime} fails on text, its C{Time} counts from 1970 and not from 1900 as RFC 868 says. Nor
is there any of them over UDP here: an answer that is longer than its question, from whatever address
the question claims to come, is what chargen and qotd are known for.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from itertools import cycle
from typing import ClassVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.classic.wire import NOISE, QUOTES, daytime, timeSince1900
from labnet.net.connection import ServiceConnection, ServiceFactory
from labnet.net.limits import Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.sockets import SocketOptions

__all__ = [
    "CHARGEN_PAUSE",
    "ChargenFactory",
    "ChargenProtocol",
    "DiscardFactory",
    "DiscardProtocol",
    "WordFactory",
    "WordProtocol",
    "daytimeFactory",
    "qotdFactory",
    "timeFactory",
]

#: Seconds between two blocks of noise, 7,030 bytes each: some 700 kB a second at most.
CHARGEN_PAUSE = 0.01


class DiscardProtocol(ServiceConnection):
    """Reads, and forgets (RFC 863)."""

    def inputEnded(self) -> None:
        self.close("closed by the peer")


class DiscardFactory(ServiceFactory):
    """Reads everything and answers nothing. Its parameters are L{ServiceFactory}'s."""

    service: ClassVar[str] = "discard"
    log = Logger()
    connectionClass: ClassVar[type[ServiceConnection]] = DiscardProtocol


class ChargenProtocol(ServiceConnection):
    """
    Sends noise until the peer closes (RFC 864), a block at a time and never more than the peer reads.
    """

    def __init__(self) -> None:
        super().__init__()
        self._next: IDelayedCall | None = None
        self._full = False

    def started(self) -> None:
        self._noise()

    def inputEnded(self) -> None:
        self._pause()
        self.close("closed by the peer")

    def outputFull(self) -> None:
        self._full = True
        self._pause()

    def outputDrained(self) -> None:
        self._full = False
        self._schedule()

    def ended(self, reason: Failure) -> None:
        self._pause()

    def settle(self) -> None:
        self._pause()
        super().settle()

    def _noise(self) -> None:
        self._next = None
        self.write(NOISE)
        self.touch()
        if not self._full:
            self._schedule()

    def _schedule(self) -> None:
        if self._next is None:
            self._next = self.factory.clock.callLater(CHARGEN_PAUSE, self._noise)

    def _pause(self) -> None:
        following, self._next = self._next, None
        if following is not None:
            following.cancel()


class ChargenFactory(ServiceFactory):
    """Sends noise. Its parameters are L{ServiceFactory}'s."""

    service: ClassVar[str] = "chargen"
    log = Logger()
    connectionClass: ClassVar[type[ServiceConnection]] = ChargenProtocol


class WordProtocol(LingeringConnection):
    """
    Says one thing to whoever connects, then closes.

    @param word: what.
    """

    def __init__(self, word: bytes) -> None:
        super().__init__()
        self._word = word

    def started(self) -> None:
        self.endWith(self._word, "told")


class WordFactory(LingeringFactory):
    """
    Says one thing to whoever connects.

    @param service: what it is called in the log.
    @param clock: the reactor, or a C{Clock} in a test.
    @param word: gives what is said, anew for each connection.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    log = Logger()

    def __init__(
        self,
        service: str,
        clock: IReactorTime,
        word: Callable[[], bytes],
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        self.service = service  # type: ignore[misc]
        super().__init__(clock, limits=limits, sockets=sockets)
        self.word = word

    def build(self) -> WordProtocol:
        return WordProtocol(self.word())


def daytimeFactory(
    clock: IReactorTime,
    *,
    limits: Limits | None = None,
    sockets: SocketOptions | None = None,
    now: Callable[[], float] = time.time,
) -> WordFactory:
    """Tells date and time as a line (RFC 867). C{now} gives seconds since 1970."""
    return WordFactory("daytime", clock, lambda: daytime(now()), limits=limits, sockets=sockets)


def timeFactory(
    clock: IReactorTime,
    *,
    limits: Limits | None = None,
    sockets: SocketOptions | None = None,
    now: Callable[[], float] = time.time,
) -> WordFactory:
    """Tells the seconds since 1900 in four bytes (RFC 868). C{now} gives seconds since 1970."""
    return WordFactory("time", clock, lambda: timeSince1900(now()), limits=limits, sockets=sockets)


def qotdFactory(
    clock: IReactorTime,
    *,
    limits: Limits | None = None,
    sockets: SocketOptions | None = None,
    quotes: tuple[str, ...] = QUOTES,
) -> WordFactory:
    """Tells one of some sentences (RFC 865), the next one to each."""
    turn = cycle(quotes)
    return WordFactory("qotd", clock, lambda: f"{next(turn)}\r\n".encode(), limits=limits, sockets=sockets)
