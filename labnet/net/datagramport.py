"""
A port for datagrams that answers at once.
"""

from __future__ import annotations

from typing import cast

from twisted.internet import udp
from twisted.internet.interfaces import IListeningPort
from twisted.internet.posixbase import PosixReactorBase
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from labnet.net.exchange import DatagramReactor

__all__ = ["AnsweringPort", "listenDatagrams"]

_LONGEST_DATAGRAM = 65_536


class AnsweringPort(udp.Port):
    """
    As Twisted's own, but what answers the datagram at hand goes straight to where that came from.

    Twisted looks four times at the text of each address it sends to, whether it is one. What the kernel
    has just named is one.
    """

    log = Logger()
    _asking: tuple[str, int] | None = None

    def doRead(self) -> None:
        read = 0
        while read < self.maxThroughput:
            try:
                datagram, address = self.socket.recvfrom(self.maxPacketSize)
            except OSError:
                # Nothing is left, or an earlier datagram could not be delivered: nobody waits for either.
                return
            read += len(datagram)
            # Of an IPv6 address only these two are Twisted's.
            self._asking = address = address[:2]
            try:
                self.protocol.datagramReceived(datagram, address)
            except Exception:
                self.log.failure("a bug in a datagram protocol")
            self._asking = None

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        if addr is not None and addr is self._asking:
            try:
                self.socket.sendto(datagram, addr)
                return
            except OSError:
                pass  # The usual way meets it again, and says what it is.
        super().write(datagram, addr)


def listenDatagrams(
    reactor: DatagramReactor, port: int, protocol: DatagramProtocol, interface: str
) -> IListeningPort:
    """
    Listen for datagrams, with an L{AnsweringPort} where the reactor has descriptors.

    @param port: 0 lets the system choose.
    @param interface: an address; empty for all of IPv4.
    @raise CannotListenError: when it can not listen there.
    """
    if not isinstance(reactor, PosixReactorBase):
        return reactor.listenUDP(port, protocol, interface=interface, maxPacketSize=_LONGEST_DATAGRAM)
    listening = AnsweringPort(port, protocol, interface, _LONGEST_DATAGRAM, reactor)  # type: ignore[no-untyped-call]
    listening.startListening()  # type: ignore[no-untyped-call]
    return cast(IListeningPort, listening)
