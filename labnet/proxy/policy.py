"""
What the proxy lets pass, how much it takes, and what it answers instead.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from email.utils import formatdate
from enum import Enum
from http import HTTPStatus

from labnet.net.hosts import BadHost, HostPatterns, plainHost
from labnet.proxy.decoding import DecodingLimits
from labnet.proxy.inspection import Finding
from labnet.proxy.pages import BLOCK_PAGE, ERROR_PAGE, Page, Words, printable
from labnet.proxy.rules import Allowance, Rule, RuleSet, matchesType, mediaType
from labnet.proxy.wire import BadMessage, Fields, RequestHead, ResponseHead, Version

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

#: What is read as it comes, and has no end that is worth waiting for.
_STREAMS = frozenset((b"text/event-stream", b"multipart/x-mixed-replace"))

#: As RFC 9110 has them, and Python from 3.13 on.
_PHRASES = {413: b"Content Too Large", 414: b"URI Too Long", 422: b"Unprocessable Content"}

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
    @ivar exchange: from the request's head to the last byte of its answer.
    @ivar linger: to wait, after the last answer, for a client that is still sending.
    @ivar halfClosed: to go on for a client that has closed its half and may be gone, before the first
        byte of its answer.
    """

    head: float = 20.0
    connect: float = 10.0
    response: float = 60.0
    exchange: float = 86_400.0
    linger: float = 2.0
    halfClosed: float = 5.0


@dataclass(frozen=True, slots=True)
class Holding:
    """
    How much of one body is held until it has been looked at, in bytes.

    @ivar memory: in memory; what is more goes into a temporary file.
    @ivar disk: in all; what is more is uninspectable.
    @ivar free: of the disk, that have to stay free for whoever else uses it; 0 for none.
    @ivar seconds: for how long, if the body does not say how long it is; one that has not ended then is
        uninspectable. C{0} means "no limit".
    """

    memory: int = 2**20
    disk: int = 2**30
    seconds: float = 60.0
    free: int = 64 * 2**20


@dataclass(frozen=True, slots=True)
class Policy:
    """
    All of it together.

    @ivar rules: what is blocked, in order of precedence.
    @ivar allowances: what is not looked at.
    @ivar onlyHosts: the hosts that may be reached; L{None} for all.
    @ivar inspectRequest: look at requests, too, whatever a rule says.
    @ivar uninspectable: what happens to a response that can not be looked at.
    @ivar skipTypes: media types that are not looked at, as C{type/subtype} or C{type/*}, in lower case.
    @ivar blockPage: the page in place of what is blocked, where the rule has none of its own.
    @ivar errorPage: the page in place of what has failed or is refused.
    @ivar course404: answer with the course's exact bytes, where the rule says nothing else.
    @ivar mostRequestBody: bytes of a request's body; 0 for no limit.
    @ivar connectPorts: the ports that CONNECT may reach; empty for all.
    @ivar upgrades: the protocols to which a connection may change, as C{websocket}, in lower case. They are
        not looked into.
    @ivar choices: chooses from the rules and the allowances.
    """

    rules: Sequence[Rule] = (DEFAULT_RULE,)
    allowances: Sequence[Allowance] = ()
    onlyHosts: HostPatterns | None = None
    inspectRequest: bool = False
    uninspectable: Uninspectable = Uninspectable.BLOCK
    skipTypes: frozenset[str] = frozenset()
    blockPage: Page = BLOCK_PAGE
    errorPage: Page = ERROR_PAGE
    course404: bool = False
    holding: Holding = field(default_factory=Holding)
    decoding: DecodingLimits = field(default_factory=DecodingLimits)
    heads: HeadLimits = field(default_factory=HeadLimits)
    phases: PhaseLimits = field(default_factory=PhaseLimits)
    mostRequestBody: int = 0
    connectPorts: frozenset[int] = frozenset((443,))
    upgrades: frozenset[bytes] = frozenset()
    choices: RuleSet = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        choices = RuleSet(self.rules, self.allowances, self.inspectRequest)
        object.__setattr__(self, "choices", choices)

    @property
    def waitsForStreams(self) -> bool:
        """Whether what may have no end is held in the hope of one, as long as a body may be held."""
        return self.uninspectable is not Uninspectable.PASS and self.holding.seconds > 0

    def skips(self, head: ResponseHead) -> bool:
        """Whether the body of this response is of a type that is not looked at."""
        if not self.skipTypes:
            return False
        found = mediaType(head.fields)
        return found is not None and matchesType(found, self.skipTypes)

    def dressed(self, answer: Answer, head: RequestHead | None, secure: bool) -> Answer:
        """
        An answer, with the page that it is to carry filled.

        @param head: of the request, if it could be read.
        @param secure: whether that came inside of a tunnel.
        """
        if answer.words is None:
            return answer
        page = answer.page or self.errorPage
        url = _url(head, secure).decode("latin-1") if head is not None else ""
        return replace(answer, body=page.filled(replace(answer.words, url=url)))

    def checkHost(self, host: str) -> None:
        """
        See that a host may be reached.

        @raise BadMessage: it may not.
        """
        if self.onlyHosts is None:
            return
        try:
            covered = self.onlyHosts.cover(plainHost(host))
        except BadHost:
            covered = False
        if not covered:
            raise BadMessage(f"{host} is not among the hosts that may be reached", 403)


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
    @ivar body: what it carries, if that is no page.
    @ivar mediaType: what it carries is of this type.
    @ivar words: what is said on the page that it is to carry; L{None} for no page.
    @ivar page: that page; L{None} for the one that errors have.
    @ivar verbatim: these bytes instead of all of it; the connection closes after them.
    """

    status: int
    why: str
    body: bytes = b""
    verbatim: bytes = b""
    mediaType: bytes = b"text/html; charset=utf-8"
    fields: Sequence[tuple[bytes, bytes]] = ()
    words: Words | None = None
    page: Page | None = None

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
                *self.fields,
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
    rule, where, coding = found.rule, _quoted(found.where), _quoted(found.coding)
    why = f"blocked; rule={_quoted(str(rule))}; where={where}; offset={found.offset}; coding={coding}"
    if found.charset:
        why += f"; charset={_quoted(found.charset)}"
    ordinary = rule.page is None and rule.status == 404
    return Answer(
        rule.status,
        why,
        verbatim=COURSE_404 if policy.course404 and ordinary else b"",
        words=Words(_statusLine(rule.status), f"the {found.where}, at byte {found.offset}", str(rule)),
        page=rule.page or policy.blockPage,
    )


def refusal(status: int, why: str, fields: Sequence[tuple[bytes, bytes]] = ()) -> Answer:
    """An error answer with a page that says why, and with more fields if they are given."""
    return Answer(
        status, f"refused; why={_quoted(why)}", words=Words(_statusLine(status), why), fields=fields
    )


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


def _url(head: RequestHead, secure: bool) -> bytes:
    """What a request is for, as a URL where it is one."""
    hosts = head.fields.values(b"host")
    if not head.target.startswith(b"/") or not hosts:
        return head.target
    return (b"https://" if secure else b"http://") + hosts[0] + head.target


def _statusLine(status: int) -> str:
    return f"{status} {_phrase(status).decode('ascii')}"


def _quoted(text: str) -> str:
    """A quoted-string of RFC 9110, 5.6.4."""
    return '"' + printable(text).replace("\\", "\\\\").replace('"', '\\"') + '"'


def _phrase(status: int) -> bytes:
    if status in _PHRASES:
        return _PHRASES[status]
    try:
        return HTTPStatus(status).phrase.encode("ascii")
    except ValueError:
        return b"Unknown"
