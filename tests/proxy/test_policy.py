"""
What the proxy answers in an origin's place, and what it does not look at.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.inspection import Finding
from labnet.proxy.pages import Page
from labnet.proxy.policy import COURSE_404, COURSE_PAGE, Answer, Policy, blockedAnswer, refusal
from labnet.proxy.rules import Rule
from labnet.proxy.wire import Fields, HeadReader, ResponseHead, Version, parseResponseHead

FOUND = Finding(Rule(b"SzamHalo"), "body", 17, "gzip")


def apart(encoded: bytes) -> tuple[ResponseHead, bytes]:
    """The head and the body of an answer, read strictly."""
    found = HeadReader(65_536).feed(encoded)
    assert found is not None
    return parseResponseHead(found[0]), found[1]


def test_theCoursesAnswerIsExactly160Bytes() -> None:
    assert COURSE_404 == (
        b"HTTP/1.1 404 Not Found\r\nContent-Type: text/html\r\nConnection: close\r\n\r\n"
        b"<html><body><h1>404 Not Found</h1><p>Content blocked by SzamHalo proxy.</p></body></html>\n"
    )
    assert len(COURSE_404) == 160


@pytest.mark.parametrize("version", list(Version))
def test_theCoursesAnswerIsSentVerbatim(version: Version) -> None:
    """Without a body after HEAD, with its close whatever else is wished."""
    answer = blockedAnswer(Policy(course404=True), FOUND)
    assert answer.encode(version, b"GET", close=False, now=0) == COURSE_404
    assert answer.encode(version, b"HEAD", close=True, now=0) == COURSE_404.removesuffix(COURSE_PAGE)


def filled(answer: Answer) -> Answer:
    """With its page."""
    return Policy().dressed(answer, None, False)


def test_aBlockedPage() -> None:
    answer = blockedAnswer(Policy(blockPage=Page(b"<p>no</p>")), FOUND)
    head, body = apart(filled(answer).encode(Version.HTTP11, b"GET", close=False, now=0))
    assert (head.status, body) == (404, b"<p>no</p>")
    assert head.fields.lines == [
        (b"Content-Type", b"text/html; charset=utf-8"),
        (b"Content-Length", b"9"),
        (b"Cache-Control", b"no-store"),
        (b"Date", b"Thu, 01 Jan 1970 00:00:00 GMT"),
        (b"X-Labnet-Filter", b'blocked; rule="SzamHalo"; where="body"; offset=17; coding="gzip"'),
    ]


def test_theCharsetOfWhatWasFoundIsNamed() -> None:
    found = Finding(Rule(b"x"), "body", 1, charset="utf-16")
    assert blockedAnswer(Policy(), found).why.endswith('coding="identity"; charset="utf-16"')


def test_theConnectionFieldOfAnAnswer() -> None:
    answer = refusal(502, "x")
    said = {
        (version, close): apart(answer.encode(version, b"GET", close, 0))[0].fields.values(b"connection")
        for version in Version
        for close in (False, True)
    }
    assert said == {
        (Version.HTTP11, False): [],
        (Version.HTTP11, True): [b"close"],
        (Version.HTTP10, False): [b"keep-alive"],
        (Version.HTTP10, True): [b"close"],
    }


def test_anAnswerToHeadHasTheSameHeadAndNoBody() -> None:
    answer = filled(refusal(504, "late"))
    whole, head = (answer.encode(Version.HTTP11, method, True, 0) for method in (b"GET", b"HEAD"))
    assert whole == head + answer.body
    assert answer.body


def wellFormed(answer: Answer, filterField: bytes) -> None:
    """One head, one filter field in printable ASCII, a closed quoted-string, and the body it announces."""
    head, body = apart(filled(answer).encode(Version.HTTP11, b"GET", close=True, now=0))
    assert body
    assert len(head.fields) == 6
    (value,) = head.fields.values(b"x-labnet-filter")
    assert value.startswith(filterField)
    assert len(value) < 2_000
    assert all(0x20 <= byte <= 0x7E for byte in value)
    unescaped = value.replace(b"\\\\", b"").replace(b'\\"', b"")
    assert unescaped.count(b'"') % 2 == 0
    assert b"\\" not in unescaped
    assert head.fields.values(b"content-length") == [b"%d" % len(body)]


EVIL = [
    b'a\r\nSet-Cookie: x\r\n\r\n<script>', b'"', b"\\", b'\\"', b"\0\xff\xfe", b"\xc2\x85\xe2\x80\xa8",
    b" x ", b"x" * 100_000, b'"' * 5_000, b"\xf0\x9f\x98\x80", b"\xed\xa0\x80",
]  # fmt: skip


@pytest.mark.parametrize("pattern", EVIL)
def test_anAnswerIsWellFormedWhateverTheRule(pattern: bytes) -> None:
    wellFormed(blockedAnswer(Policy(), Finding(Rule(pattern), "body", 0)), b'blocked; rule="')


@given(st.binary(min_size=1, max_size=50))
def test_anAnswerIsWellFormedForAnyRule(pattern: bytes) -> None:
    wellFormed(blockedAnswer(Policy(), Finding(Rule(pattern), "body", 0)), b'blocked; rule="')


@given(st.text(max_size=60) | st.sampled_from([pattern.decode("latin-1") for pattern in EVIL]))
def test_aRefusalIsWellFormedForAnyReason(why: str) -> None:
    answer = refusal(502, why)
    wellFormed(answer, b'refused; why="')
    said = filled(answer).body.partition(b"<p>")[2].partition(b"</p>")[0]
    assert b"<" not in said
    assert b'"' not in said


def test_aReasonIsEscapedInThePage() -> None:
    assert b"<p>&lt;b&gt;.</p>" in filled(refusal(400, "<b>")).body


def test_aStatusThatPythonDoesNotKnow() -> None:
    assert refusal(599, "x").encode(Version.HTTP11, b"GET", True, 0).startswith(b"HTTP/1.1 599 Unknown\r\n")


@pytest.mark.parametrize(
    ("types", "skipped"),
    [
        ([b"video/mp4"], True),
        ([b"Video/MP4 ; codecs=x"], True),
        ([b"audio/ogg"], True),
        ([b"text/html"], False),
        ([b"video/mpeg"], False),
        ([b"application/json; x=video/mp4"], False),
        ([], False),
        ([b""], False),
        ([b"audio"], False),
        # A browser takes the last of several for the type, so none of these is what it begins with.
        ([b"video/mp4, text/html"], False),
        ([b"audio/x, text/html"], False),
        ([b"video/mp4", b"text/html"], False),
        ([b"audio/ text/html"], False),
        ([b"audio/"], False),
    ],
)
def test_typesThatAreNotLookedAt(types: list[bytes], skipped: bool) -> None:
    policy = Policy(skipTypes=frozenset(("video/mp4", "audio/*")))
    head = ResponseHead(200, b"OK", Version.HTTP11, Fields((b"Content-Type", value) for value in types))
    assert policy.skips(head) is skipped
    assert not Policy().skips(head)
