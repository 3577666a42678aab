"""
The folder over HTTP: what is written, with PUT and with the form.
"""

from __future__ import annotations

import hashlib
import re
from base64 import b64encode
from pathlib import Path

import pytest
from twisted.internet.task import Clock

from labnet.files.store import StoreLimits
from labnet.files.web import FormTokens, WebConnection
from labnet.testing import TCPTransport, hangUp, inPieces
from tests.files.requests import DATA, JOE, answered, asked, request, web
from tests.files.world import content, drain, lose


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "a.txt").write_bytes(DATA)
    return tmp_path / "folder"


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
    for byte in inPieces(raw, 1):
        connection.dataReceived(byte)
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
