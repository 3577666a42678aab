"""
What happens while a client asks for something, line by line, for people.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import singledispatchmethod
from textwrap import wrap

from labnet.web.events import (
    Asking,
    ChunkBegan,
    ChunkEnded,
    Closed,
    Connected,
    Connecting,
    Content,
    End,
    Ended,
    Event,
    HeadEnded,
    HeadPart,
    LookedUp,
    LookingUp,
    NotConnected,
    Received,
    Remark,
    RequestBegan,
    RequestSent,
    Secured,
    Surplus,
    Trailers,
    TunnelReady,
    Unread,
)
from labnet.web.response import inBytes, quoted
from labnet.web.timing import Timing

__all__ = ["Trace", "timetable"]

_MARGIN = 11
_INDENT = " " * _MARGIN
_MARK = f"{_INDENT}--- "
#: What stands before the bytes that were sent and received, and before those that go on with a line.
_OUT, _IN, _GOES_ON = ">", "<", ":"


class Trace:
    """
    Tells what happens, in lines that begin with the seconds since the start.

    Bytes that were sent stand after C{>}, bytes that were received after C{<}, or after C{:} where they
    go on with a line that another piece has begun. What is not printed has become an escape.

    @param width: columns of a line.
    @param most: lines of each piece of a body; 0 for all.
    """

    def __init__(self, width: int = 80, most: int = 12) -> None:
        self._width = max(width, 40)
        self._most = most
        self._pieces = 0
        self._received = 0
        self._kind = ""
        self._lineOpen = False

    def lines(self, seconds: float, event: Event) -> Iterator[str]:
        """
        @param seconds: since the start.
        """
        time = f"{seconds:8.3f} s "
        for line in self._told(event):
            before = _INDENT if line.startswith(_INDENT) else time
            if line.startswith(" ") and not line.startswith(_MARK):
                yield line
                continue
            first, *others = wrap(line.strip(), self._width - _MARGIN, break_on_hyphens=False)
            yield before + first
            for other in others:
                yield f"{_INDENT}    {other}"

    # What begins with a space belongs to the line before it, and has the same time.

    @singledispatchmethod
    def _told(self, event: Event) -> Sequence[str]:
        raise TypeError(event)

    @_told.register
    def _(self, event: Asking) -> Sequence[str]:
        self._pieces = self._received = 0
        self._kind, self._lineOpen = "", False
        return [f"=== {event.url}"]

    @_told.register
    def _(self, event: LookingUp) -> Sequence[str]:
        return [f"--- looking up {event.host}"]

    @_told.register
    def _(self, event: LookedUp) -> Sequence[str]:
        return [f"--- {event.host} is {', '.join(event.addresses)}"]

    @_told.register
    def _(self, event: Connecting) -> Sequence[str]:
        return [f"--- connecting to {event.place}"]

    @_told.register
    def _(self, event: NotConnected) -> Sequence[str]:
        return [f"--- not connected to {event.place}: {event.why}"]

    @_told.register
    def _(self, event: Connected) -> Sequence[str]:
        return [f"--- connected, from {event.here} to {event.there}"]

    @_told.register
    def _(self, event: TunnelReady) -> Sequence[str]:
        self._pieces = self._received = 0
        return [f"--- the proxy has made a tunnel to {event.place}"]

    @_told.register
    def _(self, event: Secured) -> Sequence[str]:
        good = "the certificate is good, and the host's"
        return [
            f"--- TLS is agreed on: {event.version}, {event.cipher}",
            self._mark(good if event.verified else "nobody has looked at the certificate"),
        ]

    @_told.register
    def _(self, event: RequestBegan) -> Sequence[str]:
        lines = event.head.decode("latin-1").split("\r\n")[:-1]
        body = f", then {inBytes(event.body)} of body" if event.body else ""
        return [f">>> request{body}", *self._texts(lines, _OUT)]

    @_told.register
    def _(self, event: RequestSent) -> Sequence[str]:
        return [f"--- request sent, {inBytes(event.size)}"]

    @_told.register
    def _(self, event: Received) -> Sequence[str]:
        self._pieces += 1
        self._received += len(event.data)
        return [f"<<< piece {self._pieces}, {inBytes(len(event.data))}"]

    @_told.register
    def _(self, event: HeadPart) -> Sequence[str]:
        return self._shown("head", event.data, 0)

    @_told.register
    def _(self, event: HeadEnded) -> Sequence[str]:
        self._kind = ""
        if event.interim:
            return [self._mark(f"head of an interim answer complete, {inBytes(len(event.raw))}")]
        lines = [self._mark(f"head complete, {inBytes(len(event.raw))}")]
        match event.end:
            case End.LENGTH:
                how = f"Content-Length: the body has {inBytes(event.length or 0)}"
            case End.LAST_CHUNK:
                how = "chunked: the body ends with its last chunk"
            case End.CLOSE:
                how = "no length and no chunks: the body ends with the connection"
            case End.NO_BODY:
                how = f"no body: an answer {event.head.status}, or one to HEAD or CONNECT, has none"
        return [*lines, self._mark(how)]

    @_told.register
    def _(self, event: ChunkBegan) -> Sequence[str]:
        self._kind = ""
        what = f"a chunk of {inBytes(event.size)}" if event.size else "the last chunk"
        return [self._mark(f"{what}: {quoted(event.line)}")]

    @_told.register
    def _(self, event: Content) -> Sequence[str]:
        return self._shown("body", event.data, self._most)

    @_told.register
    def _(self, event: ChunkEnded) -> Sequence[str]:
        self._kind = ""
        return [self._mark(f"end of the chunk of {inBytes(event.size)}")]

    @_told.register
    def _(self, event: Trailers) -> Sequence[str]:
        section = event.fields.encode().decode("latin-1").split("\r\n")[:-1]
        return [self._mark("trailers:"), *self._texts(section, _IN)]

    @_told.register
    def _(self, event: Ended) -> Sequence[str]:
        self._kind = ""
        if event.end is End.NO_BODY:
            return ["--- answer complete, without a body"]
        how = {
            End.LENGTH: "its Content-Length",
            End.LAST_CHUNK: "the last chunk",
            End.CLOSE: "the end of the connection alone",
        }[event.end]
        return [f"--- body complete, {inBytes(event.size)}; known by {how}"]

    @_told.register
    def _(self, event: Surplus) -> Sequence[str]:
        return self._shown("more", event.data, self._most)

    @_told.register
    def _(self, event: Unread) -> Sequence[str]:
        return self._shown("??", event.data, self._most)

    @_told.register
    def _(self, event: Remark) -> Sequence[str]:
        return [f"!!! {event.sentence}"]

    @_told.register
    def _(self, event: Closed) -> Sequence[str]:
        pieces = f"{self._pieces} piece{'' if self._pieces == 1 else 's'}"
        return [f"--- {event.how}; {inBytes(self._received)} received in {pieces}"]

    # How bytes are shown.

    def _mark(self, sentence: str) -> str:
        return _MARK + sentence

    def _shown(self, kind: str, data: bytes, most: int) -> list[str]:
        """Bytes of one kind, in lines; a line that is not whole is gone on with by the next of the kind."""
        goesOn = self._lineOpen and self._kind == kind
        self._kind, self._lineOpen = kind, not data.endswith(b"\n")
        text = data.decode("utf-8", "backslashreplace").replace("\r\n", "\n")
        lines = text.removesuffix("\n").split("\n")
        rows = self._texts(lines, _IN, kind, goesOn)
        if most and len(rows) > most:
            rows[most:] = [f"{_INDENT}{_IN} ... {len(rows) - most} more lines of this piece"]
        return rows

    def _texts(self, lines: Sequence[str], mark: str, kind: str = "", goesOn: bool = False) -> list[str]:
        room = self._width - _MARGIN - 2
        rows: list[str] = []
        for index, line in enumerate(lines):
            harmless = _harmless(line)
            for at in range(0, max(len(harmless), 1), room):
                before = _GOES_ON if at or (goesOn and index == 0) else mark
                name = f"{kind:>{_MARGIN - 1}} " if not rows and kind else _INDENT
                rows.append(f"{name}{before} {harmless[at : at + room]}".rstrip())
        return rows


def timetable(timing: Timing, width: int = 80) -> list[str]:
    """The phases as a table, each with a bar that shows when it was."""
    phases = timing.phases
    if not phases:
        return []
    begin, span = phases[0].began, max(timing.total, 1e-9)
    room = max(width - 41, 10)
    rows = [f"{'phase':<13}  {'took':>10}  {'until':>10}"]
    for phase in phases:
        left = min(round((phase.began - begin) / span * room), room - 1)
        right = max(round((phase.ended - begin) / span * room), left + 1)
        took, until = _milliseconds(phase.ended - phase.began), _milliseconds(phase.ended - begin)
        rows.append(f"{phase.name:<13}  {took:>10}  {until:>10}  {' ' * left}{'=' * (right - left)}")
    return rows


def _milliseconds(seconds: float) -> str:
    return f"{seconds * 1000:.1f} ms"


def _harmless(text: str) -> str:
    return "".join(
        character if character.isprintable() else character.encode("unicode_escape").decode("ascii")
        for character in text
    )
