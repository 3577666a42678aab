"""
C{twistd labnet-greeting}: greets whoever connects.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.greeting.server import GreetingFactory
from labnet.greeting.wire import GREETING, LONGEST_GREETING
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import ServerOptions, UsageError
from labnet.net.service import StreamListener

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The greeting's options."""

    synopsis = "[options]"
    longdesc = "Says a text to whoever connects, and closes."

    entry: ClassVar[Entry] = entryFor("greeting", Kind.SERVER)
    # It waits for nobody's message.
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 10.0}

    optParameters = [["text", None, GREETING.decode("ascii"), "What it says."]]

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: nobody connects over udp")
        if len(self.greeting) > LONGEST_GREETING:
            raise UsageError(f"--text: more than {LONGEST_GREETING} bytes")

    @property
    def greeting(self) -> bytes:
        """The text as it goes out."""
        return str(self["text"]).encode("utf-8", "surrogateescape")


def makeService(options: Options) -> MultiService:
    """The greeting as a service: a listener for each place to listen on."""
    service = MultiService()
    for listening in options.listening:
        assert not isinstance(listening.where, DatagramAddress)
        factory = GreetingFactory(
            options.reactor, options.greeting, limits=options.limits, sockets=options.sockets
        )
        service.addService(StreamListener("greeting", listening.where, factory))
    return service
