"""
Scenarios about what a body means: codings, charsets, media types, sizes.
"""

from __future__ import annotations

import base64
from collections.abc import Callable
from functools import cache

from labnet.proxyselftest.codings import PRIVATE, encoded
from labnet.proxyselftest.scenario import (
    Ask,
    Expect,
    Marker,
    Plan,
    Reply,
    Scenario,
    chunks,
    head,
    once,
    page,
    response,
)

__all__ = ["CONTENTS"]

_MIB = 2**20
_FILLER = page(b"A clean page, which mentions nothing. " * 40)


# Codings.


def _longPage(marker: Marker) -> bytes:
    """Long and varied enough for every coder: in a short one zstd leaves the word as it is."""
    lines = (b"Line %d, which mentions %x and nothing else.\n" % (line, line * 7_919) for line in range(40))
    return page(marker.text + b"".join(lines))


def _coded(*codings: str, field: bytes = b"") -> Callable[[Marker], Plan]:
    """A page in codings, the first applied first, under the names that Content-Encoding has for them."""

    def build(marker: Marker) -> Plan:
        body = _longPage(marker)
        for coding in codings:
            body = encoded(coding, body)
        names = [b"deflate" if coding in ("zlib", "raw") else coding.encode() for coding in codings]
        return once(response(body, b"Content-Encoding: " + (field or b", ".join(names))))

    return build


def _lied(field: bytes, body: Callable[[bytes], bytes] = bytes) -> Callable[[Marker], Plan]:
    """A page whose Content-Encoding is not what it is."""
    return lambda marker: once(response(body(page(marker.text)), b"Content-Encoding: " + field))


def _gzip(data: bytes) -> bytes:
    return encoded("gzip", data)


def _members(marker: Marker) -> Plan:
    whole = page(marker.text)
    at = whole.index(marker.text) + marker.middle
    return once(response(_gzip(whole[:at]) + _gzip(whole[at:]), b"Content-Encoding: gzip"))


def _tail(marker: Marker) -> Plan:
    return once(response(_gzip(_FILLER) + page(marker.text), b"Content-Encoding: gzip"))


def _frames(marker: Marker) -> Plan:
    body = b"".join(encoded("zstd", part) for part in (page(b"Nothing."), *marker.halves))
    return once(response(body, b"Content-Encoding: zstd"))


def _twoFields(marker: Marker) -> Plan:
    body = _gzip(encoded("zlib", page(marker.text)))
    return once(response(body, b"Content-Encoding: deflate", b"Content-Encoding: gzip"))


def _cutGzip(marker: Marker) -> Plan:
    return once(response(_gzip(page(marker.text))[:-8], b"Content-Encoding: gzip"))


def _gzipChunks(marker: Marker) -> Plan:
    body = _gzip(page(marker.text))
    pieces = chunks(*(body[at : at + 3] for at in range(0, len(body), 3)))
    return once(head(b"Content-Encoding: gzip", b"Transfer-Encoding: chunked") + pieces)


def _transferGzip(marker: Marker) -> Plan:
    body = chunks(_gzip(page(marker.text)))
    return once(head(b"Transfer-Encoding: gzip, chunked") + body, ask=Ask(fields=(b"TE: gzip",)))


def _private(marker: Marker) -> Plan:
    """An origin that gives the coding only to whom asks for it."""
    asked = Ask(fields=(b"Accept-Encoding: " + PRIVATE,))
    hidden = response(page(marker.text)[::-1], b"Content-Encoding: " + PRIVATE)
    replies = (Reply((hidden,), when=PRIVATE), Reply((response(page(marker.text)),)))
    return Plan(((asked,),), replies)


def _cleanCoded(coding: str) -> Callable[[Marker], Plan]:
    """A clean page in a coding, for whom asks for it: a proxy may ask for less than its client."""

    def build(marker: Marker) -> Plan:
        wanted = b"Accept-Encoding: " + coding.encode()
        coded = response(encoded(coding, _FILLER), b"Content-Encoding: " + coding.encode())
        replies = (Reply((coded,), when=wanted), Reply((response(_FILLER),)))
        return Plan(((Ask(fields=(wanted,)),),), replies, content=_FILLER)

    return build


