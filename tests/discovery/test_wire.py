"""
Every request and every reply of the address server, byte for byte, and what is none of them.
"""

from __future__ import annotations

import struct
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.discovery.wire import (
    LONGEST_REPLY,
    LONGEST_REQUEST,
    Address,
    AnswerNotUnderstood,
    AskBinary,
    AskText,
    BadAddress,
    Granted,
    ListNames,
    Lookup,
    Malformed,
    Nothing,
    Refusal,
    Register,
    Renew,
    Unregister,
    decodeAnswer,
    decodeBinary,
    decodeNames,
    decodeRequest,
    encodeBinary,
    encodeGranted,
    encodeNames,
    encodeNothing,
    encodeRefusal,
    encodeText,
    fitsBinary,
    fitsText,
    isName,
    parseAddress,
    room,
)

HERE = Address("127.0.0.1", 9000)

names = st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,62}", fullmatch=True).filter(isName)
hosts = st.one_of(
    st.sampled_from(["localhost", "192.0.2.7", "a.example", "::1", "2001:db8::5"]),
    st.from_regex(r"[a-z][a-z0-9]{0,20}(\.[a-z][a-z0-9]{0,20}){0,3}", fullmatch=True),
)
addresses = st.builds(Address, hosts, st.integers(1, 65535))
requests = st.one_of(
    st.just(AskText()),
    st.just(AskBinary()),
    st.just(ListNames()),
    st.builds(Lookup, names),
    st.builds(Register, names, addresses, st.integers(1, 10**12 - 1)),
    st.builds(Renew, names, addresses),
    st.builds(Unregister, names, addresses),
)


@pytest.mark.parametrize(
    ("datagram", "request_"),
    [
        (b"Hello server", AskText()),
        (b"GET", AskBinary()),
        (b"REGISTER calc 127.0.0.1:9000 30", Register("calc", HERE, 30)),
        (b"REGISTER calc 127.0.0.1:9000 30\n", Register("calc", HERE, 30)),
        (b"REGISTER calc 127.0.0.1:9000 30\r\n", Register("calc", HERE, 30)),
        (b"REGISTER calc [::1]:9000 99999", Register("calc", Address("::1", 9000), 99999)),
        (b"RENEW calc 127.0.0.1:9000", Renew("calc", HERE)),
        (b"UNREGISTER calc LOCALHOST:9000", Unregister("calc", Address("localhost", 9000))),
        (b"LOOKUP a.b_c-d", Lookup("a.b_c-d")),
        (b"LIST", ListNames()),
        (b"LIST\n", ListNames()),
        (b"LIST" + 300 * b" ", ListNames()),
    ],
)
def test_requestsAreReadAsDocumented(datagram: bytes, request_: object) -> None:
    assert decodeRequest(datagram) == request_


@given(requests)
def test_everyRequestOfOurClientsIsUnderstoodByOurServer(request_: object) -> None:
    assert decodeRequest(request_.encode()) == request_


@pytest.mark.parametrize(
    "datagram",
    [
        b"",
        b"H",
        b"Hello serve",
        b"Hello server\n",
        b"Hello server\0",
        b"hello server",
        b" Hello server",
        b"Hello serverHello server",
        b"GET\n",
        b"GET ",
        b"get",
        b"GE",
        b"GET / HTTP/1.1\r\n\r\n",
        b"list",
        b" LIST",
        b"LIST\n\n",
        b"LIST\nLIST",
        b"LIST\tx",
        b"LIST \x00",
        b"LISTEN",
        b"REGISTER\x1b[2J calc 127.0.0.1:9000 30",
        b"LOOKUP \xc0\xaf",
        b"LOOKUP \xed\xa0\x80",
        b"\x00" * 12,
        b"\xff\xff\xff\xff",
        b"REGISTER calc 127.0.0.1:9000 30" + b" " * LONGEST_REQUEST,
        b"A" * 65507,
    ],
    ids=lambda datagram: repr(datagram[:30]),
)
def test_whatIsNoRequestIsNotRead(datagram: bytes) -> None:
    assert decodeRequest(datagram) is None


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("REGISTER", "REGISTER <name> <host:port> <ttl>"),
        ("REGISTER calc", "REGISTER <name> <host:port> <ttl>"),
        ("REGISTER calc 127.0.0.1:9000", "REGISTER <name> <host:port> <ttl>"),
        ("REGISTER calc 127.0.0.1:9000 30 x", "REGISTER <name> <host:port> <ttl>"),
        ("REGISTER  calc 127.0.0.1:9000 30", "bad name"),
        ("REGISTER calc 127.0.0.1:9000 0", "bad ttl"),
        ("REGISTER calc 127.0.0.1:9000 -1", "bad ttl"),
        ("REGISTER calc 127.0.0.1:9000 1.5", "bad ttl"),
        ("REGISTER calc 127.0.0.1:9000 1_0", "bad ttl"),
        ("REGISTER calc 127.0.0.1:9000 " + 13 * "9", "bad ttl"),
        ("REGISTER calc 127.0.0.1:0 30", "bad port"),
        ("REGISTER calc 127.0.0.1:65536 30", "bad port"),
        ("REGISTER calc 127.0.0.1:-1 30", "bad port"),
        ("REGISTER calc 127.0.0.1: 30", "bad port"),
        ("REGISTER calc 127.0.0.1 30", "no port"),
        ("REGISTER calc :9000 30", "bad host"),
        ("REGISTER calc ::1:9000 30", "bad host"),
        ("REGISTER calc a:b:9000 30", "bad host"),
        ("REGISTER calc 0.0.0.0:9000 30", "no host of a service"),
        ("REGISTER calc [::]:9000 30", "no host of a service"),
        ("REGISTER calc 224.0.0.1:9000 30", "no host of a service"),
        ("REGISTER calc [ff02::1]:9000 30", "no host of a service"),
        ("REGISTER calc 255.255.255.255:9000 30", "no host of a service"),
        ("REGISTER LIST 127.0.0.1:9000 30", "bad name"),
        ("REGISTER .hidden 127.0.0.1:9000 30", "bad name"),
        ("RENEW calc", "RENEW <name> <host:port>"),
        ("RENEW calc 127.0.0.1:9000 30", "RENEW <name> <host:port>"),
        ("UNREGISTER calc", "UNREGISTER <name> <host:port>"),
        ("LOOKUP", "LOOKUP <name>"),
        ("LOOKUP ", "bad name"),
        ("LOOKUP a b", "LOOKUP <name>"),
        ("LOOKUP " + 64 * "a", "bad name"),
        ("LOOKUP " + 400 * "a", "bad name"),
        ("LIST all", "LIST takes nothing"),
    ],
)
def test_aMalformedLineIsToldWhy(line: str, why: str) -> None:
    assert decodeRequest(line.encode()) == Malformed(why)


