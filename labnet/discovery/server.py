"""
The address server.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger

from labnet.discovery.registry import Full, Lease, Registry, isLoopback, isSameHost
from labnet.discovery.wire import (
    Address,
    AskBinary,
    AskText,
    ListNames,
    Lookup,
    Malformed,
    Register,
    Renew,
    Request,
    Unregister,
    decodeRequest,
    encodeBinary,
    encodeGranted,
    encodeNames,
    encodeNothing,
    encodeRefusal,
    encodeText,
    fitsBinary,
    fitsText,
    room,
)
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.limits import DatagramLimits, RateLimit
from labnet.net.logs import Tally

__all__ = ["COURSE_ADDRESS", "DiscoveryProtocol", "Policy"]

#: What the course's address servers answer.
COURSE_ADDRESS = Address("localhost", 9000)

#: Seconds between sweeps for leases that have ended.
_SWEEP = 1.0
# Lines a second about addresses that come and go; what is beyond it is counted.
_LINES = DatagramLimits(perSource=0, total=20)


@dataclass(frozen=True, slots=True)
class Policy:
    """
    What an address server says, and whom it believes.

    @ivar answering: the name whose addresses answer C{Hello server} and C{GET}, in turn.
    @ivar fallback: the address that answers them when none is registered; L{None} for no answer.
    @ivar acceptForeign: whether others than its owner may register, renew and take away an address.
    """

    answering: str = "calculator"
    fallback: Address | None = COURSE_ADDRESS
    acceptForeign: bool = False


class DiscoveryProtocol(ServiceDatagramProtocol):
    """
    The address server. What is no request gets no answer, and is counted.

    @param clock: the reactor, or a C{Clock} in a test.
    @param policy: what it says, and whom it believes.
    @param registry: what is registered; several listeners may share one.
    @param limits: how often, from how many.
    """

    service: ClassVar[str] = "discovery"
    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        policy: Policy | None = None,
        *,
        registry: Registry | None = None,
        limits: DatagramLimits | None = None,
    ) -> None:
        super().__init__(clock, limits=limits)
        self.policy = policy or Policy()
        self.registry = registry if registry is not None else Registry()
        self._sweep: IDelayedCall | None = None
        self._lines = RateLimit(_LINES)
        self._unlogged = Tally(self.log, "changes not logged one by one", clock)

    def stopProtocol(self) -> None:
        super().stopProtocol()
        self._unlogged.flush()
        sweep, self._sweep = self._sweep, None
        if sweep is not None and sweep.active():
            sweep.cancel()

    def requestReceived(self, datagram: bytes, address: tuple[str, int]) -> None:
        request = decodeRequest(datagram)
        if request is None:
            self.drop("no request")
            return
        reply = self._answer(request, address[0], room(datagram))
        if reply is None:
            self.drop("nothing to tell")
        else:
            self.reply(reply, address)

    def _answer(self, request: Request | Malformed, source: str, longest: int) -> bytes | None:
        now = self.clock.seconds()
        match request:
            case AskText():
                address = self._whereIs(source, now, binary=False)
                return encodeText(address) if address is not None else None
            case AskBinary():
                address = self._whereIs(source, now, binary=True)
                return encodeBinary(address) if address is not None else None
            case Lookup(name):
                found = self.registry.lookup(name, now, lambda address: _reaches(address, source))
                return encodeText(found) if found is not None else encodeNothing()
            case ListNames():
                return encodeNames(self.registry.names(now), longest)
            case Malformed(why):
                return encodeRefusal(why)
        return self._change(request, source, now)

    def _whereIs(self, source: str, now: float, binary: bool) -> Address | None:
        """What answers the course's questions: a registered address that fits, or the fallback."""
        fits = fitsBinary if binary else fitsText
        found = self.registry.lookup(
            self.policy.answering, now, lambda address: fits(address) and _reaches(address, source)
        )
        fallback = self.policy.fallback
        return found or (fallback if fallback is not None and fits(fallback) else None)

    def _change(self, request: Register | Renew | Unregister, source: str, now: float) -> bytes:
        if not self._believes(source, request.address):
            return encodeRefusal("not your address")
        lease: Lease | None
        match request:
            case Register(name, address, ttl):
                try:
                    lease, new = self.registry.register(name, address, ttl, source, now)
                except Full as error:
                    return encodeRefusal(str(error))
                if new:
                    self._tell("{name}: {address} joined for {ttl} s", lease)
                    self._watch()
                return encodeGranted(lease.ttl)
            case Renew(name, address):
                lease = self.registry.renew(name, address, now)
                return encodeGranted(lease.ttl) if lease is not None else encodeNothing()
            case Unregister(name, address):
                lease = self.registry.unregister(name, address)
                if lease is not None:
                    self._tell("{name}: {address} left", lease)
                # The same answer when it is asked again because the first one was lost.
                return encodeGranted(0)

    def _believes(self, source: str, address: Address) -> bool:
        if isLoopback(address.host) and not isLoopback(source):
            # It would send everybody to a service of this machine.
            return False
        return self.policy.acceptForeign or isSameHost(address.host, source)

    def _watch(self) -> None:
        """One sweep for all leases, for as long as there are any."""
        if self._sweep is None and len(self.registry):
            self._sweep = self.clock.callLater(_SWEEP, self._sweepNow)

    def _sweepNow(self) -> None:
        self._sweep = None
        for lease in self.registry.expire(self.clock.seconds()):
            self._tell("{name}: {address} lapsed", lease)
        self._watch()

    def _tell(self, text: str, lease: Lease) -> None:
        if self._lines.admits("", self.clock.seconds()):
            self.log.info(text, name=lease.name, address=str(lease.address), ttl=lease.ttl)
        else:
            self._unlogged.add("addresses that came and went")


def _reaches(address: Address, source: str) -> bool:
    """Whether an address says anything to whoever asks: a loopback address only means this machine."""
    return isLoopback(source) or not isLoopback(address.host)
