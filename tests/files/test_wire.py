"""
Names, the course's answer, and the framed heads.
"""

from __future__ import annotations

import json
import sys
import unicodedata
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from labnet.files.naming import checkName, checkNewName
from labnet.files.refusal import Refusal, Trouble
from labnet.files.wire import (
    MOST_IN_HEAD,
    CourseReader,
    Entry,
    FileHead,
    FramedReader,
    Get,
    List,
    Listing,
    NotUnderstood,
    Put,
    Ready,
    Stored,
    encodeHead,
    parseReply,
    parseRequest,
    sizeOf,
)
from labnet.net.framing import MessageTooLong

DIGEST = "0123456789abcdef" * 4


def trouble(call: object, *arguments: object, **options: object) -> Trouble:
    assert callable(call)
    with pytest.raises(Refusal) as caught:
        call(*arguments, **options)
    assert "/" not in str(caught.value).replace("NFC", "")
    return caught.value.trouble


# Names


@pytest.mark.parametrize(
    "name",
    [
        "a", "notes.txt", "a..b", "no extension", "-rf", "~root", "%2e%2e", "%2e%2e%2f", "%252e",
        "UPPER", "x" * 255,
        "\u00e1rv\u00edzt\u0171r\u0151", "\u65e5\u672c", "\U0001f600", "console.txt", "com10", "nulls",
        "<b>", "a'b\"c", "{0}%s",
    ],
)  # fmt: skip
def test_whatMayBeLookedUp(name: str) -> None:
    assert checkName(name) == name
    assert checkName(name.encode()) == name


@pytest.mark.parametrize(
    "name",
    [
        # Ways out of the folder.
        "../x", "..\\x", "....//x", "a/../../x", "/etc/passwd", "//etc/passwd", "C:\\x",
        "\\\\host\\share", "file:///etc/passwd", "a/b", "a\\b", ".", "..", "~root/x", "a:stream",
        # What can not be seen.
        "", "a\0.txt", "a\nb", "a\r", "\x1b[2J", "a\x7f", "a\x9b", "\u202egpj.exe", "a\u200bb",
        "a\u2028b", "\ufeffa",
        # Devices.
        "CON", "con", "NUL.txt", "aux", "COM1", "com1.tar.gz", "LPT9", "lpt\u00b2", "CONIN$", "clock$",
        "prn.",
        # Edges.
        ".hidden", "a.", "a ", " a", "x" * 256, "\u0171" * 128, "x" * 5000,
    ],
)  # fmt: skip
def test_whatIsNoName(name: str) -> None:
    assert trouble(checkName, name) is Trouble.BAD_NAME
    assert trouble(checkName, name.encode()) is Trouble.BAD_NAME
    assert trouble(checkNewName, name) is Trouble.BAD_NAME


@pytest.mark.parametrize("name", [b"\xff", b"\xc0\xae\xc0\xae/", b"\xc0\xaf", b"\xed\xa0\x80", b"\xe2\x82"])
def test_aNameIsUTF8(name: bytes) -> None:
    assert trouble(checkName, name) is Trouble.BAD_NAME


def test_everyCharacterThatIsNotSeenIsRefused() -> None:
    """Of all there are: controls, formats, surrogates, line and paragraph separators."""
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)) in ("Cc", "Cf", "Cs", "Zl", "Zp"):
            with pytest.raises(Refusal):
                checkName(f"a{chr(code)}b")


def test_aLoneSurrogateIsNoName() -> None:
    assert trouble(checkName, "a\ud800") is Trouble.BAD_NAME


def test_hiddenNamesWhenAllowed() -> None:
    assert checkName(".profile", hidden=True) == ".profile"
    assert trouble(checkName, ".", hidden=True) is Trouble.BAD_NAME
    assert trouble(checkName, "..", hidden=True) is Trouble.BAD_NAME


def test_newNamesAreComposedAndNoOptions() -> None:
    """Two spellings that look the same can not both be made,
    nor can what a command takes for an option."""
    assert checkNewName("\u00e1") == "\u00e1"
    assert checkName("a\u0301") == "a\u0301"
    assert trouble(checkNewName, "a\u0301") is Trouble.BAD_NAME
    assert trouble(checkNewName, "-rf") is Trouble.BAD_NAME


