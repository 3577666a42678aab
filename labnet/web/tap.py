"""
C{twistd labnet-web}: the hello web server.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import ServerOptions, UsageError
from labnet.net.service import StreamListener
from labnet.web.server import WebFactory

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The hello web server's options."""

    synopsis = "[options]"
    longdesc = "Says hello to browsers, shows them their request, and gives answers broken on purpose."

    entry: ClassVar[Entry] = entryFor("web", Kind.SERVER)
    # A browser opens connections it may never use.
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 30.0}

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: the web is not served over udp")


def makeService(options: Options) -> MultiService:
    """The hello web server as a service: a listener for each place to listen on."""
    service = MultiService()
    for listening in options.listening:
        assert not isinstance(listening.where, DatagramAddress)
        factory = WebFactory(options.reactor, limits=options.limits, sockets=options.sockets)
        service.addService(StreamListener("web", listening.where, factory))
    return service
