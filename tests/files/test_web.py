"""
The folder over HTTP: what is read, and how connections go on.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from labnet.testing import inPieces
from tests.files.requests import DATA, JOE, answered, asked, request, web
from tests.files.world import content, drain, lose, scratch


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_bytes(DATA)
    return tmp_path / "folder"


# Reading


def test_aFile(folder: Path, clock: Clock) -> None:
    head, body = asked(folder, clock, request("/a.txt"))
    assert (head.status, body) == (200, DATA)
    assert head.fields.values(b"content-type") == [b"text/plain; charset=utf-8"]
    assert head.fields.values(b"accept-ranges") == [b"bytes"]
    assert b"sandbox" in head.fields.values(b"content-security-policy")[0]
    assert head.fields.values(b"x-content-type-options") == [b"nosniff"]


def test_theHeadOfAFile(folder: Path, clock: Clock) -> None:
    head, body = asked(folder, clock, request("/a.txt", method="HEAD"), bodiless=True)
    assert (head.status, body) == (200, b"")
    assert head.fields.values(b"content-length") == [b"10"]


def test_partsOfAFile(folder: Path, clock: Clock) -> None:
    head, body = asked(folder, clock, request("/a.txt", b"Range: bytes=2-4\r\n"))
    assert (head.status, body) == (206, b"234")
    assert head.fields.values(b"content-range") == [b"bytes 2-4/10"]
    head, _ = asked(folder, clock, request("/a.txt", b"Range: bytes=10-\r\n"))
    assert head.status == 416
    assert head.fields.values(b"content-range") == [b"bytes */10"]
    head, body = asked(folder, clock, request("/a.txt", b"Range: bytes=0-1,3-4\r\n"))
    assert (head.status, body) == (200, DATA)


def test_whatTheClientHasIsNotSentAgain(folder: Path, clock: Clock) -> None:
    head, _ = asked(folder, clock, request("/a.txt"))
    (tag,) = head.fields.values(b"etag")
    head, body = asked(folder, clock, request("/a.txt", b"If-None-Match: %b\r\n" % tag), bodiless=True)
    assert (head.status, body) == (304, b"")
    assert head.fields.values(b"etag") == [tag]
    (folder / "a.txt").write_bytes(b"changed")
    head, body = asked(folder, clock, request("/a.txt", b"If-None-Match: %b\r\n" % tag))
    assert (head.status, body) == (200, b"changed")
    # The rest of a version that is gone is the whole of the new one.
    head, body = asked(folder, clock, request("/a.txt", b"Range: bytes=3-\r\nIf-Range: %b\r\n" % tag))
    assert (head.status, body) == (200, b"changed")


@pytest.mark.parametrize(
    "target",
    [
        "/nothing", "/../a.txt", "/..%2fa.txt", "/%2e%2e/a.txt", "/%252e%252e%252fa.txt",
        "/....//a.txt", "//a.txt", "/x/../a.txt",
        "/%c0%ae%c0%ae/", "/..%5ca.txt", "/a%00.txt", "/a%0a", "/%1b", "/CON", "/.hidden", "/-/",
        "/-/nothing", "/%ff",
    ],
)  # fmt: skip
def test_whatIsNotThere(folder: Path, clock: Clock, target: str) -> None:
    (folder / ".hidden").write_bytes(b"hidden")
    head, body = asked(folder, clock, request(target))
    assert head.status == 404
    assert str(folder).encode() not in body


def test_aListEscapesNames(folder: Path, clock: Clock) -> None:
    (folder / "<script>alert(1)<").write_bytes(b"")
    (folder / "\"'&?#%.txt").write_bytes(b"")
    head, body = asked(folder, clock, request("/"))
    assert head.status == 200
    assert b"<script>" not in body
    assert b"&lt;script&gt;" in body
    (link,) = re.findall(rb'href="(/%22[^"]*)"', body)
    head, _ = asked(folder, clock, request(link.decode()))
    assert head.status == 200


def test_aListInPages(folder: Path, clock: Clock) -> None:
    for number in range(1200):
        (folder / f"f{number:04}").write_bytes(b"")
    seen, target = 0, "/"
    while target:
        _, body = asked(folder, clock, request(target))
        seen += len(re.findall(rb'<a href="/(?:f\d|a)', body))
        more = re.search(rb'href="(/\?after=[^"]*)"', body)
        target = more[1].decode() if more else ""
    assert seen == 1201


def test_theUploadPageIsOfferedWhereOneMayWrite(folder: Path, clock: Clock) -> None:
    assert b"/-/upload" in asked(folder, clock, request("/"))[1]
    assert b"/-/upload" not in asked(folder, clock, request("/"), passwords=None)[1]


# Connections


def test_severalRequestsInOnePiece(folder: Path, clock: Clock) -> None:
    """Answered in order; and the same a byte at a time."""
    raw = request("/a.txt") + request("/nothing") + request("/a.txt", method="HEAD") + request("/")
    expected = [200, 404, 200, 200]
    for pieces in ([raw], inPieces(raw, 1)):
        connection = web(folder, clock)
        written = b""
        for piece in pieces:
            connection.dataReceived(piece)
            written += drain(connection)
        written += drain(connection)
        assert [int(status) for status in re.findall(rb"HTTP/1\.1 (\d+) ", written)] == expected
        lose(connection)


@pytest.mark.parametrize(
    ("raw", "closes"),
    [
        (b"GET /a.txt HTTP/1.0\r\n\r\n", True),
        (b"GET /a.txt HTTP/1.0\r\nConnection: keep-alive\r\n\r\n", False),
        (b"GET /a.txt HTTP/1.1\r\nHost: x\r\n\r\n", False),
        (b"GET /a.txt HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", True),
    ],
)
def test_whoKeepsTheConnection(folder: Path, clock: Clock, raw: bytes, closes: bool) -> None:
    connection = web(folder, clock)
    connection.dataReceived(raw)
    head, body = answered(connection)
    assert body == DATA
    assert (head.fields.values(b"connection") == [b"close"]) is closes
    assert connection.lingering is closes
    lose(connection)


@pytest.mark.parametrize(
    ("raw", "status"),
    [
        (b"\r\n\r\nNONSENSE\r\n\r\n", 400), (b"GET /a.txt HTTP/1.1\r\n\r\n", 400),
        (b"GET /a.txt HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400),
        (b"GET /a.txt HTTP/2.0\r\nHost: a\r\n\r\n", 505),
        (b"GET /" + b"x" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: a\r\nX: " + b"x" * 40_000, 431),
        (b"GET /%zz HTTP/1.1\r\nHost: a\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999\r\n\r\n" + b"x" * 70_000, 413),
        (b"GET / HTTP/1.1\nHost: a\n\n", 400),
    ],
)  # fmt: skip
def test_whatCanNotBeReadEndsTheConnection(folder: Path, clock: Clock, raw: bytes, status: int) -> None:
    connection = web(folder, clock)
    connection.dataReceived(raw)
    head, _ = answered(connection)
    assert head.status == status
    assert connection.lingering
    lose(connection)


@pytest.mark.parametrize("method", ["DELETE", "OPTIONS", "PATCH", "TRACE", "get"])
def test_whatCanNotBeDone(folder: Path, clock: Clock, method: str) -> None:
    head, _ = asked(folder, clock, request("/a.txt", method=method))
    assert head.status == 405
    assert b"GET" in head.fields.values(b"allow")[0]


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.one_of(
            st.binary(),
            st.sampled_from([request("/"), request("/-/upload", JOE), b"\r\n", b"PUT /x HTTP/1.1\r\n"]),
        ),
        max_size=8,
    )
)
def test_noBytesBreakTheServer(pieces: list[bytes]) -> None:
    clock = Clock()
    with scratch() as name:
        connection = web(Path(name), clock)
        for piece in pieces:
            connection.dataReceived(piece)
            drain(connection)
        lose(connection)
        assert content(Path(name)) == {}
    assert not clock.getDelayedCalls()


def test_aPeerThatVanishesWhileAFileIsSent(folder: Path, clock: Clock) -> None:
    (folder / "a.txt").write_bytes(b"x" * 1_000_000)
    connection = web(folder, clock)
    connection.dataReceived(request("/a.txt") * 2)
    lose(connection)
