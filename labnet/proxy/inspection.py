"""
Looks for blocked strings in what passes, whatever content codings and whatever charset it wears.

An L{Inspector} takes the content of one message piece by piece, decodes it, and looks at the decoded
content without keeping it. It keeps no more than one decoded piece and the last few bytes before it. The
charsets are those of L{labnet.proxy.charsets}.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import product
from urllib.parse import unquote_to_bytes

from labnet.proxy.charsets import BEGINNING, declaredCharset
from labnet.proxy.decoding import DECODERS, Bomb, Decoder, DecodingLimits, Undecodable
from labnet.proxy.pages import printable
from labnet.proxy.rules import Rule
from labnet.proxy.searchtime import SearchTime, TooSlow
from labnet.proxy.wire import RequestHead, ResponseHead

__all__ = [
    "Finding",
    "ForeignCharset",
    "Inspector",
    "SlowRule",
    "isClean",
    "requestFinding",
    "responseFinding",
    "search",
    "unfinished",
]

try:
    # Ten times as fast as Python's own where there is much to look at.
    from stringzilla import find as _find  # type: ignore[import-not-found, unused-ignore]
except ImportError:
    _find = bytes.find

#: At least so many bytes are taken before expressions are searched for, unless it is to be done closely.
_WINDOW = 16_384
_MEBIBYTE = 2**20


class ForeignCharset(Undecodable):
    """The text is in an encoding that can not be looked into, whatever coding it came in."""


class SlowRule(Undecodable):
    """To look for what a rule blocks takes too long, here: nobody can tell whether it is there."""

    def __init__(self, rule: Rule) -> None:
        super().__init__(f"it takes too long to look for {printable(str(rule))}")


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


def search(rules: Sequence[Rule], data: bytes, where: str) -> Finding | None:
    """
    The blocked string in C{data} that is complete first, in whatever charset; of those that end together,
    the one whose rule comes first. So it is the same one in whatever pieces the data comes.

    @raise SlowRule: nobody can tell.
    """
    best: Finding | None = None
    slow: SlowRule | None = None
    first = len(data) + 1
    hasZeros = 0 in data
    for rule in rules:
        for spelling, charset in rule.wide if hasZeros else rule.plain:
            offset = _find(data, spelling, 0, first)
            if offset >= 0 and offset + len(spelling) < first:
                first = offset + len(spelling)
                best = Finding(rule, where, offset, charset=charset)
        if rule.expressions:
            try:
                for start, end, charset in _spans(rule, data, 0, hasZeros, SearchTime(rule.seconds)):
                    if end < first:
                        first = end
                        best = Finding(rule, where, start, charset=charset)
            except SlowRule as problem:
                slow = slow or problem
    if best is None and slow is not None:
        raise slow
    return best


def requestFinding(rules: Sequence[Rule], head: RequestHead) -> Finding | None:
    """The blocked string in a request's head as it came, and in its target as the origin may read it."""
    return search(rules, head.raw, "request") or search(rules, unquote_to_bytes(head.target), "request")


def responseFinding(rules: Sequence[Rule], head: ResponseHead) -> Finding | None:
    """
    The blocked string in a response's head as it came, and as it goes on: that may differ in white
    space.
    """
    found = search(rules, head.raw, "header section")
    return found if found is not None or head.canonical else search(rules, head.encode(), "header section")


def _spans(
    rule: Rule, data: bytes | bytearray, start: int, hasZeros: bool, time: SearchTime
) -> Iterator[tuple[int, int, str]]:
    """Where the first match of each expression of a rule begins and ends, and in which charset."""
    try:
        for expression in rule.expressions:
            if expression.zeros and not hasZeros:
                continue
            span = expression.first(data, start, time)
            if span is not None:
                yield *span, expression.charset
            if expression.strips and hasZeros:
                span = expression.firstStripped(data, start, time)
                if span is not None:
                    yield *span, expression.charset or "utf-16 or utf-32"
    except TooSlow:
        raise SlowRule(rule) from None


def unfinished(rules: Sequence[Rule], data: bytes) -> int:
    """
    How many bytes at the end of C{data} are the beginning of a blocked string that may still come. Of a
    regular expression nobody can tell: see L{Inspector.undecided}.
    """
    return max((rule.unfinished(data) for rule in rules if rule.isText), default=0)


class _Windows:
    """
    Looks for regular expressions in a stream of pieces.

    The stream is looked at in windows, whose places in it are always the same: so is what is found,
    whatever the pieces. Each window decides about the matches that begin in it, and sees C{longest} bytes
    before and after those.

    @param closely: decide as early as can be, though it takes more searching.
    @ivar decided: the offset before which no match begins.
    """

    def __init__(self, rules: Sequence[Rule], closely: bool) -> None:
        self._rules = [(rule, SearchTime(rule.seconds)) for rule in rules]
        self._longest = max(rule.longest for rule in rules)
        self._stride = self._longest if closely else max(4 * self._longest, _WINDOW)
        self._buffer = bytearray()
        self._base = 0
        self.decided = 0

    @property
    def room(self) -> int:
        """How many bytes may come before there is something to decide."""
        return self.decided + self._stride + self._longest - self._base - len(self._buffer)

    def feed(self, piece: bytes) -> Finding | None:
        """
        Take a piece of no more bytes than there is room for.

        @raise SlowRule: nobody can tell whether there is a match in it.
        """
        self._buffer += piece
        return None if self.room else self._decide(self.decided + self._stride)

    def end(self) -> Finding | None:
        """Decide about all that has come."""
        return self._decide(self._base + len(self._buffer) + 1)

    def _decide(self, end: int) -> Finding | None:
        """
        Decide about the matches that begin before C{end}: the first of them, if there are any.

        @raise SlowRule: there is none so far, and one rule takes too long. It is not asked again.
        """
        best: Finding | None = None
        slow: SlowRule | None = None
        buffer, base = self._buffer, self._base
        hasZeros = 0 in buffer
        more = (end - self.decided) / _MEBIBYTE
        for entry in tuple(self._rules):
            rule, time = entry
            time.add(rule.seconds * more)
            try:
                for start, _, charset in _spans(rule, buffer, self.decided - base, hasZeros, time):
                    if base + start < end and (best is None or base + start < best.offset):
                        best = Finding(rule, "body", base + start, charset=charset)
            except SlowRule as problem:
                slow = slow or problem
                self._rules.remove(entry)
        if best is None and slow is not None:
            raise slow
        self.decided = end
        surplus = end - self._longest - base
        if surplus > 0:
            del buffer[:surplus]
            self._base += surplus
        return best


