"""
The folder over HTTP, over transports in memory.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from labnet.files.store import StoreLimits
from labnet.files.web import FormTokens, WebConnection, WebFactory
from labnet.proxy.wire import ResponseHead, parseResponseHead
from tests.connections import TCPTransport, hangUp
from tests.files.world import connected, content, descriptors, drain, lose, scratch, shelfOf

DATA = b"0123456789"
JOE = b"Authorization: Basic " + b64encode(b"joe:secret") + b"\r\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_bytes(DATA)
    return tmp_path / "folder"


@pytest.fixture(autouse=True)
def noDescriptorsLeft() -> Iterator[None]:
    before = descriptors()
    yield
    assert descriptors() == before


def web(folder: Path, clock: Clock, **options: object) -> WebConnection:
    connection = connected(WebFactory(clock, shelfOf(folder, clock, **options)))  # type: ignore[arg-type]
    assert isinstance(connection, WebConnection)
    return connection


def request(target: str, *lines: bytes, method: str = "GET", body: bytes = b"") -> bytes:
    length = b"Content-Length: %d\r\n" % len(body) if body or method in ("PUT", "POST") else b""
    start = f"{method} {target} HTTP/1.1\r\nHost: lab\r\n".encode()
    return start + length + b"".join(lines) + b"\r\n" + body


def answered(connection: WebConnection, *, bodiless: bool = False) -> tuple[ResponseHead, bytes]:
    """One answer, which must be all there is."""
    written = drain(connection)
    raw, separator, body = written.partition(b"\r\n\r\n")
    head = parseResponseHead(raw + separator)
    if not bodiless:
        assert head.fields.values(b"content-length") == [b"%d" % len(body)]
    return head, body


def asked(
    folder: Path, clock: Clock, raw: bytes, *, bodiless: bool = False, **options: object
) -> tuple[ResponseHead, bytes]:
    """The answer to one request on a connection of its own."""
    connection = web(folder, clock, **options)
    connection.dataReceived(raw)
    answer = answered(connection, bodiless=bodiless)
    lose(connection)
    return answer


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
    for pieces in ([raw], [bytes([byte]) for byte in raw]):
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


# Writing


def put(target: str, data: bytes, *lines: bytes) -> bytes:
    return request(target, *lines, method="PUT", body=data)


def test_anUpload(folder: Path, clock: Clock) -> None:
    head, body = asked(folder, clock, put("/new%20file", b"hello", JOE))
    assert head.status == 201
    assert head.fields.values(b"location") == [b"/new%20file"]
    assert hashlib.sha256(b"hello").hexdigest().encode() in body
    assert content(folder) == {"a.txt": DATA, "new file": b"hello"}


def test_aChunkedUpload(folder: Path, clock: Clock) -> None:
    raw = (
        b"PUT /new HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n"
        + JOE
        + b"\r\n5\r\nhello\r\n0\r\n\r\n"
    )
    for at in range(len(raw)):
        connection = web(folder, clock)
        connection.dataReceived(raw[:at])
        connection.dataReceived(raw[at:])
        assert answered(connection)[0].status == 201
        assert (folder / "new").read_bytes() == b"hello"
        (folder / "new").unlink()
        lose(connection)


def test_aFileIsReplacedOnlyWhenAsked(folder: Path, clock: Clock) -> None:
    assert asked(folder, clock, put("/a.txt", b"new", JOE))[0].status == 409
    assert content(folder) == {"a.txt": DATA}
    assert asked(folder, clock, put("/a.txt?replace=yes", b"new", JOE))[0].status == 201
    assert content(folder) == {"a.txt": b"new"}
    assert asked(folder, clock, put("/a.txt?replace=yes", b"newer", JOE), replace=False)[0].status == 409


@pytest.mark.parametrize(
    "lines",
    [
        b"",
        b"Authorization: Basic " + b64encode(b"joe:wrong") + b"\r\n",
        b"Authorization: Bearer x\r\n",
        b"Authorization: Basic ?\r\n",
    ],
)
def test_withoutAPasswordNothingIsWritten(folder: Path, clock: Clock, lines: bytes) -> None:
    head, _ = asked(folder, clock, put("/new", b"hello", lines))
    assert head.status == 401
    assert head.fields.values(b"www-authenticate")[0].startswith(b"Basic ")
    assert content(folder) == {"a.txt": DATA}


def test_whereNobodyMayWrite(folder: Path, clock: Clock) -> None:
    assert asked(folder, clock, put("/new", b"hello", JOE), passwords=None)[0].status == 403


@pytest.mark.parametrize(
    "line",
    [
        b"Origin: http://evil.example\r\n", b"Origin: null\r\n", b"Origin: http://lab.evil.example\r\n",
        b"Origin: http://lab:81\r\n",
        b"Origin: http://lab\r\nOrigin: http://evil.example\r\n", b"Sec-Fetch-Site: cross-site\r\n",
        b"Sec-Fetch-Site: same-site\r\n",
    ],
)  # fmt: skip
def test_fromAPageOfSomebodyElseNothingIsWritten(folder: Path, clock: Clock, line: bytes) -> None:
    assert asked(folder, clock, put("/new", b"hello", JOE, line))[0].status == 403
    assert content(folder) == {"a.txt": DATA}


def test_fromOurOwnPageItIs(folder: Path, clock: Clock) -> None:
    own = b"Origin: http://lab\r\nSec-Fetch-Site: same-origin\r\n"
    assert asked(folder, clock, put("/new", b"hello", JOE, own))[0].status == 201


@pytest.mark.parametrize(
    "target", ["/..%2fx", "/", "/.x", "/CON", "/a%00", "/-x", "/a%cc%81", "/x/y", "/-/upload"]
)
def test_badNamesAreNotMade(folder: Path, clock: Clock, target: str) -> None:
    assert asked(folder, clock, put(target, b"hello", JOE))[0].status == 400
    assert content(folder) == {"a.txt": DATA}


def test_limitsOfUploads(folder: Path, clock: Clock) -> None:
    limits = StoreLimits(largest=100, quota=150)
    for size, status in ((101, 413), (100, 201), (60, 507)):
        assert asked(folder, clock, put(f"/new{size}", b"x" * size, JOE), limits=limits)[0].status == status


def test_anEndlessUploadMeetsTheLimit(folder: Path, clock: Clock) -> None:
    connection = web(folder, clock, limits=StoreLimits(largest=1000))
    connection.dataReceived(
        b"PUT /new HTTP/1.1\r\nHost: lab\r\nTransfer-Encoding: chunked\r\n" + JOE + b"\r\n"
    )
    for _ in range(11):
        connection.dataReceived(b"64\r\n" + b"x" * 100 + b"\r\n")
    assert answered(connection)[0].status == 413
    assert connection.lingering
    assert content(folder) == {"a.txt": DATA}
    lose(connection)


@pytest.mark.parametrize("cleanly", [True, False])
def test_aPeerThatVanishesInAnUpload(folder: Path, clock: Clock, cleanly: bool) -> None:
    connection = web(folder, clock)
    connection.dataReceived(put("/a.txt?replace=yes", b"x" * 1000, JOE)[:-100])
    if cleanly:
        connection.readConnectionLost()
        hangUp(connection)
    else:
        lose(connection)
    assert content(folder) == {"a.txt": DATA}


def test_theClientIsToldToGoOn(folder: Path, clock: Clock) -> None:
    """But not when it would be for nothing, nor when it has gone on already."""
    start = b"PUT /new HTTP/1.1\r\nHost: lab\r\nContent-Length: 5\r\nExpect: 100-continue\r\n"
    connection = web(folder, clock)
    connection.dataReceived(start + JOE + b"\r\n")
    assert drain(connection) == b"HTTP/1.1 100 Continue\r\n\r\n"
    connection.dataReceived(b"hello")
    assert answered(connection)[0].status == 201
    lose(connection)
    assert asked(folder, clock, start + b"\r\n")[0].status == 401
    (folder / "new").unlink()
    assert asked(folder, clock, start + JOE + b"\r\nhello")[0].status == 201


def test_anUploadSaysHowLongItIs(folder: Path, clock: Clock) -> None:
    assert asked(folder, clock, b"PUT /new HTTP/1.1\r\nHost: lab\r\n" + JOE + b"\r\n")[0].status == 411


# The form


def form(
    token: str, *, name: str = "new", data: bytes = b"hello", replace: bool = False, first: str = "token"
) -> bytes:
    def field(label: str, value: bytes, more: str = "") -> bytes:
        return (
            f'--b\r\nContent-Disposition: form-data; name="{label}"{more}\r\n\r\n'.encode()
            + value
            + b"\r\n"
        )

    parts = [field("token", token.encode())]
    if replace:
        parts.append(field("replace", b"yes"))
    parts.append(field("file", data, f'; filename="{name}"'))
    if first == "file":
        parts.reverse()
    body = b"".join(parts) + b"--b--\r\n"
    return request(
        "/-/upload", JOE, b"Content-Type: multipart/form-data; boundary=b\r\n", method="POST", body=body
    )


def tokenOn(connection: WebConnection) -> str:
    connection.dataReceived(request("/-/upload", JOE))
    head, page = answered(connection)
    assert head.status == 200
    found = re.search(rb'name="token" value="([0-9a-f]{64})"', page)
    assert found is not None
    return found[1].decode()


def test_theFormUploads(folder: Path, clock: Clock) -> None:
    connection = web(folder, clock)
    token = tokenOn(connection)
    connection.dataReceived(form(token, data=b"\r\n--b" + b"x" * 1000 + b"\r\n"))
    assert answered(connection)[0].status == 400
    lose(connection)
    connection = web(folder, clock)
    token = tokenOn(connection)
    raw = form(token, data=b"\r\n-b" + b"x" * 1000 + b"\r\n")
    for byte in raw:
        connection.dataReceived(bytes([byte]))
    assert answered(connection)[0].status == 201
    assert (folder / "new").read_bytes() == b"\r\n-b" + b"x" * 1000 + b"\r\n"
    connection.dataReceived(form(token))
    assert answered(connection)[0].status == 409
    lose(connection)


def test_theFormReplaces(folder: Path, clock: Clock) -> None:
    connection = web(folder, clock)
    connection.dataReceived(form(tokenOn(connection), name="a.txt", replace=True))
    assert answered(connection)[0].status == 201
    assert content(folder) == {"a.txt": b"hello"}
    lose(connection)


def test_aFormWithoutOurTokenIsRefused(folder: Path, clock: Clock) -> None:
    """None, somebody else's, and one that comes too late."""
    other = FormTokens().of("joe")
    connection = web(folder, clock)
    jims = connection._tokens.of("jim")
    for raw in (form(""), form(other), form(jims), form(connection._tokens.of("joe"), first="file")):
        connection.dataReceived(raw)
        assert answered(connection)[0].status == 403
    lose(connection)
    assert content(folder) == {"a.txt": DATA}


