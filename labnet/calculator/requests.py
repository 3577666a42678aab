"""
The calculator's requests: a packed struct, one behind its length, or a JSON object.
"""

from __future__ import annotations

import json
import math
import struct
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import ClassVar

from labnet.calculator.arithmetic import INT32_MAX, INT32_MIN, Calculation, Number
from labnet.calculator.objects import LONGEST_OBJECT, ObjectScanner, loads
from labnet.net.framing import FramingError, LengthPrefixed

__all__ = [
    "EndOfSession",
    "FramedRequest",
    "JSONRequest",
    "Malformed",
    "Received",
    "Request",
    "RequestFormat",
    "RequestReader",
    "StructRequest",
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

    LONGEST = LONGEST_OBJECT
    delimited = False

    def reader(self) -> RequestReader:
        return _JSONRequestReader()

    def encode(self, calculation: Calculation) -> bytes:
        fields = {"oper1": calculation.a, "oper2": calculation.b, "op": calculation.operator}
        return json.dumps(fields, separators=(",", ":"), allow_nan=False).encode("ascii")

    def decodeDatagram(self, datagram: bytes) -> Request | None:
        if len(datagram) > self.LONGEST:
            return None
        fields = loads(datagram)
        if not isinstance(fields, dict) or "result" in fields or "error" in fields:
            return None
        return self.decode(datagram)

    @staticmethod
    def decode(text: bytes) -> Request:
        """The request in one object."""
        fields = loads(text)
        if not isinstance(fields, dict):
            return Malformed("not a JSON object", fatal=False)
        a, b = _operand(fields.get("oper1")), _operand(fields.get("oper2"))
        operator = fields.get("op")
        if a is None or b is None or not isinstance(operator, str):
            return Malformed("oper1, oper2 or op is missing or of the wrong kind", fatal=False)
        return Calculation(a, operator, b)


def _operand(value: object) -> Number | None:
    if isinstance(value, int) and not isinstance(value, bool) and INT32_MIN <= value <= INT32_MAX:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    return None


class _JSONRequestReader(RequestReader):
    def __init__(self) -> None:
        self._object = bytearray()
        self._scanner = ObjectScanner()
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
