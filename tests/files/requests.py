"""
An HTTP client of the folder, over a transport in memory.
"""

from __future__ import annotations

from base64 import b64encode
from pathlib import Path

from twisted.internet.task import Clock

from labnet.files.web import WebConnection, WebFactory
from labnet.proxy.wire import ResponseHead, parseResponseHead
from tests.files.world import connected, drain, lose, shelfOf

DATA = b"0123456789"
JOE = b"Authorization: Basic " + b64encode(b"joe:secret") + b"\r\n"


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
