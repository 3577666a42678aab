"""
The hello web server.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.internet.interfaces import IDelayedCall
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.net.connection import ServiceConnection
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.proxy.wire import BadMessage, HeadReader, parseRequestHead
from labnet.web.wire import LONGEST_HEAD, Answer, answerTo, refusal

__all__ = ["WebFactory", "WebProtocol"]


class WebProtocol(LingeringConnection):
    """
    Reads the head of one request, answers it, and ends the connection. Lines may end with a line feed
    alone: a program typed by hand is answered as well.
    """

    def __init__(self) -> None:
        super().__init__()
        self._reader = HeadReader(LONGEST_HEAD, lenient=True)
        self._answer: Answer | None = None
        self._next = 0
        self._call: IDelayedCall | None = None

    @property
    def busy(self) -> bool:
        return self._answer is None and len(self._reader) > 0

    def received(self, data: bytes) -> None:
        if self._answer is not None:
            return
        try:
            found = self._reader.feed(data)
            if found is not None:
                self._say(answerTo(parseRequestHead(found[0])))
        except BadMessage as problem:
            self._say(refusal(problem))

    def ended(self, reason: Failure) -> None:
        if self._call is not None and self._call.active():
            self._call.cancel()

    def inputEnded(self) -> None:
        """A client that ends its half after its request still gets the whole answer."""
        if self._answer is None or self.lingering:
            super().inputEnded()

    def _say(self, answer: Answer) -> None:
        self._answer = answer
        self._sayNext()

    def _sayNext(self) -> None:
        """Write the next piece, unless the peer does not read: then it waits for its turn."""
        self._call = None
        answer = self._answer
        assert answer is not None
        if self._closing:
            return
        if self._next == len(answer.pieces) - 1:
            self.endWith(answer.pieces[-1], f"answered {answer.name}")
            return
        if not self.held("output"):
            self.write(answer.pieces[self._next])
            self._next += 1
            self.touch()
        self._call = self.factory.clock.callLater(answer.pause, self._guarded, self._sayNext)


class WebFactory(LingeringFactory):
    """
    Says hello to browsers.

    @param clock: the reactor, or a C{Clock} in a test.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "web"
    log = Logger()
    connectionClass: ClassVar[type[ServiceConnection]] = WebProtocol