@given(st.binary(max_size=600))
def test_noBytesBreakTheReaders(data: bytes) -> None:
    for prefix in (b"", b"REGISTER ", b"RENEW a ", b"LOOKUP ", b"LIST ", b"ERROR ", b"OK "):
        decodeRequest(prefix + data)
        for decode in (decodeAnswer, decodeBinary, decodeNames):
            with suppress(AnswerNotUnderstood):
                decode(prefix + data)


# Names and addresses


@pytest.mark.parametrize("name", ["a", "9", "calculator", "Calc.2_x-y", 63 * "n", "registers"])
def test_names(name: str) -> None:
    assert isName(name)


@pytest.mark.parametrize(
    "name",
    ["", "-a", "_a", ".", "...", "a b", "a\n", "a:1", "a/b", "á", "١", 64 * "n",
     "GET", "get", "list", "LOOKUP", "Register", "renew", "unregister", "ok", "none", "Error"],
)  # fmt: skip
def test_whatIsNoName(name: str) -> None:
    """Neither the words of the protocol in any case, nor anything that could break a line of the log."""
    assert not isName(name)


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("localhost:1", "localhost"),
        ("LocalHost:1", "localhost"),
        ("192.0.2.1:1", "192.0.2.1"),
        ("a-b.example:1", "a-b.example"),
        ("my_pc:1", "my_pc"),
        ("[::1]:1", "::1"),
        ("[2001:0DB8::0:1]:1", "2001:db8::1"),
    ],
)
def test_addresses(text: str, host: str) -> None:
    assert parseAddress(text) == Address(host, 1)


@pytest.mark.parametrize(
    "text",
    ["", ":", "a", ":1", "a:", "a:0", "a:00", "a:080", "a:65536", "a:99999", "a:123456", "a:+1", "a:1 ",
     " a:1", "a b:1", "a:b:1", "::1:1", "[::1]", "[::1]1", "[127.0.0.1]:1", "[x]:1", "a:١",
     "1:2", "256.0.0.1:1", "1.2.3:1", "127.1:1", "0x7f000001:1", "a.0X7f:1", "127.0.0.01:1", "2130706433:1",
     "a..b:1", ".a:1", "a.:1", "-a:1", "a-:1", "á:1", "a\0b:1", "a/b:1", "a@b:1",
     "0.0.0.0:1", "[::]:1", "239.1.2.3:1", "255.255.255.255:1", "[ff05::2]:1",
     "[::ffff:127.0.0.1]:1", "[fe80::1%eth0]:1", 64 * "a" + ":1", "a." * 99 + "a:1"],
)  # fmt: skip
def test_whatIsNoAddress(text: str) -> None:
    with pytest.raises(BadAddress):
        parseAddress(text)


@given(addresses)
def test_anAddressIsReadAsItIsWritten(address: Address) -> None:
    assert parseAddress(str(address)) == address


# Replies


def test_formAIsText() -> None:
    assert encodeText(Address("localhost", 9000)) == b"localhost:9000"
    assert encodeText(Address("::1", 9000)) == b"[::1]:9000"


