"""
What the proxy tells of each exchange and each tunnel when it is over: one L{Record}.

A journal is whatever takes such records. The plain one writes a line for each into the log; an access log
and the figures for a page of metrics are others, and L{Journals} is several at a time.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple
from typing import Protocol as Interface

from labnet.proxy.inspection import Finding
from labnet.proxy.target import Origin
from labnet.proxy.wire import RequestHead, ResponseHead

__all__ = ["Decision", "Journal", "Journals", "Record", "safeURL"]

#: What stands before the host in an authority, up to the last @ in it: a name, and often a password.
_USER_INFO = re.compile(rb"\A([A-Za-z][A-Za-z0-9+.-]*:/+|//+)?[^/?#]*@")


class Decision(Enum):
    """
    What became of an exchange.

    C{passed}: looked at, or with nothing to look at, and passed on. C{not-inspected}: passed on without a
    look, as the policy says. C{blocked}: it contains a blocked string. C{uninspectable}: refused because it
    can not be looked at. C{refused}: an error answer, because of the client, the rules or the origin.
    C{intercepted}: a tunnel that is looked into; what goes through it has records of its own.
    C{answered}: the proxy itself was asked. C{left}: the client went before there was an answer.
    """

    PASSED = "passed"
    NOT_INSPECTED = "not-inspected"
    BLOCKED = "blocked"
    UNINSPECTABLE = "uninspectable"
    REFUSED = "refused"
    INTERCEPTED = "intercepted"
    ANSWERED = "answered"
    LEFT = "left"


class Record(NamedTuple):
    """
    One exchange, one tunnel, or one request that was not even begun. Times are in seconds; one that does
    not apply is L{None}. There is one for every request: a frozen dataclass takes seven times as long.

    @ivar connection: the number of the client's connection.
    @ivar peer: the client, as C{tcp:127.0.0.1:50000}.
    @ivar host: its address alone.
    @ivar user: who it has proved to be; empty for nobody.
    @ivar at: when the request's head was complete, since 1970.
    @ivar request: its head; L{None} for one that could not be read.
    @ivar url: what was asked for, without credentials; see L{safeURL}.
    @ivar response: the head of the origin's response, if one came.
    @ivar origin: where the request went, if there was a way.
    @ivar status: of the answer; 0 if there was none.
    @ivar bytesIn: from the client: the head and the content, or all that went through a tunnel.
    @ivar bytesOut: to the client, heads and framing included.
    @ivar why: the decision in words; empty if there is nothing to say.
    @ivar finding: the blocked string, and where it was.
    @ivar connect: to reach the origin; L{None} on a connection that was open already.
    @ivar firstByte: from the request's head to the response's.
    @ivar inspection: to look at the bodies.
    @ivar seconds: from the request's head to the end.
    @ivar reused: whether the connection to the origin had been used before.
    """

    connection: int
    peer: str
    host: str
    user: str
    at: float
    request: RequestHead | None
    url: bytes
    response: ResponseHead | None
    origin: Origin | None
    status: int
    bytesIn: int
    bytesOut: int
    decision: Decision
    why: str
    finding: Finding | None
    connect: float | None
    firstByte: float | None
    inspection: float | None
    seconds: float
    reused: bool


class Journal(Interface):
    """
    Whoever wants to know.

    One that has a true attribute C{onlyDecisions} need not be told of what was looked at and passed on.
    """

    def ended(self, record: Record) -> None:
        """An exchange or a tunnel is over."""


class Journals:
    """Several journals as one."""

    def __init__(self, journals: Sequence[Journal]) -> None:
        self._journals = tuple(journals)

    def ended(self, record: Record) -> None:
        """Tell all of them."""
        for journal in self._journals:
            journal.ended(record)


def safeURL(target: bytes) -> bytes:
    """A request-target or a Referer without the credentials that may stand before its host."""
    if b"@" not in target:
        return target
    return _USER_INFO.sub(rb"\1", target)
