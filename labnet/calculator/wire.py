"""
The ten dialects of the calculator, without input or output.

A L{Profile} joins a request format to a reply format; L{PROFILES} has them by name. Every byte is in
C{docs/protocols/calculator.md}.
"""

from __future__ import annotations

import json
import math
import struct
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

from labnet.calculator.arithmetic import (
    INT32_MAX,
    INT32_MIN,
    Calculation,
    Division,
    Fault,
    Number,
    evaluate,
)
from labnet.net.framing import FramingError, LengthPrefixed

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "EndOfSession",
    "Malformed",
    "Profile",
    "Received",
    "ReplyFormat",
    "ReplyNotUnderstood",
    "ReplyReader",
    "Request",
    "RequestFormat",
    "RequestReader",
]


@dataclass(frozen=True, slots=True)
class Malformed:
    """
    Something that is no request; it is answered with the profile's error.

    @ivar why: for the log.
    @ivar fatal: whether nothing after it can be read, and the connection must end.
    """

    why: str
    fatal: bool


@dataclass(frozen=True, slots=True)
class EndOfSession:
    """The client says that it is done (operator C{X} in the C{ici} profiles)."""


Request = Calculation | Malformed | EndOfSession


class ReplyNotUnderstood(Exception):
    """The server sent something that is no reply in this profile."""


@dataclass(frozen=True, slots=True)
class Received:
    """
    A request and the bytes that it came as, pad bytes and white space included: what is relayed.

    @ivar raw: its bytes; of what is L{Malformed}, possibly none.
    """

    raw: bytes
    request: Request


class RequestReader(ABC):
    """Takes one connection's stream of requests apart."""

    def feed(self, data: bytes) -> list[Request]:
        """Take a piece of the stream, and return the requests that it completed, in order."""
        return [received.request for received in self.split(data)]

    @abstractmethod
    def split(self, data: bytes) -> list[Received]:
        """The same as L{feed}, each request with its bytes. A reader is used through one of the two."""

    @property
    @abstractmethod
    def pending(self) -> bool:
        """Whether a request has begun and not ended."""


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


class RequestFormat(ABC):
    """
    How requests look: on a stream and in a datagram.

    @cvar delimited: whether a simple server, which reads once for each request, can tell two of them
        apart. If not, a client sends them one at a time.
    """

    delimited: ClassVar[bool] = True

    @abstractmethod
    def reader(self) -> RequestReader:
        """For one connection."""

    @abstractmethod
    def encode(self, calculation: Calculation) -> bytes:
        """
        The bytes of a request.

        @raise ValueError: an operand or the operator does not fit.
        """

    @abstractmethod
    def decodeDatagram(self, datagram: bytes) -> Request | None:
        """The request in a datagram, or L{None} if it has not the size or shape of one."""


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


# Requests


class StructRequest(RequestFormat):
    """
    A packed struct of two operands and an operator.

    @param layout: for L{struct}.
    @param operatorAt: the place of the operator among the three fields.
    @param last: an operator that ends the session, or empty.
    @param replyMarks: operators that only replies of this shape have: a datagram with one of them is a
        reply that came back, and is not answered.
    """

    def __init__(
        self, layout: str, operatorAt: int, *, last: str = "", replyMarks: frozenset[str] = frozenset()
    ) -> None:
        self.struct = struct.Struct(layout)
        self._operatorAt = operatorAt
        self._floats = "f" in layout
        self._last = last
        self._replyMarks = replyMarks

    def reader(self) -> RequestReader:
        return _StructReader(self)

    def encode(self, calculation: Calculation) -> bytes:
        operator = calculation.operator.encode("latin-1", "ignore")
        if len(operator) != 1 or len(calculation.operator) != 1:
            raise ValueError(f"{calculation.operator!r} is not one character of one byte")
        try:
            fields: list[Number | bytes] = [self._operand(calculation.a), self._operand(calculation.b)]
            fields.insert(self._operatorAt, operator)
            return self.struct.pack(*fields)
        except OverflowError as error:
            raise ValueError("an operand is too large for this profile") from error

    def decodeDatagram(self, datagram: bytes) -> Request | None:
        if len(datagram) != self.struct.size:
            return None
        request = self.decode(datagram, 0)
        if isinstance(request, Calculation) and request.operator in self._replyMarks:
            return None
        return request

    def decode(self, buffer: bytes | bytearray, offset: int) -> Request:
        """The request at C{offset}; any bytes of the right number are one."""
        fields = list(self.struct.unpack_from(buffer, offset))
        operator = fields.pop(self._operatorAt).decode("latin-1")
        if self._last and operator == self._last:
            return EndOfSession()
        return Calculation(fields[0], operator, fields[1])

    def _operand(self, value: Number) -> Number:
        if self._floats:
            return float(value)
        if not INT32_MIN <= value <= INT32_MAX:
            raise ValueError(f"an operand is not between {INT32_MIN} and {INT32_MAX}")
        if int(value) != value:
            raise ValueError(f"{value} is not a whole number, as this profile needs")
        return int(value)


