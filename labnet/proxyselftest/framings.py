"""
Scenarios about where a message ends: pieces, chunks, lengths, and what can be read in two ways.
"""

from __future__ import annotations

from collections.abc import Callable

from labnet.proxyselftest.scenario import (
    Ask,
    Expect,
    Marker,
    Pause,
    Plan,
    Reply,
    Scenario,
    chunks,
    head,
    once,
    page,
    response,
    spread,
)

__all__ = ["FRAMINGS"]

_CHUNKED = b"Transfer-Encoding: chunked"
_CLEAN = page(b"A clean page, which mentions nothing. " * 40)


def _around(marker: Marker) -> tuple[bytes, bytes]:
    """A page, cut in the middle of the word."""
    whole = page(marker.text)
    at = whole.index(marker.text) + marker.middle
    return whole[:at], whole[at:]


# Pieces.


def _segments(marker: Marker) -> Plan:
    first, second = _around(marker)
    return once(response(first + second)[: -len(second)], Pause.PAUSE, second)


def _byBytes(marker: Marker) -> Plan:
    before, _, after = page(marker.text).partition(marker.text)
    beginning = response(before + marker.text + after)[: -len(marker.text + after)]
    return once(beginning, *spread(marker.text), after)


def _headInPieces(marker: Marker) -> Plan:
    whole = response(page(b"Nothing here."), b"X-Note: " + marker.text)
    at = whole.index(marker.text)
    past = at + len(marker.text)
    return once(whole[:at], *spread(whole[at:past]), whole[past:])


def _drip(marker: Marker) -> Plan:
    return once(head(b"Connection: close"), *spread(page(marker.text), 4))


_PIECES = (
    Scenario("plain", "Pieces", "the word in a page, in one piece",
             lambda marker: once(response(page(marker.text)))),
    Scenario("segments", "Pieces", "the word in two segments", _segments),
    Scenario("bytes", "Pieces", "the word one byte at a time", _byBytes),
    Scenario("head-bytes", "Pieces", "the word in a field, one byte at a time", _headInPieces),
    Scenario("drip", "Pieces", "a whole page dripping, up to the end of the connection", _drip),
    Scenario("clean", "Pieces", "a clean page",
             lambda marker: once(response(_CLEAN), content=_CLEAN), Expect.CLEAN),
    Scenario("clean-drip", "Pieces", "a clean page dripping",
             lambda marker: once(*spread(response(_CLEAN), 64), content=_CLEAN), Expect.CLEAN),
)  # fmt: skip


# Chunks.


def _chunked(marker: Marker, extension: bytes = b"", trailers: bytes = b"") -> Plan:
    return once(head(_CHUNKED) + chunks(*_around(marker), extension=extension, trailers=trailers))


def _chunkSegments(marker: Marker) -> Plan:
    first, second = _around(marker)
    body = chunks(first, second)
    at = len(b"%x\r\n" % len(first)) + len(first)
    return once(head(_CHUNKED) + body[:at], Pause.PAUSE, body[at : at + 3], Pause.PAUSE, body[at + 3 :])


def _chunkBytes(marker: Marker) -> Plan:
    return once(head(_CHUNKED) + chunks(*(bytes((byte,)) for byte in page(marker.text))))


def _sizes(template: bytes) -> Callable[[Marker], Plan]:
    """Chunks whose sizes are written in an odd way."""

    def build(marker: Marker) -> Plan:
        body = b"".join(template % len(part) + part + b"\r\n" for part in _around(marker))
        return once(head(_CHUNKED) + body + b"0\r\n\r\n")

    return build


def _trailers(marker: Marker) -> Plan:
    fields = b"X-Note: " + marker.text + b"\r\n"
    return once(head(_CHUNKED, b"Trailer: X-Note") + chunks(page(b"Nothing here."), trailers=fields))


def _cleanChunks(marker: Marker) -> Plan:
    parts = [_CLEAN[at : at + 100] for at in range(0, len(_CLEAN), 100)]
    return once(head(_CHUNKED) + chunks(*parts), content=_CLEAN)


