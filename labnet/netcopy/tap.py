"""
C{twistd labnet-netcopy}: takes copies, and compares their checksums.
"""

from __future__ import annotations

import os
from typing import ClassVar

from twisted.application.service import MultiService

from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.endpoints import BadEndpoint, DatagramAddress, parseStreamClient
from labnet.net.options import ServerOptions, UsageError, number
from labnet.net.service import StreamListener
from labnet.netcopy.client import askChecksum
from labnet.netcopy.saving import isFileName
from labnet.netcopy.server import Copies, NetcopyFactory

__all__ = ["Options", "makeService"]


class Options(ServerOptions):
    """The netcopy server's options."""

    synopsis = "[options]"
    longdesc = "Takes a stream to its end, and compares its MD5 with the one the checksum server has."

    entry: ClassVar[Entry] = entryFor("netcopy", Kind.SERVER)
    references: ClassVar[dict[str, tuple[str, str]]] = {"checksums": ("checksum", "tcp")}
    suited: ClassVar[dict[str, object]] = {"idle-timeout": 60.0, "max-connections": 1_000}

    optParameters = [
        ["checksums", None, "tcp:127.0.0.1:9093", "The checksum server, tcp:HOST:PORT."],
        ["id", None, Copies().identifier, "Under which the checksums are announced."],
        ["directory", "d", None, "Write the copies here, as ID-1, ID-2 and so on; unset, they are only "
         "counted."],
        ["most-bytes", None, Copies().most, "Bytes of one copy; 0: no limit.",
         number(int, "most-bytes", 0)],
        ["patience", None, Copies().patience, "Seconds to ask for a checksum that is not there.",
         number(float, "patience", 0.0, 60.0)],
        ["timeout", None, 2.0, "Seconds to wait for the checksum server each time.",
         number(float, "timeout", 0.001, 60.0)],
    ]  # fmt: skip

    def postOptions(self) -> None:
        super().postOptions()
        for listening in self.listening:
            if isinstance(listening.where, DatagramAddress):
                raise UsageError(f"--listen: {listening.description!r}: a stream is copied; use tcp")
        try:
            parseStreamClient(self.reactor, self["checksums"], self["timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--checksums: {error}") from error
        if not isFileName(self["id"]):
            raise UsageError(
                f"--id: {self['id']!r} is not at most 100 letters, digits, '_', '.' and '-', no dot first"
            )
        if self["directory"] is not None:
            # A daemon changes its directory.
            self["directory"] = os.path.abspath(self["directory"])
            if not os.path.isdir(self["directory"]) or not os.access(self["directory"], os.W_OK | os.X_OK):
                raise UsageError(f"--directory: {self['directory']}: not a directory to write to")

    @property
    def copies(self) -> Copies:
        """What becomes of what is sent."""
        return Copies(self["id"], self["directory"], self["most-bytes"], self["patience"])


def makeService(options: Options) -> MultiService:
    """The netcopy server as a service: a listener for each place to listen on."""
    reactor, timeout = options.reactor, options["timeout"]
    checksums = parseStreamClient(reactor, options["checksums"], timeout)
    identifier = options.copies.identifier.encode("ascii")
    service = MultiService()
    for listening in options.listening:
        assert not isinstance(listening.where, DatagramAddress)
        factory = NetcopyFactory(
            reactor,
            lambda: askChecksum(reactor, checksums, identifier, timeout=timeout),
            options.copies,
            limits=options.limits,
            sockets=options.sockets,
        )
        service.addService(StreamListener("netcopy", listening.where, factory))
    return service