_CODINGS = (
    Scenario("gzip", "Codings", "gzip", _coded("gzip")),
    Scenario("gzip-members", "Codings", "gzip in two members, the word over both", _members),
    Scenario("gzip-chunks", "Codings", "gzip in chunks of three bytes", _gzipChunks),
    Scenario("gzip-cut", "Codings", "gzip without its checksum", _cutGzip),
    Scenario("gzip-tail", "Codings", "gzip of a clean page, and the word plain behind it", _tail),
    Scenario("gzip-case", "Codings", "Content-Encoding: GZip", _coded("gzip", field=b"GZip")),
    Scenario("x-gzip", "Codings", "Content-Encoding: x-gzip", _coded("gzip", field=b"x-gzip")),
    Scenario("deflate", "Codings", "deflate, as the standard says", _coded("zlib")),
    Scenario("deflate-raw", "Codings", "deflate, as many servers send it", _coded("raw")),
    Scenario("br", "Codings", "brotli", _coded("br")),
    Scenario("zstd", "Codings", "zstd", _coded("zstd")),
    Scenario("zstd-frames", "Codings", "zstd in three frames, the word over two of them", _frames),
    Scenario("gzip-gzip", "Codings", "gzip twice", _coded("gzip", "gzip")),
    Scenario("deflate-gzip", "Codings", "deflate, then gzip", _coded("zlib", "gzip")),
    Scenario("two-fields", "Codings", "deflate, then gzip, in two fields", _twoFields),
    Scenario("four-codings", "Codings", "gzip four times", _coded("gzip", "gzip", "gzip", "gzip")),
    Scenario("transfer-gzip", "Codings", "Transfer-Encoding: gzip, chunked", _transferGzip),
    Scenario("private-coding", "Codings", "a coding that only origin and client know", _private),
    Scenario("not-gzip", "Codings", "plain text that says it is gzip", _lied(b"gzip")),
    Scenario("unknown-coding", "Codings", "plain text in a coding that nobody knows", _lied(b"x-nobody")),
    Scenario("identity", "Codings", "Content-Encoding: identity", _lied(b"identity")),
    Scenario("gzip-identity", "Codings", "Content-Encoding: gzip, identity",
             _lied(b"gzip, identity", _gzip)),
    Scenario("undeclared-gzip", "Codings", "gzip that says it is plain: a browser saves it as it is",
             lambda marker: once(response(_gzip(page(marker.text))), proof=_gzip(page(marker.text))),
             note=True),
    Scenario("clean-gzip", "Codings", "a clean page in gzip", _cleanCoded("gzip"), Expect.CLEAN),
    Scenario("clean-br", "Codings", "a clean page in brotli", _cleanCoded("br"), Expect.CLEAN),
)  # fmt: skip


# Charsets.


def _inCharset(codec: str, media: bytes, mark: bytes = b"") -> Callable[[Marker], Plan]:
    def build(marker: Marker) -> Plan:
        return once(response(mark + marker.encoded(codec, page(marker.text)), media=media))

    return build


_ISO_2022_JP = b"text/html; charset=iso-2022-jp"


def _meta(marker: Marker) -> Plan:
    text = b'<meta charset="iso-2022-jp">' + page(_escaped(marker))
    return once(response(text, media=b"text/html"))


def _escaped(marker: Marker) -> bytes:
    """In ISO-2022-JP the word may have shifts to where one is already in it: a browser drops them."""
    marker.encoded("ascii")
    first, second = marker.halves
    return first + b"\x1b(J\x1b(B" + second


def _utf7(marker: Marker) -> Plan:
    """Letters that need no encoding may be encoded all the same."""
    coded = base64.b64encode(marker.encoded("utf-16-be", marker.word)).rstrip(b"=")
    hidden = marker.nonce + b"+" + coded + b"-"
    return once(response(page(hidden), media=b"text/html; charset=utf-7"))


_CHARSETS = (
    Scenario("utf-16-mark", "Charsets", "UTF-16 with a byte order mark, undeclared",
             _inCharset("utf-16-le", b"text/html", b"\xff\xfe")),
    Scenario("utf-16-be", "Charsets", "UTF-16, big end first, declared",
             _inCharset("utf-16-be", b"text/html; charset=utf-16be")),
    Scenario("utf-16-le", "Charsets", "UTF-16, little end first, declared",
             _inCharset("utf-16-le", b"text/html; charset=utf-16le")),
    Scenario("utf-8-mark", "Charsets", "UTF-8 with a byte order mark, declared as something else",
             _inCharset("utf-8", b"text/html; charset=iso-8859-1", b"\xef\xbb\xbf")),
    Scenario("iso-8859-2", "Charsets", "ISO-8859-2, declared",
             _inCharset("iso8859-2", b"text/html; charset=iso-8859-2")),
    Scenario("windows-1252", "Charsets", "windows-1252, declared",
             _inCharset("cp1252", b"text/html; charset=windows-1252")),
    Scenario("iso-2022-jp", "Charsets", "ISO-2022-JP, declared, with shifts inside the word",
             lambda marker: once(response(page(_escaped(marker)), media=_ISO_2022_JP))),
    Scenario("iso-2022-jp-meta", "Charsets", "the same, declared in the page only", _meta),
    Scenario("utf-7", "Charsets", "UTF-7, which browsers read no more", _utf7, note=True),
)  # fmt: skip


