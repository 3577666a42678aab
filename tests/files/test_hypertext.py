"""
Targets, ranges, validators and forms.
"""

from __future__ import annotations

from base64 import b64encode
from contextlib import suppress
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.files.hypertext import (
    Content,
    Form,
    PartBegins,
    Unsatisfiable,
    boundaryOf,
    contentType,
    credentials,
    httpDate,
    notModified,
    pathOf,
    rangeOf,
)
from labnet.proxy.wire import BadMessage, Fields

TAG = b'"1-2-3"'


def fields(**values: bytes) -> Fields:
    return Fields((name.replace("_", "-").encode(), value) for name, value in values.items())


# Targets


@pytest.mark.parametrize(
    ("target", "path", "query"),
    [
        (b"/", b"/", {}),
        (b"/a%20b", b"/a b", {}),
        (b"/%252e", b"/%2e", {}),
        (b"/a+b", b"/a+b", {}),
        (b"/?after=a%26b&x=1+2", b"/", {b"after": b"a&b", b"x": b"1 2"}),
        (b"//etc/passwd", b"//etc/passwd", {}),
    ],
)
def test_targetsAreDecodedOnce(target: bytes, path: bytes, query: dict[bytes, bytes]) -> None:
    found, members = pathOf(target)
    assert found == path
    assert {key: value for key, value in members.items() if key} == query


@pytest.mark.parametrize("target", [b"*", b"http://x/", b"x", b"/%", b"/%2", b"/%zz", b"/%u0041"])
def test_otherTargetsAreRefused(target: bytes) -> None:
    with pytest.raises(BadMessage):
        pathOf(target)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"Basic " + b64encode(b"joe:pass:word"), ("joe", "pass:word")),
        (b"basic  " + b64encode("j\u00f3e:\u00fc".encode()), ("j\u00f3e", "\u00fc")),
        (b"Basic " + b64encode(b"joe"), None),
        (b"Basic " + b64encode(b"\xff:\xff"), None),
        (b"Basic !!!", None),
        (b"Bearer abc", None),
        (b"", None),
    ],
)
def test_credentials(value: bytes, expected: tuple[str, str] | None) -> None:
    assert credentials(fields(authorization=value)) == expected


def test_twoCredentialsAreNone() -> None:
    value = b"Basic " + b64encode(b"joe:secret")
    assert credentials(Fields([(b"Authorization", value)] * 2)) is None


# Ranges


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (b"bytes=0-0", (0, 1)), (b"bytes=2-4", (2, 3)), (b"bytes=2-", (2, 8)), (b"bytes=-3", (7, 3)),
        (b"bytes=-99", (0, 10)),
        (b"bytes=9-9", (9, 1)), (b"bytes=5-99", (5, 5)), (b"BYTES=0-1", (0, 2)),
        (b"bytes=0-999999999999999999", (0, 10)),
        # What is no range is passed over: RFC 9110, 14.2.
        (b"bytes=4-2", None), (b"bytes=-", None), (b"bytes=a-b", None), (b"bytes=0-1,3-4", None),
        (b"lines=0-1", None),
        (b"bytes=--1", None), (b"bytes=1", None), (b"", None), (b"bytes=9223372036854775808-", None),
        (b"bytes=-9223372036854775808", None), (b"bytes=0x1-2", None), (b"bytes=\xd9\xa1-", None),
    ],
)  # fmt: skip
def test_ranges(value: bytes, expected: tuple[int, int] | None) -> None:
    assert rangeOf(fields(range=value), 10, TAG, 0.0) == expected


@pytest.mark.parametrize("value", [b"bytes=10-", b"bytes=10-20", b"bytes=-0", b"bytes=999999999999999999-"])
def test_rangesWithoutAByte(value: bytes) -> None:
    with pytest.raises(Unsatisfiable):
        rangeOf(fields(range=value), 10, TAG, 0.0)


@pytest.mark.parametrize("value", [b"bytes=0-", b"bytes=-1"])
def test_anEmptyFileHasNoRanges(value: bytes) -> None:
    with pytest.raises(Unsatisfiable):
        rangeOf(fields(range=value), 0, TAG, 0.0)


