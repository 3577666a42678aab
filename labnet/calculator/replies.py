"""
The calculator's replies: a packed struct, a number, decimal text, or a JSON object.
"""

from __future__ import annotations

import json
import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

from labnet.calculator.arithmetic import Fault, Number
from labnet.calculator.objects import LONGEST_OBJECT, ObjectScanner, loads

__all__ = [
    "JSONReply",
    "NumberReply",
    "ReplyFormat",
    "ReplyNotUnderstood",
    "ReplyReader",
    "StructReply",
    "TextReply",
    "shortest",
]


class ReplyNotUnderstood(Exception):
    """The server sent something that is no reply in this profile."""


class ReplyReader(ABC):
    """
    Takes one connection's stream of replies apart.

    @ivar delimited: whether a reply says where it ends. If not, requests go out one at a time, and a
        reply ends with a pause or with the stream (L{end}).
    """

    delimited = True

    @abstractmethod
    def feed(self, data: bytes) -> list[Number | Fault]:
        """
        Take a piece of the stream, and return the replies that it completed, in order.

        @raise ReplyNotUnderstood: it is none.
        """

    @property
    @abstractmethod
    def pending(self) -> bool:
        """Whether a reply has begun and not ended."""

    def end(self) -> list[Number | Fault]:
        """There was a pause, or the stream has ended: the reply that this completes, if any."""
        return []


class ReplyFormat(ABC):
    """How replies look."""

    #: Whether a reply can hold a fraction.
    fractions = True
    #: Whether a quotient is shown as a float even if the division leaves an integer.
    quotientAsFloat = False

    @abstractmethod
    def encode(self, result: Number | Fault) -> bytes:
        """The bytes of a reply; a result that does not fit is sent as L{Fault.OUT_OF_RANGE}."""

    @abstractmethod
    def reader(self) -> ReplyReader:
        """For one connection."""

    def decodeDatagram(self, datagram: bytes) -> Number | Fault:
        """
        The reply in a datagram.

        @raise ReplyNotUnderstood: it is none.
        """
        reader = self.reader()
        replies = reader.feed(datagram)
        replies += reader.end()
        if len(replies) != 1:
            raise ReplyNotUnderstood(f"{len(replies)} replies in a datagram")
        return replies[0]


class StructReply(ReplyFormat):
    """The request's shape: result, 0, C{R}; or an error: 0 (NaN for floats), 0, C{E}."""

    def __init__(self, layout: str) -> None:
        self.struct = struct.Struct(layout)
        self.fractions = "f" in layout

    def encode(self, result: Number | Fault) -> bytes:
        if not isinstance(result, Fault):
            try:
                return self.struct.pack(result if self.fractions else int(result), 0, b"R")
            except (OverflowError, ValueError, struct.error):
                pass
        return self.struct.pack(math.nan if self.fractions else 0, 0, b"E")

    def reader(self) -> ReplyReader:
        return _StructReplyReader(self.struct, self._decode)

    @staticmethod
    def _decode(fields: tuple[Number, Number, bytes]) -> Number | Fault:
        if fields[2] == b"R":
            return shortest(fields[0])
        if fields[2] == b"E":
            return Fault.UNTOLD
        raise ReplyNotUnderstood(f"the mark {fields[2]!r} is neither R nor E")


class NumberReply(ReplyFormat):
    """
    Nothing but a number.

    @param layout: for L{struct}: C{<i} or C{<f}.
    """

    def __init__(self, layout: str) -> None:
        self.struct = struct.Struct(layout)
        self.fractions = "f" in layout

    def encode(self, result: Number | Fault) -> bytes:
        if not isinstance(result, Fault):
            try:
                return self.struct.pack(result if self.fractions else int(result))
            except (OverflowError, ValueError, struct.error):
                pass
        return self.struct.pack(math.nan if self.fractions else 0)

    def reader(self) -> ReplyReader:
        return _StructReplyReader(self.struct, self._decode)

    @staticmethod
    def _decode(fields: tuple[Number]) -> Number | Fault:
        return Fault.UNTOLD if math.isnan(fields[0]) else shortest(fields[0])


def shortest(value: Number) -> Number:
    """A float32 as the float with the fewest digits that stands for it: 0.1, not 0.10000000149011612."""
    if isinstance(value, int) or not math.isfinite(value):
        return value
    exact = struct.pack("<f", value)
    candidates = (float(f"{value:.{digits}g}") for digits in range(1, 10))
    return next((short for short in candidates if _packs(short, exact)), value)


def _packs(value: float, expected: bytes) -> bool:
    try:
        return struct.pack("<f", value) == expected
    except OverflowError:
        return False


