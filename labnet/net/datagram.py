"""
The base of every datagram service: nobody can make it answer too often, too far, or itself.

What keeps two UDP services from feeding each other for ever, and one from being used against a third
party, stands here once; see C{docs/protocols/datagrams.md}.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from ipaddress import ip_address
from typing import ClassVar
from weakref import WeakSet

from twisted.internet.error import MessageLengthError
from twisted.internet.interfaces import IReactorTime, IUDPTransport
from twisted.internet.protocol import DatagramProtocol
from twisted.logger import Logger

from labnet.net.endpoints import withoutMapping
from labnet.net.limits import DatagramLimits, RateLimit
from labnet.net.logs import Tally, shown
from labnet.net.metrics import Family

__all__ = ["ServiceDatagramProtocol"]

_WILDCARDS = ("", "0.0.0.0", "::")

# Every service of this process that listens for datagrams, by its port: none of them answers another.
_listening: dict[int, WeakSet[ServiceDatagramProtocol]] = {}


class ServiceDatagramProtocol(DatagramProtocol):
    """
    A datagram service. A subclass answers in L{requestReceived}.

    No datagram is answered that comes from a port below 1024 (echo, chargen, DNS ...), from another
    datagram service of this process, from what is no single host (broadcast, multicast), or more often
    than L{DatagramLimits} allow; it is dropped and counted, and the log tells the counts every ten seconds.

    @param clock: the reactor, or a C{Clock} in a test.
    @param limits: how often, from how many.
    @ivar ownHost: the address it listens on, once it does.
    @ivar ownPort: the port it listens on, once it does; 0 before.
    @ivar received: how many datagrams have come.
    @ivar answered: how many answers were sent.
    @ivar bytesIn: in the datagrams that have come.
    @ivar bytesOut: in the answers.
    """

    noisy = False
    service: ClassVar[str] = "service"
    log = Logger()
    transport: IUDPTransport

    def __init__(self, clock: IReactorTime, *, limits: DatagramLimits | None = None) -> None:
        self.clock = clock
        self.limits = limits or DatagramLimits()
        self.ownHost = ""
        self.ownPort = 0
        self.received = self.answered = self.bytesIn = self.bytesOut = 0
        self.dropped = Tally(self.log, f"{self.service} datagrams dropped", clock)
        self._rate = RateLimit(self.limits)
        self._isRated = bool(self.limits.perSource or self.limits.total)

    # What a service says.

    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        """A datagram has come that may be answered."""

    def figures(self) -> Iterable[Family]:
        """Its own figures, beside those that every service has; counted since it was asked first."""
        return ()

    # What a service does.

    def reply(self, datagram: bytes, address: tuple[str, int]) -> None:
        """Send an answer. An address that can not be reached costs the datagram, nothing else."""
        try:
            self.transport.write(datagram, address)
        except (OSError, MessageLengthError):
            self.drop("not sendable")
        else:
            self.answered += 1
            self.bytesOut += len(datagram)

    def drop(self, reason: str) -> None:
        """Do not answer the datagram at hand. C{reason} is one of a small fixed set."""
        self.dropped.add(reason)

    # DatagramProtocol

    def startProtocol(self) -> None:
        where = self.transport.getHost()
        self.ownHost, self.ownPort = where.host, where.port
        _listening.setdefault(self.ownPort, WeakSet()).add(self)

    def stopProtocol(self) -> None:
        services = _listening.get(self.ownPort, WeakSet())
        services.discard(self)
        if not services:
            _listening.pop(self.ownPort, None)
        self.dropped.flush()

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.received += 1
        self.bytesIn += len(datagram)
        objection = self._objection(datagram, addr)
        if objection is not None:
            self.drop(objection)
            return
        try:
            self.requestReceived(datagram, addr)
        except Exception:
            self.log.failure(
                "a bug while answering {datagram} from {host}:{port}",
                datagram=shown(datagram),
                host=addr[0],
                port=addr[1],
            )

    def _objection(self, datagram: bytes, addr: tuple[str, int]) -> str | None:
        """Why nobody answers this datagram, whatever it says."""
        host, port = addr
        if len(datagram) > self.limits.maxSize:
            return "too long"
        if port < 1024:
            return "from a reserved port"
        if port in _listening and _isOurs(host, port):
            return "from one of our own services"
        if not _isOneHost(host):
            return "from no single host"
        if self._isRated and not self._rate.admits(withoutMapping(host), self.clock.seconds()):
            return "above the rate"
        return None


def _isOurs(host: str, port: int) -> bool:
    """Whether a datagram service of this process listens where a datagram claims to come from."""
    host = withoutMapping(host)
    return any(
        protocol.ownHost in _WILDCARDS
        or protocol.ownHost == host
        or (host.startswith("127.") and protocol.ownHost.startswith("127."))
        for protocol in _listening[port]
    )


@lru_cache(4096)
def _isOneHost(host: str) -> bool:
    """Whether an answer to C{host} goes to one machine, and not to a whole network."""
    try:
        address = ip_address(withoutMapping(host.partition("%")[0]))
    except ValueError:
        return False
    broadcast = str(address) in ("255.255.255.255", "127.255.255.255")
    return not (broadcast or address.is_multicast or address.is_unspecified)
