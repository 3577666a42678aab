"""
Scenarios about more than one body: heads and statuses, ranges, methods, connections, and what no filter of
bytes can see.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from labnet.proxyselftest.scenario import (
    Ask,
    Expect,
    Marker,
    Plan,
    Reply,
    Scenario,
    Unbuildable,
    head,
    once,
    page,
    response,
)

__all__ = ["EXCHANGES"]

_CLEAN = page(b"A clean page, which mentions nothing. " * 40)
_TOKEN = re.compile(rb"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")


# Heads.


def _field(name: bytes, status: bytes = b"200 OK") -> Callable[[Marker], Plan]:
    """The word in the value of a field; C{name} ends with what stands before it."""
    return lambda marker: once(response(page(b"Nothing here."), name + marker.text, status=status))


def _fieldName(marker: Marker) -> Plan:
    if _TOKEN.fullmatch(marker.text) is None:
        raise Unbuildable("the word can not be written in the name of a field")
    return once(response(page(b"Nothing here."), b"X-" + marker.text + b": 1"))


def _interim(status: bytes, field: bytes) -> Callable[[Marker], Plan]:
    def build(marker: Marker) -> Plan:
        interim = b"HTTP/1.1 %b\r\n%b%b\r\n\r\n" % (status, field, marker.text)
        return once(interim + response(_CLEAN))

    return build


_HEADS = (
    Scenario("field", "Heads", "the word in a field", _field(b"X-Note: ")),
    Scenario("field-name", "Heads", "the word in the name of a field", _fieldName),
    Scenario("cookie", "Heads", "the word in a cookie", _field(b"Set-Cookie: note=")),
    Scenario("location", "Heads", "the word in a redirect", _field(b"Location: /next?", b"302 Found")),
    Scenario("file-name", "Heads", "the word in the name of a download",
             _field(b"Content-Disposition: attachment; filename=")),
    Scenario("reason", "Heads", "the word in the reason phrase",
             lambda marker: once(response(page(b"Nothing here."), status=b"200 " + marker.text))),
    Scenario("early-hints", "Heads", "the word in a 103 before the answer",
             _interim(b"103 Early Hints", b"Link: </>; title=")),
    Scenario("continue", "Heads", "the word in a 100 before the answer",
             _interim(b"100 Continue", b"X-Note: ")),
    Scenario("folded-field", "Heads", "the word in a field that is folded",
             _field(b"X-Note: something\r\n ")),
)  # fmt: skip


# Statuses.


def _status(status: bytes, *fields: bytes) -> Scenario:
    number = status[:3].decode()
    return Scenario(f"status-{number}", "Statuses", f"the word behind a {status.decode()}",
                    lambda marker: once(response(page(marker.text), *fields, status=status)))  # fmt: skip


def _partUnasked(marker: Marker) -> Plan:
    whole = page(marker.text)
    at = whole.index(marker.text)
    return once(
        response(
            whole[at : at + len(marker.text)],
            b"Content-Range: bytes %d-%d/%d" % (at, at + len(marker.text) - 1, len(whole)),
            status=b"206 Partial Content",
        )
    )


_STATUSES = (
    *map(_status, (b"203 Non-Authoritative Information", b"204 No Content", b"205 Reset Content",
                   b"304 Not Modified", b"404 Not Found", b"500 Internal Server Error", b"799 Odd")),
    _status(b"401 Unauthorized", b'WWW-Authenticate: Basic realm="x"'),
    Scenario("status-206", "Statuses", "a 206 that nobody asked for", _partUnasked),
)  # fmt: skip


# Ranges.


def _part(whole: bytes, first: int, last: int) -> bytes:
    about = b"Content-Range: bytes %d-%d/%d" % (first, last, len(whole))
    return response(whole[first : last + 1], about, b'ETag: "1"', status=b"206 Partial Content")


def _halves(*fields: bytes) -> Callable[[Marker], Plan]:
    """The client asks for the two halves of the page, which is cut in the middle of the word."""

    def build(marker: Marker) -> Plan:
        whole = page(marker.text)
        at = whole.index(marker.text) + marker.middle
        first, second = b"bytes=0-%d" % (at - 1), b"bytes=%d-" % at
        asks = [Ask(fields=(b"Range: " + part, *fields)) for part in (first, second)]
        replies = (
            Reply((_part(whole, 0, at - 1),), when=first),
            Reply((_part(whole, at, len(whole) - 1),), when=second),
            Reply((response(whole, b"Accept-Ranges: bytes", b'ETag: "1"'),)),
        )
        return Plan(tuple((ask,) for ask in asks), replies)

    return build


def _multipart(marker: Marker) -> Plan:
    whole = page(marker.text)
    at = whole.index(marker.text) + marker.middle
    ranges = b"bytes=0-%d,%d-" % (at - 1, at)
    parts = b"".join(
        b"--part\r\nContent-Type: text/html\r\nContent-Range: bytes %d-%d/%d\r\n\r\n%b\r\n"
        % (first, last, len(whole), whole[first : last + 1])
        for first, last in ((0, at - 1), (at, len(whole) - 1))
    )
    media = b"multipart/byteranges; boundary=part"
    answer = response(parts + b"--part--\r\n", status=b"206 Partial Content", media=media)
    replies = (Reply((answer,), when=b"bytes=0-"), Reply((response(whole),)))
    return Plan(((Ask(fields=(b"Range: " + ranges,)),),), replies)


_RANGES = (
    Scenario("range-halves", "Ranges", "the two halves of the word in two requests", _halves()),
    Scenario("if-range", "Ranges", "the same, with If-Range", _halves(b'If-Range: "1"')),
    Scenario("request-range", "Ranges", "the same, with the field Request-Range besides",
             _halves(b"Request-Range: bytes=0-")),
    Scenario("multipart", "Ranges", "the two halves of the word in one multipart answer", _multipart),
)  # fmt: skip


# Methods and connections.


def _method(method: bytes, body: bytes = b"") -> Scenario:
    fields = (b"Content-Length: %d" % len(body),) if body else ()
    return Scenario(f"method-{method.decode().lower()}", "Requests", f"the answer to a {method.decode()}",
                    lambda marker: once(response(page(marker.text)),
                                        ask=Ask(method=method, fields=fields, body=body)))  # fmt: skip


def _headThenGet(marker: Marker) -> Plan:
    whole = response(page(marker.text))
    replies = (Reply((whole.partition(b"<")[0],), when=b"head "), Reply((whole,)))
    return Plan(((Ask(method=b"HEAD"),), (Ask(),)), replies)


def _headField(marker: Marker) -> Plan:
    answer = response(_CLEAN, b"X-Note: " + marker.text)
    return once(answer.partition(b"<")[0], ask=Ask(method=b"HEAD"))


def _headBody(marker: Marker) -> Plan:
    return once(response(page(marker.text)), ask=Ask(method=b"HEAD"))


def _pipelined(marker: Marker) -> Plan:
    replies = (
        Reply((response(_CLEAN),), when=b"/first", closes=False),
        Reply((response(page(marker.text)),)),
    )
    return Plan(((Ask(b"first", keeps=True), Ask(b"second")),), replies)


def _cleanPipelined(marker: Marker) -> Plan:
    pages = [page(b"Page number %d." % number) for number in range(3)]
    replies = tuple(
        Reply((response(content),), when=b"/%d " % number, closes=False)
        for number, content in enumerate(pages)
    )
    asks = tuple(Ask(b"%d" % number, keeps=number < 2) for number in range(3))
    return Plan((asks,), replies, content=b"".join(pages))


def _upgrade(marker: Marker) -> Plan:
    fields = (b"Upgrade: websocket", b"Sec-WebSocket-Version: 13",
              b"Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==")  # fmt: skip
    switched = head(b"Upgrade: websocket", b"Connection: Upgrade",
                    b"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=",
                    status=b"101 Switching Protocols", media=b"")  # fmt: skip
    frame = b"\x81" + bytes((len(marker.text),)) + marker.text
    ask = Ask(fields=(*fields, b"Connection: Upgrade"), keeps=True)
    return once(switched + frame, ask=ask)


_REQUESTS = (
    _method(b"POST", b"a=b"),
    _method(b"OPTIONS"),
    _method(b"PROPFIND"),
    Scenario("head-get", "Requests", "a HEAD, then a GET", _headThenGet),
    Scenario("head-field", "Requests", "a HEAD, the word in a field", _headField),
    Scenario("head-body", "Requests", "a HEAD that is answered with a page", _headBody),
    Scenario("pipelined", "Requests", "two requests at once, the word in the second answer", _pipelined),
    Scenario("clean-pipelined", "Requests", "three requests at once, clean pages", _cleanPipelined,
             Expect.CLEAN),
    Scenario("no-transform", "Requests", "Cache-Control: no-transform",
             lambda marker: once(response(page(marker.text), b"Cache-Control: no-transform"))),
    Scenario("tunnel", "Requests", "through CONNECT: a tunnel is not inspected",
             lambda marker: once(response(page(marker.text)), ask=Ask(tunnel=True)), note=True),
    Scenario("upgrade", "Requests", "an Upgrade to WebSocket: what follows is not inspected", _upgrade,
             note=True),
)  # fmt: skip


# What only the reader of the page sees.


def _disguised(name: str, line: str, disguise: Callable[[bytes], bytes]) -> Scenario:
    """Bytes that a person, or a script, makes the word of."""

    def build(marker: Marker) -> Plan:
        hidden = marker.nonce + disguise(marker.word)
        if hidden == marker.text:
            raise Unbuildable("with this word there is no difference")
        return once(response(page(hidden)), proof=hidden)

    return Scenario(name, "Disguises", line, build, note=True)


def _between(between: str) -> Callable[[bytes], bytes]:
    def disguise(word: bytes) -> bytes:
        text = word.decode()
        middle = len(text) // 2
        return (text[:middle] + between + text[middle:]).encode()

    return disguise


_DISGUISES = (
    _disguised("other-case", "the word in other letters, upper and lower", bytes.swapcase),
    _disguised("entities", "the word as HTML entities",
               lambda word: b"".join(b"&#%d;" % ord(character) for character in word.decode())),
    _disguised("percent", "the word as in a URL", lambda word: b"".join(b"%%%02X" % byte for byte in word)),
    _disguised("script-escapes", "the word as in a script",
               lambda word: b"".join(b"\\u%04x" % ord(character) for character in word.decode())),
    _disguised("comment", "an HTML comment inside the word", _between("<!-- -->")),
    _disguised("nul-inside", "a NUL inside the word, which browsers drop", _between("\0")),
    _disguised("soft-hyphen", "a soft hyphen inside the word", _between("\u00ad")),
)  # fmt: skip

EXCHANGES = (*_HEADS, *_STATUSES, *_RANGES, *_REQUESTS, *_DISGUISES)
