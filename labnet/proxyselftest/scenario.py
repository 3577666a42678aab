"""
What a scenario is: what the client asks, what the origin answers, byte for byte and in which pieces, and
what must come of it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

__all__ = [
    "Ask",
    "Expect",
    "Marker",
    "Pause",
    "Plan",
    "Reply",
    "Scenario",
    "Unbuildable",
    "chunks",
    "head",
    "once",
    "page",
    "response",
    "spread",
]


class Unbuildable(Exception):
    """A scenario can not be made with this word, or with what is installed here; the text says why."""


class Expect(Enum):
    """What a scenario is there to see."""

    WORD = "the word must not get through"
    CLEAN = "the page must arrive as it is"
    CUT = "what ends too early must not pass for whole"


class Pause(Enum):
    """In a L{Reply}: wait until the client has got something, or for a moment."""

    PAUSE = "pause"


@dataclass(frozen=True, slots=True)
class Marker:
    """
    What the origin sends and the proxy should stop.

    @ivar word: the blocked string, in UTF-8.
    @ivar nonce: stands right before it, and is in nothing but the origin's own words: a proxy's page that
        quotes the word is not taken for the origin's. It ends with a character that is no part of a word.
    """

    word: bytes
    nonce: bytes

    @property
    def text(self) -> bytes:
        """The bytes that must not get through."""
        return self.nonce + self.word

    @property
    def middle(self) -> int:
        """Where in L{text} the word is cut in two."""
        return len(self.nonce) + len(self.word) // 2

    @property
    def halves(self) -> tuple[bytes, bytes]:
        """The text, cut in the middle of the word."""
        return self.text[: self.middle], self.text[self.middle :]

    def encoded(self, charset: str, text: bytes | None = None) -> bytes:
        """
        A text, or L{text}, in another charset.

        @raise Unbuildable: it can not be written in it.
        """
        try:
            return (self.text if text is None else text).decode("utf-8").encode(charset)
        except UnicodeError as error:
            raise Unbuildable(f"the word can not be written in {charset}") from error


@dataclass(frozen=True, slots=True)
class Ask:
    """
    A request.

    @ivar path: the last part of the URL's path.
    @ivar fields: lines without their ends, besides Host and Connection.
    @ivar keeps: whether the connection is to be kept.
    @ivar tunnel: whether it goes through CONNECT.
    """

    path: bytes = b"page"
    method: bytes = b"GET"
    fields: tuple[bytes, ...] = ()
    body: bytes = b""
    version: bytes = b"HTTP/1.1"
    keeps: bool = False
    tunnel: bool = False


@dataclass(frozen=True, slots=True)
class Reply:
    """
    What the origin answers.

    @ivar steps: bytes, each written by itself, and pauses.
    @ivar when: what must be in the request's head, in any case of letters, for this to be the answer.
    @ivar closes: whether the origin then ends the connection.
    """

    steps: tuple[bytes | Pause, ...]
    when: bytes = b""
    closes: bool = True


@dataclass(frozen=True, slots=True)
class Plan:
    """
    A scenario made for one L{Marker}.

    @ivar connections: of the client, one after another; on each, requests that are sent at once.
    @ivar replies: of the origin; the first one that fits is taken.
    @ivar proof: what has got through when it is found at the client, if that is not the marker's text.
    @ivar content: for L{Expect.CLEAN}, the contents of all answers together.
    """

    connections: tuple[tuple[Ask, ...], ...]
    replies: tuple[Reply, ...]
    proof: bytes = b""
    content: bytes = b""


@dataclass(frozen=True, slots=True)
class Scenario:
    """
    @ivar name: what C{--only} takes.
    @ivar subject: the group it is shown in.
    @ivar line: what the origin does, in plain words.
    @ivar build: makes the plan. Raises L{Unbuildable} where there can be none.
    @ivar expect: what is to be seen.
    @ivar note: it is told and not counted: there no filter of bytes can be expected to help.
    """

    name: str
    subject: str
    line: str
    build: Callable[[Marker], Plan]
    expect: Expect = Expect.WORD
    note: bool = False


# What plans are made of.


def page(text: bytes) -> bytes:
    """A small page with a text in it."""
    return (
        b"<!DOCTYPE html>\n<html><body>\n<p>Before.</p>\n<p>%b</p>\n<p>After.</p>\n</body></html>\n" % text
    )


def head(*fields: bytes, status: bytes = b"200 OK", media: bytes = b"text/html; charset=utf-8") -> bytes:
    """
    A response's head with these fields, the empty line included.

    @param media: its type; without one if empty.
    """
    typed = (b"Content-Type: " + media,) if media else ()
    lines = (b"HTTP/1.1 " + status, *typed, b"Cache-Control: no-store", *fields, b"", b"")
    return b"\r\n".join(lines)


def response(
    body: bytes,
    *fields: bytes,
    status: bytes = b"200 OK",
    media: bytes = b"text/html; charset=utf-8",
) -> bytes:
    """A whole response with Content-Length."""
    return head(*fields, b"Content-Length: %d" % len(body), status=status, media=media) + body


def chunks(*contents: bytes, extension: bytes = b"", trailers: bytes = b"") -> bytes:
    """
    A chunked body, a chunk for each content.

    @param trailers: field lines with their ends.
    """
    lines = [b"%x%b\r\n%b\r\n" % (len(content), extension, content) for content in contents]
    return b"".join(lines) + b"0\r\n" + trailers + b"\r\n"


def spread(data: bytes, size: int = 1) -> tuple[bytes | Pause, ...]:
    """Data in pieces of C{size} bytes, with a pause after each."""
    steps: list[bytes | Pause] = []
    for at in range(0, len(data), size):
        steps += (data[at : at + size], Pause.PAUSE)
    return tuple(steps)


def once(
    *steps: bytes | Pause,
    ask: Ask | None = None,
    closes: bool = True,
    proof: bytes = b"",
    content: bytes = b"",
) -> Plan:
    """A plan with one request and one reply."""
    return Plan(((ask or Ask(),),), (Reply(steps, closes=closes),), proof, content)