_CHUNKS = (
    Scenario("two-chunks", "Chunks", "the word over two chunks", _chunked),
    Scenario("chunk-segments", "Chunks", "two chunks, the line between them in pieces", _chunkSegments),
    Scenario("chunk-bytes", "Chunks", "each byte a chunk of its own", _chunkBytes),
    Scenario("chunk-extensions", "Chunks", "two chunks with extensions",
             lambda marker: _chunked(marker, b';a=b;c="d"')),
    Scenario("chunk-extension-word", "Chunks", "the word in a chunk extension",
             lambda marker: once(head(_CHUNKED) + chunks(_CLEAN, extension=b';note="%b"' % marker.text))),
    Scenario("trailers", "Chunks", "the word in a trailer field", _trailers),
    Scenario("chunk-zeros", "Chunks", "chunk sizes with leading zeros", _sizes(b"000000%x\r\n")),
    Scenario("chunk-hex", "Chunks", "chunk sizes written 0x...", _sizes(b"0x%x\r\n")),
    Scenario("chunk-plus", "Chunks", "chunk sizes written +...", _sizes(b"+%x\r\n")),
    Scenario("chunk-space", "Chunks", "chunk sizes with white space before them", _sizes(b" %x\r\n")),
    Scenario("chunk-line-feeds", "Chunks", "chunk-size lines that end in a line feed alone",
             _sizes(b"%x\n")),
    Scenario("clean-chunks", "Chunks", "a clean page in chunks", _cleanChunks, Expect.CLEAN),
    Scenario("cut-chunks", "Chunks", "chunks that stop before the last one",
             lambda marker: once(head(_CHUNKED) + chunks(_CLEAN)[:-5], content=_CLEAN), Expect.CUT),
    Scenario("cut-chunk", "Chunks", "a chunk that stops in the middle",
             lambda marker: once(head(_CHUNKED) + chunks(_CLEAN)[:-200], content=_CLEAN), Expect.CUT),
)  # fmt: skip


# Lengths.


def _withLength(length: bytes) -> Callable[[Marker], Plan]:
    """A page behind a Content-Length that is not its own."""
    return lambda marker: once(head(b"Content-Length: " + length) + page(marker.text))


def _short(marker: Marker) -> Plan:
    whole = page(marker.text)
    return once(head(b"Content-Length: %d" % whole.index(marker.text)) + whole)


def _duplicate(marker: Marker) -> Plan:
    whole = page(marker.text)
    short = b"Content-Length: %d" % whole.index(marker.text)
    return once(head(short, b"Content-Length: %d" % len(whole)) + whole)


def _surplus(marker: Marker) -> Plan:
    """What follows an answer must not become the answer to another's question."""
    forged = response(page(marker.text))
    first = Reply((response(_CLEAN) + forged,), when=b"/first", closes=False)
    second = Reply((response(_CLEAN),))
    return Plan(((Ask(b"first"),), (Ask(b"second"),)), (first, second))


def _pipelinedSurplus(marker: Marker) -> Plan:
    plan = _surplus(marker)
    return Plan(((Ask(b"first", keeps=True), Ask(b"second")),), plan.replies)


_LENGTHS = (
    Scenario("close", "Lengths", "HTTP/1.0, up to the end of the connection",
             lambda marker: once(b"HTTP/1.0 200 OK\r\n\r\n" + page(marker.text))),
    Scenario("http09", "Lengths", "HTTP/0.9: a page without any head",
             lambda marker: once(page(marker.text))),
    Scenario("length-short", "Lengths", "a Content-Length that ends before the word", _short),
    Scenario("length-zero", "Lengths", "a Content-Length of 0, and a page", _withLength(b"0")),
    Scenario("length-long", "Lengths", "a Content-Length beyond the end", _withLength(b"5000")),
    Scenario("length-negative", "Lengths", "a negative Content-Length", _withLength(b"-1")),
    Scenario("length-plus", "Lengths", "a Content-Length written +1", _withLength(b"+1")),
    Scenario("length-huge", "Lengths", "a Content-Length of 2**64 + 1", _withLength(b"%d" % (2**64 + 1))),
    Scenario("length-twice", "Lengths", "two Content-Length fields, the first ends before the word",
             _duplicate),
    Scenario("surplus", "Lengths", "a second, forged answer behind the first", _surplus),
    Scenario("surplus-pipelined", "Lengths", "the same, for a client that has asked twice at once",
             _pipelinedSurplus),
    Scenario("clean-close", "Lengths", "a clean page, up to the end of the connection",
             lambda marker: once(head() + _CLEAN, content=_CLEAN), Expect.CLEAN),
    Scenario("clean-http10", "Lengths", "a clean page, for an HTTP/1.0 client",
             lambda marker: once(response(_CLEAN), ask=Ask(version=b"HTTP/1.0"), content=_CLEAN),
             Expect.CLEAN),
    Scenario("http10-chunks", "Lengths", "chunks, for an HTTP/1.0 client",
             lambda marker: once(head(_CHUNKED) + chunks(*_around(marker)), ask=Ask(version=b"HTTP/1.0"))),
    Scenario("cut-length", "Lengths", "a page that stops before its Content-Length",
             lambda marker: once(response(_CLEAN)[:-200], content=_CLEAN), Expect.CUT),
)  # fmt: skip