class _StructReplyReader(ReplyReader):
    def __init__(self, layout: struct.Struct, decode: Callable[[Any], Number | Fault]) -> None:
        self._struct = layout
        self._decode = decode
        self._buffer = b""

    def feed(self, data: bytes) -> list[Number | Fault]:
        buffer = self._buffer + data if self._buffer else data
        size = self._struct.size
        whole = len(buffer) - len(buffer) % size
        self._buffer = buffer[whole:]
        return [self._decode(fields) for fields in self._struct.iter_unpack(buffer[:whole])]

    @property
    def pending(self) -> bool:
        return bool(self._buffer)


class TextReply(ReplyFormat):
    """
    The result as decimal text, without a newline: at most ten bytes, except an exact integer that has
    more digits. A float shows that it is one, and loses digits where ten bytes are not enough.
    An error is a word.

    @param alwaysFloat: show integers as floats, too.
    """

    LONGEST = 10
    quotientAsFloat = True

    def __init__(self, alwaysFloat: bool = False) -> None:
        self._alwaysFloat = alwaysFloat

    def encode(self, result: Number | Fault) -> bytes:
        if isinstance(result, Fault):
            return result.value.encode("ascii")
        if isinstance(result, int) and not self._alwaysFloat:
            return b"%d" % result
        return _floatText(float(result), self.LONGEST).encode("ascii")

    def reader(self) -> ReplyReader:
        return _TextReplyReader()


def _floatText(value: float, longest: int) -> str:
    """As many digits as fit, always with something that only a float has."""
    text = repr(value)
    digits = 17
    while len(text) > longest and digits > 0:
        text = _compact(f"{value:.{digits}g}", longest)
        digits -= 1
    return text


def _compact(text: str, longest: int) -> str:
    mantissa, e, exponent = text.partition("e")
    if e:
        return f"{mantissa}e{int(exponent)}"
    if "." in text:
        return text
    return f"{text}.0" if len(text) + 2 <= longest else f"{text}."


class _TextReplyReader(ReplyReader):
    delimited = False
    _LIMIT = 64

    def __init__(self) -> None:
        self._buffer = b""

    def feed(self, data: bytes) -> list[Number | Fault]:
        # White space may be the end of the reply before, which somebody sends with a newline.
        self._buffer = (self._buffer + data).lstrip()
        if len(self._buffer) > self._LIMIT:
            raise ReplyNotUnderstood(f"a reply of over {self._LIMIT} bytes")
        return []

    @property
    def pending(self) -> bool:
        return bool(self._buffer)

    def end(self) -> list[Number | Fault]:
        if not self._buffer:
            return []
        text, self._buffer = self._buffer, b""
        return [_readText(text)]


def _readText(reply: bytes) -> Number | Fault:
    text = reply.decode("ascii", "replace").strip()
    for fault in Fault:
        if text == fault.value:
            return fault
    if text and not set(text) - set("0123456789+-.einfaEINFA"):
        for kind in (int, float):
            try:
                return kind(text)
            except ValueError:
                continue
    raise ReplyNotUnderstood(f"{text!r} is not a number")


class JSONReply(ReplyFormat):
    """C{{"result": 46}} or C{{"error": "..."}}."""

    def encode(self, result: Number | Fault) -> bytes:
        if not isinstance(result, Fault) and math.isfinite(result):
            return json.dumps({"result": result}).encode("ascii")
        fault = result if isinstance(result, Fault) else Fault.OUT_OF_RANGE
        return json.dumps({"error": fault.value}).encode("ascii")

    def reader(self) -> ReplyReader:
        return _JSONReplyReader()


class _JSONReplyReader(ReplyReader):
    def __init__(self) -> None:
        self._object = bytearray()
        self._scanner = ObjectScanner()

    def feed(self, data: bytes) -> list[Number | Fault]:
        replies: list[Number | Fault] = []
        for byte in data:
            if not self._object and byte != 0x7B:
                if byte in b" \t\r\n":
                    continue
                raise ReplyNotUnderstood("not a JSON object")
            self._object.append(byte)
            if self._scanner.ends(byte):
                replies.append(self._decode(bytes(self._object)))
                self._object.clear()
            elif len(self._object) > LONGEST_OBJECT:
                raise ReplyNotUnderstood("a reply without an end")
        return replies

    @property
    def pending(self) -> bool:
        return bool(self._object)

    @staticmethod
    def _decode(text: bytes) -> Number | Fault:
        fields = loads(text)
        if isinstance(fields, dict):
            result, error = fields.get("result"), fields.get("error")
            if isinstance(result, (int, float)) and not isinstance(result, bool):
                return result
            if isinstance(error, str):
                return next((fault for fault in Fault if fault.value == error), Fault.UNTOLD)
        raise ReplyNotUnderstood("an object with neither result nor error")
