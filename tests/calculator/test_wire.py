"""
The ten dialects: their bytes, every segmentation, and text.
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.calculator.arithmetic import Calculation, Division, Fault
from labnet.calculator.wire import PROFILES, EndOfSession, ReplyNotUnderstood
from labnet.testing import assertSameInAnyPieces, inPieces
from tests.calculator.dialects import ERROR, INTEGERS, NAMES, REPLY_46, REQUEST_12_34, ask, int32

DELIMITED = [name for name in NAMES if PROFILES[name].replies.reader().delimited]
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


@pytest.mark.parametrize("name", NAMES)
def test_theBytesOfARequest(name: str) -> None:
    assert PROFILES[name].requests.encode(Calculation(12, "+", 34)) == bytes.fromhex(REQUEST_12_34[name])


@pytest.mark.parametrize("name", NAMES)
def test_theBytesOfAReply(name: str) -> None:
    assert ask(name, bytes.fromhex(REQUEST_12_34[name])) == bytes.fromhex(REPLY_46[name])


@pytest.mark.parametrize("name", NAMES)
def test_theBytesOfAnError(name: str) -> None:
    assert ask(name, PROFILES[name].requests.encode(Calculation(1, "/", 0))) == ERROR[name]


def test_aNegativeResult() -> None:
    assert ask("struct9", struct.pack("<ii1s", 4, 7, b"-")) == bytes.fromhex("fdffffff 00000000 52")


@pytest.mark.parametrize(
    ("name", "division"),
    [
        ("struct9", -4), ("int4", -3), ("text", -3.5), ("ici", -4), ("ici-text", -3.5),
        ("fcf", -4.0), ("ffc", -3.5), ("net", -3.5), ("framed", -3), ("json", -3),
    ],
)  # fmt: skip
def test_whatDivisionMeansOverAStream(name: str, division: float) -> None:
    profile = PROFILES[name]
    reply = ask(name, profile.requests.encode(Calculation(-7, "/", 2)))
    assert profile.replies.decodeDatagram(reply) == division


def test_overUDPOnlyStruct9DividesDifferently() -> None:
    differing = {
        name for name, profile in PROFILES.items() if profile.datagramDivision is not profile.division
    }
    assert differing == {"struct9"}
    assert PROFILES["struct9"].datagramDivision is Division.TRUNC


@pytest.mark.parametrize("name", ["ici", "ici-text", "fcf"])
def test_padBytesAreIgnored(name: str) -> None:
    request = bytearray.fromhex(REQUEST_12_34[name])
    request[5:8] = b"\xff\x00\x58"
    assert ask(name, bytes(request)) == bytes.fromhex(REPLY_46[name])


# Segments


def _messages(name: str) -> bytes:
    profile = PROFILES[name]
    return b"".join(
        profile.requests.encode(calculation)
        for calculation in (Calculation(12, "+", 34), Calculation(1, "/", 0), Calculation(-7, "*", 3))
    )


@pytest.mark.parametrize("name", NAMES)
def test_requestsInOneSegmentAreAnsweredInOrder(name: str) -> None:
    """And the error of the second does not poison the third."""
    profile = PROFILES[name]
    replies = bytes.fromhex(REPLY_46[name]) + ERROR[name] + profile.replies.encode(-21)
    assert ask(name, _messages(name)) == replies


def inAnyPieces(makeReader: Callable[[], Any], stream: bytes) -> list[object]:
    """What a reader reads in a stream of whole messages, the same in any pieces."""

    def read(pieces: Sequence[bytes]) -> list[object]:
        reader = makeReader()
        found = [message for piece in pieces for message in reader.feed(piece)]
        assert not reader.pending
        return found

    return assertSameInAnyPieces(read, stream, pairs=800)


@pytest.mark.parametrize("name", NAMES)
def test_requestsInEverySegmentation(name: str) -> None:
    """One byte at a time, every cut in two, and every cut in three."""
    assert len(inAnyPieces(PROFILES[name].requests.reader, _messages(name))) == 3


@pytest.mark.parametrize("name", DELIMITED)
def test_repliesInEverySegmentation(name: str) -> None:
    replies = PROFILES[name].replies
    results = [46, Fault.OUT_OF_RANGE, -21]
    stream = b"".join(replies.encode(result) for result in results)
    whole = inAnyPieces(replies.reader, stream)
    assert len(whole) == 3
    assert isinstance(whole[1], Fault) or name in ("int4", "ici")


@pytest.mark.parametrize("name", NAMES)
def test_aPartOfARequestIsPending(name: str) -> None:
    """From the first byte to the last but one."""
    request = PROFILES[name].requests.encode(Calculation(1, "+", 2))
    reader = PROFILES[name].requests.reader()
    assert not reader.pending
    for at in range(len(request) - 1):
        assert reader.feed(request[at : at + 1]) == []
        assert reader.pending
    assert reader.feed(request[-1:]) == [Calculation(1, "+", 2)]


# Round trips


@pytest.mark.parametrize("name", INTEGERS)
@given(a=int32, b=int32, operator=st.sampled_from("+-*/%^"))
def test_requestsOfIntegersRoundTrip(name: str, a: int, b: int, operator: str) -> None:
    requests = PROFILES[name].requests
    calculation = Calculation(a, operator, b)
    assert requests.reader().feed(requests.encode(calculation)) == [calculation]
    assert requests.decodeDatagram(requests.encode(calculation)) == calculation


@pytest.mark.parametrize("name", ["fcf", "ffc", "json"])
@given(a=float32, b=float32, operator=st.sampled_from("+-*/%"))
def test_requestsOfFloatsRoundTrip(name: str, a: float, b: float, operator: str) -> None:
    """Bit by bit, with the sign of zero and denormals."""
    requests = PROFILES[name].requests
    (decoded,) = requests.reader().feed(requests.encode(Calculation(a, operator, b)))
    assert isinstance(decoded, Calculation)
    assert struct.pack("<ff", decoded.a, decoded.b) == struct.pack("<ff", a, b)


@pytest.mark.parametrize("name", NAMES)
@given(result=int32)
def test_repliesRoundTrip(name: str, result: int) -> None:
    replies = PROFILES[name].replies
    decoded = replies.decodeDatagram(replies.encode(result))
    if name in ("ffc", "net"):
        assert struct.pack("<f", decoded) == struct.pack("<f", result)
    elif name == "fcf":
        assert decoded == pytest.approx(result, rel=1e-5)
    else:
        assert decoded == result


@given(st.floats(width=32, allow_nan=False, allow_infinity=False))
def test_aFloat32IsReadWithTheFewestDigits(value: float) -> None:
    """What a client shows stands for the same four bytes, and has no more than nine digits."""
    decoded = PROFILES["net"].replies.decodeDatagram(struct.pack("<f", value))
    assert struct.pack("<f", decoded) == struct.pack("<f", value)
    assert len(repr(decoded).strip("-").replace(".", "").partition("e")[0].strip("0")) <= 9


@given(st.binary(max_size=200), st.sampled_from(NAMES), st.integers(1, 7))
def test_anyBytesAreInput(data: bytes, name: str, size: int) -> None:
    """Nothing raises, each request has an answer that fits, and what is kept is bounded."""
    profile = PROFILES[name]
    reader = profile.requests.reader()
    for piece in inPieces(data, size):
        for request in reader.feed(piece):
            if not isinstance(request, EndOfSession):
                assert len(profile.answer(request, profile.division, True)) <= 64
    profile.requests.decodeDatagram(data)


# Text


@given(st.floats(allow_nan=True, allow_infinity=True))
def test_aFloatAsTextHasAtMostTenBytesAndShowsThatItIsOne(value: float) -> None:
    text = PROFILES["fcf"].replies.encode(value).decode("ascii")
    assert len(text) <= 10
    assert set(text) & set(".einf")
    if abs(value) < 1.79e308:  # Rounded up, the very largest are beyond what a float can be.
        assert float(text) == pytest.approx(value, rel=1e-2)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3.5, "3.5"), (2.0, "2.0"), (-0.0, "-0.0"), (1 / 3, "0.33333333"), (-1 / 3, "-0.3333333"),
        (123456789.0, "123456789."), (2147483647.0, "2.147484e9"), (1e22, "1e+22"),
        (-1.7976931348623157e308, "-1.798e308"), (math.nan, "nan"), (-math.inf, "-inf"),
    ],
)  # fmt: skip
def test_floatsAsText(value: float, text: str) -> None:
    assert PROFILES["text"].replies.encode(value) == text.encode()


@given(int32)
def test_anIntegerAsTextIsExact(value: int) -> None:
    """And has at most ten bytes, unless it has more digits."""
    text = PROFILES["text"].replies.encode(value)
    assert int(text) == value
    assert len(text) <= 10 or value <= -1_000_000_000


def test_aQuotientAsTextIsAlwaysAFloat() -> None:
    assert ask("text", struct.pack("<ii1s", 6, 3, b"/")) == b"2.0"
    assert ask("text", struct.pack("<ii1s", 6, 3, b"*")) == b"18"
    assert ask("ici-text", struct.pack("<i1s3xi", 7, b"/", 2)) == b"3.5"


@pytest.mark.parametrize(
    "reply",
    [b"", b"\xd9\xa1", b"1_000", b"0x10", b"__import__('os')", b"1 2", b"\0", b"(((", b"--1", b"1\x1b[2J"],
)
def test_aTextReplyIsANumberOrAWord(reply: bytes) -> None:
    with pytest.raises(ReplyNotUnderstood):
        PROFILES["text"].replies.decodeDatagram(reply)


@pytest.mark.parametrize("reply", [b"46", b" 46\r\n", b"46.0", b"1e1", b"-inf", b"bad op"])
def test_repliesOfOtherServersAreRead(reply: bytes) -> None:
    assert PROFILES["text"].replies.decodeDatagram(reply) is not None


def test_jsonRepliesAreWhatJSONSays() -> None:
    for result in (46, -3, 3.5, Fault.UNKNOWN_OPERATOR):
        json.loads(PROFILES["json"].replies.encode(result))