class _StructReader(RequestReader):
    def __init__(self, requestFormat: StructRequest) -> None:
        self._format = requestFormat
        self._buffer = b""

    @property
    def pending(self) -> bool:
        return bool(self._buffer)

    def split(self, data: bytes) -> list[Received]:
        buffer = self._buffer + data if self._buffer else data
        size = self._format.struct.size
        whole = len(buffer) - len(buffer) % size
        self._buffer = buffer[whole:]
        return [
            Received(buffer[at : at + size], self._format.decode(buffer, at))
            for at in range(0, whole, size)
        ]


class FramedRequest(RequestFormat):
    """
    A struct behind its length, an int32 in little-endian order. A length that the struct has not is
    answered with an error and passed over; one that is negative or absurd ends the connection.
    """

    LONGEST = 64

    def __init__(self, inner: StructRequest) -> None:
        self.inner = inner

    def framing(self) -> LengthPrefixed:
        """A framing for one stream of requests."""
        return LengthPrefixed(self.LONGEST, "little", signed=True)

    def reader(self) -> RequestReader:
        return _FramedReader(self)

    def encode(self, calculation: Calculation) -> bytes:
        return self.framing().encode(self.inner.encode(calculation))

    def decodeDatagram(self, datagram: bytes) -> Request | None:
        payload = datagram[LengthPrefixed.PREFIX_SIZE :]
        if datagram[: LengthPrefixed.PREFIX_SIZE] != struct.pack("<i", len(payload)):
            return None
        return self.inner.decodeDatagram(payload)

    def decode(self, payload: bytes) -> Request:
        """The request in one message."""
        if len(payload) != self.inner.struct.size:
            return Malformed(f"a message of {len(payload)} bytes", fatal=False)
        return self.inner.decode(payload, 0)


class _FramedReader(RequestReader):
    def __init__(self, requestFormat: FramedRequest) -> None:
        self._format = requestFormat
        self._framing = requestFormat.framing()

    @property
    def pending(self) -> bool:
        return self._framing.pending

    def split(self, data: bytes) -> list[Received]:
        try:
            messages = self._framing.feed(data)
        except FramingError:
            messages = []
        requests = [
            # A length has one encoding only, so these are the bytes that came.
            Received(self._framing.encode(message), self._format.decode(message))
            for message in messages
        ]
        if self._framing.broken is not None:
            requests.append(Received(b"", Malformed(str(self._framing.broken), fatal=True)))
        return requests


class JSONRequest(RequestFormat):
    """
    One JSON object C{{"oper1": 12, "oper2": 34, "op": "+"}}, without a terminator: it ends with its
    brace. What stands between two objects and is not white space is answered with one error and
    passed over up to the end of its line or the next opening brace; if neither comes within C{LONGEST}
    bytes, the connection ends.
    """

    LONGEST = 4_096
    delimited = False

    def reader(self) -> RequestReader:
        return _JSONRequestReader()

    def encode(self, calculation: Calculation) -> bytes:
        fields = {"oper1": calculation.a, "oper2": calculation.b, "op": calculation.operator}
        return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode("ascii")

    def decodeDatagram(self, datagram: bytes) -> Request | None:
        if len(datagram) > self.LONGEST:
            return None
        fields = _loads(datagram)
        if not isinstance(fields, dict) or "result" in fields or "error" in fields:
            return None
        return self.decode(datagram)

    @staticmethod
    def decode(text: bytes) -> Request:
        """The request in one object."""
        fields = _loads(text)
        if not isinstance(fields, dict):
            return Malformed("not a JSON object", fatal=False)
        a, b = _operand(fields.get("oper1")), _operand(fields.get("oper2"))
        operator = fields.get("op")
        if a is None or b is None or not isinstance(operator, str):
            return Malformed("oper1, oper2 or op is missing or of the wrong kind", fatal=False)
        return Calculation(a, operator, b)


def _loads(text: bytes) -> object:
    """What the JSON text says, or L{None} if it is none."""
    try:
        return json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None


def _operand(value: object) -> Number | None:
    if isinstance(value, int) and not isinstance(value, bool) and INT32_MIN <= value <= INT32_MAX:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return None


class _ObjectScanner:
    """Finds where JSON objects end, looking at each byte once."""

    def __init__(self) -> None:
        self.depth = 0
        self._inString = False
        self._escaped = False

    def ends(self, byte: int) -> bool:
        """Take one byte of an object; whether it is the object's last."""
        if self._escaped:
            self._escaped = False
        elif self._inString:
            self._escaped = byte == 0x5C
            self._inString = byte != 0x22
        elif byte == 0x22:
            self._inString = True
        elif byte == 0x7B:
            self.depth += 1
        elif byte == 0x7D:
            self.depth -= 1
            return self.depth == 0
        return False


