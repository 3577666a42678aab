"""
The ten dialects: their bytes, every segmentation, and what is no request.
"""

from __future__ import annotations

import itertools
import json
import math
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.calculator.arithmetic import INT32_MAX, INT32_MIN, Calculation, Division, Fault
from labnet.calculator.wire import (
    PROFILES,
    EndOfSession,
    Malformed,
    Profile,
    ReplyNotUnderstood,
)

NAMES = list(PROFILES)
DELIMITED = [name for name in NAMES if PROFILES[name].replies.reader().delimited]
INTEGERS = ["struct9", "int4", "text", "ici", "ici-text", "net", "framed"]
int32 = st.integers(INT32_MIN, INT32_MAX)
float32 = st.floats(width=32, allow_nan=False, allow_infinity=False)


def ask(name: str, request: bytes, modulo: bool = False) -> bytes:
    """What a server of that profile answers to these bytes, over a stream."""
    profile = PROFILES[name]
    requests = profile.requests.reader().feed(request)
    return b"".join(
        profile.answer(each, profile.division, modulo)
        for each in requests
        if not isinstance(each, EndOfSession)
    )


REQUEST_12_34 = {
    "struct9": "0c000000 22000000 2b",
    "int4": "0c000000 22000000 2b",
    "text": "0c000000 22000000 2b",
    "ici": "0c000000 2b000000 22000000",
    "ici-text": "0c000000 2b000000 22000000",
    "fcf": "00004041 2b000000 00000842",
    "ffc": "00004041 00000842 2b",
    "net": "2b 0000000c 00000022",
    "framed": "09000000 0c000000 22000000 2b",
    "json": b'{"oper1":12,"oper2":34,"op":"+"}'.hex(),
}
REPLY_46 = {
    "struct9": "2e000000 00000000 52",
    "int4": "2e000000",
    "text": b"46".hex(),
    "ici": "2e000000",
    "ici-text": b"46".hex(),
    "fcf": b"46.0".hex(),
    "ffc": "00003842 00000000 52",
    "net": "00003842",
    "framed": "2e000000 00000000 52",
    "json": b'{"result": 46}'.hex(),
}
ERROR = {
    "struct9": bytes.fromhex("00000000 00000000 45"),
    "int4": bytes(4),
    "text": b"div by 0",
    "ici": bytes(4),
    "ici-text": b"div by 0",
    "fcf": b"div by 0",
    "ffc": bytes.fromhex("0000c07f 00000000 45"),
    "net": bytes.fromhex("0000c07f"),
    "framed": bytes.fromhex("00000000 00000000 45"),
    "json": b'{"error": "div by 0"}',
}


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


@pytest.mark.parametrize("name", NAMES)
def test_requestsInEverySegmentation(name: str) -> None:
    """One byte at a time, every cut in two, and every cut in three."""
    stream = _messages(name)
    whole = PROFILES[name].requests.reader().feed(stream)
    assert len(whole) == 3
    cuts = [tuple(range(1, len(stream)))]
    cuts += [(at,) for at in range(1, len(stream))]
    if len(stream) < 40:
        cuts += list(itertools.combinations(range(1, len(stream)), 2))
    for cut in cuts:
        reader = PROFILES[name].requests.reader()
        pieces = [stream[a:b] for a, b in itertools.pairwise((0, *cut, len(stream)))]
        assert [request for piece in pieces for request in reader.feed(piece)] == whole
        assert not reader.pending


@pytest.mark.parametrize("name", DELIMITED)
def test_repliesInEverySegmentation(name: str) -> None:
    replies = PROFILES[name].replies
    results = [46, Fault.OUT_OF_RANGE, -21]
    stream = b"".join(replies.encode(result) for result in results)
    whole = replies.reader().feed(stream)
    assert len(whole) == 3
    assert isinstance(whole[1], Fault) or name in ("int4", "ici")
    for cut in [tuple(range(1, len(stream))), *((at,) for at in range(1, len(stream)))]:
        reader = replies.reader()
        pieces = [stream[a:b] for a, b in itertools.pairwise((0, *cut, len(stream)))]
        assert [reply for piece in pieces for reply in reader.feed(piece)] == whole
        assert not reader.pending


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
    for at in range(0, len(data), size):
        for request in reader.feed(data[at : at + size]):
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


# What is no request


