"""
Asking, and staying registered, against an address server that answers, errs, or is not there.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionRefusedError, DNSLookupError, TimeoutError
from twisted.logger import LogEvent, formatEvent, globalLogPublisher

from labnet.discovery.client import (
    Registration,
    discover,
    discoverBinary,
    listNames,
    localHostTowards,
    register,
    unregister,
)
from labnet.discovery.server import DiscoveryProtocol
from labnet.discovery.wire import Address
from labnet.net.endpoints import DatagramTarget
from labnet.net.outcome import ClientError, ExitStatus
from tests.discovery.network import Network, Served

TARGET = DatagramTarget("127.0.0.1", 10001)
HERE = ("calculator", "127.0.0.1", 9000)


@pytest.fixture
def network() -> Iterator[Network]:
    """A network that must be idle in the end: no timer, no open port."""
    network = Network()
    yield network
    assert network.getDelayedCalls() == []
    assert network.ports == []


@pytest.fixture
def lines() -> Iterator[list[str]]:
    """What registrations log."""
    lines: list[str] = []

    def observe(event: LogEvent) -> None:
        if event.get("log_namespace", "").endswith("Registration"):
            lines.append(formatEvent(event))

    globalLogPublisher.addObserver(observe)
    yield lines
    globalLogPublisher.removeObserver(observe)


def answering(answer: bytes | None) -> Callable[[bytes, tuple[str, int]], bytes | None]:
    return lambda datagram, source: answer


def outcome(network: Network, coroutine, seconds: float = 10.0):
    """What a coroutine returns or raises within that time."""
    results: list[object] = []
    Deferred.fromCoroutine(coroutine).addBoth(results.append)
    network.pump([0.1] * round(seconds * 10))
    assert len(results) == 1
    if hasattr(results[0], "raiseException"):
        results[0].raiseException()
    return results[0]


# Asking


def test_theCoursesQuestion(network: Network) -> None:
    network.answerer = answering(b"localhost:9000")
    assert outcome(network, discover(network, TARGET, None)) == ("localhost", 9000)
    assert network.requests == [b"Hello server"]


def test_theQuestionForAName(network: Network) -> None:
    network.answerer = answering(b"[::1]:9000")
    assert outcome(network, discover(network, TARGET, "calc")) == ("::1", 9000)
    assert network.requests == [b"LOOKUP calc"]


def test_theBinaryQuestion(network: Network) -> None:
    network.answerer = answering(b"10.0.0.1" + bytes(8) + b"\x28\x23\0\0")
    assert outcome(network, discoverBinary(network, TARGET)) == ("10.0.0.1", 9000)
    assert network.requests == [b"GET"]


def test_theQuestionForAllNames(network: Network) -> None:
    network.answerer = answering(b"a\nb\n...")
    assert outcome(network, listNames(network, TARGET)) == (["a", "b"], True)


def test_registeringOnce(network: Network) -> None:
    network.answerer = answering(b"OK 20")
    assert outcome(network, register(network, TARGET, "a", Address("::1", 9), 30)) == 20
    network.answerer = answering(b"OK 0")
    outcome(network, unregister(network, TARGET, "a", Address("::1", 9)))
    assert network.requests == [b"REGISTER a [::1]:9 30", b"UNREGISTER a [::1]:9"]


def test_aNameThatNobodyHas(network: Network) -> None:
    network.answerer = answering(b"NONE")
    with pytest.raises(ClientError, match="nothing is registered as calc") as caught:
        outcome(network, discover(network, TARGET, "calc"))
    assert caught.value.status is ExitStatus.ANSWERED_ERROR


def test_aRefusalIsTold(network: Network) -> None:
    network.answerer = answering(b"ERROR not \x1b[2Jyours")
    with pytest.raises(ClientError, match=r'refuses: "not \\x1b\[2Jyours"') as caught:
        outcome(network, register(network, TARGET, "a", Address("a", 1), 1))
    assert caught.value.status is ExitStatus.ANSWERED_ERROR


@pytest.mark.parametrize(
    "answer",
    [b"", b"nonsense", b"localhost", b"localhost:", b"localhost:0", b"localhost:65536", b"a:1:2",
     b"localhost:9000 and more", b"0.0.0.0:9000", b"239.1.1.1:9000", b"255.255.255.255:9000",
     b"a" * 200 + b":1", b"OK 30", b"NONE", b"\xff\xfe", b"Hello server", b"x" * 65507],
    ids=lambda answer: repr(answer[:24]),
)  # fmt: skip
def test_anAnswerThatIsNoAddressIsOneSentence(network: Network, answer: bytes) -> None:
    network.answerer = answering(answer)
    with pytest.raises(ClientError) as caught:
        outcome(network, discover(network, TARGET, None))
    assert caught.value.status is ExitStatus.NOT_UNDERSTOOD
    assert len(str(caught.value)) < 200
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("answer", [b"", b"localhost:9000", bytes(20), b"NONE"])
def test_aBinaryAnswerThatIsNone(network: Network, answer: bytes) -> None:
    network.answerer = answering(answer)
    with pytest.raises(ClientError) as caught:
        outcome(network, discoverBinary(network, TARGET))
    assert caught.value.status is ExitStatus.NOT_UNDERSTOOD


def test_aListThatIsNone(network: Network) -> None:
    network.answerer = answering(b"\0")
    with pytest.raises(ClientError):
        outcome(network, listNames(network, TARGET))


@pytest.mark.parametrize("call", [discover, lambda *a: unregister(*a, Address("a", 1))])
def test_aNameThatIsNoneIsNotSent(network: Network, call) -> None:
    with pytest.raises(ClientError) as caught:
        outcome(network, call(network, TARGET, "a b\n"))
    assert caught.value.status is ExitStatus.USAGE
    assert network.requests == []


def test_aLostQuestionIsAskedAgain(network: Network) -> None:
    network.answerer = lambda datagram, source: b"localhost:1" if len(network.requests) == 3 else None
    assert outcome(network, discover(network, TARGET, None)) == ("localhost", 1)
    assert len(network.requests) == 3


def test_noAnswerIsATimeout(network: Network) -> None:
    with pytest.raises(TimeoutError):
        outcome(network, discover(network, TARGET, None, timeout=0.5, tries=2), seconds=1.5)
    assert len(network.requests) == 2


def test_nobodyThere(network: Network) -> None:
    network.refusing = True
    with pytest.raises(ConnectionRefusedError):
        outcome(network, discover(network, TARGET, None))


def test_theAddressOfThisMachineTowardsAnother(network: Network) -> None:
    network.facing = "192.0.2.7"
    assert outcome(network, localHostTowards(network, DatagramTarget("server.example", 1))) == "192.0.2.7"
    with pytest.raises(DNSLookupError):
        outcome(network, localHostTowards(network, DatagramTarget("nowhere.example", 1)))
    assert network.requests == []


# Staying registered


class Lab:
    """A registration and a real address server, joined by a network in memory."""

    def __init__(self, network: Network, addresses: list[tuple[str, str, int]], **more: object) -> None:
        self.network = network
        self.addresses = addresses
        self.registration = Registration(network, TARGET, lambda: self.addresses, **more)
        self.serve()

    def serve(self) -> None:
        """A new address server, that knows nothing."""
        self.served = Served(DiscoveryProtocol(self.network))
        self.network.answerer = self.served.ask

    def run(self, seconds: float) -> None:
        self.network.pump([0.1] * round(seconds * 10))

    def stop(self, seconds: float = 2.0) -> float:
        """Stop the registration, and return how long that took."""
        began, ended = self.network.seconds(), []
        stopped = self.registration.stopService()
        stopped.addCallback(lambda _: ended.append(self.network.seconds()))
        self.run(seconds)
        assert len(ended) == 1
        self.served.stop()
        return ended[0] - began


def test_registeredWhileItRuns(network: Network, lines: list[str]) -> None:
    lab = Lab(network, [HERE, ("calculator-net", "127.0.0.1", 9010)])
    lab.registration.startService()
    lab.run(0.5)
    assert network.requests == [
        b"REGISTER calculator 127.0.0.1:9000 30",
        b"REGISTER calculator-net 127.0.0.1:9010 30",
    ]
    assert lab.served.ask(b"LIST") == b"calculator\ncalculator-net"
    assert lab.stop() < 0.2
    assert sorted(network.requests[2:]) == [
        b"UNREGISTER calculator 127.0.0.1:9000",
        b"UNREGISTER calculator-net 127.0.0.1:9010",
    ]
    assert len(lab.served.server.registry) == 0
    assert len(lines) == 2


def test_renewedAtAThirdOfWhatIsGranted(network: Network) -> None:
    lab = Lab(network, [HERE], ttl=30)
    lab.registration.startService()
    lab.run(100.0)
    assert lab.served.ask(b"LOOKUP calculator") == b"127.0.0.1:9000"
    assert len(network.requests) == 10
    assert set(network.requests[1:]) == {b"RENEW calculator 127.0.0.1:9000"}
    lab.stop()


def test_theServersTimeToLiveCounts(network: Network) -> None:
    network.answerer = None
    lab = Lab(network, [HERE], ttl=30)
    network.answerer = answering(b"OK 3")
    lab.registration.startService()
    lab.run(10.0)
    assert 9 <= len(network.requests) <= 10
    lab.stop()


def test_theTimeToLiveIsAWholeNumberInBounds(network: Network) -> None:
    for asked, sent in ((0.1, b" 1"), (7.6, b" 8"), (10**9, b" 3600")):
        lab = Lab(network, [HERE], ttl=asked)
        lab.registration.startService()
        lab.run(0.3)
        assert network.requests[-1].endswith(sent)
        lab.stop()


def test_aRenewalThatIsNotKnownIsRegisteredAnew(network: Network) -> None:
    lab = Lab(network, [HERE])
    lab.registration.startService()
    lab.run(1.0)
    lab.served.stop()
    lab.serve()
    lab.run(10.0)
    assert network.requests[-2:] == [
        b"RENEW calculator 127.0.0.1:9000",
        b"REGISTER calculator 127.0.0.1:9000 30",
    ]
    assert lab.served.ask(b"LOOKUP calculator") == b"127.0.0.1:9000"
    lab.stop()


@pytest.mark.parametrize("refusing", [True, False])
def test_anAbsentServerIsTriedQuietlyUntilItIsBack(
    network: Network, lines: list[str], refusing: bool
) -> None:
    lab = Lab(network, [HERE])
    there = network.answerer
    network.answerer, network.refusing = None, refusing
    lab.registration.startService()
    lab.run(60.0)
    assert len(network.requests) >= 10
    assert len(lines) == 1
    assert "is lost" in lines[0]
    network.answerer, network.refusing = there, False
    lab.run(5.0)
    assert lab.served.ask(b"LOOKUP calculator") == b"127.0.0.1:9000"
    assert len(lines) == 2
    assert "is back" in lines[1]
    lab.stop()


def test_aStopWhileTheServerIsLostTakesNoTime(network: Network) -> None:
    lab = Lab(network, [HERE])
    network.answerer = None
    lab.registration.startService()
    lab.run(10.0)
    assert lab.stop() == 0.0


def test_aStopIsNotDelayedBeyondItsPatience(network: Network) -> None:
    """The server has gone since the last renewal."""
    lab = Lab(network, [HERE, ("b", "127.0.0.1", 1), ("c", "127.0.0.1", 2)])
    lab.registration.startService()
    lab.run(1.0)
    network.answerer = None
    assert 0.5 <= lab.stop() <= 1.11


def test_aStopInTheMiddleOfARoundTakesAwayWhatMayHaveArrived(network: Network) -> None:
    lab = Lab(network, [HERE])
    there, network.answerer = network.answerer, None
    lab.registration.startService()
    lab.run(0.5)
    network.answerer = there
    lab.stop()
    assert network.requests == [
        b"REGISTER calculator 127.0.0.1:9000 30",
        b"UNREGISTER calculator 127.0.0.1:9000",
    ]


def test_aStopBeforeTheFirstRoundSendsNothing(network: Network) -> None:
    lab = Lab(network, [HERE])
    lab.registration.startService()
    lab.stop()
    assert network.requests == []


def test_startedAgainItRegistersAgain(network: Network) -> None:
    lab = Lab(network, [HERE])
    for _ in range(2):
        lab.registration.startService()
        lab.run(1.0)
        lab.stop()
        lab.serve()
    lab.served.stop()
    assert [request.split()[0] for request in network.requests] == [b"REGISTER", b"UNREGISTER"] * 2


def test_aWildcardIsTheAddressTowardsTheServer(network: Network) -> None:
    network.facing = "127.0.0.5"
    lab = Lab(network, [("calculator", "0.0.0.0", 9000), ("six", "::", 9000)])
    lab.registration.startService()
    lab.run(0.5)
    assert network.requests == [
        b"REGISTER calculator 127.0.0.5:9000 30",
        b"REGISTER six 127.0.0.5:9000 30",
    ]
    lab.stop()


def test_aRefusalIsOneLineAndIsTriedAgain(network: Network, lines: list[str]) -> None:
    lab = Lab(network, [("calculator", "192.0.2.1", 9000), ("b", "127.0.0.1", 1)])
    lab.registration.startService()
    lab.run(60.0)
    assert network.requests.count(b"REGISTER calculator 192.0.2.1:9000 30") >= 5
    assert len([line for line in lines if "not your address" in line]) == 1
    assert lab.served.ask(b"LIST") == b"b"
    lab.stop()


def test_anAddressServerOfTheCourseIsNoAddressServerForRegistrations(
    network: Network, lines: list[str]
) -> None:
    """It answers whatever it gets with an address; that is one line, and the service goes on."""
    lab = Lab(network, [HERE])
    network.answerer = answering(b"localhost:9000")
    lab.registration.startService()
    lab.run(60.0)
    assert len(lines) == 1
    lab.stop()


def test_whatIsNotThereYetIsRegisteredOnceItIsAndLeavesWhenItIsGone(network: Network) -> None:
    lab = Lab(network, [])
    lab.registration.startService()
    lab.run(5.0)
    assert network.requests == []
    lab.addresses = [HERE]
    lab.run(3.0)
    assert lab.served.ask(b"LIST") == b"calculator"
    lab.addresses = []
    lab.run(10.0)
    assert lab.served.ask(b"LIST") == b"NONE"
    lab.stop()
    assert network.requests.count(b"UNREGISTER calculator 127.0.0.1:9000") == 1


def test_aBugInTheAddressesIsLoggedAndDoesNotEndTheRegistration(
    network: Network, loggedFailures, lines: list[str]
) -> None:
    lab = Lab(network, [("calculator", "127.0.0.1")])  # type: ignore[list-item]
    lab.registration.startService()
    lab.run(1.0)
    assert loggedFailures.flush(ValueError)
    lab.addresses = [HERE]
    lab.run(5.0)
    assert lab.served.ask(b"LIST") == b"calculator"
    lab.stop()
