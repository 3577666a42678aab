"""
Connections whose first bytes say whose they are: the PROXY protocol, versions 1 and 2, as balancers speak
it (https://www.haproxy.org/download/3.0/doc/proxy-protocol.txt).

Twisted's own C{haproxy:} makes the service's protocol before it knows who the peer is; limits and logs that
look at the peer then see the balancer. Here the header is read first.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from ipaddress import AddressValueError, IPv4Address, IPv6Address
from typing import TYPE_CHECKING, Any, cast

from twisted.internet import address
from twisted.internet.defer import Deferred
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IHalfCloseableProtocol,
    IListeningPort,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    IStreamServerEndpoint,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.protocols.policies import ProtocolWrapper, WrappingFactory
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from labnet.net.logs import shown

if TYPE_CHECKING:
    from labnet.net.connection import Transport

__all__ = [
    "HEADER_TIME",
    "Announced",
    "AnnouncedConnection",
    "AnnouncedEndpoint",
    "BadHeader",
    "readHeader",
]

#: Seconds that the header may take.
HEADER_TIME = 10.0

_TEXT = b"PROXY "
_LONGEST_TEXT = 107
_BINARY = b"\r\n\r\n\x00\r\nQUIT\n"
_BINARY_HEAD = struct.Struct("!12sBBH")
#: Bytes behind the head: the addresses, and what a balancer may add about TLS.
_MOST_BINARY = 4_096

_LOCAL, _PROXY = 0x20, 0x21
_TCP4, _TCP6 = 0x11, 0x21
_ADDRESSES = {_TCP4: struct.Struct("!4s4sHH"), _TCP6: struct.Struct("!16s16sHH")}


class BadHeader(ValueError):
    """What came is no header; the text is one line."""


@dataclass(frozen=True, slots=True)
class Announced:
    """
    What a header says.

    @ivar source: who has connected; L{None}: the balancer itself, or it does not say.
    @ivar destination: where to; L{None} likewise.
    @ivar size: of the header, in bytes.
    """

    source: address.IPv4Address | address.IPv6Address | None
    destination: address.IPv4Address | address.IPv6Address | None
    size: int


def readHeader(data: bytes) -> Announced | None:
    """
    Read the header at the beginning of a stream.

    @return: L{None}: there is more to come.
    @raise BadHeader: it is none.
    """
    if data.startswith(_TEXT):
        return _readText(data)
    if data.startswith(_BINARY):
        return _readBinary(data)
    if _TEXT.startswith(data) or _BINARY.startswith(data):
        return None
    raise BadHeader("it does not begin with a PROXY header")


def _readText(data: bytes) -> Announced | None:
    end = data.find(b"\r\n", 0, _LONGEST_TEXT)
    if end < 0:
        if len(data) >= _LONGEST_TEXT:
            raise BadHeader("its PROXY header is too long")
        return None
    words = data[:end].split(b" ")
    size = end + 2
    if words[1:2] == [b"UNKNOWN"]:
        return Announced(None, None, size)
    kind: type[IPv4Address | IPv6Address] = IPv6Address if words[1:2] == [b"TCP6"] else IPv4Address
    if len(words) != 6 or words[1] not in (b"TCP4", b"TCP6"):
        raise BadHeader("its PROXY header is not of the form PROXY TCP4|TCP6 SOURCE DESTINATION PORT PORT")
    try:
        hosts = [str(kind(word.decode("ascii"))) for word in words[2:4]]
    except (AddressValueError, UnicodeDecodeError):
        raise BadHeader("its PROXY header has a bad address") from None
    ports = words[4:]
    if not all(port.isdigit() and len(port) <= 5 and int(port) <= 65535 for port in ports):
        raise BadHeader("its PROXY header has a bad port")
    return Announced(_address(hosts[0], int(ports[0])), _address(hosts[1], int(ports[1])), size)


def _readBinary(data: bytes) -> Announced | None:
    if len(data) < _BINARY_HEAD.size:
        return None
    _, command, family, length = _BINARY_HEAD.unpack_from(data)
    if command not in (_LOCAL, _PROXY):
        raise BadHeader("its PROXY header is of an unknown version or command")
    if length > _MOST_BINARY:
        raise BadHeader("its PROXY header is too long")
    size = _BINARY_HEAD.size + length
    if len(data) < size:
        return None
    layout = _ADDRESSES.get(family)
    if command == _LOCAL or layout is None:
        return Announced(None, None, size)
    if length < layout.size:
        raise BadHeader("its PROXY header is too short for its addresses")
    source, destination, sourcePort, destinationPort = layout.unpack_from(data, _BINARY_HEAD.size)
    kind = IPv4Address if family == _TCP4 else IPv6Address
    return Announced(
        _address(str(kind(source)), sourcePort), _address(str(kind(destination)), destinationPort), size
    )


def _address(host: str, port: int) -> address.IPv4Address | address.IPv6Address:
    kind = address.IPv6Address if ":" in host else address.IPv4Address
    return kind("TCP", host, port)


@implementer(IHalfCloseableProtocol)
class AnnouncedConnection(ProtocolWrapper):
    """
    The layer between a connection and the service's protocol, which is made when the header is there. To
    that it is a transport with the addresses of the header.
    """

    factory: AnnouncedFactory
    transport: Transport
    wrappedProtocol: IProtocol | None  # type: ignore[assignment]
    log = Logger()

    def __init__(self, factory: AnnouncedFactory) -> None:
        super().__init__(factory, None)  # type: ignore[arg-type]
        self._header = b""
        self._announced = Announced(None, None, 0)
        self._timer: IDelayedCall | None = None

    def makeConnection(self, transport: Any) -> None:
        directlyProvides(self, providedBy(transport))
        Protocol.makeConnection(self, transport)
        self.factory.registerProtocol(self)  # type: ignore[no-untyped-call]
        self._timer = self.factory.clock.callLater(HEADER_TIME, self._tooSlow)

    def dataReceived(self, data: bytes) -> None:
        if self.wrappedProtocol is not None:
            self.wrappedProtocol.dataReceived(data)
            return
        if self._timer is None:
            return
        self._header += data
        try:
            announced = readHeader(self._header)
        except BadHeader as problem:
            self._refuse(str(problem))
            return
        if announced is not None:
            rest, self._header = self._header[announced.size :], b""
            self._stopTimer()
            self._announced = announced
            self._begin(rest)

    def _begin(self, rest: bytes) -> None:
        protocol = self.factory.wrappedFactory.buildProtocol(self.getPeer())
        if protocol is None:
            self.transport.abortConnection()
            return
        self.wrappedProtocol = protocol
        protocol.makeConnection(self)
        if rest:
            protocol.dataReceived(rest)

    def readConnectionLost(self) -> None:
        """The peer's half has ended."""
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            cast(IHalfCloseableProtocol, self.wrappedProtocol).readConnectionLost()
        else:
            self.transport.loseConnection()

    def writeConnectionLost(self) -> None:
        """Our half has ended."""
        if IHalfCloseableProtocol.providedBy(self.wrappedProtocol):
            cast(IHalfCloseableProtocol, self.wrappedProtocol).writeConnectionLost()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._stopTimer()
        self.factory.unregisterProtocol(self)  # type: ignore[no-untyped-call]
        if self.wrappedProtocol is not None:
            self.wrappedProtocol.connectionLost(reason)

    # Who is there.

    def getPeer(self) -> IAddress:
        """Who has connected."""
        return self._announced.source or self.transport.getPeer()

    def getHost(self) -> IAddress:
        """Where to."""
        return self._announced.destination or self.transport.getHost()

    def _stopTimer(self) -> None:
        timer, self._timer = self._timer, None
        if timer is not None and timer.active():
            timer.cancel()

    def _tooSlow(self) -> None:
        self._refuse(f"its PROXY header was not complete within {HEADER_TIME:g} s")

    def _refuse(self, why: str) -> None:
        self._stopTimer()
        peer = getattr(self.transport.getPeer(), "host", "?")
        self.log.warn(
            "a connection from {peer} is closed: {why}, but with {begin}",
            peer=peer,
            why=why,
            begin=shown(self._header, 20),
        )
        self._header = b""
        self.transport.abortConnection()


class AnnouncedFactory(WrappingFactory):
    """Puts the layer around the protocols of a factory."""

    noisy = False

    def __init__(self, wrappedFactory: IProtocolFactory, clock: IReactorTime) -> None:
        super().__init__(wrappedFactory)  # type: ignore[no-untyped-call]
        self.clock = clock
        # For TLS below: what is spoken above the header.
        self.applicationProtocols = getattr(wrappedFactory, "applicationProtocols", ())

    def buildProtocol(self, addr: IAddress | None) -> AnnouncedConnection:
        return AnnouncedConnection(self)


@implementer(IStreamServerEndpoint)
class AnnouncedEndpoint:
    """
    Listens behind a balancer. Whoever can reach this place can claim to be anybody: it is for the balancer
    only.

    @param endpoint: where.
    @param clock: measures how long a header takes.
    """

    def __init__(self, endpoint: IStreamServerEndpoint, clock: IReactorTime) -> None:
        self._endpoint = endpoint
        self._clock = clock

    def listen(self, protocolFactory: IProtocolFactory) -> Deferred[IListeningPort]:
        """Listen."""
        factory = AnnouncedFactory(protocolFactory, self._clock)
        return self._endpoint.listen(factory)
