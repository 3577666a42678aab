"""
Content codings, done and undone. Undoing takes what a browser takes, and shows what a browser would show:
everything up to where the data is damaged.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from contextlib import suppress
from importlib import import_module
from typing import Any

from labnet.proxyselftest.scenario import Unbuildable

__all__ = ["MOST_DECODED", "PRIVATE", "decoded", "encoded"]

#: Of what is decoded more is not looked at, in bytes.
MOST_DECODED = 64 * 2**20

#: A coding of our own, that no proxy can know: the bytes in reverse order.
PRIVATE = b"x-labnet-reversed"

_GZIP, _ZLIB, _RAW = 31, 15, -15


def _module(*names: str) -> Any:
    """
    The first of these modules that is installed.

    @raise Unbuildable: none is.
    """
    for name in names:
        with suppress(ImportError):
            return import_module(name)
    raise Unbuildable("this needs the extra compress: pip install 'labnet[compress]'")


def _zstd() -> Any:
    return _module("compression.zstd", "backports.zstd")


def _deflated(data: bytes, wbits: int) -> bytes:
    stream = zlib.compressobj(9, zlib.DEFLATED, wbits)
    return stream.compress(data) + stream.flush()


def encoded(coding: str, data: bytes) -> bytes:
    """
    Data in a coding: C{gzip}, C{zlib}, C{raw} (both are called deflate), C{br}, C{zstd}.

    @raise Unbuildable: what it needs is not installed.
    """
    match coding:
        case "br":
            return bytes(_module("brotli").compress(data))
        case "zstd":
            return bytes(_zstd().compress(data))
    return _deflated(data, {"gzip": _GZIP, "zlib": _ZLIB, "raw": _RAW}[coding])


def decoded(coding: bytes, data: bytes) -> bytes:
    """
    What a coding, as it is called in Content-Encoding, holds: as much as can be read. Nothing for one that
    is not known.
    """
    decode = _DECODERS.get(coding.strip().lower())
    if decode is None:
        return b""
    try:
        return decode(data)
    except Unbuildable:
        return b""


def _inflated(data: bytes, wbits: int) -> bytes:
    """All members, one after another."""
    content: list[bytes] = []
    room = MOST_DECODED
    while data and room > 0:
        stream = zlib.decompressobj(wbits)
        try:
            while data and room > 0 and not stream.eof:
                # In small steps: what is right before a damaged place is lost otherwise.
                piece = stream.decompress(data[:512], room)
                while stream.unconsumed_tail and room > len(piece):
                    piece += stream.decompress(stream.unconsumed_tail, room - len(piece))
                content.append(piece)
                room -= len(piece)
                data = data[512:]
        except zlib.error:
            break
        data = stream.unused_data + data if stream.eof else b""
    return b"".join(content)


def _deflate(data: bytes) -> bytes:
    return _inflated(data, _ZLIB) or _inflated(data, _RAW)


def _brotli(data: bytes) -> bytes:
    module = _module("brotli")
    stream = module.Decompressor()
    content = bytearray()
    with suppress(module.error):
        for at in range(0, len(data), 512):
            content += stream.process(data[at : at + 512])
            if len(content) > MOST_DECODED:
                break
    return bytes(content)


def _zstandard(data: bytes) -> bytes:
    module = _zstd()
    content = bytearray()
    with suppress(module.ZstdError, EOFError):
        while data and len(content) < MOST_DECODED:
            stream = module.ZstdDecompressor()
            content += stream.decompress(data, max_length=MOST_DECODED)
            data = stream.unused_data if stream.eof else b""
    return bytes(content)


_DECODERS: dict[bytes, Callable[[bytes], bytes]] = {
    b"gzip": lambda data: _inflated(data, _GZIP),
    b"x-gzip": lambda data: _inflated(data, _GZIP),
    b"deflate": _deflate,
    b"br": _brotli,
    b"zstd": _zstandard,
    b"identity": bytes,
    PRIVATE: lambda data: data[::-1],
}
