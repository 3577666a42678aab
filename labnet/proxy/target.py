"""
Where a request is to go: its request-target, its Host field, and the origin that follows from them
(RFC 9112, 3.2 and 3.3).
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from ipaddress import AddressValueError, IPv6Address

from labnet.net.hosts import BadHost, plainHost
from labnet.proxy.wire import BadMessage, RequestHead, Version

__all__ = [
    "Origin",
    "Route",
    "checkHost",
    "plainAuthority",
    "routeFixed",
    "routeForward",
    "routeIntercepted",
    "routeTunnel",
]

_AUTHORITY = re.compile(rb"(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._~%!$&'()*+,;=-]+)(?::(\d{0,5}))?")
_SCHEME = re.compile(rb"([A-Za-z][A-Za-z0-9+.-]*):")
_ADDRESS_OR_NAME = re.compile(
    rb"\[[0-9A-Fa-f:.]+\]|(?=.{1,253}\.?\Z)[A-Za-z0-9_-]{1,63}(?:\.[A-Za-z0-9_-]{1,63})*\.?"
)
_PATH_BEGIN = re.compile(rb"[/?]|\Z")
_HTTP_PORT = 80
_HTTPS_PORT = 443


@dataclass(frozen=True, slots=True)
class Origin:
    """
    A server that requests go to.

    @ivar host: a name or an address; an IPv6 address without brackets.
    @ivar secure: whether it is spoken to over TLS (https), and has to prove who it is.
    @ivar authority: as it stands in a Host field: the port is left out where it goes without saying.
    """

    host: str
    port: int
    secure: bool = False

    authority: bytes = field(init=False, repr=False, compare=False)
    _hash: int = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        host = f"[{self.host}]" if ":" in self.host else self.host
        usual = _HTTPS_PORT if self.secure else _HTTP_PORT
        authority = host.encode("ascii") + (b"" if self.port == usual else b":%d" % self.port)
        object.__setattr__(self, "authority", authority)
        object.__setattr__(self, "_hash", hash((self.host, self.port, self.secure)))

    def __hash__(self) -> int:
        # Connections are looked for by it, twice for each request.
        return self._hash

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


@dataclass(frozen=True, slots=True)
class Route:
    """
    Where a request goes and what it asks there.

    @ivar target: the request-target: for the origin in origin-form or asterisk-form, for a proxy on the way
        in absolute-form.
    @ivar host: the value of the Host field for the origin.
    @ivar hop: the proxy that is asked in the origin's place; L{None} for none.
    @ivar authorization: the value of Proxy-Authorization for it; empty for none.
    """

    origin: Origin
    target: bytes
    host: bytes
    hop: Origin | None = None
    authorization: bytes = field(default=b"", repr=False)

    def checkStatus(self, status: int) -> None:
        """
        See that a response is for the client.

        @raise BadMessage: it is for us, and the client has nothing to say to the proxy on the way.
        """
        if status == 407 and self.hop is not None:
            raise BadMessage(f"{self.hop}: it does not take our name and password (407)")


def routeForward(head: RequestHead) -> Route:
    """
    The route of a request to a forward proxy, whose target must be in absolute-form. The Host field is
    made from the target (RFC 9112, 3.2.2). One that says something else is refused: a client must not send
    it (3.2), and who looks only at the field decides about another request than we make. C{ws://} is where
    C{http://} is (RFC 6455, 3).

    @raise BadMessage: there is no route.
    """
    checkHost(head)
    _checkFragment(head.target)
    scheme = _SCHEME.match(head.target)
    if scheme is None:
        raise BadMessage("this is a proxy: the request-target must be a whole http:// URL")
    if scheme[1].lower() not in (b"http", b"ws"):
        raise BadMessage("only http:// and ws:// URLs go through here; for https:// and wss:// use CONNECT")
    rest = head.target[scheme.end() :]
    if not rest.startswith(b"//"):
        raise BadMessage("the request-target has no authority")
    authority, target = _splitAuthority(rest[2:])
    if target == b"" and head.method == b"OPTIONS":
        target = b"*"
    elif not target.startswith(b"/"):
        target = b"/" + target
    origin = _origin(authority, _HTTP_PORT)
    _checkAgreement(head, origin.authority)
    return Route(origin, target, origin.authority)


def routeFixed(head: RequestHead, origin: Origin) -> Route:
    """
    The route of a request to a proxy that stands before one origin. The client talks to the proxy as
    if it were the site, so the Host field becomes the origin's.

    @raise BadMessage: there is no route.
    """
    checkHost(head)
    _checkFragment(head.target)
    if head.target.startswith(b"/") or (head.target == b"*" and head.method == b"OPTIONS"):
        return Route(origin, head.target, origin.authority)
    forwarded = routeForward(head)
    return Route(origin, forwarded.target, origin.authority)


def routeIntercepted(head: RequestHead, origin: Origin) -> Route:
    """
    The route of a request inside a tunnel that is looked into. It can only be to where the tunnel leads:
    another host in the request would be asked for under a certificate that is not its own (RFC 9110, 7.4).

    @param origin: where the tunnel leads.
    @raise BadMessage: there is no route.
    """
    checkHost(head)
    _checkFragment(head.target)
    named = head.fields.values(b"host")
    target = head.target
    scheme = _SCHEME.match(target)
    if (
        scheme is not None
        and scheme[1].lower() in (b"https", b"wss")
        and target[scheme.end() :].startswith(b"//")
    ):
        authority, target = _splitAuthority(target[scheme.end() + 2 :])
        named = [*named, authority]
        target = target if target.startswith(b"/") else b"/" + target
    elif not target.startswith(b"/") and not (target == b"*" and head.method == b"OPTIONS"):
        raise BadMessage("the request-target is not a path")
    for authority in named:
        if not _leadsTo(authority, origin):
            raise BadMessage(f"the tunnel leads to {origin}, and the request is for another host", 421)
    return Route(origin, target, origin.authority)


def _leadsTo(authority: bytes, origin: Origin) -> bool:
    asked = _origin(authority, _HTTPS_PORT)
    try:
        return (plainHost(asked.host), asked.port) == (origin.host, origin.port)
    except BadHost:
        return False


def routeTunnel(head: RequestHead) -> Origin:
    """
    The other end of the tunnel that a CONNECT request asks for.

    @raise BadMessage: the target is not HOST:PORT.
    """
    checkHost(head)
    origin = _origin(head.target, None)
    # Many clients leave the port out here, whichever it is.
    _checkAgreement(head, str(origin).encode("ascii"), Origin(origin.host, _HTTP_PORT).authority)
    return origin


def plainAuthority(authority: bytes) -> bytes:
    """An authority as it is compared: in lower case and without the port that goes without saying."""
    return authority.lower().removesuffix(b":80").removesuffix(b":")


def _checkAgreement(head: RequestHead, *authorities: bytes) -> None:
    for host in head.fields.values(b"host"):
        if not host or host in authorities:
            continue
        if plainAuthority(host) not in map(plainAuthority, authorities):
            raise BadMessage("the Host field and the request-target name different hosts")


def checkHost(head: RequestHead) -> None:
    """
    There must be exactly one Host field, in HTTP/1.0 at most one, and it must be one (RFC 9112, 3.2).

    @raise BadMessage: it is not so.
    """
    hosts = head.fields.values(b"host")
    if len(hosts) > 1:
        raise BadMessage("several Host fields")
    if not hosts and head.version is Version.HTTP11:
        raise BadMessage("no Host field in an HTTP/1.1 request")
    if hosts and hosts[0] and _AUTHORITY.fullmatch(hosts[0]) is None:
        raise BadMessage("the Host field is not HOST or HOST:PORT")


def _checkFragment(target: bytes) -> None:
    if b"#" in target:
        # It is no part of any request-target; who reads it as one, and who as an end, differs.
        raise BadMessage("a fragment in the request-target")


def _splitAuthority(text: bytes) -> tuple[bytes, bytes]:
    at = _PATH_BEGIN.search(text)
    assert at is not None
    return text[: at.start()], text[at.start() :]


@lru_cache(1024)
def _origin(authority: bytes, defaultPort: int | None) -> Origin:
    if b"@" in authority:
        raise BadMessage("user information in the request-target is not allowed")
    match = _AUTHORITY.fullmatch(authority)
    if match is None or _ADDRESS_OR_NAME.fullmatch(match[1]) is None:
        raise BadMessage("the authority of the request-target is not HOST or HOST:PORT")
    host, port = match[1].decode("ascii").lower(), match[2]
    if host.startswith("["):
        host = host[1:-1]
        try:
            IPv6Address(host)
        except AddressValueError:
            raise BadMessage("the host of the request-target is not an IPv6 address") from None
    if not port:
        if defaultPort is None:
            raise BadMessage("the request-target has no port")
        return Origin(host, defaultPort)
    if not 1 <= int(port) <= 65535:
        raise BadMessage("the port of the request-target is not between 1 and 65535")
    return Origin(host, int(port))
