"""
What stands around protocols and tells a L{Trace} what goes over their connections.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from dataclasses import dataclass
from typing import Any

from OpenSSL import SSL
from twisted.internet.address import IPv4Address, IPv6Address, UNIXAddress
from twisted.internet.error import (
    ConnectionAborted,
    ConnectionDone,
    ConnectionLost,
    MessageLengthError,
    TCPTimedOutError,
    TimeoutError,
)
from twisted.internet.interfaces import (
    IAddress,
    IDelayedCall,
    IProtocol,
    IProtocolFactory,
    IReactorTime,
    ISSLTransport,
)
from twisted.internet.protocol import DatagramProtocol, connectionDone
from twisted.python.failure import Failure

from labnet.net.connection import newConnectionId
from labnet.net.layer import DatagramLayer, Layer, LayerFactory, innermost
from labnet.net.redaction import Redaction
from labnet.net.tls import sentenceOf
from labnet.net.trace import Conversation, Happening, Looker, Trace, TransportName

__all__ = ["MOST_PEERS", "QUIET", "Recorder", "TracedConnection", "TracedDatagrams", "TracedFactory"]

#: Seconds of silence after which a UDP peer's conversation is over.
QUIET = 60.0
#: UDP peers of one port that have a conversation at the same time.
MOST_PEERS = 1024

#: What our services say when they drop a connection because of its time.
_TIMES = re.compile(r"(idle|open|nothing|silent) for ")


class Recorder:
    """
    Where to record, and under what name.

    @param trace: keeps it.
    @param clock: the reactor, whose seconds are those since the epoch.
    @param service: whose connections they are.
    @param detail: which kind of it.
    @param outgoing: whether it makes them.
    @param redaction: what to hide in place of what the trace does.
    @param looker: told the events of these connections only.
    """

    def __init__(
        self,
        trace: Trace,
        clock: IReactorTime,
        service: str = "",
        detail: str = "",
        *,
        outgoing: bool = False,
        redaction: Redaction | None = None,
        looker: Looker | None = None,
    ) -> None:
        self.trace = trace
        self.clock = clock
        self._names = (service, detail)
        self._outgoing = outgoing
        self._redaction = redaction
        self._looker = looker

    def begin(
        self,
        transport: TransportName,
        local: tuple[str, int],
        peer: tuple[str, int],
        secure: bool = False,
        number: int = 0,
    ) -> Conversation:
        """One more conversation; its number is one that nothing else in this process has."""
        return self.trace.begin(
            *self._names,
            transport,
            local,
            peer,
            self.clock.seconds(),
            secure,
            self._outgoing,
            self._redaction,
            self._looker,
            number or newConnectionId(),
        )

    def add(self, conversation: Conversation, what: Happening, data: bytes = b"", note: str = "") -> None:
        """It happens now."""
        self.trace.add(conversation, what, self.clock.seconds(), data, note)


class TracedConnection(Layer):
    """
    The layer that records one connection.

    @ivar recorder: where to.
    @ivar conversation: what is recorded; there once it is connected.
    """

    conversation: Conversation

    def __init__(self, wrapped: IProtocol, recorder: Recorder) -> None:
        super().__init__(wrapped)
        self.recorder = recorder
        # Who has ended the connection, or a half of it, first.
        self._first = ""

    def makeConnection(self, transport: Any) -> None:
        local, peer = transport.getHost(), transport.getPeer()
        kind: TransportName = "unix" if isinstance(local, UNIXAddress) else "tcp"
        secure = bool(ISSLTransport.providedBy(transport)) or hasattr(transport, "agreement")
        number = getattr(innermost(self.wrapped), "connectionId", 0)
        self.conversation = self.recorder.begin(kind, _place(local), _place(peer), secure, number)
        super().makeConnection(transport)

    def dataReceived(self, data: bytes) -> None:
        self.recorder.add(self.conversation, Happening.RECEIVED, data)
        self.wrapped.dataReceived(data)

    def readConnectionLost(self) -> None:
        self._first = self._first or "peer"
        self.recorder.add(self.conversation, Happening.PEER_ENDED)
        super().readConnectionLost()

    def handshakeCompleted(self) -> None:
        self.recorder.add(self.conversation, Happening.NOTE, note="TLS is agreed on")
        super().handshakeCompleted()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if reason.check(ConnectionDone) and not self._first:
            # Nobody above takes halves: the end of the peer's was the end of all.
            self.recorder.add(self.conversation, Happening.PEER_ENDED)
        self.recorder.add(self.conversation, Happening.CLOSED, note=self._outcome(reason))
        super().connectionLost(reason)

    def write(self, data: bytes) -> None:
        if data:
            self.recorder.add(self.conversation, Happening.WRITTEN, data)
        self.transport.write(data)

    def loseWriteConnection(self) -> None:
        self._weEnd("our half")
        super().loseWriteConnection()

    def loseConnection(self) -> None:
        self._weEnd("the connection")
        super().loseConnection()

    def abortConnection(self) -> None:
        self._weEnd("the connection, at once")
        super().abortConnection()

    def startTLS(self, contextFactory: object, *normal: bool) -> None:
        self.conversation.secure = True
        self.recorder.add(self.conversation, Happening.NOTE, note="TLS begins")
        super().startTLS(contextFactory, *normal)

    def _weEnd(self, what: str) -> None:
        self._first = self._first or "we"
        self.recorder.add(self.conversation, Happening.WE_ENDED, note=what)

    def _outcome(self, reason: Failure) -> str:
        """How it ended, in a few words."""
        said = str(getattr(innermost(self.wrapped), "outcome", "") or "")
        if _TIMES.match(said):
            return f"timed out: {said}"
        why = f": {said}" if said else ""
        if reason.check(ConnectionDone):
            return f"closed by us{why}" if self._first == "we" else "FIN from the peer"
        if reason.check(ConnectionAborted):
            return f"reset by us{why}"
        if reason.check(TimeoutError, TCPTimedOutError):
            return "timed out: the peer does not answer"
        if isinstance(reason.value, SSL.Error):
            return sentenceOf(reason.value)
        if reason.check(ConnectionLost):
            if self.conversation.secure:
                return "lost: FIN or reset from the peer, without TLS's close_notify"
            return "reset by the peer"
        return " ".join(reason.getErrorMessage().split()) or str(reason.type)


class TracedFactory(LayerFactory):
    """
    Records the connections of another factory, which may be anybody's::

        endpoint.listen(TracedFactory(factory, Recorder(Trace(), reactor, "mine")))
    """

    def __init__(self, wrappedFactory: IProtocolFactory, recorder: Recorder) -> None:
        super().__init__(wrappedFactory)
        self.recorder = recorder

    def layer(self, protocol: IProtocol) -> TracedConnection:
        return TracedConnection(protocol, self.recorder)


@dataclass(slots=True)
class _Peer:
    conversation: Conversation
    heardAt: float


class TracedDatagrams(DatagramLayer):
    """
    Records the datagrams of a protocol, a conversation for each peer::

        reactor.listenUDP(9001, TracedDatagrams(protocol, Recorder(Trace(), reactor, "mine")))

    A conversation ends after L{QUIET} seconds of silence, and there are L{MOST_PEERS} at a time: who comes
    then ends the one of the longest silent.
    """

    def __init__(self, wrapped: DatagramProtocol, recorder: Recorder) -> None:
        super().__init__(wrapped)
        self.recorder = recorder
        # The longest silent first.
        self._peers: OrderedDict[tuple[str, int], _Peer] = OrderedDict()
        self._sweep: IDelayedCall | None = None
        self._connectedTo: tuple[str, int] | None = None

    def conversationWith(self, addr: tuple[str, int]) -> Conversation:
        """The one of a peer, begun if there is none."""
        peers, now = self._peers, self.recorder.clock.seconds()
        known = peers.get(addr)
        if known is not None:
            known.heardAt = now
            peers.move_to_end(addr)
            return known.conversation
        if len(peers) >= MOST_PEERS:
            _, oldest = peers.popitem(last=False)
            note = f"forgotten: more than {MOST_PEERS} peers"
            self.recorder.add(oldest.conversation, Happening.CLOSED, note=note)
        conversation = self.recorder.begin("udp", _place(self.transport.getHost()), addr[:2])
        peers[addr] = _Peer(conversation, now)
        if self._sweep is None:
            self._sweep = self.recorder.clock.callLater(QUIET, self._sweepNow)
        return conversation

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        self.recorder.add(self.conversationWith(addr), Happening.RECEIVED, datagram)
        self.wrapped.datagramReceived(datagram, addr)

    def connect(self, host: str, port: int) -> None:
        super().connect(host, port)
        self._connectedTo = (host, port)

    def write(self, datagram: bytes, addr: tuple[str, int] | None = None) -> None:
        peer = addr or self._connectedTo
        try:
            self.transport.write(datagram, addr)
        except (OSError, MessageLengthError) as error:
            if peer is not None:
                why = getattr(error, "strerror", None) or "too long"
                note = f"{len(datagram)} bytes were not sent: {why}"
                self.recorder.add(self.conversationWith(peer), Happening.NOTE, note=note)
            raise
        if peer is not None:
            self.recorder.add(self.conversationWith(peer), Happening.WRITTEN, datagram)

    def connectionRefused(self) -> None:
        if self._connectedTo is not None:
            note = "nobody listens there (ICMP)"
            self.recorder.add(self.conversationWith(self._connectedTo), Happening.NOTE, note=note)
        super().connectionRefused()

    def doStop(self) -> None:
        super().doStop()
        sweep, self._sweep = self._sweep, None
        if sweep is not None and sweep.active():
            sweep.cancel()
        while self._peers:
            _, peer = self._peers.popitem(last=False)
            note = "closed by us: the port is closed"
            self.recorder.add(peer.conversation, Happening.CLOSED, note=note)

    def _sweepNow(self) -> None:
        self._sweep = None
        now = self.recorder.clock.seconds()
        while self._peers:
            addr, peer = next(iter(self._peers.items()))
            # The system's clock may be set back.
            left = min(peer.heardAt + QUIET - now, QUIET)
            if left > 0:
                self._sweep = self.recorder.clock.callLater(left, self._sweepNow)
                return
            del self._peers[addr]
            self.recorder.add(peer.conversation, Happening.CLOSED, note=f"silent for {QUIET:g} s")


def _place(address: IAddress) -> tuple[str, int]:
    """An address as a pair."""
    if isinstance(address, (IPv4Address, IPv6Address)):
        return (address.host, address.port)
    name = getattr(address, "name", None)
    return (name.decode("utf-8", "backslashreplace") if isinstance(name, bytes) else str(name or ""), 0)