class _JSONRequestReader(RequestReader):
    def __init__(self) -> None:
        self._object = bytearray()
        self._scanner = _ObjectScanner()
        self._junk = 0
        self._broken = False

    @property
    def pending(self) -> bool:
        return bool(self._object)

    def split(self, data: bytes) -> list[Received]:
        requests: list[Received] = []
        for byte in data:
            if self._broken:
                break
            if self._object:
                self._inObject(byte, requests)
            elif byte == 0x7B:
                self._junk = 0
                self._inObject(byte, requests)
            elif byte == 0x0A:
                self._junk = 0
            elif self._junk or byte not in b" \t\r":
                self._inJunk(requests)
        return requests

    def _inJunk(self, requests: list[Received]) -> None:
        self._junk += 1
        if self._junk == 1:
            requests.append(Received(b"", Malformed("not a JSON object", fatal=False)))
        elif self._junk > JSONRequest.LONGEST:
            self._broken = True
            requests.append(Received(b"", Malformed("nothing but junk", fatal=True)))

    def _inObject(self, byte: int, requests: list[Received]) -> None:
        self._object.append(byte)
        if self._scanner.ends(byte):
            text = bytes(self._object)
            requests.append(Received(text, JSONRequest.decode(text)))
            self._object.clear()
        elif len(self._object) > JSONRequest.LONGEST:
            self._broken = True
            self._object.clear()
            why = f"an object of over {JSONRequest.LONGEST} bytes"
            requests.append(Received(b"", Malformed(why, fatal=True)))


# Replies


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
            return _shortest(fields[0])
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
        return Fault.UNTOLD if math.isnan(fields[0]) else _shortest(fields[0])


def _shortest(value: Number) -> Number:
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
        self._buffer += data
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
        self._scanner = _ObjectScanner()

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
            elif len(self._object) > JSONRequest.LONGEST:
                raise ReplyNotUnderstood("a reply without an end")
        return replies

    @property
    def pending(self) -> bool:
        return bool(self._object)

    @staticmethod
    def _decode(text: bytes) -> Number | Fault:
        fields = _loads(text)
        if isinstance(fields, dict):
            result, error = fields.get("result"), fields.get("error")
            if isinstance(result, (int, float)) and not isinstance(result, bool):
                return result
            if isinstance(error, str):
                return next((fault for fault in Fault if fault.value == error), Fault.UNTOLD)
        raise ReplyNotUnderstood("an object with neither result nor error")


# Profiles


@dataclass(frozen=True, slots=True)
class Profile:
    """
    One dialect.

    @ivar requests: how requests look.
    @ivar replies: how replies look.
    @ivar division: what C{/} means unless the server is told otherwise.
    @ivar datagramDivision: the same over UDP, where the course's programs differ.
    """

    name: str
    requests: RequestFormat
    replies: ReplyFormat
    division: Division
    datagramDivision: Division

    def answer(self, request: Calculation | Malformed, division: Division, modulo: bool = False) -> bytes:
        """The reply to a request: the result, or the profile's error."""
        if isinstance(request, Malformed):
            return self.replies.encode(Fault.MALFORMED)
        result = evaluate(request, division, modulo)
        if self.replies.quotientAsFloat and request.operator == "/" and isinstance(result, int):
            result = float(result)
        return self.replies.encode(result)


def _profile(
    name: str,
    requests: RequestFormat,
    replies: ReplyFormat,
    division: Division,
    datagramDivision: Division | None = None,
) -> Profile:
    return Profile(name, requests, replies, division, datagramDivision or division)


_REPLY_MARKS = frozenset("RE")
_IIC = StructRequest("<ii1s", 2, replyMarks=_REPLY_MARKS)
_ICI = StructRequest("<i1s3xi", 1, last="X")

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        _profile("struct9", _IIC, StructReply("<ii1s"), Division.FLOOR, Division.TRUNC),
        _profile("int4", _IIC, NumberReply("<i"), Division.TRUNC),
        _profile("text", _IIC, TextReply(), Division.TRUE),
        _profile("ici", _ICI, NumberReply("<i"), Division.FLOOR),
        _profile("ici-text", _ICI, TextReply(), Division.TRUE),
        _profile("fcf", StructRequest("<f1s3xf", 1), TextReply(alwaysFloat=True), Division.FLOOR),
        _profile(
            "ffc",
            StructRequest("<ff1s", 2, replyMarks=_REPLY_MARKS),
            StructReply("<ff1s"),
            Division.TRUE,
        ),
        _profile("net", StructRequest("!1sii", 0), NumberReply("<f"), Division.TRUE),
        _profile("framed", FramedRequest(_IIC), StructReply("<ii1s"), Division.TRUNC),
        _profile("json", JSONRequest(), JSONReply(), Division.TRUNC),
    )
}

DEFAULT_PROFILE = PROFILES["struct9"]
