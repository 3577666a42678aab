"""
Records of exchanges for tests, and a journal that keeps them.
"""

from __future__ import annotations

from labnet.proxy.inspection import Finding
from labnet.proxy.journal import Decision, Record
from labnet.proxy.rules import Rule
from labnet.proxy.target import Origin
from labnet.proxy.wire import Fields, RequestHead, ResponseHead, Version

FOUND = Finding(Rule(b"SzamHalo"), "body", 5, "gzip")


class Kept:
    """A journal that keeps what it is told."""

    def __init__(self) -> None:
        self.records: list[Record] = []

    def ended(self, record: Record) -> None:
        self.records.append(record)

    def take(self) -> Record:
        """The only one there is."""
        (record,) = self.records
        self.records.clear()
        return record


def asked(
    method: bytes = b"GET",
    target: bytes = b"http://o.example/page?q=1",
    fields: list[tuple[bytes, bytes]] | None = None,
) -> RequestHead:
    """A request's head."""
    return RequestHead(method, target, Version.HTTP11, Fields(fields or []))


def record(request: RequestHead | None = None, **changes: object) -> Record:
    """An ordinary exchange, but for C{changes}."""
    head = request or asked()
    usual = Record(
        connection=3,
        peer="tcp:127.0.0.1:50000",
        host="127.0.0.1",
        user="",
        at=1_795_219_581.25,
        request=head,
        url=head.target,
        response=ResponseHead(200, b"OK", Version.HTTP11, Fields([(b"Content-Encoding", b"gzip")])),
        origin=Origin("o.example", 80),
        status=200,
        bytesIn=100,
        bytesOut=1_000,
        decision=Decision.PASSED,
        why="",
        finding=None,
        connect=0.001,
        firstByte=0.0125,
        inspection=0.00002,
        seconds=0.025,
        reused=False,
    )
    return usual._replace(**changes)  # type: ignore[arg-type]
