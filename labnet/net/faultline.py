"""
Reads the line that L{labnet.net.faults} describes.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import get_close_matches

from labnet.net.faults import LONGEST_MERGE, BadFaults, Direction, Fault, Faults, Part, Selection, Word

__all__ = ["LONGEST_LINE", "parse"]

#: Characters that a line may have.
LONGEST_LINE = 4_000
_LONGEST_TIME = 86_400.0
_LARGEST = 1 << 40
#: Between two pieces, unless the line says otherwise: enough for a program that waits to read the first.
_GAP = 0.001
#: Of quiet, after which what is held for a merge is sent.
_QUIET = 0.2
#: That a reordered datagram waits for the next.
_WAIT = 0.1

_FAULT = re.compile(r"(?P<word>[^=/@]+)(?:=(?P<value>[^/@]*))?(?:/(?P<time>[^@]*))?(?:@(?P<place>.*))?")
_TIME = re.compile(r"(\d+(?:\.\d+)?)(us|ms|s|min)")
_SIZE = re.compile(r"(\d+)([kKM]?)B?", re.ASCII)
_PERCENT = re.compile(r"(\d+(?:\.\d{1,6})?)%", re.ASCII)
_RANGE = re.compile(r"#?(\d{1,12})(?:(-)#?(\d{1,12})?)?", re.ASCII)
_SEED = re.compile(r"(\d{1,20})(?:/(\d{1,12}))?", re.ASCII)
_UNITS = {"us": 1e-6, "ms": 1e-3, "s": 1.0, "min": 60.0}
_SIZES = {"": 1, "k": 1 << 10, "K": 1 << 10, "M": 1 << 20}
_HEADS = ("in", "out", "both", "tcp", "udp")


class _Mistake(ValueError):
    """What is wrong with one word; the place is added where it is known."""


def parse(text: str) -> Faults:
    """
    Read a line.

    @raise BadFaults: it is mistaken; the text says where, counting characters from 1.
    """
    if len(text) > LONGEST_LINE:
        raise BadFaults(f"a line of faults has at most {LONGEST_LINE} characters, this one {len(text)}")
    return _Line(text).read()


class _Line:
    """A line while it is read."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._seed: int | None = None
        self._number: int | None = None

    def read(self) -> Faults:
        """The whole line."""
        parts, start = [], 0
        for text in self._text.split(";"):
            part = self._part(text, start)
            if part is not None:
                parts.append(part)
            start += len(text) + 1
        return Faults(tuple(parts), self._seed, self._number)

    def _part(self, text: str, start: int) -> Part | None:
        head, colon, rest = text.partition(":")
        words = _words(rest, start + len(head) + 1) if colon else _words(text, start)
        transport, direction = "", None
        if colon:
            before = _words(head, start)
            # Also before the colon it is clear what on=#2 means.
            words = [(word, at) for word, at in before if "=" in word] + words
            where = [(word, at) for word, at in before if "=" not in word]
            transport, direction = self._head(where, head, start)
        faults: list[Fault] = []
        connections: Selection | None = None
        for word, at in words:
            try:
                if word.startswith("seed="):
                    self._seeded(word)
                elif word.startswith("on="):
                    connections = _connections(word[3:], transport)
                else:
                    faults.append(_checked(word, transport, faults))
            except _Mistake as mistake:
                raise self._bad(word, at, str(mistake)) from None
        if not faults and (colon or connections is not None):
            at = start + len(text) - len(text.lstrip())
            raise self._bad(text.strip(), at, "nothing is said to be done there")
        return Part(tuple(faults), transport, direction, connections) if faults else None

    def _head(self, words: list[tuple[str, int]], head: str, start: int) -> tuple[str, Direction | None]:
        transport, direction = "", None
        for word, at in words:
            if word not in _HEADS:
                raise self._bad(word, at, f"before a colon stands one of {', '.join(_HEADS)}")
            if word in ("tcp", "udp"):
                transport = word
            elif word != "both":
                direction = Direction(word)
        kinds = [word in ("tcp", "udp") for word, _ in words]
        if len(set(kinds)) < len(kinds) or not head.strip():
            at = words[0][1] if words else start
            why = "before a colon stands in or out, tcp or udp, or one of each"
            raise self._bad(head.strip(), at, why)
        return transport, direction

    def _seeded(self, word: str) -> None:
        match = _SEED.fullmatch(word[5:])
        if match is None:
            raise _Mistake("a seed is a whole number, or one with the number of a connection: seed=7/12")
        if self._seed is not None:
            raise _Mistake("there is a seed already")
        self._seed = int(match[1])
        self._number = int(match[2]) or None if match[2] else None

    def _bad(self, word: str, at: int, why: str) -> BadFaults:
        return BadFaults(f"character {at + 1}, {word[:60]!r}: {why}")


