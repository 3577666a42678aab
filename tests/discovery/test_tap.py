"""
The options of the address server, and the service they make.
"""

from __future__ import annotations

import pytest
from twisted.python.usage import UsageError

from labnet.discovery.server import DiscoveryProtocol, Policy
from labnet.discovery.tap import Options, makeService
from labnet.discovery.wire import LONGEST_REQUEST, Address
from labnet.net.endpoints import DatagramAddress
from labnet.net.service import DatagramListener, listeners


def parsed(*arguments: str) -> Options:
    options = Options()
    options.parseOptions(list(arguments))
    return options


def test_toldNothingItIsTheCoursesAddressServerOnLoopback() -> None:
    options = parsed()
    assert [listening.where for listening in options.listening] == [DatagramAddress(10001, "127.0.0.1")]
    assert options.policy == Policy("calculator", Address("localhost", 9000), False)
    assert options.datagramLimits.perSource == 200.0
    assert options.datagramLimits.maxSize == LONGEST_REQUEST


def test_theOptionsReachTheProtocol() -> None:
    options = parsed(
        "--listen", "udp:0", "--listen", "udp:0:interface=127.0.0.2",
        "--answer", "chat", "--address", "pc-17:9999", "--accept-foreign", "--datagram-rate", "5",
    )  # fmt: skip
    made = list(listeners(makeService(options)))
    assert len(made) == 2
    protocols = []
    for listener in made:
        assert isinstance(listener, DatagramListener)
        assert isinstance(listener.protocol, DiscoveryProtocol)
        assert listener.protocol.policy == Policy("chat", Address("pc-17", 9999), True)
        assert listener.protocol.limits.perSource == 5
        protocols.append(listener.protocol)
    assert protocols[0].registry is protocols[1].registry


def test_anEmptyAddressIsNoAnswer() -> None:
    assert parsed("--address", "").policy.fallback is None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "tcp:10001"], "--listen: 'tcp:10001' is not of the form udp:PORT"),
        (["--listen", "udp:x"], "--listen: 'udp:x': the port must be a number from 0 to 65535"),
        (["--listen", "a=udp:1"], "--listen: 'a=udp:1': nothing stands before tcp: or udp: here"),
        (["--answer", "two words"], "--answer: 'two words' is no name of a service"),
        (["--answer", ""], "--answer: '' is no name of a service"),
        (["--answer", "LIST"], "--answer: 'LIST' is no name of a service"),
        (["--address", "localhost"], "--address: 'localhost': no port"),
        (["--address", "localhost:0"], "--address: 'localhost:0': bad port"),
        (
            ["--address", "[::1]:9"],
            "--address: '[::1]:9': the course's clients can not read an IPv6 address",
        ),
        (["--datagram-rate", "-1"], "--datagram-rate: '-1' is not a number at least 0.0"),
    ],
)
def test_aMistakeIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        parsed(*arguments)
    assert str(caught.value) == sentence