class _Scanner:
    """Looks for what the rules block in a stream of pieces, across their joints."""

    def __init__(self, rules: Sequence[Rule], closely: bool) -> None:
        texts: list[Rule] = []
        others: list[Rule] = []
        width = 1
        # One loop: there is a scanner for every response.
        for rule in rules:
            if rule.isText:
                texts.append(rule)
                width = max(width, rule.width)
            else:
                others.append(rule)
        self._rules = texts
        self._windows = _Windows(others, closely) if others else None
        self._overlap = width - 1
        self._tail = b""
        self._beginning = b""
        self.scanned = 0

    @property
    def undecided(self) -> int:
        """How many bytes at the end may be the beginning of what a regular expression matches."""
        return self.scanned - self._windows.decided if self._windows is not None else 0

    def feed(self, piece: bytes) -> Finding | None:
        """
        Look at a piece.

        @raise ForeignCharset: the beginning declares one.
        @raise SlowRule: nobody can tell whether there is a match in it.
        """
        windows = self._windows
        if windows is None:
            return self._feedTexts(piece)
        at = 0
        while at < len(piece):
            part = piece[at : at + windows.room]
            at += len(part)
            found = self._feedTexts(part) or windows.feed(part)
            if found is not None:
                return found
        return None

    def rest(self) -> Finding | None:
        """Look at what could not be decided yet, as if nothing came after it."""
        return self._windows.end() if self._windows is not None else None

    def _feedTexts(self, piece: bytes) -> Finding | None:
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


class _Reading:
    """
    One way to read the content: a chain of decoders, and a scanner at its end.

    @param decoders: from the coding that was applied first to the one that was applied last.
    @param limits: when it is too much that one of them makes.
    """

    def __init__(
        self,
        decoders: Sequence[Decoder],
        rules: Sequence[Rule],
        limits: DecodingLimits,
        closely: bool,
    ) -> None:
        self._decoders = decoders
        self._made = [0] * len(decoders)
        self._limits = limits
        self._taken = 0
        self.scanner = _Scanner(rules, closely)

    def feed(self, data: bytes) -> Finding | None:
        if not self._decoders:
            return self.scanner.feed(data)
        self._taken += len(data)
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

    def _check(self, made: int) -> None:
        limits = self._limits
        if limits.size and made > limits.size:
            raise Bomb(f"over {limits.size} bytes when decoded")
        if made > limits.ratioFrom and made > limits.ratio * self._taken:
            raise Bomb(f"decoded to over {limits.ratio:g} times its size")

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
    @param closely: decide about regular expressions as early as can be.
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
        closely: bool = False,
    ) -> None:
        if types:
            _refuseForeign(types)
        applied = [coding for coding in codings if coding != b"identity"]
        if len(applied) > self.MOST_CODINGS:
            raise Undecodable(f"more than {self.MOST_CODINGS} content codings")
        for coding in applied:
            if coding not in DECODERS:
                raise Undecodable(f"unknown content coding {coding.decode('latin-1')[:20]!r}")
        self.coding = ", ".join(coding.decode("ascii") for coding in applied) or "identity"
        self.received = 0
        limits = limits or DecodingLimits()
        ways = product(*(DECODERS[coding] for coding in applied)) if applied else ((),)
        self._readings = [_Reading([make() for make in makers], rules, limits, closely) for makers in ways]

    @property
    def inspected(self) -> int:
        """How far the content has been looked at, in decoded bytes."""
        return min(reading.scanner.scanned for reading in self._readings)

    @property
    def undecided(self) -> int:
        """How many decoded bytes at the end may be the beginning of what a regular expression matches."""
        return max(reading.scanner.undecided for reading in self._readings)

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
            except (Bomb, ForeignCharset, SlowRule):
                # No other way to read it makes that good.
                raise
            except Undecodable:
                self._without(reading)
            else:
                if found is not None:
                    return replace(found, coding=self.coding)
        return None

    def rest(self) -> Finding | None:
        """
        Look at what could not be decided before more of it had come: it will not come any more.

        @return: the first blocked string in that, or L{None} if there is none.
        @raise SlowRule: nobody can tell.
        """
        for reading in self._readings:
            found = reading.scanner.rest()
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


def isClean(
    rules: Sequence[Rule],
    content: bytes,
    codings: Sequence[bytes] = (),
    limits: DecodingLimits | None = None,
) -> bool:
    """
    Whether an L{Inspector} would find nothing to object to in a whole content.

    @param content: all of it.
    @param codings: its content codings.
    @param limits: when it counts as a bomb.
    """
    if not codings and not [rule for rule in rules if not rule.isText]:
        return search(rules, content, "body") is None and declaredCharset((content[:BEGINNING],)) is None
    try:
        inspector = Inspector(rules, codings, limits)
        if inspector.feed(content) is not None or inspector.rest() is not None:
            return False
        inspector.end()
    except Undecodable:
        return False
    return True
