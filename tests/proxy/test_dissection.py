"""
HTTP conversations, taken apart.
"""

from __future__ import annotations

import pytest

from labnet.net.dissection import Field, dissectorFor
from labnet.proxy.dissection import LONGEST_HEAD
from labnet.web.wire import HELLO, LAME
from tests.dissections import IN, OUT, Turn, dissect, made, rows

GET = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"
CONNECT = b"CONNECT a:443 HTTP/1.1\r\n\r\n"
UPGRADE = b"GET /chat HTTP/1.1\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\r\n"


def http(*turns: Turn) -> tuple[list[Field], list[Field]]:
    return dissect(made("proxy", "forward"), turns)


def outline(fields: list[Field]) -> list[tuple[str, str]]:
    """The fields that are not those of a head."""
    heads = {"request line", "status line", "head ends here", "Host", "Content-Length", "Content-Type"}
    return [(field.name, field.value) for field in fields if field.name not in heads]


def test_aHead() -> None:
    """The start line, each field, and where the head ends."""
    requests, _ = http((IN, b"GET /x HTTP/1.1\r\nHost: a\r\nX-Empty:\r\n\r\n"))
    assert rows(requests) == [
        (0, 38, "request 1", "GET /x"),
        (0, 17, "  request line", "GET /x HTTP/1.1"),
        (17, 26, "  Host", "a"),
        (26, 36, "  X-Empty", ""),
        (36, 38, "  head ends here", ""),
    ]


def test_linesOfAHeadAreFieldsWhenTheyAreThere() -> None:
    dissector = made("proxy", "forward")
    assert rows(dissector.received(b"GET / HTTP/1.1\r\nHo")) == [
        (0, 16, "  request line", "GET / HTTP/1.1")
    ]
    assert rows(dissector.received(b"st: a\r\n")) == [(16, 25, "  Host", "a")]


