"""
The services that listen, and the one that runs a client.
"""

from __future__ import annotations

import errno

import pytest
from twisted.application.service import MultiService
from twisted.internet.address import IPv4Address
from twisted.internet.defer import Deferred
from twisted.internet.error import CannotListenError, ConnectionRefusedError
from twisted.internet.interfaces import IStreamServerEndpoint
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock, StringTransport
from twisted.logger import LogEvent
from zope.interface import implementer

from labnet.net.connection import ServiceFactory
from labnet.net.datagram import ServiceDatagramProtocol
from labnet.net.endpoints import DatagramAddress, parseStreamServer
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import (
    CannotStart,
    ClientService,
    DatagramListener,
    StreamListener,
    listeners,
)
from labnet.testing import LoggedFailures


def stream(reactor: MemoryReactorClock, description: str = "tcp:9000") -> StreamListener:
    endpoint = parseStreamServer(reactor, description)
    return StreamListener("thing", endpoint, ServiceFactory(reactor), "kind")


def test_cannotStartIsTheEndOfTheProcessInOneLine() -> None:
    """And can be caught as an ordinary exception by whoever embeds the service."""
    assert issubclass(CannotStart, SystemExit)
    assert issubclass(CannotStart, Exception)
    assert CannotStart("why").code == "why"


def test_aStreamListener(loggedEvents: list[LogEvent]) -> None:
    reactor = MemoryReactorClock()
    listener = stream(reactor)
    assert listener.address == ""
    listener.privilegedStartService()
    listener.startService()
    assert len(reactor.tcpServers) == 1
    assert listener.address == "tcp:127.0.0.1:9000" or listener.address.endswith(":9000")
    (line,) = [event for event in loggedEvents if event.get("service") == "thing"]
    assert (line["detail"], line["address"]) == (" (kind)", listener.address)
    stopped: list[object] = []
    listener.stopService().addCallback(stopped.append)
    assert stopped == [None]
    assert listener.address == ""
    assert reactor.getDelayedCalls() == []


def test_itIsStoppedWhenTheLastConnectionIsGone() -> None:
    reactor = MemoryReactorClock()
    listener = stream(reactor)
    listener.startService()
    factory = reactor.tcpServers[0][1]
    connection = factory.buildProtocol(IPv4Address("TCP", "127.0.0.1", 1))
    connection.makeConnection(StringTransport(peerAddress=IPv4Address("TCP", "127.0.0.1", 1)))
    stopped: list[object] = []
    listener.stopService().addCallback(stopped.append)
    reactor.pump([0.001] * 5)
    assert stopped == []
    connection.connectionLost()
    assert stopped == [None]
    assert reactor.getDelayedCalls() == []


def test_itCanBeStartedAgain() -> None:
    reactor = MemoryReactorClock()
    listener = stream(reactor)
    for count in (1, 2, 3):
        listener.startService()
        assert len(reactor.tcpServers) == count
        listener.stopService()


class Refusing(MemoryReactorClock):
    """Where every port is taken."""

    def __init__(self, problem: Exception) -> None:
        super().__init__()
        self.problem = problem

    def listenTCP(self, *arguments: object, **more: object) -> object:
        raise self.problem

    def listenUDP(self, *arguments: object, **more: object) -> object:
        raise self.problem


IN_USE = CannotListenError("127.0.0.1", 9000, OSError(errno.EADDRINUSE, "Address already in use"))


@pytest.mark.parametrize(
    ("problem", "sentence"),
    [
        (IN_USE, "thing: cannot listen on 127.0.0.1:9000: Address already in use"),
        (CannotListenError("", 1, "what"), "thing: cannot listen on *:1: what"),
        (
            CannotListenError("/run/x", None, OSError(13, "Permission denied")),
            "thing: cannot listen on /run/x: Perm",
        ),
        (OSError(errno.EMFILE, "Too many open files"), "Too many open files"),
        (ValueError("line\nline"), "thing: line line"),
    ],
)
@pytest.mark.parametrize("transport", ["tcp", "udp"])
def test_itCanNotListenThere(problem: Exception, sentence: str, transport: str) -> None:
    reactor = Refusing(problem)
    if transport == "tcp":
        listener = stream(reactor)
    else:
        protocol = ServiceDatagramProtocol(reactor)
        listener = DatagramListener("thing", reactor, DatagramAddress(9000), protocol)
    for start in (listener.privilegedStartService, listener.startService):
        with pytest.raises(CannotStart) as caught:
            start()
        assert sentence in str(caught.value)
        assert "\n" not in str(caught.value)


