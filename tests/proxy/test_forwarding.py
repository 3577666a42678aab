"""
What changes in a head on its way, and what does not.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.body import BodyReader, ChunkedBody, LengthBody
from labnet.proxy.forwarding import (
    checkConnection,
    connectionFields,
    forwardedRequest,
    forwardedResponse,
    mostForwards,
    viaNames,
)
from labnet.proxy.target import Origin, Route
from labnet.proxy.wire import (
    BadMessage,
    Fields,
    RequestHead,
    ResponseHead,
    Version,
    parseRequestHead,
    parseResponseHead,
)

ROUTE = Route(Origin("site", 8000), b"/path", b"site:8000")
Lines = list[tuple[bytes, bytes]]
NOW = 784_111_777.0
DATE = b"Sun, 06 Nov 1994 08:49:37 GMT"


def onward(
    lines: Lines,
    *,
    body: BodyReader | None = None,
    inspected: bool = False,
    heldSize: int | None = None,
    method: bytes = b"GET",
    version: Version = Version.HTTP11,
) -> RequestHead:
    """The head as the origin reads it."""
    head = RequestHead(method, b"http://x/", version, Fields(lines))
    body = body if body is not None else LengthBody(0)
    return parseRequestHead(forwardedRequest(head, ROUTE, body, b"me", inspected, heldSize))


def back(
    lines: Lines,
    *,
    status: int = 200,
    version: Version = Version.HTTP11,
    framing: tuple[bytes, bytes] | None = None,
    connection: bytes = b"",
    location: tuple[bytes, bytes] | None = None,
) -> Lines:
    """The fields as the client reads them, without what every response gets."""
    head = ResponseHead(status, b"OK", version, Fields(lines))
    encoded = forwardedResponse(
        head, b"me", now=NOW, framing=framing, connection=connection, location=location
    )
    read = parseResponseHead(encoded)
    assert read.status == status
    member = {Version.HTTP10: b"1.0 me", Version.HTTP11: b"1.1 me"}[version]
    assert read.fields.members(b"via")[-1] == member
    return [line for line in read.fields if line not in ((b"Date", DATE), (b"Via", member))]


HOP_BY_HOP: Lines = [
    (b"Connection", b"close, X-Mine"), (b"Keep-Alive", b"timeout=5"),
    (b"proxy-connection", b"keep-alive, X-Too"),
    (b"TE", b"trailers"), (b"Trailer", b"X"), (b"Transfer-Encoding", b"chunked"), (b"UPGRADE", b"h2c"),
    (b"Proxy-Authorization", b"Basic eDp5"), (b"Proxy-Authenticate", b"Basic"), (b"x-mine", b"1"),
    (b"X-Mine", b"2"), (b"X-Too", b"3"), (b"Proxy-Authentication-Info", b"x"),
]  # fmt: skip
END_TO_END: Lines = [
    (b"accept", b"a"), (b"X-B", b"1"), (b"cOOKIE", b"a=b"), (b"x-b", b"2"), (b"X-B", b""),
    (b"Cookie", b"\xff"),
]  # fmt: skip


def mixed() -> Lines:
    return [line for pair in zip(HOP_BY_HOP, END_TO_END * 3, strict=False) for line in pair]


def test_theRequestLineAndHostAndVia() -> None:
    head = onward([(b"A", b"b"), (b"hOST", b"x"), (b"Via", b"1.0 other"), (b"C", b"d")])
    assert head.raw == (
        b"GET /path HTTP/1.1\r\nA: b\r\nhOST: site:8000\r\nVia: 1.0 other\r\nC: d\r\nVia: 1.1 me\r\n\r\n"
    )


def test_aRequestWithoutHostGetsOneFirst() -> None:
    head = onward([(b"A", b"b")], version=Version.HTTP10)
    assert head.fields.lines == [(b"Host", b"site:8000"), (b"A", b"b"), (b"Via", b"1.0 me")]


def test_hopByHopFieldsStayBehindOnTheWayThere() -> None:
    """And everything else arrives in its order, spelling and number."""
    lines = mixed()
    arrived = onward(lines).fields.lines
    assert arrived[1:-1] == [line for line in lines if line in END_TO_END]


def test_hopByHopFieldsStayBehindOnTheWayBack() -> None:
    lines = mixed()
    assert back(lines) == [line for line in lines if line in END_TO_END]


@pytest.mark.parametrize("name", [b"Content-Encoding", b"Content-Range", b"Content-Type", b"Cache-Control",
                                  b"Authorization", b"WWW-Authenticate"])  # fmt: skip
@pytest.mark.parametrize("option", [b"Connection", b"proxy-connection"])
def test_connectionMustNotNameWhatIsForAllRecipients(name: bytes, option: bytes) -> None:
    """To take it away would break one rule, and to leave it another: the message is refused."""
    with pytest.raises(BadMessage, match="which is for all recipients"):
        checkConnection(Fields([(option, b"close, " + name), (name, b"5")]))
    checkConnection(Fields([(option, b"close, X-" + name), (name, b"5")]))


@pytest.mark.parametrize("name", [b"Date", b"Location", b"Expect", b"Cookie", b"X-Forwarded-For"])
def test_connectionTakesAwayWhatItNames(name: bytes) -> None:
    lines = [(b"Connection", b"close, " + name), (name, b"5")]
    assert name.lower() not in onward(lines).fields
    assert (name, b"5") not in back(lines)


def test_connectionDoesNotTakeAwayWhatIsMadeAnew() -> None:
    """The framing, Host, Via and Max-Forwards are ours to say, whatever Connection names."""
    named = (b"Connection", b"host, content-length, via, max-forwards")
    arrived = onward([named, (b"Content-Length", b"5"), (b"Via", b"1.1 x")]).fields
    assert arrived.values(b"host") == [b"site:8000"]
    assert arrived.values(b"content-length") == [b"5"]
    assert arrived.values(b"via") == [b"1.1 me"]


@given(st.lists(st.sampled_from([*HOP_BY_HOP, *END_TO_END, (b"Connection", b"cookie, ,X-B")]), max_size=12))
def test_noHopByHopFieldEverGoesOn(lines: Lines) -> None:
    hops = connectionFields(Fields(lines))
    for arrived in (onward(lines).fields.lines, back(lines)):
        kept = [line for line in lines if line[0].lower() not in hops]
        ours = (b"host", b"via")
        assert [line for line in arrived if line[0].lower() not in ours] == kept


# Requests


def test_theFramingOfARequest() -> None:
    several = [(b"Content-Length", b"5, 5"), (b"A", b"b"), (b"content-length", b"5")]
    arrived = onward(several, body=LengthBody(5)).fields.lines
    assert arrived[1:-1] == [(b"Content-Length", b"5"), (b"A", b"b")]
    chunked = onward([(b"Transfer-Encoding", b"Chunked")], body=ChunkedBody())
    assert chunked.fields.values(b"transfer-encoding") == [b"chunked"]
    assert b"content-length" not in chunked.fields
    assert b"content-length" not in onward([]).fields
    assert onward([(b"Content-Length", b"0")]).fields.values(b"content-length") == [b"0"]


def test_aHeldBodyHasALength() -> None:
    """Whatever it came with; and who has it already does not ask whether to send it."""
    for lines, body in (
        ([(b"Transfer-Encoding", b"chunked")], ChunkedBody()),
        ([(b"Content-Length", b"7"), (b"Content-Length", b"7")], LengthBody(7)),
    ):
        head = onward([*lines, (b"Expect", b"100-continue")], body=body, heldSize=7)
        assert head.fields.values(b"content-length") == [b"7"]
        assert b"transfer-encoding" not in head.fields
        assert b"expect" not in head.fields


def test_expectGoesOnUnlessItIsTooOld() -> None:
    expect = [(b"Expect", b"100-continue"), (b"Content-Length", b"5")]
    assert b"expect" in onward(expect, body=LengthBody(5)).fields
    assert b"expect" not in onward(expect, body=LengthBody(5), version=Version.HTTP10).fields


def test_rangeIsTakenAwayOnlyWhereTheAnswerIsLookedAt() -> None:
    """A part of a page may lack just the part of the word that tells."""
    lines = [(b"Range", b"bytes=5-"), (b"If-Range", b"x"), (b"If-None-Match", b"y")]
    assert onward(lines).fields.lines[1:-1] == lines
    assert onward(lines, inspected=True).fields.lines[1:-1] == lines[2:]


@pytest.mark.parametrize(
    ("asked", "onwards"),
    [
        (b"gzip, deflate, br, zstd", b"gzip, deflate, br, zstd"),
        (b"GZip;q=0.5,  br ; q=1", b"GZip;q=0.5, br ; q=1"),
        (b"compress", b"identity"),
        (b"compress, exi;q=0.5, gzip", b"gzip"),
        (b"", b"identity"),
        (b"identity", b"identity"),
        (b"gzip;q=0, compress", b"gzip;q=0"),
        (b"compress, identity;q=0", b"identity;q=0"),
        (b"*", b"gzip, deflate, br, zstd"),
        (b"gzip, *;q=0.1", b"gzip, deflate;q=0.1, br;q=0.1, zstd;q=0.1"),
        (b"br;q=0, *", b"br;q=0, gzip, deflate, zstd"),
        (b"gzip, *;q=0", b"gzip, identity;q=0"),
        (b"gzip, identity;q=0.5, * ; q=0.000", b"gzip, identity;q=0.5"),
        (b"*;q=0", b"identity;q=0"),
        (b"*;q=junk", b"gzip;q=junk, deflate;q=junk, br;q=junk, zstd;q=junk"),
    ],
)
def test_onlyCodingsThatCanBeLookedInto(asked: bytes, onwards: bytes) -> None:
    lines = [(b"accept-encoding", asked)]
    assert onward(lines, inspected=True).fields.values(b"accept-encoding") == [onwards]
    assert onward(lines).fields.values(b"accept-encoding") == [asked]


def test_severalAcceptEncodingsBecomeOne() -> None:
    lines = [(b"Accept-Encoding", b"gzip"), (b"A", b"b"), (b"accept-encoding", b"compress, br")]
    assert onward(lines, inspected=True).fields.lines[1:-1] == [
        (b"Accept-Encoding", b"gzip, br"),
        (b"A", b"b"),
    ]


def test_whoDoesNotSayWhatCodingsItTakesIsNotSpokenFor() -> None:
    assert b"accept-encoding" not in onward([], inspected=True).fields


@pytest.mark.parametrize(
    ("method", "values", "most", "left"),
    [
        (b"OPTIONS", [b"5"], 5, [b"4"]),
        (b"TRACE", [b"1"], 1, [b"0"]),
        (b"TRACE", [b"0"], 0, [b"0"]),
        (b"TRACE", [b"0" * 5_000], 0, [b"0"]),
        (b"TRACE", [b"9" * 5_000], 10**9, [b"999999999"]),
        (b"GET", [b"5"], None, [b"5"]),
        (b"TRACE", [b"x"], None, [b"x"]),
        (b"TRACE", [b"-1"], None, [b"-1"]),
        (b"TRACE", [b"5", b"6"], None, [b"5", b"6"]),
        (b"TRACE", [], None, []),
    ],
)
def test_maxForwards(method: bytes, values: list[bytes], most: int | None, left: list[bytes]) -> None:
    lines = [(b"Max-Forwards", value) for value in values]
    assert mostForwards(RequestHead(method, b"/", Version.HTTP11, Fields(lines))) == most
    assert onward(lines, method=method).fields.values(b"max-forwards") == left


def test_whoIsNamedInVia() -> None:
    fields = Fields([(b"Via", b"1.0 fred, HTTP/1.1 p.example:80 (a comment)"), (b"via", b"1.1\tme , ,x")])
    assert viaNames(fields) == [b"fred", b"p.example:80", b"me"]


# Responses


def test_aResponseGetsADateIfItHasNone() -> None:
    head = ResponseHead(200, b"Fine", Version.HTTP10, Fields([(b"A", b"b")]))
    encoded = forwardedResponse(head, b"me", now=NOW, framing=None, connection=b"close")
    assert encoded == (
        b"HTTP/1.1 200 Fine\r\nA: b\r\nVia: 1.0 me\r\nConnection: close\r\nDate: " + DATE + b"\r\n\r\n"
    )
    interim = ResponseHead(103, b"Early Hints", Version.HTTP11, Fields())
    assert b"Date" not in forwardedResponse(interim, b"me", now=NOW, framing=None, connection=b"")


def test_theDateOfTheOriginStays() -> None:
    lines = [(b"date", b"whenever")]
    assert back(lines) == lines


@pytest.mark.parametrize(
    ("lines", "status", "framing", "lengths"),
    [
        ([b"5"], 200, None, [b"5"]),
        ([b"5", b"5, 5"], 200, None, [b"5"]),
        ([b"5", b"6"], 304, None, []),
        ([b"junk"], 304, None, []),
        ([b"5"], 304, None, [b"5"]),
        ([b"5"], 204, None, []),
        ([b"5"], 103, None, []),
        ([b"5"], 200, (b"Content-Length", b"7"), [b"7"]),
        ([b"5", b"5"], 200, (b"Content-Length", b"7"), [b"7"]),
        ([], 200, (b"Content-Length", b"7"), [b"7"]),
        ([b"5"], 200, (b"Transfer-Encoding", b"chunked"), []),
        ([], 200, None, []),
    ],
)
def test_theFramingOfAResponse(
    lines: list[bytes], status: int, framing: tuple[bytes, bytes] | None, lengths: list[bytes]
) -> None:
    """There is one length, and it is right, or there is none."""
    found = Fields(back([(b"Content-Length", line) for line in lines], status=status, framing=framing))
    assert found.values(b"content-length") == lengths
    chunked = framing is not None and framing[0] == b"Transfer-Encoding"
    assert found.values(b"transfer-encoding") == ([b"chunked"] if chunked else [])


def test_aLengthThatWasOverriddenDoesNotGoOn() -> None:
    """Not even to a client of HTTP/1.0, for whom the body is delimited by the end of the connection."""
    lines = [(b"Content-Length", b"5"), (b"Transfer-Encoding", b"chunked")]
    assert back(lines) == []


@pytest.mark.parametrize(
    ("sent", "received"),
    [
        (b"http://site:8000/a?b#c", b"http://proxy:8080/a?b#c"),
        (b"http://site:8000", b"http://proxy:8080"),
        (b"HTTP://Site:8000/", b"http://proxy:8080/"),
        (b"http://site:8000?x", b"http://proxy:8080?x"),
        (b"http://site:80001/", b"http://site:80001/"),
        (b"http://site:8000.evil/", b"http://site:8000.evil/"),
        (b"http://site:8000@evil/", b"http://site:8000@evil/"),
        (b"http://site/", b"http://site/"),
        (b"https://site:8000/", b"https://site:8000/"),
        (b"//site:8000/", b"//site:8000/"),
        (b"/a", b"/a"),
        (b"", b""),
    ],
)
def test_aRedirectToTheOriginLeadsToTheProxy(sent: bytes, received: bytes) -> None:
    location = (b"http://site:8000", b"http://proxy:8080")
    assert back([(b"location", sent)], status=302, location=location) == [(b"location", received)]
    assert back([(b"location", sent)], status=302) == [(b"location", sent)]


def test_theDefaultPortGoesWithoutSaying() -> None:
    for sent in (b"http://site/a", b"http://site:80/a", b"http://site:/a"):
        for origin in (b"http://site", b"http://site:80"):
            assert back([(b"Location", sent)], location=(origin, b"http://p")) == [
                (b"Location", b"http://p/a")
            ]


def test_severalLocationsAreLeftAlone() -> None:
    lines = [(b"Location", b"http://site/a"), (b"Location", b"http://site/b")]
    assert back(lines, location=(b"http://site", b"http://p")) == lines
