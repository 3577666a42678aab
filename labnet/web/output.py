"""
Where the web client writes to: standard output, or a file.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IHalfCloseableProtocol, IPushProducer
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.files.saving import Saving
from labnet.net.connection import Transport
from labnet.net.console import legible
from labnet.proxy.wire import ResponseHead

__all__ = ["Destination", "Legible", "StandardOutput"]


@implementer(IHalfCloseableProtocol, IPushProducer)
class StandardOutput(Protocol):
    """
    The protocol on standard output: what is written waits here, and whoever sends it is held back, while
    nobody reads.
    """

    transport: Transport

    def __init__(self) -> None:
        self._flow: IPushProducer | None = None
        self._full = False
        self._gone = False
        self._closing = False
        self._over: Deferred[None] = Deferred()

    def attach(self, flow: IPushProducer) -> None:
        """From now on C{flow} is held back."""
        self._flow = flow
        if self._full:
            flow.pauseProducing()
        if self._gone:
            flow.stopProducing()

    def detach(self) -> None:
        """From now on nobody is held back."""
        self._flow = None

    def write(self, data: bytes) -> None:
        """
        Write it, when there is room for it. When nobody reads it any more it is lost: the flow is stopped
        then, and L{close} says why.
        """
        if not self._gone:
            self.transport.write(data)

    async def close(self) -> None:
        """
        Write what still waits.

        @raise BrokenPipeError: nobody reads it any more.
        """
        if self._gone:
            raise BrokenPipeError
        self._closing = True
        self.transport.unregisterProducer()
        self.transport.loseConnection()
        await self._over

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        # Standard input comes with it, and is nobody's business here.
        self.transport.pauseProducing()

    def readConnectionLost(self) -> None:
        """Standard input has ended."""

    def writeConnectionLost(self) -> None:
        """Nobody reads any more."""
        self.connectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self._gone:
            return
        self._gone = True
        if self._flow is not None:
            self._flow.stopProducing()
        if self._closing and reason.check(BrokenPipeError):
            self._over.errback(reason)
        else:
            self._over.callback(None)

    # IPushProducer: the transport asks us to pause when nobody reads.

    def pauseProducing(self) -> None:
        """Enough is waiting."""
        self._full = True
        if self._flow is not None:
            self._flow.pauseProducing()

    def resumeProducing(self) -> None:
        """There is room again."""
        self._full = False
        if self._flow is not None:
            self._flow.resumeProducing()

    def stopProducing(self) -> None:
        """Standard output is gone; L{connectionLost} follows."""


class Legible:
    """Makes a stream of bytes harmless for a terminal, piece by piece, and ends it with a newline."""

    #: A character in UTF-8 has at most so many bytes; a CR may belong to the LF that follows.
    _LONGEST = 4

    def __init__(self) -> None:
        self._rest = b""
        self._last = b"\n"

    def feed(self, data: bytes) -> bytes:
        """@return: what can be shown by now."""
        data = self._rest + data
        whole = len(data)
        for at in range(len(data) - 1, max(len(data) - self._LONGEST, -1), -1):
            if data[at] == 0x0D or data[at] >= 0xC0:
                whole = at if _open(data[at:]) else whole
                break
            if data[at] < 0x80:
                break
        self._rest = data[whole:]
        return self._shown(data[:whole])

    def end(self) -> bytes:
        """@return: what was still missing, and a newline if the last line has none."""
        return self._shown(self._rest) + (b"" if self._last == b"\n" else b"\n")

    def _shown(self, data: bytes) -> bytes:
        shown = legible(data).encode("utf-8", "backslashreplace")
        self._last = shown[-1:] or self._last
        return shown


def _open(end: bytes) -> bool:
    """Whether more must come before it is known what these last bytes are."""
    if end == b"\r":
        return True
    length = 2 if end[0] < 0xE0 else 3 if end[0] < 0xF0 else 4
    return end[0] >= 0xC0 and len(end) < length


class Destination:
    """
    The L{labnet.web.exchange.Sink} of the command: the body goes to a file, or to standard output, or
    nowhere.

    @param output: its user waits for it in any case.
    @param saving: the file.
    @param heads: write the head to standard output, as it came.
    @param bodies: write the body there, if there is no file.
    @param harmless: for a terminal.
    @param fail: nothing of an answer whose status says that it went wrong.
    @param reached: told how far it is, and how far it will go if that is known.
    """

    def __init__(
        self,
        output: StandardOutput,
        saving: Saving | None = None,
        *,
        heads: bool = False,
        bodies: bool = True,
        harmless: bool = False,
        fail: bool = False,
        reached: Callable[[int, int | None], object] = lambda done, total: None,
    ) -> None:
        self._output = output
        self._saving = saving
        self._heads = heads
        self._bodies = bodies
        self._legible = Legible() if harmless else None
        self._fail = fail
        self._reached = reached
        self._failed = False
        self._size = 0
        self._length: int | None = None

    def attach(self, flow: IPushProducer) -> None:
        """Standard output holds it back."""
        self._output.attach(flow)

    def detach(self) -> None:
        """Nobody is to be held back."""
        self._output.detach()

    def began(self, head: ResponseHead, raw: bytes, length: int | None) -> None:
        """The head of the answer is there."""
        self._failed = self._fail and head.status >= 400
        self._length = length
        if self._heads and not self._failed:
            self._say(raw)

    def write(self, content: bytes) -> None:
        """A piece of its body."""
        if self._failed:
            return
        if self._saving is not None:
            self._saving.write(content)
        elif self._bodies:
            self._say(content)
        self._size += len(content)
        self._reached(self._size, self._length)

    def end(self) -> None:
        """There is no more."""
        if self._legible is not None:
            self._output.write(self._legible.end())

    def _say(self, data: bytes) -> None:
        self._output.write(self._legible.feed(data) if self._legible is not None else data)
