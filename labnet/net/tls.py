"""
TLS between bytes and bytes: ciphertext in, what it says out, and the other way round.

Twisted's own TLS closes a connection as soon as either side has ended its half. TLS itself has halves: an
alert C{close_notify} ends one direction and says nothing of the other (RFC 8446, section 6.1). Here it does
just that.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from OpenSSL import SSL

__all__ = ["Ended", "Failed", "Handshaken", "Received", "TLSEvent", "TLSStream", "sentenceOf"]

_PIECE = 65_536


@dataclass(frozen=True, slots=True)
class Handshaken:
    """
    Both sides agree on the keys, and we on who the peer is.

    @ivar version: C{TLSv1.3}.
    @ivar cipher: the suite's name.
    """

    version: str
    cipher: str


@dataclass(frozen=True, slots=True)
class Received:
    """The peer has said this."""

    data: bytes


@dataclass(frozen=True, slots=True)
class Ended:
    """
    The peer has ended its half.

    @ivar cut: whether it did so without C{close_notify}. Then somebody else may have ended it, and what the
        peer had to say is not known to be complete (RFC 8446, section 6.1).
    """

    cut: bool = False


@dataclass(frozen=True, slots=True)
class Failed:
    """
    It is over: nothing more comes of this stream, and nothing can be sent, except what L{TLSStream.output}
    still has for the peer.

    @ivar sentence: why, for people.
    """

    sentence: str


TLSEvent = Handshaken | Received | Ended | Failed


class TLSStream:
    """
    One side of a TLS connection without a socket.

    @param connection: made with C{None} in place of a socket, told which side it is.
    @param check: looks at the peer once the handshake is complete; what it raises refuses the peer.
    @param verdict: why the peer's certificate was refused, if that is known better than OpenSSL says it.
    """

    def __init__(
        self,
        connection: SSL.Connection,
        check: Callable[[SSL.Connection], None] = lambda connection: None,
        verdict: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._connection = connection
        self._check = check
        self._verdict = verdict
        self._handshaken = False
        self._inputEnded = False
        self._outputEnded = False
        self._failed = False

    def start(self) -> list[TLSEvent]:
        """Begin. A client has something to send now."""
        return self._read()

    def received(self, data: bytes) -> list[TLSEvent]:
        """What the peer has sent, and what it means."""
        if self._failed:
            return []
        view = memoryview(data)
        while view:
            view = view[self._connection.bio_write(bytes(view)) :]
        return self._read()

    def inputEnded(self) -> list[TLSEvent]:
        """The peer's half of the connection below has ended."""
        if self._inputEnded or self._failed:
            return []
        self._inputEnded = True
        if not self._handshaken:
            return [self._fail("the peer left during the TLS handshake")]
        return [Ended(cut=True)]

    def write(self, data: bytes) -> None:
        """Say something to the peer, after the handshake."""
        if self._outputEnded or self._failed:
            return
        for at in range(0, len(data), _PIECE):
            self._connection.sendall(data[at : at + _PIECE])

    def end(self) -> None:
        """End our half. The peer's goes on."""
        if self._handshaken and not self._outputEnded and not self._failed:
            self._outputEnded = True
            self._connection.shutdown()

    def output(self) -> bytes:
        """What is to be sent to the peer now."""
        pieces = []
        try:
            while True:
                pieces.append(self._connection.bio_read(_PIECE))
        except SSL.Error:
            # A WantReadError: there is no more.
            return b"".join(pieces)

    def _read(self) -> list[TLSEvent]:
        events: list[TLSEvent] = []
        try:
            if not self._handshaken:
                self._connection.do_handshake()
                events.append(self._handshakeDone())
            while not self._failed:
                events.append(Received(self._connection.recv(_PIECE)))
        except SSL.WantReadError:
            pass
        except SSL.ZeroReturnError:
            if not self._inputEnded:
                self._inputEnded = True
                events.append(Ended())
        except SSL.Error as error:
            events.append(self._fail(self._verdict() or sentenceOf(error)))
        return events

    def _handshakeDone(self) -> TLSEvent:
        self._handshaken = True
        try:
            self._check(self._connection)
        except Exception as error:
            self._connection.shutdown()
            return self._fail(str(error))
        version = self._connection.get_protocol_version_name()
        return Handshaken(version, self._connection.get_cipher_name() or "no cipher")

    def _fail(self, sentence: str) -> Failed:
        self._failed = True
        return Failed(sentence)


def sentenceOf(error: SSL.Error) -> str:
    """What OpenSSL says, without the names of its functions."""
    details = error.args[0] if error.args and isinstance(error.args[0], list) else []
    reasons = [reason for *_, reason in details if reason]
    return "TLS: " + (", ".join(dict.fromkeys(reasons)) or "the peer does not speak it")
