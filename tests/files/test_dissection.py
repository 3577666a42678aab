"""
The course's file protocol and the framed one, taken apart.
"""

from __future__ import annotations

import pytest

from labnet.files.refusal import Refusal, Trouble
from labnet.files.wire import (
    MOST_IN_HEAD,
    Entry,
    FileHead,
    Get,
    List,
    Listing,
    Put,
    Ready,
    Stored,
    encodeHead,
)
from labnet.net.dissection import Field, dissectorFor
from labnet.net.framing import LengthPrefixed
from tests.dissections import IN, OUT, Turn, dissect, made, rows

DIGEST = "0" * 64
PUT = Put("x", 3, DIGEST, user="joe", password="secret")


def wholes(fields: list[Field]) -> list[tuple[str, str]]:
    return [(field.name, field.value) for field in fields if field.level == 0]


def course(*turns: Turn) -> tuple[list[Field], list[Field]]:
    return dissect(made("files", "course"), turns)


def framed(*turns: Turn) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    requests, replies = dissect(made("files", "framed"), turns)
    return wholes(requests), wholes(replies)


def test_aFile() -> None:
    """Only the end of the stream tells which digits are the size: here the file begins with one."""
    names, files = course((IN, b"x.txt"), (OUT, b"OK"), (OUT, b"12"), (OUT, b"3abcdefghijk"))
    assert rows(names) == [(0, 5, "name", "x.txt")]
    assert rows(files) == [
        (0, 2, "  status", "OK"),
        (2, 5, "  digits", "123: the size, and the file where it begins with digits"),
        (0, 16, "file", "12 bytes"),
        (2, 4, "  size", "12, for 12 + 2 = 14"),
        (4, 16, "  content", "12 bytes"),
    ]


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (b"OK0", ("file", "0 bytes")),
        (b"OK15", ("file", "1 byte")),
        (b"NOT_FOUND", ("file", "there is no such file")),
        (
            b"OK100abc",
            ("not understood", "6 bytes can not be a size and so much content: the file is cut off"),
        ),
        (b"OK", ("not understood", "0 bytes can not be a size and so much content: the file is cut off")),
        (b"NOT_F", ("cut off", "file: the stream ended after 5 bytes of it")),
        (b"HTTP/1.1", ("not understood", "neither OK nor NOT_FOUND")),
    ],
)
def test_howAFileEnds(answer: bytes, said: tuple[str, str]) -> None:
    _, files = course((OUT, answer))
    assert wholes(files) == [said]


def test_aNameEndsWithItsLine() -> None:
    """At once; and what comes after it is passed over."""
    dissector = made("files", "course")
    assert wholes(dissector.received(b"x.txt\r\nand more")) == [("name", "x.txt")]
    assert dissector.received(b"still more\n") == dissector.receivedEnd() == []


def test_anUpload() -> None:
    """The head's members, the content that follows it, and the password, which is not shown."""
    requests, replies = dissect(
        made("files", "framed"),
        [
            (IN, encodeHead(PUT)),
            (OUT, encodeHead(Ready())),
            (IN, b"abc"),
            (OUT, encodeHead(Stored("x", 3, DIGEST))),
        ],
    )
    assert wholes(requests) == [("request 1", "put x, 3 bytes"), ("content of request 1", "3 bytes")]
    assert wholes(replies) == [("reply 1", "send it"), ("reply 2", "x is stored, 3 bytes")]
    members = {field.name: field.value for field in requests if field.level == 2}
    assert members == {
        "request": "put",
        "name": "x",
        "offset": "0",
        "size": "3",
        "sha256": DIGEST,
        "mtime": "null",
        "replace": "false",
        "user": "joe",
        "password": "(not shown)",
    }


def test_anUploadThatIsRefused() -> None:
    """Then what follows the head is the next request, and no content."""
    requests, replies = framed(
        (IN, encodeHead(PUT)),
        (OUT, encodeHead(Refusal(Trouble.DENIED, "wrong"))),
        (IN, encodeHead(List("a"))),
    )
    assert requests == [("request 1", "put x, 3 bytes"), ("request 2", "list after a")]
    assert replies == [("reply 1", "denied: wrong")]


def test_contentThatDoesNotWaitForTheReply() -> None:
    requests, _ = framed((IN, encodeHead(PUT) + b"abc" + encodeHead(List())))
    assert [name for name, _ in requests] == ["request 1", "content of request 1", "request 2"]


def test_aDownload() -> None:
    head = encodeHead(FileHead("x", 2, 5, DIGEST, 0.0))
    requests, replies = framed((IN, encodeHead(Get("x", 2))), (OUT, head + b"llo"))
    assert requests == [("request 1", "get x from 2")]
    assert replies == [("reply 1", "x, 3 bytes")]


def test_aDownloadThatIsCutOff() -> None:
    head = encodeHead(FileHead("x", 0, 5, DIGEST, 0.0))
    _, fields = dissect(made("files", "framed"), [(OUT, head + b"he")])
    assert [field.name for field in fields if field.level == 0] == ["cut off"]
    assert rows(fields)[-1] == (len(head), len(head) + 2, "  content", "2 of 5 bytes")


def test_aListing() -> None:
    _, replies = framed((OUT, encodeHead(Listing((Entry("x", 1, 0.0),), more=True))))
    assert replies == [("reply 1", "1 file, and more")]


@pytest.mark.parametrize(
    ("head", "said"),
    [
        (b"{}", ("request 1", "the request is none of get, put and list")),
        (b"\xff", ("request 1", "not understood: the head is not JSON")),
    ],
)
def test_aHeadThatIsNoRequest(head: bytes, said: tuple[str, str]) -> None:
    requests, _ = framed((IN, LengthPrefixed(100).encode(head)))
    assert requests == [said]


def test_whatIsNotUnderstood() -> None:
    requests, replies = framed((IN, b"\xff\xff\xff\xff..."), (OUT, LengthPrefixed(100).encode(b"{}")))
    assert requests == [("not understood", f"a head of 4294967295 bytes, allowed are {MOST_IN_HEAD}")]
    assert replies == [("not understood", "this is no reply: name is not a text")]


def test_otherKinds() -> None:
    assert dissectorFor("files", "http", "tcp") is not None
    assert dissectorFor("files", "gopher", "tcp") is None
