"""
Rules about addresses: which clients may use the proxy, and which destinations it may reach.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

from labnet.net.hosts import BadHost, HostPatterns

__all__ = [
    "LOOPBACK",
    "BadRule",
    "Destinations",
    "Networks",
    "Pattern",
    "Rule",
    "numericHost",
    "special",
]

_Address = IPv4Address | IPv6Address
_Network = IPv4Network | IPv6Network

#: What is on nobody's internet, and what it is called in an answer (the registries of RFC 6890).
_SPECIAL: tuple[tuple[_Network, str], ...] = tuple(
    (ip_network(network), name)
    for network, name in (
        ("127.0.0.0/8", "loopback"),
        ("::1/128", "loopback"),
        ("0.0.0.0/8", "unspecified"),
        ("::/128", "unspecified"),
        ("10.0.0.0/8", "private"),
        ("172.16.0.0/12", "private"),
        ("192.168.0.0/16", "private"),
        ("fc00::/7", "private"),
        ("fec0::/10", "private"),
        ("64:ff9b:1::/48", "private"),
        ("169.254.0.0/16", "link-local"),
        ("fe80::/10", "link-local"),
        ("100.64.0.0/10", "behind a provider's NAT"),
        ("224.0.0.0/4", "multicast"),
        ("ff00::/8", "multicast"),
        ("255.255.255.255/32", "broadcast"),
        ("192.0.0.0/24", "reserved"),
        ("192.0.2.0/24", "for documentation"),
        ("198.51.100.0/24", "for documentation"),
        ("203.0.113.0/24", "for documentation"),
        ("2001:db8::/32", "for documentation"),
        ("198.18.0.0/15", "for measurements"),
        ("192.88.99.0/24", "reserved"),
        ("240.0.0.0/4", "reserved"),
        ("2001::/23", "reserved"),
    )
)
#: All IPv6 addresses that are given to anybody (RFC 4291, 2.4).
_GLOBAL_UNICAST = IPv6Network("2000::/3")
#: Behind these a translator reaches the IPv4 address in their last bits (RFC 6052).
_TRANSLATED = IPv6Network("64:ff9b::/96")
#: An IPv4 address in the last bits, as it was written long ago (RFC 4291, 2.5.5.1).
_COMPATIBLE = IPv6Network("::/96")

#: What the system's C{inet_aton} takes for an address: numbers, decimal, octal or hexadecimal.
_NUMERIC = re.compile(r"(?i:(?:\d+|0x[0-9a-f]*)(?:\.(?:\d+|0x[0-9a-f]*))*)\.?")


class BadRule(ValueError):
    """A rule that says nothing; the text is one line for people."""


def _embedded(address: IPv6Address) -> IPv4Address | None:
    """The IPv4 address that packets to this one end up at, or L{None} if it is only itself."""
    if address.sixtofour is not None:
        return address.sixtofour
    if address in _TRANSLATED or (address in _COMPATIBLE and int(address) > 0xFFFF):
        return IPv4Address(int(address) & 0xFFFFFFFF)
    return None


@lru_cache(4096)
def _faces(text: str) -> tuple[_Address, ...]:
    """
    An address, and the one that packets to it end up at if that is another. A mapped address is the one it
    stands for: it is the same to the system, and nobody else can have it.
    """
    address = ip_address(text)
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    inside = _embedded(address)
    return (address,) if inside is None else (address, inside)


@lru_cache(4096)
def special(text: str) -> str:
    """
    What an address is when it is on nobody's internet: C{loopback}, C{private}, C{multicast}...; empty for
    one that is.

    @param text: an IP address.
    """
    address, *inside = _faces(text)
    for face in (*inside, address):
        for network, name in _SPECIAL:
            if face.version == network.version and face in network:
                return name
    if isinstance(address, IPv6Address) and not inside and address not in _GLOBAL_UNICAST:
        return "reserved"
    return ""


def numericHost(host: str) -> bool:
    """Whether the system's resolver takes this for an address, however oddly it is written."""
    return ":" in host or _NUMERIC.fullmatch(host) is not None


def _network(text: str) -> _Network:
    try:
        return ip_network(text)
    except ValueError as error:
        if "has host bits set" in str(error):
            meant = ip_network(text, strict=False)
            raise BadRule(f"{text!r} is an address in {meant}, and not a network") from error
        raise BadRule(f"{text!r} is neither an address nor a network") from error


class Networks:
    """
    A set of addresses.

    @param texts: addresses, networks in the notation of CIDR, or C{any}.
    @raise BadRule: one is none of these.
    @ivar any: whether it is all there are.
    """

    def __init__(self, texts: Iterable[str] = ()) -> None:
        given = tuple(texts)
        self.any = "any" in given
        self._networks = tuple(_network(text) for text in given if text != "any")

    def cover(self, text: str, guises: bool = False) -> bool:
        """
        Whether an address is in the set.

        @param text: an IP address; anything else is in no network.
        @param guises: whether an IPv6 address is also the IPv4 address that packets to it end up at. Who
            comes from such an address is not who has that.
        """
        if self.any:
            return True
        try:
            faces = _faces(text)
        except ValueError:
            return False
        return any(
            face.version == net.version and face in net
            for face in (faces if guises else faces[:1])
            for net in self._networks
        )

    @property
    def local(self) -> bool:
        """Whether all of it is this machine's own loopback."""
        return not self.any and all(
            special(str(net.network_address)) == "loopback"
            and special(str(net.broadcast_address)) == "loopback"
            for net in self._networks
        )


