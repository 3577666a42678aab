"""
The ways out: which address of an origin is connected to, by which rules, and through which proxy.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from errno import EMFILE, ENFILE
from ipaddress import ip_address
from typing import Any, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.defer import Deferred
from twisted.internet.endpoints import HostnameEndpoint, TCP4ClientEndpoint, TCP6ClientEndpoint
from twisted.internet.error import TimeoutError
from twisted.internet.interfaces import (
    IAddress,
    IHostnameResolver,
    IProtocol,
    IProtocolFactory,
    IReactorPluggableNameResolver,
    IResolutionReceiver,
    IStreamClientEndpoint,
)
from twisted.python.failure import Failure
from zope.interface import directlyProvides, implementer, providedBy

from labnet.net.endpoints import withoutMapping
from labnet.net.outcome import ExitStatus, explain
from labnet.net.secure import Trust, VerifiedClientEndpoint
from labnet.net.sockets import isOwnAddress
from labnet.proxy.lookups import LookUps
from labnet.proxy.networks import Destinations
from labnet.proxy.target import Origin
from labnet.proxy.upstream import TunnelEndpoint, Upstream, Upstreams
from labnet.proxy.wire import BadMessage

__all__ = ["CheckedEndpoint", "Outbound", "itself", "unreachable"]


def unreachable(origin: Origin, failure: Failure) -> BadMessage:
    """What a client is answered whose origin could not be reached."""
    if isinstance(failure.value, BadMessage):
        return failure.value
    if getattr(failure.value, "osError", None) in (EMFILE, ENFILE):
        return BadMessage(f"{origin}: no descriptors are left here", 503)
    sentence, kind = explain(failure)
    # A time limit is one, whether it was for TCP or for the TLS on top of it.
    return BadMessage(f"{origin}: {sentence}", 504 if kind is ExitStatus.TIMED_OUT else 502)


def itself(listening: Callable[[], Iterable[IAddress]]) -> Callable[[str, int], bool]:
    """
    Whether an address and a port are where we listen, for L{Destinations}.

    @param listening: gives our own addresses.
    """

    def check(address: str, port: int) -> bool:
        asked = ip_address(withoutMapping(address))
        for place in listening():
            if not isinstance(place, (IPv4Address, IPv6Address)) or place.port != port:
                continue
            own = ip_address(withoutMapping(place.host))
            # To connect to no address is to connect to this machine.
            if asked == own or asked.is_unspecified or (own.is_unspecified and isOwnAddress(str(asked))):
                return True
        return False

    return check


@implementer(IHostnameResolver)
class _Known:
    """A resolver for which every name has the addresses it was given."""

    def __init__(self, addresses: Iterable[str]) -> None:
        self._addresses = tuple(addresses)

    def resolveHostName(
        self, resolutionReceiver: IResolutionReceiver, hostName: str, portNumber: int = 0, *rest: object
    ) -> Any:
        """Give them."""
        resolutionReceiver.resolutionBegan(self)  # type: ignore[arg-type]
        for address in self._addresses:
            kind = IPv4Address if isIPAddress(address) else IPv6Address
            resolutionReceiver.addressResolved(kind("TCP", address, portNumber))
        resolutionReceiver.resolutionComplete()
        return self


class _Resolved:
    """A reactor that connects to the given addresses, whatever the name."""

    def __init__(self, reactor: Any, addresses: Iterable[str]) -> None:
        self.nameResolver = _Known(addresses)
        self._reactor = reactor
        directlyProvides(self, providedBy(reactor), IReactorPluggableNameResolver)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reactor, name)


@implementer(IStreamClientEndpoint)
class CheckedEndpoint:
    """
    Connects to a host: looks it up once, checks every address it has, and tries those that may be tried,
    one shortly after the other (RFC 8305).

    @param reactor: connects.
    @param lookUps: gives the addresses.
    @param destinations: the rules; L{None} for none.
    @param timeout: seconds for all of it.
    """

    def __init__(
        self,
        reactor: Any,
        lookUps: LookUps,
        destinations: Destinations | None,
        origin: Origin,
        timeout: float,
    ) -> None:
        self._reactor = reactor
        self._lookUps = lookUps
        self._destinations = destinations
        self._origin = origin
        self._timeout = timeout

    def connect(self, protocolFactory: IProtocolFactory) -> Deferred[IProtocol]:
        """
        Connect.

        @return: fails with L{BadMessage} if no address may be connected to.
        """
        made = Deferred.fromCoroutine(self._connect(protocolFactory))
        return made.addTimeout(self._timeout, self._reactor, _timedOut)

    async def _connect(self, factory: IProtocolFactory) -> IProtocol:
        host, port = self._origin.host, self._origin.port
        literal = isIPAddress(host) or isIPv6Address(host)
        addresses = (host,) if literal else await self._lookUps.addresses(host)
        allowed = self._allowed(addresses)
        endpoint: IStreamClientEndpoint
        if len(allowed) > 1:
            endpoint = HostnameEndpoint(_Resolved(self._reactor, allowed), host, port, self._timeout)
        elif isIPAddress(allowed[0]):
            endpoint = TCP4ClientEndpoint(self._reactor, allowed[0], port, self._timeout)
        else:
            endpoint = TCP6ClientEndpoint(self._reactor, allowed[0], port, self._timeout)
        return await endpoint.connect(factory)

    def _allowed(self, addresses: tuple[str, ...]) -> tuple[str, ...]:
        if self._destinations is None:
            return addresses
        host, port = self._origin.host, self._origin.port
        allowed: list[str] = []
        why = ""
        for address in addresses:
            refused = self._destinations.refusal(host, address, port)
            why = why or refused
            if not refused:
                allowed.append(address)
        if not allowed:
            raise BadMessage(f"{self._origin}: {why}", 403)
        return tuple(allowed)


def _timedOut(result: object, timeout: float) -> IProtocol:
    raise TimeoutError(string=f"not connected in {timeout:g} s")


class Outbound:
    """
    The ways to origins. Called with one it gives the endpoint; called with an L{Upstream}, the way to that.
    What is to go through an upstream, and is not spoken to by it, goes through its tunnel.

    @param reactor: connects.
    @param lookUps: gives the addresses of names.
    @param destinations: where it may go.
    @ivar upstreams: which origins are reached through which proxy.
    @param timeout: seconds that connecting may take.
    @param trust: by whom origins that are to be secure are proved; needed for those.
    @param handshake: seconds that the proof may take.
    """

    def __init__(
        self,
        reactor: Any,
        lookUps: LookUps,
        destinations: Destinations,
        upstreams: Upstreams,
        *,
        timeout: float,
        trust: Trust | None = None,
        handshake: float = 10.0,
    ) -> None:
        self._reactor = reactor
        self._lookUps = lookUps
        self._destinations = destinations
        self.upstreams = upstreams
        self._timeout = timeout
        self._trust = trust
        self._handshake = handshake

    def __call__(self, origin: Origin) -> IStreamClientEndpoint:
        """The endpoint of an origin; one that is to be secure is connected when it has proved who it is."""
        way = self._plain(origin)
        if not origin.secure:
            return way
        assert self._trust is not None
        streams = self._trust.streams(origin.host)
        return VerifiedClientEndpoint(self._reactor, streams, way, self._handshake)

    def _plain(self, origin: Origin) -> IStreamClientEndpoint:
        if isinstance(origin, Upstream):
            # Whoever runs the proxy has named it.
            return self._direct(origin, None)
        upstream = self.upstreams.of(origin.host)
        if upstream is None:
            return self._direct(origin, self._destinations)
        self.upstreams.check(origin)
        way = self._direct(upstream, None)
        return TunnelEndpoint(self._reactor, way, upstream, origin, self._timeout)

    def _direct(self, origin: Origin, rules: Destinations | None) -> IStreamClientEndpoint:
        endpoint = CheckedEndpoint(self._reactor, self._lookUps, rules, origin, self._timeout)
        return cast(IStreamClientEndpoint, endpoint)
