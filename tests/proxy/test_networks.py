"""
Which clients may come, and where the proxy may go.
"""

from __future__ import annotations

import ipaddress
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from labnet.proxy.networks import (
    LOOPBACK,
    BadRule,
    Destinations,
    Networks,
    Pattern,
    Rule,
    numericHost,
    special,
)


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("127.0.0.1", "loopback"), ("127.255.0.9", "loopback"), ("::1", "loopback"),
        ("0.0.0.0", "unspecified"), ("::", "unspecified"),
        ("10.1.2.3", "private"), ("172.31.0.1", "private"), ("192.168.1.1", "private"),
        ("fd00::1", "private"),
        ("169.254.169.254", "link-local"), ("fe80::1", "link-local"),
        ("100.64.0.1", "behind a provider's NAT"),
        ("224.0.0.1", "multicast"), ("ff02::1", "multicast"), ("255.255.255.255", "broadcast"),
        ("240.0.0.1", "reserved"), ("192.0.2.1", "for documentation"), ("2001::1", "reserved"),
        ("4000::1", "reserved"), ("64:ff9b:1::1", "private"),
        # IPv4 in the guise of IPv6: mapped, translated, 6to4, and as it was written long ago.
        ("::ffff:127.0.0.1", "loopback"), ("64:ff9b::7f00:1", "loopback"),
        ("2002:a9fe:a9fe::1", "link-local"),
        ("::7f00:1", "loopback"), ("::ffff:10.0.0.1", "private"),
        ("8.8.8.8", ""), ("2606:4700::1111", ""), ("::ffff:8.8.8.8", ""), ("64:ff9b::808:808", ""),
        ("172.32.0.1", ""), ("2002:808:808::1", ""),
    ],
)  # fmt: skip
def test_specialAddresses(address: str, kind: str) -> None:
    """What is on nobody's internet is known, in every guise."""
    assert special(address) == kind


@given(st.ip_addresses())
def test_whatIsNotGlobalIsSpecial(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> None:
    """Whatever Python's registry takes for not global, we do; guises aside, which it judges otherwise."""
    guise = isinstance(address, ipaddress.IPv6Address) and (
        address.ipv4_mapped or address.sixtofour or address in ipaddress.ip_network("64:ff9b::/96")
    )
    if not guise and (not address.is_global or address.is_multicast):
        assert special(str(address))


@pytest.mark.parametrize(
    ("texts", "inside", "outside"),
    [
        (["any"], ["8.8.8.8", "::1", "unix"], []),
        (["10.0.0.0/8", "::1"], ["10.9.9.9", "::ffff:10.0.0.1", "::1"], ["11.0.0.1", "::2", "unix", ""]),
        (["192.0.2.7"], ["192.0.2.7"], ["192.0.2.8"]),
    ],
)
def test_networks(texts: list[str], inside: list[str], outside: list[str]) -> None:
    networks = Networks(texts)
    assert [address for address in inside if not networks.cover(address)] == []
    assert [address for address in outside if networks.cover(address)] == []


@pytest.mark.parametrize("address", ["2002:7f00:1::1", "64:ff9b::7f00:1", "::7f00:1"])
def test_aGuiseIsNobody(address: str) -> None:
    """Who comes from an address with another inside is not that one: anybody on the network may have it."""
    assert not LOOPBACK.cover(address)
    assert LOOPBACK.cover(address, guises=True)


def test_guisesAreDeniedAndNotAllowed() -> None:
    """What is denied is so in every guise; what is allowed is allowed as itself."""
    denying = Destinations(rules("-10.0.0.0/8"))
    allowing = Destinations(rules("+10.0.0.0/8"), confined=True)
    for address in ("2002:a00:1::1", "64:ff9b::a00:1"):
        assert denying.refusal("x", address, 80) == "denied here"
        assert allowing.refusal("x", address, 80) == "its address is private"
    assert Destinations(rules("-64:ff9b::/96")).refusal("x", "64:ff9b::808:808", 80) == "denied here"


def test_whichNetworksAreThisMachinesOwn() -> None:
    assert LOOPBACK.local
    assert Networks(["127.0.0.1"]).local
    assert not Networks(["127.0.0.0/8", "10.0.0.1"]).local
    assert not Networks(["0.0.0.0/0"]).local
    assert not Networks(["any"]).local


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("10.0.0.1/8", "'10.0.0.1/8' is an address in 10.0.0.0/8"),
        ("10.0.0.0/33", "neither an address nor a network"),
        ("0x7f.1", "neither an address nor a network"),
        ("a b", "neither a host, nor a domain"),
        ("host:0", "the port is not a number from 1 to 65535"),
        ("host:", "the port is not"),
        ("host:x", "the port is not"),
        ("[::1", "is not of the form [ADDRESS]"),
        ("[::1]x", "is not of the form [ADDRESS]"),
        ("", "neither a host"),
    ],
)
def test_badRules(text: str, says: str) -> None:
    with pytest.raises(BadRule) as caught:
        Rule.read(True, text)
    assert says in str(caught.value)


