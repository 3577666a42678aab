"""
The calculator as a plugin: its options, and the services they make.
"""

from __future__ import annotations

import pytest
from twisted.internet import reactor
from twisted.internet.address import IPv4Address
from twisted.internet.protocol import DatagramProtocol
from twisted.internet.testing import MemoryReactorClock
from twisted.python.usage import UsageError

from labnet.calculator import tap
from labnet.calculator.arithmetic import Division
from labnet.calculator.wire import PROFILES
from labnet.net import endpoints
from labnet.net import options as netOptions
from labnet.net.service import DatagramListener, StreamListener, listeners


class UDPPort:
    """A UDP port in memory."""

    def __init__(self, port: int, protocol: DatagramProtocol, interface: str) -> None:
        self.where = (port, interface)
        self.protocol = protocol
        protocol.makeConnection(self)

    def getHost(self) -> IPv4Address:
        return IPv4Address("UDP", self.where[1], self.where[0])

    def stopListening(self) -> None:
        self.protocol.doStop()


class MemoryReactor(MemoryReactorClock):
    """One that has datagrams, too."""

    def __init__(self) -> None:
        super().__init__()
        self.udpPorts: list[UDPPort] = []

    def listenUDP(
        self, port: int, protocol: DatagramProtocol, interface: str = "", maxPacketSize: int = 8192
    ) -> UDPPort:
        self.udpPorts.append(UDPPort(port, protocol, interface))
        return self.udpPorts[-1]


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> MemoryReactor:
    """A reactor in memory in place of the real one, wherever options look for it."""
    memory = MemoryReactor()
    monkeypatch.setattr(netOptions, "globalReactor", lambda: memory)
    return memory


def parsed(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def test_withoutOptionsItListensOnTheDefaults(memory: MemoryReactor) -> None:
    service = tap.makeService(parsed())
    service.privilegedStartService()
    service.startService()
    ((port, factory, _, interface),) = memory.tcpServers
    assert (port, interface) == (9000, "127.0.0.1")
    assert factory.dialect.profile.name == "struct9"
    assert factory.requestsPerConnection == 0
    (udpPort,) = memory.udpPorts
    assert udpPort.where == (9001, "127.0.0.1")
    service.stopService()


def test_everyOptionReachesTheFactory(memory: MemoryReactor) -> None:
    service = tap.makeService(
        parsed(
            "--listen", "tcp:0", "--profile", "json", "--division", "true", "--modulo",
            "--requests-per-connection", "3", "--max-connections", "7", "--max-per-peer", "2",
            "--idle-timeout", "1.5", "--lifetime", "60", "--grace", "0.5", "--no-delay", "off",
            "--keep-alive", "off", "--send-buffer", "4096", "--receive-buffer", "8192",
        )
    )  # fmt: skip
    (listener,) = listeners(service)
    assert isinstance(listener, StreamListener)
    factory = listener.factory
    assert factory.dialect.profile is PROFILES["json"]
    assert factory.dialect.division is Division.TRUE
    assert factory.dialect.modulo
    assert factory.requestsPerConnection == 3
    limits = factory.limits
    assert (limits.maxConnections, limits.maxPerPeer) == (7, 2)
    assert (limits.idleTimeout, limits.lifetime, limits.grace) == (1.5, 60.0, 0.5)
    sockets = factory.sockets
    assert (sockets.noDelay, sockets.keepAlive) == (False, False)
    assert (sockets.sendBuffer, sockets.receiveBuffer) == (4096, 8192)


def test_listenersWithProfilesOfTheirOwn(memory: MemoryReactor) -> None:
    """Every profile can be given in front of a place to listen on, TCP and UDP; the rest have --profile."""
    arguments = ["--profile", "int4", "--listen", "tcp:0", "--datagram-rate", "5"]
    for name in PROFILES:
        arguments += ["--listen", f"{name}=tcp:0", "--listen", f"{name}=udp:0"]
    made = list(listeners(tap.makeService(parsed(*arguments))))
    assert [listener.detail for listener in made] == [
        "int4",
        *(name for name in PROFILES for _ in range(2)),
    ]
    for listener in made:
        if isinstance(listener, DatagramListener):
            assert listener.protocol.dialect.profile.name == listener.detail
            assert listener.protocol.limits.perSource == 5
        else:
            assert listener.factory.dialect.profile.name == listener.detail


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--profile", "foo"], "--profile: 'foo' is none of struct9, int4"),
        (["--division", "half"], "--division: 'half' is none of floor, trunc, true"),
        (["--division", "true"], "--division: the replies of struct9 are integers: use floor or trunc"),
        (
            ["--listen", "ici=tcp:0", "--profile", "net", "--division", "true"],
            "the replies of ici are integers",
        ),
        (["--listen", "foo=tcp:0"], "--listen: 'foo=tcp:0': 'foo' is none of struct9"),
        (["--listen", "=tcp:0"], "--listen: '=tcp:0': '' is none of struct9"),
        (["--listen", "tcp:x"], "--listen: 'tcp:x': the port must be a number from 0 to 65535"),
        (["--listen", "udp:9000:interface=me"], "'me' is not an address"),
        (["--listen", "nonsense"], "Unknown endpoint type: 'nonsense'"),
        (["--requests-per-connection", "-1"], "'-1' is not a whole number at least 0"),
        (["--requests-per-connection", "1.5"], "'1.5' is not a whole number at least 0"),
        (["--register", "tcp:h:1"], "--register: 'tcp:h:1' is not of the form udp:HOST:PORT"),
        (["--nonsense"], "option --nonsense not recognized"),
        (["argument"], "Wrong number of arguments."),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    text = str(caught.value)
    assert sentence in text
    assert "\n" not in text


def test_registrationKeepsItsTarget(memory: MemoryReactor) -> None:
    options = parsed("--register", "udp:127.0.0.1:10001", "--listen", "tcp:0")
    assert options.target == endpoints.DatagramTarget("127.0.0.1", 10001)
    assert len(list(tap.makeService(options))) == 2


def test_theRealReactorIsNotTouchedByOptions() -> None:
    before = len(reactor.getReaders())  # type: ignore[attr-defined]
    tap.makeService(parsed("--listen", "tcp:0", "--listen", "udp:0"))
    assert len(reactor.getReaders()) == before  # type: ignore[attr-defined]