def _words(text: str, start: int) -> list[tuple[str, int]]:
    """The words between blanks and commas, and where each begins in the line."""
    found = ((match[0].rstrip(","), start + match.start()) for match in re.finditer(r"\S+", text))
    return [(word, at) for word, at in found if word]


def _connections(text: str, transport: str) -> Selection:
    if transport == "udp":
        raise _Mistake("datagrams have no connections")
    return _selection(text)


def _checked(text: str, transport: str, before: list[Fault]) -> Fault:
    """One fault, and that it has a meaning among those before it."""
    fault = _fault(text)
    if transport and transport not in fault.transports:
        kinds = {"tcp": "streams", "udp": "datagrams"}
        (other,) = {"tcp", "udp"} - {transport}
        raise _Mistake(f"this is for {kinds[other]}, and not for {kinds[transport]}")
    if not fault.isSomewhere:
        for earlier in before:
            if earlier.word is fault.word and not earlier.isSomewhere:
                raise _Mistake(f"{earlier} is said already")
    return fault


def _fault(text: str) -> Fault:
    match = _FAULT.fullmatch(text)
    name = match["word"] if match is not None else text
    try:
        word = Word(name)
    except ValueError:
        close = get_close_matches(name, [word.value for word in Word], 1)
        known = f"did you mean {close[0]}?" if close else f"there are {', '.join(w.value for w in Word)}"
        raise _Mistake(f"there is no such fault: {known}") from None
    assert match is not None
    value, time, place = match["value"], match["time"], match["place"]
    if word is Word.THROTTLE and time == "s":
        time = None  # C{64k/s} says what is meant anyway.
    if time is not None and word not in (Word.CUT, Word.MERGE, Word.REORDER):
        raise _Mistake(f"nothing stands behind a slash here: /{time}")
    return _READERS[word](word, value, time, place)


# One function for each form that a fault may have.


