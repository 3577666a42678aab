"""
A client that is examined, as a scenario sees it: a program that connects to us.
"""

from __future__ import annotations

import re
from collections import deque
from pathlib import Path
from random import Random
from typing import Any

from labnet.check.connection import NO_SIGNS, Connection
from labnet.check.datagrams import Address, Datagrams
from labnet.check.evidence import Exhibit, Failed, Kind, Signs
from labnet.check.mistakes import Mistake
from labnet.check.program import Program
from labnet.check.stage import Stage

__all__ = ["Client"]

_NUMBER = re.compile(rb"(?<![\w.])[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?(?![\w])")
_TRACEBACK = b"Traceback (most recent call last)"


class Client:
    """
    The client, already started, and the socket that it is to reach.

    @ivar variant: which kind of the service it speaks: a profile, a style.
    @ivar transport: C{"tcp"} or C{"udp"}.
    @ivar datagrams: over UDP, the socket that it asks.
    @ivar folder: the one of its own, empty at first, if C{{folder}} stands in its command.
    """

    def __init__(
        self,
        reactor: Any,
        stage: Stage,
        program: Program,
        transport: str,
        variant: str,
        datagrams: Datagrams | None,
    ) -> None:
        self._reactor = reactor
        self._stage = stage
        self.program = program
        self.transport = transport
        self.variant = variant
        self._datagrams = datagrams
        self.folder: Path | None = None
        self._connections: deque[Connection] = deque()

    @property
    def random(self) -> Random:
        """The scenario's dice: the same numbers for the same seed."""
        return self._stage.random

    @property
    def datagrams(self) -> Datagrams:
        """Over UDP, the socket that it asks."""
        assert self._datagrams is not None
        return self._datagrams

    def arrived(self, connection: Connection) -> None:
        """It has connected; the reactor's side of it."""
        self._connections.append(connection)

    @property
    def hasConnected(self) -> bool:
        """Whether a connection of it waits for L{connects}."""
        return bool(self._connections)

    async def connects(self, *, signs: Signs = NO_SIGNS) -> Connection:
        """
        Wait until it connects.

        @raise Failed: it does not.
        """
        await self._stage.until(lambda: bool(self._connections) or self.program.over)
        if self._connections:
            return self._connections.popleft()
        raise self._failed(
            Kind.REFUSED, "that the client connects", "it did not", signs, Mistake.NOT_STARTED
        )

    async def asks(self, *, again: bool = False, signs: Signs = NO_SIGNS) -> tuple[bytes, Address]:
        """
        Over UDP, wait for a datagram, and return it with its sender.

        @param again: whether it is one that the client sends after a time-out of its own; then its sleep
            says nothing.
        @raise Failed: none comes.
        """
        try:
            return await self.datagrams.receive(
                words="a datagram from the client", signs=signs, asleep=not again
            )
        except Failed as failed:
            if self.program.over or not again:
                raise self._failed(
                    failed.kind, failed.expected, failed.came, signs, failed.mistake or Mistake.NOT_STARTED
                ) from failed
            raise

    def stranger(self) -> Datagrams:
        """Another UDP socket, from which a datagram comes that the client has not asked for."""
        other = Datagrams(self._stage, None, 2)
        host = "::1" if ":" in self.datagrams.host else "127.0.0.1"
        self._reactor.listenUDP(0, other, interface=host)
        return other

    async def asksAgainOrEnds(self, *, mistake: Mistake) -> None:
        """
        Over UDP, wait until it asks once more, or ends: it has a limit for its wait.

        @raise Failed: neither; C{mistake} is the likely one.
        """
        await self._stage.until(lambda: self.datagrams.waiting or self.program.over, asleep=False)
        if not self.datagrams.waiting and not self.program.over:
            raise Failed(
                Kind.STAYED, "that it asks again, or gives up", "it waits, and does neither", None, mistake
            )

    async def pause(self, seconds: float) -> None:
        """Let some time pass: for what is to be slow, never for waiting until something has happened."""
        await self._stage.sleep(seconds)

    async def settles(self) -> None:
        """Wait until it has ended, or sleeps, or nothing has come of it for long: all is right."""
        await self._stage.until(lambda: self.program.over)

    def type(self, text: str | bytes) -> None:
        """Type something into its standard input."""
        data = text.encode("utf-8") if isinstance(text, str) else text
        self._stage.note("examiner", "types", data)
        self.program.type(data)

    def endInput(self) -> None:
        """End its standard input."""
        self._stage.note("examiner", "ends its input")
        self.program.endInput()

    async def prints(
        self, text: str | bytes, *, since: int = 0, words: str = "", signs: Signs = NO_SIGNS
    ) -> None:
        """
        Wait until it has printed this, somewhere.

        @param since: bytes at the beginning that are not looked at.
        @raise Failed: it has ended, or waits, without.
        """
        data = text.encode("utf-8") if isinstance(text, str) else text
        await self._stage.until(lambda: data in self.program.stdout[since:] or self.program.over)
        if data not in self.program.stdout[since:]:
            raise self._notPrinted(words or f"the output {text!r}", data, signs)

    async def printsNumber(self, value: float, *, words: str = "", signs: Signs = NO_SIGNS) -> None:
        """
        The same for a number, in whatever way it is written and whatever stands around it.

        @raise Failed: it has ended, or waits, without.
        """
        await self._stage.until(lambda: self.hasPrinted(value) or self.program.over)
        if not self.hasPrinted(value):
            raise self._notPrinted(words or f"that it prints {value:g}", f"{value:g}".encode(), signs)

    def hasPrinted(self, value: float, since: int = 0) -> bool:
        """
        Whether that number is somewhere in what it has printed.

        @param since: bytes at the beginning that are not looked at.
        """
        return any(
            abs(float(number) - value) <= 1e-5 * max(1.0, abs(value))
            for number in _NUMBER.findall(self.program.stdout[since:])
        )

    async def ends(self, *, cleanly: bool = True, patient: bool = False, signs: Signs = NO_SIGNS) -> None:
        """
        Wait until the program has ended.

        @param cleanly: whether a traceback, or the end by a signal, fails as well.
        @param patient: whether it may sleep meanwhile, for a time-out of its own.
        @raise Failed: it does not end, or not cleanly.
        """
        await self._stage.until(lambda: self.program.over, asleep=not patient)
        if not self.program.over:
            raise self._failed(Kind.STAYED, "the end of the program", "it goes on", signs, Mistake.NO_END)
        if cleanly and not self.endedCleanly:
            raise self._failed(
                Kind.OUTPUT, "an end in the program's own words", "nobody caught an error",
                signs, Mistake.UNCAUGHT,
            )  # fmt: skip

    @property
    def endedCleanly(self) -> bool:
        """Whether it has ended by itself, without a traceback."""
        program = self.program
        return (program.status or 0) >= 0 and not program.exceeded and _TRACEBACK not in program.stderr

    def fail(self, expected: str, came: str, mistake: Mistake | None = None) -> Failed:
        """What a scenario raises that has found something by itself."""
        return Failed(Kind.OUTPUT, expected, came, None, mistake)

    def _notPrinted(self, words: str, data: bytes, signs: Signs) -> Failed:
        printed = self.program.stdout
        came = f"it printed {len(printed)} bytes, without that" if printed else "it printed nothing"
        failed = self._failed(Kind.OUTPUT, words, came, signs, None)
        failed.exhibit = Exhibit(data, printed[-200:], 0) if printed else None
        return failed

    def _failed(
        self, kind: Kind, expected: str, came: str, signs: Signs, otherwise: Mistake | None
    ) -> Failed:
        """With the end of the program, if it has ended."""
        program = self.program
        if program.over and program.status is not None and kind is not Kind.OUTPUT:
            came = f"{came}: it has ended with status {program.status}"
        elif program.over and program.status:
            came = f"{came}, and it ended with status {program.status}"
        return Failed(kind, expected, came, None, program.exceeded or signs.get(kind) or otherwise)