def test_formBIsTwentyBytes() -> None:
    assert encodeBinary(Address("localhost", 9000)) == b"localhost\0\0\0\0\0\0" + b"\0" + b"\x28\x23\0\0"
    longest = encodeBinary(Address("255.255.255.254", 65535))
    assert longest == b"255.255.255.254\0\xff\xff\0\0"
    assert struct.unpack("15si", longest) == (b"255.255.255.254", 65535)


def test_whatFitsTheFormsOfTheCourse() -> None:
    assert fitsText(Address("localhost", 1))
    assert not fitsText(Address("::1", 1))
    assert fitsBinary(Address("a" * 15, 1))
    assert not fitsBinary(Address("a" * 16, 1))
    assert not fitsBinary(Address("::1", 1))
    with pytest.raises(ValueError, match="15 bytes"):
        encodeBinary(Address("::1", 1))


def test_namesAreALineEach() -> None:
    assert encodeNames([], 200) == b"NONE"
    assert encodeNames(["a"], 200) == b"a"
    assert encodeNames(["a", "b"], 200) == b"a\nb"


@given(st.lists(names, max_size=60), st.integers(70, 1200))
def test_aListOfNamesIsCutAtTheLimit(given_: list[str], longest: int) -> None:
    """It never exceeds the limit, is whole names, and says when it is cut."""
    datagram = encodeNames(given_, longest)
    assert len(datagram) <= longest
    told, more = decodeNames(datagram)
    assert told == given_[: len(told)]
    assert more == (len(told) < len(given_))


def test_aCutListTakesNoMoreNamesThanItNeeds() -> None:
    taken = []

    def endless():
        while True:
            taken.append("n")
            yield 63 * "n"

    encodeNames(endless(), 212)
    assert len(taken) == 4


@pytest.mark.parametrize(
    ("datagram", "answer"),
    [
        (b"localhost:9000", Address("localhost", 9000)),
        (b"localhost:9000\n", Address("localhost", 9000)),
        (b"NONE", Nothing()),
        (b"OK 30", Granted(30)),
        (b"OK 0", Granted(0)),
        (b"ERROR not your address", Refusal("not your address")),
    ],
)
def test_answers(datagram: bytes, answer: object) -> None:
    assert decodeAnswer(datagram) == answer


@pytest.mark.parametrize(
    "datagram",
    [b"", b"x", b"OK", b"OK x", b"OK -1", b"none", b"localhost:0", b"localhost:65536", b"a:1:2",
     b"a:1 b:2", b"a:1\nb:2", b"\xff:1", b"Hello server", b"0.0.0.0:1", b"224.0.0.1:9",
     b"a" * 199 + b":1", b"ERROR " + 600 * b"x"],
)  # fmt: skip
def test_whatIsNoAnswer(datagram: bytes) -> None:
    with pytest.raises(AnswerNotUnderstood):
        decodeAnswer(datagram)


@pytest.mark.parametrize(
    "datagram",
    [b"", bytes(20), b"localhost".ljust(16, b"\0") + bytes(4), b"localhost".ljust(16, b"\0") + b"\0\0\1\0",
     b"localhost".ljust(16, b"\0") + b"\xff\xff\xff\xff", b"\xff".ljust(16, b"\0") + b"\1\0\0\0",
     b"localhost".ljust(16, b"\0") + b"\1\0\0", b"localhost".ljust(16, b"\0") + b"\1\0\0\0\0",
     b"localhost:9000"],
)  # fmt: skip
def test_whatIsNoBinaryAnswer(datagram: bytes) -> None:
    with pytest.raises(AnswerNotUnderstood):
        decodeBinary(datagram)


def test_theBinaryAnswerOfAProgramThatDoesNotClearItsBuffer() -> None:
    assert decodeBinary(b"10.0.0.1\0garbag\0\x28\x23\0\0") == Address("10.0.0.1", 9000)


@pytest.mark.parametrize("datagram", [b"", b"\xff", b"a b", b"a\n\nb", b"...\na", b"localhost:9000"])
def test_whatIsNoListOfNames(datagram: bytes) -> None:
    with pytest.raises(AnswerNotUnderstood):
        decodeNames(datagram)


# No ping-pong


@given(addresses, st.lists(names, max_size=3), st.integers(0, 3600))
def test_noReplyIsARequest(address: Address, told: list[str], ttl: int) -> None:
    """Nor is it one in upper case, nor with the prefix of an echo: a loop ends at the first reply."""
    replies = [
        encodeText(address),
        encodeNames(told, LONGEST_REPLY),
        encodeGranted(ttl),
        encodeNothing(),
        encodeRefusal("bad name"),
        encodeRefusal("REGISTER <name> <host:port> <ttl>"),
    ]
    if fitsBinary(address):
        replies.append(encodeBinary(address))
    for reply in replies:
        for echoed in (reply, reply.upper(), b"Echo: " + reply, reply + b"\n"):
            assert decodeRequest(echoed) is None


@given(requests)
def test_theRoomForAReply(request_: object) -> None:
    encoded = request_.encode()
    assert room(encoded) <= 3 * len(encoded) + 200
    assert room(ListNames().encode()) == LONGEST_REPLY
