"""
Requests and responses of HTTP as a contract expects them: found in a stream in any pieces, with a sentence
on what is wrong with those that are none.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.evidence import Failed, Kind, Signs
from labnet.check.expectation import Expectation, Mismatch
from labnet.check.mistakes import Mistake
from labnet.proxy.body import BodyReader, Truncated, requestBody
from labnet.proxy.wire import BadMessage, Fields, HeadReader, RequestHead, Version, parseRequestHead
from labnet.web.events import Content, Event, Remark
from labnet.web.response import ResponseReader

__all__ = ["Answer", "Asked", "answer", "asked", "chunked", "page", "response"]

_LONGEST_HEAD = 65_536
_LINE_FEEDS = "lines of the head end with LF alone"


@dataclass(frozen=True, slots=True)
class Answer:
    """
    A response that came.

    @ivar body: its content, chunks put together.
    @ivar remarks: what is broken in it and could be understood all the same.
    @ivar raw: all of it, as it came.
    """

    status: int
    fields: Fields
    body: bytes
    remarks: tuple[str, ...]
    raw: bytes

    @property
    def lineFeeds(self) -> bool:
        """Whether lines of its head end with a line feed alone."""
        return any(remark.startswith(_LINE_FEEDS) for remark in self.remarks)


@dataclass(frozen=True, slots=True)
class Asked:
    """A request that came, with its content."""

    head: RequestHead
    body: bytes = b""

    @property
    def takesChunks(self) -> bool:
        """Whether it may be answered in chunks: HTTP/1.0 knows none."""
        return self.head.version is Version.HTTP11

    @property
    def keeps(self) -> bool:
        """Whether the connection may stay open after the answer."""
        return self.head.persistent


class _Response(Expectation):
    text = "a response"

    def __init__(self, method: bytes) -> None:
        self._reader = ResponseReader(method)
        self._method = method
        self._taken = 0
        self._body = bytearray()
        self._remarks: list[str] = []
        self.problem = ""
        self.answer: Answer | None = None

    def look(self, data: bytes, ended: bool) -> int | None:
        start, self._taken = self._taken, len(data)
        try:
            for event in self._reader.feed(data[start:]):
                self._hear(event)
            if ended and self._reader.end is None:
                for event in self._reader.finish():
                    self._hear(event)
        except Truncated as error:
            self.problem = str(error)
            return None
        except BadMessage as error:
            self.problem = str(error)
            raise Mismatch(start) from error
        if self._reader.end is None:
            return None
        assert self._reader.head is not None
        whole = data[: len(data) - self._reader.surplus]
        head = self._reader.head
        self.answer = Answer(head.status, head.fields, bytes(self._body), tuple(self._remarks), whole)
        return len(whole)

    def _hear(self, event: Event) -> None:
        if isinstance(event, Content):
            self._body += event.data
        elif isinstance(event, Remark):
            self._remarks.append(event.sentence)

    @property
    def missing(self) -> str:
        """What it still waits for, when nothing more comes."""
        head = self._reader.head
        if head is None:
            return f"{self._reader.progress}, and then nothing: where is its empty line?"
        if self._reader.length is None and b"transfer-encoding" not in head.fields:
            return (
                f"{self._reader.progress}, and then nothing: neither a length nor the end of the connection"
            )
        return f"{self._reader.progress}, and then nothing"

    @property
    def unclosed(self) -> bool:
        """Whether only the end of the connection is missing."""
        head = self._reader.head
        return head is not None and self._reader.length is None and b"transfer-encoding" not in head.fields


async def answer(
    connection: Connection, *, words: str = "the response", signs: Signs = NO_SIGNS, method: bytes = b"GET"
) -> Answer:
    """
    Wait for a response, and return it.

    @param words: what it is, for the report.
    @param signs: as L{Connection.expect} has them; C{PART} for one that is cut or stops, C{STAYED} for one
        that would have to be ended with the connection.
    @raise Failed: none comes, or not a whole one.
    """
    wanted = _Response(method)
    try:
        await connection.expect(wanted, words=words, signs=signs)
    except Failed as failed:
        _tell(failed, wanted, connection, signs)
        raise
    assert wanted.answer is not None
    return wanted.answer


def _tell(failed: Failed, wanted: _Response, connection: Connection, signs: Signs) -> None:
    """Say what of a response is missing, or wrong."""
    if failed.exhibit is None:
        return
    if wanted.problem:
        broken = connection.ended is None or not wanted.problem.startswith("the ")
        failed.came = wanted.problem
        failed.kind = Kind.OTHER if broken else Kind.PART
        failed.mistake = signs.get(failed.kind, Mistake.FORMAT if broken else None)
    elif connection.ended is None:
        failed.came = wanted.missing
        failed.kind = Kind.STAYED if wanted.unclosed else Kind.PART
        failed.mistake = signs.get(failed.kind, Mistake.NO_CLOSE if wanted.unclosed else None)


class _Request(Expectation):
    text = "a request"

    def __init__(self) -> None:
        self._head = HeadReader(_LONGEST_HEAD)
        self._body: BodyReader | None = None
        self._content = bytearray()
        self._taken = 0
        self.problem = ""
        self.asked: Asked | None = None

    def look(self, data: bytes, ended: bool) -> int | None:
        start, self._taken = self._taken, len(data)
        rest = data[start:]
        try:
            if self.asked is None:
                found = self._head.feed(rest)
                if found is None:
                    return None
                raw, rest = found
                self.asked = Asked(parseRequestHead(raw))
                self._body = requestBody(self.asked.head)
            assert self._body is not None
            if not self._body.done:
                self._content += self._body.feed(rest)
                rest = self._body.rest
        except BadMessage as error:
            self.problem = str(error)
            raise Mismatch(0) from error
        if not self._body.done:
            return None
        self.asked = replace(self.asked, body=bytes(self._content))
        return len(data) - len(rest)


async def asked(connection: Connection, *, words: str = "a request", signs: Signs = NO_SIGNS) -> Asked:
    """
    Wait for a request, and return it.

    @raise Failed: none comes, or not a whole one.
    """
    wanted = _Request()
    try:
        await connection.expect(wanted, words=words, signs=signs)
    except Failed as failed:
        came = b"" if failed.exhibit is None else failed.exhibit.came
        if b"\n" in came.replace(b"\r\n", b""):
            failed.came, failed.mistake = "lines that end with LF alone, not CR LF", Mistake.LINE_ENDS
        elif wanted.problem:
            failed.came, failed.mistake = wanted.problem, signs.get(Kind.OTHER, Mistake.FORMAT)
        elif wanted.asked is not None:
            failed.kind, failed.came = Kind.PART, "a part of its content is missing"
            failed.mistake = signs.get(Kind.PART)
        elif came:
            failed.kind, failed.mistake = Kind.PART, signs.get(Kind.PART, Mistake.FORMAT)
            failed.came = f"{len(came)} bytes of a head came, and not its end: an empty line, CR LF CR LF"
        raise
    assert wanted.asked is not None
    return wanted.asked


# What we send


def page(text: bytes) -> bytes:
    """A small page with a text in it."""
    return b"<!DOCTYPE html>\n<html><body>\n<p>%b</p>\n</body></html>\n" % text


def response(
    body: bytes,
    *fields: bytes,
    status: bytes = b"200 OK",
    media: bytes = b"text/html; charset=utf-8",
    version: bytes = b"HTTP/1.1",
    length: bool = True,
) -> bytes:
    """
    A response.

    @param fields: lines without their ends.
    @param length: whether it has a C{Content-Length}.
    """
    sizes = (b"Content-Length: %d" % len(body),) if length else ()
    lines = (version + b" " + status, b"Content-Type: " + media, *fields, *sizes, b"", b"")
    return b"\r\n".join(lines) + body


def chunked(*contents: bytes) -> bytes:
    """A response in chunks, one for each content."""
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(content), content) for content in contents)
    return response(b"", b"Transfer-Encoding: chunked", length=False) + chunks + b"0\r\n\r\n"
