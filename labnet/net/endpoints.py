"""
Where a service listens and where a client connects, as one line of text.

Streams use Twisted's own descriptions (C{tcp:9000}, C{ssl:...}, C{unix:...}, C{haproxy:tcp:...},
C{systemd:...}), with two differences: C{tcp}, C{tcp6} and C{ssl} listen on the loopback interface
unless C{interface=} says otherwise, and L{BACKLOG} connections may wait to be accepted, unless
C{backlog=} says otherwise; and behind C{haproxy:} the service's limits and logs see the real peer from the
beginning. Datagrams have no descriptions in Twisted; ours are
C{udp:PORT:interface=ADDRESS} to listen and C{udp:HOST:PORT} to send.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import TYPE_CHECKING, cast

from twisted.internet.abstract import isIPAddress, isIPv6Address
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.endpoints import clientFromString, serverFromString
from twisted.internet.interfaces import (
    IAddress,
    IReactorTime,
    IStreamClientEndpoint,
    IStreamServerEndpoint,
)

from labnet.net.agreement import agreeing
from labnet.net.announced import AnnouncedEndpoint
from labnet.net.direct import direct

if TYPE_CHECKING:
    from labnet.net.layers import Layers

__all__ = [
    "BACKLOG",
    "LOOPBACK",
    "BadEndpoint",
    "DatagramAddress",
    "DatagramTarget",
    "describe",
    "isDatagram",
    "isHost",
    "parseDatagramAddress",
    "parseDatagramTarget",
    "parseStreamClient",
    "parseStreamServer",
    "peerHost",
    "withoutMapping",
]

LOOPBACK = "127.0.0.1"

#: Connections that may wait to be accepted. With Twisted's 50 a class that connects all at once has most of
#: its connections wait for a second until the system tries again.
BACKLOG = 1024

_UNESCAPED_COLON = re.compile(r"(?<!\\):")
_BRACKETED = re.compile(r"(udp):\[([^\[\]]*)\]:([^:]*)")
_DIGITS = re.compile(r"\d{1,5}", re.ASCII)
_IPV6_LOOPBACK = r"\:\:1"
_INTERNET = ("tcp", "tcp6", "ssl")
_LISTENING = (*_INTERNET, "unix")


class BadEndpoint(ValueError):
    """A description that says nothing we can listen on or connect to; its text is one line for people."""


@dataclass(frozen=True, slots=True)
class DatagramAddress:
    """
    Where to listen for datagrams: C{udp:PORT:interface=ADDRESS}. Port 0 lets the system choose.

    @ivar layers: what stands between the port and who answers there; L{None} for nothing.
    """

    port: int
    interface: str = LOOPBACK
    layers: Layers | None = field(default=None, compare=False, repr=False)


@dataclass(frozen=True, slots=True)
class DatagramTarget:
    """Where to send datagrams: C{udp:HOST:PORT}. The host is an address or a name."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"udp:{_bracketed(self.host)}:{self.port}"


def isDatagram(description: str) -> bool:
    """Whether a description is one of ours, for datagrams."""
    return description.startswith("udp:")


def parseDatagramAddress(description: str) -> DatagramAddress:
    """
    Read C{udp:PORT} or C{udp:PORT:interface=ADDRESS}; an IPv6 address has its colons escaped with a
    backslash, as in Twisted's own descriptions.

    @raise BadEndpoint: it is not of that form.
    """
    form = "udp:PORT or udp:PORT:interface=ADDRESS"
    kind, *parts = _split(description)
    if kind != "udp" or not 1 <= len(parts) <= 2:
        raise BadEndpoint(f"{description!r} is not of the form {form}")
    interface = LOOPBACK
    if len(parts) == 2:
        key, _, interface = parts[1].partition("=")
        if key != "interface" or not interface:
            raise BadEndpoint(f"{description!r} is not of the form {form}")
        _literal(interface, description)
    return DatagramAddress(_port(parts[0].removeprefix("port="), description, 0), interface)


def parseDatagramTarget(description: str) -> DatagramTarget:
    """
    Read C{udp:HOST:PORT}. An IPv6 address stands in brackets, or has its colons escaped.

    @raise BadEndpoint: it is not of that form.
    """
    bracketed = _BRACKETED.fullmatch(description)
    kind, *parts = bracketed.groups() if bracketed else _split(description)
    if kind != "udp" or len(parts) != 2 or not parts[0]:
        raise BadEndpoint(f"{description!r} is not of the form udp:HOST:PORT")
    if bracketed:
        _literal(parts[0], description)
    elif not isHost(parts[0]):
        raise BadEndpoint(f"{description!r}: {parts[0]!r} is neither a name nor an address")
    return DatagramTarget(parts[0], _port(parts[1], description, 1))


