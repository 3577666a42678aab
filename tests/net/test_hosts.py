"""
One spelling for each host.
"""

from __future__ import annotations

import pytest

from labnet.net.hosts import BadHost, plainHost


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("localhost", "localhost"),
        ("WWW.Example.COM", "www.example.com"),
        ("example.com.", "example.com"),
        ("bücher.example", "xn--bcher-kva.example"),
        ("_srv.a-b.example", "_srv.a-b.example"),
        ("3com.example", "3com.example"),
        ("127.0.0.1", "127.0.0.1"),
        ("[::1]", "::1"),
        ("0:0:0:0:0:0:0:1", "::1"),
        ("FE80::0001", "fe80::1"),
        ("::ffff:10.0.0.1", "10.0.0.1"),
        ("::ffff:a00:1", "10.0.0.1"),
    ],
)
def test_oneSpelling(text: str, plain: str) -> None:
    assert plainHost(text) == plain
    assert plainHost(plain) == plain


@pytest.mark.parametrize(
    "text",
    ["", ".", "a..b", ".a", "a b", "a:80", "a/b", "*", "*.a", "a" * 64, ".".join(["a" * 60] * 5), "a\n",
     "ß" * 90, "127.1", "127.0.0.01", "2130706433", "0x7f000001", "0x7f.1", "example.1", "0x", "256.0.0.1"],
)  # fmt: skip
def test_whatIsNoHost(text: str) -> None:
    """Among it what only some resolvers take for an address: nobody is to read it in two ways."""
    with pytest.raises(BadHost, match="is neither a host name nor an address"):
        plainHost(text)
