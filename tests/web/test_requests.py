"""
What the web client sends, and what follows from an answer that sends it elsewhere.
"""

from __future__ import annotations

import pytest

from labnet.proxy.wire import Fields, ResponseHead, Version, parseRequestHead
from labnet.web.requests import (
    Request,
    encodeConnect,
    encodeHead,
    parseField,
    redirected,
    withoutSecrets,
)
from labnet.web.target import BadURL, parseURL

HERE = parseURL("http://a/x?y")
SECRET = (b"Authorization", b"Basic c2VjcmV0")


def moved(status: int, location: bytes | None) -> ResponseHead:
    fields = Fields([(b"Location", location)] if location is not None else [])
    return ResponseHead(status, b"Moved", Version.HTTP11, fields)


def test_aRequest() -> None:
    assert encodeHead(Request(HERE), b"us") == (
        b"GET /x?y HTTP/1.1\r\nHost: a\r\nUser-Agent: us\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    )


def test_http10() -> None:
    head = encodeHead(Request(HERE, version=Version.HTTP10), b"us")
    assert head.startswith(b"GET /x?y HTTP/1.0\r\nHost: a\r\n")
    assert b"Connection" not in head


def test_aBodyHasItsLength() -> None:
    head = parseRequestHead(encodeHead(Request(HERE, b"POST", body=b"abc"), b"us"))
    assert head.fields.values(b"content-length") == [b"3"]
    assert b"content-length" not in parseRequestHead(encodeHead(Request(HERE), b"us")).fields
    empty = parseRequestHead(encodeHead(Request(HERE, b"POST", body=b""), b"us"))
    assert empty.fields.values(b"content-length") == [b"0"]


def test_fieldsThatAreGivenReplaceOurs() -> None:
    """One with an empty value replaces them by nothing; several of one name are all sent."""
    fields = ((b"host", b"b"), (b"Accept", b""), (b"X", b"1"), (b"X", b"2"))
    head = parseRequestHead(encodeHead(Request(HERE, fields=fields), b"us"))
    assert head.fields.values(b"host") == [b"b"]
    assert b"accept" not in head.fields
    assert head.fields.values(b"x") == [b"1", b"2"]


def test_credentialsOfTheURLAreBasic() -> None:
    head = parseRequestHead(encodeHead(Request(parseURL("http://me:pass@a/")), b"us"))
    assert head.fields.values(b"authorization") == [b"Basic bWU6cGFzcw=="]
    assert b"pass" not in head.target


def test_throughAProxy() -> None:
    """The whole URL is the target, without credentials; the proxy gets its own."""
    proxy = parseURL("http://you@proxy:8080")
    head = parseRequestHead(encodeHead(Request(parseURL("http://me:pass@a/x")), b"us", proxy))
    assert head.target == b"http://a/x"
    assert head.fields.values(b"proxy-authorization") == [b"Basic eW91Og=="]
    tunnel = parseRequestHead(encodeConnect(parseURL("https://me:pass@a/x"), b"us", proxy))
    assert (tunnel.method, tunnel.target) == (b"CONNECT", b"a:443")
    assert tunnel.fields.values(b"proxy-authorization") == [b"Basic eW91Og=="]
    assert b"authorization" not in tunnel.fields


def test_secretsAreNotShown() -> None:
    shown = withoutSecrets(
        b"GET / HTTP/1.1\r\nauthorization: Basic x\r\nProxy-Authorization: y\r\nCookie: z\r\n\r\n"
    )
    assert shown == (
        b"GET / HTTP/1.1\r\nauthorization: (not shown)\r\nProxy-Authorization: (not shown)\r\n"
        b"Cookie: (not shown)\r\n\r\n"
    )


@pytest.mark.parametrize("text", [b"", b"X", b": x", b"X y: z", b"X: a\r\nY: b", b"X: \x00"])
def test_whatIsNoField(text: bytes) -> None:
    with pytest.raises(ValueError, match="Name: value"):
        parseField(text)


def test_aField() -> None:
    assert parseField(b"X:  a b ") == (b"X", b"a b")
    assert parseField(b"X:") == (b"X", b"")


@pytest.mark.parametrize("status", [200, 300, 304, 404])
def test_notEveryLocationIsFollowed(status: int) -> None:
    assert redirected(Request(HERE), moved(status, b"/y")) is None
    assert redirected(Request(HERE), moved(302, None)) is None


@pytest.mark.parametrize(
    ("status", "method", "then"),
    [
        (301, b"POST", b"GET"),
        (302, b"POST", b"GET"),
        (303, b"PUT", b"GET"),
        (303, b"HEAD", b"HEAD"),
        (302, b"PUT", b"PUT"),
        (307, b"POST", b"POST"),
        (308, b"POST", b"POST"),
    ],
)
def test_theMethodThatFollows(status: int, method: bytes, then: bytes) -> None:
    """What becomes a GET loses its body, and the fields that speak of it."""
    request = Request(HERE, method, ((b"Content-Type", b"x"), (b"X", b"y")), b"body")
    following = redirected(request, moved(status, b"/y"))
    assert following is not None
    assert following.method == then
    kept = then != b"GET" and method != b"HEAD"
    assert following.body == (b"body" if then == method else None)
    assert ((b"Content-Type", b"x") in following.fields) is (then == method or kept)
    assert (b"X", b"y") in following.fields


def test_secretsStayWithinTheirOrigin() -> None:
    request = Request(parseURL("http://me:pass@a/"), fields=(SECRET, (b"Cookie", b"c"), (b"X", b"y")))
    same = redirected(request, moved(302, b"/y"))
    other = redirected(request, moved(302, b"http://b/"))
    assert same is not None
    assert other is not None
    assert SECRET in same.fields
    assert same.url.credentials == b"me:pass"
    assert other.fields == ((b"X", b"y"),)
    assert other.url.credentials is None


def test_aLocationThatLeadsNowhere() -> None:
    with pytest.raises(BadURL):
        redirected(Request(HERE), moved(302, b"ftp://a/"))
