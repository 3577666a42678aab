"""
What may come, described so that it can be found in a stream in any pieces: exact bytes, a number as text,
one of several, or whatever a function says.
"""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from collections.abc import Callable

from labnet.check.evidence import decisive

__all__ = ["Expectation", "Mismatch", "aNumber", "exactly", "matching", "oneOf", "taken"]


class Mismatch(Exception):
    """
    What came can not become what is expected.

    @ivar offset: of the byte that shows it.
    """

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


class Expectation(ABC):
    """
    Something that is expected at the beginning of what has come.

    @ivar text: what it is, in words.
    @ivar sample: how it could look, for a report.
    """

    text: str
    sample: bytes = b""

    @abstractmethod
    def look(self, data: bytes, ended: bool) -> int | None:
        """
        How many bytes of C{data} it takes; L{None} if more must come to say.

        @param ended: whether nothing more will come.
        @raise Mismatch: it can not be it any more.
        """


class _Exactly(Expectation):
    def __init__(self, data: bytes, text: str) -> None:
        self.sample = data
        self.text = text or (f"{len(data)} bytes" if len(data) > 1 else "1 byte")

    def look(self, data: bytes, ended: bool) -> int | None:
        offset = decisive(self.sample, data)
        if offset < min(len(self.sample), len(data)):
            raise Mismatch(offset)
        return len(self.sample) if len(data) >= len(self.sample) else None


class _Taken(Expectation):
    def __init__(self, take: Callable[[bytes, bool], int | None], text: str, sample: bytes) -> None:
        self._take = take
        self.text = text
        self.sample = sample

    def look(self, data: bytes, ended: bool) -> int | None:
        return self._take(data, ended)


class _OneOf(Expectation):
    def __init__(self, choices: tuple[Expectation, ...]) -> None:
        self._choices = choices
        self.text = " or ".join(dict.fromkeys(choice.text for choice in choices))
        self.sample = choices[0].sample

    def look(self, data: bytes, ended: bool) -> int | None:
        offsets: list[int] = []
        for choice in self._choices:
            try:
                taken = choice.look(data, ended)
            except Mismatch as mismatch:
                offsets.append(mismatch.offset)
                continue
            if taken is not None:
                return taken
        if len(offsets) == len(self._choices):
            raise Mismatch(max(offsets))
        return None


def exactly(data: bytes, text: str = "") -> Expectation:
    """These bytes. C{text} is what they are, in words."""
    return _Exactly(data, text)


def taken(take: Callable[[bytes, bool], int | None], text: str, sample: bytes = b"") -> Expectation:
    """Whatever a function takes; see L{Expectation.look} for what it is given and returns."""
    return _Taken(take, text, sample)


def oneOf(*choices: Expectation) -> Expectation:
    """Any of these; the first that fits is taken."""
    return _OneOf(choices)


def matching(pattern: bytes, text: str, sample: bytes = b"", limit: int = 65_536) -> Expectation:
    """
    What a regular expression matches from the beginning.

    @param limit: bytes after which it counts as a mismatch.
    """
    compiled = re.compile(pattern, re.DOTALL)

    def take(data: bytes, ended: bool) -> int | None:
        match = compiled.match(data)
        if match is not None:
            return match.end()
        if ended or len(data) > limit:
            raise Mismatch(decisive(sample, data))
        return None

    return _Taken(take, text, sample)


_NUMBER = re.compile(rb"\s*[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?\s*")
_BEGINNING = re.compile(rb"\s*[+-]?\d*\.?\d*(?:[eE][+-]?\d*)?\s*")


def aNumber(value: float) -> Expectation:
    """A number as decimal text, in whatever way it is written: C{46}, C{46.0}, C{46} and a newline."""
    sample = b"%d" % value if value == int(value) else repr(value).encode("ascii")

    def take(data: bytes, ended: bool) -> int | None:
        match = _NUMBER.fullmatch(data)
        if match is not None and abs(float(data) - value) <= 1e-6 * max(1.0, abs(value)):
            return len(data)
        if ended or len(data) > 64 or not _BEGINNING.fullmatch(data):
            raise Mismatch(decisive(sample, data))
        return None

    return _Taken(take, f"the number {sample.decode('ascii')} as text", sample)
