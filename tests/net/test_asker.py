"""
Many questions to one server: which sockets are used again, and which must not be.
"""

from __future__ import annotations

from collections.abc import Callable

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure

from labnet.net.endpoints import DatagramTarget
from labnet.net.exchange import Asker
from labnet.testing import DatagramNetwork

SERVER = DatagramTarget("127.0.0.1", 9001)


def world(answer: Callable[[bytes], bytes | None], mostIdle: int = 16) -> tuple[DatagramNetwork, Asker]:
    network = DatagramNetwork()
    network.peer(answer, SERVER.port)
    return network, Asker(network, SERVER, mostIdle)


def asked(network: DatagramNetwork, asker: Asker, *requests: bytes, seconds: float = 0) -> list[object]:
    """The answers to questions that are asked at the same time."""
    results: list[object] = []
    for request in requests:
        Deferred.fromCoroutine(asker.ask(request)).addBoth(results.append)
    network.pass_(seconds)
    return results


def sources(network: DatagramNetwork) -> list[int]:
    """From which ports questions were sent, in order."""
    return [sent.source[1] for sent in network.sent if sent.destination[1] == SERVER.port]


def test_aSocketIsUsedAgain() -> None:
    """After an exchange without a loss the next question goes out on the same socket."""
    network, asker = world(bytes.upper)
    assert asked(network, asker, b"a") == [b"A"]
    assert asked(network, asker, b"b") == [b"B"]
    assert len(set(sources(network))) == 1
    asker.close()
    assert len(network.sockets) == 1


def test_questionsAtATimeHaveSocketsOfTheirOwn() -> None:
    """No two questions share a socket, and only so many sockets are kept."""
    network, asker = world(bytes.upper, mostIdle=2)
    assert sorted(asked(network, asker, b"a", b"b", b"c")) == [b"A", b"B", b"C"]
    assert len(set(sources(network))) == 3
    assert len(network.sockets) == 1 + 2
    asker.close()


def test_aLateAnswerIsNotTakenForTheNext() -> None:
    """A question that was sent twice may be answered twice: its socket is not used again."""
    network, asker = world(bytes.upper)
    network.delay = 0.6
    assert asked(network, asker, b"a", seconds=1.5) == [b"A"]
    network.delay = 0
    assert asked(network, asker, b"b", seconds=1) == [b"B"]
    first, again, second = sources(network)
    assert first == again != second
    asker.close()


def test_aSecondAnswerEndsItsSocket() -> None:
    """A server that answers twice does not get to answer the next question before it is asked."""
    network, asker = world(lambda datagram: None)
    server = next(iter(network.sockets.values())).protocol
    results: list[object] = []
    Deferred.fromCoroutine(asker.ask(b"a")).addBoth(results.append)
    network.settle()
    client = server.received[0][1]
    server.send(b"one", client)
    server.send(b"two", client)
    network.settle()
    assert results == [b"one"]
    assert client not in network.sockets


def test_anUnansweredQuestionEndsItsSocket() -> None:
    """After a time-out nothing is kept, and no timer stays."""
    network, asker = world(lambda datagram: None)
    (failure,) = asked(network, asker, b"a", seconds=4)
    assert isinstance(failure, Failure)
    assert len(network.sockets) == 1
    assert network.getDelayedCalls() == []


def test_closingInTheMiddle() -> None:
    """A question that is under way is answered; then its socket goes."""
    network, asker = world(bytes.upper)
    results: list[object] = []
    Deferred.fromCoroutine(asker.ask(b"a")).addBoth(results.append)
    asker.close()
    network.settle()
    assert results == [b"A"]
    assert len(network.sockets) == 1
