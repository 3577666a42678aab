"""
What a client sends: requests of HTTP/1.1 and HTTP/1.0, as bytes.
"""

from __future__ import annotations

import re
from base64 import b64encode
from dataclasses import dataclass, replace

from labnet.proxy.wire import Fields, ResponseHead, Version
from labnet.web.target import URL

__all__ = ["Manner", "Request", "encodeConnect", "encodeHead", "parseField", "redirected", "withoutSecrets"]

_FIELD = re.compile(rb"([!#$%&'*+\-.^_`|~0-9A-Za-z]+):[ \t]*([\t\x20-\x7e\x80-\xff]*)")
_SECRETS = re.compile(rb"(?im)^((?:proxy-)?authorization|cookie):[^\r\n]*")
#: What says who asks: for one origin, and no other.
_OF_ONE_ORIGIN = frozenset((b"authorization", b"cookie", b"host"))
_OF_THE_BODY = frozenset((b"content-type", b"content-length", b"content-encoding", b"transfer-encoding"))
_REDIRECTIONS = frozenset((301, 302, 303, 307, 308))


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request.

    @ivar fields: in addition to those that it needs, and in place of those of the same name; one with an
        empty value takes the place and is not sent.
    @ivar body: L{None} for none at all.
    """

    url: URL
    method: bytes = b"GET"
    fields: tuple[tuple[bytes, bytes], ...] = ()
    body: bytes | None = None
    version: Version = Version.HTTP11


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How to ask.

    @ivar proxy: through this HTTP proxy.
    @ivar insecure: take any certificate.
    @ivar cafile: trust the certificates in this file (PEM), and no others.
    @ivar timeout: seconds to connect, and then seconds in which nothing comes.
    @ivar maxTime: seconds for everything; 0 for no limit.
    @ivar maxSize: of the body, in bytes; 0 for no limit.
    @ivar follow: how often an answer that sends us elsewhere is followed.
    @ivar agent: what we call ourselves.
    """

    proxy: URL | None = None
    insecure: bool = False
    cafile: str | None = None
    timeout: float = 30.0
    maxTime: float = 0.0
    maxSize: int = 64 * 1024 * 1024
    follow: int = 0
    agent: bytes = b"labnet"


def parseField(text: bytes) -> tuple[bytes, bytes]:
    """
    Read C{Name: value}.

    @raise ValueError: it is not of that form.
    """
    match = _FIELD.fullmatch(text)
    if match is None:
        raise ValueError("a field is of the form 'Name: value'")
    return match[1], match[2].rstrip()


def encodeHead(request: Request, agent: bytes, proxy: URL | None = None) -> bytes:
    """
    The head of a request, up to and with its empty line.

    @param agent: what the client calls itself.
    @param proxy: the proxy it is sent to: then the whole URL is its target (RFC 9112, 3.2.2).
    """
    url = request.url
    target = url.target if proxy is None else str(url).encode("ascii")
    fields = [(b"Host", url.authority), (b"User-Agent", agent), (b"Accept", b"*/*")]
    if request.version is Version.HTTP11:
        fields.append((b"Connection", b"close"))
    if url.credentials is not None:
        fields.append((b"Authorization", _basic(url.credentials)))
    if proxy is not None and proxy.credentials is not None:
        fields.append((b"Proxy-Authorization", _basic(proxy.credentials)))
    if request.body is not None:
        fields.append((b"Content-Length", b"%d" % len(request.body)))
    given = {name.lower() for name, _ in request.fields}
    sent = Fields(field for field in fields if field[0].lower() not in given)
    for name, value in request.fields:
        if value:
            sent.add(name, value)
    return b"%b %b %b\r\n%b\r\n" % (request.method, target, request.version.value, sent.encode())


def encodeConnect(url: URL, agent: bytes, proxy: URL) -> bytes:
    """The request that asks a proxy for a tunnel to the origin of C{url} (RFC 9110, 9.3.6)."""
    place = url.place.encode("ascii")
    fields = Fields(((b"Host", place), (b"User-Agent", agent)))
    if proxy.credentials is not None:
        fields.add(b"Proxy-Authorization", _basic(proxy.credentials))
    return b"CONNECT %b HTTP/1.1\r\n%b\r\n" % (place, fields.encode())


def redirected(request: Request, head: ResponseHead) -> Request | None:
    """
    The request that follows from an answer that sends us elsewhere (RFC 9110, 15.4), or L{None}.

    @raise BadURL: it leads nowhere.
    """
    locations = head.fields.values(b"location")
    if head.status not in _REDIRECTIONS or not locations:
        return None
    url = request.url.joined(locations[0])
    dropped = frozenset[bytes]() if url.sameOrigin(request.url) else _OF_ONE_ORIGIN
    method, body = request.method, request.body
    if (head.status == 303 and method != b"HEAD") or (head.status < 303 and method == b"POST"):
        method, body = b"GET", None
        dropped |= _OF_THE_BODY
    fields = tuple(field for field in request.fields if field[0].lower() not in dropped)
    return replace(request, url=url, method=method, body=body, fields=fields)


def withoutSecrets(head: bytes) -> bytes:
    """A request's head as it may be shown."""
    return _SECRETS.sub(rb"\1: (not shown)", head)


def _basic(credentials: bytes) -> bytes:
    if b":" not in credentials:
        credentials += b":"
    return b"Basic " + b64encode(credentials)
