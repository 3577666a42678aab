"""
What a proxy changes in a head before it passes it on (RFC 9110, 7.6).
"""

from __future__ import annotations

import re
from email.utils import formatdate
from functools import lru_cache

from labnet.proxy.body import BodyReader, ChunkedBody
from labnet.proxy.decoding import AVAILABLE_CODINGS
from labnet.proxy.target import Route, plainAuthority
from labnet.proxy.wire import (
    BadMessage,
    Fields,
    RequestHead,
    ResponseHead,
    Version,
)

__all__ = [
    "checkConnection",
    "connectionFields",
    "forwardedRequest",
    "forwardedResponse",
    "mostForwards",
    "returned",
    "switchedTo",
    "upgradesAsked",
    "viaNames",
]

#: The fields that concern one connection only, whether Connection names them or not.
_HOP_BY_HOP = frozenset(
    (
        b"connection",
        b"keep-alive",
        b"proxy-authenticate",
        b"proxy-authentication-info",
        b"proxy-authorization",
        b"proxy-connection",
        b"te",
        b"trailer",
        b"transfer-encoding",
        b"upgrade",
    )
)

#: What Connection must not name, because it is for all recipients: these a proxy has to pass on as they are
#: (RFC 9110, 11.6; RFC 9111, 5.2), or the content would be read in another way than it was looked at.
_FOR_ALL = frozenset(
    (
        b"authorization",
        b"cache-control",
        b"content-encoding",
        b"content-range",
        b"content-type",
        b"www-authenticate",
    )
)

#: What Connection can not take away, because each connection has its own.
_MADE_ANEW = frozenset((b"content-length", b"host"))

_LENGTH = re.compile(rb"[ \t]*(\d{1,18})[ \t]*(?:,[ \t]*\1[ \t]*)*")
_WEIGHT = re.compile(rb"(?i)[ \t]*;[ \t]*q[ \t]*=[ \t]*([01](?:\.\d{0,3})?)[ \t]*")
_LOCATION = re.compile(rb"(?i:http)://([^/?#]*)([/?#].*)?", re.DOTALL)
_MOST_FORWARDS = 10**9
#: What a client that takes any coding is offered; an alias is not.
_OFFERED = tuple(coding for coding in AVAILABLE_CODINGS if not coding.startswith(b"x-"))


def connectionFields(fields: Fields) -> frozenset[bytes]:
    """The names of the fields that go no further than this connection."""
    named = fields.tokens(b"connection") + fields.tokens(b"proxy-connection")
    return _HOP_BY_HOP.union(named) - _MADE_ANEW if named else _HOP_BY_HOP


def checkConnection(fields: Fields) -> None:
    """
    See that Connection takes nothing away that is for all recipients (RFC 9110, 7.6.1).

    @raise BadMessage: it does.
    """
    for option in fields.tokens(b"connection") + fields.tokens(b"proxy-connection"):
        if option in _FOR_ALL:
            raise BadMessage(f"Connection names {option.decode('ascii')}, which is for all recipients")


def viaNames(fields: Fields) -> list[bytes]:
    """Who has passed this message on already, by the Via fields (RFC 9110, 7.6.3)."""
    return [words[1] for words in (member.split() for member in fields.members(b"via")) if len(words) > 1]


def mostForwards(head: RequestHead) -> int | None:
    """
    How many proxies an OPTIONS or TRACE request may still pass; L{None} for any number. At 0 the proxy
    has to answer it itself (RFC 9110, 7.6.2).
    """
    values = head.fields.values(b"max-forwards")
    if head.method not in (b"OPTIONS", b"TRACE") or len(values) != 1 or not values[0].isdigit():
        return None
    digits = values[0].lstrip(b"0") or b"0"
    return int(digits) if len(digits) < 10 else _MOST_FORWARDS


def upgradesAsked(head: RequestHead, allowed: frozenset[bytes]) -> tuple[bytes, ...]:
    """
    To which protocols a request may change its connection (RFC 9110, 7.8).

    @param allowed: those to which any may, in lower case.
    """
    if not allowed or head.version is Version.HTTP10 or b"upgrade" not in head.fields.tokens(b"connection"):
        return ()
    return tuple(name for name in head.fields.members(b"upgrade") if name.lower() in allowed)


