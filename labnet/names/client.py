"""
The look-up functions of the course, each as a function that does not block.

Those that ask the system's resolver, or read its files, run in threads and return a Deferred; the others
only move bytes, and answer at once. They say what the functions of C{socket} say, not what a resolver of
Twisted's would: that is their purpose.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import TypeVar

from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError
from twisted.python.failure import Failure

from labnet.names.blocking import ThreadReactor, inThread

__all__ = [
    "Endpoint",
    "Family",
    "HostEntry",
    "NotAnAddress",
    "addressToBytes",
    "addresses",
    "bytesToAddress",
    "courseAddressToBytes",
    "fullName",
    "hostByAddress",
    "hostByName",
    "hostName",
    "nameInfo",
    "networkOrder",
    "serviceByName",
    "serviceByPort",
]

_Result = TypeVar("_Result")


class NotAnAddress(ValueError):
    """Text or bytes that are no address; its text is one line for people."""


class Family(Enum):
    """The two families of addresses."""

    IPV4 = socket.AF_INET
    IPV6 = socket.AF_INET6

    @property
    def title(self) -> str:
        """As one writes it."""
        return "IPv4" if self is Family.IPV4 else "IPv6"


@dataclass(frozen=True, slots=True)
class Endpoint:
    """
    One of the places that a client would try.

    @ivar host: the address; one that is valid on one link only ends in C{%} and its interface.
    @ivar port: 0 if none was asked for.
    """

    family: Family
    host: str
    port: int

    def __str__(self) -> str:
        if not self.port:
            return self.host
        return f"[{self.host}]:{self.port}" if self.family is Family.IPV6 else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class HostEntry:
    """
    What the resolver's older functions know of a host.

    @ivar name: its official name.
    @ivar aliases: its other names.
    @ivar addresses: its addresses, of one family.
    """

    name: str
    aliases: tuple[str, ...]
    addresses: tuple[str, ...]


def hostName() -> str:
    """C{gethostname}: how this machine calls itself."""
    return socket.gethostname()


def fullName(reactor: ThreadReactor, name: str = "", *, timeout: float = 5.0) -> Deferred[str]:
    """C{getfqdn}: the first name with a dot in it; C{name} itself, or the host's, when there is none."""
    return _asked(reactor, timeout, name or "the host's name", lambda: socket.getfqdn(name))


def addresses(
    reactor: ThreadReactor,
    host: str,
    service: str | int | None = None,
    family: Family | None = None,
    *,
    timeout: float = 5.0,
) -> Deferred[list[Endpoint]]:
    """
    C{getaddrinfo}: where a TCP client would try to connect, in this order (RFC 6724).

    @param host: a name or an address.
    @param service: a port, or the name of a service.
    @param family: only addresses of this family.
    @return: fires with at least one; fails with C{DNSLookupError} or C{TimeoutError}.
    """

    def look() -> list[Endpoint]:
        wanted = socket.AF_UNSPEC if family is None else family.value
        found = socket.getaddrinfo(host, service, wanted, socket.SOCK_STREAM)
        usable = [_endpoint(number, place) for number, _, _, _, place in found if number in _FAMILIES]
        if not usable:
            raise OSError("it has addresses of other families only")
        return usable

    return _asked(reactor, timeout, host, look)


_FAMILIES = frozenset(family.value for family in Family)


def _endpoint(number: int, place: tuple[object, ...]) -> Endpoint:
    host = str(place[0])
    if len(place) == 4 and place[3] and "%" not in host:
        host += f"%{place[3]}"
    return Endpoint(Family(number), host, int(str(place[1])))


def hostByName(reactor: ThreadReactor, host: str, *, timeout: float = 5.0) -> Deferred[HostEntry]:
    """
    C{gethostbyname_ex}: a host's official name, its aliases and its addresses, IPv4 only. What
    C{gethostbyname} returns is the first of the addresses.
    """
    return _asked(reactor, timeout, host, lambda: _entry(socket.gethostbyname_ex(host)))


def hostByAddress(reactor: ThreadReactor, address: str, *, timeout: float = 5.0) -> Deferred[HostEntry]:
    """C{gethostbyaddr}: whose address that is."""
    return _asked(reactor, timeout, address, lambda: _entry(socket.gethostbyaddr(address)))


def _entry(found: tuple[str, list[str], list[str]]) -> HostEntry:
    return HostEntry(found[0], tuple(found[1]), tuple(found[2]))


def nameInfo(
    reactor: ThreadReactor, address: str, port: int, *, timeout: float = 5.0
) -> Deferred[tuple[str, str]]:
    """C{getnameinfo}: the names of a host and of the service on a port; what has no name stays a number."""
    return _asked(reactor, timeout, address, lambda: socket.getnameinfo((address, port), 0))


def serviceByName(
    reactor: ThreadReactor, name: str, transport: str = "tcp", *, timeout: float = 5.0
) -> Deferred[int]:
    """C{getservbyname}: the port of a service. Fails with C{DNSLookupError} when it is not known."""
    what = f"{name}/{transport}"
    return _asked(reactor, timeout, what, lambda: socket.getservbyname(name, transport))


def serviceByPort(
    reactor: ThreadReactor, port: int, transport: str = "tcp", *, timeout: float = 5.0
) -> Deferred[str]:
    """C{getservbyport}: the service of a port. Fails with C{DNSLookupError} when it is not known."""
    what = f"{port}/{transport}"
    return _asked(reactor, timeout, what, lambda: socket.getservbyport(port, transport))


def _asked(
    reactor: ThreadReactor, timeout: float, what: str, look: Callable[[], _Result]
) -> Deferred[_Result]:
    def notFound(failure: Failure) -> Failure:
        # gaierror, herror, "service/proto not found"; UnicodeError from what can be no name.
        failure.trap(OSError, ValueError, OverflowError)
        reason = getattr(failure.value, "strerror", None) or str(failure.value)
        return Failure(DNSLookupError(f"{what}: {reason}"))

    return inThread(reactor, timeout, look, what).addErrback(notFound)


# Text and bytes


def addressToBytes(text: str) -> tuple[Family, bytes]:
    """
    C{inet_pton}: the 4 bytes of an IPv4 address or the 16 of an IPv6 one, in network order.

    @raise NotAnAddress: it is neither.
    """
    for family in Family:
        try:
            return family, socket.inet_pton(family.value, text)
        except (OSError, ValueError):
            continue
    raise NotAnAddress(f"{text!r} is no address")


def courseAddressToBytes(text: str) -> bytes:
    """
    C{inet_aton}: the 4 bytes of an IPv4 address, which may also be written C{127.1} or C{0x7f000001}.

    @raise NotAnAddress: it is none.
    """
    try:
        return socket.inet_aton(text)
    except (OSError, ValueError) as error:
        raise NotAnAddress(f"{text!r} is no IPv4 address") from error


def bytesToAddress(data: bytes) -> tuple[Family, str]:
    """
    C{inet_ntop}, and C{inet_ntoa} for 4 bytes: the address as text.

    @raise NotAnAddress: they are not 4 or 16.
    """
    family = {4: Family.IPV4, 16: Family.IPV6}.get(len(data))
    if family is None:
        raise NotAnAddress(f"{len(data)} bytes are no address; 4 or 16 are")
    return family, socket.inet_ntop(family.value, data)


def networkOrder(port: int) -> int:
    """C{htons}: the number that a machine reads where the port's two bytes stand in network order."""
    return socket.htons(port)