@given(st.one_of(st.text(), st.binary()))
def test_anyNameIsAcceptedOrRefused(name: str | bytes) -> None:
    """Nothing else is raised; what is accepted is one component."""
    try:
        checked = checkName(name)
    except Refusal:
        return
    assert checked not in (".", "..", "")
    assert not set("/\\\0\n") & set(checked)


# The course's answer


def read(stream: bytes, cuts: list[int]) -> bytes:
    """What a reader makes of a stream that comes in pieces."""
    reader = CourseReader()
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    content = b"".join(reader.feed(stream[a:b]) for a, b in pairwise(edges))
    size, front = reader.end()
    assert size == len(front + content)
    return front + content


@given(
    st.one_of(st.binary(), st.integers(0, 10**40).map(lambda number: b"%d" % number), st.just(b"0" * 1000)),
    st.lists(st.integers(0, 10_000)),
)
def test_theCoursesAnswerInAnyPieces(content: bytes, cuts: list[int]) -> None:
    """Every file comes out as it went in, even one of digits only, however the stream is cut."""
    assert read(b"OK%d%b" % (len(content), content), cuts) == content


@pytest.mark.parametrize(
    "size", [0, 1, 8, 9, 10, 11, 98, 99, 100, 101, 998, 999, 1000, 9999, 10_000, 99_990]
)
def test_sizesAroundPowersOfTen(size: int) -> None:
    """Where the number of digits changes, and the file begins with what could be more of them."""
    for first in (b"", b"0", b"1", b"9", b"12345678901234567890"):
        content = (first + b"x" * size)[:size]
        assert read(b"OK%d%b" % (size, content), []) == content


@given(st.integers(0, 2**63 - 1))
def test_theSizeIsFound(size: int) -> None:
    assert sizeOf(size + len(str(size))) == size


@given(st.integers(0, 10**6))
def test_thereIsAtMostOneSize(total: int) -> None:
    """Compared with trying all that are near."""
    sizes = [size for size in range(max(0, total - 20), total + 1) if size + len(str(size)) == total]
    assert [sizeOf(total)] == (sizes or [None])


@given(st.binary(min_size=1), st.data())
def test_aFileThatIsCutOffIsNoticed(content: bytes, data: st.DataObject) -> None:
    """
    Unless what came happens to be what a smaller file with a digit at its beginning looks like: C{OK20x} is
    the file C{0x} of 2 bytes, too, and the protocol has no way to tell.
    """
    content = b"x" + content
    stream = b"OK%d%b" % (len(content), content)
    end = data.draw(st.integers(0, len(stream) - 1))
    assume(
        end not in [2 + digits + int(stream[2 : 2 + digits]) for digits in range(1, len(str(len(content))))]
    )
    with pytest.raises((NotUnderstood, Refusal)):
        read(stream[:end], [])


def test_moreThanWasAnnouncedIsNoticed() -> None:
    with pytest.raises(NotUnderstood):
        read(b"OK3abcd", [])


@pytest.mark.parametrize("cut", range(9))
def test_notFoundInTwoPieces(cut: int) -> None:
    reader = CourseReader()
    assert reader.feed(b"NOT_FOUND"[:cut]) + reader.feed(b"NOT_FOUND"[cut:]) == b""
    assert trouble(reader.end) is Trouble.NOT_FOUND


@pytest.mark.parametrize(
    "stream",
    [b"", b"O", b"OK", b"NOT_FOU", b"NOT_FOUND!", b"HTTP/1.1 200 OK", b"OKx", b"OK-1", b"ok3abc", b"\0"],
)
def test_whatIsNoAnswer(stream: bytes) -> None:
    with pytest.raises(NotUnderstood):
        read(stream, [])


def test_theExpectedSizeIsThereForTheProgressBar() -> None:
    reader = CourseReader()
    reader.feed(b"OK10")
    assert reader.expected is None
    reader.feed(b"00abc")
    assert reader.expected == 1000


# The framed heads

REQUESTS = [
    Get("x"), Get("\u00e1", 2**63 - 1), List(), List("x"), Put("x", 5, DIGEST), Put("x", 0, DIGEST, 1.5,
    True, "joe", "p:w"),
]  # fmt: skip
REPLIES = [
    Listing(()), Listing((Entry("a", 1, 2.5), Entry("b", 0, -1.0)), True), FileHead("x", 2, 5, DIGEST,
    1.0), Ready(),
    Stored("x", 5, DIGEST),
]  # fmt: skip