@pytest.mark.parametrize("length", [0, 8, 10, 64])
def test_framedWithAnotherLengthIsAnErrorAndTheNextIsAnswered(length: int) -> None:
    good = bytes.fromhex(REQUEST_12_34["framed"])
    replies = ask("framed", struct.pack("<i", length) + b"x" * length + good)
    assert replies == ERROR["framed"] + bytes.fromhex(REPLY_46["framed"])


@pytest.mark.parametrize(
    "prefix", [struct.pack("<i", 65), b"\0\0\0\x80", b"\xff\xff\xff\xff", struct.pack("<i", 2**31 - 1)]
)
def test_framedWithAnAbsurdLengthIsTheEnd(prefix: bytes) -> None:
    """Refused with its fourth byte; what came before is answered, what comes after is not."""
    good = bytes.fromhex(REQUEST_12_34["framed"])
    reader = PROFILES["framed"].requests.reader()
    answers = reader.feed(good + prefix)
    assert answers[0] == Calculation(12, "+", 34)
    assert [type(answer) for answer in answers[1:]] == [Malformed]
    assert isinstance(answers[1], Malformed)
    assert answers[1].fatal
    assert not reader.pending
    assert all(isinstance(answer, Malformed) for answer in reader.feed(good))


@pytest.mark.parametrize(
    "text",
    [
        b"{}",
        b'{"oper1":1,"oper2":2}',
        b'{"oper1":1,"op":"+"}',
        b'{"oper1":"1","oper2":2,"op":"+"}',
        b'{"oper1":true,"oper2":2,"op":"+"}',
        b'{"oper1":null,"oper2":2,"op":"+"}',
        b'{"oper1":NaN,"oper2":2,"op":"+"}',
        b'{"oper1":-Infinity,"oper2":2,"op":"+"}',
        b'{"oper1":1e999,"oper2":2,"op":"+"}',
        b'{"oper1":2147483648,"oper2":2,"op":"+"}',
        b'{"oper1":' + b"9" * 4000 + b',"oper2":2,"op":"+"}',
        '{"oper1":١,"oper2":2,"op":"+"}'.encode(),
        b'{"oper1":1_0,"oper2":2,"op":"+"}',
        b'{"oper1":0x10,"oper2":2,"op":"+"}',
        b'{"oper1":1,"oper2":2,"op":43}',
        b"{'oper1':1,'oper2':2,'op':'+'}",
        b'{"oper1":1,"oper2":2,"op":"\xc0\xaf"}',
        b'{"oper1":1,"oper2":2,"op":"\xed\xa0\x80"}',
        b'{"a":' + b"[" * 4000 + b"}",
        b'{"a":' * 500 + b"1" + b"}" * 500,
        b"{\0}",
    ],
)  # fmt: skip
def test_jsonThatIsNoRequestIsAnErrorAndTheNextIsAnswered(text: bytes) -> None:
    good = bytes.fromhex(REQUEST_12_34["json"])
    assert ask("json", text + good) == b'{"error": "bad req"}{"result": 46}'


def test_ofDuplicateNamesInJSONTheLastCounts() -> None:
    assert ask("json", b'{"oper1":1,"oper1":2,"oper2":3,"op":"+"}') == b'{"result": 5}'


def test_jsonMayHaveWhiteSpaceBracesInStringsAndEscapes() -> None:
    request = b' \r\n\t{ "oper1" : 1.5 , "oper2":2, "op" : "\\u002b", "x":"}\\"{" } '
    assert ask("json", request) == b'{"result": 3.5}'


@pytest.mark.parametrize("operator", ['"\\ud800"', '"++"', '""', '"\\u0000"'])
def test_jsonWithAnUnknownOperator(operator: str) -> None:
    request = f'{{"oper1":1,"oper2":2,"op":{operator}}}'.encode()
    assert ask("json", request) == b'{"error": "bad op"}'


def test_jsonThatOverflows() -> None:
    assert ask("json", b'{"oper1":1e308,"oper2":10.0,"op":"*"}') == b'{"error": "overflow"}'


@pytest.mark.parametrize("junk", [b"junk", b"[1,2]", b"\0", b"\xff\xfe", b"}", b"__import__('os')"])
def test_jsonAfterJunk(junk: bytes) -> None:
    """Junk is one error, up to the next brace or the end of its line."""
    good = bytes.fromhex(REQUEST_12_34["json"])
    assert ask("json", junk + good) == b'{"error": "bad req"}{"result": 46}'
    assert ask("json", junk + b"\n" + junk + b"\n" + good).count(b"bad req") == 2


