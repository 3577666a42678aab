"""
Undoes content codings piece by piece, and bounds what that makes.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

__all__ = ["AVAILABLE_CODINGS", "DECODERS", "Bomb", "Decoder", "DecodingLimits", "Undecodable"]

#: How much a decoder may give at a time, in bytes: what bounds the memory that a bomb takes.
_STEP = 256 * 1024


class Undecodable(Exception):
    """The content can not be looked at; the text says why."""


class Bomb(Undecodable):
    """The content becomes too much when it is decoded; no other way to read it makes that good."""


@dataclass(frozen=True, slots=True)
class DecodingLimits:
    """
    When content counts as a bomb.

    @ivar size: the decoded content has more bytes than this; 0 for no such limit.
    @ivar ratio: it has more than this many times the encoded content's ...
    @ivar ratioFrom: ... and more bytes than this.
    """

    size: int = 2**30
    ratio: float = 100.0
    ratioFrom: int = 16 * 2**20


class Decoder(ABC):
    """Undoes one content coding. What it yields is never longer than C{_STEP}."""

    @abstractmethod
    def feed(self, data: bytes) -> Iterator[bytes]:
        """
        Decode a piece.

        @raise Undecodable: it is not what it says.
        """

    @abstractmethod
    def end(self) -> None:
        """
        The content has ended.

        @raise Undecodable: too early.
        """


class _Zlib(Decoder):
    """What L{zlib} decodes: one stream, or, for gzip, any number of members one after another."""

    def __init__(self, wbits: int, members: bool = False) -> None:
        self._wbits = wbits
        self._members = members
        self._stream = zlib.decompressobj(wbits)
        self._began = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        more = False
        while data or more:
            if self._stream.eof:
                data = self._nextMember(data)
                if not data:
                    return
            self._began = True
            try:
                piece = self._stream.decompress(data, _STEP)
            except zlib.error as error:
                raise Undecodable("the compressed data is damaged") from error
            ended = self._stream.eof
            data = self._stream.unused_data if ended else self._stream.unconsumed_tail
            # After a full piece there may be more content, even where all of the data is taken.
            more = not ended and len(piece) >= _STEP
            if piece:
                yield piece

    def _nextMember(self, data: bytes) -> bytes:
        # Some writers pad the last member with zeros.
        data = data.lstrip(b"\0") if self._members else data
        if data:
            if not self._members:
                raise Undecodable("something follows the end of the compressed data")
            self._stream = zlib.decompressobj(self._wbits)
        return data

    def end(self) -> None:
        if self._began and not self._stream.eof:
            raise Undecodable("the compressed data ends too early")


class _Incremental(Decoder):
    """
    What a streaming decompressor of brotli or zstd decodes.

    @param make: makes a decompressor; called again for each frame where there may be several.
    """

    def __init__(self, make: Callable[[], _Decompressor], frames: bool) -> None:
        self._make = make
        self._frames = frames
        self._stream = make()
        self._began = False

    def feed(self, data: bytes) -> Iterator[bytes]:
        while data or self._stream.hasMore:
            if self._stream.finished:
                if not self._frames:
                    raise Undecodable("something follows the end of the compressed data")
                self._stream = self._make()
            self._began = True
            piece = self._stream.decode(data)
            data = self._stream.unused if self._stream.finished else b""
            if piece:
                yield piece

    def end(self) -> None:
        if self._began and not self._stream.finished:
            raise Undecodable("the compressed data ends too early")


class _Decompressor(ABC):
    """One stream of brotli or zstd, whose libraries differ in their words."""

    finished = False
    hasMore = False
    unused = b""

    @abstractmethod
    def decode(self, data: bytes) -> bytes:
        """Up to about C{_STEP} bytes of content; more is there while C{hasMore}."""


def _brotli() -> Callable[[], _Decompressor]:
    import brotli  # type: ignore[import-untyped]

    if not hasattr(brotli.Decompressor, "can_accept_more_data"):
        raise ImportError("this brotli has no bound for what one call gives; 1.2 has")

    class Brotli(_Decompressor):
        def __init__(self) -> None:
            self._stream = brotli.Decompressor()

        def decode(self, data: bytes) -> bytes:
            try:
                piece: bytes = self._stream.process(data, output_buffer_limit=_STEP)
                self.finished = self._stream.is_finished()
                # It may hold content back although it would take more data, too: until it gives none.
                self.hasMore = not self.finished and bool(piece or not self._stream.can_accept_more_data())
            except brotli.error as error:
                raise Undecodable("the compressed data is damaged") from error
            return piece

    return Brotli


def _zstd() -> Callable[[], _Decompressor]:
    try:
        from compression import zstd  # type: ignore[import-not-found, unused-ignore]
    except ImportError:
        from backports import zstd  # type: ignore[no-redef, unused-ignore]

    # What an HTTP sender may ask of us is 8 MiB (RFC 9659).
    options = {zstd.DecompressionParameter.window_log_max: 23}

    class Zstd(_Decompressor):
        def __init__(self) -> None:
            self._stream = zstd.ZstdDecompressor(options=options)

        def decode(self, data: bytes) -> bytes:
            try:
                piece: bytes = self._stream.decompress(data, max_length=_STEP)
            except zstd.ZstdError as error:
                raise Undecodable("the compressed data is damaged") from error
            self.finished = self._stream.eof
            self.hasMore = not self.finished and not self._stream.needs_input
            self.unused = self._stream.unused_data if self.finished else b""
            return piece

    return Zstd


def _decoders() -> dict[bytes, tuple[Callable[[], Decoder], ...]]:
    """For each content coding that we know, its decoders: two where it has two meanings."""
    gzip = (lambda: _Zlib(31, members=True),)
    # "deflate" is a zlib stream (RFC 9110, 8.4.1.2), and for many senders the bare compressed data.
    deflate = (lambda: _Zlib(15), lambda: _Zlib(-15))
    known: dict[bytes, tuple[Callable[[], Decoder], ...]] = {
        b"gzip": gzip,
        b"x-gzip": gzip,
        b"deflate": deflate,
    }
    for name, load, frames in ((b"br", _brotli, False), (b"zstd", _zstd, True)):
        try:
            make = load()
        except ImportError:
            continue
        known[name] = (partial(_Incremental, make, frames),)
    return known


DECODERS = _decoders()

#: The content codings that can be looked into; brotli and zstd with the extra C{compress}.
AVAILABLE_CODINGS: tuple[bytes, ...] = tuple(DECODERS)
