"""
What a scenario is played on: its clock, its limits, its dice, and the record of what was said.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from random import Random
from typing import TYPE_CHECKING

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime

from labnet.check.evidence import Step

if TYPE_CHECKING:
    from labnet.check.connection import Connection
    from labnet.check.program import Program

__all__ = ["Limits", "Stage"]

#: Seconds between two looks at whether a program sleeps.
_LOOK = 0.08
#: How often one looks at least before a wait is given up.
_LEAST_LOOKS = 3
_MOST_STEPS = 400
_LONGEST_DATA = 512


@dataclass(frozen=True, slots=True)
class Limits:
    """
    What ends a wait. None of them decides whether a program is right; they end what would never end.

    @ivar wait: seconds that is waited for any one thing.
    @ivar idle: seconds that a program of ours may sleep, with nothing coming or going, before it is
        believed to wait for what never comes; this only ends a wait earlier.
    @ivar piece: seconds that is waited for one piece to be read before the next is sent.
    @ivar scenario: seconds that one scenario may take in all.
    """

    wait: float = 5.0
    idle: float = 1.0
    piece: float = 0.25
    scenario: float = 60.0


class Stage:
    """
    One run of one scenario.

    @param random: the dice, thrown with the seed of the examination and the scenario's name.
    @ivar program: what we have started for it, if anything.
    @ivar steps: what was said.
    @ivar connections: all that there were.
    """

    def __init__(
        self, reactor: IReactorTime, limits: Limits, random: Random, program: Program | None = None
    ) -> None:
        self.reactor = reactor
        self.limits = limits
        self.random = random
        self.program = program
        self.steps: list[Step] = []
        self._waiting: list[Deferred[bool]] = []
        self._changes = 0
        self._leaving: list[Callable[[], object]] = []
        self.connections: list[Connection] = []

    def note(self, who: str, what: str, data: bytes = b"") -> None:
        """Write down what was said, up to a number of steps."""
        if len(self.steps) < _MOST_STEPS:
            self.steps.append(Step(who, what, data[:_LONGEST_DATA], len(data)))

    def changed(self) -> None:
        """Something has happened: whoever waits looks again."""
        self._changes += 1
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            one.callback(True)

    def atEnd(self, leave: Callable[[], object]) -> None:
        """Do this when the scenario is over, however it ends."""
        self._leaving.append(leave)

    async def leave(self) -> None:
        """
        The scenario is over. Connections are ended as a well-behaved peer ends them, for it is not here
        that a program is shown what else there is; those that stay after a moment are broken off.
        """
        left = [connection for connection in self.connections if not connection.lost]
        for connection in left:
            connection.leave()
        await self.until(lambda: all(one.lost for one in left), limit=self.limits.piece)
        self.abandon()

    def abandon(self) -> None:
        """The scenario is over, at once."""
        for connection in self.connections:
            connection.leave(abort=True)
        while self._leaving:
            self._leaving.pop()()

    async def until(
        self,
        condition: Callable[[], bool],
        *,
        limit: float | None = None,
        asleep: bool = True,
        idle: float | None = None,
        look: float = _LOOK,
    ) -> bool:
        """
        Wait until a condition holds. It is looked at whenever something has happened.

        @param limit: seconds; L{Limits.wait} if not given.
        @param asleep: whether a program that sleeps ends the wait earlier: not where it may be waiting for
            a time of its own.
        @param idle: seconds of its sleep that do it; L{Limits.idle} if not given.
        @param look: seconds after which it is looked at even if nothing has happened that we are told of.
        @return: whether it holds.
        """
        limit = self.limits.wait if limit is None else limit
        idle = self.limits.idle if idle is None else idle
        startedAt = quietAt = self.reactor.seconds()
        before: tuple[int, object] = (-1, None)
        looks = quietLooks = 0
        while not condition():
            # Between two looks the reactor has taken what was there: who was kept from looking blames
            # nobody.
            if not await self.pause(min(look, limit)):
                looks += 1
                doing = self.program.doing() if self.program is not None and asleep else None
                now = self.reactor.seconds()
                if doing is None or (self._changes, doing) != before:
                    before, quietAt, quietLooks = (self._changes, doing), now, 0
                quietLooks += 1
                late = now - startedAt >= limit and looks >= _LEAST_LOOKS
                hung = now - quietAt >= idle and quietLooks > _LEAST_LOOKS
                if (late or hung) and not condition():
                    return False
        return True

    async def pause(self, seconds: float) -> bool:
        """Wait until something happens, and at most so long; whether something has happened."""
        news: Deferred[bool] = Deferred()
        self._waiting.append(news)
        timer = self.reactor.callLater(seconds, self._nothing, news)
        try:
            return await news
        finally:
            if timer.active():
                timer.cancel()

    async def sleep(self, seconds: float) -> None:
        """Let so much time pass."""
        done: Deferred[None] = Deferred()
        timer = self.reactor.callLater(seconds, done.callback, None)
        try:
            await done
        finally:
            if timer.active():
                timer.cancel()

    def _nothing(self, news: Deferred[bool]) -> None:
        if news in self._waiting:
            self._waiting.remove(news)
            news.callback(False)
