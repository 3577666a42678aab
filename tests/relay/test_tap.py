"""
The relay's options, and what service they make.
"""

from __future__ import annotations

import pytest

from labnet.calculator.wire import PROFILES
from labnet.net.options import UsageError
from labnet.net.service import DatagramListener, StreamListener, listeners
from labnet.relay.datagrams import DatagramRelay
from labnet.relay.server import RequestRelayFactory, StreamRelayFactory
from labnet.relay.tap import Options, makeService


def options(*arguments: str) -> Options:
    read = Options()
    read.parseOptions(list(arguments))
    return read


def test_byDefaultItIsTheCoursesRelay() -> None:
    (listener,) = listeners(makeService(options()))
    assert isinstance(listener, StreamListener)
    assert isinstance(listener.factory, RequestRelayFactory)
    assert listener.detail == "struct9 to udp:127.0.0.1:9001"
    assert listener.factory.limits.maxConnections == 1_000


def test_thePairFollowsFromTheEndpoints() -> None:
    tcp, udp = listeners(
        makeService(options("--listen", "tcp:0", "--listen", "udp:0", "--to", "udp:h:1", "--tamper", "a=1"))
    )
    assert isinstance(tcp, StreamListener)
    assert isinstance(tcp.factory, RequestRelayFactory)
    assert tcp.factory.tampering is not None
    assert isinstance(udp, DatagramListener)
    assert isinstance(udp.protocol, DatagramRelay)
    assert udp.protocol.tampering == tcp.factory.tampering
    (stream,) = listeners(makeService(options("--to", "tcp:127.0.0.1:80", "--connect-timeout", "2.5")))
    assert isinstance(stream, StreamListener)
    assert isinstance(stream.factory, StreamRelayFactory)
    assert stream.factory.connectTimeout == 2.5


def test_theOptionsReachTheService() -> None:
    read = options("--profile", "json", "--pipeline", "5", "--idle-timeout", "9", "--no-delay", "off")
    (listener,) = listeners(makeService(read))
    assert isinstance(listener, StreamListener)
    factory = listener.factory
    assert isinstance(factory, RequestRelayFactory)
    assert factory.profile is PROFILES["json"]
    assert factory.mostPipelined == 5
    assert factory.limits.idleTimeout == 9
    assert not factory.sockets.noDelay
    read = options("--listen", "udp:0", "--expire", "3", "--max-clients", "40", "--datagram-rate", "7")
    (listener,) = listeners(makeService(read))
    assert isinstance(listener, DatagramListener)
    relay = listener.protocol
    assert isinstance(relay, DatagramRelay)
    limits = relay.clientLimits
    assert (limits.expire, limits.most, limits.mostPerHost) == (3.0, 40, 10)
    assert relay.limits.perSource == 7


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ("--listen udp:0 --to tcp:h:1", "UDP can only be relayed --to udp:HOST:PORT"),
        ("--listen tcp:0 --listen udp:0 --to tcp:h:1", "--listen udp:0: UDP can only"),
        ("--to udp:h", "udp:HOST:PORT"),
        ("--to udp:h:0", "the port must be"),
        ("--to tcp:h", "tcp:HOST:PORT"),
        ("--to tcp:h:70000", "the port must be"),
        ("--to nonsense:1", "--to: 'nonsense:1'"),
        ("--to tcp:127.0.0.1:9002", "would connect to itself"),
        ("--listen udp:9100 --to udp:127.0.0.1:9100", "would send to itself"),
        ("--to tcp:h:1 --tamper a=1", "--tamper goes with"),
        ("--to tcp:h:1 --profile net", "--profile goes with"),
        ("--to tcp:h:1 --cache-ttl 5", "--cache-ttl goes with"),
        ("--listen udp:0 --cache-ttl 5", "--cache-ttl: not with --listen udp:0"),
        ("--tamper c=1", "--tamper: 'c=1' is not of the form"),
        ("--profile nine", "--profile: 'nine' is none of struct9"),
        ("--tries 0", "--tries: '0' is not a whole number from 1 to 100"),
        ("--timeout 0", "--timeout"),
        ("--timeout nan", "--timeout"),
        ("--expire -1", "--expire"),
        ("--cache-ttl -1", "--cache-ttl"),
        ("--connect-timeout x", "--connect-timeout"),
        ("--pipeline 0", "--pipeline"),
        ("--max-exchanges 0", "--max-exchanges"),
        ("--max-clients 0", "--max-clients"),
        ("--listen net=tcp:0", "nothing stands before tcp: or udp: here"),
    ],
)
def test_aMistakeIsOneLine(arguments: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        options(*arguments.split())
    assert says in str(caught.value)
    assert "\n" not in str(caught.value)
