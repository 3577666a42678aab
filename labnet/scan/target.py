"""
What is to be scanned, as text: names, addresses and networks, before any name is looked up.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network

__all__ = ["MOST_ADDRESSES", "Address", "BadTarget", "Target", "parseTarget", "plainAddress"]

#: How many addresses one scan takes on at most, and so the largest network.
MOST_ADDRESSES = 1_024

Address = IPv4Address | IPv6Address

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]{0,252})", re.ASCII)


class BadTarget(ValueError):
    """A target that is none; its text is one line for people."""


@dataclass(frozen=True, slots=True)
class Target:
    """
    One thing to scan.

    @ivar text: as it was given, in lower case, without brackets and without a final dot.
    @ivar addresses: the addresses it stands for; empty for a name, which has to be looked up.
    @ivar isNetwork: whether it was given as a network.
    """

    text: str
    addresses: tuple[Address, ...] = ()
    isNetwork: bool = False


def parseTarget(given: str) -> Target:
    """
    Read C{localhost}, C{127.0.0.1}, C{::1}, C{[::1]} or C{192.168.1.0/24}.

    A network is every address in it but its first and its last, where it has more than two.

    @raise BadTarget: it is none of these, or a network of more than L{MOST_ADDRESSES} addresses.
    """
    text = given.strip().lower()
    bracketed = text.startswith("[") and text.endswith("]")
    if bracketed:
        text = text[1:-1]
    if "/" in text:
        return _network(text, given)
    try:
        address = plainAddress(ip_address(text))
    except ValueError:
        if bracketed or ":" in text:
            raise BadTarget(f"{given!r} is not an IPv6 address") from None
        return Target(_name(text, given))
    if bracketed and ":" not in text:
        raise BadTarget(f"{given!r}: only an IPv6 address stands in brackets")
    return Target(str(address), (address,))


def plainAddress(address: Address) -> Address:
    """The IPv4 address that an IPv6 one stands for (C{::ffff:10.0.0.1}), or what was given."""
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped if mapped is not None else address


def _network(text: str, given: str) -> Target:
    try:
        network: IPv4Network | IPv6Network = ip_network(text, strict=False)
    except ValueError:
        raise BadTarget(f"{given!r} is not a network such as 192.168.1.0/24") from None
    if network.num_addresses > MOST_ADDRESSES:
        raise BadTarget(
            f"{given!r}: {network.num_addresses} addresses; at most {MOST_ADDRESSES} are scanned"
        )
    return Target(str(network), tuple(plainAddress(address) for address in network.hosts()), True)


def _name(text: str, given: str) -> str:
    try:
        name = text.removesuffix(".").encode("idna").decode("ascii")
    except UnicodeError:
        name = ""
    if not _NAME.fullmatch(name):
        raise BadTarget(f"{given[:60]!r} is neither a name nor an address")
    return name
