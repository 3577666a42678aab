"""
HTTP/1.1 and HTTP/1.0 conversations, field by field: the proxy's, and those of every other room that speaks
HTTP.

Lines may end with a line feed alone, for an answer that is broken on purpose is taken apart as well. Where
a message ends is found as L{labnet.proxy.body} has it; what could end in two places is not understood.
"""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Generator
from functools import partial
from itertools import count

from labnet.net.dissection import (
    NOT_UNDERSTOOD,
    Direction,
    Dissector,
    Script,
    StreamDissector,
    body,
    passOver,
    sized,
    text,
)
from labnet.net.wants import Everything, Exactly, Line, NotUnderstood, Peek, StreamEnded, Want
from labnet.proxy.body import BodyReader, ChunkedBody, LengthBody, requestBody, responseBody
from labnet.proxy.wire import BadMessage, Fields, RequestHead, ResponseHead, Version

__all__ = ["LONGEST_HEAD", "dissector"]

#: Bytes of a head that is read.
LONGEST_HEAD = 262_144
# Requests without a response that are remembered.
_MOST_OPEN = 10_000

_Reads = Generator[Want, bytes, None]

_REQUEST_LINE = re.compile(rb"(\S+) (\S+) HTTP/1\.(\d)\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.(\d) (\d{3})(?: ([^\n]*))?\n")
_CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})[ \t]*(;[^\n]*)?\r?\n")
_MESSAGE = re.compile(rb"[^\r\n]")
_TOKEN_BYTES = frozenset(b"!#$%&'*+-.^_`|~0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz")
_BEGINNING = b"HTTP/"
_SECRET = frozenset((b"authorization", b"proxy-authorization", b"cookie", b"set-cookie"))
_CR_LF = Exactly(2)
_NEXT = Peek()
_TLS_HANDSHAKE = 0x16


def dissector(detail: str, transport: str) -> Dissector | None:
    """For one connection to something that speaks HTTP. Over UDP nothing does."""
    if transport == "udp":
        return None
    state = _State()
    return StreamDissector(partial(_requests, state), partial(_responses, state))


class _State:
    """
    What one direction has to know of the other.

    @ivar asked: the methods of the requests without a response.
    @ivar tunnel: once something else than HTTP is spoken, what it is.
    @ivar lost: whether too many requests were open to remember them.
    """

    def __init__(self) -> None:
        self.asked: deque[bytes] = deque()
        self.tunnel = ""
        self.lost = False

    def ask(self, method: bytes) -> None:
        self.lost = self.lost or len(self.asked) >= _MOST_OPEN
        if not self.lost:
            # It is only asked for whether it is one of these, and others may be long.
            self.asked.append(method if method in (b"HEAD", b"CONNECT") else b"GET")

    def answered(self, status: int) -> bytes:
        """The method of the request that such a response is for."""
        if self.lost:
            raise NotUnderstood(f"more than {_MOST_OPEN} requests have no response")
        method = self.asked[0] if self.asked else b"GET"
        if status >= 200 and self.asked:
            self.asked.popleft()
        if status == 101:
            self.tunnel = "an upgrade"
        elif method == b"CONNECT" and 200 <= status < 300:
            self.tunnel = "CONNECT"
        return method


# Requests


def _requests(state: _State, direction: Direction) -> Script:
    connecting = False
    for number in count(1):
        direction.message = f"request {number}"
        yield _NEXT
        if state.tunnel or (connecting and b"CONNECT" in state.asked):
            yield from _opaque(direction, state.tunnel or "CONNECT, before its answer")
            return
        yield from passOver(direction, _MESSAGE)
        method = yield from _request(direction)
        state.ask(method)
        connecting = method == b"CONNECT"


def _request(direction: Direction) -> Generator[Want, bytes, bytes]:
    (first,) = yield _NEXT
    if first not in _TOKEN_BYTES:
        what = "a TLS handshake, perhaps" if first == _TLS_HANDSHAKE else text(bytes([first]))
        raise NotUnderstood(f"no request begins like this: {what}")
    line = yield Line()
    match = _REQUEST_LINE.fullmatch(line)
    if match is None:
        raise NotUnderstood(f"this is no request line: {text(line.rstrip())}")
    direction.part("request line", text(line.rstrip()))
    method, target, minor = match.groups()
    fields = yield from _fields(direction, "head")
    what = text(method + b" " + target)
    if method == b"CONNECT":
        direction.whole(what)
        return method
    try:
        reader = requestBody(RequestHead(method, target, _version(minor), fields))
    except BadMessage as problem:
        raise NotUnderstood(f"the length of the body: {problem}") from problem
    yield from _body(direction, reader)
    direction.whole(what)
    return method