def switchedTo(head: ResponseHead, asked: tuple[bytes, ...]) -> bytes:
    """
    To what a 101 (Switching Protocols) changes the connection: the value of its Upgrade field.

    @param asked: what the request asked for.
    @raise BadMessage: it was not asked for.
    """
    names = head.fields.members(b"upgrade")
    known = {name.lower() for name in asked}
    if not known:
        raise BadMessage("the origin switched protocols without being asked")
    if (
        not names
        or b"upgrade" not in head.fields.tokens(b"connection")
        or any(n.lower() not in known for n in names)
    ):
        raise BadMessage("the origin switched to a protocol that was not asked for")
    return b", ".join(names)


def forwardedRequest(
    head: RequestHead,
    route: Route,
    body: BodyReader,
    name: bytes,
    inspected: bool,
    heldSize: int | None,
    upgrades: tuple[bytes, ...] = (),
) -> bytes:
    """
    The bytes of the request's head as it goes to the origin.

    @param body: how its body is delimited.
    @param name: ours, for Via.
    @param inspected: the response will be looked at: so it must come whole and in a coding we know.
    @param heldSize: the size of the body, if it was held and is known now.
    @param upgrades: the protocols to which the connection may change.
    """
    fields = head.fields
    section = (_rememberedRequest if fields.shared else _requestSection)(
        fields,
        head.version,
        route.host,
        name,
        inspected,
        isinstance(body, ChunkedBody),
        heldSize,
        mostForwards(head),
        route.authorization,
        upgrades,
    )
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (head.method, route.target, section)


def _requestSection(
    asked: Fields,
    version: Version,
    host: bytes,
    name: bytes,
    inspected: bool,
    chunked: bool,
    heldSize: int | None,
    left: int | None,
    authorization: bytes,
    upgrades: tuple[bytes, ...],
) -> bytes:
    """
    The fields of a request as they go to the origin.

    @param asked: as they came.
    @param chunked: whether its body is.
    @param left: how many proxies it may still pass, if that is limited.
    @param authorization: for the next proxy.
    """
    fields = asked.without(connectionFields(asked))
    if inspected:
        fields = fields.without((b"range", b"if-range"))
        _restrictCodings(fields)
        if b"text/event-stream" in fields.tokens(b"accept"):
            # A stream can be looked at as it comes only where it has no coding.
            fields.replace(b"Accept-Encoding", b"identity")
    if b"host" in fields:
        fields.replace(b"Host", host)
    else:
        fields = Fields([(b"Host", host), *fields])
    if heldSize is not None or version is Version.HTTP10:
        # What was held does not wait for 100 (Continue), and HTTP/1.0 does not know it (RFC 9110, 10.1.1).
        fields = fields.without((b"expect",))
    if heldSize is not None:
        fields.replace(b"Content-Length", b"%d" % heldSize)
    elif chunked:
        fields.add(b"Transfer-Encoding", b"chunked")
    else:
        fields = _oneLength(fields)
    if left is not None:
        fields.replace(b"Max-Forwards", b"%d" % max(0, left - 1))
    fields.add(b"Via", _viaMember(version, name))
    if authorization:
        fields.add(b"Proxy-Authorization", authorization)
    if upgrades:
        fields.add(b"Connection", b"Upgrade")
        fields.add(b"Upgrade", b", ".join(upgrades))
    return fields.encode()


#: A client that asks again, asks with the same fields.
_rememberedRequest = lru_cache(512)(_requestSection)


def _viaMember(version: Version, name: bytes) -> bytes:
    return version.value.removeprefix(b"HTTP/") + b" " + name


def _oneLength(fields: Fields) -> Fields:
    """One Content-Length with one number, where there were several that agree; none, where it is none."""
    if b"content-length" not in fields:
        return fields
    match = _LENGTH.fullmatch(b",".join(fields.values(b"content-length")))
    if match is None:
        return fields.without((b"content-length",))
    fields.replace(b"Content-Length", match[1])
    return fields


