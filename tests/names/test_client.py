"""
The look-up functions, with the system's own replaced: what they ask, and how they fail.
"""

from __future__ import annotations

import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twisted.internet.defer import Deferred
from twisted.internet.error import DNSLookupError

from labnet.names import client
from labnet.names.client import (
    Endpoint,
    Family,
    HostEntry,
    NotAnAddress,
    addresses,
    addressToBytes,
    bytesToAddress,
    courseAddressToBytes,
    hostByAddress,
    hostByName,
    nameInfo,
    networkOrder,
    serviceByName,
    serviceByPort,
)
from tests.names.test_blocking import Threads


@pytest.fixture
def reactor() -> Threads:
    return Threads()


@pytest.fixture
def system(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[tuple[Any, ...]]]:
    """Replaces a function of the system by one that gives a result, or raises it; returns its calls."""

    def replace(function: str, result: object) -> list[tuple[Any, ...]]:
        calls: list[tuple[Any, ...]] = []

        def replaced(*arguments: object) -> object:
            calls.append(arguments)
            if isinstance(result, Exception):
                raise result
            return result

        monkeypatch.setattr(client.socket, function, replaced)
        return calls

    return replace


def came(reactor: Threads, asked: Deferred[Any]) -> Any:
    results: list[Any] = []
    asked.addBoth(results.append)
    reactor.deliver()
    return results[0]


def test_addressesKeepTheOrderOfTheSystem(reactor: Threads, system: Any) -> None:
    """The order is the one in which a client tries; and a link-local address keeps its interface."""
    calls = system(
        "getaddrinfo",
        [
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fe80::1", 80, 0, 2)),
            (socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 80)),
            (socket.AF_INET6, socket.SOCK_STREAM, 6, "", ("fd00::1", 80, 0, 0)),
        ],
    )
    assert came(reactor, addresses(reactor, "x.example", 80)) == [
        Endpoint(Family.IPV6, "fe80::1%2", 80),
        Endpoint(Family.IPV4, "10.0.0.1", 80),
        Endpoint(Family.IPV6, "fd00::1", 80),
    ]
    assert calls == [("x.example", 80, socket.AF_UNSPEC, socket.SOCK_STREAM)]


def test_oneFamily(reactor: Threads, system: Any) -> None:
    calls = system("getaddrinfo", [(socket.AF_INET, 1, 6, "", ("10.0.0.1", 0))])
    came(reactor, addresses(reactor, "x", family=Family.IPV4))
    assert calls == [("x", None, socket.AF_INET, socket.SOCK_STREAM)]


def test_addressesOfOtherFamiliesAreNone(reactor: Threads, system: Any) -> None:
    system("getaddrinfo", [(99, 1, 6, "", ("x", 0))])
    assert came(reactor, addresses(reactor, "x")).check(DNSLookupError)


@pytest.mark.parametrize(
    "problem",
    [socket.gaierror(-2, "Name or service not known"), socket.herror(1, "Unknown host"),
     UnicodeError("label too long"), OSError("service/proto not found"), OverflowError("too big")],
)  # fmt: skip
def test_whateverTheSystemRaisesIsANameNotFound(reactor: Threads, system: Any, problem: Exception) -> None:
    for function in ("getaddrinfo", "gethostbyname_ex", "gethostbyaddr", "getservbyname", "getservbyport"):
        system(function, problem)
    for asked in (
        addresses(reactor, "x.example"),
        hostByName(reactor, "x.example"),
        hostByAddress(reactor, "10.0.0.1"),
        serviceByName(reactor, "x"),
        serviceByPort(reactor, 1),
    ):
        assert came(reactor, asked).check(DNSLookupError)


def test_hosts(reactor: Threads, system: Any) -> None:
    system("gethostbyname_ex", ("x.example", ["www.example"], ["10.0.0.1", "10.0.0.2"]))
    assert came(reactor, hostByName(reactor, "www.example")) == HostEntry(
        "x.example", ("www.example",), ("10.0.0.1", "10.0.0.2")
    )
    system("gethostbyaddr", ("x.example", [], ["10.0.0.1"]))
    assert came(reactor, hostByAddress(reactor, "10.0.0.1")) == HostEntry("x.example", (), ("10.0.0.1",))
    calls = system("getnameinfo", ("x.example", "http"))
    assert came(reactor, nameInfo(reactor, "10.0.0.1", 80)) == ("x.example", "http")
    assert calls == [(("10.0.0.1", 80), 0)]


def test_services(reactor: Threads) -> None:
    assert came(reactor, serviceByName(reactor, "http")) == 80
    assert came(reactor, serviceByPort(reactor, 53, "udp")) == "domain"


def test_addressesAsBytes() -> None:
    assert addressToBytes("127.0.0.1") == (Family.IPV4, b"\x7f\0\0\1")
    assert addressToBytes("::1") == (Family.IPV6, bytes(15) + b"\1")
    assert courseAddressToBytes("127.1") == b"\x7f\0\0\1"
    assert courseAddressToBytes("0x7f000001") == b"\x7f\0\0\1"
    assert bytesToAddress(b"\x7f\0\0\1") == (Family.IPV4, "127.0.0.1")


@pytest.mark.parametrize("text", ["", "127.1", "256.0.0.1", "::1::", "x", "1.2.3.4\0", "127.0.0.1 "])
def test_whatIsNoAddress(text: str) -> None:
    with pytest.raises(NotAnAddress):
        addressToBytes(text)


@pytest.mark.parametrize("text", ["", "::1", "256.0.0.1", "1.2.3.4\0", "é"])
def test_whatIsNoAddressToTheCoursesFunction(text: str) -> None:
    with pytest.raises(NotAnAddress):
        courseAddressToBytes(text)


@given(st.binary(min_size=4, max_size=4) | st.binary(min_size=16, max_size=16))
def test_bytesAndTextAreTheSame(data: bytes) -> None:
    family, text = bytesToAddress(data)
    assert addressToBytes(text) == (family, data)


@given(st.binary(max_size=20).filter(lambda data: len(data) not in (4, 16)))
def test_otherLengthsAreNoAddress(data: bytes) -> None:
    with pytest.raises(NotAnAddress):
        bytesToAddress(data)


def test_networkOrder() -> None:
    assert networkOrder(80).to_bytes(2, "little" if networkOrder(1) != 1 else "big") == b"\0\x50"


def test_aPlaceAsText() -> None:
    assert str(Endpoint(Family.IPV4, "10.0.0.1", 80)) == "10.0.0.1:80"
    assert str(Endpoint(Family.IPV6, "::1", 80)) == "[::1]:80"
    assert str(Endpoint(Family.IPV6, "::1", 0)) == "::1"