# Responses


def _responses(state: _State, direction: Direction) -> Script:
    number = 1
    while True:
        direction.message = f"response {number}"
        yield _NEXT
        if state.tunnel:
            yield from _opaque(direction, state.tunnel)
            return
        yield from passOver(direction, _MESSAGE)
        status = yield from _response(state, direction)
        if status >= 200:
            number += 1


def _response(state: _State, direction: Direction) -> Generator[Want, bytes, int]:
    beginning = yield Peek(len(_BEGINNING))
    if beginning != _BEGINNING:
        raise NotUnderstood(f"no response begins like this: {text(beginning)}")
    line = yield Line()
    match = _STATUS_LINE.fullmatch(line)
    if match is None:
        raise NotUnderstood(f"this is no status line: {text(line.rstrip())}")
    direction.part("status line", text(line.rstrip()))
    minor, digits, reason = match.groups()
    fields = yield from _fields(direction, "head")
    status = int(digits)
    method = state.answered(status)
    what = text(digits + b" " + (reason or b"").strip())
    if status < 200 or state.tunnel:
        # An interim response is none of those that are counted.
        direction.whole(what, "interim response" if status < 200 else "")
        return status
    try:
        reader = responseBody(ResponseHead(status, b"", _version(minor), fields), method)
    except BadMessage as problem:
        raise NotUnderstood(f"the length of the body: {problem}") from problem
    yield from _body(direction, reader)
    direction.whole(what)
    return status


# Both


def _version(minor: bytes) -> Version:
    return Version.HTTP10 if minor == b"0" else Version.HTTP11


def _fields(direction: Direction, section: str) -> Generator[Want, bytes, Fields]:
    """Read a field section and the empty line that ends it."""
    fields = Fields()
    prefix = "" if section == "head" else "trailer "
    limit = direction.position + LONGEST_HEAD
    while (line := (yield Line())) not in (b"\r\n", b"\n"):
        if direction.position > limit:
            raise NotUnderstood(f"a {section} of over {LONGEST_HEAD} bytes")
        name, colon, value = line.partition(b":")
        if not colon or line[:1] in b" \t":
            direction.part(NOT_UNDERSTOOD, f"this is no field: {text(line.rstrip())}")
            continue
        value = value.strip(b" \t\r\n")
        secret = name.lower() in _SECRET
        direction.part(prefix + text(name), f"({sized(len(value))}, not shown)" if secret else text(value))
        fields.add(name, value)
    direction.part(f"{section} ends here")
    return fields


def _body(direction: Direction, reader: BodyReader) -> _Reads:
    if isinstance(reader, ChunkedBody):
        yield from _chunks(direction)
    elif isinstance(reader, LengthBody):
        yield from body(direction, "body", reader.left)
    else:
        start = direction.position
        try:
            yield Everything()
        except StreamEnded:
            size = sized(direction.position - start)
            direction.add(start, direction.position, "body", f"{size}, up to the end of the stream")


def _chunks(direction: Direction) -> _Reads:
    while True:
        line = yield Line()
        match = _CHUNK_SIZE.fullmatch(line)
        if match is None:
            raise NotUnderstood(f"this is no chunk size: {text(line.rstrip())}")
        size = int(match[1], 16)
        if not size:
            break
        direction.part("chunk size", text(line.rstrip()))
        yield from body(direction, f"chunk of {size}", size)
        if (yield _CR_LF) != b"\r\n":
            raise NotUnderstood("the chunk does not end where its size says")
    direction.part("last chunk", text(line.rstrip()))
    yield from _fields(direction, "body")


def _opaque(direction: Direction, why: str) -> _Reads:
    """What is not HTTP any more."""
    start = direction.position
    direction.message = "tunnel"
    direction.add(start, start, "tunnel begins here", why)
    try:
        yield Everything()
    except StreamEnded:
        direction.whole(sized(direction.position - start))