# Media types.


def _typed(media: bytes, *fields: bytes, before: bytes = b"") -> Callable[[Marker], Plan]:
    return lambda marker: once(response(before + page(marker.text), *fields, media=media))


def _cleanBytes(marker: Marker) -> Plan:
    body = bytes(range(256)) * 64
    return once(response(body, media=b"application/octet-stream"), content=body)


_TYPES = (
    Scenario("image", "Media types", "a page that says it is image/png", _typed(b"image/png")),
    Scenario("image-start", "Media types", "the same, and begins like one",
             _typed(b"image/png", before=b"\x89PNG\r\n\x1a\n")),
    Scenario("video", "Media types", "a page that says it is video/mp4", _typed(b"video/mp4")),
    Scenario("octets", "Media types", "a page that says it is application/octet-stream",
             _typed(b"application/octet-stream")),
    Scenario("no-type", "Media types", "a page without a type", _typed(b"")),
    Scenario("odd-type", "Media types", "a page of a type that is none", _typed(b";;html")),
    Scenario("script", "Media types", "a script", _typed(b"text/javascript")),
    Scenario("json", "Media types", "JSON", _typed(b"application/json")),
    Scenario("events", "Media types", "a stream of events", _typed(b"text/event-stream")),
    Scenario("two-types", "Media types", "two Content-Type fields",
             _typed(b"image/png", b"Content-Type: text/html")),
    Scenario("clean-octets", "Media types", "every byte there is", _cleanBytes, Expect.CLEAN),
)  # fmt: skip


# Sizes.


@cache
def _filling(size: int) -> bytes:
    line = b"A line of a long page, which mentions nothing.\n"
    return line * (size // len(line))


def _big(size: int, coding: str = "", media: bytes = b"text/html") -> Callable[[Marker], Plan]:
    """A large page with the word at its very end."""

    def build(marker: Marker) -> Plan:
        body = _filling(size) + marker.text
        if not coding:
            return once(response(body, media=media))
        return once(response(encoded(coding, body), b"Content-Encoding: " + coding.encode(), media=media))

    return build


def _bomb(marker: Marker) -> Plan:
    body = encoded("gzip", bytes(32 * _MIB) + marker.text)
    return once(response(body, b"Content-Encoding: gzip"))


def _cleanBig(marker: Marker) -> Plan:
    body = _filling(8 * _MIB)
    return once(response(body), content=body)


def _longHead(marker: Marker) -> Plan:
    fields = tuple(b"X-Filler-%d: %b" % (number, b"x" * 1_000) for number in range(24))
    return once(response(page(b"Nothing here."), *fields, b"X-Note: " + marker.text))


_SIZES = (
    Scenario("300k", "Sizes", "300 KiB, the word at the end", _big(300 * 1_024)),
    Scenario("3m", "Sizes", "3 MiB, the word at the end", _big(3 * _MIB)),
    Scenario("8m", "Sizes", "8 MiB, the word at the end", _big(8 * _MIB)),
    Scenario("8m-gzip", "Sizes", "8 MiB in gzip, the word at the end", _big(8 * _MIB, "gzip")),
    Scenario("8m-octets", "Sizes", "8 MiB that say they are no text",
             _big(8 * _MIB, media=b"application/zip")),
    Scenario("bomb", "Sizes", "32 MiB in 32 KiB of gzip, the word at the end", _bomb),
    Scenario("long-head", "Sizes", "the word behind 24 KiB of other fields", _longHead),
    Scenario("clean-8m", "Sizes", "8 MiB of clean page", _cleanBig, Expect.CLEAN),
)  # fmt: skip

CONTENTS = (*_CODINGS, *_CHARSETS, *_TYPES, *_SIZES)