#: The clients of a proxy of one's own.
LOOPBACK = Networks(("127.0.0.0/8", "::1"))


@dataclass(frozen=True, slots=True)
class Pattern:
    """
    Some hosts: one name, C{*.DOMAIN} for every name below it, C{.DOMAIN} for the domain, too, an address,
    a network, or C{any}.

    @ivar hosts: those that are meant by name.
    @ivar networks: those that are meant by address.
    """

    hosts: HostPatterns = field(default_factory=HostPatterns)
    networks: Networks = field(default_factory=Networks)

    @classmethod
    def read(cls, text: str) -> Pattern:
        """
        @raise BadRule: it is none of these.
        """
        if text == "any" or "/" in text or numericHost(text):
            return cls(networks=Networks([text]))
        try:
            return cls(HostPatterns.read([text]))
        except BadHost as error:
            raise BadRule(f"{text!r} is neither a host, nor a domain, nor a network, nor 'any'") from error

    def names(self, host: str) -> bool:
        """Whether a host is meant by its name, as it stands in a request."""
        return self.networks.any or self.hosts.cover(host.lower().removesuffix("."))

    def covers(self, address: str, guises: bool = False) -> bool:
        """Whether an address is meant; see L{Networks.cover}."""
        return self.networks.cover(address, guises)


@dataclass(frozen=True, slots=True)
class Rule:
    """
    One rule about destinations.

    @ivar allows: whether it allows or denies.
    @ivar hosts: which ones.
    @ivar port: of these; L{None} for all.
    """

    allows: bool
    hosts: Pattern
    port: int | None = None

    @classmethod
    def read(cls, allows: bool, text: str) -> Rule:
        """
        From a L{Pattern}, and C{:PORT} if it is about one port only. An IPv6 address or network with a port
        stands in brackets.

        @raise BadRule: it is none of these.
        """
        host, port = text, ""
        if text.startswith("["):
            host, bracket, rest = text[1:].partition("]")
            port = rest.removeprefix(":")
            if not bracket or rest == ":" or (rest and not rest.startswith(":")):
                raise BadRule(f"{text!r} is not of the form [ADDRESS] or [ADDRESS]:PORT")
        elif text.count(":") == 1:
            host, _, port = text.partition(":")
        if not port and not text.endswith(":"):
            return cls(allows, Pattern.read(host))
        if not (port.isascii() and port.isdigit() and 1 <= int(port[:9]) <= 65535):
            raise BadRule(f"{text!r}: the port is not a number from 1 to 65535")
        return cls(allows, Pattern.read(host), int(port))

    def applies(self, host: str, address: str, port: int) -> bool:
        """Whether it is about this destination. C{address} is empty where only the name is known."""
        if self.port not in (None, port):
            return False
        return self.hosts.names(host) or self.hosts.covers(address, guises=not self.allows)


class Destinations:
    """
    Where the proxy may go. The first rule that is about a destination decides. Where none is, a proxy for
    others goes to nobody's network but the internet; one for this machine alone goes anywhere. To itself it
    goes only where a rule allows that very port.

    @param rules: in their order.
    @param confined: whether special addresses are out of reach unless a rule allows them.
    @param itself: whether an address and a port are where the proxy listens.
    """

    def __init__(
        self,
        rules: Sequence[Rule] = (),
        *,
        confined: bool = False,
        itself: Callable[[str, int], bool] = lambda address, port: False,
    ) -> None:
        self._rules = tuple(rules)
        self._confined = confined
        self._itself = itself

    def refusal(self, host: str, address: str, port: int) -> str:
        """
        Why a connection is not made, in a few words, or nothing if it may be.

        @param host: as it stands in the request.
        @param address: the one of its addresses that would be connected to.
        """
        rule = next((rule for rule in self._rules if rule.applies(host, address, port)), None)
        if rule is not None and not rule.allows:
            return "denied here"
        if self._itself(address, port) and (rule is None or rule.port is None):
            return "this proxy itself"
        if rule is not None or not self._confined:
            return ""
        kind = special(address)
        return f"its address is {kind}" if kind else ""

    def refusalByName(self, host: str, port: int) -> str:
        """
        The same where somebody else looks the name up: only what is written can be judged. A host that is
        written as a number, in whatever way, is not a name, and C{localhost} is known.
        """
        rule = next((rule for rule in self._rules if rule.applies(host, "", port)), None)
        if rule is not None:
            return "" if rule.allows else "denied here"
        plain = host.lower().removesuffix(".")
        if self._confined and (plain == "localhost" or plain.endswith(".localhost")):
            return "its address is loopback"
        if not numericHost(plain):
            return ""
        try:
            ip_address(plain)
        except ValueError:
            return "an address in an odd spelling"
        return self.refusal(host, plain, port)
