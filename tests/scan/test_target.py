"""
Targets as they are written.
"""

from __future__ import annotations

from ipaddress import ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.scan.target import MOST_ADDRESSES, BadTarget, parseTarget


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("::1", "::1"),
        ("[::1]", "::1"),
        ("[FC00::0:1]", "fc00::1"),
    ],
)
def test_anAddressIsItself(given: str, text: str) -> None:
    target = parseTarget(given)
    assert (target.text, target.addresses) == (text, (ip_address(text),))
    assert not target.isNetwork


def test_anIPv4AddressInAnIPv6OneIsTheIPv4One() -> None:
    """It must not pass for something that it is not."""
    assert parseTarget("::ffff:8.8.8.8").addresses == (ip_address("8.8.8.8"),)


@pytest.mark.parametrize(
    ("given", "text"), [("LocalHost", "localhost"), ("host.example.", "host.example"), ("127.1", "127.1")]
)
def test_aNameIsLookedUpLater(given: str, text: str) -> None:
    target = parseTarget(given)
    assert (target.text, target.addresses) == (text, ())


def test_aNetworkIsItsHosts() -> None:
    target = parseTarget("192.168.1.77/30")
    assert target.isNetwork
    assert target.text == "192.168.1.76/30"
    assert [str(address) for address in target.addresses] == ["192.168.1.77", "192.168.1.78"]
    assert parseTarget("127.0.0.5/32").addresses == (ip_address("127.0.0.5"),)
    assert len(parseTarget("fd00::/118").addresses) == 1023


@pytest.mark.parametrize("given", ["10.0.0.0/21", "10.0.0.0/8", "0.0.0.0/0", "::/0", "fc00::/7"])
def test_aNetworkIsBounded(given: str) -> None:
    """It is refused before its addresses are written down: a /0 must not fill the memory."""
    with pytest.raises(BadTarget, match=f"at most {MOST_ADDRESSES}"):
        parseTarget(given)


@pytest.mark.parametrize(
    "given",
    ["", " ", "a b", "a..b", "[127.0.0.1]", "[::1", "::1]", "[localhost]", "1::2::3", "127.0.0.1/33", "x/8",
     "a/b", "\x1b[2J", "a\nb", "-rf", "http://localhost", "localhost:80", "a" * 300, "\udcff"],
)  # fmt: skip
def test_whatIsNoTargetIsRefused(given: str) -> None:
    with pytest.raises(BadTarget) as caught:
        parseTarget(given)
    assert str(caught.value).isprintable()


@given(st.text(max_size=40))
def test_anyTextIsATargetOrRefused(given: str) -> None:
    refusal = ""
    target = parseTarget("localhost")
    try:
        target = parseTarget(given)
    except BadTarget as error:
        refusal = str(error)
    assert "\n" not in refusal
    assert target.text.isascii()
    assert target.text.isprintable()
    assert len(target.addresses) <= MOST_ADDRESSES
