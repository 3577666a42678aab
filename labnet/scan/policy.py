"""
Whom one may scan.

Loopback and private addresses, which can not be anybody else's machine on the Internet. Everything else
only when its owner says so and names it; and some addresses are no machine at all. What is judged is the
address that packets would go to, never the name that led there.
"""

from __future__ import annotations

from collections.abc import Iterable
from ipaddress import IPv4Network, IPv6Network, ip_network

from labnet.scan.target import Address, Target, plainAddress

__all__ = ["Ownership", "isOurs", "refusal"]

#: RFC 1122 (3.2.1.3), RFC 1918, RFC 4291 (2.5.3), RFC 4193. Link-local addresses are not among them: in
#: many data centres 169.254.169.254 is not the machine's own.
_OURS: tuple[IPv4Network | IPv6Network, ...] = tuple(
    ip_network(text)
    for text in ("127.0.0.0/8", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "::1/128", "fc00::/7")
)


class Ownership:
    """
    What somebody says is theirs, one by one: names and addresses, no networks.

    @param targets: what was named.
    """

    def __init__(self, targets: Iterable[Target] = ()) -> None:
        named = tuple(targets)
        self._names = frozenset(target.text for target in named if not target.addresses)
        self._addresses = frozenset(address for target in named for address in target.addresses)

    def names(self, target: Target, address: Address) -> bool:
        """Whether this address was named, or the very name that it was found under."""
        return plainAddress(address) in self._addresses or (
            not target.addresses and target.text in self._names
        )


def isOurs(address: Address) -> bool:
    """Whether it is a loopback or a private address."""
    plain = plainAddress(address)
    return any(plain in network for network in _OURS if network.version == plain.version)


def refusal(target: Target, addresses: Iterable[Address], mine: Ownership) -> str | None:
    """
    Why a target is not scanned, in one line; L{None} when it may be.

    @param addresses: what the target's name was resolved to; every one of them has to be allowed.
    """
    for address in addresses:
        plain = plainAddress(address)
        if plain.is_multicast or plain.is_unspecified or str(plain) == "255.255.255.255":
            return f"{_leading(target, plain)} is not the address of a machine"
        if isOurs(plain) or mine.names(target, plain):
            continue
        return (
            f"{_leading(target, plain)} is neither loopback nor private. If it is yours: "
            f"--yes-this-is-mine {plain if target.isNetwork else target.text}"
        )
    return None


def _leading(target: Target, address: Address) -> str:
    return str(address) if str(address) == target.text else f"{target.text} leads to {address}, which"
