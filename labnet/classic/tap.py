"""
C{twistd labnet-classic}: discard, chargen, daytime, time and qotd, each where it is told to listen.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.classic.server import (
    ChargenFactory,
    DiscardFactory,
    daytimeFactory,
    qotdFactory,
    timeFactory,
)
from labnet.net.connection import ServiceFactory
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import ServerOptions, UsageError
from labnet.net.service import StreamListener

__all__ = ["FACTORIES", "Options", "makeService"]

FACTORIES: dict[str, Callable[..., ServiceFactory]] = {
    "discard": DiscardFactory,
    "daytime": daytimeFactory,
    "qotd": qotdFactory,
    "chargen": ChargenFactory,
    "time": timeFactory,
}


class Options(ServerOptions):
    """The options of the small services."""

    synopsis = "[--listen SERVICE=tcp:PORT ...] [options]"
    longdesc = "The small services of RFC 863 to 868, over TCP: " + ", ".join(FACTORIES) + "."

    entry: ClassVar[Entry] = entryFor("classic", Kind.SERVER)
    variants: ClassVar[tuple[str, ...]] = tuple(FACTORIES)
    # Noise is for a look, not for ever, and not for everybody at once.
    suited: ClassVar[dict[str, object]] = {
        "max-connections": 1_000,
        "max-per-peer": 100,
        "idle-timeout": 60.0,
        "lifetime": 600.0,
    }

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(
                    f"--listen: {listening.description!r}: over udp these would be amplifiers; use tcp"
                )
            if not listening.variant:
                raise UsageError(
                    f"--listen: {listening.description!r}: say which of {', '.join(FACTORIES)}, "
                    f"as in daytime={listening.description}"
                )


def makeService(options: Options) -> MultiService:
    """The small services as one: a listener for each place to listen on."""
    service = MultiService()
    for listening in options.listening:
        where: Any = listening.where
        factory = FACTORIES[listening.variant](
            options.reactor, limits=options.limits, sockets=options.sockets
        )
        service.addService(StreamListener("classic", where, factory, listening.variant))
    return service
