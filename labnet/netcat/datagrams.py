"""
A peer over UDP: no connection, no end, and every read of standard input is a datagram.
"""

from __future__ import annotations

from typing import Any

from twisted.internet.address import IPv4Address
from twisted.internet.error import ConnectionRefusedError, MessageLengthError
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.internet.protocol import DatagramProtocol
from twisted.python.failure import Failure

from labnet.net.endpoints import DatagramTarget, describe
from labnet.net.outcome import ClientError, ExitStatus
from labnet.netcat.session import Session

__all__ = ["DatagramPeer"]


class DatagramPeer(DatagramProtocol):
    """
    Everybody on the other side of one UDP socket.

    With a target, the socket is connected to it. Without one, the first who sends is the peer and nobody
    else is heard; if the session keeps on everybody is, and who was heard last is answered.

    @param target: an address, not a name.
    @param idleTimeout: seconds of silence after which it is over; 0 for no limit.
    @ivar label: what the session calls the peer.
    """

    noisy = False
    label = "the peer"
    transport: Any

    def __init__(
        self,
        clock: IReactorTime,
        session: Session,
        target: DatagramTarget | None = None,
        idleTimeout: float = 0.0,
    ) -> None:
        self.bytesIn = 0
        self.bytesOut = 0
        self._clock = clock
        self._session = session
        self._target = target
        self._partner: tuple[str, int] | None = None
        self._idleTimeout = idleTimeout
        self._idle: IDelayedCall | None = None
        self._ending: Failure | None = None
        self._gone = False
        self._strangers = 0

    # What the session does.

    def write(self, data: bytes) -> None:
        """Send one datagram."""
        if self._gone:
            return
        self._stir()
        try:
            if self._target is not None:
                self.transport.write(data)
            else:
                self.transport.write(data, self._partner)
        except (OSError, MessageLengthError) as error:
            tooLong = isinstance(error, MessageLengthError)
            problem = "it is too long" if tooLong else getattr(error, "strerror", None) or str(error)
            self._session.complain(f"a datagram of {len(data)} bytes is not sent: {problem}")
        else:
            self.bytesOut += len(data)

    def endOutput(self) -> None:
        """Datagrams have no end."""
        self._session.narrate("we have nothing more to send; over UDP nobody is told")

    def hold(self, why: str) -> None:
        """Do not read. What the system can not keep is lost, as over UDP it may be."""
        if not self._gone:
            self.transport.pauseProducing()

    def release(self, why: str) -> None:
        """Read again."""
        if not self._gone:
            self.transport.resumeProducing()

    def close(self) -> None:
        """It is over."""
        if not self._gone:
            self._lost(self._ending)

    # What the socket does.

    def startProtocol(self) -> None:
        if self._idleTimeout:
            self._idle = self._clock.callLater(self._idleTimeout, self._tooQuiet)
        if self._target is not None:
            self.transport.connect(self._target.host, self._target.port)
            here = describe(self.transport.getHost())
            self._session.narrate(f"sending to {self._target}, from {here}")
            self._session.peerOpened(self)

    def datagramReceived(self, datagram: bytes, addr: tuple[str, int]) -> None:
        if self._gone:
            return
        if self._target is None and self._partner != addr and not self._meet(addr):
            return
        self._stir()
        self.bytesIn += len(datagram)
        if not datagram:
            self._session.narrate(f"{self.label} sent an empty datagram")
        self._session.peerReceived(self, datagram)

    def _meet(self, addr: tuple[str, int]) -> bool:
        """Somebody new. Whether to listen to them."""
        first = self._partner is None
        name = describe(IPv4Address("UDP", *addr[:2]))
        if first or self._session.manner.keep:
            self._partner = addr
            self._session.narrate(f"{self.label} is {name}")
            if first:
                self._session.peerOpened(self)
            return True
        self._strangers += 1
        if self._strangers == 1:
            self._session.narrate(f"not listening to {name}, nor to others")
        return False

    def connectionRefused(self) -> None:
        """Nothing listens there: its machine has said so."""
        if self._target is not None and not self._gone:
            sentence = f"nothing listens on {self._target}"
            self._lost(Failure(ConnectionRefusedError(string=sentence)))

    def stopProtocol(self) -> None:
        # The epoll and poll reactors close the port of a refused datagram, in place of calling
        # connectionRefused: all they see is an error without input.
        self.connectionRefused()
        self._gone = True
        self._stopIdle()

    def _stopIdle(self) -> None:
        idle, self._idle = self._idle, None
        if idle is not None and idle.active():
            idle.cancel()

    def _lost(self, reason: Failure | None) -> None:
        self._gone = True
        self._stopIdle()
        if self.transport is not None:
            self.transport.stopListening()
        self._session.peerLost(self, reason)

    def _stir(self) -> None:
        if self._idle is not None:
            self._idle.reset(self._idleTimeout)

    def _tooQuiet(self) -> None:
        sentence = f"nothing moved for {self._idleTimeout:g} s"
        self._lost(Failure(ClientError(sentence, ExitStatus.TIMED_OUT)))
