"""
C{labnet guess} and C{twistd labnet-guess-client}: play the game.
"""

from __future__ import annotations

from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.guess.client import play
from labnet.guess.wire import Answer, Question
from labnet.net.console import Console
from labnet.net.endpoints import BadEndpoint, parseStreamClient
from labnet.net.options import CommandOptions, UsageError, globalReactor, number
from labnet.net.outcome import ExitStatus
from labnet.net.service import ClientService

__all__ = ["Options", "makeService", "run"]

_SENTENCES = {
    Answer.YES: "yes",
    Answer.NO: "no",
    Answer.WON: "yes, I won",
    Answer.OUT: "no, I am out",
    Answer.OVER: "the game is over",
}


class Options(CommandOptions):
    """The options of the game's client."""

    synopsis = "[options]"
    longdesc = "Plays one game by halves, and prints each question with its answer."

    entry: ClassVar[Entry] = entryFor("guess", Kind.CLIENT)

    optParameters = [
        ["connect", "c", entry.endpoints[0], "The server, tcp:HOST:PORT."],
        ["pause", "p", 0.0, "Seconds between two questions.", number(float, "pause", 0.0)],
        ["timeout", "t", 5.0, "Seconds to wait for the connection, and for each answer.",
         number(float, "timeout", 0.001)],
    ]  # fmt: skip

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            parseStreamClient(globalReactor(), self["connect"], self["timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--connect: {error}") from error


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Play one game, print its course, and return the exit status: 1 for a game that is not won."""

    def told(question: Question, answer: Answer) -> None:
        console.say(f"{question.relation.decode('ascii')} {question.number}: {_SENTENCES[answer]}")

    endpoint = parseStreamClient(reactor, options["connect"], options["timeout"])
    last = await play(reactor, endpoint, pause=options["pause"], timeout=options["timeout"], told=told)
    return ExitStatus.OK if last is Answer.WON else ExitStatus.ANSWERED_ERROR


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
