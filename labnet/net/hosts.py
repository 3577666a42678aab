"""
Host names and addresses as they are compared: one spelling for each.
"""

from __future__ import annotations

import re
from ipaddress import ip_address

__all__ = ["BadHost", "plainHost"]

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