def parseStreamServer(reactor: object, description: str) -> IStreamServerEndpoint:
    """
    The endpoint to listen on; see the head of this module for the differences to Twisted.

    @raise BadEndpoint: Twisted can not read it, or what it names is missing.
    """
    given = description
    announced = given.startswith("haproxy:")
    description = given.removeprefix("haproxy:")
    kind, *parts = _split(description)
    if kind == "unix" and (not parts or not parts[0]):
        raise BadEndpoint(f"{given!r} is not of the form unix:PATH")
    if kind in _INTERNET:
        port = next((part for part in parts if part.startswith("port=")), parts[0] if parts else "")
        _port(port.removeprefix("port="), given, 0)
        interface = next((part for part in parts if part.startswith("interface=")), None)
        if interface is None:
            description += f":interface={_IPV6_LOOPBACK if kind == 'tcp6' else LOOPBACK}"
        elif interface != "interface=":  # Without a value it is every interface.
            _literal(interface.removeprefix("interface="), given)
    if kind in _LISTENING and not _hasBacklog(kind, parts):
        description += f":backlog={BACKLOG}"
    try:
        endpoint = cast(IStreamServerEndpoint, serverFromString(reactor, description))
    except Exception as error:
        raise BadEndpoint(f"{given!r}: {_oneLine(error)}") from error
    listening = agreeing(direct(reactor, endpoint))
    return AnnouncedEndpoint(listening, cast(IReactorTime, reactor)) if announced else listening


def parseStreamClient(reactor: object, description: str, timeout: float) -> IStreamClientEndpoint:
    """
    The endpoint to connect to. C{timeout} (seconds) bounds the attempt, unless the description has one.

    @raise BadEndpoint: Twisted can not read it.
    """
    kind, *parts = _split(description)
    if kind in ("tcp", "tls"):
        if len(parts) < 2 or not parts[0]:
            raise BadEndpoint(f"{description!r} is not of the form {kind}:HOST:PORT")
        _port(parts[1].removeprefix("port="), description, 1)
        if not isHost(parts[0].removeprefix("host=")):
            raise BadEndpoint(f"{description!r}: {parts[0]!r} is neither a name nor an address")
    given = description
    if kind in ("tcp", "tls", "unix") and not any(part.startswith("timeout=") for part in parts):
        description += f":timeout={max(1, round(timeout))}"
    try:
        return cast(IStreamClientEndpoint, clientFromString(reactor, description))
    except Exception as error:
        raise BadEndpoint(f"{given!r}: {_oneLine(error)}") from error


def describe(address: IAddress | None) -> str:
    """An address as text: C{tcp:127.0.0.1:9000}, C{udp:[::1]:9001}, C{unix:/run/x}."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return f"{address.type.lower()}:{_bracketed(address.host)}:{address.port}"
    if isinstance(address, UNIXAddress):
        name = address.name
        return "unix:" + (name.decode("utf-8", "backslashreplace") if name else "")
    return str(address)


def peerHost(address: IAddress | None) -> str:
    """What counts as one peer: the host of an IP address, else the kind of address."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return withoutMapping(address.host)
    return "unix" if isinstance(address, UNIXAddress) else str(address)


@lru_cache(4096)
def withoutMapping(host: str) -> str:
    """
    The IPv4 address that an IPv6 one stands for (C{::ffff:127.0.0.1}), or what was given: a socket that
    listens for both must not take one peer for two.
    """
    mapped = host.lower().removeprefix("::ffff:")
    return mapped if isIPAddress(mapped) else host


def isHost(host: str) -> bool:
    """
    Whether a host can be looked up. It must be asked first: for what can not be encoded as a domain name
    (C{a..b}) Twisted's resolver logs a traceback and never answers.
    """
    try:
        return bool(host.encode("idna")) and host.isprintable() and " " not in host
    except UnicodeError:
        return False


def _split(description: str) -> list[str]:
    return [part.replace("\\:", ":") for part in _UNESCAPED_COLON.split(description)]


def _hasBacklog(kind: str, parts: list[str]) -> bool:
    # unix:PATH:MODE:BACKLOG may have it without its name; the others do not get that far.
    plain = [part for part in parts if "=" not in part]
    return any(part.startswith("backlog=") for part in parts) or (kind == "unix" and len(plain) > 2)


def _port(text: str, description: str, lowest: int) -> int:
    if not _DIGITS.fullmatch(text) or not lowest <= int(text) <= 65535:
        raise BadEndpoint(f"{description!r}: the port must be a number from {lowest} to 65535")
    return int(text)


def _literal(interface: str, description: str) -> None:
    if not isIPAddress(interface) and not isIPv6Address(interface):
        raise BadEndpoint(f"{description!r}: {interface!r} is not an address")


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _oneLine(error: BaseException) -> str:
    if isinstance(error, LookupError):
        return "what it names is not there"
    # "_parseTCP() got an unexpected keyword argument 'x'" need not name Twisted's function.
    text = re.sub(r"^[\w.]+\(\) ", "", " ".join(str(error).split()))
    return text or type(error).__name__
