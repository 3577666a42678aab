"""
C{twistd labnet-guess}: guess a number.
"""

from __future__ import annotations

from random import Random
from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.guess.server import GuessFactory
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import ServerOptions, UsageError, number
from labnet.net.service import StreamListener

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The options of the game's server."""

    synopsis = "[options]"
    longdesc = "Thinks of a number from 1 to 100; whoever names it first wins, and the next game begins."

    entry: ClassVar[Entry] = entryFor("guess", Kind.SERVER)

    optParameters = [
        ["seed", None, None, "Makes the numbers the same at each start: any whole number from 0.",
         number(int, "seed", 0)],
    ]  # fmt: skip

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: it is played over tcp")


def makeService(options: Options) -> MultiService:
    """The game as a service: a listener, and a game, for each place to listen on."""
    service = MultiService()
    for listening in options.listening:
        assert not isinstance(listening.where, DatagramAddress)
        factory = GuessFactory(
            options.reactor, Random(options["seed"]), limits=options.limits, sockets=options.sockets
        )
        service.addService(StreamListener("guess", listening.where, factory))
    return service
