"""
C{labnet greeting} and C{twistd labnet-greeting-client}: be greeted.
"""

from __future__ import annotations

from typing import Any, ClassVar

from labnet.catalogue import Entry, Kind, entryFor
from labnet.greeting.client import greeting
from labnet.net.console import Console, legible
from labnet.net.endpoints import BadEndpoint, parseStreamClient
from labnet.net.options import CommandOptions, UsageError, globalReactor, number
from labnet.net.outcome import ClientError, ExitStatus
from labnet.net.service import ClientService

__all__ = ["Options", "makeService", "run"]


class Options(CommandOptions):
    """The options of the greeting's client."""

    synopsis = "[options]"
    longdesc = "Connects, and prints what the server says until it closes."

    entry: ClassVar[Entry] = entryFor("greeting", Kind.CLIENT)

    optParameters = [
        ["connect", "c", entry.endpoints[0], "The server, tcp:HOST:PORT."],
        ["timeout", "t", 5.0, "Seconds to wait for the connection, and for the greeting.",
         number(float, "timeout", 0.001)],
    ]  # fmt: skip

    def postOptions(self) -> None:
        super().postOptions()  # type: ignore[no-untyped-call]
        try:
            parseStreamClient(globalReactor(), self["connect"], self["timeout"])
        except BadEndpoint as error:
            raise UsageError(f"--connect: {error}") from error


async def run(reactor: Any, options: Options, console: Console) -> int:
    """Print the greeting, and return the exit status."""
    endpoint = parseStreamClient(reactor, options["connect"], options["timeout"])
    said = await greeting(reactor, endpoint, options["timeout"])
    if not said:
        raise ClientError("the server closed without a word", ExitStatus.NOT_UNDERSTOOD)
    console.say(legible(said).removesuffix("\n"))
    return ExitStatus.OK


def makeService(options: Options) -> ClientService:
    """The client as a service that ends the process when it is done."""
    reactor = globalReactor()
    return ClientService(reactor, options.entry.plugin, lambda: run(reactor, options, Console()))