def test_aBodyIsCounted() -> None:
    _, responses = http((IN, GET), (OUT, b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello"))
    assert rows(responses)[-1] == (38, 43, "  body", "5 bytes")
    assert outline(responses) == [("response 1", "200 OK"), ("body", "5 bytes")]


def test_chunks() -> None:
    """Each size, each chunk, the last one, the trailers, and the end."""
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    body = b"12c;x=y\r\n" + bytes(300) + b"\r\n1\r\n!\r\n0\r\nDigest: d\r\n\r\n"
    _, responses = http((IN, GET), (OUT, head + body))
    start = len(head)
    assert rows(responses)[4:] == [
        (start, start + 9, "  chunk size", "12c;x=y"),
        (start + 9, start + 309, "  chunk of 300", "300 bytes"),
        (start + 311, start + 314, "  chunk size", "1"),
        (start + 314, start + 315, "  chunk of 1", "1 byte"),
        (start + 317, start + 320, "  last chunk", "0"),
        (start + 320, start + 331, "  trailer Digest", "d"),
        (start + 331, start + 333, "  body ends here", ""),
    ]
    assert responses[0] == Field(0, start + 333, "response 1", "200 OK")


def test_severalMessagesInARow() -> None:
    """Responses belong to their requests: that to HEAD has no body, and an interim one is not counted."""
    requests, responses = http(
        (IN, b"HEAD / HTTP/1.1\r\n\r\n\r\nPOST / HTTP/1.1\r\nContent-Length: 2\r\n\r\nhi" + GET),
        (OUT, b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n"),
        (OUT, b"HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"),
    )
    assert outline(requests) == [
        ("request 1", "HEAD /"),
        ("request 2", "POST /"),
        ("body", "2 bytes"),
        ("request 3", "GET /"),
    ]
    assert outline(responses) == [
        ("response 1", "200 OK"),
        ("interim response", "100 Continue"),
        ("response 2", "204 No Content"),
        ("response 3", "200 OK"),
        ("body", "2 bytes"),
    ]


def test_anInterimResponseToHead() -> None:
    """It answers nothing: the next one is still that to HEAD."""
    _, responses = http(
        (IN, b"HEAD / HTTP/1.1\r\n\r\n"),
        (OUT, b"HTTP/1.1 103 Early Hints\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n"),
    )
    assert outline(responses) == [("interim response", "103 Early Hints"), ("response 1", "200 OK")]


def test_aBodyUpToTheEndOfTheStream() -> None:
    dissector = made("web")
    dissector.received(b"GET / HTTP/1.0\r\n\r\n")
    assert outline(dissector.written(HELLO)) == [("Content-type", "text/html")]
    assert outline(dissector.writtenEnd()) == [
        ("response 1", "200 OK"),
        ("body", "20 bytes, up to the end of the stream"),
    ]


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 299 Yes\r\nContent-Length: 9\r\n\r\n"]
)
def test_aTunnel(answer: bytes) -> None:
    """After CONNECT was granted nothing is HTTP any more, in either direction."""
    requests, responses = http((IN, CONNECT), (OUT, answer + GET), (IN, b"\x16\x03\x01" + GET))
    assert outline(requests) == [
        ("request 1", "CONNECT a:443"),
        ("tunnel begins here", "CONNECT"),
        ("tunnel", f"{3 + len(GET)} bytes"),
    ]
    assert outline(responses)[1:] == [("tunnel begins here", "CONNECT"), ("tunnel", f"{len(GET)} bytes")]


def test_aTunnelThatIsRefused() -> None:
    requests, responses = http(
        (IN, CONNECT), (OUT, b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n"), (IN, GET)
    )
    assert outline(requests) == [("request 1", "CONNECT a:443"), ("request 2", "GET /")]
    assert outline(responses) == [("response 1", "403 Forbidden")]


def test_anUpgrade() -> None:
    requests, responses = http(
        (IN, UPGRADE), (OUT, b"HTTP/1.1 101 Switching Protocols\r\n\r\n\x81"), (IN, b"\x81\x80")
    )
    assert outline(requests)[-2:] == [("tunnel begins here", "an upgrade"), ("tunnel", "2 bytes")]
    assert outline(responses) == [
        ("interim response", "101 Switching Protocols"),
        ("tunnel begins here", "an upgrade"),
        ("tunnel", "1 byte"),
    ]


def test_secretsAreNotShown() -> None:
    requests, _ = http((IN, b"GET / HTTP/1.1\r\nauthorization: Basic am9lOnNlY3JldA==\r\n\r\n"))
    assert ("authorization", "(22 bytes, not shown)") in outline(requests)


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("line-feeds", [("response 1", "200 OK"), ("body", "25 bytes")]),
        ("early-close", [("cut off", "response 1: the stream ended after 42 bytes of it")]),
        (
            "too-long",
            [("cut off", "response 1: the stream ended after 90 bytes of it"), ("body", "25 of 125 bytes")],
        ),
        (
            "too-short",
            [
                ("response 1", "200 OK"),
                ("body", "15 bytes"),
                ("not understood", "no response begins like this: lame<"),
            ],
        ),
    ],
)
def test_answersThatAreBroken(name: str, said: list[tuple[str, str]]) -> None:
    """What the hello web server gets wrong on purpose is seen in the fields."""
    _, responses = http((IN, GET), *((OUT, piece) for piece in LAME[name].pieces))
    assert outline(responses) == said


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"\x16\x03\x01", "no request begins like this: a TLS handshake, perhaps"),
        (b"hello\r\n", "this is no request line: hello"),
        (b"GET / HTTP/2.0\r\n", "this is no request line: GET / HTTP/2.0"),
        (
            b"GET / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
            "the length of the body: several different values of Content-Length",
        ),
        (
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n",
            "this is no chunk size: xyz",
        ),
        (
            b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
            "the chunk does not end where its size says",
        ),
        (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 50_000, f"a head of over {LONGEST_HEAD} bytes"),
        (b"G" * 70_000, "a line of over 65536 bytes"),
    ],
)
def test_whatIsNotUnderstood(data: bytes, why: str) -> None:
    requests, _ = http((IN, data), (IN, GET))
    assert [field.value for field in requests if field.name == "not understood"] == [why]
    assert not any(field.name == "request 2" for field in requests)


def test_aLineThatIsNoField() -> None:
    """The head can still be read."""
    requests, _ = http((IN, b"GET / HTTP/1.1\r\nHost a\r\n folded: b\r\n\r\n"))
    assert outline(requests) == [
        ("request 1", "GET /"),
        ("not understood", "this is no field: Host a"),
        ("not understood", "this is no field:  folded: b"),
    ]


def test_tooManyRequestsWithoutAResponse() -> None:
    """What is remembered of requests is bounded."""
    dissector = made("proxy", "forward")
    for _ in range(10_001):
        dissector.received(b"GET / HTTP/1.1\r\n\r\n")
    assert outline(dissector.written(b"HTTP/1.1 200 OK\r\n\r\n")) == [
        ("not understood", "more than 10000 requests have no response")
    ]


def test_overDatagramsNobodySpeaksHTTP() -> None:
    assert dissectorFor("proxy", "forward", "udp") is None


def test_bytesThatWereNotKept() -> None:
    """Within a body they make no difference; anywhere else nothing can be read after them."""
    dissector = made("web")
    head = b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"
    assert outline(dissector.written(head + bytes(10), missing=90)) == [
        ("response 1", "200 OK"),
        ("body", "100 bytes"),
    ]
    assert outline(dissector.written(head[:20], missing=10)) == [
        ("not understood", "10 bytes after this were not kept")
    ]
    assert dissector.written(head) == []
