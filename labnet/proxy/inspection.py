"""
Looks for blocked strings in what passes, whatever content codings and whatever charset it wears.

An L{Inspector} takes the content of one message piece by piece, decodes it, and looks at the decoded
content without keeping it. It keeps no more than one decoded piece and the last few bytes before it. The
charsets are those of L{labnet.proxy.charsets}.
"""

from __future__ import annotations

import zlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from itertools import product

from labnet.proxy.charsets import BEGINNING, declaredCharset, spellings

__all__ = [
    "AVAILABLE_CODINGS",
    "Bomb",
    "DecodingLimits",
    "Finding",
    "ForeignCharset",
    "Inspector",
    "Rule",
    "Undecodable",
    "search",
    "unfinished",
]

#: How much a decoder may give at a time, in bytes: what bounds the memory that a bomb takes.
_STEP = 256 * 1024


class Undecodable(Exception):
    """The content can not be looked at; the text says why."""


class Bomb(Undecodable):
    """The content becomes too much when it is decoded; no other way to read it makes that good."""


class ForeignCharset(Undecodable):
    """The text is in an encoding that can not be looked into, whatever coding it came in."""


@dataclass(frozen=True, slots=True)
class Rule:
    """
    A blocked string.

    @ivar pattern: the bytes, at least one.
    @ivar plain: what is looked for, and in which charset that is the string; the pattern comes first.
    @ivar wide: the same, and what has zero bytes in it, which most content has not.
    @raise ValueError: there is none.
    """

    pattern: bytes
    plain: tuple[tuple[bytes, str], ...] = field(init=False, repr=False, compare=False)
    wide: tuple[tuple[bytes, str], ...] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        if not self.pattern:
            raise ValueError("a blocked string must not be empty")
        wide = spellings(self.pattern)
        object.__setattr__(self, "wide", wide)
        object.__setattr__(self, "plain", tuple(spelling for spelling in wide if 0 not in spelling[0]))

    def __str__(self) -> str:
        return self.pattern.decode("utf-8", "backslashreplace")


@dataclass(frozen=True, slots=True)
class Finding:
    """
    Where a blocked string was found.

    @ivar where: C{header section}, C{body}, C{trailers} or C{request}.
    @ivar offset: of its first byte, in the decoded content.
    @ivar coding: the content codings it was found under.
    @ivar charset: the encoding in which it stands there; empty for the rule's own bytes.
    """

    rule: Rule
    where: str
    offset: int
    coding: str = "identity"
    charset: str = ""


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


def search(rules: Sequence[Rule], data: bytes, where: str) -> Finding | None:
    """
    The blocked string in C{data} that is complete first, in whatever charset; of those that end together,
    the one whose rule comes first. So it is the same one in whatever pieces the data comes.
    """
    best: Finding | None = None
    first = len(data) + 1
    hasZeros = 0 in data
    for rule in rules:
        for spelling, charset in rule.wide if hasZeros else rule.plain:
            offset = data.find(spelling, 0, first)
            if offset >= 0 and offset + len(spelling) < first:
                first = offset + len(spelling)
                best = Finding(rule, where, offset, charset=charset)
    return best


def unfinished(rules: Sequence[Rule], data: bytes) -> int:
    """How many bytes at the end of C{data} are the beginning of a blocked string that may still come."""
    longest = 0
    for rule in rules:
        for spelling, _ in rule.wide:
            at = data.find(spelling[:1], max(0, len(data) - len(spelling) + 1))
            while at >= 0 and len(data) - at > longest:
                if spelling.startswith(data[at:]):
                    longest = len(data) - at
                else:
                    at = data.find(spelling[:1], at + 1)
    return longest


class _Scanner:
    """Looks for the rules' strings in a stream of pieces, across their joints."""

    def __init__(self, rules: Sequence[Rule]) -> None:
        self._rules = rules
        self._overlap = max((len(spelling) for rule in rules for spelling, _ in rule.wide), default=1) - 1
        self._tail = b""
        self._beginning = b""
        self.scanned = 0

    def feed(self, piece: bytes) -> Finding | None:
        """
        Look at a piece.

        @raise ForeignCharset: the beginning declares one.
        """
        tail, overlap = self._tail, self._overlap
        found = None
        if tail:
            found = search(self._rules, tail + piece[:overlap], "body")
            if found is not None:
                return replace(found, offset=self.scanned - len(tail) + found.offset)
        found = search(self._rules, piece, "body")
        if found is not None:
            return replace(found, offset=self.scanned + found.offset)
        if self.scanned < BEGINNING:
            self._begin(piece)
        self.scanned += len(piece)
        if overlap:
            self._tail = piece[-overlap:] if len(piece) >= overlap else (tail + piece)[-overlap:]
        return None

    def _begin(self, piece: bytes) -> None:
        beginning = self._beginning = self._beginning + piece[: BEGINNING - self.scanned]
        _refuseForeign((beginning,))


