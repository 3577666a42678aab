"""
Standard input and output on one side, peers on the other, and what passes between them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol as Interface

from twisted.internet.defer import Deferred
from twisted.internet.error import ConnectionDone, ConnectionLost
from twisted.internet.interfaces import (
    IDelayedCall,
    IHalfCloseableProtocol,
    IPushProducer,
    IReactorTime,
)
from twisted.internet.protocol import Protocol, connectionDone
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.net.connection import Transport
from labnet.net.outcome import ClientError, ExitStatus, explain
from labnet.netcat.sender import Sender
from labnet.netcat.wire import BadEscape, EscapedLines, HexDump

__all__ = ["Manner", "Peer", "Session"]


@dataclass(frozen=True, slots=True)
class Manner:
    """
    How a conversation is led.

    @ivar hexadecimal: write both directions in hexadecimal, in place of what was received.
    @ivar escapes: read lines with escapes in place of bytes.
    @ivar chop: sizes of the pieces that are sent, in turn, in bytes; empty for as they come.
    @ivar pause: seconds between two pieces.
    @ivar given: sent in place of standard input.
    @ivar noInput: send nothing, and leave our half open until the peer has ended its own.
    @ivar probe: only connect.
    @ivar patience: seconds of silence after which a conversation is over once one side has ended its
        half; C{None} to wait for the other.
    @ivar keep: one peer after another, or several at a time; the end of one is not the end.
    @ivar narrate: tell what happens.
    """

    hexadecimal: bool = False
    escapes: bool = False
    chop: tuple[int, ...] = ()
    pause: float = 0.0
    given: bytes | None = None
    noInput: bool = False
    probe: bool = False
    patience: float | None = None
    keep: bool = False
    narrate: bool = False


class Peer(Interface):
    """
    Whom a L{Session} talks to.

    @ivar label: what it is called: C{the peer}, or C{#2} where there are several.
    """

    label: str
    bytesIn: int
    bytesOut: int

    def write(self, data: bytes) -> None:
        """Send this."""

    def endOutput(self) -> None:
        """End our half, as far as there are halves."""

    def hold(self, why: str) -> None:
        """Do not read from it."""

    def release(self, why: str) -> None:
        """Read from it again."""

    def close(self) -> None:
        """End once everything has been sent."""


class _State:
    """What a session knows of one peer."""

    def __init__(self) -> None:
        self.peerEnded = False
        self.weEnded = False
        self.patience: IDelayedCall | None = None

    def stop(self) -> None:
        patience, self.patience = self.patience, None
        if patience is not None and patience.active():
            patience.cancel()


@implementer(IHalfCloseableProtocol, IPushProducer)
class Session(Protocol):
    """
    The protocol on standard input and output. Its peers tell it what happens to them.

    What one side sends waits for the other: a slow standard output holds every peer back, a slow peer holds
    standard input back, and with it the other peers.

    @param clock: the reactor, or a C{Clock} in a test.
    @param complain: writes one line for a person.
    @param interactive: whether that person sits at standard input.
    @ivar complain: the same function, for the peers.
    @ivar done: fires with the exit status when the conversation is over and everything is written, or
        fails with what went wrong.
    """

    log = Logger()
    transport: Transport

    def __init__(
        self,
        clock: IReactorTime,
        manner: Manner,
        complain: Callable[[str], object],
        interactive: bool = False,
    ) -> None:
        self.done: Deferred[ExitStatus] = Deferred()
        self.manner = manner
        self._clock = clock
        self.complain = complain
        self._interactive = interactive
        self._began = clock.seconds()
        self._peers: dict[Peer, _State] = {}
        self._full: set[Peer] = set()
        self._holds: set[str] = {"no peer"}
        self._sender = Sender(clock, self._send, self._sent, manner.chop, manner.pause)
        self._lines = EscapedLines()
        self._dumps = HexDump(">"), HexDump("<")
        self._inputEnded = False
        self._outputFull = False
        self._standardGone = False
        self._mistaken = False
        self._result: ExitStatus | Failure | None = None

    # What it tells.

    def narrate(self, sentence: str) -> None:
        """Say what happens, and how many seconds after the start, if that is wanted."""
        if self.manner.narrate:
            self.complain(f"{self._clock.seconds() - self._began:9.3f} s  {sentence}")

    @property
    def over(self) -> bool:
        """Whether the conversation has ended."""
        return self._result is not None

    # Standard input and output.

    def connectionMade(self) -> None:
        self.transport.registerProducer(self, True)
        self.transport.pauseProducing()

    def dataReceived(self, data: bytes) -> None:
        if self._inputEnded or not self._reads:
            return
        if self.manner.escapes:
            self._sendLines(self._lines.feed(data))
        else:
            self._sender.feed(data)
        if self._sender.busy:
            self._hold("pacing")

    def readConnectionLost(self) -> None:
        if self._reads and not self.over:
            self._sendLines(self._lines.end())
            self._endInput()

    def writeConnectionLost(self) -> None:
        """Nobody reads standard output any more."""
        self._standardGone = True
        self._finish(Failure(BrokenPipeError()))

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        self._standardGone = True
        if self._result is None:
            self._finish(reason)
        else:
            self._fire()

    def pauseProducing(self) -> None:
        """Standard output is slow."""
        self._outputFull = True
        if self.manner.hexadecimal:
            # What is sent is shown there, too.
            self._hold("output")
        for peer in self._peers:
            peer.hold("standard output")

    def resumeProducing(self) -> None:
        """Standard output takes more."""
        self._outputFull = False
        self._release("output")
        for peer in tuple(self._peers):
            peer.release("standard output")

    def stopProducing(self) -> None:
        """Standard output is gone; L{writeConnectionLost} or L{connectionLost} follows."""

    @property
    def _reads(self) -> bool:
        """Whether standard input is of interest."""
        manner = self.manner
        return manner.given is None and not manner.noInput and not manner.probe

    def _hold(self, why: str) -> None:
        self._holds.add(why)
        if len(self._holds) == 1:
            self.transport.pauseProducing()

    def _release(self, why: str) -> None:
        if why in self._holds:
            self._holds.discard(why)
            if not self._holds and not self._inputEnded and not self.over:
                self.transport.resumeProducing()

    # From standard input to the peers.

    def _sendLines(self, lines: list[bytes | BadEscape]) -> None:
        for line in lines:
            if isinstance(line, BadEscape):
                self._mistaken = True
                self.complain(f"not sent: {line}")
            elif line:
                self._sender.feed(line)
                self._sender.flush()

    def _send(self, piece: bytes) -> None:
        self._dump(0, piece)
        for peer, state in tuple(self._peers.items()):
            if not state.weEnded:
                peer.write(piece)
                self._stirred(peer)

    def _sent(self) -> None:
        if self._inputEnded:
            self._endHalves()
        else:
            self._release("pacing")

    def _endInput(self) -> None:
        self._inputEnded = True
        self._sender.flush()
        if not self._sender.busy:
            self._endHalves()

    def _endHalves(self) -> None:
        for peer in tuple(self._peers):
            self._endHalf(peer)

    def _endHalf(self, peer: Peer) -> None:
        state = self._peers[peer]
        if not state.weEnded:
            state.weEnded = True
            peer.endOutput()
            self._oneEnded(peer, state)

    # What the peers do.

    def peerOpened(self, peer: Peer) -> None:
        """There is somebody to talk to."""
        state = self._peers[peer] = _State()
        if self.over or self.manner.probe:
            peer.close()
            return
        if self._outputFull:
            peer.hold("standard output")
        if self.manner.given is not None and not self._inputEnded:
            self._sender.feed(self.manner.given)
            self._endInput()
        elif self._inputEnded and not self._sender.busy:
            self._endHalf(peer)
        elif self.manner.patience is not None and self.manner.noInput:
            self._impatient(peer, state)
        self._release("no peer")

    def peerReceived(self, peer: Peer, data: bytes) -> None:
        """A peer has sent something."""
        if self.over:
            return
        self._stirred(peer)
        if self.manner.hexadecimal:
            self._dump(1, data, "" if peer.label == "the peer" else f"{peer.label} ")
        elif data:
            self.transport.write(data)

    def peerEnded(self, peer: Peer, how: str = "FIN") -> None:
        """A peer has ended its half."""
        self.narrate(f"{peer.label} ended its half ({how}) after {_bytes(peer.bytesIn)}")
        state = self._peers.get(peer)
        if state is None or state.peerEnded:
            return
        state.peerEnded = True
        self._oneEnded(peer, state)
        if self._interactive and self._reads and not self._inputEnded and not self.manner.keep:
            self.complain("the peer has ended its half of the connection; Ctrl-D ends yours")

    def weEnded(self, peer: Peer, how: str = "FIN") -> None:
        """The end of our half has left."""
        self.narrate(f"we ended our half towards {peer.label} ({how}) after {_bytes(peer.bytesOut)}")

    def peerFull(self, peer: Peer) -> None:
        """A peer reads too slowly."""
        self._full.add(peer)
        self._sender.hold()
        self._hold("peer")

    def peerDrained(self, peer: Peer) -> None:
        """A peer reads again."""
        self._full.discard(peer)
        if peer in self._peers:
            self._stirred(peer)
        if not self._full:
            self._sender.release()
            self._release("peer")

    def peerLost(self, peer: Peer, reason: Failure | None) -> None:
        """A peer is gone, or never came to be one; without a C{reason}, because we want nothing more."""
        state = self._peers.pop(peer, None)
        if state is not None:
            state.stop()
        result = self._came(reason)
        counts = f"{_bytes(peer.bytesOut)} sent, {_bytes(peer.bytesIn)} received"
        if isinstance(result, Failure):
            self.narrate(f"{peer.label} lost: {explain(result)[0]}; {counts}")
        else:
            self.narrate(f"{peer.label} closed; {counts}")
        if not self._peers:
            self._hold("no peer")
        self.peerDrained(peer)
        if not self.manner.keep:
            self._finish(result)
        elif isinstance(result, Failure) and not self.manner.narrate:
            self.complain(f"{peer.label}: {explain(result)[0]}")

    def _came(self, reason: Failure | None) -> ExitStatus | Failure:
        """What an end means."""
        if reason is None or reason.check(ConnectionDone):
            return ExitStatus.OK
        if reason.type is ConnectionLost:
            return Failure(ClientError("the peer reset the connection (RST)", ExitStatus.RESET))
        return reason

    # The time after one side has ended.

    def _oneEnded(self, peer: Peer, state: _State) -> None:
        if state.peerEnded and (state.weEnded or not self._mayStillSend):
            state.stop()
            peer.close()
        elif self.manner.patience is not None:
            self._impatient(peer, state)

    @property
    def _mayStillSend(self) -> bool:
        return self._reads or self._sender.busy

    def _impatient(self, peer: Peer, state: _State) -> None:
        state.stop()
        if self.manner.patience == 0:
            peer.close()
        elif self.manner.patience is not None:
            state.patience = self._clock.callLater(self.manner.patience, self._tooQuiet, peer)

    def _stirred(self, peer: Peer) -> None:
        """Something moves between us."""
        state = self._peers[peer]
        if state.patience is not None and self.manner.patience is not None:
            state.patience.reset(self.manner.patience)

    def _tooQuiet(self, peer: Peer) -> None:
        self.narrate(f"nothing more in {self.manner.patience:g} s")
        peer.close()

    # To standard output.

    def _dump(self, direction: int, data: bytes, head: str = "") -> None:
        if self.manner.hexadecimal and not self.over:
            seconds = self._clock.seconds() - self._began
            self.transport.write(self._dumps[direction].lines(data, f"{head}{seconds:.3f} s, "))

    # The end.

    def abandon(self) -> None:
        """It is over, whatever is left."""
        self._finish(ExitStatus.INTERRUPTED)

    def _finish(self, result: ExitStatus | Failure) -> None:
        if self._result is not None:
            return
        if result is ExitStatus.OK and self._mistaken:
            result = ExitStatus.USAGE
        self._result = result
        self._sender.stop()
        for peer, state in tuple(self._peers.items()):
            state.stop()
            peer.close()
        if self._standardGone or self.transport is None:
            self._fire()
        else:
            # What has been written is written to its end, then connectionLost is called.
            self.transport.unregisterProducer()
            self.transport.loseConnection()

    def _fire(self) -> None:
        if not self.done.called and self._result is not None:
            self.done.callback(self._result)


def _bytes(count: int) -> str:
    return f"{count} byte{'' if count == 1 else 's'}"
