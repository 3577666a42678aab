"""
What a client may make of the bytes it got.

Two readers look at them. L{messages} reads as a correct client does, and says what the answers are.
L{renderings} reads in every way in which some client reads, for what gets through to one of them gets
through: a body past its length, as chunks wherever a field says something like "chunked", decoded, and in
the charset that is declared. It shares no code with L{labnet.proxy}, whose mistakes it would share.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from labnet.proxyselftest.codings import decoded

__all__ = ["Message", "content", "messages", "renderings", "together"]

_HEAD = re.compile(rb"HTTP/\d\.\d (\d{3})([^\r\n]*)\r?\n(?:(?!\r?\n)[^\n]*\n)*+\r?\n")
_CHUNK_SIZE = re.compile(rb"[ \t\r\n]*(?:0x|\+)?([0-9A-Fa-f]+)[^\n]*\n")
_CHARSET = re.compile(rb"(?:charset|encoding)[ \t]*=[ \t\"']*([A-Za-z0-9_.:-]+)", re.IGNORECASE)
_BOUNDARY = re.compile(rb"boundary=\"?([^\";\r\n]+)")
_BYTE_ORDER_MARKS = ((b"\xef\xbb\xbf", "utf-8"), (b"\xff\xfe", "utf-16-le"), (b"\xfe\xff", "utf-16-be"))
_BEGINNING = 1_024


@dataclass(frozen=True, slots=True)
class Message:
    """
    A final response.

    @ivar head: its bytes.
    @ivar body: as its framing says, chunks put together.
    @ivar complete: whether the client can take it for whole.
    """

    status: int
    reason: bytes
    head: bytes
    body: bytes
    complete: bool

    def field(self, name: bytes) -> bytes:
        """The values of the fields of that name, with commas between them; empty if there is none."""
        return _field(self.head, name)


def messages(raw: bytes, methods: Sequence[bytes], ended: bool) -> list[Message]:
    """
    The final responses in a stream.

    @param methods: of the requests, in order.
    @param ended: whether the stream has ended in an orderly way.
    """
    found: list[Message] = []
    at = 0
    while len(found) < len(methods):
        match = _HEAD.match(raw, at)
        if match is None:
            break
        at = match.end()
        status = int(match[1])
        if 100 <= status < 200 and status != 101:
            continue
        body, past, complete = _delimited(match[0], status, methods[len(found)], raw[at:], ended)
        found.append(Message(status, match[2].strip(), match[0], body, complete))
        at += past
    return found


def content(message: Message) -> bytes:
    """A message's body, decoded."""
    return _undone(message.body, message.field(b"content-encoding"))


def renderings(raw: bytes) -> Iterator[tuple[str, bytes]]:
    """
    What some client makes of a stream, with words on how; text is in UTF-8.
    """
    yield "in the bytes as they came", raw
    for match in _HEAD.finditer(raw):
        head, rest = match[0], raw[match.end() :]
        bodies = [("", rest)]
        transfer = _field(head, rb"transfer-encoding")
        if b"chunked" in transfer.lower():
            bodies.append((", with its chunks put together", _dechunked(rest)[0]))
        for how, body in bodies:
            yield f"in the content{how}", body
            yield from _texts(head, body, how)
            codings = b",".join((_field(head, rb"content-encoding"), transfer))
            plain = _undone(body, codings)
            if plain != body:
                yield f"in the decoded content{how}", plain
                yield from _texts(head, plain, how)


def together(raws: Sequence[bytes]) -> bytes:
    """The contents of all the parts (206, multipart/byteranges) that came, put together."""
    whole = bytearray()
    for raw in raws:
        for message in messages(raw, (b"GET",), True):
            if message.status != 206:
                continue
            boundary = _BOUNDARY.search(message.field(b"content-type"))
            body = content(message)
            if boundary is None:
                whole += body
                continue
            for part in body.split(b"--" + boundary[1])[1:]:
                whole += part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")
    return bytes(whole)


def _field(head: bytes, name: bytes) -> bytes:
    unfolded = re.sub(rb"\r?\n[ \t]+", b" ", head)
    lines = re.findall(rb"(?im)^" + name + rb"[ \t]*:[ \t]*([^\r\n]*)", unfolded)
    return b", ".join(line.strip() for line in lines)


def _delimited(
    head: bytes, status: int, method: bytes, rest: bytes, ended: bool
) -> tuple[bytes, int, bool]:
    """A body, where it ends, and whether it is whole."""
    if method == b"HEAD" or status in (204, 304):
        return b"", 0, True
    if b"chunked" in _field(head, b"transfer-encoding").lower():
        return _dechunked(rest)
    length = _field(head, b"content-length").partition(b",")[0]
    if status != 101 and length.isdigit():
        size = _number(length, 10)
        return rest[:size], size, len(rest) >= size
    return rest, len(rest), ended


def _number(digits: bytes, base: int) -> int:
    """One with too many digits is larger than all that there is to count."""
    significant = digits.lstrip(b"0") or b"0"
    return int(significant, base) if len(significant) <= 15 else base**15


def _dechunked(data: bytes) -> tuple[bytes, int, bool]:
    """The content of a chunked body, where it ends, and whether it is whole; read as loosely as anybody."""
    pieces: list[bytes] = []
    at = 0
    while True:
        match = _CHUNK_SIZE.match(data, at)
        if match is None:
            return b"".join(pieces), len(data), False
        at, size = match.end(), _number(match[1], 16)
        if size == 0:
            ending = re.compile(rb"(?:[^\r\n]+\r?\n)*\r?\n").match(data, at)
            return b"".join(pieces), ending.end() if ending else len(data), ending is not None
        pieces.append(data[at : at + size])
        at += size


def _undone(body: bytes, codings: bytes) -> bytes:
    """The body without its codings, of which the last was applied last; C{chunked} is none."""
    names = [name.strip().lower() for name in codings.split(b",")]
    for name in reversed([name for name in names if name not in (b"", b"chunked", b"identity")]):
        body = decoded(name, body)
    return body


def _texts(head: bytes, body: bytes, how: str) -> Iterator[tuple[str, bytes]]:
    """The body as the text that a browser shows, where that is not in UTF-8."""
    beginning = body[:_BEGINNING]
    declared = _CHARSET.findall(_field(head, b"content-type") + b"\n" + beginning)
    charsets = [charset for mark, charset in _BYTE_ORDER_MARKS if body.startswith(mark)]
    for charset in dict.fromkeys([*charsets, *(name.decode("ascii") for name in declared)]):
        try:
            text = body.decode(charset, "ignore").encode("utf-8", "ignore")
        except (LookupError, UnicodeError):
            continue
        if text != body:
            yield f"in the text, read as {charset}{how}", text