@implementer(IStreamServerEndpoint)
class SlowEndpoint:
    """One that knows only later whether it listens."""

    def __init__(self) -> None:
        self.listening: Deferred[object] = Deferred()

    def listen(self, factory: object) -> Deferred[object]:
        return self.listening


def test_anEndpointThatFailsLaterIsTold(loggedEvents: list[LogEvent]) -> None:
    endpoint = SlowEndpoint()
    listener = StreamListener("thing", endpoint, ServiceFactory(MemoryReactorClock()))
    listener.privilegedStartService()
    endpoint.listening.errback(IN_USE)
    assert [event["problem"] for event in loggedEvents if "problem" in event] == [
        "thing: cannot listen on 127.0.0.1:9000: Address already in use"
    ]


def test_anEndpointThatIsStoppedBeforeItListens() -> None:
    endpoint = SlowEndpoint()
    listener = StreamListener("thing", endpoint, ServiceFactory(MemoryReactorClock()))
    listener.startService()
    listener.stopService()
    assert endpoint.listening.called


class UDPReactor(MemoryReactorClock):
    def __init__(self) -> None:
        super().__init__()
        self.ports: list[object] = []

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 0
    ) -> object:
        self.ports.append(self)
        self.given = (port, interface, maxPacketSize)
        self.protocol = protocol
        protocol.makeConnection(self)
        return self

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", "127.0.0.1", 9001)

    def stopListening(self) -> None:
        self.protocol.doStop()


def test_aDatagramListener() -> None:
    reactor = UDPReactor()
    protocol = ServiceDatagramProtocol(reactor)
    listener = DatagramListener("thing", reactor, DatagramAddress(9001), protocol)
    listener.privilegedStartService()
    listener.startService()
    assert reactor.given == (9001, "127.0.0.1", 65536)
    assert len(reactor.ports) == 1
    assert listener.address == "udp:127.0.0.1:9001"
    listener.stopService()
    assert listener.address == ""


def test_listenersAreFoundWhereverTheyAre() -> None:
    reactor = MemoryReactorClock()
    one, two = stream(reactor), stream(reactor)
    inner, outer = MultiService(), MultiService()
    inner.addService(two)
    outer.addService(one)
    outer.addService(inner)
    assert list(listeners(outer)) == [one, two]


class Process:
    """A reactor that runs at once, and the process around it."""

    def __init__(self) -> None:
        self.statuses: list[int] = []
        self.stopped = 0
        self.answer: Deferred[int] = Deferred()
        self.service = ClientService(self, "thing", self.work, self.statuses.append)

    def callWhenRunning(self, callable: object, *arguments: object) -> None:
        callable(*arguments)  # type: ignore[operator]

    def stop(self) -> None:
        self.stopped += 1

    async def work(self) -> int:
        return await self.answer


def test_aClientThatIsDone() -> None:
    process = Process()
    process.service.startService()
    assert process.stopped == 0
    process.answer.callback(ExitStatus.OK)
    assert (process.stopped, process.statuses) == (1, [])
    process.service.stopService()


@pytest.mark.parametrize(
    ("problem", "status", "sentence"),
    [
        (ClientError("no such thing", ExitStatus.ANSWERED_ERROR), 1, "no such thing"),
        (ConnectionRefusedError(), 3, "connection refused"),
    ],
)
def test_aClientThatFails(
    problem: Exception, status: int, sentence: str, loggedEvents: list[LogEvent]
) -> None:
    """Its sentence is logged, the reactor stops, and the process is to end with its status."""
    process = Process()
    process.service.startService()
    process.answer.errback(problem)
    assert (process.stopped, process.statuses) == (1, [status])
    (event,) = [event for event in loggedEvents if "sentence" in event]
    assert sentence in event["sentence"]


def test_aClientWithAnotherStatus() -> None:
    process = Process()
    process.service.startService()
    process.answer.callback(ExitStatus.ANSWERED_ERROR)
    assert (process.stopped, process.statuses) == (1, [1])


def test_aClientWithABug(loggedFailures: LoggedFailures) -> None:
    process = Process()
    process.service.startService()
    process.answer.errback(ZeroDivisionError())
    assert loggedFailures.flush(ZeroDivisionError)
    assert process.statuses == [ExitStatus.BUG]


def test_aClientThatIsInterrupted() -> None:
    """The reactor stops already, and is not stopped again."""
    process = Process()
    process.service.startService()
    process.service.stopService()
    assert (process.stopped, process.statuses) == (0, [ExitStatus.INTERRUPTED])
