"""
URLs: what they mean, what is none, and where a Location leads to.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.web.target import URL, BadURL, parseURL


@pytest.mark.parametrize(
    ("text", "url"),
    [
        ("http://a/", URL("http", "a", 80, b"/")),
        ("a", URL("http", "a", 80, b"/")),
        ("localhost:15000/x", URL("http", "localhost", 15000, b"/x")),
        ("HTTPS://A.Example", URL("https", "a.example", 443, b"/")),
        ("http://a?q=1#part", URL("http", "a", 80, b"/?q=1")),
        ("http://a:/b", URL("http", "a", 80, b"/b")),
        ("http://[::1]:8/", URL("http", "::1", 8, b"/")),
        ("http://a/%41%zz/é", URL("http", "a", 80, b"/%41%zz/%C3%A9")),
        ("http://bücher.example/", URL("http", "xn--bcher-kva.example", 80, b"/")),
        ("http://me:s%40y@a/", URL("http", "a", 80, b"/", b"me:s@y")),
        ("http://a/@b:c", URL("http", "a", 80, b"/@b:c")),
    ],
)
def test_whatAURLMeans(text: str, url: URL) -> None:
    assert parseURL(text) == url


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("ftp://a/", "neither http nor https"),
        ("http:///x", "no host"),
        ("", "no host"),
        ("http://a b/", "no spaces"),
        ("http://a/\r\nX: y", "no control characters"),
        ("http://a:0/", "port"),
        ("http://a:65536/", "port"),
        ("http://a:99999999999/", "port"),
        ("http://[::g]/", "neither a host name nor an address"),
        ("http://a..b/", "neither a host name nor an address"),
        ("http://a:b:c/", "not of the form"),
    ],
)
def test_whatIsNone(text: str, why: str) -> None:
    with pytest.raises(BadURL, match=why):
        parseURL(text)


@pytest.mark.parametrize("text", ["http://me:hunter2@/", "http://me:hunter2@a:0/", "ftp://me:hunter2@a/"])
def test_passwordsAreNotRepeated(text: str) -> None:
    with pytest.raises(BadURL) as raised:
        parseURL(text)
    assert "hunter2" not in str(raised.value)


def test_aURLsTextHasNoPassword() -> None:
    url = parseURL("https://me:hunter2@a:8443/x#y")
    assert str(url) == "https://a:8443/x"
    assert "hunter2" not in repr(url)


def test_itsPlaces() -> None:
    url = parseURL("http://[::1]/")
    assert (url.authority, url.place) == (b"[::1]", "[::1]:80")
    assert parseURL("https://a:80/").authority == b"a:80"


@pytest.mark.parametrize(
    ("location", "there"),
    [
        (b"/other", "http://a:8/other"),
        (b"other?q", "http://a:8/dir/other?q"),
        (b"//b/x", "http://b/x"),
        (b"https://b/", "https://b/"),
        (b"/with space", "http://a:8/with%20space"),
        (b"/\xc3\xa9", "http://a:8/%C3%A9"),
    ],
)
def test_whereALocationLeads(location: bytes, there: str) -> None:
    assert str(parseURL("http://a:8/dir/page").joined(location)) == there


def test_credentialsStayWithinTheirOrigin() -> None:
    url = parseURL("http://me:secret@a/")
    assert url.joined(b"/x").credentials == b"me:secret"
    assert url.joined(b"http://a:81/").credentials is None
    assert url.joined(b"https://a/").credentials is None
    assert url.joined(b"http://you:yours@b/").credentials is None


@given(st.text(max_size=40))
def test_anyTextIsAURLThatReadsBackOrNone(text: str) -> None:
    try:
        url = parseURL(text)
    except BadURL:
        return
    again = parseURL(str(url))
    assert (again.scheme, again.host, again.port, again.target) == (
        url.scheme,
        url.host,
        url.port,
        url.target,
    )
    assert all(0x21 <= byte <= 0x7E for byte in url.target + url.authority)
