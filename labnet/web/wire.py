"""
What the hello web server answers, without input or output: the course's page, the request as it came,
and answers that are broken on purpose.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from labnet.proxy.wire import BadMessage, RequestHead

__all__ = ["HELLO", "LAME", "LONGEST_HEAD", "Answer", "answerTo", "refusal"]

#: The longest head of a request, in bytes.
LONGEST_HEAD = 65_536

_HEAD = b"HTTP/1.0 200 OK\r\nContent-type: text/html\r\n"
#: The course's answer, byte for byte.
HELLO = _HEAD + b"\r\n<h1>Hello World</h1>"

_PAGE = b"<h1>Hello, but lame</h1>\n"
_HEAD11 = b"HTTP/1.1 200 OK\r\nContent-Type: text/html\r\n"
# An answer that says it never ends does so after ten minutes: nothing here is without a bound.
_ENDLESS = 600


@dataclass(frozen=True, slots=True)
class Answer:
    """
    What goes out for one request; then the connection is ended.

    @ivar pieces: what is written, each in one write.
    @ivar pause: the seconds between two of them.
    @ivar name: what the log calls it.
    @ivar line: what is wrong with it, for the index of the lame ones.
    """

    pieces: tuple[bytes, ...]
    name: str
    pause: float = 0.0
    line: str = ""


def _singly(data: bytes) -> tuple[bytes, ...]:
    return tuple(data[at : at + 1] for at in range(len(data)))


#: The answers that are broken on purpose, by what stands after C{/lame/}.
LAME: dict[str, Answer] = {
    answer.name: answer
    for answer in (
        Answer(
            (_HEAD11 + b"\r\n" + _PAGE,),
            "no-length",
            line="HTTP/1.1 without a length; the end is the close",
        ),
        Answer(
            (b"HTTP/1.1 200 OK\nContent-Type: text/html\nContent-Length: %d\n\n" % len(_PAGE) + _PAGE,),
            "line-feeds",
            line="lines that end with LF alone",
        ),
        Answer((_HEAD11,), "early-close", line="ends in the middle of the head"),
        Answer(
            (_HEAD11 + b"Content-Length: %d\r\n\r\n" % (len(_PAGE) + 100) + _PAGE,),
            "too-long",
            line="a Content-Length of 100 bytes more than there are",
        ),
        Answer(
            (_HEAD11 + b"Content-Length: %d\r\n\r\n" % (len(_PAGE) - 10) + _PAGE,),
            "too-short",
            line="a Content-Length of 10 bytes less than there are",
        ),
        Answer(
            (_HEAD11 + b"\r\n" + _PAGE, *(b"<p>and more</p>\n" for _ in range(_ENDLESS))),
            "never-ends",
            1.0,
            f"a line a second, without an end (after {_ENDLESS} of them there is one)",
        ),
        Answer(_singly(_HEAD + b"\r\n" + _PAGE), "slow", 1.0, "one byte a second"),
    )
}


def answerTo(head: RequestHead) -> Answer:
    """What a request is answered."""
    path = head.target.partition(b"?")[0].decode("ascii", "replace")
    if head.method != b"GET":
        return _page("405 Method Not Allowed", "<h1>Only GET</h1>", b"Allow: GET\r\n")
    if path == "/request":
        return _page("200 OK", f"<h1>Your request</h1>\n<pre>{escape(head.raw.decode('latin-1'))}</pre>")
    if path in ("/lame", "/lame/"):
        return _page("200 OK", _index())
    if path.startswith("/lame/"):
        lame = LAME.get(path.removeprefix("/lame/"))
        return lame or _page("404 Not Found", '<h1>No such answer</h1>\n<a href="/lame/">These</a>')
    return Answer((HELLO,), "hello")


def refusal(problem: BadMessage) -> Answer:
    """What is answered to what is not a request."""
    return _page(f"{problem.status} Not a Request", f"<h1>{escape(str(problem))}</h1>")


def _index() -> str:
    items = "".join(
        f'<li><a href="/lame/{name}">{name}</a>: {escape(answer.line)}</li>\n'
        for name, answer in LAME.items()
    )
    return f"<h1>Answers broken on purpose</h1>\n<ul>\n{items}</ul>"


def _page(status: str, body: str, fields: bytes = b"") -> Answer:
    content = body.encode("utf-8") + b"\n"
    head = b"HTTP/1.0 %b\r\nContent-Type: text/html; charset=utf-8\r\n" % status.encode("ascii")
    length = b"Content-Length: %d\r\n\r\n" % len(content)
    return Answer((head + fields + length + content,), status)
