"""
What is no request in each of the ten dialects, and what it costs.
"""

from __future__ import annotations

import math
import struct

import pytest

from labnet.calculator.arithmetic import INT32_MAX, INT32_MIN, Calculation, Fault
from labnet.calculator.wire import PROFILES, EndOfSession, Malformed, ReplyNotUnderstood
from tests.calculator.dialects import ERROR, NAMES, REPLY_46, REQUEST_12_34, ask


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
