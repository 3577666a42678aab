"""
What the scanner says to an open port to learn who is there, and what it makes of the reply.

One waits first, because many servers speak first. Then come questions, each on a connection of its own, in
a fixed order; the first recognised reply ends it. All questions are harmless to a server that expects
something else: the calculation, for one, is ASCII throughout, and so is a line of text for a naive echo.
Every byte is in C{docs/protocols/scan.md}.
"""

from __future__ import annotations

import math
import re
import struct
from collections.abc import Callable, Sequence
from dataclasses import dataclass

__all__ = [
    "LISTENING",
    "LONGEST_REPLY",
    "QUESTIONS",
    "TLS",
    "Identity",
    "Question",
    "greeted",
    "inOrder",
    "mostLikely",
    "recognised",
    "unrecognised",
]

#: Of a reply nobody reads more than so many bytes.
LONGEST_REPLY = 4_096

_HTTP_STATUS = re.compile(rb"HTTP/\d\.\d \d{3}[^\r\n]*")
_HTTP_SERVER = re.compile(rb"(?im)^server:[ \t]*([^\r\n]+)")
_CHECKSUM = re.compile(rb"\d{1,5}\|[0-9A-Za-z]{0,200}")
_DECIMAL = re.compile(rb"46(?:\.0*)?")


@dataclass(frozen=True, slots=True)
class Identity:
    """
    Who is there.

    @ivar service: one short word or two, ours, never the peer's.
    @ivar detail: more about it, in our words.
    @ivar said: what the peer wrote, as it came: not to be printed like this.
    """

    service: str
    detail: str = ""
    said: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class Question:
    """
    Something to say to a server.

    @ivar name: what is asked for.
    @ivar request: the bytes; none for those who speak first.
    @ivar reads: what the reply to exactly this request says; L{None} when it says nothing.
    """

    name: str
    request: bytes
    reads: Callable[[bytes], Identity | None]


def greeted(reply: bytes) -> Identity | None:
    """Who speaks before being asked."""
    if reply[4:].startswith(_ASKS_FOR_A_NAME) and _isFrame(reply):
        return Identity("chat", "framed")
    if _DAYTIME.fullmatch(reply):
        return Identity("daytime", said=(_firstLine(reply),))
    for start, service in _GREETINGS:
        if reply.startswith(start):
            own = service in ("greeting", "chat", "chargen")
            return Identity(service, said=() if own else (_firstLine(reply),))
    return None


def _toldTheTime(reply: bytes) -> Identity | None:
    """Four bytes are a time only from somebody who was not asked anything."""
    return Identity("time") if len(reply) == 4 and reply >= _TIME_IN_2020 else greeted(reply)


_ASKS_FOR_A_NAME = b"Enter your username"
#: RFC 867 leaves the form open; everybody writes the day, and hours, minutes and seconds.
_DAYTIME = re.compile(rb"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)[ -~]{0,40}\d\d:\d\d:\d\d[ -~]{0,40}\r?\n?")
#: Seconds since 1900 (RFC 868): who says four bytes below these is no clock that is right.
_TIME_IN_2020 = struct.pack(">I", 3_786_825_600)

_GREETINGS = (
    (b"Hello, client!", "greeting"),
    (_ASKS_FOR_A_NAME, "chat"),
    (bytes(range(0x20, 0x68)), "chargen"),
    (b"SSH-", "ssh"),
    (b"RFB 0", "vnc"),
    (b"* OK", "imap"),
    (b"+OK", "pop3"),
    (b"220 ", "smtp or ftp"),
    (b"220-", "smtp or ftp"),
)


def _calculated(reply: bytes) -> Identity | None:
    """What came of 12 + 34, packed as the course's default profile has it."""
    if _DECIMAL.fullmatch(reply):
        return Identity("calculator", "text")
    if len(reply) == 9 and reply[8:] in (b"R", b"E"):
        # Small integers are denormal floats with the same bits, and their sums have the same bits, too.
        return Identity("calculator", "struct9 or ffc")
    if len(reply) == 4:
        (whole,), (real,) = struct.unpack("<i", reply), struct.unpack("<f", reply)
        if whole == 46:
            return Identity("calculator", "int4")
        # The operator came where its first operand should be.
        return Identity("calculator", "net") if math.isnan(real) else None
    if reply.startswith((b'{"result"', b'{"error"')):
        return Identity("calculator", "json")
    return None