@given(st.binary(), st.integers(0, 2**63))
def test_aRangeIsInsideTheFile(value: bytes, size: int) -> None:
    with suppress(Unsatisfiable):
        found = rangeOf(fields(range=b"bytes=" + value), size, TAG, 0.0)
        assert found is None or (found[1] > 0 and found[0] >= 0 and sum(found) <= size)


def test_aRangeOfAnotherVersionIsTheWholeFile() -> None:
    date = httpDate(1_000_000_000)
    for condition, expected in (
        (TAG, (1, 9)),
        (b'"x"', None),
        (b"W/" + TAG, None),
        (date, (1, 9)),
        (b"junk", None),
    ):
        found = rangeOf(fields(range=b"bytes=1-", if_range=condition), 10, TAG, 1_000_000_000.7)
        assert found == expected, condition
    assert rangeOf(fields(range=b"bytes=1-", if_range=httpDate(999)), 10, TAG, 1000.0) is None


def test_whatTheClientHasAlready() -> None:
    assert notModified(fields(if_none_match=TAG), TAG, 0)
    assert notModified(fields(if_none_match=b'"x", W/' + TAG), TAG, 0)
    assert notModified(fields(if_none_match=b"*"), TAG, 0)
    assert not notModified(fields(if_none_match=b'"x"', if_modified_since=httpDate(10**9)), TAG, 0)
    assert notModified(fields(if_modified_since=httpDate(1000)), TAG, 1000.9)
    assert not notModified(fields(if_modified_since=httpDate(999)), TAG, 1000.9)
    assert not notModified(fields(if_modified_since=b"yesterday"), TAG, 0)
    assert not notModified(fields(), TAG, 0)


@pytest.mark.parametrize("seconds", [-1e300, -1.0, 0.0, 1e9, 1e300])
def test_anyTimeIsADate(seconds: float) -> None:
    assert httpDate(seconds).endswith(b" GMT")


@pytest.mark.parametrize(
    ("name", "kind", "shown"),
    [
        ("a.txt", b"text/plain; charset=utf-8", True), ("a.png", b"image/png", True), ("a.pdf",
        b"application/pdf", True),
        ("a.html", b"text/html; charset=utf-8", False), ("a.svg", b"image/svg+xml", False), ("a",
        b"application/octet-stream", False),
        ("a.tar.gz", b"application/octet-stream", False), ("a.txt.gz", b"application/octet-stream",
        False),
    ],
)  # fmt: skip
def test_whatABrowserMayShow(name: str, kind: bytes, shown: bool) -> None:
    assert contentType(name) == (kind, shown)


# Forms

BOUNDARY = b"----b"


def encoded(parts: list[tuple[bytes, bytes]], boundary: bytes = BOUNDARY) -> bytes:
    return b"".join(
        b'--%b\r\nContent-Disposition: form-data; name="f"; filename="%b"\r\n\r\n%b\r\n'
        % (boundary, name, data)
        for name, data in parts
    ) + (b"--%b--\r\n" % boundary)


def taken(stream: bytes, cuts: list[int]) -> tuple[list[tuple[bytes, bytes]], bool]:
    form = Form(BOUNDARY)
    parts: list[tuple[bytes, bytes]] = []
    edges = [0, *sorted(cut % (len(stream) + 1) for cut in cuts), len(stream)]
    for a, b in pairwise(edges):
        for event in form.feed(stream[a:b]):
            if isinstance(event, PartBegins):
                parts.append((event.fileName or b"", b""))
            else:
                parts[-1] = (parts[-1][0], parts[-1][1] + event.data)
    return parts, form.done


names = st.binary().map(lambda name: bytes(byte for byte in name if 32 < byte < 127 and byte not in b'"%'))
contents = st.one_of(
    st.binary(), st.lists(st.sampled_from([b"\r\n", b"--", BOUNDARY, b"\r", b"x"])).map(b"".join)
).filter(lambda data: b"\r\n--" + BOUNDARY not in b"\r\n" + data + b"\r\n")


