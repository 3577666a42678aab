"""
Who is registered, from when to when, and whose turn it is. Pure: the time is always given.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

from labnet.discovery.wire import LONGEST_TTL, Address

__all__ = ["Capacity", "Full", "Lease", "Registry", "isLoopback", "isSameHost", "sourceOf"]


class Full(Exception):
    """There is no room for one more address; its text is one short line for people."""


@dataclass(frozen=True, slots=True)
class Capacity:
    """
    How much is kept, whoever asks for more.

    @ivar names: different names.
    @ivar perName: addresses of one name.
    @ivar perSource: addresses registered by one source (see L{sourceOf}).
    """

    names: int = 1024
    perName: int = 32
    perSource: int = 64


@dataclass(frozen=True, slots=True)
class Lease:
    """
    An address under a name, for a time.

    @ivar ttl: seconds it was granted for.
    @ivar ends: when it ends.
    @ivar source: who registered it.
    """

    name: str
    address: Address
    ttl: int
    ends: float
    source: str


def isLoopback(host: str) -> bool:
    """Whether a host means this very machine: C{localhost}, 127.0.0.0/8, C{::1}."""
    address = _ip(host)
    return address.is_loopback if address is not None else host.lower().rstrip(".") == "localhost"


def isSameHost(host: str, source: str) -> bool:
    """
    Whether a datagram from C{source} may speak of C{host}: it is its own address. On this machine
    every loopback address is as good as the other.
    """
    if isLoopback(source):
        return isLoopback(host)
    address = _ip(host)
    return address is not None and address == _ip(source)


def sourceOf(host: str) -> str:
    """What counts as one source: this machine, an IPv4 address, or 64 bits of an IPv6 address."""
    if isLoopback(host):
        return "loopback"
    address = _ip(host)
    if isinstance(address, IPv6Address):
        return str(ip_network((int(address), 64), strict=False))
    return str(address) if address is not None else host


def _ip(host: str) -> IPv4Address | IPv6Address | None:
    """The IP address without a scope; IPv4 in IPv6 is IPv4."""
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return None
    if isinstance(address, IPv6Address) and address.ipv4_mapped is not None:
        return address.ipv4_mapped
    return address


class Registry:
    """
    The names, their addresses, and whose turn it is.

    Leases that have ended are never given out; L{expire}, called from time to time, forgets them.
    Memory is bounded by the capacity: C{names * perName} leases.

    @param capacity: how much is kept.
    """

    def __init__(self, capacity: Capacity | None = None) -> None:
        self.capacity = capacity or Capacity()
        # The address whose turn it is comes first.
        self._names: dict[str, OrderedDict[Address, Lease]] = {}
        self._perSource: dict[str, int] = {}
        self._count = 0

    def __len__(self) -> int:
        """How many leases there are, with those that have ended and are not yet forgotten."""
        return self._count

    def register(
        self, name: str, address: Address, ttl: int, source: str, now: float
    ) -> tuple[Lease, bool]:
        """
        Register an address, or register it anew.

        @param ttl: seconds, from 1; cut at 3600.
        @param source: who asks, as the host of an address.
        @return: the lease, and whether it is a new one.
        @raise Full: there is no room.
        """
        source = sourceOf(source)
        known = self._find(name, address)
        if known is None:
            self._makeSure(name, source)
        ttl = min(ttl, LONGEST_TTL)
        # One that is known stays with whoever registered it first: nobody else's share is used up.
        lease = Lease(name, address, ttl, now + ttl, known.source if known is not None else source)
        if known is None:
            self._count += 1
            self._perSource[source] = self._perSource.get(source, 0) + 1
        self._names.setdefault(name, OrderedDict())[address] = lease
        return lease, known is None

    def renew(self, name: str, address: Address, now: float) -> Lease | None:
        """Let a lease last as long again as it was granted for; L{None} when there is none."""
        known = self._find(name, address)
        if known is None or known.ends <= now:
            return None
        lease = Lease(name, address, known.ttl, now + known.ttl, known.source)
        self._names[name][address] = lease
        return lease

    def unregister(self, name: str, address: Address) -> Lease | None:
        """Take a lease away; L{None} when there is none."""
        lease = self._find(name, address)
        if lease is not None:
            self._forget(lease)
        return lease

    def lookup(
        self, name: str, now: float, suits: Callable[[Address], bool] = lambda address: True
    ) -> Address | None:
        """
        The address whose turn it is, of those that suit whoever asks; L{None} when there is none.
        """
        addresses = self._names.get(name) or OrderedDict()
        for address, lease in addresses.items():
            if lease.ends > now and suits(address):
                addresses.move_to_end(address)
                return address
        return None

    def names(self, now: float) -> Iterator[str]:
        """The names that have an address, in the order in which they came."""
        for name, addresses in self._names.items():
            if any(lease.ends > now for lease in addresses.values()):
                yield name

    def leases(self, now: float) -> Iterator[Lease]:
        """The leases that have not ended, by name in the order in which those came."""
        for addresses in self._names.values():
            yield from (lease for lease in addresses.values() if lease.ends > now)

    def expire(self, now: float) -> list[Lease]:
        """
        Forget the leases that have ended, and return them. Takes time in proportion to all leases:
        call it once a second, not once a datagram.
        """
        ended = [
            lease for addresses in self._names.values() for lease in addresses.values() if lease.ends <= now
        ]
        for lease in ended:
            self._forget(lease)
        return ended

    def _find(self, name: str, address: Address) -> Lease | None:
        addresses = self._names.get(name)
        return addresses.get(address) if addresses is not None else None

    def _makeSure(self, name: str, source: str) -> None:
        addresses = self._names.get(name)
        if addresses is None and len(self._names) >= self.capacity.names:
            raise Full("no room for more names")
        if addresses is not None and len(addresses) >= self.capacity.perName:
            raise Full("no room under this name")
        if self._perSource.get(source, 0) >= self.capacity.perSource:
            raise Full("too many from you")

    def _forget(self, lease: Lease) -> None:
        addresses = self._names[lease.name]
        del addresses[lease.address]
        if not addresses:
            del self._names[lease.name]
        self._count -= 1
        left = self._perSource[lease.source] - 1
        if left:
            self._perSource[lease.source] = left
        else:
            del self._perSource[lease.source]
