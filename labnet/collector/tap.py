"""
C{twistd labnet-collector}: collects what comes, as it comes.
"""

from __future__ import annotations

import os
from typing import Any, ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.collector.server import CollectorFactory, appendTo, openToAppend
from labnet.collector.wire import Bounds
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import ServerOptions, UsageError, number
from labnet.net.service import StreamListener

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The collector's options."""

    synopsis = "[options]"
    longdesc = "Reads to the end of the stream, and keeps the pieces as they arrived; they are in its log."

    entry: ClassVar[Entry] = entryFor("collector", Kind.SERVER)
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 60.0}

    optParameters = [
        ["write", "w", None, "Append to this file what a connection brought, when it ends."],
        ["show", None, 20, "Pieces of a connection that get a line in the log.", number(int, "show", 0)],
        ["most-pieces", None, Bounds().pieces, "Pieces kept of one connection.",
         number(int, "most-pieces", 1)],
        ["most-bytes", None, Bounds().size, "Bytes kept of one connection.",
         number(int, "most-bytes", 1)],
        ["most-memory", None, Bounds().total, "Bytes kept of all connections together.",
         number(int, "most-memory", 1)],
    ]  # fmt: skip

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: a stream is collected; use tcp")
        if self["write"] is not None:
            try:
                os.close(openToAppend(self["write"]))
            except (OSError, ValueError) as error:
                problem = getattr(error, "strerror", None) or str(error)
                raise UsageError(f"--write: {self['write']}: {problem}") from error
            # A daemon changes its directory.
            self["write"] = os.path.abspath(self["write"])

    @property
    def bounds(self) -> Bounds:
        """How much is kept."""
        return Bounds(self["most-pieces"], self["most-bytes"], self["most-memory"])


def makeService(options: Options) -> MultiService:
    """The collector as a service: a listener for each place to listen on."""
    service = MultiService()
    for listening in options.listening:
        where: Any = listening.where
        factory = CollectorFactory(
            options.reactor,
            options.bounds,
            show=options["show"],
            keep=appendTo(options["write"]) if options["write"] is not None else None,
            limits=options.limits,
            sockets=options.sockets,
        )
        service.addService(StreamListener("collector", where, factory))
    return service
