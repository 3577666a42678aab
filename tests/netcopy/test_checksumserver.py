"""
The checksum server on a transport in memory.
"""

from __future__ import annotations

import pytest
from twisted.internet.address import IPv4Address
from twisted.internet.task import Clock

from labnet.netcopy.checksumserver import QUIET, ChecksumFactory, ChecksumProtocol
from labnet.netcopy.registry import Checksums
from labnet.testing import TCPTransport, hangUp, inPieces

BE = b"BE|1|60|3|abc"


def connected(factory: ChecksumFactory) -> tuple[ChecksumProtocol, TCPTransport]:
    protocol = factory.buildProtocol(IPv4Address("TCP", "192.0.2.1", 1))
    assert isinstance(protocol, ChecksumProtocol)
    transport = TCPTransport()
    protocol.makeConnection(transport)
    return protocol, transport


def leave(protocol: ChecksumProtocol) -> None:
    protocol.readConnectionLost()
    hangUp(protocol)


def test_everyByteInASegmentOfItsOwn(clock: Clock) -> None:
    """The gap begins anew with each byte, and what is asked is not answered before its end."""
    protocol, transport = connected(ChecksumFactory(clock))
    for byte in inPieces(BE + b"KI|1KI|23", 1):
        protocol.dataReceived(byte)
        clock.advance(QUIET / 2)
    assert transport.pieces == [b"OK", b"3|abc"]
    clock.advance(QUIET / 2)
    assert transport.pieces == [b"OK", b"3|abc", b"0|"]
    leave(protocol)


def test_allInOneSegmentAndTheEndOfTheStream(clock: Clock) -> None:
    protocol, transport = connected(ChecksumFactory(clock))
    protocol.dataReceived(BE + BE + b"KI|1KI|1")
    assert transport.pieces == [b"OK", b"OK", b"3|abc"]
    protocol.readConnectionLost()
    assert transport.pieces == [b"OK", b"OK", b"3|abc", b"3|abc"]
    hangUp(protocol)


def test_whatIsKeptEndsForAll(clock: Clock) -> None:
    factory = ChecksumFactory(clock)
    one, _ = connected(factory)
    one.dataReceived(BE)
    leave(one)
    other, transport = connected(factory)
    other.dataReceived(b"KI|1\n")
    clock.advance(60)
    other.dataReceived(b"KI|1\n")
    assert transport.pieces == [b"3|abc", b"0|"]
    leave(other)


@pytest.mark.parametrize("junk", [b"XX", b"BE|1|x|3|abc", b"KI|1\0\n", b"x" * (1 << 20)])
def test_junkEndsTheConnectionAfterTheAnswers(clock: Clock, junk: bytes) -> None:
    protocol, transport = connected(ChecksumFactory(clock))
    protocol.dataReceived(BE + junk)
    assert transport.pieces == [b"OK"]
    assert transport.halfClosed
    leave(protocol)
    assert protocol.outcome.startswith("not understood: ")


def test_aFullTableSaysNothing(clock: Clock) -> None:
    protocol, transport = connected(ChecksumFactory(clock, Checksums(most=1)))
    protocol.dataReceived(BE + b"BE|2|60|3|abc" + BE)
    assert transport.pieces == [b"OK"]
    leave(protocol)
    assert protocol.outcome == "no room for another checksum"


def test_halfARequestIsNamedInTheLog(clock: Clock) -> None:
    protocol, transport = connected(ChecksumFactory(clock))
    protocol.dataReceived(BE[:-1])
    leave(protocol)
    assert transport.pieces == []
    assert protocol.outcome == "the stream ended in the middle of a request"


def test_aLookupIsAnsweredBeforeTheServiceStops(clock: Clock) -> None:
    factory = ChecksumFactory(clock)
    protocol, transport = connected(factory)
    protocol.dataReceived(b"KI|1")
    finished = factory.finish()
    clock.pump([0.001] * 30)
    assert transport.pieces == [b"0|"]
    hangUp(protocol)
    assert finished.called
