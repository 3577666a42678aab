"""
The address server, from datagram to datagram, and everything hostile that can be sent to it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from twisted.internet.task import Clock

from labnet.discovery.registry import Capacity, Registry
from labnet.discovery.server import DiscoveryProtocol, Policy
from labnet.discovery.wire import LONGEST_REQUEST, Address, ListNames
from labnet.net.limits import DatagramLimits
from tests.discovery.network import Served

LOCAL = ("127.0.0.1", 50_000)
PC = ("192.0.2.7", 50_000)
OTHER = ("192.0.2.8", 50_000)


@pytest.fixture
def served(clock: Clock) -> Iterator[Served]:
    served = Served(DiscoveryProtocol(clock))
    yield served
    served.stop()


def serve(clock: Clock, policy: Policy | None = None, **more: object) -> Served:
    return Served(DiscoveryProtocol(clock, policy, **more))


# The course's questions


def test_theCoursesAnswersWhenNothingIsRegistered(served: Served) -> None:
    assert served.ask(b"Hello server") == b"localhost:9000"
    assert served.ask(b"GET") == b"localhost" + bytes(7) + b"\x28\x23\0\0"


def test_theCoursesQuestionsGetTheRegisteredAddressesInTurn(served: Served) -> None:
    served.ask(b"REGISTER calculator 127.0.0.1:9000 30")
    served.ask(b"REGISTER calculator 127.0.0.1:9010 30")
    served.ask(b"REGISTER other 127.0.0.1:9020 30")
    answers = [served.ask(b"Hello server") for _ in range(3)]
    assert answers == [b"127.0.0.1:9000", b"127.0.0.1:9010", b"127.0.0.1:9000"]
    assert served.ask(b"GET") == b"127.0.0.1" + bytes(7) + b"\x32\x23\0\0"


def test_theAnsweringNameAndTheFallbackCanBeChosen(clock: Clock) -> None:
    served = serve(clock, Policy(answering="chat", fallback=Address("pc-17", 1)))
    assert served.ask(b"Hello server") == b"pc-17:1"
    served.ask(b"REGISTER chat 127.0.0.1:9999 30")
    assert served.ask(b"Hello server") == b"127.0.0.1:9999"
    served.stop()


def test_withoutAFallbackThereIsNoAnswer(clock: Clock) -> None:
    served = serve(clock, Policy(fallback=None))
    assert served.ask(b"Hello server") is None
    assert served.ask(b"GET") is None
    served.stop()


def test_noAddressThatTheCoursesClientsCanNotRead(clock: Clock) -> None:
    """An IPv6 address in neither form, a long host name in text alone; the next that fits is given."""
    served = serve(clock, Policy(acceptForeign=True, fallback=Address("a-long-host.example", 7)))
    served.ask(b"REGISTER calculator [::1]:9000 30")
    assert served.ask(b"LOOKUP calculator") == b"[::1]:9000"
    assert served.ask(b"Hello server") == b"a-long-host.example:7"
    assert served.ask(b"GET") is None
    served.ask(b"REGISTER calculator another-long-host.example:9 30")
    assert served.ask(b"Hello server") == b"another-long-host.example:9"
    served.stop()


# The lines


def test_aServiceComesAndGoes(served: Served, loggedLines: list[str]) -> None:
    assert served.ask(b"LOOKUP calc") == b"NONE"
    assert served.ask(b"LIST") == b"NONE"
    assert served.ask(b"REGISTER calc 127.0.0.1:9000 30") == b"OK 30"
    assert served.ask(b"LOOKUP calc") == b"127.0.0.1:9000"
    assert served.ask(b"LIST") == b"calc"
    assert served.ask(b"UNREGISTER calc 127.0.0.1:9000") == b"OK 0"
    assert served.ask(b"LOOKUP calc") == b"NONE"
    assert [line for line in loggedLines if "calc" in line] == [
        "calc: 127.0.0.1:9000 joined for 30 s",
        "calc: 127.0.0.1:9000 left",
    ]


def test_aRequestThatIsSentAgainIsAnsweredAsTheFirst(served: Served, loggedLines: list[str]) -> None:
    for _ in range(2):
        assert served.ask(b"REGISTER calc 127.0.0.1:9000 30") == b"OK 30"
    for _ in range(2):
        assert served.ask(b"UNREGISTER calc 127.0.0.1:9000") == b"OK 0"
    assert len([line for line in loggedLines if "calc" in line]) == 2


def test_aLeaseEndsUnlessItIsRenewed(served: Served, clock: Clock, loggedLines: list[str]) -> None:
    served.ask(b"REGISTER calc 127.0.0.1:9000 30")
    clock.pump([1.0] * 20)
    assert served.ask(b"RENEW calc 127.0.0.1:9000") == b"OK 30"
    clock.pump([1.0] * 29)
    assert served.ask(b"LOOKUP calc") == b"127.0.0.1:9000"
    clock.pump([1.0] * 2)
    assert served.ask(b"LOOKUP calc") == b"NONE"
    assert served.ask(b"RENEW calc 127.0.0.1:9000") == b"NONE"
    assert "calc: 127.0.0.1:9000 lapsed" in loggedLines
    assert len(served.server.registry) == 0


def test_theTimeToLiveIsBounded(served: Served) -> None:
    assert served.ask(b"REGISTER calc 127.0.0.1:9000 86400") == b"OK 3600"
    assert served.ask(b"REGISTER calc 127.0.0.1:9000 1") == b"OK 1"
    assert served.ask(b"REGISTER calc 127.0.0.1:9000 0") == b"ERROR bad ttl"


def test_aSweepRunsOnlyWhileThereAreLeasesAndEndsWithThePort(clock: Clock) -> None:
    served = serve(clock)
    assert clock.getDelayedCalls() == []
    served.ask(b"REGISTER a 127.0.0.1:9000 1")
    served.ask(b"REGISTER b 127.0.0.1:9000 1")
    assert len(clock.getDelayedCalls()) == 1
    clock.pump([1.0] * 3)
    assert clock.getDelayedCalls() == []
    served.ask(b"REGISTER a 127.0.0.1:9000 30")
    served.stop()
    assert clock.getDelayedCalls() == []


def test_listenersMayShareOneRegistry(clock: Clock) -> None:
    registry = Registry()
    one = serve(clock, registry=registry)
    two = Served(DiscoveryProtocol(clock, registry=registry), ("127.0.0.1", 10002))
    one.ask(b"REGISTER calc 127.0.0.1:9000 30")
    assert two.ask(b"LOOKUP calc") == b"127.0.0.1:9000"
    one.stop()
    two.stop()


# Spoofed advertisements


@pytest.mark.parametrize("host", ["192.0.2.8", "127.0.0.1", "localhost", "host.example", "[2001:db8::1]"])
@pytest.mark.parametrize("verb", ["REGISTER", "RENEW", "UNREGISTER"])
def test_nobodySpeaksForAnotherHost(served: Served, verb: str, host: str) -> None:
    ttl = " 30" if verb == "REGISTER" else ""
    assert served.ask(f"{verb} calc {host}:9000{ttl}".encode(), PC) == b"ERROR not your address"
    assert served.ask(b"LOOKUP calc") == b"NONE"


def test_nobodyTakesAwayWhatAnotherHasRegistered(served: Served) -> None:
    assert served.ask(b"REGISTER calc 192.0.2.7:9000 30", PC) == b"OK 30"
    assert served.ask(b"UNREGISTER calc 192.0.2.7:9000", OTHER) == b"ERROR not your address"
    assert served.ask(b"REGISTER calc 192.0.2.7:9000 1", OTHER) == b"ERROR not your address"
    assert served.ask(b"LOOKUP calc", OTHER) == b"192.0.2.7:9000"


@pytest.mark.parametrize("host", ["localhost", "127.0.0.1", "127.0.0.2", "[::1]"])
def test_onThisMachineEveryLoopbackAddressIsOnesOwn(served: Served, host: str) -> None:
    assert served.ask(f"REGISTER calc {host}:9000 30".encode(), LOCAL) == b"OK 30"


def test_anIPv4ClientOfAnIPv6ListenerIsItself(served: Served) -> None:
    assert served.ask(b"REGISTER calc 192.0.2.7:9000 30", ("::ffff:192.0.2.7", 50_000)) == b"OK 30"


def test_withAcceptForeignAnybodyRegistersAnythingButThisMachinesLoopback(clock: Clock) -> None:
    served = serve(clock, Policy(acceptForeign=True))
    assert served.ask(b"REGISTER calc 192.0.2.99:9000 30", PC) == b"OK 30"
    assert served.ask(b"REGISTER calc host.example:9000 30", PC) == b"OK 30"
    assert served.ask(b"UNREGISTER calc 192.0.2.99:9000", OTHER) == b"OK 0"
    assert served.ask(b"REGISTER calc localhost:9000 30", PC) == b"ERROR not your address"
    assert served.ask(b"REGISTER calc 239.0.0.1:9000 30", PC) == b"ERROR no host of a service"
    served.stop()


def test_aLoopbackAddressIsToldOnThisMachineOnly(served: Served) -> None:
    served.ask(b"REGISTER calculator 127.0.0.1:9000 30", LOCAL)
    assert served.ask(b"LOOKUP calculator", PC) == b"NONE"
    assert served.ask(b"Hello server", PC) == b"localhost:9000"
    served.ask(b"REGISTER calculator 192.0.2.7:9000 30", PC)
    assert [served.ask(b"LOOKUP calculator", OTHER) for _ in range(2)] == [b"192.0.2.7:9000"] * 2


# Malformed, amplification, reflection


@pytest.mark.parametrize(
    "datagram",
    [b"", b"\0", b"G", b"GET\0", b"Hello server!", b"HELLO SERVER", b"\xff" * 12, b"\x00\x00\xff\xff",
     b"\xc0\xaf", b"\xed\xa0\x80", b"LIST\x1b[2J", b"x" * 65507, b"LIST" + b" " * LONGEST_REQUEST,
     b"Echo: Hello server", b"ACK: Message received!"],
    ids=lambda datagram: repr(datagram[:20]),
)  # fmt: skip
def test_whatIsNoRequestIsDroppedAndCounted(served: Served, datagram: bytes) -> None:
    assert served.ask(datagram) is None
    assert served.server.dropped.total == 1


def test_aMalformedLineIsAnsweredInAFewWordsOfOurOwn(served: Served) -> None:
    assert served.ask(b"LOOKUP {0} %s") == b"ERROR bad name"
    assert served.ask(b"LOOKUP") == b"ERROR LOOKUP <name>"


LINES = st.sampled_from(
    [b"Hello server", b"GET", b"LIST", b"LOOKUP", b"LOOKUP n0", b"REGISTER", b"RENEW", b"UNREGISTER x",
     b"REGISTER a 127.0.0.1:1 1", b"RENEW a 127.0.0.1:1", b"LIST all", ListNames().encode(),
     b"REGISTER a 8.8.8.8:1 1", b"LOOKUP long"]
)  # fmt: skip


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.one_of(LINES, st.tuples(LINES, st.binary(max_size=80)).map(b"".join)))
def test_noReplyIsMuchLongerThanItsRequest(datagram: bytes) -> None:
    """However full the table is: three times the request and 200 bytes, at most."""
    clock = Clock()
    served = serve(clock, Policy(acceptForeign=True))
    for i in range(50):
        served.ask(f"REGISTER n{i:060} 127.0.0.1:9000 30".encode())
    served.ask(f"REGISTER long {'a' * 63}.{'b' * 63}.{'c' * 63}:65535 30".encode())
    reply = served.ask(datagram)
    assert reply is None or len(reply) <= 3 * len(datagram) + 200
    served.stop()


def test_aLongerListNeedsALongerRequest(served: Served) -> None:
    for i in range(60):
        served.ask(f"REGISTER service-number-{i:05} 127.0.0.1:9000 30".encode())
    short, long = served.ask(b"LIST"), served.ask(ListNames().encode())
    assert short is not None
    assert long is not None
    assert short.endswith(b"\n...")
    assert len(short) <= 212 < len(long) <= 1200
    assert long.startswith(short.removesuffix(b"..."))


@pytest.mark.parametrize("port", [0, 7, 19, 53, 123, 1023])
def test_noReplyToAReservedPort(served: Served, port: int) -> None:
    assert served.ask(b"Hello server", ("127.0.0.1", port)) is None


def test_noReplyToOneself(served: Served) -> None:
    assert served.ask(b"Hello server", ("127.0.0.1", 10001)) is None


def test_noReplyToAnotherServiceOfThisProcess(served: Served, clock: Clock) -> None:
    other = Served(DiscoveryProtocol(clock), ("127.0.0.1", 10002))
    assert served.ask(b"Hello server", ("127.0.0.1", 10002)) is None
    other.stop()
    assert served.ask(b"Hello server", ("127.0.0.1", 10002)) == b"localhost:9000"


@pytest.mark.parametrize(
    "request_",
    [b"Hello server", b"GET", b"LIST", b"LOOKUP a", b"LOOKUP b", b"REGISTER a 127.0.0.1:1 9", b"LOOKUP",
     b"REGISTER a 8.8.8.8:1 9", b"RENEW b 127.0.0.1:9", b"UNREGISTER b 127.0.0.1:9", b"LIST all"],
)  # fmt: skip
def test_twoInstancesDoNotPlayPingPong(request_: bytes) -> None:
    """
    A forged request makes one instance answer another one, in another process: that one is silent,
    whatever both have registered.
    """
    clock = Clock()
    one, two = serve(clock), serve(clock)
    for served in (one, two):
        for name in (b"a", b"list", b"GET", b"LIST", b"Hello", b"REGISTER"):
            served.ask(b"REGISTER " + name + b" 127.0.0.1:9000 30")
    reply = one.ask(request_, ("127.0.0.1", 60_000))
    assert reply is not None
    assert two.ask(reply, ("127.0.0.1", 60_001)) is None
    one.stop()
    two.stop()


@pytest.mark.parametrize(
    "host", ["255.255.255.255", "127.255.255.255", "0.0.0.0", "224.0.0.1", "::", "ff02::1", "ff02::1%lo"]
)
def test_noReplyToManyHosts(served: Served, host: str) -> None:
    """A broadcast storm: the source is forged to be a broadcast or multicast address."""
    assert served.ask(b"Hello server", (host, 50_000)) is None
    assert served.server.dropped.total == 1


# Rates and floods


def test_aSourceIsAnsweredSoOftenAndAnotherOneStillIs(clock: Clock) -> None:
    served = serve(clock, limits=DatagramLimits(perSource=200))
    answered = sum(served.ask(b"Hello server", PC) is not None for _ in range(1000))
    assert answered == 400
    assert served.ask(b"Hello server", OTHER) is not None
    clock.advance(0.5)
    assert sum(served.ask(b"Hello server", PC) is not None for _ in range(1000)) == 100
    served.stop()


def test_forgedSourcesMeetTheRateInAll(clock: Clock) -> None:
    served = serve(clock, limits=DatagramLimits(perSource=200, total=1000, sources=64))
    sources = [(f"10.0.{i >> 8}.{i & 255}", 50_000) for i in range(5000)]
    assert sum(served.ask(b"Hello server", source) is not None for source in sources) == 2000
    served.stop()


def test_aFloodIsOneLineInTheLog(clock: Clock, loggedLines: list[str]) -> None:
    served = serve(clock, limits=DatagramLimits(perSource=200))
    for _ in range(1000):
        served.ask(b"Hello server")
        served.ask(b"\0")
    clock.advance(10.0)
    assert len(loggedLines) == 1
    served.stop()


def test_aFloodOfNamesIsBoundedInMemoryAndInTheLog(clock: Clock, loggedLines: list[str]) -> None:
    """The server stays of use to others, and all of it lapses."""
    registry = Registry(Capacity(names=100, perSource=64))
    served = serve(clock, registry=registry, limits=DatagramLimits(perSource=0, total=0))
    replies = [served.ask(f"REGISTER n{i} 192.0.2.7:9000 60".encode(), PC) for i in range(2000)]
    assert replies[63:65] == [b"OK 60", b"ERROR too many from you"]
    assert served.ask(b"REGISTER mine 192.0.2.8:9000 60", OTHER) == b"OK 60"
    assert len(registry) == 65
    clock.pump([1.0] * 62)
    assert len(registry) == 0
    assert served.ask(b"REGISTER n1 192.0.2.7:9000 60", PC) == b"OK 60"
    served.stop()
    assert len([line for line in loggedLines if " joined " in line]) <= 42
    assert len([line for line in loggedLines if "not logged one by one" in line]) >= 1


def test_aReplyThatCanNotBeSentCostsNothingElse(served: Served) -> None:
    write, served.port.write = served.port.write, _unreachable
    assert served.ask(b"Hello server") is None
    served.port.write = write
    assert served.ask(b"Hello server") == b"localhost:9000"


def _unreachable(datagram: bytes, address: tuple[str, int]) -> None:
    raise PermissionError(13, "Permission denied")
