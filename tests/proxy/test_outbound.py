"""
The ways out: which addresses are connected to, and which are not.
"""

from __future__ import annotations

import socket
from errno import EMFILE

import pytest
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectBindError, ConnectError, DNSLookupError, TimeoutError
from twisted.internet.protocol import Factory, Protocol
from twisted.python.failure import Failure

from labnet.net.secure import Trust, VerifiedClientEndpoint
from labnet.proxy.lookups import LookUps
from labnet.proxy.networks import Destinations, Rule
from labnet.proxy.outbound import Outbound, itself, unreachable
from labnet.proxy.target import Origin
from labnet.proxy.upstream import Upstream, Upstreams
from labnet.proxy.wire import BadMessage
from tests.proxy.resolver import ReactorWithNames

CONFINED = Destinations(confined=True)


class Way:
    """A way out that somebody takes."""

    def __init__(
        self, origin: Origin, destinations: Destinations = CONFINED, timeout: float = 10.0
    ) -> None:
        self.reactor = ReactorWithNames()
        self.outbound = Outbound(
            self.reactor,
            LookUps(self.reactor, self.reactor),
            destinations,
            Upstreams(),
            timeout=timeout,
            trust=Trust(),
        )
        self.found: list[object] = []
        self.made: Deferred[object] = self.outbound(origin).connect(Factory.forProtocol(Protocol))
        self.made.addBoth(self.found.append)

    @property
    def problem(self) -> BadMessage:
        (failure,) = self.found
        assert isinstance(failure, Failure)
        return unreachable(Origin("o", 1), failure)


@pytest.mark.parametrize(
    ("host", "answers"),
    [
        ("rebound.example", ["127.0.0.1"]), ("rebound.example", ["::1", "169.254.169.254"]),
        ("0x7f.1", ["127.0.0.1"]), ("2130706433", ["127.0.0.1"]), ("localhost.", ["127.0.0.1"]),
        ("mapped.example", ["::ffff:10.0.0.1"]),
    ],
)  # fmt: skip
def test_theAddressIsChecked(host: str, answers: list[str]) -> None:
    """Whatever a name is, what it resolves to decides, and nothing is connected to."""
    way = Way(Origin(host, 80))
    way.reactor.nameResolver.answer(answers)
    assert way.problem.status == 403
    assert str(way.problem).startswith(f"{host}:80: its address is ")
    assert way.reactor.connected == []


@pytest.mark.parametrize("host", ["127.0.0.1", "::1", "::ffff:127.0.0.1", "0.0.0.0"])
def test_soIsOneThatStandsThere(host: str) -> None:
    way = Way(Origin(host, 80))
    assert way.problem.status == 403
    assert not way.reactor.nameResolver.asked
    assert way.reactor.connected == []


def test_onlyWhatIsAllowedIsTried() -> None:
    """Of several addresses the others are left out; one look-up gives what is checked and connected to."""
    way = Way(Origin("mixed.example", 80))
    way.reactor.nameResolver.answer(["10.0.0.1", "8.8.8.8", "127.0.0.1", "8.8.4.4"])
    way.reactor.advance(1)
    assert way.reactor.connected == [("8.8.8.8", 80), ("8.8.4.4", 80)]
    assert not way.reactor.nameResolver.asked
    way.made.cancel()


def test_withoutRulesAllAreTried() -> None:
    way = Way(Origin("here.example", 80), Destinations())
    way.reactor.nameResolver.answer(["::1"])
    assert way.reactor.connected == [("::1", 80)]
    way.made.cancel()


def test_whatIsAllowedByName() -> None:
    rule = Rule.read(True, "inside.example:80")
    way = Way(Origin("inside.example", 80), Destinations([rule], confined=True))
    way.reactor.nameResolver.answer(["10.0.0.1"])
    assert way.reactor.connected == [("10.0.0.1", 80)]
    way.made.cancel()


def test_timeRunsOut() -> None:
    """While a name is looked up, and while it is connected to."""
    way = Way(Origin("slow.example", 80), timeout=5)
    way.reactor.advance(5)
    assert way.problem.status == 504
    way = Way(Origin("8.8.8.8", 80), timeout=5)
    way.reactor.advance(5)
    assert way.problem.status == 504
    assert way.reactor.connected == [("8.8.8.8", 80)]


def test_aNameThatIsNotThere() -> None:
    way = Way(Origin("none.example", 80))
    way.reactor.nameResolver.answer([])
    assert way.problem.status == 502
    assert "name not found" in str(way.problem)


def test_whatIsAnswered() -> None:
    """A refusal stays what it is; a time limit is 504, what is wanting here 503, the rest 502."""
    for error, status in [
        (BadMessage("x", 403), 403),
        (TimeoutError(), 504),
        (DNSLookupError(), 502),
        (ConnectBindError(EMFILE, "Too many open files"), 503),
        (ConnectError(), 502),
    ]:
        assert unreachable(Origin("o", 80), Failure(error)).status == status


def test_whatIsToBeSecureProvesWhoItIs() -> None:
    way = Way(Origin("8.8.8.8", 443))
    way.made.cancel()
    endpoint = way.outbound(Origin("site.example", 443, secure=True))
    assert isinstance(endpoint, VerifiedClientEndpoint)


def test_anUpstreamNeedsNoRule() -> None:
    """Whoever runs the proxy has named it, wherever it is; who asks for the same place has not."""
    way = Way(Upstream("127.0.0.1", 3128))
    assert way.reactor.connected == [("127.0.0.1", 3128)]
    way.made.cancel()


def test_whereItListensItself() -> None:
    """On one address, or on all that are this machine's."""
    own = [IPv4Address("TCP", "127.0.0.1", 8080), IPv6Address("TCP", "::", 8081), UNIXAddress(b"/x")]
    check = itself(lambda: own)
    assert check("127.0.0.1", 8080)
    assert check("::ffff:127.0.0.1", 8080)
    assert check("0.0.0.0", 8080), "to connect to no address is to connect here"
    assert not check("127.0.0.2", 8080)
    assert not check("127.0.0.1", 80)
    assert check("127.0.0.1", 8081)
    assert not check("192.0.2.1", 8081)
    if socket.has_ipv6:
        assert not check("2001:db8::1", 8081)
