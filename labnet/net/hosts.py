"""
Host names and addresses as they are compared: one spelling for each.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Self

__all__ = ["BadHost", "HostPatterns", "plainHost"]

_NAME = re.compile(r"(?=.{1,253}\Z)(?:[a-z0-9_-]{1,63}\.)*[a-z0-9_-]{1,63}")
#: The system's resolver takes C{127.1} and C{0x7f000001} for addresses; as names they do not exist.
_NUMBER = re.compile(r"(?:.*\.)?(?:\d+|0x[0-9a-f]*)")


class BadHost(ValueError):
    """What was given is neither a host name nor an address; the text is one line for people."""


def plainHost(text: str) -> str:
    """
    A host in its one spelling: a name in lower case, in ASCII and without the dot that may end it, or an
    address in its shortest form, without brackets, and as IPv4 where it is that in the guise of IPv6.

    @raise BadHost: it is neither.
    """
    try:
        address = ip_address(text.removeprefix("[").removesuffix("]"))
        return str(getattr(address, "ipv4_mapped", None) or address)
    except ValueError:
        pass
    name = text.lower().removesuffix(".")
    if not name.isascii():
        try:
            name = name.encode("idna").decode("ascii")
        except UnicodeError:
            name = ""
    if _NAME.fullmatch(name) is None or _NUMBER.fullmatch(name) is not None:
        raise BadHost(f"{text!r} is neither a host name nor an address")
    return name


@dataclass(frozen=True, slots=True)
class HostPatterns:
    """
    Some hosts, by name or by domain.

    @ivar hosts: names and addresses.
    @ivar domains: every name below one of these.
    """

    hosts: frozenset[str] = frozenset()
    domains: frozenset[str] = frozenset()

    @classmethod
    def read(cls, patterns: Iterable[str]) -> Self:
        """
        From C{HOST}, C{*.DOMAIN} (every name below it) and C{.DOMAIN} (the domain and every name below it).

        @raise BadHost: one is none of these.
        """
        hosts: set[str] = set()
        domains: set[str] = set()
        for pattern in patterns:
            star = pattern.startswith("*.")
            host = plainHost(pattern.removeprefix("*.") if star else pattern.removeprefix("."))
            if star or pattern.startswith("."):
                domains.add(host)
            if not star:
                hosts.add(host)
        return cls(frozenset(hosts), frozenset(domains))

    def union(self, other: Self) -> Self:
        """Those of both."""
        return type(self)(self.hosts | other.hosts, self.domains | other.domains)

    def cover(self, host: str) -> bool:
        """Whether C{host}, as L{plainHost} gives it, is one of them."""
        if host in self.hosts:
            return True
        while "." in host:
            host = host.partition(".")[2]
            if host in self.domains:
                return True
        return False
