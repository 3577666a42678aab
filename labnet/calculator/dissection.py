"""
The calculator's conversations, field by field, in its ten dialects.
"""

from __future__ import annotations

import re
import struct
from collections import deque
from collections.abc import Callable, Generator
from functools import partial
from itertools import count

from labnet.calculator.arithmetic import Calculation, Division, Fault
from labnet.calculator.objects import LONGEST_OBJECT, ObjectScanner
from labnet.calculator.replies import JSONReply, NumberReply, ReplyFormat, StructReply, shortest
from labnet.calculator.requests import (
    EndOfSession,
    FramedRequest,
    JSONRequest,
    Malformed,
    Request,
    RequestFormat,
    StructRequest,
)
from labnet.calculator.wire import PROFILES, Profile
from labnet.net.dissection import (
    NOT_UNDERSTOOD,
    DatagramDissector,
    Direction,
    Dissector,
    Script,
    StreamDissector,
    allOf,
    passOver,
    text,
)
from labnet.net.jsonmembers import members
from labnet.net.wants import Exactly, NotUnderstood, OneOf, Passing, Peek, Run, StreamEnded, Want

__all__ = ["dissector"]

#: Reads one message.
_Reads = Generator[Want, bytes, None]

_LENGTH = Exactly(4)
_NEXT = Peek()
_NO_SPACE = re.compile(rb"[^ \t\r\n]")
_END_OF_JUNK = re.compile(rb"[{\n]")
#: Requests without a reply that are remembered, where a reply is known by its request only.
_MOST_OPEN = 10_000


def dissector(detail: str, transport: str) -> Dissector | None:
    """
    For one conversation of a calculator.

    @param detail: the profile.
    """
    profile = PROFILES.get(detail)
    if profile is None:
        return None
    asked = _Asked(profile)
    request = _requestReader(profile.requests, asked.add)
    if transport == "udp":
        reply = _replyReader(profile.replies, None)
        return DatagramDissector(partial(_one, request, "request"), partial(_one, reply, "reply"))
    reply = _replyReader(profile.replies, asked)
    return StreamDissector(partial(_each, request, "request"), partial(_each, reply, "reply"))


def _one(reader: Callable[[Direction], _Reads], what: str, direction: Direction, number: int) -> Script:
    direction.message = f"{what} {number}"
    yield from reader(direction)


