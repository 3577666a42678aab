"""
What one client's connection tells the journal.
"""

from __future__ import annotations

from collections.abc import Callable
from time import time
from typing import TYPE_CHECKING
from typing import Protocol as Interface
from weakref import proxy

from twisted.internet.interfaces import IReactorTime

from labnet.proxy.inspection import Finding
from labnet.proxy.journal import Decision, Journal, Record, safeURL
from labnet.proxy.target import Origin
from labnet.proxy.wire import RequestHead, ResponseHead

if TYPE_CHECKING:
    from labnet.proxy.exchange import Exchange

__all__ = ["Account"]


class _Connection(Interface):
    """The client's connection: who it is, and how much went through it."""

    connectionId: int
    peer: str
    host: str
    bytesIn: int
    bytesOut: int


class Account:
    """
    Keeps, for one client's connection, what a L{Record} needs and an exchange does not know. There is one
    request at a time: L{begin} it, then tell with one of the others how it ended.

    @param connection: the client's.
    @param journal: who hears of it.
    @param clock: the reactor, or a C{Clock} in a test.
    @ivar user: who the client has proved to be.
    @ivar noted: whether there was more to tell than that something was looked at and passed on.
    @ivar isFull: whether the journal wants to hear of what was looked at and passed on, too.
    """

    def __init__(self, connection: _Connection, journal: Journal, clock: IReactorTime) -> None:
        self.user = ""
        self.noted = False
        # Of the two only the connection holds the other: what is over waits for no collector.
        self._connection: _Connection = proxy(connection)
        self._journal = journal
        self.isFull = not getattr(journal, "onlyDecisions", False)
        self._clock = clock
        self._head: RequestHead | None = None
        self._url = b""
        self._since = 0.0
        self._takenBefore = 0
        self._sentBefore = 0
        self._tunnel: Callable[[], None] | None = None

    def begin(self, head: RequestHead, url: bytes, early: int, since: float | None = None) -> None:
        """
        A request's head is there.

        @param url: its target, or what that means inside of a tunnel.
        @param early: bytes that have come behind the head.
        @param since: when it began, if that was not now.
        """
        self._head = head
        self._url = safeURL(url)
        self._since = self._clock.seconds() if since is None else since
        self._takenBefore = self._connection.bytesIn - early - len(head.raw)
        self._sentBefore = self._connection.bytesOut

    def exchanged(self, exchange: Exchange, content: int) -> None:
        """
        An exchange is over.

        @param content: bytes of the request's body.
        """
        inspectors = exchange.inspectors
        self._tell(
            exchange.status,
            exchange.decision,
            exchange.note,
            len(exchange.head.raw) + content,
            exchange.response,
            exchange.route.origin,
            exchange.finding,
            exchange.connectTime,
            exchange.firstByteTime,
            sum([inspector.seconds for inspector in inspectors]) if inspectors else None,
            exchange.reused,
        )

    def passed(
        self, response: ResponseHead, origin: Origin, firstByte: float, inspection: float, size: int
    ) -> None:
        """An exchange on the fast path is over. C{size}: bytes of the request."""
        self._tell(
            response.status,
            Decision.PASSED,
            "",
            size,
            response,
            origin,
            firstByte=firstByte,
            inspection=inspection,
            reused=True,
        )

    def answered(self, status: int, decision: Decision, why: str, origin: Origin | None = None) -> None:
        """A request was answered without an exchange; with a status of 0 it was not answered."""
        size = 0 if self._head is None else len(self._head.raw)
        self._tell(status, decision, why, size, origin=origin)

    def opened(self, status: int, why: str, origin: Origin, connect: float | None = None) -> None:
        """
        A tunnel begins that is not looked into. Its record comes with L{closed}.

        @param connect: seconds that it took to reach the origin.
        """

        def closed() -> None:
            taken = self._connection.bytesIn - self._takenBefore
            self._tell(status, Decision.NOT_INSPECTED, why, taken, origin=origin, connect=connect)

        self._tunnel = closed

    def closed(self) -> None:
        """The connection has ended, and a tunnel with it if there was one."""
        tunnel, self._tunnel = self._tunnel, None
        if tunnel is not None:
            tunnel()

    @property
    def elapsed(self) -> float:
        """Seconds since the request began."""
        return self._clock.seconds() - self._since

    def _tell(
        self,
        status: int,
        decision: Decision,
        why: str,
        bytesIn: int,
        response: ResponseHead | None = None,
        origin: Origin | None = None,
        finding: Finding | None = None,
        connect: float | None = None,
        firstByte: float | None = None,
        inspection: float | None = None,
        reused: bool = False,
    ) -> None:
        connection, head, url = self._connection, self._head, self._url
        seconds = 0.0 if head is None else self._clock.seconds() - self._since
        sent = connection.bytesOut - self._sentBefore
        self._head, self._url = None, b""
        self._sentBefore = connection.bytesOut
        if why or not status:
            self.noted = True
        elif not self.isFull:
            return
        self._journal.ended(
            Record(
                connection.connectionId,
                connection.peer,
                connection.host,
                self.user,
                time() - seconds,
                head,
                url,
                response,
                origin,
                status,
                bytesIn,
                sent,
                decision,
                why,
                finding,
                connect,
                firstByte,
                inspection,
                seconds,
                reused,
            )
        )