@given(st.lists(st.tuples(names, contents), min_size=1, max_size=5), st.lists(st.integers(0, 10_000)))
def test_formsInAnyPieces(parts: list[tuple[bytes, bytes]], cuts: list[int]) -> None:
    """What looks almost like a boundary is content, however the stream is cut."""
    assert taken(encoded(parts), cuts) == (parts, True)
    assert taken(b"a preamble\r\n" + encoded(parts) + b"an epilogue", cuts) == (parts, True)


def test_aByteAtATime() -> None:
    parts = [(b"a", b"\r\n----\r\n--" + BOUNDARY[:-1]), (b"b", b"")]
    stream = encoded(parts)
    assert taken(stream, list(range(len(stream)))) == (parts, True)


def test_aFormThatIsCutOffIsNotDone() -> None:
    stream = encoded([(b"a", b"content")])
    for end in range(len(stream) - 3):
        assert not taken(stream[:end], [])[1]


def test_namesOfFields() -> None:
    form = Form(BOUNDARY)
    disposition = b'form-data; name="a%22b"; filename="x;y=\xc3\xa1.txt"'
    events = list(form.feed(b"--%b\r\nX: y\r\ncontent-disposition: %b\r\n\r\nz" % (BOUNDARY, disposition)))
    assert events[0] == PartBegins(b'a"b', b"x;y=\xc3\xa1.txt")
    assert PartBegins(b"f", None) in list(
        Form(BOUNDARY).feed(b"--%b\r\nContent-Disposition: form-data; name=f\r\n\r\n" % BOUNDARY)
    )


@pytest.mark.parametrize(
    "stream",
    [
        b"--%bx\r\n" % BOUNDARY, b"--%b\r\n\r\n\r\n" % BOUNDARY, b"--%b\r\nX: y\r\n\r\n" % BOUNDARY,
        b"--%b\r\nContent-Disposition: attachment\r\n\r\n" % BOUNDARY,
        b"--%b\r\nContent-Disposition: form-data\r\n\r\n" % BOUNDARY,
        b"--%b\r\n%b" % (BOUNDARY, b"x" * 5_000), encoded([(b"a", b"")] * 21),
        b"--%b\r\nno colon\r\n\r\n" % BOUNDARY,
    ],
)  # fmt: skip
def test_whatIsNoForm(stream: bytes) -> None:
    with pytest.raises(BadMessage):
        list(Form(BOUNDARY).feed(stream + b"--"))


@given(st.lists(st.binary()))
def test_noBytesBreakAForm(pieces: list[bytes]) -> None:
    form = Form(BOUNDARY)
    with suppress(BadMessage):
        for piece in pieces:
            list(form.feed(piece))


def test_whatIsHeldOfAFormIsBounded() -> None:
    form = Form(BOUNDARY)
    start = encoded([(b"a", b"")]).partition(b"\r\n\r\n")[0] + b"\r\n\r\n"
    assert len(list(form.feed(start))) == 1
    for _ in range(100):
        list(form.feed(b"\r\n--" * 1000))
        assert len(form._buffer) < 100


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (b"multipart/form-data; boundary=abc", b"abc"), (b'Multipart/Form-Data;boundary="a b"', None),
        (b'multipart/form-data; boundary="abc"', b"abc"), (b"multipart/form-data", None),
        (b"text/plain", None),
        (b"multipart/form-data; boundary=" + b"x" * 71, None), (b"multipart/form-data; boundary=", None),
    ],
)  # fmt: skip
def test_boundaries(kind: bytes, expected: bytes | None) -> None:
    if expected is None:
        with pytest.raises(BadMessage) as caught:
            boundaryOf(fields(content_type=kind))
        assert caught.value.status == 415
    else:
        assert boundaryOf(fields(content_type=kind)) == expected


def test_contentIsNoPart() -> None:
    assert Content(b"x") != PartBegins(b"x", None)
