"""
The echo servers, over TCP and UDP.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import ClassVar

from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger

from labnet.echo.dampening import Dampening, Patience
from labnet.echo.wire import Echo, Pieces, Style, datagramAnswer
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.limits import DatagramLimits, Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.logs import counted
from labnet.net.sockets import SocketOptions

__all__ = ["EchoDatagramProtocol", "EchoFactory", "EchoProtocol"]


class EchoProtocol(LingeringConnection):
    """
    One client, whose messages come back. One that does not read is not read from.

    @param echo: what is said to this stream.
    """

    def __init__(self, echo: Echo) -> None:
        super().__init__()
        self._echo = echo
        self.replies = 0

    def received(self, data: bytes) -> None:
        echo = self._echo
        replies = echo.feed(data)
        for reply in replies:
            self.replies += 1
            self.write(reply)
        if echo.pending and replies:
            self.touch()
        if echo.over:
            self.endWith(b"", "answered")
        elif echo.problem:
            self.endWith(b"", echo.problem)

    def inputEnded(self) -> None:
        if not self.lingering:
            for reply in self._echo.end():
                self.replies += 1
                self.write(reply)
        self.close("closed in the middle of a message" if self._echo.pending else "closed by the peer")

    @property
    def busy(self) -> bool:
        return self._echo.pending

    def summary(self) -> str:
        return f"{counted(self.replies, 'reply', 'replies')}, {super().summary()}"


class EchoFactory(LingeringFactory):
    """
    An echo over a stream.

    @param clock: the reactor, or a C{Clock} in a test.
    @param echo: makes what is said to one stream: C{lambda: Pieces(Style.UPPER)}, C{lambda:
        Lines(Style.RAW)} or L{Frames<labnet.echo.wire.Frames>}; unset, pieces in the style C{prefix}.
    @param limits: how many connections, how long.
    @param sockets: the TCP options of each connection.
    """

    service: ClassVar[str] = "echo"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        echo: Callable[[], Echo] | None = None,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self.echo = echo or (lambda: Pieces(Style.PREFIX))

    def build(self) -> EchoProtocol:
        return EchoProtocol(self.echo())


class EchoDatagramProtocol(ServiceDatagramProtocol):
    """
    An echo over datagrams that no other program can be made to talk to for ever.

    @param clock: the reactor, or a C{Clock} in a test.
    @param style: what comes back.
    @param patience: how much of it before a port has to be silent.
    @param limits: how often, from how many.
    """

    service: ClassVar[str] = "echo"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        style: Style = Style.PREFIX,
        *,
        patience: Patience | None = None,
        limits: DatagramLimits | None = None,
    ) -> None:
        super().__init__(clock, limits=limits)
        self.style = style
        self._answer = datagramAnswer(style)
        self._dampening = Dampening(patience)

    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        answer = self._answer(datagram)
        if answer is None:
            self.drop("an answer of our own")
            return
        if self._dampening.counts:
            objection = self._dampening.objection(address, datagram, self.clock.seconds())
            if objection is not None:
                self.drop(objection)
                return
        self.reply(answer, address)
