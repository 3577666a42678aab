"""
The server of the game.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar

from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure

from labnet.guess.wire import HIGHEST, LOWEST, SIZE, Answer, Question, answerTo, encodeAnswer
from labnet.net.limits import Limits
from labnet.net.lingering import LingeringConnection, LingeringFactory
from labnet.net.sockets import SocketOptions

__all__ = ["GuessFactory", "GuessProtocol"]

#: Seconds between an answer and a C{V} that nobody asked for: who reads more than 8 bytes at a time gets
#: them apart.
_APART = 0.02


class GuessProtocol(LingeringConnection):
    """One player. Its questions may come in any pieces, and several at once."""

    factory: GuessFactory

    def __init__(self) -> None:
        super().__init__()
        self._buffer = bytearray()
        self._over: IDelayedCall | None = None
        self._result = ""
        self.questions = 0

    @property
    def plays(self) -> bool:
        """Whether it is in the game: it has neither won nor lost."""
        return not self.lingering and self._over is None

    def received(self, data: bytes) -> None:
        if self._over is not None:
            # It has asked again, and so it has read what we said last.
            self._sayOver()
            return
        self._buffer += data
        while len(self._buffer) >= SIZE and self.plays:
            question = Question.decode(bytes(self._buffer[:SIZE]))
            del self._buffer[:SIZE]
            self.questions += 1
            self._answer(answerTo(question, self.factory.number))
        if not self.plays:
            self._buffer.clear()

    def _answer(self, answer: Answer) -> None:
        if answer is Answer.OUT:
            self.endWith(encodeAnswer(answer), "out")
            return
        self.write(encodeAnswer(answer))
        self.touch()
        if answer is Answer.WON:
            self.factory.won(self)

    def gameOver(self, result: str) -> None:
        """Somebody has won: say so, but not in one segment with the answer before."""
        self._result = result
        self._buffer.clear()
        self._over = self.factory.clock.callLater(_APART, self._sayOver)

    def _sayOver(self) -> None:
        self._stopOver()
        self.endWith(encodeAnswer(Answer.OVER), self._result)

    def _stopOver(self) -> None:
        over, self._over = self._over, None
        if over is not None and over.active():
            over.cancel()

    def inputEnded(self) -> None:
        # Who has ended its half may still wait for what comes.
        if self._over is None:
            self.close()

    def ended(self, reason: Failure) -> None:
        self._stopOver()

    @property
    def busy(self) -> bool:
        return bool(self._buffer) or self._over is not None

    def summary(self) -> str:
        return f"{self.questions} questions"


class GuessFactory(LingeringFactory):
    """
    One game after the other: when somebody has won, all are told, and the next game is played by
    those who connect then.

    @param clock: the reactor, or a C{Clock} in a test.
    @param random: where the numbers come from; a seeded one makes them known.
    @param limits: how many players, how long.
    @param sockets: the TCP options of each connection.
    @ivar number: the one to be guessed.
    """

    service: ClassVar[str] = "guess"
    log = Logger()
    connectionClass = GuessProtocol

    def __init__(
        self,
        clock: IReactorTime,
        random: Random | None = None,
        *,
        limits: Limits | None = None,
        sockets: SocketOptions | None = None,
    ) -> None:
        super().__init__(clock, limits=limits, sockets=sockets)
        self._random = random or Random()
        self.number = self._draw()

    def _draw(self) -> int:
        return self._random.randint(LOWEST, HIGHEST)

    def won(self, winner: GuessProtocol) -> None:
        """A player has named the number: end the game for all, and begin the next."""
        self.log.info(
            "guess #{id} {peer} won: the number was {number}",
            id=winner.connectionId,
            peer=winner.peer,
            number=self.number,
        )
        self.number = self._draw()
        for connection in tuple(self.connections):
            if isinstance(connection, GuessProtocol) and connection.plays:
                connection.gameOver("won" if connection is winner else "somebody else won")