def _readCut(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    gap = _GAP if time is None else _duration(time, nothing=True)
    if value is None:
        if place is None:
            raise _Mistake("how small? cut=3, cut=1-8, or cut@5,9 for exact places")
        return Fault(word, seconds=gap, places=_places(place, 1))
    low, _, high = value.partition("-")
    smallest = _size(low, 1)
    largest = _size(high, 1) if high else smallest
    if largest < smallest:
        raise _Mistake("the smaller number comes first")
    if place is None:
        return Fault(word, smallest, largest, gap)
    if not _selects(place):
        raise _Mistake("pieces of a size are cut everywhere; exact places are cut@5,9 without a size")
    return Fault(word, smallest, largest, which=_selection(place))


def _readMerge(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    _nowhere(place)
    quiet = _QUIET if time is None else _duration(time)
    if value is None:
        raise _Mistake("until when? merge=100, merge=100/50ms, or merge=50ms")
    if _TIME.fullmatch(value) and time is None:
        return Fault(word, LONGEST_MERGE, seconds=_duration(value))
    size = _size(value, 1)
    if size > LONGEST_MERGE:
        raise _Mistake(f"at most {LONGEST_MERGE} bytes are held")
    return Fault(word, size, seconds=quiet)


def _readDelay(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    if value is None:
        raise _Mistake("how long? delay=40ms, or delay=40ms+-10ms")
    fixed, *more = re.split(r"\+-|±", value)
    if len(more) > 1:
        raise _Mistake("one time, and one for more or less: delay=40ms+-10ms")
    seconds = _duration(fixed)
    jitter = _duration(more[0], nothing=True) if more else 0.0
    if jitter > seconds:
        raise _Mistake(f"{more[0]} less than {fixed} would be before it came")
    if place is None:
        return Fault(word, seconds=seconds, jitter=jitter)
    if _selects(place):
        return Fault(word, seconds=seconds, jitter=jitter, which=_selection(place))
    return Fault(word, seconds=seconds, jitter=jitter, places=_places(place, 0))


def _readThrottle(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    _nowhere(place)
    if value is None:
        raise _Mistake("how many bytes a second? throttle=1000, or throttle=64k")
    return Fault(word, _size(value, 1))


def _readStall(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    seconds = _duration(value) if value is not None else 0.0
    if place is not None and _TIME.fullmatch(place):
        return Fault(word, seconds=seconds, after=_duration(place))
    return Fault(word, seconds=seconds, places=_onePlace(place))


def _readEnd(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    if value is not None:
        raise _Mistake(f"only the place is said: {word.value}@100, or {word.value}@2s")
    if place is not None and _TIME.fullmatch(place):
        return Fault(word, after=_duration(place))
    return Fault(word, places=_onePlace(place))


def _readCorrupt(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    if (value is None) == (place is None):
        raise _Mistake("one of the two: corrupt@4,9 for exact bytes, corrupt=0.1% for so many of all")
    if place is not None:
        return Fault(word, places=_places(place, 0))
    assert value is not None
    return Fault(word, percent=_percentage(value))


def _readSwallow(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    return Fault(word, _size(value, 1) if value is not None else 0, places=_onePlace(place))


def _readChosen(word: Word, value: str | None, time: str | None, place: str | None) -> Fault:
    if (value is None) == (place is None):
        raise _Mistake(
            f"which ones? {word.value}=#2,#5 for exact ones, {word.value}=10% for so many of all"
        )
    seconds = 0.0
    if word is Word.REORDER:
        seconds = _WAIT if time is None else _duration(time)
    elif time is not None:
        raise _Mistake("nothing stands behind a slash here")
    return Fault(word, seconds=seconds, which=_selection(value if value is not None else place or ""))


_READERS: dict[Word, Callable[[Word, str | None, str | None, str | None], Fault]] = {
    Word.CUT: _readCut,
    Word.MERGE: _readMerge,
    Word.DELAY: _readDelay,
    Word.THROTTLE: _readThrottle,
    Word.STALL: _readStall,
    Word.HALF_CLOSE: _readEnd,
    Word.CLOSE: _readEnd,
    Word.RESET: _readEnd,
    Word.CORRUPT: _readCorrupt,
    Word.SWALLOW: _readSwallow,
    Word.DROP: _readChosen,
    Word.DUPLICATE: _readChosen,
    Word.REORDER: _readChosen,
}


# What they are made of.


def _duration(text: str, nothing: bool = False) -> float:
    match = _TIME.fullmatch(text)
    if match is None and not (nothing and text == "0"):
        raise _Mistake(f"{text!r} is not a time: write 40ms or 2s")
    seconds = round(float(match[1]) * _UNITS[match[2]], 6) if match is not None else 0.0
    if not (0 if nothing else 1e-6) <= seconds <= _LONGEST_TIME:
        raise _Mistake(f"{text!r} is not a time from 1us to a day")
    return seconds


def _size(text: str, lowest: int) -> int:
    match = _SIZE.fullmatch(text) if len(text) < 20 else None
    size = int(match[1]) * _SIZES[match[2]] if match is not None else -1
    if not lowest <= size <= _LARGEST:
        raise _Mistake(f"{text[:30]!r} is not a number of bytes from {lowest} on: write 100, 64k or 1M")
    return size


def _places(text: str, lowest: int) -> tuple[int, ...]:
    if _selects(text):
        raise _Mistake("a place in a stream is a number of bytes: @100")
    return tuple(sorted({_size(place, lowest) for place in text.split(",")}))


def _onePlace(text: str | None) -> tuple[int, ...]:
    places = _places(text, 0) if text is not None else (0,)
    if len(places) > 1:
        raise _Mistake("there is one place for this")
    return places


def _nowhere(place: str | None) -> None:
    if place is not None:
        raise _Mistake("this is in force everywhere, and has no place")


def _selects(text: str) -> bool:
    return "#" in text or "%" in text


def _percentage(text: str) -> float:
    match = _PERCENT.fullmatch(text)
    if match is None or not 0 < float(match[1]) <= 100:
        raise _Mistake(f"{text!r} is not a share above 0% and up to 100%")
    return float(match[1])


def _selection(text: str) -> Selection:
    if "#" not in text:
        if "%" not in text:
            raise _Mistake("which ones? #2,#5 for exact ones, 10% for so many of all")
        return Selection(percent=_percentage(text))
    ranges = []
    for piece in text.split(","):
        match = _RANGE.fullmatch(piece)
        first = int(match[1]) if match is not None else 0
        last = first if match is None or not match[2] else int(match[3]) if match[3] else None
        if first < 1 or (last is not None and last < first):
            raise _Mistake(f"{piece!r} is not #2, #2-5 or #2-; the first one is #1")
        ranges.append((first, last))
    return Selection(tuple(ranges))
