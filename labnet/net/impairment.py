"""
What the faults of a stream do to one of its directions: bytes and times in, actions with their times out.

Everything is counted in bytes of the stream, not in pieces as they happen to come: where is cut, what is
corrupted and where a reset comes are the same however the stream was in pieces before. Nothing here reads a
clock or sets a timer; whoever drives it asks L{StreamImpairment.take} again at
L{StreamImpairment.nextAt}.
"""

from __future__ import annotations

import math
from collections import Counter, deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from random import Random

from labnet.net.faults import Fault, Word, asDuration

__all__ = ["MOST_HELD", "Action", "Effect", "StreamImpairment", "told"]

#: Bytes of one direction that are held before its source has to wait; a piece that comes at once is still
#: taken whole.
MOST_HELD = 256 * 1024

#: Between the last byte and a reset, for what was sent before would be lost with it.
_BEFORE_RESET = 0.01
#: A throttled stream goes in pieces of so many seconds.
_SLICE = 0.05
#: What a held piece costs besides its bytes.
_PIECE_COST = 128
#: What was not sent in time because nobody read it is made up for, but for no more than so many seconds.
_MADE_UP = 0.1


class Effect(Enum):
    """What an L{Action} does."""

    DATA = "data"
    HALF_CLOSE = "half-close"
    CLOSE = "close"
    RESET = "reset"
    #: Nothing but what its note says.
    NOTE = "note"


_ENDS = {
    Word.HALF_CLOSE: Effect.HALF_CLOSE,
    Word.CLOSE: Effect.CLOSE,
    Word.RESET: Effect.RESET,
}


@dataclass(frozen=True, slots=True)
class Action:
    """
    One thing to be done.

    @ivar at: when it was due, in the seconds that were given.
    @ivar data: the bytes to pass on.
    @ivar note: one line: what was broken; empty when nothing was.
    """

    at: float
    effect: Effect
    data: bytes = b""
    note: str = ""


class _Cutting:
    """Where one C{cut} cuts: before each multiple of a size, after random sizes, or at exact places."""

    def __init__(self, fault: Fault, random: Random) -> None:
        self.gap = fault.seconds
        self._fault = fault
        self._random = random
        self._places = deque(fault.places)
        self._next = 0

    def after(self, offset: int) -> int | None:
        """The first place behind C{offset}; asked with offsets that never fall."""
        fault = self._fault
        if not fault.low:
            while self._places and self._places[0] <= offset:
                self._places.popleft()
            return self._places[0] if self._places else None
        if fault.low == fault.high:
            return offset - offset % fault.low + fault.low
        while self._next <= offset:
            self._next += self._random.randint(fault.low, fault.high)
        return self._next


class _Corruption:
    """Which bytes are changed: exact ones, or each with a probability."""

    def __init__(self, fault: Fault, random: Random) -> None:
        self._random = random
        self._places = deque(fault.places)
        self._share = fault.percent / 100.0
        self._next = -1
        self._draw()

    def _draw(self) -> None:
        """Draw how many bytes stay as they are, in place of a number for each byte."""
        if not self._share:
            self._next = self._places.popleft() if self._places else -1
        elif self._share >= 1.0:
            self._next += 1
        else:
            self._next += 1 + int(math.log(1.0 - self._random.random()) / math.log(1.0 - self._share))

    def apply(self, offset: int, data: bytearray) -> list[int]:
        """Change what is to be changed in these bytes; returns their offsets in the stream."""
        changed = []
        while 0 <= self._next < offset + len(data):
            if self._next >= offset:
                data[self._next - offset] ^= self._random.randrange(1, 256)
                changed.append(self._next)
            self._draw()
        return changed


@dataclass(slots=True)
class _Chunk:
    """A piece as it came, or several that were merged, on its way."""

    data: bytes
    ready: float
    merged: int
    delay: float
    position: int = 0
    pieces: int = 0


