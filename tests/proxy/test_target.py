"""
Where requests go: every form of request-target, in both modes.
"""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.target import Origin, Route, routeFixed, routeForward, routeTunnel
from labnet.proxy.wire import BadMessage, Fields, RequestHead, Version

SITE = Origin("site.example", 8000)


def head(
    target: bytes,
    method: bytes = b"GET",
    hosts: tuple[bytes, ...] = (b"",),
    version: Version = Version.HTTP11,
) -> RequestHead:
    return RequestHead(method, target, version, Fields((b"Host", host) for host in hosts))


@pytest.mark.parametrize(
    ("target", "host", "port", "path", "authority"),
    [
        (b"http://a/", "a", 80, b"/", b"a"),
        (b"http://a", "a", 80, b"/", b"a"),
        (b"HTTP://A.Example:8080/B?c=d", "a.example", 8080, b"/B?c=d", b"a.example:8080"),
        (b"http://a?x", "a", 80, b"/?x", b"a"),
        (b"http://a:80/", "a", 80, b"/", b"a"),
        (b"http://a:/", "a", 80, b"/", b"a"),
        (b"http://a:00080/", "a", 80, b"/", b"a"),
        (b"http://a:65535/", "a", 65535, b"/", b"a:65535"),
        (b"http://a_b-c.d./", "a_b-c.d.", 80, b"/", b"a_b-c.d."),
        (b"http://127.0.0.1:9/x", "127.0.0.1", 9, b"/x", b"127.0.0.1:9"),
        (b"http://[::1]:9/x", "::1", 9, b"/x", b"[::1]:9"),
        (b"http://[::1]/", "::1", 80, b"/", b"[::1]"),
        (b"WS://a/chat", "a", 80, b"/chat", b"a"),
        (b"ws://a:81", "a", 81, b"/", b"a:81"),
        (b"http://a//b/../c?http://d/", "a", 80, b"//b/../c?http://d/", b"a"),
        (b"http://a/\xc3\xa9", "a", 80, b"/\xc3\xa9", b"a"),
    ],
)
def test_absoluteForm(target: bytes, host: str, port: int, path: bytes, authority: bytes) -> None:
    """Host is made from the target, whatever its spelling there (RFC 9112, 3.2.2)."""
    route = Route(Origin(host, port), path, authority)
    for said in (b"", authority, authority.upper()):
        assert routeForward(head(target, hosts=(said,))) == route


@pytest.mark.parametrize(
    ("target", "good", "bad"),
    [
        (b"http://a/", [b"a", b"A", b"a:80", b"a:", b""], [b"b", b"a:81", b"a.", b"a:8080", b"[::1]"]),
        (b"http://a:8000/", [b"a:8000"], [b"a", b"a:80", b"b:8000"]),
        (b"http://[::1]:9/", [b"[::1]:9"], [b"[::1]", b"[::2]:9"]),
    ],
)
def test_aHostThatSaysSomethingElseIsRefused(target: bytes, good: list[bytes], bad: list[bytes]) -> None:
    """A client must not send it (RFC 9112, 3.2), and who goes by it decides about another request."""
    for host in good:
        routeForward(head(target, hosts=(host,)))
    for host in bad:
        with pytest.raises(BadMessage, match="different hosts"):
            routeForward(head(target, hosts=(host,)))


def test_theHostFieldOfATunnel() -> None:
    """Its port may be left out, as many clients do; another one is refused."""
    for host in (b"a:443", b"a", b"A", b""):
        routeTunnel(head(b"a:443", b"CONNECT", hosts=(host,)))
    for host in (b"b:443", b"b", b"a:444"):
        with pytest.raises(BadMessage, match="different hosts"):
            routeTunnel(head(b"a:443", b"CONNECT", hosts=(host,)))


def test_optionsOfAWholeServer() -> None:
    """An absolute-form target without a path becomes asterisk-form (RFC 9112, 3.2.4)."""
    assert routeForward(head(b"http://a", b"OPTIONS")).target == b"*"
    assert routeForward(head(b"http://a/", b"OPTIONS")).target == b"/"
    assert routeForward(head(b"http://a?b", b"OPTIONS")).target == b"/?b"