def _refuseForeign(texts: Sequence[bytes]) -> None:
    charset = declaredCharset(texts)
    if charset is not None:
        raise ForeignCharset(f"the charset {charset.decode('latin-1')[:20]!r}")


class _Decoder(ABC):
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


class _Zlib(_Decoder):
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


class _Incremental(_Decoder):
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


def _decoders() -> dict[bytes, tuple[Callable[[], _Decoder], ...]]:
    """For each content coding that we know, its decoders: two where it has two meanings."""
    gzip = (lambda: _Zlib(31, members=True),)
    # "deflate" is a zlib stream (RFC 9110, 8.4.1.2), and for many senders the bare compressed data.
    deflate = (lambda: _Zlib(15), lambda: _Zlib(-15))
    known: dict[bytes, tuple[Callable[[], _Decoder], ...]] = {
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


_DECODERS = _decoders()

#: The content codings that can be looked into; brotli and zstd with the extra C{compress}.
AVAILABLE_CODINGS: tuple[bytes, ...] = tuple(_DECODERS)


class _Reading:
    """
    One way to read the content: a chain of decoders, and a scanner at its end.

    @param decoders: from the coding that was applied first to the one that was applied last.
    @param check: is told how much each decoder has made, and raises when it is too much.
    """

    def __init__(
        self, decoders: Sequence[_Decoder], rules: Sequence[Rule], check: Callable[[int], None]
    ) -> None:
        self._decoders = decoders
        self._made = [0] * len(decoders)
        self._check = check
        self.scanner = _Scanner(rules)

    def feed(self, data: bytes) -> Finding | None:
        for piece in self._decoded(data, len(self._decoders) - 1):
            found = self.scanner.feed(piece)
            if found is not None:
                return found
        return None

    def _decoded(self, data: bytes, layer: int) -> Iterator[bytes]:
        if layer < 0:
            yield data
            return
        for piece in self._decoders[layer].feed(data):
            # Every layer is checked, or a bomb could hide inside another.
            self._made[layer] += len(piece)
            self._check(self._made[layer])
            yield from self._decoded(piece, layer - 1)

    def end(self) -> None:
        for decoder in self._decoders:
            decoder.end()


class Inspector:
    """
    Looks at the content of one message.

    Content that has two meanings (C{deflate}) is read both ways, and must be clean in every way in
    which it can be read.

    @param rules: the blocked strings.
    @param codings: the content codings in the order in which they were applied; C{identity} is none.
    @param limits: when content counts as a bomb.
    @param types: the values of the Content-Type fields, for the charset they declare.
    @raise Undecodable: a coding or the charset is not known to us, or there are too many codings.
    @ivar coding: the codings as text.
    @ivar received: bytes of content taken.
    """

    MOST_CODINGS = 3

    def __init__(
        self,
        rules: Sequence[Rule],
        codings: Sequence[bytes],
        limits: DecodingLimits | None = None,
        types: Sequence[bytes] = (),
    ) -> None:
        _refuseForeign(types)
        applied = [coding for coding in codings if coding != b"identity"]
        if len(applied) > self.MOST_CODINGS:
            raise Undecodable(f"more than {self.MOST_CODINGS} content codings")
        for coding in applied:
            if coding not in _DECODERS:
                raise Undecodable(f"unknown content coding {coding.decode('latin-1')[:20]!r}")
        self.coding = ", ".join(coding.decode("ascii") for coding in applied) or "identity"
        self.received = 0
        self._limits = limits or DecodingLimits()
        self._readings = [
            _Reading([make() for make in makers], rules, self._check)
            for makers in product(*(_DECODERS[coding] for coding in applied))
        ]

    @property
    def inspected(self) -> int:
        """How far the content has been looked at, in decoded bytes."""
        return min(reading.scanner.scanned for reading in self._readings)

    @property
    def encoded(self) -> bool:
        """Whether there is any coding."""
        return self.coding != "identity"

    def feed(self, data: bytes) -> Finding | None:
        """
        Look at a piece of content.

        @return: the first blocked string, or L{None} if there is none so far.
        @raise Undecodable: it can not be looked at.
        """
        self.received += len(data)
        for reading in tuple(self._readings):
            try:
                found = reading.feed(data)
            except (Bomb, ForeignCharset):
                raise
            except Undecodable:
                self._without(reading)
            else:
                if found is not None:
                    return replace(found, coding=self.coding)
        return None

    def end(self) -> None:
        """
        The content has ended.

        @raise Undecodable: too early.
        """
        for reading in tuple(self._readings):
            try:
                reading.end()
            except Undecodable:
                self._without(reading)

    def _without(self, reading: _Reading) -> None:
        """Give up one way to read the content; if it was the last, the exception at hand goes on."""
        if len(self._readings) == 1:
            raise
        self._readings.remove(reading)

    def _check(self, made: int) -> None:
        limits = self._limits
        if limits.size and made > limits.size:
            raise Bomb(f"over {limits.size} bytes when decoded")
        if made > limits.ratioFrom and made > limits.ratio * self.received:
            raise Bomb(f"decoded to over {limits.ratio:g} times its size")