@pytest.mark.parametrize("flood", [b"x" * 2**20, b"{" * 2**20, b'{"a":"' + b"b" * 2**20, b"x " * 2**19])
def test_aMegabyteThatNeverEndsIsTheEnd(flood: bytes) -> None:
    """Of the flood no more than the limit is kept, and the connection is to end."""
    reader = PROFILES["json"].requests.reader()
    answers = reader.feed(flood)
    assert isinstance(answers[-1], Malformed)
    assert answers[-1].fatal
    assert len(answers) <= 2
    assert not reader.pending
    assert reader.feed(b"{}") == []


@pytest.mark.parametrize("name", [name for name in NAMES if name != "json"])
@pytest.mark.parametrize("operator", [0x00, 0xFF])
def test_operatorsThatNobodyKnows(name: str, operator: int) -> None:
    """Have a defined error, and the next request is answered."""
    profile = PROFILES[name]
    request = profile.requests.encode(Calculation(1, chr(operator), 2))
    good = bytes.fromhex(REQUEST_12_34[name])
    error = profile.replies.encode(Fault.UNKNOWN_OPERATOR)
    assert ask(name, request + good) == error + bytes.fromhex(REPLY_46[name])


@pytest.mark.parametrize("name", ["struct9", "int4", "ici", "framed"])
@pytest.mark.parametrize(
    ("a", "operator", "b"),
    [(INT32_MIN, "/", -1), (INT32_MAX, "+", 1), (INT32_MAX, "*", INT32_MAX), (0, "-", INT32_MIN)],
)
def test_whatDoesNotFitIsTheProfilesError(name: str, a: int, operator: str, b: int) -> None:
    assert ask(name, PROFILES[name].requests.encode(Calculation(a, operator, b))) == ERROR[name]


@pytest.mark.parametrize("bits", ["0100a07f", "0000c07f", "0000807f", "000080ff", "01000000", "00000080"])
def test_unusualFloatsComeOutOfFFC(bits: str) -> None:
    """NaNs, infinities, the smallest denormal, minus zero: times one they stay what they are."""
    (value,) = struct.unpack("<f", bytes.fromhex(bits))
    result, zero, mark = struct.unpack(
        "<ff1s", ask("ffc", bytes.fromhex(bits) + struct.pack("<f1s", 1.0, b"*"))
    )
    assert (zero, mark) == (0.0, b"R")
    if math.isnan(value):
        assert math.isnan(result)
    else:
        assert struct.pack("<f", result) == bytes.fromhex(bits)


def test_aFloatThatDoesNotFitFloat32() -> None:
    largest = struct.unpack("<f", bytes.fromhex("ffff7f7f"))[0]
    assert ask("ffc", struct.pack("<ff1s", largest, 10.0, b"*")) == ERROR["ffc"]


@pytest.mark.parametrize("name", ["struct9", "net"])
def test_theOtherByteOrderIsAnotherNumber(name: str) -> None:
    swapped = (
        struct.pack(">ii1s", 12, 34, b"+") if name == "struct9" else struct.pack("<1sii", b"+", 12, 34)
    )
    (request,) = PROFILES[name].requests.reader().feed(swapped)
    assert request == Calculation(12 << 24, "+", 34 << 24)


@pytest.mark.parametrize("name", ["ici", "ici-text"])
def test_xEndsTheSession(name: str) -> None:
    requests = PROFILES[name].requests
    assert requests.reader().feed(requests.encode(Calculation(1, "X", 2))) == [EndOfSession()]


@pytest.mark.parametrize(
    ("name", "a", "operator"),
    [
        ("struct9", 2**31, "+"), ("struct9", 1.5, "+"),
        ("struct9", math.nan, "+"), ("struct9", math.inf, "+"),
        ("struct9", 10**400, "+"), ("struct9", 1, "++"), ("struct9", 1, ""),
        ("struct9", 1, "€"), ("struct9", 1, "+€"), ("ffc", 1e39, "+"), ("fcf", 10**400, "+"),
        ("json", math.nan, "+"), ("json", math.inf, "+"),
    ],
)  # fmt: skip
def test_whatDoesNotFitARequestIsAValueError(name: str, a: float, operator: str) -> None:
    with pytest.raises(ValueError, match=r"."):
        PROFILES[name].requests.encode(Calculation(a, operator, 1))