BAD_TARGETS = [
    b"/", b"*", b"a", b"a:80", b"//a/", b"http:a", b"http:/a", b"http://", b"http:///x", b"http://:80/",
    b"https://a/", b"ftp://a/", b"file:///etc/passwd", b"wss://a/", b"javascript:x", b"http:\\\\a/",
    b"http://a:0/", b"http://a:65536/", b"http://a:999999/", b"http://a:+80/", b"http://a:8_0/",
    b"http://a:b/", b"http://a:80:80/", b"http://u@a/", b"http://u:p@a/", b"http://a\\@b/", b"http://a@/",
    b"http://a%00b/", b"http://%61/", b"http://a,b/", b"http://a..b/", b"http://.a/", b"http://./",
    b"http://" + b"a" * 64 + b"/", b"http://" + b"a." * 127 + b"b/", b"http://\xc3\xa9/",
    b"http://[::1/", b"http://::1/", b"http://[::1]x/", b"http://[v1.x]/", b"http://[1::2::3]/",
    b"http://[fe80::1%25eth0]/", b"http://[127.0.0.1]/", b"http://[]/", b"http://a/#f", b"http://a#@b/",
]  # fmt: skip


@pytest.mark.parametrize("target", BAD_TARGETS)
def test_targetsThatLeadNowhere(target: bytes) -> None:
    with pytest.raises(BadMessage) as caught:
        routeForward(head(target))
    assert caught.value.status == 400


@pytest.mark.parametrize("target", [b"/", b"/a?b", b"//a/b", b"/http://x/"])
def test_originFormGoesToTheOneOriginAsItIs(target: bytes) -> None:
    """The Host field becomes the origin's."""
    assert routeFixed(head(target, hosts=(b"proxy:8080",)), SITE) == Route(
        SITE, target, b"site.example:8000"
    )


def test_otherFormsInFrontOfOneOrigin() -> None:
    assert routeFixed(head(b"*", b"OPTIONS"), SITE).target == b"*"
    assert routeFixed(head(b"http://proxy:8080/a?b"), SITE) == Route(SITE, b"/a?b", b"site.example:8000")
    for target in (b"*", b"a", b"https://a/", b"/a#b", b"#"):
        with pytest.raises(BadMessage):
            routeFixed(head(target), SITE)


def test_authorityForm() -> None:
    assert routeTunnel(head(b"A:443", b"CONNECT")) == Origin("a", 443)
    assert routeTunnel(head(b"[::1]:443", b"CONNECT")) == Origin("::1", 443)
    for target in (b"a", b"a:", b"a:0", b"a:65536", b"http://a:443", b"a:443/", b"/", b"u@a:443", b":443"):
        with pytest.raises(BadMessage):
            routeTunnel(head(target, b"CONNECT"))


@pytest.mark.parametrize(
    ("hosts", "version", "good"),
    [
        ((), Version.HTTP11, False),
        ((), Version.HTTP10, True),
        ((b"",), Version.HTTP11, True),
        ((b"a", b"a"), Version.HTTP11, False),
        ((b"a", b"b"), Version.HTTP10, False),
        ((b"a",), Version.HTTP11, True),
        ((b"a, b",), Version.HTTP11, False),
        ((b"a b",), Version.HTTP11, False),
        ((b"http://a",), Version.HTTP11, False),
        ((b"u@a",), Version.HTTP11, False),
        ((b"a/b",), Version.HTTP11, False),
        ((b"a:b",), Version.HTTP11, False),
    ],
)
def test_theHostField(hosts: tuple[bytes, ...], version: Version, good: bool) -> None:
    """Exactly one, and well-formed, whatever the target says (RFC 9112, 3.2)."""
    for route, target in ((routeForward, b"http://a/"), (routeTunnel, b"a:1")):
        if good:
            route(head(target, hosts=hosts, version=version))
            continue
        with pytest.raises(BadMessage):
            route(head(target, hosts=hosts, version=version))


@given(st.binary(min_size=1, max_size=60))
def test_anyTargetIsARouteOrABadMessage(junk: bytes) -> None:
    for target in (junk, b"http://" + junk, b"http://a" + junk):
        try:
            found = routeForward(head(target))
        except BadMessage:
            continue
        assert 1 <= found.origin.port <= 65535
        assert found.host == found.origin.authority
        assert found.target.startswith(b"/")


def test_anOriginAsText() -> None:
    assert str(Origin("a", 80)) == "a:80"
    assert str(Origin("::1", 80)) == "[::1]:80"
