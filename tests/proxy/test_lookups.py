"""
How names are looked up.
"""

from __future__ import annotations

import pytest
from twisted.internet.defer import CancelledError, Deferred
from twisted.internet.error import DNSLookupError
from twisted.python.failure import Failure

from labnet.proxy.lookups import LookUps
from labnet.proxy.wire import BadMessage
from tests.proxy.resolver import ReactorWithNames


@pytest.fixture
def reactor() -> ReactorWithNames:
    return ReactorWithNames()


def results(*answers: Deferred[tuple[str, ...]]) -> list[object]:
    found: list[object] = []
    for answer in answers:
        answer.addBoth(found.append)
    return [each.type if isinstance(each, Failure) else each for each in found]


def test_oneLookUpForAll(reactor: ReactorWithNames) -> None:
    """Who asks while it is under way waits for it; who asks soon after has the answer at once."""
    lookUps = LookUps(reactor, reactor)
    waiting = [lookUps.addresses("a.example") for _ in range(3)]
    assert reactor.nameResolver.answer(["192.0.2.1", "192.0.2.1", "2001:db8::1"]) == "a.example"
    expected = ("192.0.2.1", "2001:db8::1")
    assert results(*waiting, lookUps.addresses("a.example")) == [expected] * 4
    assert not reactor.nameResolver.asked
    reactor.advance(10)
    lookUps.addresses("a.example")
    assert reactor.nameResolver.asked


def test_thatThereIsNoneIsKept(reactor: ReactorWithNames) -> None:
    lookUps = LookUps(reactor, reactor)
    first = lookUps.addresses("a.example")
    reactor.nameResolver.answer([])
    assert results(first, lookUps.addresses("a.example")) == [DNSLookupError] * 2


def test_withoutKeeping(reactor: ReactorWithNames) -> None:
    lookUps = LookUps(reactor, reactor, keep=0.0)
    for _ in range(2):
        answer = lookUps.addresses("a.example")
        reactor.nameResolver.answer(["192.0.2.1"])
        assert results(answer) == [("192.0.2.1",)]


def test_fewAtATime(reactor: ReactorWithNames) -> None:
    """The others wait in line; beyond that they are refused."""
    lookUps = LookUps(reactor, reactor, atATime=2, mostWaiting=4)
    waiting = [lookUps.addresses(f"{number}.example") for number in range(5)]
    assert [name for name, _ in reactor.nameResolver.asked] == ["0.example", "1.example"]
    names = [reactor.nameResolver.answer(["192.0.2.1"]) for _ in range(4)]
    assert names == ["0.example", "1.example", "2.example", "3.example"]
    assert results(*waiting) == [("192.0.2.1",)] * 4 + [BadMessage]


def test_nobodyIsAskedForWhoHasLeft(reactor: ReactorWithNames) -> None:
    """One that has begun is completed, and its answer kept."""
    lookUps = LookUps(reactor, reactor, atATime=1)
    begun, waits = lookUps.addresses("a.example"), lookUps.addresses("b.example")
    begun.cancel()
    waits.cancel()
    assert results(begun, waits) == [CancelledError] * 2
    reactor.nameResolver.answer(["192.0.2.1"])
    assert not reactor.nameResolver.asked
    assert results(lookUps.addresses("a.example")) == [("192.0.2.1",)]


def test_noMoreThanSoManyAreKept(reactor: ReactorWithNames) -> None:
    lookUps = LookUps(reactor, reactor, mostKept=2)
    for name in ("a.example", "b.example", "c.example"):
        lookUps.addresses(name)
        reactor.nameResolver.answer(["192.0.2.1"])
    lookUps.addresses("c.example")
    assert not reactor.nameResolver.asked
    lookUps.addresses("a.example")
    assert reactor.nameResolver.asked


@pytest.mark.parametrize("name", ["a..b", "", "x" * 64])
def test_whatIsNoNameIsNotAsked(reactor: ReactorWithNames, name: str) -> None:
    assert results(LookUps(reactor, reactor).addresses(name)) == [DNSLookupError]
