"""
What people need who test protocols of Twisted: connections and datagrams in memory, streams in any pieces.

Everything here is deterministic, and nothing opens a socket or reads a clock of its own. C{docs/testing.md}
has examples. Strategies for Hypothesis are in L{labnet.testing.strategies}, fixtures for pytest in
L{labnet.testing.plugin}.
"""

from __future__ import annotations

from labnet.testing.assertions import assertSameForAnySegmentation, assertSameInAnyPieces, outcomeOf
from labnet.testing.datagrams import Datagram, DatagramNetwork, DatagramPair, MemorySocket, Peer
from labnet.testing.deferreds import resultOf
from labnet.testing.leaks import LoggedFailures
from labnet.testing.pair import ConnectedPair
from labnet.testing.segmentation import (
    Segmentation,
    asWritten,
    cutAt,
    cutRandomly,
    inPieces,
    joined,
    segmentations,
)
from labnet.testing.transport import (
    RecordingProducer,
    SlowTransport,
    TCPTransport,
    doneReason,
    hangUp,
    lingered,
    resetReason,
)

__all__ = [
    "ConnectedPair",
    "Datagram",
    "DatagramNetwork",
    "DatagramPair",
    "LoggedFailures",
    "MemorySocket",
    "Peer",
    "RecordingProducer",
    "Segmentation",
    "SlowTransport",
    "TCPTransport",
    "asWritten",
    "assertSameForAnySegmentation",
    "assertSameInAnyPieces",
    "cutAt",
    "cutRandomly",
    "doneReason",
    "hangUp",
    "inPieces",
    "joined",
    "lingered",
    "outcomeOf",
    "resetReason",
    "resultOf",
    "segmentations",
]
