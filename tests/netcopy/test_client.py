"""
The clients on transports in memory.
"""

from __future__ import annotations

import hashlib
from io import BytesIO
from typing import Any

import pytest
from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost, TimeoutError
from twisted.internet.task import Clock
from twisted.python.failure import Failure

from labnet.net.outcome import ClientError, ExitStatus
from labnet.netcopy.client import announceChecksum, askChecksum, netcopy
from labnet.testing import TCPTransport, doneReason, resetReason

CONTENT = bytes(range(256)) * 1000
DIGEST = hashlib.md5(CONTENT, usedforsecurity=False).hexdigest()


class Endpoint:
    """An endpoint that is connected at once."""

    def __init__(self) -> None:
        self.transport = TCPTransport()
        self.protocol: Any = None

    def connect(self, factory: Any) -> Deferred[Any]:
        self.protocol = factory.buildProtocol(None)
        self.protocol.makeConnection(self.transport)
        connected: Deferred[Any] = Deferred()
        connected.callback(self.protocol)
        return connected


def problemOf(deferred: Deferred[Any]) -> Any:
    problems: list[Failure] = []
    deferred.addErrback(problems.append)
    assert problems, "it has not failed"
    return problems[0].value


def copying(clock: Clock, copy: Endpoint, table: Endpoint) -> Deferred[tuple[int, str]]:
    return Deferred.fromCoroutine(netcopy(clock, copy, table, BytesIO(CONTENT), identifier=b"x"))


def drain(copy: Endpoint) -> None:
    """Read everything: a transport asks its producer for more as long as it has one."""
    while copy.transport.producer is not None:
        copy.transport.producer.resumeProducing()


def test_theOrderOfThings(clock: Clock) -> None:
    """The file, as fast as it is read; then C{BE}; then C{OK}; and only then the end of the stream."""
    copy, table = Endpoint(), Endpoint()
    copied = copying(clock, copy, table)
    before = len(copy.transport.value())
    assert before < len(CONTENT)
    copy.transport.producer.resumeProducing()
    assert len(copy.transport.value()) > before
    assert table.protocol is None
    drain(copy)
    assert copy.transport.value() == CONTENT
    assert table.transport.value() == b"BE|x|60|32|" + DIGEST.encode()
    table.protocol.dataReceived(b"O")
    assert not copy.transport.disconnecting
    table.protocol.dataReceived(b"K")
    table.protocol.connectionLost(doneReason())
    assert copy.transport.disconnecting
    assert not copied.called
    copy.protocol.connectionLost(doneReason())
    assert copied.result == (len(CONTENT), DIGEST)


def test_aServerThatDoesNotReadIsLeft(clock: Clock) -> None:
    copy = Endpoint()
    copied = copying(clock, copy, Endpoint())
    clock.advance(29.0)
    copy.transport.producer.resumeProducing()
    clock.advance(29.0)
    assert not copied.called
    clock.advance(1.0)
    assert copy.transport.disconnected
    copy.transport.producer.stopProducing()
    copy.protocol.connectionLost(resetReason())
    assert isinstance(problemOf(copied), TimeoutError)


@pytest.mark.parametrize("reason", [doneReason(), resetReason()])
def test_aServerThatGoesIsToldAsThat(clock: Clock, reason: Failure) -> None:
    copy, table = Endpoint(), Endpoint()
    copied = copying(clock, copy, table)
    # The reactor's order: the protocol hears it before its producer does.
    copy.protocol.connectionLost(reason)
    copy.transport.producer.stopProducing()
    assert isinstance(problemOf(copied), (ConnectionDone, ConnectionLost))
    assert table.protocol is None


def test_whoGivesUpLeavesNothing(clock: Clock) -> None:
    copy = Endpoint()
    copied = copying(clock, copy, Endpoint())
    copied.cancel()
    assert copy.transport.disconnected
    copied.addErrback(lambda failure: None)


def test_aChecksumServerThatSaysSomethingElse(clock: Clock) -> None:
    copy, table = Endpoint(), Endpoint()
    copied = copying(clock, copy, table)
    drain(copy)
    table.protocol.dataReceived(b"NO")
    problem = problemOf(copied)
    assert isinstance(problem, ClientError)
    assert (problem.status, str(problem)) == (
        ExitStatus.NOT_UNDERSTOOD,
        "the checksum server: the answer to BE is not OK",
    )
    assert copy.transport.disconnected


def test_anAnswerInPieces(clock: Clock) -> None:
    table = Endpoint()
    asked = Deferred.fromCoroutine(askChecksum(clock, table, b"x"))
    for byte in b"3|abc":
        assert not asked.called
        table.protocol.dataReceived(bytes([byte]))
    assert (asked.result, table.transport.value()) == (b"abc", b"KI|x")
    assert table.transport.disconnecting


def test_silenceAndTheEndAndNonsense(clock: Clock) -> None:
    silent, ended, wrong = Endpoint(), Endpoint(), Endpoint()
    announced = Deferred.fromCoroutine(announceChecksum(clock, silent, b"x", b"abc"))
    clock.advance(5.0)
    assert isinstance(problemOf(announced), TimeoutError)
    asked = Deferred.fromCoroutine(askChecksum(clock, ended, b"x"))
    ended.protocol.dataReceived(b"32|abc")
    ended.protocol.connectionLost(doneReason())
    assert isinstance(problemOf(asked), ConnectionDone)
    asked = Deferred.fromCoroutine(askChecksum(clock, wrong, b"x"))
    wrong.protocol.dataReceived(b"9999|" + bytes(100_000))
    assert problemOf(asked).status is ExitStatus.NOT_UNDERSTOOD
