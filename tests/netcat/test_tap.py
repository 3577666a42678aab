"""
The options of both sides: what they come to, and what is wrong with them.
"""

from __future__ import annotations

from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone
from twisted.internet.testing import MemoryReactorClock
from twisted.python.failure import Failure
from twisted.python.usage import UsageError

from labnet.catalogue import Kind, entryFor, servers
from labnet.net.console import Console
from labnet.net.endpoints import DatagramAddress
from labnet.net.outcome import ExitStatus
from labnet.net.service import ClientService
from labnet.netcat import clienttap, tap
from labnet.netcat.session import Manner
from labnet.testing import TCPTransport
from tests.netcat.world import Standard


def client(*arguments: str) -> clienttap.Options:
    options = clienttap.Options()
    options.parseOptions(arguments)
    return options


def server(*arguments: str) -> tap.Options:
    options = tap.Options()
    options.parseOptions(arguments)
    return options


def test_theListeningSideIsNotInTheLab() -> None:
    """There is one standard input, and the lab has many services."""
    assert entryFor("netcat", Kind.SERVER) not in servers()


def test_theListeningSideListensOnLoopback() -> None:
    (listening,) = server().listening
    assert listening.where.endpoint._interface == "127.0.0.1"  # type: ignore[union-attr]


def test_defaults() -> None:
    assert client().manner(False) == server().manner(False) == Manner()
    assert client().manner(True).patience == 2.0
    assert client("-l", "-k").manner(False).patience == 2.0
    assert client("-u", "-q", "5", "9").manner(True).patience == 5.0
    assert server().limits.idleTimeout == 0


def test_theWholeManner() -> None:
    arguments = ["-x", "-e", "-v", "--chop", "1,4,4", "--pause", "0.5", "-q", "3", "--send", r"a\n"]
    for options in (client(*arguments, "9"), server(*arguments)):
        assert options.manner(False) == Manner(
            hexadecimal=True,
            escapes=True,
            chop=(1, 4, 4),
            pause=0.5,
            given=b"a\n",
            patience=3.0,
            narrate=True,
        )


@pytest.mark.parametrize(
    ("arguments", "host", "port"),
    [
        ([], "127.0.0.1", 31337),
        (["9000"], "127.0.0.1", 9000),
        (["localhost", "9000"], "localhost", 9000),
        (["::1", "9000"], "::1", 9000),
        (["tcp:localhost:9000"], "localhost", 9000),
        (["udp:[::1]:9000"], "::1", 9000),
        (["-l", "0"], "127.0.0.1", 0),
        (["-l", "0.0.0.0", "9000"], "0.0.0.0", 9000),
        (["9000", "-x", "--chop", "3"], "127.0.0.1", 9000),
    ],
)
def test_where(arguments: list[str], host: str, port: int) -> None:
    options = client(*arguments)
    assert (options.host, options.port) == (host, port)


