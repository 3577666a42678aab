"""
The calculator's conversations, taken apart in every dialect.
"""

from __future__ import annotations

import struct

import pytest

from labnet.calculator.arithmetic import Calculation
from labnet.calculator.wire import PROFILES, Profile
from labnet.net.dissection import Field, dissectorFor
from tests.dissections import IN, OUT, dissect, made, rows

everyProfile = pytest.mark.parametrize("profile", PROFILES.values(), ids=PROFILES)
SUM = Calculation(12, "+", 34)
PRODUCT = Calculation(-7, "*", 6)


def wholes(fields: list[Field]) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields if field.level == 0]


def values(fields: list[Field], name: str) -> list[float | str]:
    return [
        float(field.value) if name != "operator" else field.value for field in fields if field.name == name
    ]


@everyProfile
@pytest.mark.parametrize("size", [1, 5, 1000])
def test_twoRequestsAndTheirRepliesInAnyPieces(profile: Profile, size: int) -> None:
    """Each request has its operands and its operator, each reply its result; nothing else is there."""
    asked = b"".join(profile.requests.encode(request) for request in (SUM, PRODUCT))
    answered = b"".join(profile.answer(request, profile.division) for request in (SUM, PRODUCT))
    turns = [(IN, asked[at : at + size]) for at in range(0, len(asked), size)]
    turns += [(OUT, answered[at : at + size]) for at in range(0, len(answered), size)]
    requests, replies = dissect(made("calculator", profile.name), turns)
    assert values(requests, "operand a") == [12, -7]
    assert values(requests, "operand b") == [34, 6]
    assert values(requests, "operator") == ["+", "*"]
    assert values(replies, "result") == [46, -42]
    assert [name for name, _ in wholes(requests)] == ["request 1", "request 2"]
    assert [(name, float(value)) for name, value in wholes(replies)] == [("reply 1", 46), ("reply 2", -42)]


@everyProfile
def test_datagrams(profile: Profile) -> None:
    """Each datagram is one message, and its offsets begin at 0."""
    dissector = made("calculator", profile.name, "udp")
    for number in (1, 2):
        request = dissector.received(profile.requests.encode(SUM))
        reply = dissector.written(profile.answer(SUM, profile.datagramDivision))
        assert [name for name, _ in wholes(request)] == [f"request {number}"]
        assert [name for name, _ in wholes(reply)] == [f"reply {number}"]
        assert (request[0].start, reply[0].start) == (0, 0)
        assert values(reply, "result") == [46]


def test_aRequestsBytes() -> None:
    """Where everything stands, with the pads."""
    fields, _ = dissect(made("calculator", "ici"), [(IN, struct.pack("<i1s3xi", 12, b"+", 34))])
    assert rows(fields) == [
        (0, 12, "request 1", "12 + 34"),
        (0, 4, "  operand a", "12"),
        (4, 5, "  operator", "+"),
        (5, 8, "  pad", "00 00 00"),
        (8, 12, "  operand b", "34"),
    ]


def test_whatIsWholeIsToldAtOnce() -> None:
    """An operand is a field when its bytes are there, and not when the request is."""
    dissector = made("calculator", "struct9")
    assert rows(dissector.received(struct.pack("<i", 12) + b"\x22")) == [(0, 4, "  operand a", "12")]
    assert [name for _, _, name, _ in rows(dissector.received(b"\0\0\0+"))] == [
        "request 1",
        "  operand b",
        "  operator",
    ]


def test_errorsAreTold() -> None:
    division = Calculation(1, "/", 0)
    for name, value in [("struct9", "an error"), ("net", "an error"), ("text", "div by 0")]:
        profile = PROFILES[name]
        turns = [
            (IN, profile.requests.encode(division)),
            (OUT, profile.answer(division, profile.division)),
        ]
        assert wholes(dissect(made("calculator", name), turns)[1]) == [("reply 1", value)]
    json = PROFILES["json"].answer(division, PROFILES["json"].division)
    assert wholes(dissect(made("calculator", "json"), [(OUT, json)])[1]) == [
        ("reply 1", "an error: div by 0")
    ]


