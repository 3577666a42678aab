"""
Leases, turns, and the bounds of the table.
"""

from __future__ import annotations

import pytest

from labnet.discovery.registry import Capacity, Full, Registry, isLoopback, isSameHost, sourceOf
from labnet.discovery.wire import Address

A, B, C = (Address("192.0.2.1", port) for port in (1, 2, 3))
US = "192.0.2.1"


def test_anAddressIsFoundWhileItsLeaseLasts() -> None:
    registry = Registry()
    registry.register("n", A, 30, US, now=100.0)
    assert registry.lookup("n", 129.9) == A
    assert registry.lookup("n", 130.0) is None
    assert registry.lookup("m", 100.0) is None


def test_aLongerTimeToLiveIsCut() -> None:
    lease, new = Registry().register("n", A, 10**11, US, now=0.0)
    assert (lease.ttl, lease.ends, new) == (3600, 3600.0, True)


def test_aRenewedLeaseLastsAsLongAgain() -> None:
    registry = Registry()
    registry.register("n", A, 30, US, now=0.0)
    lease = registry.renew("n", A, now=20.0)
    assert lease is not None
    assert (lease.ttl, lease.ends) == (30, 50.0)
    assert registry.lookup("n", 49.0) == A


def test_whatIsUnknownOrOverIsNotRenewed() -> None:
    registry = Registry()
    registry.register("n", A, 30, US, now=0.0)
    assert registry.renew("n", B, now=1.0) is None
    assert registry.renew("m", A, now=1.0) is None
    assert registry.renew("n", A, now=30.0) is None
    assert registry.lookup("n", 30.0) is None


def test_registeredAnewIsOneLeaseWithTheNewTime() -> None:
    registry = Registry()
    registry.register("n", A, 30, US, now=0.0)
    lease, new = registry.register("n", A, 5, US, now=1.0)
    assert (lease.ends, new, len(registry)) == (6.0, False, 1)


def test_addressesAreGivenOutInTurn() -> None:
    registry = Registry()
    for address in (A, B, C):
        registry.register("n", address, 30, US, now=0.0)
    assert [registry.lookup("n", 1.0) for _ in range(6)] == [A, B, C, A, B, C]


def test_aRenewalDoesNotDisturbTheTurns() -> None:
    registry = Registry()
    for address in (A, B, C):
        registry.register("n", address, 30, US, now=0.0)
    assert registry.lookup("n", 1.0) == A
    registry.renew("n", A, 1.0)
    registry.register("n", C, 30, US, 1.0)
    assert [registry.lookup("n", 1.0) for _ in range(3)] == [B, C, A]


def test_whatHasEndedOrDoesNotSuitIsPassedOver() -> None:
    registry = Registry()
    registry.register("n", A, 10, US, now=0.0)
    registry.register("n", B, 30, US, now=0.0)
    registry.register("n", C, 30, US, now=0.0)
    assert [registry.lookup("n", 20.0, lambda address: address != C) for _ in range(2)] == [B, B]


def test_anAddressIsTakenAway() -> None:
    registry = Registry()
    registry.register("n", A, 30, US, now=0.0)
    lease = registry.unregister("n", A)
    assert lease is not None
    assert lease.address == A
    assert registry.unregister("n", A) is None
    assert registry.unregister("m", A) is None
    assert (registry.lookup("n", 1.0), list(registry.names(1.0)), len(registry)) == (None, [], 0)


def test_namesAreThoseWithAnAddress() -> None:
    registry = Registry()
    registry.register("n", A, 10, US, now=0.0)
    registry.register("m", A, 30, US, now=0.0)
    assert list(registry.names(5.0)) == ["n", "m"]
    assert list(registry.names(15.0)) == ["m"]


def test_whatHasEndedIsForgotten() -> None:
    registry = Registry()
    registry.register("n", A, 10, US, now=0.0)
    registry.register("n", B, 30, US, now=0.0)
    assert registry.expire(9.9) == []
    assert [lease.address for lease in registry.expire(10.0)] == [A]
    assert registry.expire(10.0) == []
    assert len(registry) == 1


# Bounds


def test_aFloodOfNamesIsBoundedAndEndsWithItsLeases() -> None:
    """100,000 names from as many sources: the table holds what it may, and is empty afterwards."""
    registry = Registry(Capacity(names=1024))
    refused = 0
    for i in range(100_000):
        source = f"10.{i >> 16}.{i >> 8 & 255}.{i & 255}"
        try:
            registry.register(f"n{i}", Address(source, 1), 60, source, now=0.0)
        except Full:
            refused += 1
    assert (len(registry), refused) == (1024, 100_000 - 1024)
    assert len(registry.expire(60.0)) == 1024
    assert len(registry) == 0
    assert registry._names == registry._perSource == {}
    registry.register("n", A, 60, US, now=60.0)


def test_aNameHasABoundedNumberOfAddresses() -> None:
    registry = Registry(Capacity(perName=2))
    registry.register("n", A, 30, US, now=0.0)
    registry.register("n", B, 30, US, now=0.0)
    with pytest.raises(Full, match="under this name"):
        registry.register("n", C, 30, US, now=0.0)
    registry.register("n", B, 30, US, now=1.0)
    registry.register("m", C, 30, US, now=0.0)


def test_aSourceHasABoundedNumberOfAddresses() -> None:
    registry = Registry(Capacity(perSource=2))
    registry.register("a", A, 30, US, now=0.0)
    registry.register("b", B, 30, US, now=0.0)
    with pytest.raises(Full, match="from you"):
        registry.register("c", C, 30, US, now=0.0)
    registry.register("c", C, 30, "192.0.2.9", now=0.0)
    registry.unregister("a", A)
    registry.register("d", A, 30, US, now=0.0)


def test_oneMachineIsOneSourceWhateverLoopbackAddressItUses() -> None:
    registry = Registry(Capacity(perSource=1))
    registry.register("a", A, 30, "127.0.0.1", now=0.0)
    for source in ("127.0.0.2", "127.255.0.1", "::1", "::ffff:127.0.0.1"):
        with pytest.raises(Full):
            registry.register("b", B, 30, source, now=0.0)


# Hosts


@pytest.mark.parametrize(
    "host", ["localhost", "LOCALHOST", "127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"]
)
def test_loopback(host: str) -> None:
    assert isLoopback(host)


@pytest.mark.parametrize("host", ["192.0.2.1", "localhost.example", "2001:db8::1", "0.0.0.0", ""])
def test_whatIsNotLoopback(host: str) -> None:
    assert not isLoopback(host)


@pytest.mark.parametrize(
    ("host", "source", "same"),
    [
        ("192.0.2.1", "192.0.2.1", True),
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("fe80::1", "fe80::1%eth0", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("host.example", "192.0.2.1", False),
        ("localhost", "192.0.2.1", False),
        ("127.0.0.1", "192.0.2.1", False),
        ("localhost", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", True),
        ("::1", "127.0.0.1", True),
        ("192.0.2.1", "127.0.0.1", False),
    ],
)
def test_whoMaySpeakOfAHost(host: str, source: str, same: bool) -> None:
    assert isSameHost(host, source) is same


def test_whatCountsAsOneSource() -> None:
    assert sourceOf("127.0.0.1") == sourceOf("127.0.0.2")
    assert sourceOf("192.0.2.1") != sourceOf("192.0.2.2")
    assert sourceOf("2001:db8::1") == sourceOf("2001:db8::ffff:1")
    assert sourceOf("2001:db8::1") != sourceOf("2001:db8:0:1::1")