def test_thePageNeedsAPassword(folder: Path, clock: Clock) -> None:
    assert asked(folder, clock, request("/-/upload"))[0].status == 401
    assert asked(folder, clock, request("/-/upload", JOE), passwords=None)[0].status == 403


@pytest.mark.parametrize("name", ["", "../x", "C:\\\\x", ".x"])
def test_aFormWithABadName(folder: Path, clock: Clock, name: str) -> None:
    connection = web(folder, clock)
    connection.dataReceived(form(tokenOn(connection), name=name))
    assert answered(connection)[0].status == 400
    assert content(folder) == {"a.txt": DATA}
    lose(connection)


def test_aFormWithTooMuch(folder: Path, clock: Clock) -> None:
    connection = web(folder, clock, limits=StoreLimits(largest=100))
    connection.dataReceived(form(tokenOn(connection), data=b"x" * 101))
    assert answered(connection)[0].status == 413
    lose(connection)
    connection = web(folder, clock)
    connection.dataReceived(form("x" * 2000))
    assert answered(connection)[0].status == 413
    lose(connection)


def test_aFormThatEndsTooEarly(folder: Path, clock: Clock) -> None:
    connection = web(folder, clock)
    whole = form(tokenOn(connection))
    head, _, body = whole.partition(b"\r\n\r\n")
    short = (
        re.sub(rb"Content-Length: \d+", b"Content-Length: %d" % (len(body) - 6), head)
        + b"\r\n\r\n"
        + body[:-6]
    )
    connection.dataReceived(short)
    assert answered(connection)[0].status == 400
    assert content(folder) == {"a.txt": DATA}
    lose(connection)


def test_whatIsNoForm(folder: Path, clock: Clock) -> None:
    raw = request("/-/upload", JOE, b"Content-Type: text/plain\r\n", method="POST", body=b"x")
    assert asked(folder, clock, raw)[0].status == 415
    raw = request("/-/elsewhere", JOE, method="POST", body=b"x")
    assert asked(folder, clock, raw)[0].status == 405
    empty = request(
        "/-/upload",
        JOE,
        b"Content-Type: multipart/form-data; boundary=b\r\n",
        method="POST",
        body=b"--b--\r\n",
    )
    assert asked(folder, clock, empty)[0].status == 400


def test_theConnectionGoesOnAfterARefusal(folder: Path, clock: Clock) -> None:
    connection = web(folder, clock)
    transport = connection.transport
    assert isinstance(transport, TCPTransport)
    connection.dataReceived(request("/nothing"))
    assert answered(connection)[0].status == 404
    connection.dataReceived(request("/a.txt"))
    assert answered(connection)[1] == DATA
    lose(connection)
