"""
The course's file protocol and the framed one, field by field; over HTTP it is L{labnet.proxy.dissection}.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator
from functools import partial
from itertools import count

from labnet.files.refusal import Refusal
from labnet.files.wire import (
    COURSE_FOUND,
    COURSE_NOT_FOUND,
    MOST_IN_HEAD,
    FileHead,
    Get,
    List,
    Listing,
    Put,
    Ready,
    Request,
    Stored,
    parseReply,
    parseRequest,
    sizeOf,
)
from labnet.files.wire import NotUnderstood as NoReply
from labnet.net.dissection import Direction, Dissector, Script, StreamDissector, body, ignore, sized, text
from labnet.net.jsonmembers import members
from labnet.net.wants import (
    Everything,
    Exactly,
    Line,
    NotUnderstood,
    OneOf,
    Peek,
    Run,
    StreamEnded,
    Want,
)
from labnet.proxy import dissection as http

__all__ = ["dissector"]

#: Bytes of a name in the course's protocol.
_LONGEST_NAME = 1_024
_NO_DIGIT = re.compile(rb"[^0-9]")
_MOST_DIGITS = 19
_LENGTH = Exactly(4)
_NEXT = Peek()
# Answers to uploads that are remembered until their sender goes on.
_MOST_OPEN = 10_000


def dissector(detail: str, transport: str) -> Dissector | None:
    """
    For one connection.

    @param detail: C{course}, C{framed} or C{http}.
    """
    match detail:
        case "course":
            return StreamDissector(_name, _file)
        case "framed":
            state = _Uploads()
            return StreamDissector(partial(_requests, state), partial(_replies, state))
        case "http":
            return http.dissector(detail, transport)
    return None


# The course's protocol


def _name(direction: Direction) -> Script:
    """A name ends with its line, or with the stream; or with silence, which is not seen here."""
    direction.message = "name"
    try:
        line = yield Line(_LONGEST_NAME + 1)
    except StreamEnded as ended:
        if not ended.rest:
            raise
        line = ended.rest
    direction.whole(text(line.rstrip(b"\r\n")))
    # What comes after the name is passed over.
    yield from ignore(direction)


def _file(direction: Direction) -> Script:
    """
    C{OK}, the size, the bytes, without anything between them: only the end of the stream tells how many of
    the digits are the size.
    """
    direction.message = "file"
    status = yield OneOf([COURSE_FOUND, COURSE_NOT_FOUND], "neither OK nor NOT_FOUND")
    direction.part("status", text(status))
    if status == COURSE_NOT_FOUND:
        direction.whole("there is no such file")
        return
    start = direction.position
    run = Run(_NO_DIGIT, keep=_MOST_DIGITS)
    try:
        digits = yield run
        direction.part("digits", f"{text(digits)}: the size, and the file where it begins with digits")
        yield Everything()
    except StreamEnded:
        _solve(direction, start, run.kept)


def _solve(direction: Direction, start: int, digits: bytes) -> None:
    total = direction.position - start
    size = sizeOf(total)
    if size is None or not digits.startswith(b"%d" % size):
        why = f"{sized(total)} can not be a size and so much content: the file is cut off"
        raise NotUnderstood(why)
    middle = direction.position - size
    direction.add(start, middle, "size", f"{size}, for {size} + {middle - start} = {total}")
    if size:
        direction.add(middle, direction.position, "content", sized(size))
    direction.whole(sized(size))


# The framed protocol


class _Uploads:
    """
    What the sender of requests has to know of the replies.

    @ivar open: which replies the requests under way have had: for each whether it is an upload.
    @ivar refused: whether the last upload was refused, or L{None} when that is not known yet.
    """

    def __init__(self) -> None:
        self.open: deque[bool] = deque()
        self.refused: bool | None = None

    def asked(self, upload: bool) -> None:
        if len(self.open) >= _MOST_OPEN:
            raise NotUnderstood(f"more than {_MOST_OPEN} requests have no reply")
        self.open.append(upload)
        if upload:
            self.refused = None

    def replied(self, ready: bool) -> None:
        if self.open and self.open.popleft():
            self.refused = not ready


def _requests(uploads: _Uploads, direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"request {number}"
        raw = yield from _head(direction)
        try:
            request = parseRequest(raw)
        except Refusal as refusal:
            direction.whole(text(str(refusal)))
            uploads.asked(False)
            continue
        uploads.asked(isinstance(request, Put))
        direction.whole(_asked(request))
        if isinstance(request, Put) and request.size:
            yield _NEXT
            if not uploads.refused:
                direction.message = f"content of request {number}"
                yield from body(direction, "content", request.size)
                direction.whole(sized(request.size))


def _asked(request: Request) -> str:
    match request:
        case Get(name, offset):
            return f"get {text(name)}" + (f" from {offset}" if offset else "")
        case Put(name, size):
            return f"put {text(name)}, {sized(size)}"
        case List(after):
            return "list" + (f" after {text(after)}" if after else "")


def _replies(uploads: _Uploads, direction: Direction) -> Script:
    for number in count(1):
        direction.message = f"reply {number}"
        raw = yield from _head(direction)
        try:
            reply = parseReply(raw)
        except Refusal as refusal:
            uploads.replied(False)
            direction.whole(f"{refusal.trouble.value}: {text(str(refusal), 100)}")
            continue
        except NoReply as problem:
            raise NotUnderstood(f"this is no reply: {problem}") from problem
        uploads.replied(isinstance(reply, Ready))
        match reply:
            case FileHead(name, offset, size):
                yield from body(direction, "content", size - offset)
                direction.whole(f"{text(name)}, {sized(size - offset)}")
            case Listing(entries, more):
                direction.whole(_files(len(entries)) + (", and more" if more else ""))
            case Ready():
                direction.whole("send it")
            case Stored(name, size):
                direction.whole(f"{text(name)} is stored, {sized(size)}")


def _files(number: int) -> str:
    return "1 file" if number == 1 else f"{number} files"


def _head(direction: Direction) -> Generator[Want, bytes, bytes]:
    """A JSON object behind its length, and its members."""
    length = int.from_bytes((yield _LENGTH), "big")
    if length > MOST_IN_HEAD:
        raise NotUnderstood(f"a head of {length} bytes, allowed are {MOST_IN_HEAD}")
    direction.part("length", str(length))
    start = direction.position
    raw = yield Exactly(length)
    direction.part("head")
    for member in members(raw) or ():
        value = text(member.value if isinstance(member.value, str) else member.raw)
        if member.name == "password":
            value = "(not shown)"
        direction.add(start + member.start, start + member.end, text(member.name), value, 2)
    return raw
