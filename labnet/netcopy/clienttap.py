"""
C{labnet netcopy} and C{twistd labnet-netcopy-client}: send a file, and announce its checksum.
"""

from __future__ import annotations

import os
import stat
import sys
from collections.abc import Sequence
from typing import IO, Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.net.console import Console
from labnet.net.endpoints import BadEndpoint, parseStreamClient
from labnet.net.options import CommandOptions, UsageError, globalReactor, number, optionsFirst
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService
from labnet.net.terminal import Progress
from labnet.netcopy.client import netcopy
from labnet.netcopy.wire import LONGEST_ID, isIdentifier

__all__ = ["Options", "makeService", "run"]


class Options(CommandOptions):
    """The options of netcopy's client."""

    synopsis = "[options] FILE"
    longdesc = "Sends a file to a netcopy server, and its MD5 to a checksum server."

    entry: ClassVar[Entry] = entryFor("netcopy", Kind.CLIENT)

    optParameters = [
        ["connect", "c", entry.endpoints[0], "The netcopy server, tcp:HOST:PORT."],
        ["checksums", None, "tcp:127.0.0.1:9093", "The checksum server, tcp:HOST:PORT."],
        ["id", None, "1", "Under which the checksum is announced; the server asks for the same."],
        ["seconds", "s", 60, "For how long it is announced.", number(int, "seconds", 0, 999_999_999)],
        ["timeout", "t", 10.0, "Seconds to wait for each server, and without progress.",
         number(float, "timeout", 0.001)],
    ]  # fmt: skip

    file = ""

    def parseOptions(self, options: Sequence[str] | None = None) -> None:
        """Options may stand after the file as well."""
        super().parseOptions(optionsFirst(self, options))

    def parseArgs(self, *file: str) -> None:
        if len(file) > 1:
            raise UsageError("one FILE, please")
        self.file = file[0] if file else ""

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        for option in ("connect", "checksums"):
            try:
                parseStreamClient(globalReactor(), self[option], self["timeout"])
            except BadEndpoint as error:
                raise UsageError(f"--{option}: {error}") from error
        if not isIdentifier(self.identifier):
            raise UsageError(
                f"--id: {self['id']!r} is not 1 to {LONGEST_ID} bytes without '|' and control characters"
            )

    @property
    def identifier(self) -> bytes:
        """The identifier as it goes out."""
        return os.fsencode(self["id"])


def _opened(path: str) -> IO[bytes]:
    try:
        # A pipe would make everybody wait for its other end.
        if stat.S_ISREG(os.stat(path).st_mode):
            return open(path, "rb")
        problem = "not a regular file"
    except (OSError, ValueError) as error:
        problem = getattr(error, "strerror", None) or str(error)
    raise ClientError(f"{path}: {problem}", ExitStatus.USAGE)


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Send the file, print its size and checksum, and return the exit status."""
    if not options.file:
        raise ClientError("which FILE is to be sent?", ExitStatus.USAGE)
    endpoint = parseStreamClient(reactor, options["connect"], options["timeout"])
    checksums = parseStreamClient(reactor, options["checksums"], options["timeout"])
    file = _opened(options.file)
    with file, Progress(sys.stderr, options.file, os.fstat(file.fileno()).st_size) as progress:
        size, digest = await netcopy(
            reactor,
            endpoint,
            checksums,
            file,
            identifier=options.identifier,
            seconds=options["seconds"],
            timeout=options["timeout"],
            sent=progress.reached,
        )
    console.say(f"sent {size} bytes, md5 {digest}")
    return ExitStatus.OK


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
