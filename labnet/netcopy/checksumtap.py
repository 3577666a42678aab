"""
C{twistd labnet-checksum}: the checksum server.
"""

from __future__ import annotations

from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.endpoints import DatagramAddress
from labnet.net.options import ServerOptions, UsageError, number
from labnet.net.service import StreamListener
from labnet.netcopy.checksumserver import ChecksumFactory
from labnet.netcopy.registry import Checksums

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The checksum server's options."""

    synopsis = "[options]"
    longdesc = "Keeps checksums under identifiers, each for as long as was asked for."

    entry: ClassVar[Entry] = entryFor("checksum", Kind.SERVER)
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 60.0}

    optParameters = [
        ["most", None, 10_000, "Checksums kept at a time.", number(int, "most", 1)],
        ["longest", None, 86_400.0, "Seconds that a checksum is kept, at most.",
         number(float, "longest", 0.0)],
    ]  # fmt: skip

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: it is asked over tcp")


def makeService(options: Options) -> MultiService:
    """The checksum server as a service: a listener for each place, and one table for all."""
    service = MultiService()
    checksums = Checksums(options["most"], options["longest"])
    for listening in options.listening:
        assert not isinstance(listening.where, DatagramAddress)
        factory = ChecksumFactory(
            options.reactor, checksums, limits=options.limits, sockets=options.sockets
        )
        service.addService(StreamListener("checksum", listening.where, factory))
    return service