def test_theStreamEndsInARequest() -> None:
    fields, _ = dissect(made("calculator", "net"), [(IN, b"+\0\0")])
    assert wholes(fields) == [("cut off", "request 1: the stream ended after 3 bytes of it")]


def test_aDatagramOfTheWrongSize() -> None:
    dissector = made("calculator", "struct9", "udp")
    assert wholes(dissector.received(bytes(8))) == [
        ("cut off", "request 1: the datagram ended after 8 bytes of it")
    ]
    assert wholes(dissector.received(bytes(10))) == [
        ("request 2", "0 \\x00 0"),
        ("not understood", "the datagram goes on, and nothing is expected here"),
    ]


def test_framedLengths() -> None:
    """A length that no request has is passed over; one that can not be is where reading ends."""
    fields, _ = dissect(
        made("calculator", "framed"), [(IN, struct.pack("<i", 2) + b"ab" + struct.pack("<i", -1) + b"abc")]
    )
    assert wholes(fields) == [
        ("request 1", "no request: its length is 2, not 9"),
        ("not understood", "a length of -1, allowed are 0 to 64"),
    ]


def test_junkBetweenObjects() -> None:
    """What is no object is named, and the next object is read."""
    fields, _ = dissect(made("calculator", "json"), [(IN, b' hello {"oper1": 1} \n{"a": "}"}')])
    assert wholes(fields) == [
        ("not understood", "not a JSON object: hello "),
        ("request 1", "no request: oper1, oper2 or op is missing or of the wrong kind"),
        ("request 2", "no request: oper1, oper2 or op is missing or of the wrong kind"),
    ]


def test_aTextReplyThatCouldBeLonger() -> None:
    """1 / 16 is 0.0625, or 0.0 where division has no fraction: the end, or the next reply, tells."""
    request = PROFILES["text"].requests.encode(Calculation(1, "/", 16))
    longer = dissect(made("calculator", "text"), [(IN, request), (OUT, b"0.0"), (OUT, b"625")])[1]
    shorter = dissect(made("calculator", "text"), [(IN, request), (OUT, b"0.0")])[1]
    two = dissect(made("calculator", "text"), [(IN, request * 2), (OUT, b"0.00.0625")])[1]
    assert wholes(longer) == [("reply 1", "0.0625")]
    assert wholes(shorter) == [("reply 1", "0.0")]
    assert wholes(two) == [("reply 1", "0.0"), ("reply 2", "0.0625")]


def test_aTextReplyThatNobodyCouldExpect() -> None:
    request = PROFILES["text"].requests.encode(SUM)
    wrong = dissect(made("calculator", "text"), [(IN, request), (OUT, b"47")])[1]
    unasked = dissect(made("calculator", "text"), [(OUT, b"46")])[1]
    assert wholes(wrong) == [("not understood", "this is no result of 12 + 34")]
    assert wholes(unasked) == [("not understood", "nothing was asked")]


def test_aTextReplyThatIsCutOff() -> None:
    request = PROFILES["text"].requests.encode(SUM)
    cut = dissect(made("calculator", "text"), [(IN, request), (OUT, b"4")])[1]
    assert wholes(cut) == [("cut off", "reply 1: the stream ended after 1 byte of it")]


def test_soManyTextRequestsAreRemembered() -> None:
    """A client that never gets a reply does not fill the memory."""
    request = PROFILES["text"].requests.encode(SUM)
    dissector = made("calculator", "text")
    dissector.received(request * 10_001)
    assert wholes(dissector.written(b"46")) == [
        ("not understood", "more than 10000 requests wait for a reply")
    ]


def test_theEndOfASession() -> None:
    fields, _ = dissect(made("calculator", "ici"), [(IN, struct.pack("<i1s3xi", 0, b"X", 0))])
    assert wholes(fields) == [("request 1", "the end of the session")]


def test_anUnknownProfileHasNone() -> None:
    assert dissectorFor("calculator", "ternary", "tcp") is None