@pytest.mark.parametrize("request_", REQUESTS)
def test_requestsThereAndBack(request_: Get | List | Put) -> None:
    assert parseRequest(encodeHead(request_)[4:]) == request_


@pytest.mark.parametrize("reply", REPLIES)
def test_repliesThereAndBack(reply: Listing | FileHead | Ready | Stored) -> None:
    assert parseReply(encodeHead(reply)[4:]) == reply


@pytest.mark.parametrize("kind", list(Trouble))
def test_refusalsThereAndBack(kind: Trouble) -> None:
    with pytest.raises(Refusal, match="a sentence") as caught:
        parseReply(encodeHead(Refusal(kind, "a sentence"))[4:])
    assert caught.value.trouble is kind


def changed(**members: object) -> bytes:
    base = {"request": "put", "name": "x", "size": 5, "sha256": DIGEST}
    return json.dumps({key: value for key, value in (base | members).items() if value != "gone"}).encode()


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"{", b"[]", b"1", b"null", b"\xff", b'{"request": 1}', b"[" * 100_000, b'{"a":' * 50_000,
        b'{"n": ' + b"9" * 10_000 + b"}",
        changed(request="delete"), changed(request="gone"), changed(name=1), changed(name="gone"),
        changed(size=-1),
        changed(size=2**63), changed(size=1.0), changed(size=True), changed(size="5"),
        changed(size="gone"),
        changed(sha256="x"), changed(sha256=DIGEST.upper()), changed(sha256="gone"), changed(mtime="now"),
        changed(mtime=1e300), changed(user=1), changed(request="get", offset=-1), changed(request="get",
        offset=2**63),
        changed(request="get", offset=2**64), changed(request="list", after=3),
        b'{"request":"put","name":"x","size":NaN}',
        changed(mtime=float("nan")), changed(mtime=float("inf")),
    ],
)  # fmt: skip
def test_whatIsNoRequest(raw: bytes) -> None:
    assert trouble(parseRequest, raw) is Trouble.BAD_REQUEST


def test_anUploadBeginsAtTheBeginning() -> None:
    assert trouble(parseRequest, changed(offset=1)) is Trouble.BAD_OFFSET


def test_membersThatNobodyKnowsArePassedOver() -> None:
    assert parseRequest(b'{"request":"get","name":"x","colour":"red"}') == Get("x")


@pytest.mark.parametrize(
    "raw",
    [
        b"", b"[]", b"{}", b'{"error":"whatever"}', b'{"error":1}', b'{"error":[]}', b'{"files":1}',
        b'{"files":[1]}',
        b'{"files":[{"name":"x"}]}', b'{"ready":1}', b'{"stored":"x","size":1}',
        encodeHead(FileHead("x", 6, 5, DIGEST, 1.0))[4:],
    ],
)  # fmt: skip
def test_whatIsNoReply(raw: bytes) -> None:
    with pytest.raises(NotUnderstood):
        parseReply(raw)


@given(st.binary())
def test_noBytesBreakTheParsers(raw: bytes) -> None:
    for parse, expected in ((parseRequest, Refusal), (parseReply, (Refusal, NotUnderstood))):
        with suppress(expected):
            parse(raw)


@given(st.lists(st.binary(max_size=40)), st.lists(st.integers(0, 10_000)))
def test_headsAndContentsInAnyPieces(contents: list[bytes], cuts: list[int]) -> None:
    """Heads and contents in turn come out as they went in, however the stream is cut."""
    stream = b"".join(encodeHead(List("x" * len(content))) + content for content in contents)
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    reader, read, started = FramedReader(), [], False
    for a, b in pairwise(edges):
        reader.feed(stream[a:b])
        while True:
            if started:
                read[-1] += reader.content()
                if reader.contentLeft:
                    break
                started = False
            head = reader.head()
            if head is None:
                break
            request = parseRequest(head)
            assert isinstance(request, List)
            reader.expect(len(request.after))
            read.append(b"")
            started = True
    assert read == contents
    assert not reader.pending


@pytest.mark.parametrize("length", [MOST_IN_HEAD + 1, 2**31, 2**32 - 1])
def test_aLengthThatLies(length: int) -> None:
    """It is refused when it comes, before anything is kept for it."""
    reader = FramedReader()
    reader.feed(length.to_bytes(4, "big"))
    with pytest.raises(MessageTooLong):
        reader.head()
