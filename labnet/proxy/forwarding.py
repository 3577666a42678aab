"""
What a proxy changes in a head before it passes it on (RFC 9110, 7.6).
"""

from __future__ import annotations

from email.utils import formatdate

from labnet.proxy.inspection import AVAILABLE_CODINGS
from labnet.proxy.target import Route
from labnet.proxy.wire import BodyReader, ChunkedBody, Fields, RequestHead, ResponseHead, Version

__all__ = ["connectionFields", "forwardedRequest", "forwardedResponse", "viaNames"]

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

#: What Connection can not take away: the message would change its meaning.
_END_TO_END = frozenset((b"host", b"content-length", b"content-encoding", b"content-type", b"via", b"date"))


def connectionFields(fields: Fields) -> frozenset[bytes]:
    """The names of the fields that go no further than this connection."""
    named = frozenset(fields.tokens(b"connection")) | frozenset(fields.tokens(b"proxy-connection"))
    return _HOP_BY_HOP | (named - _END_TO_END)


def viaNames(fields: Fields) -> list[bytes]:
    """Who has passed this message on already, by the Via fields (RFC 9110, 7.6.3)."""
    return [words[1] for words in (member.split() for member in fields.members(b"via")) if len(words) > 1]


def forwardedRequest(
    head: RequestHead, route: Route, body: BodyReader, name: bytes, inspected: bool, heldSize: int | None
) -> bytes:
    """
    The bytes of the request's head as it goes to the origin.

    @param body: how its body is delimited.
    @param name: ours, for Via.
    @param inspected: the response will be looked at: so it must come whole and in a coding we know.
    @param heldSize: the size of the body, if it was held and is known now.
    """
    fields = head.fields.without(connectionFields(head.fields))
    if inspected:
        fields = fields.without((b"range", b"if-range"))
        _restrictCodings(fields)
    fields.replace(b"Host", route.host)
    if heldSize is not None:
        fields = fields.without((b"expect",))
        fields.replace(b"Content-Length", b"%d" % heldSize)
    elif isinstance(body, ChunkedBody):
        fields.add(b"Transfer-Encoding", b"chunked")
    elif b"content-length" in fields:
        fields.replace(b"Content-Length", fields.values(b"content-length")[0].partition(b",")[0].strip())
    fields.add(b"Via", head.version.value.removeprefix(b"HTTP/") + b" " + name)
    return b"%b %b HTTP/1.1\r\n%b\r\n" % (head.method, route.target, fields.encode())


def _restrictCodings(fields: Fields) -> None:
    """Ask only for content codings that can be looked into (RFC 9110, 12.5.3)."""
    if b"accept-encoding" not in fields:
        return
    known = [
        member
        for member in fields.members(b"accept-encoding")
        if member.partition(b";")[0].strip().lower() in (*AVAILABLE_CODINGS, b"identity")
    ]
    fields.replace(b"Accept-Encoding", b", ".join(known) or b"identity")


def forwardedResponse(
    head: ResponseHead,
    name: bytes,
    *,
    framing: tuple[bytes, bytes] | None,
    connection: bytes,
    location: tuple[bytes, bytes] | None = None,
) -> bytes:
    """
    The bytes of the response's head as it goes to the client.

    @param name: ours, for Via.
    @param framing: the field that delimits the body now; L{None} leaves Content-Length as it came.
    @param connection: what to say of the client's connection; empty for nothing.
    @param location: a prefix of Location to replace, and by what.
    """
    fields = head.fields.without(connectionFields(head.fields))
    if framing is not None:
        if framing[0] != b"Content-Length":
            fields = fields.without((b"content-length",))
        fields.replace(*framing)
    elif b"content-length" in fields:
        fields.replace(b"Content-Length", fields.values(b"content-length")[0].partition(b",")[0].strip())
    if location is not None and b"location" in fields:
        value = fields.values(b"location")[0]
        path = value.removeprefix(location[0])
        if path != value and path[:1] in (b"", b"/", b"?", b"#"):
            fields.replace(b"Location", location[1] + path)
    if b"date" not in fields and head.status >= 200:
        fields.add(b"Date", formatdate(usegmt=True).encode("ascii"))
    fields.add(b"Via", head.version.value.removeprefix(b"HTTP/") + b" " + name)
    if connection:
        fields.add(b"Connection", connection)
    return ResponseHead(head.status, head.reason, Version.HTTP11, fields).encode()
