"""
One end of a TCP connection in the examiner's hand: it sends in whatever pieces a scenario wants, and waits
for what is expected.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Any, cast

from twisted.internet.address import IPv4Address, IPv6Address
from twisted.internet.error import ConnectionDone
from twisted.internet.interfaces import IHalfCloseableProtocol, ITCPTransport
from twisted.internet.protocol import Protocol, connectionDone
from twisted.python.failure import Failure
from zope.interface import implementer

from labnet.check.evidence import Exhibit, Failed, Kind, Signs, decisive
from labnet.check.expectation import Expectation, Mismatch, exactly
from labnet.check.mistakes import Mistake
from labnet.check.stage import Stage
from labnet.check.unread import Progress, progress
from labnet.testing.segmentation import cutAt, inPieces

__all__ = ["NO_SIGNS", "Connection"]

#: Bytes that are kept of what a program sends and nobody has asked for yet.
_MOST_KEPT = 8 * 2**20
#: Seconds between two looks at whether a piece was read.
_LOOK = 0.0005

NO_SIGNS: Mapping[Kind | bytes, Mistake] = {}


@implementer(IHalfCloseableProtocol)
class Connection(Protocol):
    """
    A connection to a server that is examined, or from a client that is.

    @ivar ended: whether the program has ended what it sends; L{Kind.RESET} if it has broken it off.
    @ivar lost: whether the connection is gone, both ways.
    """

    transport: ITCPTransport

    def __init__(self, stage: Stage, number: int | str = 0) -> None:
        self._stage = stage
        self._number = number
        self._came = bytearray()
        self._sent = 0
        self._flooded = False
        self.ended: Kind | None = None
        self._patient = True
        self._closed = False
        self.lost = False

    # From the reactor

    def connectionMade(self) -> None:
        self.transport.setTcpNoDelay(True)
        self._stage.connections.append(self)
        self._stage.changed()

    def dataReceived(self, data: bytes) -> None:
        self._say("program", "sends", data)
        self._came += data
        if len(self._came) > _MOST_KEPT:
            # Whatever is waited for: no more of it is taken.
            self._flooded = True
            self.ended = Kind.RESET
            self.reset()
        self._stage.changed()

    def readConnectionLost(self) -> None:
        self._say("program", "ends what it sends")
        self.ended = self.ended or Kind.ENDED
        self._stage.changed()

    def writeConnectionLost(self) -> None:
        self._stage.changed()

    def connectionLost(self, reason: Failure = connectionDone) -> None:
        if self.ended is None and not self._closed:
            clean = reason.check(ConnectionDone)
            self._say("program", "ends the connection" if clean else "breaks the connection off")
        if self.ended is None:
            self.ended = Kind.ENDED if reason.check(ConnectionDone) else Kind.RESET
        self._closed = self.lost = True
        self._stage.changed()

    # What a scenario does

    async def send(self, *messages: bytes, pieces: int | None = None, cuts: Iterable[int] = ()) -> None:
        """
        Send messages, one behind the other: in one piece, unless told otherwise. The next piece goes out
        when the program has read the last one, so far as that can be seen; there is no need of pauses.

        @param pieces: bytes of each piece.
        @param cuts: or the offsets at which it is cut.
        """
        data = b"".join(messages)
        whole = inPieces(data, pieces) if pieces else cutAt(data, cuts)
        if len(whole) > 1:
            self._say("examiner", f"sends, in {len(whole)} pieces,", data)
        for piece in whole:
            if self._closed:
                return
            if len(whole) == 1:
                self._say("examiner", "sends", piece)
            self._sent += len(piece)
            self.transport.write(piece)
            if len(whole) > 1:
                await self._taken()

    async def expect(
        self, expected: bytes | Expectation, *, words: str = "", signs: Signs = NO_SIGNS
    ) -> bytes:
        """
        Wait for something, and return it. What comes behind it is left for the next one.

        @param words: what it is, for the report: C{"the answer 46"}.
        @param signs: the mistake that is shown by the way in which it fails (L{Kind}), or by these bytes in
            its place.
        @raise Failed: something else came, nothing, or only a part.
        """
        wanted = exactly(expected, words) if isinstance(expected, bytes) else expected
        words = words or wanted.text
        mismatch: list[Mismatch] = []
        found: list[int] = []

        def there() -> bool:
            try:
                length = wanted.look(bytes(self._came), self.ended is not None)
            except Mismatch as error:
                mismatch.append(error)
                return True
            if length is not None:
                found.append(length)
            return bool(found) or self.ended is not None

        await self._stage.until(there)
        if found:
            data = bytes(self._came[: found[0]])
            del self._came[: found[0]]
            return data
        if mismatch:
            # The rest of what is being sent belongs to it.
            size = max(len(wanted.sample), 1)
            await self._stage.until(lambda: len(self._came) >= size or self.ended is not None, limit=0.2)
        raise self._failed(words, wanted, signs, mismatch[0].offset if mismatch else None)

    async def expectEnd(self, *, words: str = "the end of the connection", signs: Signs = NO_SIGNS) -> None:
        """
        Wait until the program has ended its side, with nothing more before.

        @raise Failed: it sends something more, stays, or breaks off.
        """
        await self._stage.until(lambda: self.ended is not None or bool(self._came))
        if self._came:
            came = bytes(self._came)
            raise Failed(
                Kind.EXTRA, words, f"{len(came)} bytes more came", Exhibit(b"", came, 0),
                signs.get(came, signs.get(Kind.EXTRA, Mistake.EXTRA)),
            )  # fmt: skip
        if self.ended is None:
            raise Failed(Kind.STAYED, words, "the connection stays open", None, signs.get(Kind.STAYED))
        if self.ended is Kind.RESET and Kind.RESET in signs:
            raise Failed(Kind.RESET, words, "it was broken off", None, signs[Kind.RESET])

    async def anything(self) -> bytes:
        """
        Wait until something comes, or the end, or nothing for too long; return what came: all is right.
        """
        await self._stage.until(lambda: self.ended is not None or bool(self._came))
        came = bytes(self._came)
        self._came.clear()
        return came

    async def more(self, *, patient: bool = False) -> bool:
        """
        Wait until something comes; whether it did, and not the end, or nothing for too long.

        @param patient: whether the program may sleep meanwhile, for a time-out of its own.
        """
        await self._stage.until(lambda: self.ended is not None or bool(self._came), asleep=not patient)
        return bool(self._came)

    @property
    def came(self) -> bytes:
        """What has come, and nobody has asked for yet."""
        return bytes(self._came)

    async def receive(self, size: int, *, words: str = "", signs: Signs = NO_SIGNS) -> bytes:
        """
        Wait for so many bytes, whatever they are.

        @raise Failed: fewer come.
        """
        await self._stage.until(lambda: len(self._came) >= size or self.ended is not None)
        if len(self._came) < size:
            raise self._failed(words or f"{size} bytes", exactly(b""), signs, None)
        data = bytes(self._came[:size])
        del self._came[:size]
        return data

    async def wasRead(self) -> None:
        """Wait until the program has read what was sent, so far as that can be seen, or has had time to."""
        await self._taken()

    async def isFull(self) -> None:
        """
        Wait until the program has read all that was sent, or takes no more because we do not read its
        answers; or has had time to.
        """

        def read() -> bool:
            far = self._progress()
            return self._closed or (far is not None and far.received >= self._sent and not far.waiting)

        await self._stage.until(read, limit=1.0)

    def halfClose(self) -> None:
        """End what we send; what the program sends still arrives."""
        self._say("examiner", "ends what it sends")
        self.transport.loseWriteConnection()

    def close(self) -> None:
        """End the connection."""
        if not self._closed:
            self._say("examiner", "ends the connection")
            self._closed = True
            self.transport.loseConnection()

    def reset(self) -> None:
        """Break the connection off (RST)."""
        if not self._closed:
            self._say("examiner", "breaks the connection off (RST)")
            self._closed = True
            self.transport.abortConnection()

    def stopReading(self) -> None:
        """Take nothing more from the system, until L{startReading}: a peer that is slow."""
        self._say("examiner", "does not read")
        cast(Any, self.transport).pauseProducing()

    def startReading(self) -> None:
        """Read again."""
        self._say("examiner", "reads again")
        cast(Any, self.transport).resumeProducing()

    def leave(self, *, abort: bool = False) -> None:
        """The scenario is over: end the connection without a word, or break it off."""
        self._closed = True
        if not self.lost:
            with suppress(Exception):
                cast(Any, self.transport).resumeProducing()
                (self.transport.abortConnection if abort else self.transport.loseConnection)()

    # Within

    def _say(self, who: str, what: str, data: bytes = b"") -> None:
        self._stage.note(f"{who} ({self._number})" if self._number else who, what, data)

    async def _taken(self) -> None:
        """Wait until the program has read everything; who does not read in time is not waited for again."""
        stage = self._stage
        if not self._patient or self._closed:
            return
        startedAt = stage.reactor.seconds()
        told = True
        while stage.reactor.seconds() - startedAt < stage.limits.piece and not self._closed:
            await stage.pause(_LOOK if told else stage.limits.piece / 25)
            far = self._progress()
            if far is not None and far.received >= self._sent and not far.waiting:
                return
            if far is None:
                # Nobody tells: the pause that there was is all that can be done.
                if not told:
                    return
                told = False
        self._patient = False

    def _progress(self) -> Progress | None:
        if self._closed:
            return None
        mine, theirs = self.transport.getHost(), self.transport.getPeer()
        if not isinstance(mine, (IPv4Address, IPv6Address)) or not isinstance(
            theirs, (IPv4Address, IPv6Address)
        ):
            return None
        return progress((mine.host, mine.port), (theirs.host, theirs.port))

    def _failed(self, words: str, wanted: Expectation, signs: Signs, offset: int | None) -> Failed:
        """Whatever the program did in place of what was expected."""
        came = bytes(self._came)
        kind, told = self._kindOf(came, offset, wanted)
        exhibit = None
        if came or wanted.sample:
            exhibit = Exhibit(
                wanted.sample, came, offset if offset is not None else decisive(wanted.sample, came)
            )
        return Failed(kind, words, told, exhibit, signs.get(came) or signs.get(kind))

    def _kindOf(self, came: bytes, offset: int | None, wanted: Expectation) -> tuple[Kind, str]:
        count = f"{len(came)} byte{'' if len(came) == 1 else 's'}"
        if self._flooded:
            return Kind.EXTRA, f"over {_MOST_KEPT >> 20} MiB came"
        if came and (offset is not None or not wanted.sample.startswith(came)):
            return Kind.OTHER, f"{count} came, but not these"
        rest = f"after {count} " if came else ""
        if self.ended is Kind.RESET:
            return Kind.RESET, f"{rest}the connection was broken off"
        if self.ended is Kind.ENDED:
            return Kind.ENDED, f"{rest}the connection was ended{'' if came else ' without an answer'}"
        return (Kind.PART, f"only {count} came") if came else (Kind.SILENCE, "nothing came")
