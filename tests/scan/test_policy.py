"""
Whom one may scan. No packet goes anywhere here: only addresses are judged.
"""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.scan.policy import Ownership, isOurs, refusal
from labnet.scan.target import parseTarget

PUBLIC = "203.0.113.7"


@pytest.mark.parametrize(
    "text",
    ["127.0.0.1", "127.255.255.254", "10.1.2.3", "172.16.0.1", "172.31.255.254", "192.168.0.1", "::1",
     "fc00::1", "fdff::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1"],
)  # fmt: skip
def test_loopbackAndPrivateAddressesAreOurs(text: str) -> None:
    assert isOurs(ip_address(text))


@pytest.mark.parametrize(
    "text",
    ["8.8.8.8", "126.255.255.255", "128.0.0.1", "11.0.0.1", "172.15.255.255", "172.32.0.1", "192.167.1.1",
     "192.169.0.1", "100.64.0.1", "169.254.169.254", "192.0.2.1", "198.18.0.1", "0.0.0.0", "2001:db8::1",
     "fe80::1", "fe00::1", "::2", "::ffff:8.8.8.8", "2002:7f00:1::", "64:ff9b::7f00:1"],
)  # fmt: skip
def test_everythingElseIsNot(text: str) -> None:
    """Neighbours of the private networks, shared and link-local addresses, and IPv4 in disguise."""
    assert not isOurs(ip_address(text))


def test_aStrangersAddressIsRefusedWithTheWayToNameIt() -> None:
    target = parseTarget(PUBLIC)
    reason = refusal(target, target.addresses, Ownership())
    assert reason == (
        f"{PUBLIC} is neither loopback nor private. If it is yours: --yes-this-is-mine {PUBLIC}"
    )


def test_anAddressThatIsNamedMayBeScanned() -> None:
    target = parseTarget(PUBLIC)
    assert refusal(target, target.addresses, Ownership([parseTarget(PUBLIC)])) is None
    assert refusal(target, target.addresses, Ownership([parseTarget("203.0.113.8")])) is not None


def test_aNameIsJudgedByItsAddresses() -> None:
    """A name that sounds local and leads abroad is refused, also when only one of its addresses does."""
    target = parseTarget("localhost")
    abroad = [ip_address("127.0.0.1"), ip_address(PUBLIC)]
    assert refusal(target, abroad[:1], Ownership()) is None
    reason = refusal(target, abroad, Ownership())
    assert reason is not None
    assert reason.startswith(f"localhost leads to {PUBLIC}, which is neither")


def test_aNameThatIsNamedMayBeScanned() -> None:
    target = parseTarget("my.example")
    found = [ip_address(PUBLIC)]
    assert refusal(target, found, Ownership([parseTarget("MY.example.")])) is None
    assert refusal(target, found, Ownership([parseTarget(PUBLIC)])) is None
    assert refusal(target, found, Ownership([parseTarget("other.example")])) is not None
    assert refusal(target, found, Ownership([parseTarget("example")])) is not None


def test_namingAHostNamesNoOther() -> None:
    """That one host is mine does not make the same name's address mine when another target leads there."""
    mine = Ownership([parseTarget("my.example")])
    target = parseTarget(PUBLIC)
    assert refusal(target, target.addresses, mine) is not None


def test_anIPv4AddressInAnIPv6OneNeedsTheSameName() -> None:
    mapped = [ip_address(f"::ffff:{PUBLIC}")]
    target = parseTarget("my.example")
    assert refusal(target, mapped, Ownership()) is not None
    assert refusal(target, mapped, Ownership([parseTarget(PUBLIC)])) is None


@pytest.mark.parametrize("text", ["224.0.0.1", "255.255.255.255", "0.0.0.0", "::", "ff02::1"])
def test_whatIsNoMachineIsRefusedEvenIfNamed(text: str) -> None:
    target = parseTarget(text)
    reason = refusal(target, target.addresses, Ownership([target]))
    assert reason == f"{text} is not the address of a machine"


def test_aNetworkOfStrangersIsRefused() -> None:
    target = parseTarget("203.0.113.0/29")
    reason = refusal(target, target.addresses, Ownership())
    assert reason is not None
    assert reason.endswith("--yes-this-is-mine 203.0.113.1")


@given(st.integers(0, 2**32 - 1).map(IPv4Address) | st.integers(0, 2**128 - 1).map(IPv6Address))
def test_whatTheInternetCanRouteIsNeverOurs(address: IPv4Address | IPv6Address) -> None:
    """The standard library's list of global addresses and ours have nothing in common."""
    if address.is_global:
        assert not isOurs(address)
