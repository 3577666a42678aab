"""
The ten dialects of the calculator, without input or output.

A L{Profile} joins a request format to a reply format; L{PROFILES} has them by name. Every byte is in
C{docs/protocols/calculator.md}.
"""

from __future__ import annotations

from dataclasses import dataclass

from labnet.calculator.arithmetic import Calculation, Division, Fault, evaluate
from labnet.calculator.replies import (
    JSONReply,
    NumberReply,
    ReplyFormat,
    ReplyNotUnderstood,
    ReplyReader,
    StructReply,
    TextReply,
)
from labnet.calculator.requests import (
    EndOfSession,
    FramedRequest,
    JSONRequest,
    Malformed,
    Received,
    Request,
    RequestFormat,
    RequestReader,
    StructRequest,
)

__all__ = [
    "DEFAULT_PROFILE",
    "PROFILES",
    "EndOfSession",
    "Malformed",
    "Profile",
    "Received",
    "ReplyFormat",
    "ReplyNotUnderstood",
    "ReplyReader",
    "Request",
    "RequestFormat",
    "RequestReader",
]


@dataclass(frozen=True, slots=True)
class Profile:
    """
    One dialect.

    @ivar requests: how requests look.
    @ivar replies: how replies look.
    @ivar division: what C{/} means unless the server is told otherwise.
    @ivar datagramDivision: the same over UDP, where the course's programs differ.
    """

    name: str
    requests: RequestFormat
    replies: ReplyFormat
    division: Division
    datagramDivision: Division

    def answer(self, request: Calculation | Malformed, division: Division, modulo: bool = False) -> bytes:
        """The reply to a request: the result, or the profile's error."""
        if isinstance(request, Malformed):
            return self.replies.encode(Fault.MALFORMED)
        result = evaluate(request, division, modulo)
        if self.replies.quotientAsFloat and request.operator == "/" and isinstance(result, int):
            result = float(result)
        return self.replies.encode(result)


def _profile(
    name: str,
    requests: RequestFormat,
    replies: ReplyFormat,
    division: Division,
    datagramDivision: Division | None = None,
) -> Profile:
    return Profile(name, requests, replies, division, datagramDivision or division)


_REPLY_MARKS = frozenset("RE")
_IIC = StructRequest("<ii1s", 2, replyMarks=_REPLY_MARKS)
_ICI = StructRequest("<i1s3xi", 1, last="X")

PROFILES: dict[str, Profile] = {
    profile.name: profile
    for profile in (
        _profile("struct9", _IIC, StructReply("<ii1s"), Division.FLOOR, Division.TRUNC),
        _profile("int4", _IIC, NumberReply("<i"), Division.TRUNC),
        _profile("text", _IIC, TextReply(), Division.TRUE),
        _profile("ici", _ICI, NumberReply("<i"), Division.FLOOR),
        _profile("ici-text", _ICI, TextReply(), Division.TRUE),
        _profile("fcf", StructRequest("<f1s3xf", 1), TextReply(alwaysFloat=True), Division.FLOOR),
        _profile(
            "ffc",
            StructRequest("<ff1s", 2, replyMarks=_REPLY_MARKS),
            StructReply("<ff1s"),
            Division.TRUE,
        ),
        _profile("net", StructRequest("!1sii", 0), NumberReply("<f"), Division.TRUE),
        _profile("framed", FramedRequest(_IIC), StructReply("<ii1s"), Division.TRUNC),
        _profile("json", JSONRequest(), JSONReply(), Division.TRUNC),
    )
}

DEFAULT_PROFILE = PROFILES["struct9"]
