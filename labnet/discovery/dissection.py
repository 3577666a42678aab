"""
What the address server is asked and what it answers, field by field.
"""

from __future__ import annotations

import re

from labnet.discovery.wire import (
    FORM_A,
    FORM_B,
    AnswerNotUnderstood,
    Malformed,
    decodeBinary,
    decodeRequest,
)
from labnet.net.dissection import (
    NOT_UNDERSTOOD,
    DatagramDissector,
    Direction,
    Dissector,
    Script,
    allOf,
    text,
)
from labnet.net.wants import NotUnderstood

__all__ = ["dissector"]

_QUESTIONS = {FORM_A: "where is the service? (as text)", FORM_B: "where is the service? (packed)"}
_WORD = re.compile(rb"[^ \r\n]+")
_LINE = re.compile(rb"[^\r\n]+")
#: What the words of a line are, by its verb.
_WORDS = {
    b"REGISTER": ("name", "address", "seconds"),
    b"RENEW": ("name", "address"),
    b"UNREGISTER": ("name", "address"),
    b"LOOKUP": ("name",),
}
_PACKED = 20


def dissector(detail: str, transport: str) -> Dissector | None:
    """For one peer of the address server, which is asked over UDP only."""
    return DatagramDissector(_request, _reply) if transport == "udp" else None


def _request(direction: Direction, number: int) -> Script:
    direction.message = f"request {number}"
    data = yield from allOf(direction)
    request = decodeRequest(data)
    if request is None:
        raise NotUnderstood("this is no request, and gets no answer")
    if data in _QUESTIONS:
        direction.whole(_QUESTIONS[data])
        return
    words = list(_WORD.finditer(data))
    names = ("verb", *_WORDS.get(words[0][0], ()))
    for name, word in zip(names, words, strict=False):
        direction.add(word.start(), word.end(), name, text(word[0]))
    if isinstance(request, Malformed):
        direction.part(NOT_UNDERSTOOD, text(request.why))
    direction.whole(text(data.strip()))


def _reply(direction: Direction, number: int) -> Script:
    direction.message = f"reply {number}"
    data = yield from allOf(direction)
    # No answer in text has a NUL in it.
    if len(data) == _PACKED and not data[15]:
        _packed(direction, data)
        return
    word, blank, rest = data.partition(b" ")
    if blank and word in (b"OK", b"ERROR"):
        direction.add(0, len(word), "status", text(word))
        direction.add(len(word) + 1, len(data), "seconds" if word == b"OK" else "reason", text(rest))
    elif b":" in data:
        host, _, port = data.rpartition(b":")
        direction.add(0, len(host), "host", text(host))
        direction.add(len(host) + 1, len(data), "port", text(port))
    elif data != b"NONE":
        for line in _LINE.finditer(data):
            name = "and more" if line[0] == b"..." else "name"
            direction.add(line.start(), line.end(), name, text(line[0]))
    direction.whole(text(data))


def _packed(direction: Direction, data: bytes) -> None:
    try:
        address = decodeBinary(data)
    except AnswerNotUnderstood as problem:
        raise NotUnderstood(str(problem)) from problem
    direction.add(0, 15, "host", text(data[:15].partition(b"\0")[0]))
    direction.add(15, 16, "pad", "00")
    direction.add(16, 20, "port", str(address.port))
    direction.whole(text(str(address)))
