"""
What the scanner says, byte for byte, and what it makes of replies.
"""

from __future__ import annotations

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.classic.wire import NOISE, timeSince1900
from labnet.scan.wire import (
    LISTENING,
    QUESTIONS,
    TLS,
    Identity,
    inOrder,
    mostLikely,
    recognised,
    unrecognised,
)

ASKED = {question.name: question for question in QUESTIONS}


def said(name: str, reply: bytes) -> Identity | None:
    return recognised(ASKED[name], reply)


def test_theQuestionsAndTheirOrder() -> None:
    assert [(question.name, question.request) for question in QUESTIONS] == [
        ("calculator", bytes.fromhex("0c000000220000002b")),
        ("text", b"labnet-scan"),
        ("http", b"HEAD / HTTP/1.0\r\nhost: localhost\r\nuser-agent: labnet-scan\r\n\r\n"),
        ("tls", b""),
        ("checksum", b"KI|labnet-scan"),
        ("framed", b"\x00\x00\x00\x06labnet"),
        ("guess", bytes.fromhex("3c00000032000000")),
    ]


def test_everyQuestionIsText() -> None:
    """A naive server decodes what it receives; no question may be what it can not decode."""
    assert all(question.request.isascii() for question in QUESTIONS)


def test_theLikelyQuestionComesFirstAndTheRestKeepsItsOrder() -> None:
    assert [question.name for question in inOrder(None)] == list(ASKED)
    assert [question.name for question in inOrder(mostLikely(8443))] == [
        "tls", "calculator", "text", "http", "checksum", "framed", "guess"
    ]  # fmt: skip
    assert inOrder(mostLikely(12345)) == list(QUESTIONS)
    assert {mostLikely(port) for port in range(1, 65536)} - {None} <= set(ASKED)


@pytest.mark.parametrize(
    ("reply", "service"),
    [
        (b"Hello, client! Connection established.", "greeting"),
        (b"Enter your username: ", "chat"),
        (b"SSH-2.0-OpenSSH_9.2\r\n", "ssh"),
        (b"220 mail.example ESMTP\r\n", "smtp or ftp"),
        (b"220-Welcome\r\n220 Go on\r\n", "smtp or ftp"),
        (b"+OK ready\r\n", "pop3"),
        (b"* OK IMAP4rev1\r\n", "imap"),
        (b"RFB 003.008\n", "vnc"),
        (b"Friday, November 20, 2026 23:09:53-UTC\r\n", "daytime"),
        (b"Fri Nov 20 23:09:53 2026\n", "daytime"),
        (NOISE[:300], "chargen"),
        (timeSince1900(1_795_207_358), "time"),
    ],
)
def test_thoseWhoSpeakFirst(reply: bytes, service: str) -> None:
    identity = recognised(LISTENING, reply)
    assert identity is not None
    assert identity.service == service


@pytest.mark.parametrize(
    "reply",
    [b"\0\0\0\x14Enter your username: ", b"Fri", b"Sunday\x1b[2J 23:09:53\r\n", bytes(4), NOISE[:40]],
)
def test_thoseWhoOnlyLookLikeIt(reply: bytes) -> None:
    """A length that lies, a day without a time, escapes, a clock of 1900, too little noise."""
    assert recognised(LISTENING, reply) is None


def test_framesAreRecognised() -> None:
    """The chat's begins with its question; the file server answers what is no request of it."""
    assert recognised(LISTENING, b"\0\0\0\x15Enter your username: ") == Identity("chat", "framed")
    error = b'{"error":"bad-request","text":"a head of 201326592 bytes"}'
    assert said("calculator", struct.pack(">I", len(error)) + error) == Identity("files", "framed")
    assert said("calculator", struct.pack(">I", len(error) + 1) + error) is None


@pytest.mark.parametrize(
    ("reply", "detail"),
    [
        (struct.pack("<ii1s", 46, 0, b"R"), "struct9 or ffc"),
        (struct.pack("<ii1s", 0, 0, b"E"), "struct9 or ffc"),
        (struct.pack("<ff1s", 6.4e-44, 0, b"R"), "struct9 or ffc"),
        (struct.pack("<i", 46), "int4"),
        (struct.pack("<f", float("nan")), "net"),
        (b"46", "text"),
        (b"46.0", "text"),
        (b'{"result": 46}', "json"),
        (b'{"error": "malformed"}', "json"),
    ],
)
def test_calculators(reply: bytes, detail: str) -> None:
    assert said("calculator", reply) == Identity("calculator", detail)


@pytest.mark.parametrize("name", ["text", "http", "checksum", "framed"])
def test_echoes(name: str) -> None:
    request = ASKED[name].request
    faithful = Identity("framed echo") if name == "framed" else Identity("echo", "raw")
    assert said(name, request) == faithful
    assert said(name, request.upper()) == Identity("echo", "upper")
    assert said(name, b"Echo: " + request) == Identity("echo", "prefix")
    assert said(name, b"Message received!") == Identity("echo", "ack")


def test_anEchoWithoutLettersCouldBeEitherAndIsAskedAgain() -> None:
    assert said("calculator", ASKED["calculator"].request) is None


@pytest.mark.parametrize("name", [name for name in ASKED if name != "tls"])
def test_someAnswerTheSameToEverything(name: str) -> None:
    assert said(name, b"NOT_FOUND") == Identity("files")
    assert said(name, b"HTTP/1.1 400 Bad Request\r\n\r\n") == Identity(
        "http", said=(b"HTTP/1.1 400 Bad Request",)
    )
    assert said(name, b"\x15\x03\x01\x00\x02\x02\x0a") == Identity("tls", "an alert")


def test_aWebServerSaysWhatItIs() -> None:
    reply = b"HTTP/1.0 200 OK\r\nDate: now\r\nSERVER: Apache/2\x1b[2J\r\n\r\n"
    assert said("http", reply) == Identity("http", said=(b"HTTP/1.0 200 OK", b"Apache/2\x1b[2J"))


@pytest.mark.parametrize(
    ("name", "reply", "service"),
    [("checksum", b"0|", "checksum server"), ("checksum", b"32|" + b"a" * 32, "checksum server"),
     ("guess", b"I\0\0\0\x32\0\0\0", "guess a number"), ("guess", b"V" + bytes(7), "guess a number")],
)  # fmt: skip
def test_theRestOfTheLab(name: str, reply: bytes, service: str) -> None:
    assert said(name, reply) == Identity(service)


def test_aStrangersWordsAreKeptApart() -> None:
    """They are never part of what is printed without being escaped."""
    assert unrecognised(b"\x1b]0;x\x07") == Identity("unknown", said=(b"\x1b]0;x\x07",))
    assert unrecognised(b"") == Identity("unknown", "says nothing")


@given(st.binary(max_size=200), st.sampled_from([LISTENING, *QUESTIONS]))
def test_noReplyUpsetsIt(reply: bytes, question: object) -> None:
    """Anything may come back; what we call it is always in words of our own."""
    assert question is TLS or hasattr(question, "request")
    identity = recognised(question, reply) or unrecognised(reply)  # type: ignore[arg-type]
    assert identity.service.isascii()
    assert identity.service.replace(" ", "").isalnum()
    assert identity.detail.isascii()
    assert identity.detail.isprintable()
