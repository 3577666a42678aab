"""
What the script of a dissection can ask for: so many bytes, a line, a run of some bytes.

Each want looks at each byte once, and keeps no more than it says. See L{labnet.net.dissection}.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Iterable

__all__ = [
    "LONGEST_LINE",
    "Everything",
    "Exactly",
    "Line",
    "NotUnderstood",
    "OneOf",
    "Passing",
    "Peek",
    "Piece",
    "Run",
    "StreamEnded",
    "UpTo",
    "Want",
    "find",
]

#: Bytes of a line with its end, unless somebody says otherwise.
LONGEST_LINE = 65_536

_LINE_FEED = re.compile(rb"\n")


class NotUnderstood(Exception):
    """
    The bytes can not be read. A script raises it about what it took last.

    @ivar size: when a want raises it, how many bytes it is about.
    """

    def __init__(self, why: str, size: int = 0) -> None:
        super().__init__(why)
        self.size = size


class StreamEnded(Exception):
    """
    Thrown into a script: the stream has ended before what it wanted was there.

    @ivar rest: what is left, and now taken.
    """

    def __init__(self, rest: bytes) -> None:
        super().__init__()
        self.rest = rest


class Want(ABC):
    """
    What a script waits for. One that has a state of its own is good for one use.

    @ivar counted: how many bytes were taken, where fewer are returned.
    """

    counted: int | None = None

    @abstractmethod
    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        """
        Look at what has come, from C{at} on.

        @return: behind what is taken, and the bytes, or L{None} as long as they are not all there. What
            is not taken is there again the next time, at the beginning.
        @raise NotUnderstood: it can not be had any more.
        """

    def missed(self, size: int) -> bool:
        """
        So many bytes have come that nobody has.

        @return: whether they make no difference, and count as taken.
        """
        return False


class Exactly(Want):
    """So many bytes."""

    def __init__(self, size: int) -> None:
        self._size = size

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        end = at + self._size
        return (end, bytes(buffer[at:end])) if len(buffer) >= end else (at, None)


class Peek(Want):
    """The next bytes, without taking them."""

    counted = 0

    def __init__(self, size: int = 1) -> None:
        self._size = size

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        end = at + self._size
        return at, bytes(buffer[at:end]) if len(buffer) >= end else None


class UpTo(Want):
    """
    All up to a byte, and that byte.

    @param ending: a pattern for it.
    @param longest: bytes that it may have with its end.
    @param what: what it is called when it is longer.
    """

    def __init__(self, ending: re.Pattern[bytes], longest: int, what: str) -> None:
        self._ending = ending
        self._longest = longest
        self._what = what
        self._searched = 0

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        end = find(self._ending, buffer, at + self._searched, at + self._longest) + 1
        if end:
            return end, bytes(buffer[at:end])
        self._searched = len(buffer) - at
        if self._searched >= self._longest:
            raise NotUnderstood(f"{self._what} of over {self._longest} bytes", self._longest)
        return at, None


class Line(UpTo):
    """
    A line with its line feed.

    @param longest: bytes that it may have.
    """

    def __init__(self, longest: int = LONGEST_LINE) -> None:
        super().__init__(_LINE_FEED, longest, "a line")


class Piece(Want):
    """
    What has come by now, where a service takes that for a message; the beginning is kept.

    @param keep: how many bytes are returned at most.
    """

    def __init__(self, keep: int = 400) -> None:
        self._keep = keep
        self.counted: int = 0

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        self.counted = len(buffer) - at
        return len(buffer), bytes(buffer[at : at + self._keep]) if self.counted else None


class Passing(Want):
    """
    So many bytes, of which only the beginning is kept.

    @param keep: how many are returned at most.
    """

    def __init__(self, size: int, keep: int = 400) -> None:
        self.counted = size
        self._left = size
        self._keep = keep
        self._kept = b""

    def missed(self, size: int) -> bool:
        if size > self._left:
            return False
        self._left -= size
        return True

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        size = min(self._left, len(buffer) - at)
        if len(self._kept) < self._keep:
            self._kept += buffer[at : at + min(size, self._keep - len(self._kept))]
        self._left -= size
        return at + size, None if self._left else self._kept


class Run(Want):
    """
    All up to the first byte that ends it, which is not taken; only the beginning is kept.

    @param ending: a pattern for that one byte.
    @param keep: how many are returned at most.
    @ivar kept: these.
    """

    def __init__(self, ending: re.Pattern[bytes], keep: int = 400) -> None:
        self._ending = ending
        self._keep = keep
        self.kept = b""
        self.counted: int = 0

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        found = find(self._ending, buffer, at)
        end = len(buffer) if found < 0 else found
        if len(self.kept) < self._keep:
            self.kept += buffer[at : min(end, at + self._keep - len(self.kept))]
        self.counted += end - at
        return end, None if found < 0 else self.kept


class OneOf(Want):
    """
    One of several texts; where one is the beginning of another, the longer one, if it is that.

    @param texts: none of them empty.
    @param otherwise: what is said of other bytes.
    """

    def __init__(self, texts: Iterable[bytes], otherwise: str) -> None:
        self._otherwise = otherwise
        self._texts = sorted(texts, key=len, reverse=True)

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        seen = bytes(buffer[at : at + len(self._texts[0])])
        for candidate in self._texts:
            if seen.startswith(candidate):
                return at + len(candidate), candidate
            if candidate.startswith(seen):
                return at, None
        size = len(seen)
        while not any(candidate.startswith(seen[: size - 1]) for candidate in self._texts):
            size -= 1
        raise NotUnderstood(self._otherwise, size)


class Everything(Want):
    """All there is, up to the end of the stream; it is only counted. The end is thrown, as ever."""

    counted = 0

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        return len(buffer), None

    def missed(self, size: int) -> bool:
        return True


def find(pattern: re.Pattern[bytes], buffer: bytearray, start: int, end: int | None = None) -> int:
    """Where the first match in a part of the buffer begins, or -1."""
    # The match must not live on: it would hold the buffer at its size.
    match = pattern.search(buffer, start, len(buffer) if end is None else end)
    return -1 if match is None else match.start()