@pytest.mark.parametrize(
    ("name", "reply"),
    [
        ("struct9", bytes(8)), ("struct9", bytes(9)), ("struct9", bytes(10)), ("struct9", bytes(18)),
        ("int4", b""),
        ("int4", bytes(8)), ("json", b"[]"), ("json", b"{}"), ("json", b'{"result": true}'),
        ("json", b"{" * 5000),
        ("json", b'{"result": "46"}'), ("text", b"x" * 65),
    ],
)  # fmt: skip
def test_whatIsNoReply(name: str, reply: bytes) -> None:
    with pytest.raises(ReplyNotUnderstood):
        PROFILES[name].replies.decodeDatagram(reply)


# Datagrams


@pytest.mark.parametrize("name", NAMES)
def test_aDatagramOfTheWrongSizeIsNoRequest(name: str) -> None:
    good = bytes.fromhex(REQUEST_12_34[name])
    decode = PROFILES[name].requests.decodeDatagram
    assert decode(good) == Calculation(12, "+", 34)
    for bad in (b"", good[:-1], good + good, good + b"\0\0", bytes(65_507)):
        request = decode(bad)
        assert request is None or isinstance(request, Malformed), bad


def _answerDatagram(profile: Profile, datagram: bytes) -> bytes | None:
    request = profile.requests.decodeDatagram(datagram)
    if request is None or isinstance(request, EndOfSession):
        return None
    return profile.answer(request, profile.datagramDivision, True)


def _exchanges(one: Profile, other: Profile, datagram: bytes) -> int:
    """How many datagrams two servers send each other, once C{one} has got this one."""
    count = 0
    answer = _answerDatagram(one, datagram)
    while answer is not None:
        count += 1
        assert count < 10, "they talk for ever"
        one, other = other, one
        answer = _answerDatagram(one, answer)
    return count


_REPLIES = [
    *(Fault),
    0, 1, -1, 46, 43, 42, 45, 47, 37, 11051, -123_456_78, 123_456_789, -2_147_483_648, 2_147_483_647,
    0x2B2B2B2B, 0x2B, -1.5, 1e9, -1e-9, math.nan, math.inf, 0.1, 1.2345678, -1.234e-5, 8.687e-44,
]  # fmt: skip


@pytest.mark.parametrize("one", NAMES)
@pytest.mark.parametrize("other", NAMES)
def test_twoServersNeverTalkForEver(one: str, other: str) -> None:
    """
    For every pair of profiles: whatever reply of one of them is sent to the other, they send each other
    at most two datagrams before one of them is no request.
    """
    for result in _REPLIES:
        try:
            reply = PROFILES[other].replies.encode(result)
        except (ValueError, OverflowError):
            continue
        assert _exchanges(PROFILES[one], PROFILES[other], reply) <= 2


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.one_of(int32, st.floats()))
def test_twoServersNeverTalkForEverWhateverTheReply(one: str, other: str, result: float) -> None:
    try:
        reply = PROFILES[other].replies.encode(result)
    except (ValueError, OverflowError):
        return
    assert _exchanges(PROFILES[one], PROFILES[other], reply) <= 2


@given(st.sampled_from(NAMES), st.sampled_from(NAMES), st.binary(min_size=9, max_size=13))
def test_twoServersNeverTalkForEverWhateverWasForged(one: str, other: str, forged: bytes) -> None:
    """A datagram whose source is forged to be another server starts a chain that ends at once."""
    assert _exchanges(PROFILES[one], PROFILES[other], forged) <= 3


@pytest.mark.parametrize("name", NAMES)
def test_aReplyIsNoRequestOfItsOwnProfile(name: str) -> None:
    """A reply that an echo sends back is not answered, except as an error that is no request."""
    profile = PROFILES[name]
    for result in _REPLIES:
        reply = profile.replies.encode(result)
        answer = _answerDatagram(profile, reply)
        assert answer is None or _answerDatagram(profile, answer) is None


def test_jsonRepliesAreWhatJSONSays() -> None:
    for result in (46, -3, 3.5, Fault.UNKNOWN_OPERATOR):
        json.loads(PROFILES["json"].replies.encode(result))
