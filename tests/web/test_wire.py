"""
What the hello web server answers to any request, as messages.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.body import CloseDelimitedBody, responseBody
from labnet.proxy.wire import BadMessage, HeadReader, parseRequestHead, parseResponseHead
from labnet.web.wire import HELLO, LAME, LONGEST_HEAD, Answer, answerTo, refusal

PATH = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0xFF, exclude_characters="\x7f"), max_size=40
)


def asked(method: str, target: str, fields: str = "") -> Answer:
    raw = f"{method} {target} HTTP/1.1\r\n{fields}\r\n".encode("latin-1")
    return answerTo(parseRequestHead(raw))


def whole(answer: Answer) -> tuple[int, bytes]:
    """The status and the content of an answer that keeps to the rules."""
    found = HeadReader(LONGEST_HEAD).feed(b"".join(answer.pieces))
    assert found is not None
    head = parseResponseHead(found[0])
    body = responseBody(head, b"GET")
    content = body.feed(found[1])
    assert body.done or isinstance(body, CloseDelimitedBody)
    assert not body.rest
    return head.status, content


@given(PATH)
def test_anyPathIsAnswered(path: str) -> None:
    """In good order, in one piece, and with nothing of the request in it that could do something."""
    if path in LAME:
        return
    for target in ("/" + path, "/lame/" + path, "/request?" + path):
        try:
            answer = asked("GET", target)
        except BadMessage:
            continue
        status, content = whole(answer)
        assert len(answer.pieces) == 1
        assert status == (404 if target == "/lame/" + path and path[:1] not in ("", "?") else 200)
        assert b"<script" not in content


@given(st.binary(max_size=60).filter(lambda value: b"\r" not in value and b"\n" not in value))
def test_whatIsShownOfARequestIsHarmless(value: bytes) -> None:
    raw = b"GET /request HTTP/1.1\r\nX: " + value + b"\r\n\r\n"
    try:
        answer = answerTo(parseRequestHead(raw))
    except BadMessage as problem:
        answer = refusal(problem)
    _, content = whole(answer)
    markup = content.replace(b"<h1>", b"").replace(b"</h1>", b"").replace(b"<pre>", b"")
    assert b"<" not in markup.replace(b"</pre>", b"")


@given(st.from_regex(r"[A-Z]{1,10}", fullmatch=True).filter(lambda method: method != "GET"))
def test_otherMethodsAreRefused(method: str) -> None:
    assert whole(asked(method, "/"))[0] == 405


def test_theQueryMakesNoDifference() -> None:
    assert asked("GET", "/?x=/request").pieces == (HELLO,)
    assert asked("GET", "/lame/no-length?x") is LAME["no-length"]


def test_theCoursesAnswerKeepsToTheRules() -> None:
    assert whole(Answer((HELLO,), "hello")) == (200, b"<h1>Hello World</h1>")


@pytest.mark.parametrize("status", [400, 414, 431, 505])
def test_aRefusalSaysWhy(status: int) -> None:
    answered, content = whole(refusal(BadMessage("<no>", status)))
    assert answered == status
    assert b"&lt;no&gt;" in content


@pytest.mark.parametrize("name", sorted(LAME))
def test_everyLameAnswerIsBounded(name: str) -> None:
    """It is in the index, under its name, and does not go on for ever."""
    lame = LAME[name]
    assert (lame.name, bool(lame.line)) == (name, True)
    assert len(lame.pieces) * lame.pause <= 601
    assert b"".join(lame.pieces).startswith(b"HTTP/1.")