def _restrictCodings(fields: Fields) -> None:
    """
    Ask only for content codings that can be looked into (RFC 9110, 12.5.3). A star becomes what it
    stands for as far as we know it, and keeps its refusal of everything else.
    """
    if b"accept-encoding" not in fields:
        return
    members = fields.members(b"accept-encoding")
    named = {member.partition(b";")[0].strip().lower() for member in members}
    asked: list[bytes] = []
    for member in members:
        coding, semicolon, parameters = member.partition(b";")
        coding = coding.strip().lower()
        if coding in AVAILABLE_CODINGS or coding == b"identity":
            asked.append(member)
        elif coding == b"*" and _refused(semicolon + parameters):
            asked += [] if b"identity" in named else [b"identity;q=0"]
        elif coding == b"*":
            asked += [other + semicolon + parameters for other in _OFFERED if other not in named]
    fields.replace(b"Accept-Encoding", b", ".join(asked) or b"identity")


def _refused(parameters: bytes) -> bool:
    """Whether the weight of a member is zero."""
    match = _WEIGHT.fullmatch(parameters)
    return match is not None and float(match[1]) == 0


def forwardedResponse(
    head: ResponseHead,
    name: bytes,
    *,
    now: float,
    framing: tuple[bytes, bytes] | None,
    connection: bytes,
    location: tuple[bytes, bytes] | None = None,
    upgrade: bytes = b"",
) -> bytes:
    """
    The bytes of the response's head as it goes to the client.

    @param name: ours, for Via.
    @param now: the time, in seconds since 1970, for a Date where the origin gave none (RFC 9110, 6.6.1).
    @param framing: the field that delimits the body now; L{None} leaves Content-Length as it came,
        unless it does not say how long the body is.
    @param connection: what to say of the client's connection; empty for nothing.
    @param location: a prefix of Location to replace, and by what: C{http://} and an authority each; see
        L{returned}.
    @param upgrade: the protocol to which the connection changes with this response.
    """
    # Overridden (RFC 9112, 6.3), or not to be there (RFC 9110, 8.6): it does not say how long the body is.
    unlengthened = b"transfer-encoding" in head.fields or head.status < 200 or head.status == 204
    section = (_rememberedResponse if head.fields.shared else _responseSection)(
        head.fields, head.version, name, unlengthened, framing, connection, location, upgrade
    )
    if b"date" not in head.fields and head.status >= 200:
        section += b"Date: %b\r\n" % formatdate(now, usegmt=True).encode("ascii")
    return b"HTTP/1.1 %d %b\r\n%b\r\n" % (head.status, head.reason, section)


def _responseSection(
    given: Fields,
    version: Version,
    name: bytes,
    unlengthened: bool,
    framing: tuple[bytes, bytes] | None,
    connection: bytes,
    location: tuple[bytes, bytes] | None,
    upgrade: bytes,
) -> bytes:
    """
    The fields of a response as they go to the client.

    @param given: as they came.
    @param unlengthened: a Content-Length among them has no meaning.
    """
    fields = given.without(connectionFields(given))
    if framing is not None:
        if framing[0].lower() != b"content-length":
            fields = fields.without((b"content-length",))
            fields.add(*framing)
        elif given.values(b"content-length") != [framing[1]]:
            fields.replace(*framing)
    elif unlengthened:
        fields = fields.without((b"content-length",))
    else:
        fields = _oneLength(fields)
    if location is not None:
        _relocate(fields, *location)
    fields.add(b"Via", _viaMember(version, name))
    if connection:
        fields.add(b"Connection", connection)
    if upgrade:
        fields.add(b"Upgrade", upgrade)
    return fields.encode()


#: An origin that answers again, often answers with the same fields.
_rememberedResponse = lru_cache(512)(_responseSection)


def returned(head: RequestHead, route: Route) -> tuple[bytes, bytes] | None:
    """
    The C{location} of L{forwardedResponse}: in fixed-target mode a redirect to the origin itself leads back
    to the proxy.

    @param head: of the request.
    """
    asked = head.fields.values(b"host")
    if not asked or head.target[:1] != b"/" or asked[0] == route.host:
        return None
    if route.origin.secure:
        # The client is at the origin by its own name.
        return None
    return b"http://" + route.host, b"http://" + asked[0]


def _relocate(fields: Fields, origin: bytes, proxy: bytes) -> None:
    """Let a redirect to the origin lead to the proxy."""
    values = fields.values(b"location")
    if len(values) != 1:
        return
    match = _LOCATION.fullmatch(values[0])
    if match is not None and plainAuthority(match[1]) == plainAuthority(origin.partition(b"//")[2]):
        fields.replace(b"Location", proxy + (match[2] or b""))
