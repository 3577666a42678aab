"""
A UDP socket in the examiner's hand: one that asks a server, or one that a client asks.
"""

from __future__ import annotations

from collections import deque
from contextlib import suppress
from typing import Any, cast

from twisted.internet.defer import Deferred, maybeDeferred, succeed
from twisted.internet.protocol import DatagramProtocol

from labnet.check.connection import NO_SIGNS
from labnet.check.evidence import Exhibit, Failed, Kind, Signs, decisive
from labnet.check.expectation import Expectation, Mismatch, exactly
from labnet.check.stage import Stage

__all__ = ["Datagrams"]

Address = tuple[str, int]
_MOST_KEPT = 10_000


class Datagrams(DatagramProtocol):
    """
    A socket.

    @param server: who is asked; L{None} for a socket that clients ask.
    """

    def __init__(self, stage: Stage, server: Address | None = None, number: int = 0) -> None:
        self._stage = stage
        self._server = server
        self._number = number
        self._came: deque[tuple[bytes, Address]] = deque(maxlen=_MOST_KEPT)
        self._refused = False
        self._closed: Deferred[None] = succeed(None)

    # From the reactor

    def startProtocol(self) -> None:
        self._stage.atEnd(self.close)
        if self._server is not None:
            assert self.transport is not None
            self.transport.connect(*self._server)

    def datagramReceived(self, datagram: bytes, addr: Any) -> None:
        self._say("program", "sends a datagram", datagram)
        self._came.append((datagram, addr))
        self._stage.changed()

    def connectionRefused(self) -> None:
        self._say("program", "does not listen: the system says so")
        self._refused = True
        self._stage.changed()

    # What a scenario does

    @property
    def port(self) -> int:
        """Where it is bound."""
        assert self.transport is not None
        return int(self.transport.getHost().port)

    @property
    def host(self) -> str:
        """The address on which it is bound."""
        assert self.transport is not None
        return str(self.transport.getHost().host)

    @property
    def waiting(self) -> bool:
        """Whether a datagram has come that nobody has asked for yet."""
        return bool(self._came)

    def send(self, datagram: bytes, to: Address | None = None) -> None:
        """Send a datagram, to the server unless told otherwise."""
        assert self.transport is not None
        self._say("examiner", "sends a datagram", datagram)
        with suppress(OSError):
            self.transport.write(datagram, to)

    async def expect(
        self, expected: bytes | Expectation, *, words: str = "", signs: Signs = NO_SIGNS
    ) -> bytes:
        """
        Wait for one datagram and compare it; it has to be taken whole.

        @raise Failed: another one came, or none.
        """
        return (await self._expect(expected, words, signs))[0]

    async def expectFrom(self, expected: bytes | Expectation) -> Address:
        """
        The same, and its sender.

        @raise Failed: another one came, or none.
        """
        return (await self._expect(expected, "", NO_SIGNS))[1]

    async def _expect(
        self, expected: bytes | Expectation, words: str, signs: Signs
    ) -> tuple[bytes, Address]:
        wanted = exactly(expected, words) if isinstance(expected, bytes) else expected
        words = words or wanted.text
        datagram, sender = await self.receive(words=words, signs=signs)
        try:
            taken = wanted.look(datagram, True)
            if taken == len(datagram):
                return datagram, sender
            offset = decisive(wanted.sample, datagram) if taken is None else taken
        except Mismatch as mismatch:
            offset = mismatch.offset
        came = f"a datagram of {len(datagram)} byte{'' if len(datagram) == 1 else 's'} came"
        kind = Kind.EXTRA if offset and offset == len(wanted.sample) else Kind.OTHER
        exhibit = Exhibit(wanted.sample, datagram, offset)
        raise Failed(kind, words, came, exhibit, signs.get(datagram) or signs.get(kind))

    async def receive(
        self, *, words: str = "a datagram", signs: Signs = NO_SIGNS, asleep: bool = True
    ) -> tuple[bytes, Address]:
        """
        Wait for a datagram, and return it with its sender.

        @param asleep: see L{Stage.until}.
        @raise Failed: none comes.
        """
        await self._stage.until(lambda: bool(self._came) or self._refused, asleep=asleep)
        if self._came:
            return self._came.popleft()
        if self._refused:
            raise Failed(Kind.REFUSED, words, "nobody listens there", None, signs.get(Kind.REFUSED))
        raise Failed(Kind.SILENCE, words, "no datagram came", None, signs.get(Kind.SILENCE))

    async def anything(self) -> bytes | None:
        """Wait until a datagram comes, or none for too long; return it: all is right."""
        await self._stage.until(lambda: bool(self._came) or self._refused)
        return self._came.popleft()[0] if self._came else None

    def close(self) -> Deferred[None]:
        """Close the socket; fires when it is."""
        transport, self.transport = self.transport, None
        if transport is not None:
            self._closed = maybeDeferred(cast(Any, transport).stopListening)
        return self._closed

    def _say(self, who: str, what: str, data: bytes = b"") -> None:
        self._stage.note(f"{who} ({self._number})" if self._number else who, what, data)