# Two readings.


def _transfer(*fields: bytes, version: bytes = b"HTTP/1.1") -> Callable[[Marker], Plan]:
    """Chunks behind an odd Transfer-Encoding, with the word over two of them."""

    def build(marker: Marker) -> Plan:
        beginning = head(*fields).replace(b"HTTP/1.1", version, 1)
        return once(beginning + chunks(*_around(marker)))

    return build


def _lengthAndChunks(marker: Marker) -> Plan:
    body = chunks(*_around(marker))
    return once(head(b"Content-Length: %d" % len(body), _CHUNKED) + body)


def _lengthBeforeChunks(marker: Marker) -> Plan:
    """By its length it is one clean chunk."""
    body = chunks(_CLEAN)
    return once(head(_CHUNKED, b"Content-Length: %d" % len(body)) + body[:-5] + chunks(*_around(marker)))


def _bare(field: bytes) -> Callable[[Marker], Plan]:
    """A field section with something in it that is an end for one reader and none for another."""
    return lambda marker: once(response(page(marker.text), field))


def _lineFeeds(marker: Marker) -> Plan:
    beginning, _, body = response(page(marker.text)).partition(b"\r\n\r\n")
    return once(beginning.replace(b"\r\n", b"\n") + b"\n\n" + body)


_TWO_WAYS = (
    Scenario("length-and-chunks", "Two readings", "Content-Length and chunks", _lengthAndChunks),
    Scenario("length-within-chunks", "Two readings", "a Content-Length that ends within clean chunks",
             _lengthBeforeChunks),
    Scenario("transfer-space", "Two readings", "white space before the colon of Transfer-Encoding",
             _transfer(b"Transfer-Encoding : chunked")),
    Scenario("transfer-xchunked", "Two readings", "Transfer-Encoding: xchunked",
             _transfer(b"Transfer-Encoding: xchunked")),
    Scenario("transfer-folded", "Two readings", "Transfer-Encoding folded over two lines",
             _transfer(b"Transfer-Encoding:\r\n chunked")),
    Scenario("transfer-tab", "Two readings", "Transfer-Encoding with a vertical tab",
             _transfer(b"Transfer-Encoding: \x0bchunked")),
    Scenario("transfer-case", "Two readings", "Transfer-Encoding: cHuNkEd",
             _transfer(b"tRANSFER-eNCODING: cHuNkEd")),
    Scenario("transfer-twice", "Two readings", "Transfer-Encoding: chunked, chunked",
             _transfer(b"Transfer-Encoding: chunked, chunked")),
    Scenario("transfer-identity", "Two readings", "Transfer-Encoding: identity, then chunked",
             _transfer(b"Transfer-Encoding: identity", _CHUNKED)),
    Scenario("transfer-http10", "Two readings", "chunks in an HTTP/1.0 response",
             _transfer(_CHUNKED, version=b"HTTP/1.0")),
    Scenario("line-feeds", "Two readings", "a head whose lines end in a line feed alone", _lineFeeds),
    Scenario("carriage-return", "Two readings", "a carriage return alone in a field",
             _bare(b"X-Note: a\rContent-Length: 0\r\rb")),
    Scenario("line-feed", "Two readings", "a line feed alone in a field",
             _bare(b"X-Note: a\nX-Other: b")),
    Scenario("nul", "Two readings", "a NUL in a field", _bare(b"X-Note: a\0b")),
    Scenario("no-colon", "Two readings", "a line without a colon", _bare(b"X-Note")),
)  # fmt: skip

FRAMINGS = (*_PIECES, *_CHUNKS, *_LENGTHS, *_TWO_WAYS)