def test_descriptionsSayWhichTransport() -> None:
    assert client("udp:localhost:9000")["udp"]
    assert client("tls:localhost:9000")["tls"]
    options = client("unix:/tmp/x:y")
    assert (options["unix"], options.host) == (1, "/tmp/x:y")
    assert isinstance(client("-l", "udp:9000").place, DatagramAddress)
    assert client("-l", "tcp:9000").place is not None


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["1", "2", "3"], "'1 2 3': at most HOST and PORT"),
        (["0"], "'0': the port must be a number from 1 to 65535"),
        (["65536"], "'65536': the port must be a number from 1 to 65535"),
        (["http"], "'http': the port must be a number from 1 to 65535"),
        (["localhost", "\u0669"], "'\u0669': the port must be a number from 1 to 65535"),
        (["a..b", "9"], "'a..b' is neither a name nor an address"),
        (["tcp:9000"], "'tcp:9000' is not of the form tcp:HOST:PORT"),
        (["-l", "localhost", "9"], "'localhost' is no address to listen on"),
        (["-l", "tcp:x"], "'tcp:x': the port must be a number from 0 to 65535"),
        (["-U"], "--unix: one PATH is wanted"),
        (["-U", "/a", "/b"], "--unix: one PATH is wanted"),
        (["-u", "--tls", "9"], "--udp goes neither with --tls nor with --unix"),
        (["-l", "-z", "9"], "--probe, --insecure, --cafile and --servername do not go with --listen"),
        (["-k", "9"], "--keep-open and --cert go with --listen"),
        (["--insecure", "9"], "--insecure, --cafile and --servername go with --tls"),
        (["--tls", "--insecure", "--cafile", "x", "9"],
         "--insecure looks neither at --cafile nor at --servername"),
        (["-z", "-u", "9"], "--probe does not go with --udp: nobody would say that they listen"),
        (["--tls", "-U", "/a"],
         "--tls over a UNIX socket: --servername says whose certificate it must be"),
        (["--tls", "--cafile", "/nowhere", "9"], "'/nowhere' holds no certificates in PEM"),
        (["-l", "--tls", "--cert", "/nowhere", "9"],
         "'/nowhere' and '/nowhere' hold no certificate with its key in PEM"),
        (["--chop", "0", "9"], "--chop: '0' is not a size from 1 to 1048576, nor several with commas"),
        (["--chop", "4,,4", "9"],
         "--chop: '4,,4' is not a size from 1 to 1048576, nor several with commas"),
        (["--pause", "-1", "9"], "--pause: '-1' is not a number at least 0.0"),
        (["--send", "x", "-d", "9"], "--send goes neither with --no-input nor with --keep-open"),
        (["-e", "--send", r"\q", "9"], r"--send: \q is none of \n \r \t \0 \xNN \\"),
        (["-l", "--cert", "x", "9"], "--cert and --key go with --tls"),
        (["-l", "--tls", "--key", "x", "9"], "--key goes with --cert"),
        (["--nonsense", "9"], "option --nonsense not recognized"),
    ],
)  # fmt: skip
def test_whatIsWrongIsOneLine(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        client(*arguments)
    assert str(caught.value) == sentence


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--listen", "udp:0", "--tls"], "--tls does not go with udp:"),
        (["--tls", "--cert", "/nowhere"],
         "--cert: '/nowhere' and '/nowhere' hold no certificate with its key in PEM"),
        (["--listen", "tcp:x"], "--listen: 'tcp:x': the port must be a number from 0 to 65535"),
    ],
)  # fmt: skip
def test_whatIsWrongOnTheListeningSide(arguments: list[str], sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        server(*arguments)
    assert str(caught.value) == sentence


def test_bothAreServicesThatEndTheProcess() -> None:
    for module, options in ((clienttap, client("9")), (tap, server())):
        service: Any = module.makeService(options)  # type: ignore[attr-defined]
        assert isinstance(service, ClientService)


def test_theListeningSideListensWhereItIsTold(monkeypatch: pytest.MonkeyPatch) -> None:
    """On all of the places; the first peer ends the listening, and its end is the end."""
    reactor = MemoryReactorClock()
    standard = Standard()
    monkeypatch.setattr("labnet.net.options.globalReactor", lambda: reactor)
    monkeypatch.setattr(
        Console, "attach", staticmethod(lambda protocol, output: protocol.makeConnection(standard))
    )
    options = server("--listen", "tcp:9001", "--listen", "tcp:9002:interface=0.0.0.0", "-d")
    running = Deferred.fromCoroutine(tap.serve(reactor, options, Console()))
    assert [(place[0], place[3]) for place in reactor.tcpServers] == [
        (9001, "127.0.0.1"),
        (9002, "0.0.0.0"),
    ]
    factory = reactor.tcpServers[0][1]
    connection = factory.buildProtocol(None)
    connection.makeConnection(TCPTransport())
    assert factory.buildProtocol(None) is None
    connection.readConnectionLost()
    connection.connectionLost(Failure(ConnectionDone()))
    standard.producer = None
    connection.factory._session.connectionLost()
    results: list[object] = []
    running.addBoth(results.append)
    assert results == [ExitStatus.OK]
