"""
What the proxy lets pass, how much it takes, and what it answers instead.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from email.utils import formatdate
from enum import Enum
from http import HTTPStatus

from labnet.proxy.inspection import DecodingLimits, Finding, Rule
from labnet.proxy.wire import Fields, RequestHead, ResponseHead, Version

__all__ = [
    "COURSE_404",
    "COURSE_PAGE",
    "DEFAULT_RULE",
    "Answer",
    "HeadLimits",
    "Holding",
    "PhaseLimits",
    "Policy",
    "Uninspectable",
    "blockedAnswer",
    "isStream",
    "lastAnswer",
    "refusal",
]

_MEDIA_TYPE = re.compile(rb"[!#$%&'*+.^_`|~0-9A-Za-z-]+/[!#$%&'*+.^_`|~0-9A-Za-z-]+")

#: What is read as it comes, and has no end that is worth waiting for.
_STREAMS = frozenset((b"text/event-stream", b"multipart/x-mixed-replace"))

#: How much of a blocked string, or of a reason, an answer and the log repeat, in characters.
_LONGEST_REASON = 300

DEFAULT_RULE = Rule(b"SzamHalo")

COURSE_PAGE = b"<html><body><h1>404 Not Found</h1><p>Content blocked by SzamHalo proxy.</p></body></html>\n"

#: The course's answer, byte for byte; the connection closes after it.
COURSE_404 = b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n" + COURSE_PAGE


class Uninspectable(Enum):
    """
    What happens to a response that can not be looked at: too large, damaged, of an unknown coding.

    C{block}: it is refused. C{cut}: what is too large is passed on as it is looked at, a little behind,
    and cut off where a blocked string begins; what can not be decoded is refused. C{pass}: it passes.
    """

    BLOCK = "block"
    CUT = "cut"
    PASS = "pass"


@dataclass(frozen=True, slots=True)
class HeadLimits:
    """
    What a message head may have.

    @ivar size: bytes in all.
    @ivar target: bytes of a request-target.
    @ivar fields: how many fields.
    """

    size: int = 65_536
    target: int = 8_192
    fields: int = 200


@dataclass(frozen=True, slots=True)
class PhaseLimits:
    """
    How long each phase may take, in seconds; C{0} means "no limit".

    @ivar head: from the first byte of a request's head to its last.
    @ivar connect: to reach the origin.
    @ivar response: from the request's last byte to the response's first, and between any two pieces.
    @ivar linger: to wait, after the last answer, for a client that is still sending.
    @ivar halfClosed: to go on for a client that has closed its half and may be gone, before the first
        byte of its answer.
    """

    head: float = 20.0
    connect: float = 10.0
    response: float = 60.0
    linger: float = 2.0
    halfClosed: float = 5.0


@dataclass(frozen=True, slots=True)
class Holding:
    """
    How much of one body is held until it has been looked at, in bytes.

    @ivar memory: in memory; what is more goes into a temporary file.
    @ivar disk: in all; what is more is uninspectable.
    @ivar seconds: for how long, if the body does not say how long it is; one that has not ended then is
        uninspectable. C{0} means "no limit".
    """

    memory: int = 2**20
    disk: int = 2**30
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class Policy:
    """
    All of it together.

    @ivar rules: the blocked strings.
    @ivar inspectRequest: look at requests, too.
    @ivar uninspectable: what happens to a response that can not be looked at.
    @ivar skipTypes: media types that are not looked at, as C{type/subtype} or C{type/*}, in lower case.
    @ivar blockPage: the body of the answer to what is blocked.
    @ivar course404: answer with the course's exact bytes instead.
    @ivar mostRequestBody: bytes of a request's body; 0 for no limit.
    @ivar connectPorts: the ports that CONNECT may reach; empty for all.
    @ivar upgrades: the protocols to which a connection may change, as C{websocket}, in lower case. They are
        not looked into.
    """

    rules: Sequence[Rule] = (DEFAULT_RULE,)
    inspectRequest: bool = False
    uninspectable: Uninspectable = Uninspectable.BLOCK
    skipTypes: frozenset[str] = frozenset()
    blockPage: bytes = COURSE_PAGE
    course404: bool = False
    holding: Holding = field(default_factory=Holding)
    decoding: DecodingLimits = field(default_factory=DecodingLimits)
    heads: HeadLimits = field(default_factory=HeadLimits)
    phases: PhaseLimits = field(default_factory=PhaseLimits)
    mostRequestBody: int = 0
    connectPorts: frozenset[int] = frozenset((443,))
    upgrades: frozenset[bytes] = frozenset()

    def skips(self, head: ResponseHead) -> bool:
        """Whether the body of this response is of a type that is not looked at."""
        if not self.skipTypes:
            return False
        values = head.fields.values(b"content-type")
        if len(values) != 1:
            return False
        essence = values[0].partition(b";")[0].strip()
        if _MEDIA_TYPE.fullmatch(essence) is None:
            # As "video/mp4, text/html", which a browser takes for the last of them.
            return False
        mediaType = essence.lower().decode("ascii")
        return mediaType in self.skipTypes or mediaType.partition("/")[0] + "/*" in self.skipTypes


def isStream(head: ResponseHead) -> bool:
    """Whether the body of this response is of a type that goes on for as long as the connection does."""
    types = head.fields.values(b"content-type")
    return any(value.partition(b";")[0].strip().lower() in _STREAMS for value in types)


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What the proxy answers in an origin's place.

    @ivar status: the status code.
    @ivar why: the reason, for the field C{X-Labnet-Filter} and for the log: one line of printable ASCII.
    @ivar body: what it carries.
    @ivar mediaType: what that is.
    @ivar verbatim: these bytes instead of all of it; the connection closes after them.
    """

    status: int
    why: str
    body: bytes
    verbatim: bytes = b""
    mediaType: bytes = b"text/html; charset=utf-8"

    def encode(self, version: Version, method: bytes, close: bool, now: float) -> bytes:
        """
        The bytes to send.

        @param version: the client's.
        @param method: of the request; an answer to HEAD has no body.
        @param close: whether the connection closes after it.
        @param now: the time, in seconds since 1970, for the Date.
        """
        if self.verbatim:
            return (
                self.verbatim
                if method != b"HEAD"
                else self.verbatim.partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
            )
        fields = Fields(
            [
                (b"Content-Type", self.mediaType),
                (b"Content-Length", b"%d" % len(self.body)),
                (b"Cache-Control", b"no-store"),
                (b"Date", formatdate(now, usegmt=True).encode("ascii")),
                (b"X-Labnet-Filter", self.why.encode("ascii", "replace")),
            ]
        )
        if close:
            fields.add(b"Connection", b"close")
        elif version is Version.HTTP10:
            fields.add(b"Connection", b"keep-alive")
        head = ResponseHead(self.status, _phrase(self.status), Version.HTTP11, fields).encode()
        return head if method == b"HEAD" else head + self.body


def blockedAnswer(policy: Policy, found: Finding) -> Answer:
    """What is answered in place of something that contains a blocked string."""
    rule, coding = _quoted(str(found.rule)), _quoted(found.coding)
    why = f"blocked; rule={rule}; where={_quoted(found.where)}; offset={found.offset}; coding={coding}"
    if found.charset:
        why += f"; charset={_quoted(found.charset)}"
    return Answer(404, why, policy.blockPage, COURSE_404 if policy.course404 else b"")


def refusal(status: int, why: str) -> Answer:
    """An error answer with a page that says why."""
    title = f"{status} {_phrase(status).decode('ascii')}"
    shown = _printable(why)
    page = (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        f"<title>{title}</title></head>\n"
        f"<body><h1>{title}</h1>\n<p>{html.escape(shown)}.</p>\n"
        "<hr><p>labnet proxy</p></body></html>\n"
    )
    return Answer(status, f"refused; why={_quoted(why)}", page.encode("ascii"))


def lastAnswer(head: RequestHead) -> Answer:
    """
    What is answered to an OPTIONS or TRACE request that goes no further (RFC 9110, 7.6.2): nothing, or
    the request as it came, without what is nobody else's business.
    """
    if head.method == b"OPTIONS":
        return Answer(200, "answered here", b"", mediaType=b"text/plain")
    fields = head.fields.without((b"authorization", b"cookie", b"proxy-authorization"))
    line = b"%b %b %b\r\n" % (head.method, head.target, head.version.value)
    body = line + fields.encode() + b"\r\n"
    return Answer(200, "answered here", body, mediaType=b"message/http")


def _printable(text: str) -> str:
    """The text in printable ASCII on one line, the rest of it escaped; shortened if it is long."""
    if len(text) > _LONGEST_REASON:
        text = text[: _LONGEST_REASON - 3] + "..."
    return "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text)


def _quoted(text: str) -> str:
    """A quoted-string of RFC 9110, 5.6.4."""
    return '"' + _printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _phrase(status: int) -> bytes:
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b"Unknown"