def _each(reader: Callable[[Direction], _Reads], what: str, direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"{what} {number}"
        yield from reader(direction)


class _Asked:
    """
    The requests that wait for their reply, where the reply can not be told from the next one without.

    @ivar lost: whether there were too many of them.
    """

    def __init__(self, profile: Profile) -> None:
        self._profile = profile
        self._needed = not isinstance(profile.replies, (StructReply, NumberReply, JSONReply))
        self._open: deque[Calculation] = deque()
        self.lost = False

    def add(self, request: Request) -> None:
        if self._needed and isinstance(request, Calculation):
            self.lost = self.lost or len(self._open) >= _MOST_OPEN
            if not self.lost:
                self._open.append(request)

    def replies(self) -> tuple[str, set[bytes]]:
        """
        The next request, and all that can be the reply to it.

        @raise NotUnderstood: there is none.
        """
        if self.lost:
            raise NotUnderstood(f"more than {_MOST_OPEN} requests wait for a reply")
        if not self._open:
            raise NotUnderstood("nothing was asked")
        asked, answer = self._open.popleft(), self._profile.answer
        expected = {answer(asked, division, modulo) for division in Division for modulo in (False, True)}
        # A relay says so.
        return _requestText(asked), expected | {self._profile.replies.encode(Fault.NO_REPLY)}


# Structs


class _Part:
    """One part of a struct."""

    def __init__(self, name: str, layout: str) -> None:
        self.name = name
        self.struct = struct.Struct(layout)
        self.want = Exactly(self.struct.size)

    def shown(self, data: bytes) -> str:
        if self.struct.format.endswith("x"):
            return data.hex(" ")
        (value,) = self.struct.unpack(data)
        return text(value.decode("latin-1")) if isinstance(value, bytes) else str(shortest(value))


def _parts(layout: str, numbers: tuple[str, ...], character: str) -> list[_Part]:
    """
    The parts of a struct.

    @param numbers: what its numbers are called, in order.
    @param character: what the character is called.
    """
    order, left = layout[0], iter(numbers)
    names: dict[str, Callable[[], str]] = {"s": lambda: character, "x": lambda: "pad"}
    return [
        _Part(names.get(kind, lambda: next(left))(), order + size + kind)
        for size, kind in re.findall(r"(\d*)([a-z])", layout)
    ]


def _readParts(direction: Direction, parts: list[_Part]) -> Generator[Want, bytes, bytes]:
    whole = b""
    for part in parts:
        data = yield part.want
        direction.part(part.name, part.shown(data))
        whole += data
    return whole


# Requests


def _requestReader(
    requests: RequestFormat, asked: Callable[[Request], None]
) -> Callable[[Direction], _Reads]:
    if isinstance(requests, StructRequest):
        return partial(_structRequest, requests, _requestParts(requests), asked)
    if isinstance(requests, FramedRequest):
        return partial(_framedRequest, requests, _requestParts(requests.inner), asked)
    assert isinstance(requests, JSONRequest)
    return _jsonRequest


def _requestParts(requests: StructRequest) -> list[_Part]:
    return _parts(requests.struct.format, ("operand a", "operand b"), "operator")


def _structRequest(
    requests: StructRequest, parts: list[_Part], asked: Callable[[Request], None], direction: Direction
) -> _Reads:
    raw = yield from _readParts(direction, parts)
    request = requests.decode(raw, 0)
    asked(request)
    direction.whole(_requestText(request))


def _framedRequest(
    requests: FramedRequest, parts: list[_Part], asked: Callable[[Request], None], direction: Direction
) -> _Reads:
    length = int.from_bytes((yield _LENGTH), "little", signed=True)
    if not 0 <= length <= requests.LONGEST:
        raise NotUnderstood(f"a length of {length}, allowed are 0 to {requests.LONGEST}")
    direction.part("length", str(length))
    if length == requests.inner.struct.size:
        yield from _structRequest(requests.inner, parts, asked, direction)
    else:
        direction.part("payload", text((yield Passing(length))))
        direction.whole(f"no request: its length is {length}, not {requests.inner.struct.size}")


def _requestText(request: Request) -> str:
    match request:
        case Calculation(a, operator, b):
            return f"{shortest(a)} {text(operator)} {shortest(b)}"
        case EndOfSession():
            return "the end of the session"
        case Malformed(why):
            return f"no request: {why}"


def _jsonRequest(direction: Direction) -> _Reads:
    yield from _toObject(direction)
    raw = yield _JSONObject()
    _noteMembers(direction, raw, {"oper1": "operand a", "oper2": "operand b", "op": "operator"})
    direction.whole(_requestText(JSONRequest.decode(raw)))


def _toObject(direction: Direction) -> _Reads:
    """Pass over what is no object."""
    while True:
        yield from passOver(direction, _NO_SPACE)
        if (yield _NEXT) == b"{":
            return
        junk = yield Run(_END_OF_JUNK)
        direction.part(NOT_UNDERSTOOD, f"not a JSON object: {text(junk)}", level=0)
        direction.skipped()


def _noteMembers(direction: Direction, raw: bytes, names: dict[str, str]) -> None:
    for member in members(raw) or ():
        start = direction.began
        value = text(member.value if isinstance(member.value, str) else member.raw)
        name = names.get(member.name, text(member.name))
        direction.add(start + member.start, start + member.end, name, value)


class _JSONObject(Want):
    """A JSON object, from its first brace to its last."""

    def __init__(self) -> None:
        self._scanner = ObjectScanner()
        self._scanned = 0

    def take(self, buffer: bytearray, at: int) -> tuple[int, bytes | None]:
        for place in range(at + self._scanned, min(len(buffer), at + LONGEST_OBJECT)):
            if self._scanner.ends(buffer[place]):
                return place + 1, bytes(buffer[at : place + 1])
        self._scanned = len(buffer) - at
        if self._scanned >= LONGEST_OBJECT:
            raise NotUnderstood(f"an object of over {LONGEST_OBJECT} bytes", LONGEST_OBJECT)
        return at, None


# Replies


def _replyReader(replies: ReplyFormat, asked: _Asked | None) -> Callable[[Direction], _Reads]:
    if isinstance(replies, (StructReply, NumberReply)):
        parts = _parts(replies.struct.format, ("result", "unused"), "mark")
        return partial(_structReply, parts)
    if isinstance(replies, JSONReply):
        return _jsonReply
    return _textDatagram if asked is None else partial(_textReply, asked)


def _structReply(parts: list[_Part], direction: Direction) -> _Reads:
    raw = yield from _readParts(direction, parts)
    result = parts[0].shown(raw[: parts[0].struct.size])
    error = raw[-1:] == b"E" if len(parts) > 1 else result == "nan"
    direction.whole("an error" if error else result)


def _textReply(asked: _Asked, direction: Direction) -> _Reads:
    # Nothing ends a reply; but it is known what can be asked to be said.
    yield _NEXT
    request, expected = asked.replies()
    try:
        reply = yield OneOf(expected, f"this is no result of {request}")
    except StreamEnded as ended:
        if ended.rest not in expected:
            raise
        reply = ended.rest
    direction.part("result", text(reply))
    direction.whole(text(reply))


def _textDatagram(direction: Direction) -> _Reads:
    reply = yield from allOf(direction)
    direction.part("result", text(reply))
    direction.whole(text(reply))


def _jsonReply(direction: Direction) -> _Reads:
    yield from _toObject(direction)
    raw = yield _JSONObject()
    _noteMembers(direction, raw, {})
    found = {member.name: member for member in members(raw) or ()}
    if "result" in found:
        direction.whole(text(found["result"].raw))
    elif "error" in found:
        direction.whole(text(f"an error: {found['error'].value}"))
    else:
        direction.whole("no reply: neither result nor error")