class StreamImpairment:
    """
    One direction of one connection.

    @param faults: what L{labnet.net.faults.Faults.streams} gives.
    @param random: gives the random numbers for a purpose.
    @param mostHeld: bytes that are held before L{full} says so.
    @param now: when the connection began.
    @ivar held: bytes that are held now.
    @ivar offset: bytes of the stream that have left here, or were swallowed.
    @ivar done: how often each fault has acted.
    """

    def __init__(
        self,
        faults: Iterable[Fault],
        random: Callable[[str], Random],
        *,
        mostHeld: int = MOST_HELD,
        now: float = 0.0,
    ) -> None:
        self._mostHeld = mostHeld
        self.held = 0
        self.offset = 0
        self.done: Counter[Word] = Counter()
        self._merge: Fault | None = None
        self._delay: Fault | None = None
        self._rate = 0
        self._cuttings: list[_Cutting] = []
        self._corruptions: list[_Corruption] = []
        # From where to where, without overlaps, the last one first.
        self._swallows: list[tuple[int, float]] = []
        # What happens at a place, the nearest first; and what happens at a time.
        self._placed: deque[tuple[int, Fault]] = deque()
        self._timed: deque[tuple[float, Fault]] = deque()
        self._jitter = random("jitter")
        self._arrange(list(faults), random, now)

        self._queue: deque[_Chunk] = deque()
        self._waiting: list[bytes] = []
        self._waitingSize = 0
        self._mergeAt = math.inf
        self._end: tuple[Effect, float] | None = None
        self._readyAt = -math.inf
        self._notBefore = -math.inf
        self._paceAt = -math.inf
        self._stalledUntil = -math.inf
        self._resetAt: float | None = None
        self._over = False
        self._closed = False

    def _arrange(self, faults: list[Fault], random: Callable[[str], Random], now: float) -> None:
        placed: list[tuple[int, Fault]] = []
        timed = [(now + fault.after, fault) for fault in faults if fault.after]
        self._timed.extend(sorted(timed, key=lambda item: item[0]))
        for index, fault in enumerate(faults):
            match fault.word:
                case Word.CUT:
                    self._cuttings.append(_Cutting(fault, random(f"cut {index}")))
                case Word.CORRUPT:
                    self._corruptions.append(_Corruption(fault, random(f"corrupt {index}")))
                case Word.SWALLOW:
                    start = fault.places[0]
                    self._swallow(start, start + fault.low if fault.low else math.inf)
                case Word.MERGE:
                    self._merge = fault
                case Word.THROTTLE:
                    self._rate = fault.low
                case Word.DELAY if not fault.places:
                    self._delay = fault
                case _:
                    placed += [(place, fault) for place in fault.places]
        self._placed.extend(sorted(placed, key=lambda item: item[0]))

    def _swallow(self, first: int, last: float) -> None:
        apart = []
        for start, end in self._swallows:
            if end < first or start > last:
                apart.append((start, end))
            else:
                first, last = min(first, start), max(last, end)
        self._swallows = sorted([*apart, (first, last)], reverse=True)

    # What comes in.

    def received(self, data: bytes, now: float) -> None:
        """A piece of the stream has come."""
        if not data or self._over or self._end is not None:
            return
        self.held += len(data)
        self._waiting.append(data)
        self._waitingSize += len(data)
        if self._merge is None or self._waitingSize >= self._merge.low:
            self._queueWaiting(now)
        else:
            self._mergeAt = now + self._merge.seconds

    def ended(self, how: Effect, now: float) -> None:
        """The source has ended this direction (C{HALF_CLOSE}), or wants all to be closed (C{CLOSE})."""
        if self._end is None:
            self._queueWaiting(now)
            self._end = (how, self._ready(now)[0])
        elif how is Effect.CLOSE:
            self._end = (how, self._end[1])

    def _queueWaiting(self, now: float) -> None:
        if self._waiting:
            ready, delay = self._ready(now)
            self._queue.append(_Chunk(b"".join(self._waiting), ready, len(self._waiting), delay))
            self._waiting, self._waitingSize = [], 0
            self._mergeAt = math.inf

    def _ready(self, now: float) -> tuple[float, float]:
        """When what has come now may leave, and for how long it is held: nothing overtakes in a stream."""
        delay = self._lateness(self._delay) if self._delay is not None else 0.0
        self._readyAt = max(self._readyAt, now + delay)
        return self._readyAt, delay

    def _lateness(self, fault: Fault) -> float:
        if not fault.jitter:
            return fault.seconds
        return fault.seconds + self._jitter.uniform(-fault.jitter, fault.jitter)

    # What goes out.

    @property
    def full(self) -> bool:
        """Whether the source has to wait: enough is held, or nothing is to be read just now."""
        cost = self.held + _PIECE_COST * (len(self._queue) + len(self._waiting))
        return cost >= self._mostHeld or self._stalledUntil > -math.inf

    @property
    def over(self) -> bool:
        """Whether this direction has ended: nothing passes any more."""
        return self._over

    def nextAt(self) -> float | None:
        """When L{take} may have something; L{None} for not before something comes."""
        flowing, timed = self._flowsAt(), self.timedAt()
        return timed if flowing is None else flowing if timed is None else min(flowing, timed)

    def timedAt(self) -> float | None:
        """When L{takeTimed} has something; L{None} for never."""
        return self._timed[0][0] if self._timed and not self._closed else None

    @property
    def flows(self) -> bool:
        """Whether what is held will leave some time."""
        return self._flowsAt() is not None

    def _flowsAt(self) -> float | None:
        if self._over:
            return None if self._closed or not self._wantsClose() else -math.inf
        if self._stalledUntil > -math.inf:
            return self._stalledUntil if self._stalledUntil < math.inf else None
        if self._resetAt is not None:
            return self._resetAt
        if self._placed and self._placed[0][0] <= self.offset and self._placed[0][1].word != Word.DELAY:
            return -math.inf
        due = min(self._due(), self._mergeAt)
        return due if due < math.inf else None

    def takeTimed(self, now: float) -> Action | None:
        """What is due by its time alone, whether or not anybody reads."""
        while self._timed and self._timed[0][0] <= now and not self._closed:
            _, fault = self._timed.popleft()
            if not self._over or fault.word in (Word.CLOSE, Word.RESET):
                self.done[fault.word] += 1
                return self._happens(fault, f"after {asDuration(fault.after)}", now)
        return None

    def take(self, now: float) -> Action | None:
        """What is to be done next, if it is due."""
        return self.takeTimed(now) or self._flow(now)

    def _flow(self, now: float) -> Action | None:
        if self._over:
            return self._lateClose(now)
        if self._stalledUntil > now:
            return None
        self._stalledUntil = -math.inf
        if self._mergeAt <= now:
            self._queueWaiting(self._mergeAt)
        action = self._atPlace(now)
        while action is None and not self._over and self._resetAt is None and self._due() <= now:
            if not self._queue:
                assert self._end is not None
                self._over = True
                self._closed = self._end[0] is Effect.CLOSE
                return Action(self._due(), self._end[0])
            action = self._piece(now)
            if action is None and self._stalledUntil == -math.inf:
                action = self._atPlace(now)
        return action

    def _due(self) -> float:
        """When the next piece, or the end, leaves; infinity when there is neither."""
        if self._queue:
            return max(self._queue[0].ready, self._notBefore, self._paceAt)
        if self._end is not None and not self._waiting:
            return max(self._end[1], self._notBefore, self._paceAt)
        return math.inf

    def _wantsClose(self) -> bool:
        return self._end is not None and self._end[0] is Effect.CLOSE

    def _lateClose(self, now: float) -> Action | None:
        """After a half-close the connection can still be closed."""
        if self._closed or not self._wantsClose():
            return None
        self._closed = True
        return Action(now, Effect.CLOSE)

    def _atPlace(self, now: float) -> Action | None:
        """What happens at the place in the stream that is reached."""
        while self._placed and self._placed[0][0] <= self.offset:
            place, fault = self._placed[0]
            if fault.word is Word.DELAY and not self._queue:
                return None  # Held is what stands there, as soon as it does.
            if fault.word is Word.RESET and self._resetAt is None and self.offset:
                self._resetAt = now + _BEFORE_RESET
            if fault.word is Word.RESET and self._resetAt is not None and self._resetAt > now:
                return None
            self._placed.popleft()
            self.done[fault.word] += 1
            return self._happens(fault, f"at byte {place}", now)
        return None

    def _happens(self, fault: Fault, where: str, now: float) -> Action:
        if fault.word is Word.DELAY:
            seconds = self._lateness(fault)
            self._notBefore = max(self._notBefore, now + seconds, self._queue[0].ready + seconds)
            return Action(now, Effect.NOTE, note=f"holds what is {where} for {asDuration(seconds)}")
        if fault.word is Word.STALL:
            self._stalledUntil = now + fault.seconds if fault.seconds else math.inf
            how = f"for {asDuration(fault.seconds)}" if fault.seconds else "for ever"
            return Action(now, Effect.NOTE, note=f"stops reading {where} {how}")
        self._over = True
        self._closed = fault.word is not Word.HALF_CLOSE
        self._queue.clear()
        self._waiting, self.held = [], 0
        return Action(now, _ENDS[fault.word], note=f"{fault.word.value} {where}")

    def _piece(self, now: float) -> Action | None:
        """The next piece, or L{None} when all of it was swallowed."""
        chunk, due, start = self._queue[0], self._due(), self.offset
        size = self._size(len(chunk.data) - chunk.position)
        piece = chunk.data[chunk.position : chunk.position + size]
        chunk.position += size
        chunk.pieces += 1
        self.offset += size
        self.held -= size
        if self._rate:
            self._paceAt = max(due, now - _MADE_UP) + size / self._rate
        for cutting in self._cuttings:
            if cutting.after(start) == self.offset:
                self._notBefore = max(self._notBefore, now + cutting.gap)
        notes: list[str] = []
        if chunk.position == len(chunk.data):
            self._queue.popleft()
            self._wholeChunk(chunk, notes)
        kept = self._swallowed(start, self._corrupted(start, piece, notes), notes)
        if not kept and not notes:
            return None
        return Action(due, Effect.DATA if kept else Effect.NOTE, kept, ", ".join(notes))

    def _size(self, size: int) -> int:
        """How many of the next bytes go in one piece."""
        if self._placed:
            ahead = self._placed[0][0] - self.offset
            size = min(size, ahead) if ahead > 0 else size
        for cutting in self._cuttings:
            place = cutting.after(self.offset)
            size = min(size, place - self.offset) if place is not None else size
        return min(size, max(1, int(self._rate * _SLICE))) if self._rate else size

    def _wholeChunk(self, chunk: _Chunk, notes: list[str]) -> None:
        """All of it has left: note what was done to it."""
        if chunk.merged > 1:
            self.done[Word.MERGE] += 1
            notes.append(f"merges {chunk.merged} pieces")
        if chunk.pieces > 1 and (self._cuttings or self._rate):
            # What happens at a place divides a piece, too, and says so itself.
            self.done[Word.CUT if self._cuttings else Word.THROTTLE] += 1
            notes.append(f"cuts a piece into {chunk.pieces}")
        if chunk.delay:
            self.done[Word.DELAY] += 1
            notes.append(f"holds it for {asDuration(round(chunk.delay, 3))}")

    def _swallowed(self, start: int, piece: bytes, notes: list[str]) -> bytes:
        """What is left of a piece."""
        for first, last in self._swallows:
            begin, end = max(first - start, 0), int(min(last - start, len(piece)))
            if begin >= end:
                continue
            if first >= start:
                self.done[Word.SWALLOW] += 1
                what = f"{last - first:.0f} bytes" if last < math.inf else "everything"
                notes.append(f"swallows {what} from byte {first} on")
            piece = piece[:begin] + piece[end:]
        return piece

    def _corrupted(self, start: int, piece: bytes, notes: list[str]) -> bytes:
        if not self._corruptions:
            return piece
        data = bytearray(piece)
        for corruption in self._corruptions:
            changed = corruption.apply(start, data)
            self.done[Word.CORRUPT] += len(changed)
            if changed:
                more = f" and {len(changed) - 5} more" if len(changed) > 5 else ""
                notes.append(f"corrupts byte {', '.join(map(str, changed[:5]))}{more}")
        return bytes(data)


def told(done: Counter[Word]) -> str:
    """What was done, in a few words for the log: C{cut 3, corrupt 1}; empty for nothing."""
    return ", ".join(f"{word.value} {done[word]}" for word in Word if done[word])