def _isFrame(reply: bytes) -> bool:
    """Whether it is one message with its length before it, as the lab frames them."""
    return len(reply) >= 4 and int.from_bytes(reply[:4], "big") == len(reply) - 4


def _isHTTP(reply: bytes) -> Identity | None:
    status = _HTTP_STATUS.match(reply)
    if status is None:
        return None
    server = _HTTP_SERVER.search(reply)
    return Identity("http", said=(status[0], server[1]) if server else (status[0],))


def _isNothingByItself(reply: bytes) -> Identity | None:
    return None


def _isChecksumServer(reply: bytes) -> Identity | None:
    return Identity("checksum server") if _CHECKSUM.fullmatch(reply) else None


def _isFramedEcho(reply: bytes) -> Identity | None:
    return Identity("framed echo") if reply == _FRAME else None


def _isGuess(reply: bytes) -> Identity | None:
    return Identity("guess a number") if len(reply) == 8 and reply[:1] in b"INYKV" else None


_FRAME = struct.pack(">I", 6) + b"labnet"

#: Nothing is asked: those who speak first are heard.
LISTENING = Question("greeting", b"", _toldTheTime)

#: Not asked with bytes of ours: it is a TLS handshake, and then HTTP.
TLS = Question("tls", b"", _isNothingByItself)

#: What is asked, in this order.
QUESTIONS = (
    Question("calculator", struct.pack("<ii1s", 12, 34, b"+"), _calculated),
    # The name of a file that nobody has, and a message to be echoed.
    Question("text", b"labnet-scan", _isNothingByItself),
    # The letters in lower case tell an echo in upper case from a faithful one.
    Question("http", b"HEAD / HTTP/1.0\r\nhost: localhost\r\nuser-agent: labnet-scan\r\n\r\n", _isHTTP),
    TLS,
    Question("checksum", b"KI|labnet-scan", _isChecksumServer),
    Question("framed", _FRAME, _isFramedEcho),
    Question("guess", struct.pack("<c3xi", b"<", 50), _isGuess),
)


#: What is most likely found where: the lab's own ports, and those that everybody knows.
_LIKELY = {
    **dict.fromkeys((80, 8000, 8008, 8080, 15000), "http"),
    **dict.fromkeys((443, 8443), "tls"),
    **dict.fromkeys((9000, 9002), "calculator"),
    **dict.fromkeys((5000, 7007, 8081, 8082, 8083), "text"),
    7008: "framed",
    9093: "checksum",
    9095: "guess",
}


def mostLikely(port: int) -> str | None:
    """The name of the question that suits a port."""
    return _LIKELY.get(port)


def inOrder(first: str | None) -> Sequence[Question]:
    """
    The questions in their order, with one before the others.

    @param first: the name of the question that suits the port; L{None}, or one that is unknown: none does.
    """
    return sorted(QUESTIONS, key=lambda question: question.name != first)


def recognised(question: Question, reply: bytes) -> Identity | None:
    """Who answers a question like that; L{None} when that could be anybody."""
    if not reply:
        return None
    identity = question.reads(reply) or greeted(reply) or _isHTTP(reply)
    return identity or _answersAnything(question.request, reply)


def _answersAnything(request: bytes, reply: bytes) -> Identity | None:
    """Those who answer the same whatever they are asked."""
    if reply == b"NOT_FOUND":
        return Identity("files")
    if reply[4:].startswith(b'{"error":') and _isFrame(reply):
        return Identity("files", "framed")
    if reply.startswith(b"Message received!"):
        return Identity("echo", "ack")
    if request and reply == b"Echo: " + request:
        return Identity("echo", "prefix")
    if request and request.upper() != request:
        if reply == request:
            return Identity("echo", "raw")
        if reply == request.upper():
            return Identity("echo", "upper")
    if len(reply) >= 3 and reply[0] in (0x15, 0x16) and reply[1] == 3:
        return Identity("tls", "an alert" if reply[0] == 0x15 else "")
    return None


def unrecognised(reply: bytes) -> Identity:
    """Somebody who answered something that we know nothing about, or nothing at all."""
    return Identity("unknown", said=(reply,)) if reply else Identity("unknown", "says nothing")


def _firstLine(reply: bytes) -> bytes:
    return reply.split(b"\n", 1)[0].rstrip(b"\r")