@given(st.text(max_size=40))
def test_anyTextIsARuleOrBad(text: str) -> None:
    with suppress(BadRule):
        Rule.read(True, text).applies("host", "127.0.0.1", 80)


@pytest.mark.parametrize(
    ("pattern", "yes", "no"),
    [
        ("lab.example", ["lab.example", "LAB.example."], ["a.lab.example", "xlab.example"]),
        ("*.lab.example", ["a.lab.example", "a.b.lab.example"], ["lab.example", "xlab.example"]),
        (".lab.example", ["lab.example", "a.lab.example"], ["xlab.example"]),
        ("any", ["whatever"], []),
        ("10.0.0.0/8", [], ["10.example"]),
    ],
)
def test_patternsOfNames(pattern: str, yes: list[str], no: list[str]) -> None:
    read = Pattern.read(pattern)
    assert [host for host in yes if not read.names(host)] == []
    assert [host for host in no if read.names(host)] == []


def rules(*texts: str) -> list[Rule]:
    """C{+} allows, C{-} denies."""
    return [Rule.read(text[0] == "+", text[1:]) for text in texts]


def test_aProxyForOthersGoesToTheInternetOnly() -> None:
    confined = Destinations(confined=True)
    assert confined.refusal("x", "8.8.8.8", 80) == ""
    assert confined.refusal("x", "127.0.0.1", 80) == "its address is loopback"
    assert Destinations().refusal("x", "127.0.0.1", 80) == ""


def test_theFirstRuleDecides() -> None:
    """By name, by network, by port; the order on the command line is the order of the rules."""
    destinations = Destinations(
        rules("-10.0.0.1", "+10.0.0.0/8", "+inside.example:8080", "-bad.example", "-any:25"), confined=True
    )
    assert destinations.refusal("a", "10.0.0.1", 80) == "denied here"
    assert destinations.refusal("a", "10.0.0.2", 80) == ""
    assert destinations.refusal("inside.example", "192.168.0.1", 8080) == ""
    assert destinations.refusal("inside.example", "192.168.0.1", 80) == "its address is private"
    assert destinations.refusal("bad.example.", "8.8.8.8", 80) == "denied here"
    assert destinations.refusal("ok.example", "8.8.8.8", 25) == "denied here"
    only = Destinations(rules("+.lab.example", "-any"))
    assert only.refusal("a.lab.example", "8.8.8.8", 80) == ""
    assert only.refusal("b.example", "8.8.8.8", 80) == "denied here"


def test_itselfTakesItsPort() -> None:
    """An allowed network does not make the proxy its own origin; its port, named, does."""

    def itself(address: str, port: int) -> bool:
        return (address, port) == ("127.0.0.1", 8080)

    assert Destinations(itself=itself).refusal("x", "127.0.0.1", 8080) == "this proxy itself"
    wide = Destinations(rules("+127.0.0.0/8"), confined=True, itself=itself)
    assert wide.refusal("x", "127.0.0.1", 8080) == "this proxy itself"
    assert wide.refusal("x", "127.0.0.1", 8081) == ""
    exact = Destinations(rules("+127.0.0.1:8080"), confined=True, itself=itself)
    assert exact.refusal("x", "127.0.0.1", 8080) == ""


@pytest.mark.parametrize(
    ("host", "why"),
    [
        ("site.example", ""), ("8.8.8.8", ""),
        ("127.0.0.1", "its address is loopback"), ("::1", "its address is loopback"),
        ("localhost.", "its address is loopback"), ("a.localhost", "its address is loopback"),
        ("0x7f.1", "an address in an odd spelling"), ("2130706433", "an address in an odd spelling"),
        ("127.1", "an address in an odd spelling"), ("bad.example", "denied here"), ("good.localhost", ""),
    ],
)  # fmt: skip
def test_byNameOnly(host: str, why: str) -> None:
    """Where an upstream proxy looks names up, what is written is judged."""
    destinations = Destinations(rules("-bad.example", "+good.localhost"), confined=True)
    assert destinations.refusalByName(host, 80) == why


@pytest.mark.parametrize("host", ["127.1", "0x7f.1", "2130706433", "0177.0.0.1", "::1", "1.2.3.4."])
def test_numbersAreNoNames(host: str) -> None:
    assert numericHost(host)


@pytest.mark.parametrize("host", ["a.1x", "example", "1and1.example", "0xfg", "dead.beef"])
def test_namesAreNames(host: str) -> None:
    assert not numericHost(host)
